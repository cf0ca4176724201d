#include "prefix/shard.h"

#include <algorithm>

#include "base/check.h"
#include "base/mutex.h"

namespace gw::internal {
namespace {

// Cell numbers have 32 bits.
constexpr size_t kCellsMax = size_t{1} << 31;
// Runs that were met and get another round before room is made at the cost of one that was met:
// a lock is not held for a walk over all of them.
constexpr int kRoundsMax = 64;

}  // namespace

IndexShard::IndexShard(size_t bytes_max, const Endpoints* endpoints)
    : holders_(&cells_, endpoints) {
  const size_t fixed = sizeof(*this) + sizeof(Cell);
  const size_t bytes = bytes_max > fixed ? bytes_max - fixed : 0;
  // Runs take from one cell to twenty. Where most take two, half of the table is empty; where all
  // take one, some cells are never used.
  cells_max_ = std::min(bytes / (sizeof(Cell) + RunTable::kSlotBytes), kCellsMax);
  cells_.Reserve(cells_max_);
  table_.Reserve(cells_max_, &cells_);
}

// The cell that holds the hashes of blocks 1 + number * kCellHashes and on.
uint32_t* IndexShard::HashCell(Run& run, uint32_t number) {
  return run.hash_cells() > 1 ? &cells_[run.hashes].numbers[number] : &run.hashes;
}

// How many leading blocks of the run the prompt has, whose blocks from the run's number `first` on
// are `hashes`. REQUIRES: the one before that is the prompt's, or, of the first, that itself
//
// Hashes are chained: blocks of one hash have the same blocks before them, so that the last one
// tells of all, and what differs somewhere is searched by halves.
uint32_t IndexShard::Matched(const Run& run, std::span<const uint64_t> hashes,
                             uint32_t first) const {
  const auto end = static_cast<uint32_t>(std::min<size_t>(run.blocks, first + hashes.size()));
  const uint32_t* numbers = run.hash_cells() > 1 ? cells_[run.hashes].numbers : &run.hashes;
  const auto is_same = [&](uint32_t block) {
    const uint32_t at = block - 1;
    return cells_[numbers[at / kCellHashes]].hashes[at % kCellHashes] ==
           static_cast<uint32_t>(hashes[block - first]);
  };
  uint32_t same = first == 0 ? 0 : first - 1;
  if (end <= same + 1) return same + 1;
  if (end == run.blocks && run.last == static_cast<uint32_t>(hashes[end - 1 - first])) return end;
  if (is_same(end - 1)) return end;
  uint32_t differs = end - 1;
  while (differs - same > 1) {
    const uint32_t middle = (same + differs) / 2;
    (is_same(middle) ? same : differs) = middle;
  }
  return differs;
}

IndexShard::Met IndexShard::Match(std::span<const uint64_t> hashes, uint32_t base,
                                  Survivors* survivors) {
  if (!has_room()) return {};
  const MutexLock lock(mutex_);
  const uint32_t cell = table_.Find(hashes.front());
  if (cell == 0) return {};
  Run& run = cells_[cell].run;
  if (run.base != base) return {};
  uint32_t matched = Matched(run, hashes);
  const uint32_t most = holders_.Refresh(&run);
  if (most == 0) {
    Remove(cell);
    return {};
  }
  matched = std::min(matched, most);
  run.met = static_cast<uint16_t>(std::max<uint32_t>(run.met, matched));
  survivors->Keep(&holders_, &run, matched);
  return {matched, matched == run.blocks};
}

IndexShard::Met IndexShard::Use(std::span<const uint64_t> hashes, uint32_t base, const Touch& touch,
                                uint32_t held) {
  if (!has_room()) return {};
  const MutexLock lock(mutex_);
  const uint32_t cell = table_.Find(hashes.front());
  if (cell == 0) return {};
  Run& run = cells_[cell].run;
  if (run.base != base) return {};
  const uint32_t matched = Matched(run, hashes);
  run.met = static_cast<uint16_t>(std::max<uint32_t>(run.met, matched));
  if (matched > held || touch.moves != nullptr) Hold(cell, touch, matched);
  return {matched, matched == run.blocks};
}

bool IndexShard::Has(uint64_t name) const {
  if (!has_room()) return false;
  const MutexLock lock(mutex_);
  return table_.Find(name) != 0;
}

uint32_t IndexShard::Peek(std::span<const uint64_t> hashes, uint32_t base) const {
  if (!has_room()) return 0;
  const MutexLock lock(mutex_);
  const uint32_t cell = table_.Find(hashes.front());
  return cell == 0 || cells_[cell].run.base != base ? 0 : Matched(cells_[cell].run, hashes);
}

// The cell of its run; 0: it is not where it was.
uint32_t IndexShard::FindBlock(const BlockPlace& place) {
  if (!has_room()) return 0;
  const uint32_t cell = table_.Find(place.run);
  if (cell == 0) return 0;
  Run& run = cells_[cell].run;
  if (run.base != place.base || place.offset >= run.blocks) return 0;
  if (place.offset == 0) return cell;
  const uint32_t at = place.offset - 1;
  const uint32_t hash = cells_[*HashCell(run, at / kCellHashes)].hashes[at % kCellHashes];
  return hash == place.hash ? cell : 0;
}

bool IndexShard::HoldsBlock(const BlockPlace& place, uint32_t slot) {
  const MutexLock lock(mutex_);
  const uint32_t cell = FindBlock(place);
  return cell != 0 && holders_.HeldBy(&cells_[cell].run, slot) > place.offset;
}

bool IndexShard::RemoveBlock(const BlockPlace& place, uint32_t slot, std::vector<Move>* moves) {
  const MutexLock lock(mutex_);
  const uint32_t cell = FindBlock(place);
  if (cell == 0 || holders_.HeldBy(&cells_[cell].run, slot) <= place.offset) return false;
  holders_.Trim(&cells_[cell].run, slot, place.offset, moves);
  return true;
}

void IndexShard::Drop(uint64_t name, uint32_t base) {
  if (!has_room()) return;
  const MutexLock lock(mutex_);
  const uint32_t cell = table_.Find(name);
  if (cell == 0 || cells_[cell].run.base != base) return;
  evicted_blocks_ += cells_[cell].run.blocks;
  Remove(cell);
}

void IndexShard::Hold(uint32_t cell, const Touch& touch, uint32_t blocks) {
  Run& run = cells_[cell].run;
  const size_t table = holders_.TableCells(&run);
  // What would take a good part of the shard stays a list.
  if (table != 0 && table <= cells_.max() / 8 && Reserve(table, cell)) holders_.MakeTable(&run);
  Reserve(Holders::kCellsPerUse, cell);
  holders_.Add(&run, touch, std::min<uint32_t>(blocks, run.blocks));
}

bool IndexShard::Add(std::span<const uint64_t> hashes, uint32_t base, const Touch& touch,
                     size_t held) {
  const auto blocks = static_cast<uint32_t>(std::min<size_t>(hashes.size(), kRunBlocksMax));
  if (!has_room()) return true;
  const uint32_t hash_cells = Run::CellsOf(blocks);
  const MutexLock lock(mutex_);
  if (table_.Find(hashes.front()) != 0) return false;
  if (!Reserve(1 + hash_cells + (hash_cells > 1), 0, 1)) return true;
  const uint32_t cell = cells_.Allocate();
  Run& run = cells_[cell].run;
  run = Run{};
  run.name = hashes.front();
  run.base = base;
  run.blocks = 1;
  table_.Put(run.name, cell);
  LinkNewest(cell);
  ++blocks_;
  PutHashes(&run, hashes.subspan(1, blocks - 1));
  holders_.Add(&run, touch, static_cast<uint32_t>(std::min<size_t>(held, blocks)));
  return true;
}

bool IndexShard::Append(std::span<const uint64_t> hashes, uint32_t base, uint32_t blocks,
                        const Touch& touch) {
  if (!has_room()) return false;
  const MutexLock lock(mutex_);
  const uint32_t cell = table_.Find(hashes.front());
  if (cell == 0) return false;
  Run& run = cells_[cell].run;
  // As many blocks may be other ones: the run may have been cut and have grown again.
  if (run.base != base || run.blocks != blocks || Matched(run, hashes) != blocks) return false;
  return Grow(cell, hashes.subspan(blocks), touch);
}

bool IndexShard::UseBehind(const BlockPlace& place, std::span<const uint64_t> behind,
                           const Touch& touch, Met* met) {
  const MutexLock lock(mutex_);
  const uint32_t cell = FindBlock(place);
  if (cell == 0) return false;
  Run& run = cells_[cell].run;
  const uint32_t matched = Matched(run, behind, place.offset + 1);
  run.met = static_cast<uint16_t>(std::max<uint32_t>(run.met, matched));
  *met = {matched - place.offset - 1, matched == run.blocks};
  Hold(cell, touch, matched);
  return true;
}

bool IndexShard::AppendBehind(const BlockPlace& place, std::span<const uint64_t> more,
                              const Touch& touch) {
  const MutexLock lock(mutex_);
  const uint32_t cell = FindBlock(place);
  return cell != 0 && cells_[cell].run.blocks == place.offset + 1 && Grow(cell, more, touch);
}

bool IndexShard::UseUpTo(const BlockPlace& place, uint32_t end, const Touch& touch) {
  const MutexLock lock(mutex_);
  const uint32_t cell = FindBlock(place);
  if (cell == 0) return false;
  Run& run = cells_[cell].run;
  const uint32_t held = std::min(end, holders_.HeldBy(&run, touch.slot));
  const uint32_t used = std::max(place.offset + 1, held);
  run.met =
      static_cast<uint16_t>(std::max<uint32_t>(run.met, std::min<uint32_t>(used, run.blocks)));
  Hold(cell, touch, used);
  return true;
}

// Puts more blocks behind all of the run's, and holds all of it.
bool IndexShard::Grow(uint32_t cell, std::span<const uint64_t> more, const Touch& touch) {
  Run& run = cells_[cell].run;
  const uint32_t blocks = run.blocks;
  const auto all = static_cast<uint32_t>(blocks + more.size());
  DCHECK(all <= kRunBlocksMax);
  const uint32_t cells =
      Run::CellsOf(all) - run.hash_cells() + (Run::CellsOf(all) > 1 && run.hash_cells() <= 1);
  if (!Reserve(cells, cell) || run.blocks != blocks) return false;
  holders_.Clamp(&run, blocks);
  PutHashes(&run, more);
  // Only what was met earns another round, and this is as new as what it was put behind.
  if (run.met == blocks) run.met = static_cast<uint16_t>(all);
  Hold(cell, touch, all);
  return true;
}

void IndexShard::PutHashes(Run* run, std::span<const uint64_t> hashes) {
  const auto all = static_cast<uint32_t>(run->blocks + hashes.size());
  const uint32_t cells_before = run->hash_cells();
  const uint32_t cells = Run::CellsOf(all);
  if (cells > 1 && cells_before <= 1) {
    const uint32_t directory = cells_.Allocate();
    cells_[directory].numbers[0] = run->hashes;
    run->hashes = directory;
  }
  uint32_t* numbers = cells > 1 ? cells_[run->hashes].numbers : &run->hashes;
  for (uint32_t i = cells_before; i < cells; ++i) numbers[i] = cells_.Allocate();
  uint32_t at = run->blocks - 1;
  for (const uint64_t hash : hashes) {
    cells_[numbers[at / kCellHashes]].hashes[at % kCellHashes] = static_cast<uint32_t>(hash);
    ++at;
  }
  if (!hashes.empty()) run->last = static_cast<uint32_t>(hashes.back());
  run->blocks = static_cast<uint16_t>(all);
  blocks_ += hashes.size();
}

bool IndexShard::Reserve(size_t cells, uint32_t kept, size_t runs) {
  int rounds = kRoundsMax;
  while (cells_.unused() < cells || table_.unused() < runs) {
    const uint32_t cell = oldest_;
    if (cell == 0) return false;
    Run& run = cells_[cell].run;
    const bool again = cell == kept || (run.met > 0 && rounds-- > 0);
    if (!again) {
      if (run.blocks == 1) {
        ++evicted_blocks_;
        Remove(cell);
      } else {
        CutLastCell(&run);
      }
      continue;
    }
    if (cell == kept && newest_ == kept) return false;
    if (run.met > 0 && cell != kept) {
      Cut(&run, run.met);
      run.met = 0;
    }
    Unlink(cell);
    LinkNewest(cell);
  }
  return true;
}

void IndexShard::CutLastCell(Run* run) { Cut(run, 1 + (run->hash_cells() - 1) * kCellHashes); }

void IndexShard::Cut(Run* run, uint32_t blocks) {
  const uint32_t cells_before = run->hash_cells();
  const uint32_t cells = Run::CellsOf(blocks);
  const uint32_t directory = cells_before > 1 ? run->hashes : 0;
  for (uint32_t i = cells; i < cells_before; ++i) cells_.Free(*HashCell(*run, i));
  if (directory != 0 && cells <= 1) {
    run->hashes = cells == 1 ? cells_[directory].numbers[0] : 0;
    cells_.Free(directory);
  }
  evicted_blocks_ += run->blocks - blocks;
  blocks_ -= run->blocks - blocks;
  // To look it up would touch memory that is about to go, too.
  if (blocks != run->blocks) run->last = 0;
  run->blocks = static_cast<uint16_t>(blocks);
  run->met = std::min(run->met, run->blocks);
}

void IndexShard::Remove(uint32_t cell) {
  Run& run = cells_[cell].run;
  for (uint32_t i = 0; i < run.hash_cells(); ++i) cells_.Free(*HashCell(run, i));
  if (run.hash_cells() > 1) cells_.Free(run.hashes);
  blocks_ -= run.blocks;
  holders_.FreeAll(&run);
  table_.Erase(run.name, cell);
  Unlink(cell);
  cells_.Free(cell);
}

void IndexShard::LinkNewest(uint32_t cell) {
  Run& run = cells_[cell].run;
  run.newer = 0;
  run.older = newest_;
  (newest_ != 0 ? cells_[newest_].run.newer : oldest_) = cell;
  newest_ = cell;
}

void IndexShard::Unlink(uint32_t cell) {
  const Run& run = cells_[cell].run;
  (run.newer != 0 ? cells_[run.newer].run.older : newest_) = run.older;
  (run.older != 0 ? cells_[run.older].run.newer : oldest_) = run.newer;
}

std::vector<uint64_t> IndexShard::Names(size_t blocks_max) const {
  std::vector<uint64_t> names;
  const MutexLock lock(mutex_);
  size_t blocks = 0;
  for (uint32_t cell = newest_; cell != 0 && blocks < blocks_max;) {
    const Run& run = cells_[cell].run;
    names.push_back(run.name);
    blocks += run.blocks;
    cell = run.older;
  }
  return names;
}

bool IndexShard::Copy(uint64_t name, RunCopy* copy) {
  if (!has_room()) return false;
  const MutexLock lock(mutex_);
  const uint32_t cell = table_.Find(name);
  if (cell == 0) return false;
  Run& run = cells_[cell].run;
  copy->name = name;
  copy->base = run.base;
  copy->hashes.clear();
  for (uint32_t at = 0; at + 1 < run.blocks; ++at) {
    copy->hashes.push_back(cells_[*HashCell(run, at / kCellHashes)].hashes[at % kCellHashes]);
  }
  copy->holders.clear();
  holders_.Refresh(&run);
  holders_.ForEachListed(
      &run, [copy](uint32_t slot, uint32_t blocks) { copy->holders.push_back({slot, blocks}); });
  holders_.ForEachInTable(
      run, [copy](uint32_t slot, uint32_t blocks) { copy->holders.push_back({slot, blocks}); });
  return true;
}

IndexShard::Stats IndexShard::stats() const {
  const MutexLock lock(mutex_);
  return {sizeof(*this) + table_.bytes() + cells_.bytes(), blocks_, evicted_blocks_};
}

}  // namespace gw::internal
