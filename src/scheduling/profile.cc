#include "scheduling/profile.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "pool/health.h"

namespace gw {
namespace {

LoraAffinity AffinityOf(const LoraAdapters& adapters, std::string_view model) {
  const auto holds = [model](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), model) != names.end();
  };
  if (model.empty() || model == adapters.base_model) return LoraAffinity::kNotLora;
  if (holds(adapters.running)) return LoraAffinity::kActive;
  if (adapters.running.size() + adapters.waiting.size() < adapters.max_active) {
    return LoraAffinity::kRoom;
  }
  return holds(adapters.waiting) ? LoraAffinity::kWaiting : LoraAffinity::kFull;
}

// The calling thread's copy of what endpoints reported of their adapters. A decision looks at every
// candidate and adapters change rarely, so the lock in EndpointState is taken once per change and
// thread. Versions are unique among all states, so a slot that passed to another address cannot
// match.
const LoraAdapters* CachedAdapters(const EndpointState& state, uint32_t version) {
  struct Copy {
    uint32_t version = 0;
    std::shared_ptr<const LoraAdapters> adapters;
  };
  thread_local std::vector<Copy> copies;
  if (copies.size() <= state.slot) copies.resize(state.slot + 1);
  Copy& copy = copies[state.slot];
  if (copy.version != version) {
    copy.adapters = state.lora();
    copy.version = version;
  }
  return copy.adapters.get();
}

EndpointView Sample(const Endpoint& endpoint, std::string_view model, int64_t now_ns,
                    Duration metrics_age_max) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  const EndpointState& state = *endpoint.state;
  EndpointView view;
  view.endpoint = &endpoint;
  view.slot = state.slot;
  view.in_flight_requests = state.in_flight_requests.load(kRelaxed);
  view.pending_prompt_tokens = state.pending_prompt_tokens.load(kRelaxed);
  view.decoding_context_tokens = state.decoding_context_tokens.load(kRelaxed);
  view.waiting_requests = state.waiting_requests.load(kRelaxed);
  view.running_requests = state.running_requests.load(kRelaxed);
  view.foreign_requests = state.foreign_requests.load(kRelaxed);
  view.kv_cache_utilization_ratio = state.kv_cache_utilization_ratio.load(kRelaxed);
  const int64_t scraped_at_ns = state.scraped_at_ns.load(std::memory_order_acquire);
  // The scraper's clock reading may be newer than the loop's `now`.
  view.metrics_age =
      scraped_at_ns == 0 ? Duration::max() : Duration(std::max<int64_t>(0, now_ns - scraped_at_ns));
  // An endpoint that we choose to ask seldom is not stale for it: others, asked more often, would
  // get all its requests.
  const Duration age_max =
      std::max(metrics_age_max, Duration(state.paced_age_ns.load(std::memory_order_relaxed)));
  view.metrics_fresh = scraped_at_ns != 0 && view.metrics_age <= age_max;
  const uint32_t lora_version = state.lora_version.load(std::memory_order_acquire);
  if (lora_version != 0) {
    const LoraAdapters* adapters = CachedAdapters(state, lora_version);
    if (adapters != nullptr) view.lora = AffinityOf(*adapters, model);
  }
  return view;
}

// The best of the candidates that were not chosen, by one walk over the totals: nearly all are
// turned away by one comparison.
void FillLosers(std::span<const EndpointView> candidates, size_t chosen,
                const SchedulingScratch& scratch, Decision* decision) {
  size_t best[Decision::kLosersMax];
  size_t found = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const float total = scratch.totals[i];
    if (i == chosen) continue;
    if (found == Decision::kLosersMax && !(total > scratch.totals[best[found - 1]])) continue;
    size_t at = std::min(found, Decision::kLosersMax - 1);
    for (; at > 0 && total > scratch.totals[best[at - 1]]; --at) best[at] = best[at - 1];
    best[at] = i;
    found = std::min(found + 1, Decision::kLosersMax);
  }
  decision->loser_count = found;
  for (size_t n = 0; n < found; ++n) {
    Loser& loser = decision->losers[n];
    loser.endpoint = candidates[best[n]].endpoint;
    loser.score = scratch.totals[best[n]];
    loser.in_flight_requests = candidates[best[n]].in_flight_requests;
    for (size_t s = 0; s < decision->scorer_count; ++s) {
      loser.scores[s] = scratch.scores[s * candidates.size() + best[n]];
    }
  }
}

}  // namespace

Profile::Profile(std::string name, std::vector<std::unique_ptr<Filter>> filters,
                 std::vector<WeightedScorer> scorers, std::unique_ptr<Picker> picker)
    : name_(std::move(name)),
      filters_(std::move(filters)),
      scorers_(std::move(scorers)),
      picker_(std::move(picker)) {
  CHECK(picker_ != nullptr);
  CHECK(scorers_.size() <= Decision::kScorersMax);
}

Decision Profile::Schedule(const InferenceRequest& request, std::vector<EndpointView>* candidates,
                           Random& random, SchedulingScratch* scratch) const {
  Decision decision;
  for (const auto& filter : filters_) {
    if (candidates->empty()) return decision;
    filter->Keep(request, candidates);
  }
  if (candidates->empty()) return decision;

  const size_t count = candidates->size();
  scratch->totals.assign(count, 0.0f);
  // One row of scores per scorer, so that the decision can say what each contributed.
  scratch->scores.resize(count * scorers_.size());
  for (size_t s = 0; s < scorers_.size(); ++s) {
    const std::span<float> row(scratch->scores.data() + s * count, count);
    scorers_[s].scorer->Score(request, *candidates, row);
    for (size_t i = 0; i < count; ++i) {
      // What is not a number scores nothing: one such term must not decide for all candidates.
      const float score = row[i] >= 0 ? std::min(row[i], 1.0f) : 0.0f;
      row[i] = scorers_[s].weight * score;
      scratch->totals[i] += row[i];
    }
  }

  const size_t chosen = picker_->Pick(scratch->totals, random);
  const EndpointView& view = (*candidates)[chosen];
  decision.endpoint = view.endpoint;
  decision.profile = this;
  decision.prefix_hit_blocks = view.prefix_hit_blocks;
  decision.candidates = static_cast<uint32_t>(count);
  decision.score = scratch->totals[chosen];
  decision.scorer_count = scorers_.size();
  for (size_t s = 0; s < scorers_.size(); ++s) {
    decision.scores[s] = scratch->scores[s * count + chosen];
  }
  decision.in_flight_requests = view.in_flight_requests;
  FillLosers(*candidates, chosen, *scratch, &decision);
  return decision;
}

void SampleEndpoints(const Pool& pool, const InferenceRequest& request, TimePoint now,
                     std::span<const uint32_t> excluded, std::vector<EndpointView>* views) {
  // Far enough ahead that a fetch from memory is done when its turn comes.
  constexpr size_t kPrefetchAhead = 8;
  const int64_t now_ns = now.time_since_epoch().count();
  const size_t count = pool.endpoints.size();
  const auto is_excluded = [excluded](uint32_t slot) {
    return std::find(excluded.begin(), excluded.end(), slot) != excluded.end();
  };
  views->clear();
  views->reserve(count);
  for (size_t i = 0; i < count; ++i) {
    if (i + kPrefetchAhead < count) {
      const char* ahead =
          reinterpret_cast<const char*>(pool.endpoints[i + kPrefetchAhead].state.get());
      __builtin_prefetch(ahead);
      __builtin_prefetch(ahead + 64);
    }
    const Endpoint& endpoint = pool.endpoints[i];
    if (IsEjected(*endpoint.state) || IsSilent(*endpoint.state)) continue;
    if (is_excluded(endpoint.state->slot)) continue;
    views->push_back(Sample(endpoint, request.target_model, now_ns, pool.metrics_age_max));
  }
  if (!views->empty()) return;
  for (const Endpoint& endpoint : pool.endpoints) {
    if (is_excluded(endpoint.state->slot)) continue;
    views->push_back(Sample(endpoint, request.target_model, now_ns, pool.metrics_age_max));
  }
}

}  // namespace gw
