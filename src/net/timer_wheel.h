// Hierarchical timer wheel (Varghese and Lauck, 1987): starting and stopping a timer is O(1)
// whatever the number of timers.
//
// Time is counted in ticks. Level 0 holds the timers of the next 256 ticks, one slot per tick;
// level 1 the next 65,536 ticks, one slot per 256; and so on. When the wheel reaches the first tick
// of a slot of a higher level, the slot's timers move down ("cascade"). A bitmap per level finds
// the next occupied slot, so that a jump over many empty ticks costs as much as one tick.
//
// Example: at tick 0 a timer for tick 300 goes to level 1, slot 1 (ticks 256..511). At tick 256 it
// moves to level 0, slot 44, and fires at tick 300.

#pragma once

#include <cstdint>

#include "net/intrusive_list.h"

namespace gw::internal {

struct TimerNode : ListNode {
  uint64_t expiry = 0;  // tick
  virtual void OnExpiry() = 0;

 protected:
  ~TimerNode() = default;
};

class TimerWheel {
 public:
  static constexpr uint64_t kNever = ~uint64_t{0};

  TimerWheel() = default;
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Makes `node` fire at `tick`, or in the next Advance if that has passed.
  // REQUIRES: !node->linked()
  void Start(TimerNode* node, uint64_t tick);
  // REQUIRES: node->linked()
  void Stop(TimerNode* node);

  // Moves the wheel to `tick` and fires what is due, in the order of ticks. A handler may start and
  // stop any timer; one it starts for a tick that has passed fires in the next Advance.
  void Advance(uint64_t tick);

  // Moves the wheel to `tick`, before which nothing is due.
  // REQUIRES: tick < NextTick()
  void SkipTo(uint64_t tick) { now_ = now_ < tick ? tick : now_; }

  // A tick, not before now(), before which Advance has nothing to do; kNever if no timer runs. It
  // may be earlier than the first timer: for a cascade, or because of a timer that was stopped
  // since the last Advance, which knows it exactly. Kept, not searched: it is asked in every round
  // of a loop, and most timers are started and stopped again without ever being due.
  uint64_t NextTick() const { return due_.empty() ? next_ : now_; }

  uint64_t now() const { return now_; }

 private:
  static constexpr int kLevels = 4;
  static constexpr int kSlotBits = 8;
  static constexpr int kSlots = 1 << kSlotBits;
  static constexpr int kWords = kSlots / 64;

  void Place(TimerNode* node);
  void Cascade();
  void Fire(ListHead* list);
  uint64_t NextSlotTick(int level) const;
  uint64_t FindNext() const;
  // How many slots after `from` (1..kSlots) the next occupied one of the level lies; 0 if none.
  int DistanceToNext(int level, int from) const;

  uint64_t now_ = 0;
  uint64_t next_ = kNever;  // no occupied slot is before it
  uint64_t occupied_[kLevels][kWords] = {};
  ListHead slots_[kLevels * kSlots];
  ListHead due_;  // started for a tick that has passed
};

}  // namespace gw::internal
