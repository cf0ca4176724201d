// RequestHistory: the last requests of one worker, so that `penstock explain ID` can say where a
// request went and why. A fixed number of records, the oldest overwritten.

#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gw {

// What is told of one request, in the log line and in the history. Fields carry the log's names.
struct RequestRecord {
  std::string request_id;
  std::string client;
  std::string method;
  std::string path;
  std::string route;
  std::string pool;
  std::string requested_model;
  std::string target_model;
  std::string endpoint_name;  // its Pod, in the log as "pod"
  std::string endpoint;       // its address
  std::string_view outcome;
  std::string_view reason;
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
  double prefill_ms = 0;
  double transfer_ms = 0;
  uint32_t prefix_hit_blocks = 0;  // where the prompt is computed: at the prefill half, if split
  uint32_t prefix_blocks = 0;
  uint32_t candidates = 0;
  double score = 0;
  double queue_ms = 0;
  double ttft_ms = 0;
  double total_ms = 0;
  int64_t prompt_tokens = -1;
  int64_t cached_tokens = -1;
  int64_t completion_tokens = -1;
  bool tokens_estimated = false;  // completion_tokens are events, for want of a report
  // The chosen endpoint's weighted score of each scorer.
  std::vector<std::pair<std::string_view, float>> scores;
};

// One writer (the worker), any readers.
class RequestHistory {
 public:
  explicit RequestHistory(size_t records = 1024) : records_(records) {}

  // Swaps the record in; `record` receives the one that it replaces, so that its memory is used
  // again.
  void Put(RequestRecord* record);
  // The newest record of that id.
  std::optional<RequestRecord> Find(std::string_view request_id) const;

 private:
  mutable std::mutex mutex_;
  std::vector<RequestRecord> records_;
  size_t next_ = 0;
};

// One JSON object with all fields and scores.
std::string ToJson(const RequestRecord& record);

}  // namespace gw
