#include "prefix/holders.h"

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

void Holders::Add(Run* run, const Touch& touch, uint32_t blocks) {
  uint32_t most = blocks;
  Filter(run, [&](uint32_t slot, uint64_t* use) {
    const uint32_t held = Held(*run, slot, *use);
    if (held == 0) return false;
    *use = PackUse(TouchOf(*use), held);
    if (slot != touch.slot) return true;
    most = std::max(most, held);
    return false;
  });
  most = std::max(most, HeldByTable(*run, touch.slot));
  const uint64_t use = PackUse(touch.number, most);
  if (run->dense_holders != 0 && SetInTable(run, touch.slot, use)) return;
  Append(run, touch.slot, use);
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
