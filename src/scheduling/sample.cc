#include "scheduling/sample.h"

#include <memory>
#include <string>

#include "pool/health.h"
#include "pool/pushback.h"

namespace gw {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

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

// One candidate, straight into its row. In line, as it is all that most of a decision does.
[[gnu::always_inline]] inline void SampleInto(const Candidates::Places& rows, size_t row,
                                              const Endpoint& endpoint, const EndpointState& state,
                                              std::string_view model, TimePoint now,
                                              Duration metrics_age_max) {
  rows.endpoints[row] = &endpoint;
  rows.slots[row] = state.slot;
  rows.in_flight_requests[row] = state.in_flight_requests.load(kRelaxed);
  rows.pending_prompt_tokens[row] = state.pending_prompt_tokens.load(kRelaxed);
  rows.waiting_requests[row] = state.waiting_requests.load(kRelaxed);
  rows.foreign_requests[row] = state.foreign_requests.load(kRelaxed);
  rows.kv_cache_ratios[row] = state.kv_cache_utilization_ratio.load(kRelaxed);
  rows.penalties[row] = state.ever_failed.load(kRelaxed) ? PenaltyOf(state, now) : 0;
  rows.prefix_hit_blocks[row] = 0;
  rows.prefix_hit_tokens[row] = 0;
  const int64_t scraped_at_ns = state.scraped_at_ns.load(std::memory_order_acquire);
  // The scraper's clock reading may be newer than the loop's `now`.
  const Duration age(std::max<int64_t>(0, now.time_since_epoch().count() - scraped_at_ns));
  // An endpoint that we choose to ask seldom is not stale for it: others, asked more often, would
  // get all its requests.
  const Duration age_max = std::max(metrics_age_max, Duration(state.paced_age_ns.load(kRelaxed)));
  rows.metrics_ages[row] = scraped_at_ns == 0 ? Duration::max() : age;
  rows.metrics_fresh[row] = scraped_at_ns != 0 && age <= age_max ? 1 : 0;
  LoraAffinity lora = LoraAffinity::kNotLora;
  const uint32_t lora_version = state.lora_version.load(std::memory_order_acquire);
  if (lora_version != 0) {
    const LoraAdapters* adapters = CachedAdapters(state, lora_version);
    if (adapters != nullptr) lora = AffinityOf(*adapters, model);
  }
  rows.loras[row] = lora;
}

// What nearly every endpoint is: nothing has happened to it.
inline bool IsUnblemished(const EndpointState& state) {
  return !state.ever_failed.load(kRelaxed) && !state.ever_pushed_back.load(kRelaxed) &&
         state.silence.load(kRelaxed) == 0;
}

Standing StandingOfBlemished(const EndpointState& state, TimePoint now) {
  const Standing standing = StandingOf(state, OwnRequests(state), now);
  return IsSilent(state) ? std::max(standing, Standing::kOnTrial) : standing;
}

bool IsPushedBack(Standing standing) {
  return standing == Standing::kLimited || standing == Standing::kPaused;
}

inline Standing StandingNow(const EndpointState& state, TimePoint now) {
  return IsUnblemished(state) ? Standing::kInUse : StandingOfBlemished(state, now);
}

// From that standing on.
void TellPushedBack(const Pool& pool, TimePoint now, const Eligible& eligible, Standing first,
                    LeftOuts* left_out) {
  for (const Endpoint& endpoint : pool.endpoints) {
    const EndpointState& state = *endpoint.state;
    const Standing standing = StandingNow(state, now);
    if (!IsPushedBack(standing) || standing < first || !eligible.Has(state.slot)) continue;
    const Share share = ShareOf(state, now);
    left_out->Add({&endpoint, OwnRequests(state), share.allowed, share.paused_for});
  }
}

}  // namespace

std::vector<uint32_t> SlotsOf(const Pool& pool, std::span<const std::string_view> addresses) {
  std::vector<std::string_view> wanted(addresses.begin(), addresses.end());
  std::sort(wanted.begin(), wanted.end());
  const auto is_wanted = [&wanted](std::string_view address) {
    return !address.empty() && std::binary_search(wanted.begin(), wanted.end(), address);
  };
  std::vector<uint32_t> slots;
  for (const Endpoint& endpoint : pool.endpoints) {
    if (is_wanted(endpoint.address) || is_wanted(endpoint.ip)) {
      slots.push_back(endpoint.state->slot);
    }
  }
  std::sort(slots.begin(), slots.end());
  return slots;
}

void SampleEndpoints(const Pool& pool, const InferenceRequest& request, TimePoint now,
                     const Eligible& eligible, Candidates* candidates) {
  // Far enough ahead that a fetch from memory is done when its turn comes.
  constexpr size_t kPrefetchAhead = 8;
  const size_t count = pool.endpoints.size();
  const std::span<EndpointState* const> states = pool.endpoints.states();
  const bool all_eligible = eligible.excluded.empty() && !eligible.only;
  candidates->Clear();
  candidates->Reserve(count);
  const Candidates::Places rows = candidates->Rows();
  size_t sampled = 0;
  size_t usable = 0;
  size_t failing = 0;
  bool any_pushed_back = false;
  for (size_t i = 0; i < count; ++i) {
    if (i + kPrefetchAhead < count) __builtin_prefetch(states[i + kPrefetchAhead]);
    const EndpointState& state = *states[i];
    const bool is_eligible = all_eligible || eligible.Has(state.slot);
    if (!is_eligible && eligible.only) continue;
    const Standing standing = StandingNow(state, now);
    usable += standing <= Standing::kOnTrial ? 1 : 0;
    failing += standing == Standing::kFailing ? 1 : 0;
    any_pushed_back |= IsPushedBack(standing);
    if (standing != Standing::kInUse || !is_eligible) continue;
    SampleInto(rows, sampled++, pool.endpoints[i], state, request.target_model, now,
               pool.metrics_age_max);
  }
  // Those whose standing is from `first` to `last`. Who was sampled above stays so, in the pool's
  // order, whatever became of it since: nobody comes twice, and there is room for all.
  size_t sampled_before = sampled;
  const auto add = [&](Standing first, Standing last) {
    size_t passed = 0;
    for (const Endpoint& endpoint : pool.endpoints) {
      if (passed < sampled_before && rows.endpoints[passed] == &endpoint) {
        ++passed;
        continue;
      }
      const Standing standing = StandingNow(*endpoint.state, now);
      if (standing < first || standing > last || !eligible.Has(endpoint.state->slot)) continue;
      SampleInto(rows, sampled++, endpoint, *endpoint.state, request.target_model, now,
                 pool.metrics_age_max);
    }
  };
  Standing left_out = Standing::kLimited;  // of those that push back the first that stays so
  if (any_pushed_back && sampled == 0) {
    add(Standing::kInUse, Standing::kLimited);  // a request of its may have ended just now
    left_out = Standing::kPaused;
    sampled_before = sampled;
  }
  if (any_pushed_back && sampled == 0) {
    add(Standing::kInUse, Standing::kPaused);
    left_out = Standing::kOnTrial;
    sampled_before = sampled;
  }
  if (any_pushed_back) {
    TellPushedBack(pool, now, eligible, left_out, &candidates->mutable_left_out());
  }
  const bool too_few = kUsableShareOf * usable < usable + failing;
  if (too_few) add(Standing::kFailing, Standing::kFailing);
  if (sampled == 0) add(Standing::kOnTrial, Standing::kFailing);
  if (sampled == 0) add(Standing::kRefusing, Standing::kRefusing);
  candidates->Resize(sampled);
}

}  // namespace gw
