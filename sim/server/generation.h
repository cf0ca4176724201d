// One inference request in a replica, from its body to its end.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "sim/server/answer.h"
#include "sim/server/connection.h"
#include "sim/server/fault.h"
#include "sim/server/kv_fetch.h"
#include "sim/server/replica.h"

namespace gw::sim {

// Which half of a disaggregated request it is.
enum class Half : uint8_t { kNone, kPrefill, kDecode };

struct Replica::Generation {
  uint64_t id = 0;
  Connection* connection = nullptr;
  Answer answer;
  StreamWriter writer;
  bool stream = false;
  bool submitted = false;  // to the engine
  bool running = false;    // there
  uint32_t output_tokens = 0;
  uint32_t limit = 0;                         // of output tokens, as asked for
  FinishReason reason = FinishReason::kStop;  // if nothing comes between
  uint32_t preemptions = 0;
  int lora = -1;
  std::optional<uint32_t> cut_after_tokens;
  FaultState::Cut cut = FaultState::Cut::kReset;
  std::unique_ptr<Timer> late_error;

  Half half = Half::kNone;
  EngineRequest request;  // until it is submitted
  // Under which KV is handed over: exported by prefill with SGLang, fetched by decode.
  std::vector<std::string> keys;
  std::vector<SocketAddress> peers;  // of fetches
  std::string engine_id;             // vLLM: of the peer
  std::vector<std::unique_ptr<KvFetch>> fetches;
  size_t transfers_left = 0;
  bool kv_arrived = false;
  std::unique_ptr<Timer> bootstrap_timer;

  TimePoint received{};
  TimePoint scheduled{};
  TimePoint first_token{};
  TimePoint last_token{};
};

}  // namespace gw::sim
