#include "collect/wanted.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace gw {
namespace {

bool SamePools(const Snapshot& a, const Snapshot& b) {
  return std::equal(a.pools.begin(), a.pools.end(), b.pools.begin(), b.pools.end(),
                    [](const auto& one, const auto& other) {
                      return one == other ||
                             (one->pool.id == other->pool.id && one->pool.kind == other->pool.kind);
                    });
}

// What of a pool's endpoints is other than before. They stand in the order of their names, so that
// one that came or went leaves a common beginning and end.
struct Difference {
  uint32_t pool;
  std::span<const Endpoint> before;
  std::span<const Endpoint> after;
};

Difference DifferenceOf(uint32_t index, const Pool& before, const Pool& after) {
  Difference found{index, before.endpoints, after.endpoints};
  const bool as_before =
      before.metrics_age_max == after.metrics_age_max && SameAccess(before.access, after.access);
  if (!as_before) return found;
  const auto same = [](const Endpoint& a, const Endpoint& b) {
    return a.state == b.state && a.runtime == b.runtime;
  };
  const auto both = [&] { return !found.before.empty() && !found.after.empty(); };
  while (both() && same(found.before.front(), found.after.front())) {
    found.before = found.before.subspan(1);
    found.after = found.after.subspan(1);
  }
  while (both() && same(found.before.back(), found.after.back())) {
    found.before = found.before.first(found.before.size() - 1);
    found.after = found.after.first(found.after.size() - 1);
  }
  return found;
}

void Put(const Pool& pool, const Endpoint& endpoint, Wanted::Change* change) {
  absl::StatusOr<SocketAddress> address = SocketAddress::FromIp(endpoint.ip, endpoint.port);
  if (!address.ok()) {
    Log(LogLevel::kError, "Endpoint cannot be scraped",
        {{"endpoint", endpoint.address}, {"error", std::string(address.status().message())}});
    return;
  }
  change->put.push_back({.state = endpoint.state,
                         .address = *address,
                         .name = endpoint.address,
                         .pool_id = pool.id,
                         .runtime = endpoint.runtime,
                         .scraped = pool.kind == Pool::Kind::kInferencePool,
                         .metrics_age_max = pool.metrics_age_max,
                         .access = pool.access});
}

// The pool that says how an address is scraped.
uint32_t TellingPool(const Snapshot& snapshot, const std::set<uint32_t>& pools) {
  for (const uint32_t pool : pools) {
    if (snapshot.pools[pool]->pool.kind == Pool::Kind::kInferencePool) return pool;
  }
  return *pools.begin();
}

}  // namespace

Wanted::Change Wanted::Follow(std::shared_ptr<const Snapshot> snapshot) {
  const std::shared_ptr<const Snapshot> before = std::exchange(followed_, std::move(snapshot));
  return before != nullptr && SamePools(*before, *followed_) ? FollowPools(*before) : FollowAll();
}

void Wanted::Say(const EndpointState& state, const std::set<uint32_t>& pools,
                 Change* change) const {
  const Pool& pool = followed_->pools[TellingPool(*followed_, pools)]->pool;
  const auto endpoint =
      std::find_if(pool.endpoints.begin(), pool.endpoints.end(),
                   [&](const Endpoint& each) { return each.state.get() == &state; });
  CHECK(endpoint != pool.endpoints.end());
  Put(pool, *endpoint, change);
}

Wanted::Change Wanted::FollowAll() {
  PoolsOf before = std::exchange(pools_of_, {});
  Change change;
  for (uint32_t i = 0; i < followed_->pools.size(); ++i) {
    for (const Endpoint& endpoint : followed_->pools[i]->pool.endpoints) {
      pools_of_[endpoint.state.get()].insert(i);
      before.erase(endpoint.state.get());
    }
  }
  for (uint32_t i = 0; i < followed_->pools.size(); ++i) {
    const Pool& pool = followed_->pools[i]->pool;
    for (const Endpoint& endpoint : pool.endpoints) {
      if (TellingPool(*followed_, pools_of_.at(endpoint.state.get())) == i) {
        Put(pool, endpoint, &change);
      }
    }
  }
  for (const auto& [state, pools] : before) change.gone.push_back(state);
  return change;
}

Wanted::Change Wanted::FollowPools(const Snapshot& before) {
  Change change;
  std::vector<Difference> differences;
  for (uint32_t i = 0; i < before.pools.size(); ++i) {
    if (before.pools[i] == followed_->pools[i]) continue;
    const Difference& found =
        differences.emplace_back(DifferenceOf(i, before.pools[i]->pool, followed_->pools[i]->pool));
    for (const Endpoint& endpoint : found.before) pools_of_[endpoint.state.get()].erase(i);
    for (const Endpoint& endpoint : found.after) pools_of_[endpoint.state.get()].insert(i);
  }
  // Not before all pools are known: an address may have gone from one to another.
  for (const Difference& difference : differences) {
    const Pool& pool = followed_->pools[difference.pool]->pool;
    for (const Endpoint& endpoint : difference.after) {
      const EndpointState& state = *endpoint.state;
      const std::set<uint32_t>& pools = pools_of_.at(&state);
      if (TellingPool(*followed_, pools) == difference.pool) {
        Put(pool, endpoint, &change);
      } else {
        Say(state, pools, &change);
      }
    }
    for (const Endpoint& endpoint : difference.before) {
      const auto pools = pools_of_.find(endpoint.state.get());
      if (pools == pools_of_.end()) continue;  // it was in another pool, too
      if (!pools->second.empty()) {
        Say(*endpoint.state, pools->second, &change);
        continue;
      }
      change.gone.push_back(endpoint.state.get());
      pools_of_.erase(pools);
    }
  }
  return change;
}

}  // namespace gw
