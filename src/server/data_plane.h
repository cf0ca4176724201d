// The data plane as a front end: its workers, and the listeners that they share.

#pragma once

#include <memory>

#include "dataplane/held_bytes.h"
#include "exchange/traced.h"
#include "net/handed_sockets.h"
#include "prefix/index.h"
#include "server/front_end.h"
#include "server/server.h"
#include "snapshot/snapshot.h"
#include "stats/metrics.h"

namespace gw {

// Everything referred to outlives it. `tracing`: nullptr: requests are not traced. REQUIRES:
// options.seed
std::unique_ptr<FrontEnd> NewDataPlane(const ServerOptions& options, const SnapshotStore& snapshots,
                                       PrefixIndex& index, MetricRegistry& metrics, HeldBytes& held,
                                       const HandedSockets& handed, const Tracing* tracing);

}  // namespace gw
