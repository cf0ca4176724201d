// Orders faults while replicas serve.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/status.h"
#include "sim/server/fault.h"

namespace gw::sim {

// Changes the faults of replicas, which may belong to other threads.
class FaultControl {
 public:
  struct Change {
    std::optional<uint32_t> replica;  // none: the one that was asked
    bool all = false;
    std::optional<Fault> fault;  // none: back to order
    Duration lasts{};            // 0: until it is restored
  };
  // `done` is called on the loop of `asker`, maybe at once, with what went wrong, if anything.
  virtual void Apply(uint32_t asker, const Change& change,
                     std::function<void(absl::Status)> done) = 0;

 protected:
  ~FaultControl() = default;
};

}  // namespace gw::sim
