#include "prefix/holders.h"

#include <functional>

namespace gw::internal {

void Holders::Shorten(Run* run, uint32_t count) {
  run->holder_count = static_cast<uint16_t>(count);
  uint32_t* link = &run->more_holders;
  for (uint32_t left = count; left > Run::kInlineHolders;) {
    left -= std::min(left - Run::kInlineHolders, HolderCell::kHolders);
    link = &cells_[*link].holders.next;
  }
  uint32_t next = *link;
  *link = 0;
  while (next != 0) {
    const uint32_t cell = next;
    next = cells_[cell].holders.next;
    cells_.Free(cell);
  }
}

void Holders::Append(Run* run, uint32_t slot, uint64_t use) {
  const uint32_t count = run->holder_count;
  if (count == UINT16_MAX) return;
  uint32_t* link = &run->more_holders;
  uint32_t cell = 0;
  if (count >= Run::kInlineHolders) {
    while (*link != 0) {
      cell = *link;
      link = &cells_[cell].holders.next;
    }
    if ((count - Run::kInlineHolders) % HolderCell::kHolders == 0) {
      if (cells_.unused() == 0) return;
      cell = cells_.Allocate();
      cells_[cell].holders.next = 0;
      *link = cell;
    }
  }
  Place place(cells_, *run);
  place.index = count;
  place.cell = cell;
  place.use() = use;
  place.slot() = static_cast<uint16_t>(slot);
  ++run->holder_count;
}

uint32_t Holders::Refresh(Run* run) {
  uint32_t most = run->dense_holders != 0 ? run->blocks : 0;
  Filter(run, [&](uint32_t slot, uint64_t* use) {
    const uint32_t held = Held(*run, slot, *use);
    if (held == 0) return false;
    *use = PackUse(TouchOf(*use), held);
    most = std::max(most, held);
    return true;
  });
  return most;
}

void Holders::Uses::Order() {
  std::sort(uses, uses + count, std::greater<>());
  size_t kept = 0;
  uint32_t reached = 0;
  for (size_t i = 0; i < count; ++i) {
    if (BlocksOf(uses[i]) <= reached) continue;
    reached = BlocksOf(uses[i]);
    uses[kept++] = uses[i];
  }
  count = kept;
}

void Holders::Uses::Tell(int32_t sign, std::vector<Move>* moves) const {
  uint32_t reached = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t blocks = BlocksOf(uses[i]);
    moves->push_back({TouchOf(uses[i]), sign * static_cast<int32_t>(blocks - reached)});
    reached = blocks;
  }
}

// Of three the one in the middle goes: a few blocks more count as sent just now, more than a few as
// sent with those behind them.
void Holders::Limit(Uses* uses) {
  static_assert(kUsesMax == 2);
  if (uses->count <= kUsesMax) return;
  uint64_t& latest = uses->uses[0];
  const uint32_t middle = BlocksOf(uses->uses[1]);
  if (middle - BlocksOf(latest) <= kCellHashes) latest = PackUse(TouchOf(latest), middle);
  uses->uses[1] = uses->uses[2];
  uses->count = kUsesMax;
}

void Holders::Add(Run* run, const Touch& touch, uint32_t blocks) {
  Uses before;
  uint64_t* places[kUsesMax];
  size_t free = 0;
  const auto take = [&](uint64_t use) {
    const uint32_t held = Held(*run, touch.slot, use);
    if (held != 0 && before.count < kUsesMax) before.Put(PackUse(TouchOf(use), held));
  };
  for (Place place(cells_, *run); place.index < run->holder_count; place.Next()) {
    if (place.slot() != touch.slot) continue;
    take(place.use());
    place.use() = kNoUse;
    if (free < kUsesMax) places[free++] = &place.use();
  }
  if (const uint64_t* use = TableUse(*run, touch.slot)) take(*use);
  before.Order();
  Uses after = before;
  after.Put(PackUse(touch.At(run->base), blocks));
  after.Order();
  if (touch.moves == nullptr) {
    // Nothing is ever let go, so that it need not be told what is older.
    after.uses[0] = PackUse(TouchOf(after.uses[0]), BlocksOf(after.uses[after.count - 1]));
    after.count = 1;
  } else {
    Limit(&after);
    before.Tell(-1, touch.moves);
    after.Tell(1, touch.moves);
  }
  size_t next = 0;
  if (run->dense_holders != 0 && SetInTable(run, touch.slot, after.uses[0])) next = 1;
  for (size_t i = 0; i < free && next < after.count; ++i) *places[i] = after.uses[next++];
  for (; next < after.count; ++next) Append(run, touch.slot, after.uses[next]);
}

uint32_t Holders::HeldBy(Run* run, uint32_t slot) const {
  uint32_t most = HeldByTable(*run, slot);
  for (Place place(cells_, *run); place.index < run->holder_count; place.Next()) {
    if (place.slot() == slot) most = std::max(most, Held(*run, slot, place.use()));
  }
  return most;
}

void Holders::Trim(Run* run, uint32_t slot, uint32_t blocks, std::vector<Move>* moves) {
  Uses before;
  Uses after;
  const auto trim = [&](uint64_t* use) {
    const uint32_t held = Held(*run, slot, *use);
    const uint32_t left = std::min(held, blocks);
    if (held != 0 && before.count < Uses::kMax) before.Put(PackUse(TouchOf(*use), held));
    *use = left == 0 ? kNoUse : PackUse(TouchOf(*use), left);
    if (left != 0 && after.count < Uses::kMax) after.Put(*use);
  };
  for (Place place(cells_, *run); place.index < run->holder_count; place.Next()) {
    if (place.slot() == slot) trim(&place.use());
  }
  if (uint64_t* use = TableUse(*run, slot); use != nullptr && *use != kNoUse) {
    trim(use);
    HolderGroup& group = *GroupOf(*run, slot);
    const uint64_t bit = uint64_t{1} << (slot % HolderGroup::kSlots);
    if (*use == kNoUse) group.some &= ~bit;
    if (*use == kNoUse || BlocksOf(*use) < run->level) group.whole &= ~bit;
  }
  if (moves == nullptr) return;
  before.Order();
  after.Order();
  before.Tell(-1, moves);
  after.Tell(1, moves);
}

void Holders::Clamp(Run* run, uint32_t blocks) {
  const auto clamp = [blocks](uint64_t* use) {
    *use = PackUse(TouchOf(*use), std::min(BlocksOf(*use), blocks));
  };
  Filter(run, [&](uint32_t, uint64_t* use) {
    clamp(use);
    return true;
  });
  run->level = static_cast<uint16_t>(std::min<uint32_t>(run->level, blocks));
  for (HolderGroup* group = GroupAt(run->dense_holders); group != nullptr;
       group = GroupAt(group->next)) {
    for (const uint32_t cell : group->uses) {
      if (cell == 0) continue;
      for (uint64_t& use : cells_[cell].uses) {
        if (use != 0) clamp(&use);
      }
    }
  }
}

void Holders::FreeAll(Run* run) {
  Shorten(run, 0);
  for (uint32_t next = run->dense_holders; next != 0;) {
    const uint32_t cell = next;
    const HolderGroup& group = cells_[cell].group;
    next = group.next;
    for (const uint32_t uses : group.uses) {
      if (uses != 0) cells_.Free(uses);
    }
    cells_.Free(cell);
  }
  run->dense_holders = 0;
}

}  // namespace gw::internal
