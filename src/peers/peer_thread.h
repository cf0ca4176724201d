// PeerThread: the Mesh on a loop and a thread of its own.

#pragma once

#include <memory>
#include <vector>

#include "base/status.h"
#include "peers/mesh.h"
#include "snapshot/snapshot.h"

namespace gw::peers {

class PeerThread {
 public:
  // What it refers to outlives it. The endpoints of the newest Snapshot are told of.
  static absl::StatusOr<std::unique_ptr<PeerThread>> Start(const SnapshotStore& snapshots,
                                                           const Mesh::Sources& sources,
                                                           PeerMetrics& metrics,
                                                           const PeerOptions& options,
                                                           uint64_t seed);
  virtual ~PeerThread() = default;

  // Any thread, all of these.
  virtual void SetAddresses(std::vector<SocketAddress> addresses) = 0;
  virtual std::vector<PeerRow> Rows() const = 0;
  virtual const SocketAddress& local() const = 0;
};

}  // namespace gw::peers
