// Endpoint: one serving address of one model server replica. EndpointState: what is true of it now.

#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "pool/busy_time.h"
#include "pool/gateway_sums.h"
#include "pool/lora.h"
#include "pool/pushback_state.h"

namespace gw {

// What the model server speaks: names of metrics, protocol of disaggregation.
enum class Runtime : uint8_t { kVllm, kSglang, kTrtLlm, kTriton };
std::string_view NameOf(Runtime runtime);  // "vllm", "sglang", "trt-llm", "triton"

// What an endpoint does of a request in a pool that serves disaggregated.
enum class Role : uint8_t { kBoth, kPrefill, kDecode };
std::string_view NameOf(Role role);  // "both", "prefill", "decode"

// Bits of EndpointState::silence: it takes connections and answers nothing, while others answer
// (collect/silence_watch.h). Such an endpoint is asked when nothing else is left.
struct Silence {
  static constexpr uint8_t kMetrics = 1;
  static constexpr uint8_t kRequests = 2;
  static constexpr uint8_t kTrial = 4;  // it may have one request, to see whether it answers again
};

// Live state of one address, shared by all workers, all pools that hold the address, and all
// Snapshots: it survives reloads. Every member may be read by any thread at any time.
//
// Writers: `exchange` (own accounting, push-back), `collect` (scraped values), both for health, and
// `peers`, which adds to the accounting what other gateways say that they have there (`others`):
// whoever decides sees the sum.
//
// What a decision reads of an endpoint that nothing has happened to fits the first cache line: with
// hundreds of endpoints the decision's time is the time to fetch them.
class alignas(64) EndpointState {
 public:
  explicit EndpointState(uint32_t slot_number) : slot(slot_number) {}

  // Dense number of this address for tables (prefix index); reused only after the address is gone.
  const uint32_t slot;

  // Accounting, exact for our own: added at dispatch, given back when the request ends.
  std::atomic<int32_t> in_flight_requests{0};
  std::atomic<int64_t> pending_prompt_tokens{
      0};  // dispatched, no first token yet, net of prefix hit

  // Scraped. A failed scrape leaves the values and their age.
  std::atomic<int64_t> scraped_at_ns{0};  // TimePoint's count; 0: never
  // The age that the metrics reach by the scraper's own pacing (collect/scrape_pacer.h), as of the
  // last scrape; 0: never scraped. Where it is above the pool's limit it takes its place.
  std::atomic<int64_t> paced_age_ns{0};
  std::atomic<float> waiting_requests{0};
  std::atomic<float> kv_cache_utilization_ratio{0};
  // Waiting and running requests beyond our own in-flight ones when the page was made: what other
  // gateways and direct clients have there.
  std::atomic<float> foreign_requests{0};
  // 0: the model server reports no adapters. Otherwise unique among all states and all their
  // versions, so that a reader may keep a copy and compare before it takes the lock.
  std::atomic<uint32_t> lora_version{0};
  // What it does not answer (Silence); written by `collect`.
  std::atomic<uint8_t> silence{0};
  // False: ejected_until_ns, returned_at_ns and penalty are 0 and need not be looked at.
  std::atomic<bool> ever_failed{false};
  std::atomic<bool> ever_pushed_back{false};  // false: `pushback` need not be looked at
  // What was our own when the page was made, in flight, and its tokens, pending and decoding: what
  // has come and gone since then the page does not show yet (flowcontrol/admission.h).
  std::atomic<int32_t> scraped_in_flight{0};
  std::atomic<int64_t> scraped_tokens{0};

  // What rules by cost read besides (scheduling/rule.h): the second cache line.
  alignas(64) std::atomic<float> running_requests{0};  // scraped
  // The most that ran while none waited, as far as it was scraped: it has room for so many.
  std::atomic<float> running_requests_peak{0};
  std::atomic<int64_t> decoding_context_tokens{0};  // own accounting
  std::atomic<uint32_t> cache_block_tokens{0};      // 0: not reported
  std::atomic<uint32_t> cache_blocks{0};            // 0: not reported
  // Bytes of prompt text, learned from the usage that answers report; written by `exchange`.
  std::atomic<float> chars_per_token{4};
  BusyTime busy;  // with prompts whose first token has not come; own accounting, as these are:
  std::atomic<int64_t> context_tokens{0};    // of all that is in flight, the cached ones, too
  std::atomic<int64_t> generated_tokens{0};  // of what is in flight, as far as it was told

  // Health, written through pool/health.h.
  std::atomic<int64_t> ejected_until_ns{0};  // 0: not ejected
  std::atomic<int64_t> returned_at_ns{0};    // of an ejected endpoint; 0: nothing is on trial
  std::atomic<uint64_t> penalty{0};          // of what failed lately, and its time
  std::atomic<uint64_t> failures{0};         // ever
  std::atomic<uint32_t> consecutive_failures{0};
  std::atomic<int64_t> row_began_ns{0};     // the first of them
  std::atomic<uint64_t> row_dispatched{0};  // dispatched_requests then
  std::atomic<uint32_t> ejections{0};       // in a row, for the back-off
  std::atomic<uint32_t> trial_successes{0};
  std::atomic<uint8_t> ejection_cause{0};  // an EndpointFailure
  std::atomic<bool> health_doubted{false};

  // The part of the accounting that is other gateways', in_flight_requests, pending_prompt_tokens,
  // decoding_context_tokens, context_tokens, generated_tokens and the prompts of `busy`.
  OtherGateways others;

  PushbackState pushback;
  std::atomic<uint32_t> scrape_failures{0};     // in a row, whatever went wrong
  std::atomic<uint32_t> unanswered_scrapes{0};  // in a row: nothing came, or not the whole page
  std::atomic<int64_t> silent_since_ns{0};      // 0: it answers

  // What came of requests, for whoever looks on. A request awaits until its first byte, or its end.
  std::atomic<int32_t> awaiting_requests{0};
  std::atomic<uint64_t> dispatched_requests{0};
  std::atomic<uint64_t> first_bytes{0};
  std::atomic<int64_t> first_byte_ns_sum{0};                     // from dispatch
  std::atomic<int64_t> first_byte_ns_longest{0};                 // since `collect` last took it
  std::atomic<uint64_t> prefix_blocks{0}, prefix_hit_blocks{0};  // of prompts computed there

  int64_t own_tokens() const {
    return pending_prompt_tokens.load(std::memory_order_relaxed) +
           decoding_context_tokens.load(std::memory_order_relaxed);
  }
  // About as many bytes of prompt text as its KV cache has room for; 0: not reported.
  uint64_t cache_chars() const;
  // A prompt of so many bytes had so many tokens there.
  void LearnCharsPerToken(uint64_t chars, uint64_t tokens);

  std::shared_ptr<const LoraAdapters> lora() const;
  void set_lora(std::shared_ptr<const LoraAdapters> lora);

 private:
  mutable Mutex lora_mutex_;
  std::shared_ptr<const LoraAdapters> lora_ ABSL_GUARDED_BY(lora_mutex_);
};

// Identity of an endpoint inside one Snapshot. Immutable.
struct Endpoint {
  std::string ns;    // namespace of the Pod
  std::string name;  // name of the Pod, for logs and metrics
  std::string ip;    // "127.0.0.11"
  uint16_t port = 0;
  std::string address;  // "127.0.0.11:8000"
  Runtime runtime = Runtime::kVllm;
  Role role = Role::kBoth;
  std::shared_ptr<EndpointState> state;
};

// True for endpoints that can serve a whole request in a pool that splits them. vLLM computes a
// prompt that nobody has computed for it; SGLang's decode servers refuse to.
inline bool ServesAlone(const Endpoint& endpoint) {
  return endpoint.role == Role::kBoth ||
         (endpoint.role == Role::kDecode && endpoint.runtime == Runtime::kVllm);
}

// Gives every address its EndpointState for as long as anything holds it. Thread-safe.
class EndpointTable {
 public:
  EndpointTable();

  // The state of "ip:port", made on first use.
  std::shared_ptr<EndpointState> Get(std::string_view address);
  // nullptr: nobody holds one.
  std::shared_ptr<EndpointState> Find(std::string_view address);
  // Slots whose address nobody has held since the last call. The caller removes them from the
  // prefix index before it calls again: they are given to new addresses from the next call on.
  std::vector<uint32_t> TakeReleasedSlots();

 private:
  struct Entry {
    uint32_t slot = 0;
    std::weak_ptr<EndpointState> state;
  };
  // States may outlive the table, and say themselves when they go: to look through all of them
  // would cost every change of the configuration as much as there are endpoints.
  struct Core {
    Mutex mutex;
    absl::flat_hash_map<std::string, Entry> entries ABSL_GUARDED_BY(mutex);
    std::vector<std::pair<std::string, uint32_t>> gone ABSL_GUARDED_BY(mutex);  // address and slot
    std::vector<uint32_t> released_slots
        ABSL_GUARDED_BY(mutex);  // returned by the last TakeReleasedSlots
    std::vector<uint32_t> free_slots ABSL_GUARDED_BY(mutex);
    uint32_t next_slot ABSL_GUARDED_BY(mutex) = 0;
  };
  const std::shared_ptr<Core> core_;
};

}  // namespace gw
