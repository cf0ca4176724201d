// What the admin port answers: which page comes from where. The pages themselves are made in
// pages.h, get.h and explain.h.

#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "admin/admin_feed.h"
#include "admin/admin_server.h"
#include "dataplane/held_bytes.h"
#include "peers/peer_thread.h"
#include "server/configurator.h"
#include "server/front_end.h"
#include "server/gateway_metrics.h"
#include "server/releases.h"
#include "server/server.h"
#include "snapshot/snapshot.h"
#include "stats/metrics.h"

namespace gw {

enum class Phase : uint8_t { kStarting, kServing, kDraining };

// What is asked. Outlives the admin server.
struct AdminSources {
  const ServerOptions& options;
  const SnapshotStore& snapshots;
  const Configurator& configurator;
  Releases& releases;
  const FrontEnds& front_ends;
  const std::atomic<Phase>& phase;
  MetricRegistry& metrics;
  PoolSeries& pool_series;
  const HeldBytes& held;
  const std::unique_ptr<peers::PeerThread>& peers;  // null: there are none
};

// `feed` outlives the admin server, too.
AdminServer::Handlers AdminPages(const AdminSources& sources, AdminFeed& feed);
// Its limits, but for what depends on its address.
AdminServer::Limits AdminLimits(const AdminSources& sources);

// Counts that a limit of the server was reached.
Counter& LimitReached(MetricRegistry& metrics, const char* limit);

}  // namespace gw
