#include "collect/apply_page.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gw {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

std::vector<std::string> SplitAdapters(std::string_view list) {
  std::vector<std::string> names;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    std::string_view name = list.substr(0, comma);
    while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
    while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
    if (!name.empty()) names.emplace_back(name);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return names;
}

void ApplyLoad(const MetricsSample& sample, const PageReading& reading, PageMemory* memory,
               EndpointState* state) {
  const auto good = [&sample](bool found, MetricsScanner::Wanted value) {
    return found && (sample.refused & 1u << value) == 0;
  };
  if (good(sample.waiting_found, MetricsScanner::kWaiting)) {
    state->waiting_requests.store(sample.waiting_requests, kRelaxed);
    // What came in between is counted twice rather than not at all, until the next page.
    state->scraped_in_flight.store(reading.in_flight_at_start, kRelaxed);
  }
  if (good(sample.running_found, MetricsScanner::kRunning)) {
    state->running_requests.store(sample.running_requests, kRelaxed);
  }
  if (good(sample.kv_cache_found, MetricsScanner::kKvCache)) {
    memory->reported_kv_cache = true;
    state->kv_cache_utilization_ratio.store(sample.kv_cache_utilization_ratio, kRelaxed);
    state->scraped_tokens.store(reading.tokens_at_start, kRelaxed);
  }
  if (sample.cache_block_tokens != 0) {
    state->cache_block_tokens.store(sample.cache_block_tokens, kRelaxed);
  }
  if (sample.cache_blocks != 0) state->cache_blocks.store(sample.cache_blocks, kRelaxed);
  // The page was made between our request and now. Taking the larger of our counts at both ends
  // errs towards fewer foreign requests, so that a request of our own that ended in between is not
  // mistaken for one.
  const int32_t own =
      std::max(reading.in_flight_at_start, state->in_flight_requests.load(kRelaxed));
  const float waiting = state->waiting_requests.load(kRelaxed);
  const float running = state->running_requests.load(kRelaxed);
  state->foreign_requests.store(std::max(0.0f, waiting + running - static_cast<float>(own)),
                                kRelaxed);
  if (waiting == 0 && running > state->running_requests_peak.load(kRelaxed)) {
    state->running_requests_peak.store(running, kRelaxed);
  }
}

void ApplyAdapters(const MetricsSample& sample, PageMemory* memory, EndpointState* state) {
  if (!sample.lora_found) {
    // A server that was started anew has used no adapter yet.
    if (memory->has_adapters) state->set_lora(nullptr);
    memory->has_adapters = false;
    return;
  }
  if (memory->has_adapters && sample.lora == memory->adapters) return;
  memory->has_adapters = true;
  memory->adapters = sample.lora;
  auto adapters = std::make_shared<LoraAdapters>();
  adapters->max_active = sample.lora.max_active;
  adapters->base_model = sample.lora.base_model;
  adapters->running = SplitAdapters(sample.lora.running);
  adapters->waiting = SplitAdapters(sample.lora.waiting);
  state->set_lora(std::move(adapters));
}

}  // namespace

PageOutcome ApplyPage(const MetricsSample& sample, const PageReading& reading, PageMemory* memory,
                      EndpointState* state) {
  // A KV-cache use that is never a number is as good as not reported; requests are what a server
  // must be able to count.
  constexpr unsigned kRequests = 1u << MetricsScanner::kWaiting | 1u << MetricsScanner::kRunning;
  const unsigned needed =
      memory->reported_kv_cache ? kRequests | 1u << MetricsScanner::kKvCache : kRequests;
  PageOutcome outcome;
  outcome.tells_load = (sample.refused & needed) == 0;
  if (sample.process_start_s != 0) {
    outcome.restarted =
        memory->process_start_s != 0 && memory->process_start_s != sample.process_start_s;
    memory->process_start_s = sample.process_start_s;
  }
  if (outcome.restarted) state->running_requests_peak.store(0, kRelaxed);
  ApplyLoad(sample, reading, memory, state);
  if (reading.has_details) ApplyAdapters(sample, memory, state);
  if (outcome.tells_load) {
    state->scraped_at_ns.store(reading.now.time_since_epoch().count(), std::memory_order_release);
  }
  return outcome;
}

}  // namespace gw
