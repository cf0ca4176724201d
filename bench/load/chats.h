// Chats: users who come at random times, each for one conversation of several rounds: a question,
// and some time after its answer the next one. All begin with the same system prompt, and each
// prompt is all that was said before it and a question; the shape of the use cases in
// inference-perf's catalogue (kubernetes-sigs/inference-perf). Open in who comes, closed within a
// conversation.

#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "bench/load/load_workload.h"
#include "bench/load/request_body.h"

namespace gw::bench {

struct ChatsOptions {
  RequestForm form = {};
  double per_second = 1;  // requests, once as many conversations end as begin
  uint32_t rounds = 4;
  Duration gap{};  // from an answer to the next question
  uint32_t system_tokens = 1000;
  uint32_t question_tokens = 1000;
  uint32_t output_tokens = 300;
  Duration lasts = std::chrono::minutes(10);  // nobody comes later; who is there goes on
  uint64_t seed = 1;
};

// An error says what was wanted. A question without a whole answer ends its conversation.
absl::StatusOr<std::unique_ptr<LoadWorkload>> NewChats(const ChatsOptions& options);

}  // namespace gw::bench
