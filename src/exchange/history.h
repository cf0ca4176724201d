// RequestHistory: the last requests of one worker, so that `penstock explain ID` can say where a
// request went and why. A fixed number of records, the oldest overwritten.

#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "inference/request.h"
#include "trace/context.h"

namespace gw {

// What is told of one request, in the log line and in the history. Fields carry the log's names.
struct RequestRecord {
  std::string request_id;
  std::string client;
  std::string owner;           // of the API key; empty where none is wanted
  std::string client_subject;  // of its certificate; empty: it has shown none
  std::string method;
  std::string host;
  std::string path;
  std::string route;
  std::string rule;  // of the route: its name, else its number
  std::string pool;
  std::string fell_back_from;  // the pool that this one serves for; mostly empty
  std::string_view fallback_reason;
  std::string requested_model;
  std::string target_model;
  std::string endpoint_name;  // its Pod, in the log as "pod"
  std::string endpoint;       // its address
  std::string_view outcome;
  std::string_view reason;
  TimePoint ended{};  // to tell which worker's is the newest
  int status = 0;
  int tries = 0;
  bool stream = false;
  // Of a request to a pool that serves disaggregated; empty otherwise.
  std::string_view disaggregation;  // "prefill-decode" or "decode-only"
  std::string prefill_name;         // the prefill half's Pod, in the log as "prefill_pod"
  std::string prefill_endpoint;
  std::string_view failed_half;  // of the last pair that failed
  int prefill_status = 0;
  bool recomputed = false;  // prefill handed nothing over
  uint32_t prefill_candidates = 0;
  double prefill_score = 0;
  std::vector<std::pair<std::string_view, float>> prefill_scores;
  double prefill_ms = -1;
  double transfer_ms = -1;
  uint32_t prefix_hit_blocks = 0;  // where the prompt is computed: at the prefill half, if split
  uint32_t prefix_blocks = 0;
  uint32_t candidates = 0;
  double score = 0;
  double decision_us = -1;  // all tries' decisions together; below 0: there was none
  // Since the request's first byte; below 0: it did not come to that.
  double body_ms = -1;      // the whole body is here, and is looked at
  double queue_ms = -1;     // the last try is dispatched
  double response_ms = -1;  // the head of its answer has come
  double ttft_ms = -1;      // the first byte of its body
  double tpot_ms = -1;      // of an event stream whose tokens are known; this one lasts so long
  double total_ms = 0;
  int64_t prompt_tokens = -1;
  int64_t cached_tokens = -1;
  int64_t completion_tokens = -1;
  bool tokens_estimated = false;  // completion_tokens are events, for want of a report
  // The chosen endpoint's weighted score of each scorer.
  std::vector<std::pair<std::string_view, float>> scores;
  int32_t in_flight_requests = 0;  // there, of all gateways that were heard, before this one
  int peers_heard = -1;            // other gateways whose sums it went by; below 0: it has none
  double peers_oldest_ms = -1;     // how old the oldest of their last words was; below 0: none
  std::string_view limit;          // the last one that was reached, by its name
  // Of a pool with a queue; empty: it did not come there. "passed", "waited", "full", ...
  std::string_view queue_result;
  std::string tenant;  // whose fair share it is of
  int priority = 0;
  double queue_wait_ms = -1;
  size_t ahead_higher = 0;         // of those that waited when it came: of higher priorities,
  size_t ahead_others = 0;         // of its own and other tenants,
  size_t ahead_own = 0;            // and of its own and its tenant
  std::optional<int> evicted_for;  // it was ended for one of that priority
  std::string_view session;        // "begun", "held" or "moved"; empty: the rule has none
  std::string release;             // "default/chat-v2 candidate"; empty: no version of a release
  bool sticky = false;             // the client's value has chosen the pool among the rule's

  // Where requests are traced; empty: they are not.
  std::string trace_id;    // hexadecimal
  TraceContext trace;      // its span is the request's own
  SpanId parent_span = 0;  // the caller's; 0: the trace began here
  ApiKind api = ApiKind::kOther;
  std::string_view runtime;    // of the endpoint that was tried last; empty: none was
  bool tls = false;            // the client came by TLS
  double queue_began_ms = -1;  // it waited in its pool's queue from then on

  // The best that lost that decision; scores in the order of `scores`.
  struct Loser {
    std::string endpoint_name;
    std::string endpoint;
    float score = 0;
    float scores[8] = {};
    int32_t in_flight_requests = 0;
  };
  std::array<Loser, 3> losers;
  size_t loser_count = 0;

  // Some that were no candidates, as they had pushed back.
  struct LeftOut {
    std::string endpoint_name;
    std::string endpoint;
    int32_t in_flight_requests = 0;
    int32_t allowed_requests = 0;  // 0: no limit
    double paused_ms = 0;
  };
  std::array<LeftOut, 3> left_out;
  size_t left_out_count = 0;

  // All tries, the last one too.
  struct Try {
    std::string endpoint_name;
    std::string endpoint;
    std::string prefill_name;  // of a pair
    float score = 0;
    int32_t in_flight_requests = 0;
    std::string_view reason;  // why it did not lead to the answer; empty: it did
    double began_ms = 0;
    double took_ms = 0;
    std::string detail = {};  // of the reason, if there is more to say
    // Where requests are traced: of the try, or of its decode half; and of its prefill half.
    SpanId span = 0;
    SpanId prefill_span = 0;       // 0: there was none
    std::string prefill_endpoint;  // its address
    double decode_began_ms = -1;   // below 0: that half was not sent
    double prefill_ended_ms = 0;
    bool prefill_failed = false;  // of both halves it was that
  };
  static constexpr size_t kTriesMax = 8;
  std::array<Try, kTriesMax> all_tries;
  size_t try_count = 0;
};

// One writer (the worker), any readers.
class RequestHistory {
 public:
  explicit RequestHistory(size_t records = 1024) : records_(records) {}

  // Swaps the record in; `*record` receives the one that it replaces, so that its memory is used
  // again (at first a new one).
  void Put(std::unique_ptr<RequestRecord>* record);
  // The newest record of that id.
  std::optional<RequestRecord> Find(std::string_view request_id) const;
  // The newest record of that pool, or of all if `pool` is empty.
  std::optional<RequestRecord> FindLast(std::string_view pool) const;
  // Of the records that were put after the first `*position` ones the newest `max`, oldest first,
  // behind what is in `*out`; `*position` is then of all of them. Returns how many it has left out.
  uint64_t TakeSince(uint64_t* position, size_t max, std::vector<RequestRecord>* out) const;

 private:
  template <typename Wanted>
  std::optional<RequestRecord> Newest(Wanted wanted) const;

  mutable Mutex mutex_;
  // Records are large: they stay where they are. Null: not used yet.
  std::vector<std::unique_ptr<RequestRecord>> records_ ABSL_GUARDED_BY(mutex_);
  size_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t put_ ABSL_GUARDED_BY(mutex_) = 0;  // so many in all
};

}  // namespace gw
