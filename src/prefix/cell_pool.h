// CellPool: the memory of one shard. All of it is reserved at construction and never moved; the
// system backs a page of it when it is first written, so it is taken as it fills. Not thread-safe.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "base/check.h"
#include "prefix/run.h"

namespace gw::internal {

class CellPool {
 public:
  // Cell 0 is not used: 0 means none.
  void Reserve(size_t cells_max) {
    cells_max_ = cells_max;
    if (cells_max == 0) return;
    cells_.reset(static_cast<Cell*>(std::aligned_alloc(64, (cells_max + 1) * sizeof(Cell))));
    CHECK(cells_ != nullptr);
  }

  Cell& operator[](uint32_t cell) { return cells_[cell]; }
  const Cell& operator[](uint32_t cell) const { return cells_[cell]; }

  // REQUIRES: unused() > 0
  uint32_t Allocate() {
    DCHECK(unused() > 0);
    if (first_free_ == 0) return static_cast<uint32_t>(++cells_used_);
    const uint32_t cell = first_free_;
    first_free_ = cells_[cell].next_free;
    --free_cells_;
    return cell;
  }
  void Free(uint32_t cell) {
    cells_[cell].next_free = first_free_;
    first_free_ = cell;
    ++free_cells_;
  }

  size_t max() const { return cells_max_; }
  size_t unused() const { return free_cells_ + (cells_max_ - cells_used_); }
  // Ever taken, cell 0 included.
  size_t bytes() const { return cells_max_ == 0 ? 0 : (cells_used_ + 1) * sizeof(Cell); }

 private:
  struct Release {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::unique_ptr<Cell[], Release> cells_;
  size_t cells_max_ = 0;   // without cell 0
  size_t cells_used_ = 0;  // ever; those beyond were never touched
  size_t free_cells_ = 0;
  uint32_t first_free_ = 0;
};

}  // namespace gw::internal
