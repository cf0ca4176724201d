// The data plane as a front end: its workers, and the listeners that they share.

#pragma once

#include <memory>
#include <span>

#include "dataplane/held_bytes.h"
#include "exchange/traced.h"
#include "net/handed_sockets.h"
#include "pool/heard_gateways.h"
#include "prefix/index.h"
#include "prefix/news.h"
#include "server/front_end.h"
#include "server/server.h"
#include "snapshot/snapshot.h"
#include "stats/metrics.h"

namespace gw {

// What workers do for other gateways.
struct PeerSharing {
  uint64_t key = 0;  // ExchangeEnvironment::prefix_key
  // Of each worker, or empty: there are none.
  std::span<const std::unique_ptr<PrefixNews>> news = {};
  const HeardGateways* heard = nullptr;  // ExchangeEnvironment::heard
};

PeerSharing SharingOf(const ServerOptions& options,
                      std::span<const std::unique_ptr<PrefixNews>> news,
                      const HeardGateways& heard);

// Everything referred to outlives it. `tracing`: nullptr: requests are not traced. REQUIRES:
// options.seed
std::unique_ptr<FrontEnd> NewDataPlane(const ServerOptions& options, const SnapshotStore& snapshots,
                                       PrefixIndex& index, MetricRegistry& metrics, HeldBytes& held,
                                       const HandedSockets& handed, const Tracing* tracing,
                                       const PeerSharing& sharing);

}  // namespace gw
