// The part of Holders that is about runs with many of them.

#include "prefix/holders.h"

namespace gw::internal {

HolderGroup* Holders::GroupOf(const Run& run, uint32_t slot) const {
  for (uint32_t cell = run.dense_holders; cell != 0; cell = cells_[cell].group.next) {
    HolderGroup& group = cells_[cell].group;
    if (group.group >= slot / HolderGroup::kSlots) {
      return group.group == slot / HolderGroup::kSlots ? &group : nullptr;
    }
  }
  return nullptr;
}

uint64_t* Holders::TableUse(const Run& run, uint32_t slot) const {
  const HolderGroup* group = GroupOf(run, slot);
  if (group == nullptr) return nullptr;
  const uint32_t cell = group->uses[slot % HolderGroup::kSlots / HolderGroup::kCellUses];
  return cell == 0 ? nullptr : &cells_[cell].uses[slot % HolderGroup::kCellUses];
}

uint32_t Holders::HeldByTable(const Run& run, uint32_t slot) const {
  const uint64_t* use = TableUse(run, slot);
  return use == nullptr || *use == 0 ? 0 : Held(run, slot, *use);
}

// nullptr: there is no memory for it.
uint64_t* Holders::MakeTableUse(Run* run, uint32_t slot) {
  const uint32_t wanted = slot / HolderGroup::kSlots;
  uint32_t* link = &run->dense_holders;
  while (*link != 0 && cells_[*link].group.group < wanted) link = &cells_[*link].group.next;
  if (*link == 0 || cells_[*link].group.group != wanted) {
    if (cells_.unused() == 0) return nullptr;
    const uint32_t added = cells_.Allocate();
    cells_[added].group = HolderGroup{.whole = 0,
                                      .some = 0,
                                      .cuts = endpoints_.Cuts(wanted),
                                      .next = *link,
                                      .group = wanted,
                                      .uses = {}};
    *link = added;
  }
  uint32_t* cell = &cells_[*link].group.uses[slot % HolderGroup::kSlots / HolderGroup::kCellUses];
  if (*cell == 0) {
    if (cells_.unused() == 0) return nullptr;
    *cell = cells_.Allocate();
    std::fill_n(cells_[*cell].uses, HolderGroup::kCellUses, uint64_t{0});
  }
  return &cells_[*cell].uses[slot % HolderGroup::kCellUses];
}

// False if there is no memory for it.
bool Holders::SetInTable(Run* run, uint32_t slot, uint64_t use) {
  uint64_t* place = MakeTableUse(run, slot);
  if (place == nullptr) return false;
  // Gone in the meantime: the group's count may be past that already.
  if (!endpoints_.Holds(slot, TouchOf(use))) return true;
  *place = use;
  HolderGroup& group = *GroupOf(*run, slot);
  const uint64_t bit = uint64_t{1} << (slot % HolderGroup::kSlots);
  group.some |= bit;
  group.whole = BlocksOf(use) >= run->level ? group.whole | bit : group.whole & ~bit;
  return true;
}

size_t Holders::TableCells(Run* run) const {
  if (run->dense_holders != 0 || run->holder_count < kListMax) return 0;
  std::vector<uint32_t> slots;
  ForEachListed(run, [&](uint32_t slot, uint32_t) { slots.push_back(slot); });
  std::sort(slots.begin(), slots.end());
  size_t cells = 0;
  for (size_t i = 0; i < slots.size(); ++i) {
    const bool first = i == 0;
    cells += first || slots[i] / HolderGroup::kCellUses != slots[i - 1] / HolderGroup::kCellUses;
    cells += first || slots[i] / HolderGroup::kSlots != slots[i - 1] / HolderGroup::kSlots;
  }
  return cells;
}

void Holders::MakeTable(Run* run) {
  std::vector<uint32_t> held;
  ForEachListed(run, [&](uint32_t, uint32_t blocks) { held.push_back(blocks); });
  // What all but a quarter hold.
  const auto quarter = held.begin() + static_cast<std::ptrdiff_t>(held.size() / 4);
  std::nth_element(held.begin(), quarter, held.end());
  run->level = static_cast<uint16_t>(*quarter);
  Filter(run, [&](uint32_t slot, uint64_t* use) {
    uint64_t* there = TableUse(*run, slot);
    if (there == nullptr || *there == kNoUse) return !SetInTable(run, slot, *use);
    // The other use of that endpoint: the later one stands in the table.
    const uint64_t earlier = std::min(*there, *use);
    SetInTable(run, slot, std::max(*there, *use));
    *use = earlier;
    return true;
  });
}

// What an endpoint of the group held is gone since.
void Holders::Recheck(const Run& run, HolderGroup* group) {
  group->cuts = endpoints_.Cuts(group->group);
  for (uint64_t left = group->some; left != 0; left &= left - 1) {
    const auto bit = static_cast<uint32_t>(std::countr_zero(left));
    const uint64_t mask = uint64_t{1} << bit;
    uint64_t& use =
        cells_[group->uses[bit / HolderGroup::kCellUses]].uses[bit % HolderGroup::kCellUses];
    const uint32_t held = Held(run, group->group * HolderGroup::kSlots + bit, use);
    if (held < run.level) group->whole &= ~mask;
    if (held == 0) {
      group->some &= ~mask;
      use = 0;
      continue;
    }
    use = PackUse(TouchOf(use), held);
  }
}

uint64_t Holders::WhoHolds(const Run& run, HolderGroup* group, uint32_t blocks) {
  if (group->cuts != endpoints_.Cuts(group->group)) Recheck(run, group);
  uint64_t who = blocks <= run.level ? group->whole : 0;
  for (uint64_t left = group->some & ~who; left != 0; left &= left - 1) {
    const auto bit = static_cast<uint32_t>(std::countr_zero(left));
    const uint64_t use =
        cells_[group->uses[bit / HolderGroup::kCellUses]].uses[bit % HolderGroup::kCellUses];
    if (BlocksOf(use) >= blocks) who |= uint64_t{1} << bit;
  }
  return who;
}

}  // namespace gw::internal
