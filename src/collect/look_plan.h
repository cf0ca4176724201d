// LookPlan: when each of the scraper's targets wants to be looked at next, so that thousands of
// them that are idle cost next to nothing: a round visits what is due, in the order of the times,
// and leaves the others alone.
//
// Others make a target due earlier than it said: requests, which other threads dispatch to an idle
// endpoint, or which eject it, or doubt it. They leave no message. That would need a queue, or a
// flag that all workers write, on the path of each request; what they write anyway is read instead.
// A sweep reads so many endpoints in each round that it comes to all of them in kSweepRounds (or in
// one, where there are few), and looks at those to which something has happened that they wait for.
// It costs a cache line of each; 5,000 take a hundredth of a core at most (scrape_benchmark.cc).
//
// A target that wants its turn and gets none (the budget is spent) is left out: it comes before all
// others in the next round, behind those that were left out before it. Everyone gets a turn, then,
// in the order in which they became due.
//
// Pure: no clock, no I/O. One thread, but for the endpoints' states, which anybody may write.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "base/clock.h"
#include "pool/endpoint.h"

namespace gw {

// What may happen to an endpoint from outside of `collect`, as bits.
struct News {
  static constexpr uint8_t kInUse = 1;  // we have requests in flight there
  static constexpr uint8_t kEjected = 2;
  static constexpr uint8_t kDoubted = 4;

  static uint8_t Of(const EndpointState& state);
};

// When a target wants to be looked at.
struct NextLook {
  static constexpr TimePoint kNever = TimePoint::max();

  TimePoint at = kNever;
  uint8_t sooner_on = 0;  // soon after the endpoint has any of these News
};

class LookPlan {
 public:
  // Rounds until the sweep has come to everyone, and how many it reads in each at least.
  static constexpr size_t kSweepRounds = 5;
  static constexpr size_t kSweepMin = 64;

  struct Turn {
    bool had = true;  // false: it is left out
    NextLook next = {};
  };

  // `id` is in the plan from now on, or `state` is another one. Ids are dense: memory is taken for
  // the largest that ever was. `state` outlives its place here.
  void Put(uint32_t id, const EndpointState* state, const NextLook& next);
  // What `id` wants has changed. It is no longer left out. REQUIRES: it is in the plan
  void Set(uint32_t id, const NextLook& next);
  // Nothing if it is not in the plan.
  void Remove(uint32_t id);

  // One round: calls `look(id)`, which returns the Turn, for those left out until one is so again,
  // then for what is due at `now`; each once. `look` may call Set for any, and neither Put nor
  // Remove.
  template <typename Look>
  void Round(TimePoint now, Look look) {
    Sweep(now);
    while (!left_out_.empty() && Visit(left_out_.begin()->id, now, look)) {
    }
    while (!due_.empty() && due_.begin()->at <= now) Visit(due_.begin()->id, now, look);
  }

  // How often `look` was called, ever.
  uint64_t looks() const { return looks_; }

 private:
  enum class Where : uint8_t { kNowhere, kDue, kLeftOut };
  // Of those due at the same time the one that said so first comes first.
  struct Key {
    TimePoint at{};
    uint64_t order = 0;
    uint32_t id = 0;
    auto operator<=>(const Key&) const = default;
  };
  struct Place {
    Where where = Where::kNowhere;
    Key key;
  };
  // All that the sweep reads of those to which nothing has happened, beside their states.
  struct Watched {
    const EndpointState* state = nullptr;
    uint8_t sooner_on = 0;
  };

  template <typename Look>
  bool Visit(uint32_t id, TimePoint now, Look& look) {
    ++looks_;
    const Turn turn = look(id);
    if (!turn.had) {
      LeaveOut(id, turn.next);
      return false;
    }
    // Whatever it says: once in a round.
    Set(id, {std::max(turn.next.at, now + Duration(1)), turn.next.sooner_on});
    return true;
  }
  void Sweep(TimePoint now);
  void LeaveOut(uint32_t id, const NextLook& next);
  void Move(uint32_t id, Where where, TimePoint at);

  std::set<Key> due_;
  std::set<Key> left_out_;  // all at the same time: in their order
  std::vector<Place> places_;
  std::vector<Watched> watched_;
  size_t sweep_at_ = 0;
  uint64_t next_order_ = 0;
  uint64_t looks_ = 0;
};

}  // namespace gw
