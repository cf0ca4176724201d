#include "exchange/environment.h"

#include <algorithm>
#include <utility>

namespace gw {

const Candidates& ExchangeEnvironment::SampleForDecision(const Pool& pool,
                                                         const InferenceRequest& request,
                                                         TimePoint now) {
  auto free = std::find_if(samples.begin(), samples.end(),
                           [](const PoolSample& sample) { return sample.pool == nullptr; });
  if (free == samples.end()) free = samples.emplace(free);
  free->pool = &pool;
  SampleEndpoints(pool, request, now, {}, &free->candidates);
  return free->candidates;
}

void ExchangeEnvironment::TakeSample(const Pool& pool, const InferenceRequest& request,
                                     TimePoint now, const Eligible& eligible) {
  for (PoolSample& sample : samples) {
    if (sample.pool != &pool) continue;
    sample.pool = nullptr;
    std::swap(candidates, sample.candidates);
    candidates.RemoveIf([&](size_t i) { return !eligible.Has(candidates.slots()[i]); });
    if (!candidates.empty()) return;
  }
  SampleEndpoints(pool, request, now, eligible, &candidates);
}

void ExchangeEnvironment::ForgetSamples() {
  for (PoolSample& sample : samples) sample.pool = nullptr;
}

}  // namespace gw
