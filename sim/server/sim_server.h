// SimServer: a fleet of simulated replicas in one process, each on an address of its own.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "net/address.h"
#include "sim/server/options.h"

namespace gw::sim {

class SimServer {
 public:
  // Listens on all addresses and serves from `threads` threads of its own. An error names the
  // address that could not be had.
  static absl::StatusOr<std::unique_ptr<SimServer>> Start(const SimOptions& options);
  // Ends everything at once.
  virtual ~SimServer() = default;

  // Where the replicas listen, in order. A replica that a fault keeps down has the address it was
  // given.
  virtual const std::vector<SocketAddress>& addresses() const = 0;
  // Ends what is in flight as vLLM does at SIGTERM; waits at most that long for clients to take it.
  // Any thread, once.
  virtual void Stop(Duration patience) = 0;
};

// The address of replica i: the i-th after the first for IPv4, all the same with port 0.
absl::StatusOr<SocketAddress> ReplicaAddress(const std::string& listen, uint32_t index);

}  // namespace gw::sim
