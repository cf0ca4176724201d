// What the tables of the feed have (dashboard/README.md): their columns, and a row for each pool,
// endpoint and so on, as they are at one moment.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/conditions.h"
#include "base/clock.h"
#include "exchange/history.h"
#include "peers/mesh.h"
#include "server/config_history.h"
#include "server/feed/feed_table.h"
#include "server/feed/totals.h"
#include "server/releases.h"
#include "snapshot/snapshot.h"

namespace gw {

// Of a TimePoint what the wall clock showed then, in milliseconds since 1970: by one look at both
// clocks, so that the same moment is the same number each time.
class WallTime {
 public:
  explicit WallTime(const Clock& clock)
      : offset_ns_(clock.UnixNanos() - clock.Now().time_since_epoch().count()) {}
  int64_t UnixMillis(TimePoint time) const {
    return (time.time_since_epoch().count() + offset_ns_) / 1'000'000;
  }

 private:
  int64_t offset_ns_;
};

struct LiveSources {
  const Snapshot& snapshot;
  const TotalsWindow& window;
  TimePoint now;
  WallTime wall;
};

std::span<const std::string_view> PoolColumns();
std::span<const std::string_view> EndpointColumns();
std::span<const std::string_view> TotalColumns();
// All three at once, as they are sums of one look at the endpoints. Between Begin and End.
void PutLive(const LiveSources& sources, FeedTable* pools, FeedTable* endpoints, FeedTable* totals);

std::span<const std::string_view> QueueRowColumns();
void PutQueues(const LiveSources& sources, FeedTable* queues);

std::span<const std::string_view> PeerRowColumns();
void PutPeers(const std::vector<peers::PeerRow>& peers, FeedTable* table);

std::span<const std::string_view> ReleaseColumns();
void PutReleases(const std::vector<ReleaseView>& releases, FeedTable* table);

std::span<const std::string_view> ObjectColumns();
void PutObjects(const api::StatusSet& statuses, FeedTable* table);

std::span<const std::string_view> ConfigurationColumns();
void PutConfigurations(const std::vector<ConfigHistory::Entry>& entries, FeedTable* table);

std::span<const std::string_view> RequestColumns();
std::string RequestCells(const RequestRecord& record, const WallTime& wall);
// In a line: why that endpoint; "" of a request that was sent to none.
std::string WhyLine(const RequestRecord& record);

}  // namespace gw
