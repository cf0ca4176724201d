// Holders: which endpoints hold how much of a run.
//
// A holder is an endpoint's use of the run: how many leading blocks, and the touch by which one
// that is gone since is told. Two stand in the run itself, some fifty in a list; beyond that they
// stand in a table by slot, with a bit for those that hold as much as most do, so that candidates
// are told apart 64 at a time.
//
// An endpoint has one use of a run, or two where it is counted what it lets go: of the blocks that
// it was sent last, and of those behind them, which it was sent earlier and lets go earlier. So a
// system prompt that everybody sends does not keep the conversation behind it that began the run.
//
// Works on one shard's memory, under its lock.

#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "prefix/cell_pool.h"
#include "prefix/endpoints.h"
#include "prefix/run.h"

namespace gw::internal {

class Holders {
 public:
  static constexpr size_t kListMax = 48;
  // Cells that Add may need.
  static constexpr size_t kCellsPerUse = 3;

  Holders(CellPool* cells, const Endpoints* endpoints) : cells_(*cells), endpoints_(*endpoints) {}

  // Drops listed uses that are no more. Returns the most blocks that anybody may hold.
  uint32_t Refresh(Run* run);
  // The endpoint holds the leading `blocks`. Without memory for that it is left out.
  void Add(Run* run, const Touch& touch, uint32_t blocks);
  uint32_t HeldBy(Run* run, uint32_t slot) const;
  // The endpoint holds no more than the leading `blocks` of the run; `moves`: what it no longer
  // holds, unless nullptr.
  void Trim(Run* run, uint32_t slot, uint32_t blocks, std::vector<Move>* moves);
  // Nobody holds more than this: before other blocks are put behind them.
  void Clamp(Run* run, uint32_t blocks);
  void FreeAll(Run* run);

  // Cells that MakeTable needs; 0 if the list is short enough, or there is a table.
  size_t TableCells(Run* run) const;
  // REQUIRES: as many cells are unused
  void MakeTable(Run* run);

  // f(slot, blocks) for each listed use. They are as they were when last refreshed.
  template <class F>
  void ForEachListed(Run* run, F f) const {
    for (Place place(cells_, *run); place.index < run->holder_count; place.Next()) {
      f(uint32_t{place.slot()}, std::min<uint32_t>(BlocksOf(place.use()), run->blocks));
    }
  }
  // The same of the table, as they are.
  template <class F>
  void ForEachInTable(const Run& run, F f) const {
    for (uint32_t cell = run.dense_holders; cell != 0; cell = cells_[cell].group.next) {
      const HolderGroup& group = cells_[cell].group;
      for (uint32_t i = 0; i < HolderGroup::kSlots; ++i) {
        const uint32_t slot = group.group * HolderGroup::kSlots + i;
        const uint32_t held = HeldByTable(run, slot);
        if (held != 0) f(slot, held);
      }
    }
  }
  // What the table knows; 0 without one.
  uint32_t HeldByTable(const Run& run, uint32_t slot) const;
  // Who of the 64 slots of a group holds at least `blocks` by the table.
  uint64_t WhoHolds(const Run& run, HolderGroup* group, uint32_t blocks);
  HolderGroup* GroupAt(uint32_t cell) const { return cell == 0 ? nullptr : &cells_[cell].group; }
  HolderGroup* GroupOf(const Run& run, uint32_t slot) const;

 private:
  // A place in the list.
  struct Place {
    Place(CellPool& pool, Run& of) : cells(pool), run(of) {}
    uint64_t& use() const {
      return index < Run::kInlineHolders
                 ? run.uses[index]
                 : cells[cell].holders.uses[(index - Run::kInlineHolders) % HolderCell::kHolders];
    }
    uint16_t& slot() const {
      return index < Run::kInlineHolders
                 ? run.slots[index]
                 : cells[cell].holders.slots[(index - Run::kInlineHolders) % HolderCell::kHolders];
    }
    void Next() {
      ++index;
      if (index < Run::kInlineHolders || !begins_cell()) return;
      cell = cell == 0 ? run.more_holders : cells[cell].holders.next;
    }
    bool begins_cell() const { return (index - Run::kInlineHolders) % HolderCell::kHolders == 0; }
    CellPool& cells;
    Run& run;
    uint32_t index = 0;
    uint32_t cell = 0;
  };

  // What an endpoint holds of a run: the latest use first, each further than the one before.
  static constexpr size_t kUsesMax = 2;
  struct Uses {
    static constexpr size_t kMax = 4;
    uint64_t uses[kMax];
    size_t count = 0;
    void Put(uint64_t use) { uses[count++] = use; }
    void Order();
    void Tell(int32_t sign, std::vector<Move>* moves) const;
  };
  static void Limit(Uses* uses);

  // Keeps the listed uses of which `keep(slot, &use)` is true.
  template <class F>
  void Filter(Run* run, F keep);
  void Shorten(Run* run, uint32_t count);
  void Append(Run* run, uint32_t slot, uint64_t use);

  uint64_t* TableUse(const Run& run, uint32_t slot) const;
  bool SetInTable(Run* run, uint32_t slot, uint64_t use);
  uint64_t* MakeTableUse(Run* run, uint32_t slot);
  void Recheck(const Run& run, HolderGroup* group);
  uint32_t Held(const Run& run, uint32_t slot, uint64_t use) const {
    if (!endpoints_.Holds(slot, TouchOf(use))) return 0;
    return std::min<uint32_t>(BlocksOf(use), run.blocks);
  }

  CellPool& cells_;
  const Endpoints& endpoints_;
};

template <class F>
void Holders::Filter(Run* run, F keep) {
  Place to(cells_, *run);
  for (Place from(cells_, *run); from.index < run->holder_count; from.Next()) {
    uint64_t use = from.use();
    const uint16_t slot = from.slot();
    if (!keep(slot, &use)) continue;
    to.use() = use;
    to.slot() = slot;
    to.Next();
  }
  if (to.index < run->holder_count) Shorten(run, to.index);
}

}  // namespace gw::internal
