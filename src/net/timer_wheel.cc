#include "net/timer_wheel.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace gw::internal {

void TimerWheel::Start(TimerNode* node, uint64_t tick) {
  DCHECK(!node->linked());
  node->expiry = tick;
  if (tick <= now_) {
    due_.PushBack(node);
  } else {
    Place(node);
  }
}

void TimerWheel::Stop(TimerNode* node) {
  DCHECK(node->linked());
  ListNode* const neighbour = node->prev;
  const bool last = node->prev == node->next;  // then the neighbour is the head of the list
  node->Unlink();
  if (!last) return;
  const auto* head = static_cast<ListHead*>(neighbour);
  if (head < slots_ || head >= slots_ + kLevels * kSlots) return;  // due_, or being fired
  const auto index = static_cast<size_t>(head - slots_);
  const size_t slot = index % kSlots;
  occupied_[index / kSlots][slot / 64] &= ~(uint64_t{1} << (slot % 64));
}

void TimerWheel::Place(TimerNode* node) {
  // A timer beyond the last level waits in the last slot that can be reached and is placed again
  // from there.
  constexpr uint64_t kReach = (uint64_t{1} << (kLevels * kSlotBits)) - 1;
  const uint64_t tick = std::min(node->expiry, now_ + kReach);
  const uint64_t delta = tick - now_;
  int level = 0;
  while (level < kLevels - 1 && delta >> ((level + 1) * kSlotBits) != 0) ++level;
  const size_t slot = (tick >> (level * kSlotBits)) % kSlots;
  slots_[static_cast<size_t>(level) * kSlots + slot].PushBack(node);
  occupied_[level][slot / 64] |= uint64_t{1} << (slot % 64);
  next_ = std::min(next_, tick >> (level * kSlotBits) << (level * kSlotBits));
}

int TimerWheel::DistanceToNext(int level, int from) const {
  const uint64_t* words = occupied_[level];
  const int start = (from + 1) % kSlots;
  for (int i = 0; i <= kWords; ++i) {
    const int index = (start / 64 + i) % kWords;
    uint64_t word = words[index];
    if (i == 0) word &= ~uint64_t{0} << (start % 64);
    if (i == kWords) word &= ~(~uint64_t{0} << (start % 64));
    if (word == 0) continue;
    const int slot = index * 64 + std::countr_zero(word);
    return (slot - start + kSlots) % kSlots + 1;
  }
  return 0;
}

uint64_t TimerWheel::NextSlotTick(int level) const {
  const int shift = level * kSlotBits;
  const uint64_t position = now_ >> shift;
  const int distance = DistanceToNext(level, static_cast<int>(position % kSlots));
  return distance == 0 ? kNever : (position + static_cast<uint64_t>(distance)) << shift;
}

uint64_t TimerWheel::FindNext() const {
  uint64_t next = kNever;
  for (int level = 0; level < kLevels; ++level) next = std::min(next, NextSlotTick(level));
  return next;
}

void TimerWheel::Cascade() {
  for (int level = kLevels - 1; level > 0; --level) {
    const int shift = level * kSlotBits;
    if ((now_ & ((uint64_t{1} << shift) - 1)) != 0) continue;
    const size_t slot = (now_ >> shift) % kSlots;
    ListHead nodes;
    nodes.TakeAll(&slots_[static_cast<size_t>(level) * kSlots + slot]);
    occupied_[level][slot / 64] &= ~(uint64_t{1} << (slot % 64));
    while (!nodes.empty()) Place(static_cast<TimerNode*>(nodes.PopFront()));
  }
}

void TimerWheel::Fire(ListHead* list) {
  ListHead firing;
  firing.TakeAll(list);
  while (!firing.empty()) static_cast<TimerNode*>(firing.PopFront())->OnExpiry();
}

void TimerWheel::Advance(uint64_t tick) {
  Fire(&due_);
  while ((next_ = FindNext()) <= tick) {
    now_ = next_;
    Cascade();
    const size_t slot = now_ % kSlots;
    occupied_[0][slot / 64] &= ~(uint64_t{1} << (slot % 64));
    Fire(&slots_[slot]);
  }
  now_ = std::max(now_, tick);
}

}  // namespace gw::internal
