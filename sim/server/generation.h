// One inference request in a replica, from its body to its end.

#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "sim/server/answer.h"
#include "sim/server/connection.h"
#include "sim/server/fault.h"
#include "sim/server/replica.h"

namespace gw::sim {

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
  TimePoint received{};
  TimePoint scheduled{};
  TimePoint first_token{};
  TimePoint last_token{};
};

}  // namespace gw::sim
