#include "prefix/shard.h"

#include <algorithm>

#include "base/check.h"

namespace gw::internal {
namespace {

// Places of the table per 100 cells. At 60 % full a search ends after 1.8 places where the block is
// there and after 3.6 where it is not (Knuth, volume 3, 6.4), mostly within one cache line; at 80 %
// it would be 3 and 13.
constexpr size_t kPlacesPer100Cells = 167;
// Cell numbers have 32 bits.
constexpr size_t kCellsMax = size_t{1} << 31;

// Spreads hashes that are not random (tests, counters) as well.
uint32_t TagOf(uint64_t hash) { return static_cast<uint32_t>((hash * 0x9E3779B97F4A7C15) >> 32); }

constexpr auto kRelaxed = std::memory_order_relaxed;

uint32_t GroupOf(uint32_t slot) { return slot / HolderGroup::kSlots; }

void SetBit(HolderGroup* group, uint32_t slot) {
  const uint32_t bit = slot % HolderGroup::kSlots;
  group->bits[bit / 64] |= uint64_t{1} << (bit % 64);
}

}  // namespace

IndexShard::IndexShard(size_t bytes_max, const Removals* removals) : removals_(removals) {
  const size_t fixed = sizeof(*this) + sizeof(Cell);
  const size_t bytes = bytes_max > fixed ? bytes_max - fixed : 0;
  const size_t bytes_per_100_cells = 100 * sizeof(Cell) + kPlacesPer100Cells * sizeof(uint64_t);
  const size_t cells = std::min(
      bytes / bytes_per_100_cells * 100 + bytes % bytes_per_100_cells * 100 / bytes_per_100_cells,
      kCellsMax);
  table_size_ = cells * kPlacesPer100Cells / 100;
  // The search for a block that is not there ends at an empty place.
  if (table_size_ <= cells) return;
  cells_max_ = cells;
  static_assert(sizeof(table_[0]) == sizeof(uint64_t));
  table_.reset(static_cast<std::atomic<uint64_t>*>(std::calloc(table_size_, sizeof(uint64_t))));
  cells_.reset(static_cast<Cell*>(std::malloc((cells_max_ + 1) * sizeof(Cell))));
  CHECK(table_ != nullptr && cells_ != nullptr);
}

size_t IndexShard::Match(std::span<const uint64_t> hashes, uint32_t first_block,
                         Survivors* survivors) {
  if (cells_max_ == 0) return 0;
  uint32_t met[kSegmentBlocks];
  size_t met_count = 0;
  size_t held = 0;
  const std::lock_guard lock(mutex_);
  const uint32_t epoch = removals_->epoch();
  for (const uint64_t hash : hashes) {
    const uint32_t cell = Find(hash);
    if (cell == 0) break;
    if (!Refresh(cell, epoch)) {
      RemoveBlock(cell);
      break;
    }
    met[met_count++] = cell;
    const Block& block = cells_[cell].block;
    const uint32_t number = first_block + static_cast<uint32_t>(held);
    if (block.many()) {
      survivors->KeepMany(cells_.get(), block.first_group(), number);
    } else {
      survivors->KeepFew(std::span(block.holders, block.count), number);
    }
    if (survivors->none()) break;
    ++held;
  }
  MarkUsed(std::span(met, met_count));
  return held;
}

// Evicting a block costs a miss in the table; those of a segment's victims overlap.
inline void IndexShard::PrefetchVictims(size_t cells) const {
  uint32_t victim = oldest_;
  for (; cells > 0 && victim != 0; --cells) {
    const Block& block = cells_[victim].block;
    __builtin_prefetch(&table_[PlaceOf(TagOf(block.hash))]);
    victim = block.newer;
  }
}

void IndexShard::Insert(std::span<const uint64_t> hashes, uint16_t slot) {
  if (cells_max_ == 0) return;
  const std::lock_guard lock(mutex_);
  const uint32_t epoch = removals_->epoch();
  if (unused_cells() < hashes.size()) PrefetchVictims(hashes.size() - unused_cells());
  for (size_t i = hashes.size(); i-- > 0;) AddHolder(FindOrAdd(hashes[i], epoch), slot);
}

// Multiplying instead of dividing by the size (Lemire, 2016): tags are evenly spread over 32 bits.
size_t IndexShard::PlaceOf(uint32_t tag) const { return (tag * table_size_) >> 32; }

// How far behind `home` place `i` is, going around the end.
size_t IndexShard::Distance(size_t home, size_t i) const {
  return i >= home ? i - home : i + table_size_ - home;
}

void IndexShard::PrefetchTable(std::span<const uint64_t> hashes) const {
  if (cells_max_ == 0) return;
  for (const uint64_t hash : hashes) __builtin_prefetch(&table_[PlaceOf(TagOf(hash))]);
}

void IndexShard::PrefetchBlocks(std::span<const uint64_t> hashes) const {
  if (cells_max_ == 0) return;
  for (const uint64_t hash : hashes) {
    const uint32_t tag = TagOf(hash);
    // The table always has empty places, but seen while it changes the search could miss them.
    constexpr int kStepsMax = 16;
    for (size_t i = PlaceOf(tag), steps = 0; steps < kStepsMax; i = Next(i), ++steps) {
      const uint64_t entry = table_[i].load(kRelaxed);
      if (entry == 0) break;
      if (entry >> 32 != tag) continue;
      __builtin_prefetch(&cells_[static_cast<uint32_t>(entry)]);
      break;
    }
  }
}

uint32_t IndexShard::Find(uint64_t hash) const {
  const uint32_t tag = TagOf(hash);
  for (size_t i = PlaceOf(tag);; i = Next(i)) {
    const uint64_t entry = table_[i].load(kRelaxed);
    if (entry == 0) return 0;
    if (entry >> 32 != tag) continue;
    const uint32_t cell = static_cast<uint32_t>(entry);
    if (cells_[cell].block.hash == hash) return cell;
  }
}

void IndexShard::AddToTable(uint64_t hash, uint32_t cell) {
  size_t i = PlaceOf(TagOf(hash));
  while (table_[i].load(kRelaxed) != 0) i = Next(i);
  table_[i].store(uint64_t{TagOf(hash)} << 32 | cell, kRelaxed);
}

// Closes the gap by moving later entries back (Knuth, volume 3, algorithm 6.4R), so that searches
// stay short however much comes and goes.
void IndexShard::EraseFromTable(uint64_t hash, uint32_t cell) {
  const uint64_t erased = uint64_t{TagOf(hash)} << 32 | cell;
  size_t gap = PlaceOf(TagOf(hash));
  while (table_[gap].load(kRelaxed) != erased) gap = Next(gap);
  for (size_t i = Next(gap);; i = Next(i)) {
    const uint64_t entry = table_[i].load(kRelaxed);
    if (entry == 0) break;
    const size_t home = PlaceOf(static_cast<uint32_t>(entry >> 32));
    // An entry may move to the gap unless its search begins behind it.
    if (Distance(home, i) < Distance(gap, i)) continue;
    table_[gap].store(entry, kRelaxed);
    gap = i;
  }
  table_[gap].store(0, kRelaxed);
}

// Returns 0 if there is no room for another block.
uint32_t IndexShard::FindOrAdd(uint64_t hash, uint32_t epoch) {
  uint32_t cell = Find(hash);
  if (cell != 0) {
    Refresh(cell, epoch);
    MarkUsed({&cell, 1});
    return cell;
  }
  if (!Reserve(1, 0)) return 0;
  cell = Allocate();
  cells_[cell].block =
      Block{.hash = hash, .newer = 0, .older = 0, .epoch = epoch, .count = 0, .holders = {}};
  AddToTable(hash, cell);
  LinkNewest(cell, cell);
  ++blocks_;
  return cell;
}

void IndexShard::AddHolder(uint32_t cell, uint16_t slot) {
  if (cell == 0) return;
  Block& block = cells_[cell].block;
  if (block.many()) {
    AddToGroups(cell, slot);
    return;
  }
  const auto end = block.holders + block.count;
  if (std::find(block.holders, end, slot) != end) return;
  if (block.count < Block::kFewHolders) {
    block.holders[block.count++] = slot;
  } else {
    SpreadHolders(cell, slot);
  }
}

// Turns the few holders of a block and one more into groups. Leaves them as they are if there is no
// room.
void IndexShard::SpreadHolders(uint32_t cell, uint16_t slot) {
  Block& block = cells_[cell].block;
  uint16_t slots[Block::kFewHolders + 1];
  std::copy_n(block.holders, Block::kFewHolders, slots);
  slots[Block::kFewHolders] = slot;
  std::sort(std::begin(slots), std::end(slots));
  size_t groups = 1;
  for (size_t i = 1; i < std::size(slots); ++i)
    groups += GroupOf(slots[i]) != GroupOf(slots[i - 1]);
  if (!Reserve(groups, cell)) return;
  uint32_t last = 0;
  for (const uint16_t holder : slots) {
    if (last == 0 || cells_[last].holders.group != GroupOf(holder)) {
      const uint32_t next = Allocate();
      cells_[next].holders = HolderGroup{.next = 0, .group = GroupOf(holder), .bits = {}};
      if (last == 0) {
        block.set_first_group(next);
      } else {
        cells_[last].holders.next = next;
      }
      last = next;
    }
    SetBit(&cells_[last].holders, holder);
  }
}

void IndexShard::AddToGroups(uint32_t cell, uint16_t slot) {
  Block& block = cells_[cell].block;
  uint32_t before = 0;
  uint32_t group = block.first_group();
  while (group != 0 && cells_[group].holders.group < GroupOf(slot)) {
    before = group;
    group = cells_[group].holders.next;
  }
  if (group == 0 || cells_[group].holders.group != GroupOf(slot)) {
    if (!Reserve(1, cell)) return;
    const uint32_t added = Allocate();
    cells_[added].holders = HolderGroup{.next = group, .group = GroupOf(slot), .bits = {}};
    if (before == 0) {
      block.set_first_group(added);
    } else {
      cells_[before].holders.next = added;
    }
    group = added;
  }
  SetBit(&cells_[group].holders, slot);
}

bool IndexShard::Refresh(uint32_t cell, uint32_t epoch) {
  Block& block = cells_[cell].block;
  if (block.epoch == epoch) return block.count > 0;
  if (block.many()) {
    RefreshGroups(&block);
  } else {
    const auto removed = [&](uint16_t slot) { return removals_->RemovedAfter(block.epoch, slot); };
    const auto end = std::remove_if(block.holders, block.holders + block.count, removed);
    block.count = static_cast<uint16_t>(end - block.holders);
  }
  block.epoch = epoch;
  return block.count > 0;
}

void IndexShard::RefreshGroups(Block* block) {
  uint16_t few[Block::kFewHolders];
  size_t count = 0;
  uint32_t before = 0;
  uint32_t next;
  uint32_t first = 0;
  for (uint32_t cell = block->first_group(); cell != 0; cell = next) {
    HolderGroup& group = cells_[cell].holders;
    next = group.next;
    const size_t count_before = count;
    for (uint32_t bit = 0; bit < HolderGroup::kSlots; ++bit) {
      const uint64_t mask = uint64_t{1} << (bit % 64);
      if ((group.bits[bit / 64] & mask) == 0) continue;
      const uint32_t slot = group.group * HolderGroup::kSlots + bit;
      if (removals_->RemovedAfter(block->epoch, slot)) {
        group.bits[bit / 64] &= ~mask;
      } else {
        if (count < Block::kFewHolders) few[count] = static_cast<uint16_t>(slot);
        ++count;
      }
    }
    if (count == count_before) {
      FreeCell(cell);
      continue;
    }
    if (before == 0) {
      first = cell;
    } else {
      cells_[before].holders.next = cell;
    }
    before = cell;
  }
  if (before != 0) cells_[before].holders.next = 0;
  if (count > Block::kFewHolders) {
    block->set_first_group(first);
    return;
  }
  for (; first != 0; first = next) {
    next = cells_[first].holders.next;
    FreeCell(first);
  }
  std::copy_n(few, count, block->holders);
  block->count = static_cast<uint16_t>(count);
}

bool IndexShard::Reserve(size_t cells, uint32_t kept) {
  while (unused_cells() < cells) {
    if (oldest_ == 0 || oldest_ == kept) return false;
    RemoveBlock(oldest_);
    ++evicted_blocks_;
  }
  return true;
}

uint32_t IndexShard::Allocate() {
  if (first_free_ == 0) return static_cast<uint32_t>(++cells_used_);
  const uint32_t cell = first_free_;
  first_free_ = cells_[cell].next_free;
  --free_cells_;
  return cell;
}

void IndexShard::FreeCell(uint32_t cell) {
  cells_[cell].next_free = first_free_;
  first_free_ = cell;
  ++free_cells_;
}

void IndexShard::RemoveBlock(uint32_t cell) {
  Block& block = cells_[cell].block;
  if (block.many()) {
    uint32_t next;
    for (uint32_t group = block.first_group(); group != 0; group = next) {
      next = cells_[group].holders.next;
      FreeCell(group);
    }
  }
  EraseFromTable(block.hash, cell);
  Unlink(cell, cell);
  FreeCell(cell);
  --blocks_;
}

void IndexShard::LinkNewest(uint32_t newest, uint32_t oldest) {
  cells_[newest].block.newer = 0;
  cells_[oldest].block.older = newest_;
  (newest_ != 0 ? cells_[newest_].block.newer : oldest_) = oldest;
  newest_ = newest;
}

void IndexShard::Unlink(uint32_t newest, uint32_t oldest) {
  const uint32_t newer = cells_[newest].block.newer;
  const uint32_t older = cells_[oldest].block.older;
  (newer != 0 ? cells_[newer].block.older : newest_) = older;
  (older != 0 ? cells_[older].block.newer : oldest_) = newer;
}

// The blocks of a segment were mostly used together before and so stand side by side: they move as
// one.
void IndexShard::MarkUsed(std::span<const uint32_t> cells) {
  size_t end = cells.size();
  while (end > 0) {
    size_t begin = end - 1;
    while (begin > 0 && cells_[cells[begin - 1]].block.older == cells[begin]) --begin;
    if (cells[begin] != newest_) {
      Unlink(cells[begin], cells[end - 1]);
      LinkNewest(cells[begin], cells[end - 1]);
    }
    end = begin;
  }
}

IndexShard::Stats IndexShard::stats() const {
  const std::lock_guard lock(mutex_);
  const size_t cells = cells_used_ + (cells_max_ > 0 ? 1 : 0);
  return {sizeof(*this) + table_size_ * sizeof(uint64_t) + cells * sizeof(Cell), blocks_,
          evicted_blocks_};
}

}  // namespace gw::internal
