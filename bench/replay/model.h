// SimulatedModel: what the simulated model servers make of the body of a request: the tokens of its
// prompt, how much is answered and what, and under which names its blocks are cached. The code is
// that of `penstock sim`, so that a replay and the same over HTTP find the same in the caches.

#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "bench/load/ask.h"
#include "bench/virtual/request.h"
#include "sim/engine/server_spec.h"
#include "sim/server/request_body.h"
#include "sim/server/work.h"

namespace gw::bench {

class SimulatedModel {
 public:
  // Answers are as long as the workload wants them. `name`: of the model, as it is cached.
  SimulatedModel(std::string name, uint32_t block_tokens)
      : name_(std::move(name)), block_tokens_(block_tokens) {}

  // An error is what the server would refuse with. `*text`: of the answer, where `ask` wants it.
  absl::StatusOr<FleetRequest> RequestOf(Ask* ask, std::string* text);

 private:
  const std::string name_;
  const uint32_t block_tokens_;
  sim::RequestBodyReader reader_;
  sim::RequestBody body_;
  sim::Work work_;
};

}  // namespace gw::bench
