// Wanted: which endpoints of a Snapshot are to be scraped, and as what. Followed from one Snapshot
// to the next at the cost of the pools that are others, not of all that there are.

#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

#include "collect/scrape_target.h"
#include "snapshot/snapshot.h"

namespace gw {

// One for each address. Of several pools that hold it the first InferencePool says how it is
// scraped; one that only Services hold is probed. A value; one thread.
class Wanted {
 public:
  struct Change {
    // New, or of a pool that is another than before.
    std::vector<ScrapeTarget::Identity> put;
    std::vector<const EndpointState*> gone;  // not to be looked into
  };

  // What may be other than at the last call.
  Change Follow(std::shared_ptr<const Snapshot> snapshot);

 private:
  using PoolsOf = std::unordered_map<const EndpointState*, std::set<uint32_t>>;

  Change FollowAll();
  // REQUIRES: the pools of `before` are those of followed_, but for their endpoints
  Change FollowPools(const Snapshot& before);
  void Say(const EndpointState& state, const std::set<uint32_t>& pools, Change* change) const;

  std::shared_ptr<const Snapshot> followed_;
  PoolsOf pools_of_;  // the pools that hold an address, by their index
};

}  // namespace gw
