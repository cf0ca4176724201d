// GatewayFeed: what the gateway tells whoever watches it (dashboard/README.md), at most twice a
// second: its tables, of which only what has changed is told, and the requests that have ended.

#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "admin/admin_feed.h"
#include "server/admin_pages.h"
#include "server/feed/feed_table.h"
#include "server/feed/rows.h"
#include "server/feed/totals.h"

namespace gw {

// On the admin thread.
class GatewayFeed final : public AdminFeed {
 public:
  // The clock tells when the gateway was started, too.
  GatewayFeed(const AdminSources& sources, const Clock& clock);

  Duration period() const override { return std::chrono::milliseconds(500); }
  void Begin() override;
  FeedMessage Changes(size_t readers) override;
  FeedMessage Whole() override;
  void End() override;

  static constexpr size_t kRequestsOfAState = 100;
  static constexpr size_t kRequestsOfAChange = 20;

 private:
  // Puts all rows again; what is another of the tables goes behind `*tables`.
  void Look(std::string* tables);
  void LookAtObjects(std::string* tables);
  // The new ones, as JSON; `*left_out`: how many more there are.
  std::string TakeRequests(size_t max, uint64_t* left_out);
  std::string GatewayJson(size_t readers) const;

  const AdminSources& sources_;
  const Clock& clock_;
  const int64_t started_at_unix_ms_;
  std::optional<WallTime> wall_;
  TimePoint now_{};  // of the last look
  TotalsWindow window_;
  FeedTable pools_{"pools", PoolColumns()};
  FeedTable endpoints_{"endpoints", EndpointColumns()};
  FeedTable totals_{"totals", TotalColumns()};
  FeedTable queues_{"queues", QueueRowColumns()};
  FeedTable peers_{"peers", PeerRowColumns()};
  FeedTable releases_{"releases", ReleaseColumns()};
  FeedTable objects_{"objects", ObjectColumns()};
  FeedTable configurations_{"configurations", ConfigurationColumns()};
  std::string gateway_;
  // Whose rows are there.
  std::optional<uint64_t> status_version_;
  std::optional<uint64_t> history_version_;
  std::deque<std::string> requests_;              // the last ones, as rows
  std::vector<std::vector<uint64_t>> positions_;  // of each front end
};

}  // namespace gw
