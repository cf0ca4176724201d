#include "exchange/environment.h"

#include <algorithm>
#include <utility>

namespace gw {

const std::vector<EndpointView>& ExchangeEnvironment::SampleForDecision(
    const Pool& pool, const InferenceRequest& request, TimePoint now) {
  auto free = std::find_if(samples.begin(), samples.end(),
                           [](const PoolSample& sample) { return sample.pool == nullptr; });
  if (free == samples.end()) free = samples.emplace(free);
  free->pool = &pool;
  SampleEndpoints(pool, request, now, {}, &free->views);
  return free->views;
}

void ExchangeEnvironment::TakeSample(const Pool& pool, const InferenceRequest& request,
                                     TimePoint now, std::span<const uint32_t> excluded) {
  for (PoolSample& sample : samples) {
    if (sample.pool != &pool) continue;
    sample.pool = nullptr;
    std::swap(views, sample.views);
    std::erase_if(views, [excluded](const EndpointView& view) {
      return std::find(excluded.begin(), excluded.end(), view.slot) != excluded.end();
    });
    if (!views.empty()) return;
  }
  SampleEndpoints(pool, request, now, excluded, &views);
}

void ExchangeEnvironment::ForgetSamples() {
  for (PoolSample& sample : samples) sample.pool = nullptr;
}

}  // namespace gw
