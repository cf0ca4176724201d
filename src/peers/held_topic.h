// HeldTopic: ceilings of what a tenant may have in flight at a pool (FairQueue::Terms), as one for
// all gateways.
//
//   held  = *( 0, pool, tenant, requests, tokens, wait | 1 | 2 )
//
// What is told is absolute: what of the tenant is in flight at the teller, and for how many ms its
// oldest request has waited that waits for nothing but the ceiling; 0: none does. A wait is a
// claim: a place that comes free is left to whoever has waited longest, so that a gateway with a
// backlog does not take each one again before the others hear of it. It counts for kClaimMax after
// it was told, and is told again every kClaimAgain: nobody gives way for longer to one that does
// not go. Waits seem shorter to others by as long as a word takes, so of two each may take the
// other for younger and never for older: the oldest of all gives way to nobody.
//
// With a whole (1 before it, 2 behind it) all is told, and what is missing in it is nothing.
// What two gateways start while the other's word is under way may be more than the ceiling.
//
// A Tell locks each queue once, looks at tenants with a ceiling for which something has changed or
// something waits, and at the pool's room if something does. A whole looks at all tenants.

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "flowcontrol/request_queues.h"
#include "peers/pool_queues.h"
#include "peers/topic.h"

namespace gw::peers {

class HeldTopic final : public Topic {
 public:
  static constexpr Kind kKind{130};
  static constexpr Duration kClaimMax = std::chrono::milliseconds(100);
  static constexpr Duration kClaimAgain = std::chrono::milliseconds(50);
  // Of a peer, at all pools; what it tells beyond them is left out, and counted by `limit`.
  static constexpr size_t kTenantsOfPeerMax = 65536;

  // As UseTopic's.
  HeldTopic(const RequestQueues& queues, size_t tenants_max, Counter& limit)
      : queues_(queues), tenants_max_(tenants_max), limit_(limit) {}

  Kind kind() const override { return kKind; }
  void Tell(TimePoint now, bool whole, MessageWriter* out) override;
  absl::Status Take(uint64_t peer, std::string_view payload, TimePoint now) override;
  void Forget(uint64_t peer, TimePoint now) override;

 private:
  enum class What : uint8_t { kTenant = 0, kBegin = 1, kEnd = 2 };
  using Key = std::pair<std::string, std::string>;  // pool, tenant
  struct Ours {
    int64_t requests = 0;
    int64_t tokens = 0;
    std::optional<TimePoint> claim;  // when the oldest came

    bool operator==(const Ours&) const = default;
  };
  struct Told {
    Ours ours;
    TimePoint at{};
  };
  struct Untold {
    What what = What::kTenant;
    Key key = {};
    Ours ours = {};
  };
  struct Theirs {
    int64_t requests = 0;
    int64_t tokens = 0;
    std::optional<TimePoint> claim;
    TimePoint told_at{};
    uint64_t whole = 0;  // the number of the last one that it was told with, or after
  };
  struct Peer {
    uint64_t wholes = 0;
    size_t tenants = 0;
  };

  void Gather(TimePoint now);
  void Note(Key key, const Ours& ours, TimePoint now);
  absl::Status TakeTenant(uint64_t id, std::string_view* payload, TimePoint now);
  void Set(uint64_t id, Key key, const Theirs& theirs);
  // Those that were told with no later whole than that.
  void Drop(uint64_t id, uint64_t whole);
  void EndClaims(TimePoint now);
  void Apply(const Key& key);

  PoolQueues queues_;
  const size_t tenants_max_;
  Counter& limit_;
  std::map<Key, Told> told_;  // that is not nothing
  std::deque<Untold> untold_;
  bool wants_whole_ = false;
  std::map<uint64_t, Peer> peers_;
  std::map<Key, std::map<uint64_t, Theirs>> theirs_;  // by peer
  std::set<Key> claimed_;                             // of theirs_, with a claim
};

}  // namespace gw::peers
