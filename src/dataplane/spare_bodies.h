// SpareBodies: the memory of bodies that have ended, kept for those to come. The allocator would
// give such large pieces back to the system, and the next body would have every page faulted in
// again: 35 of the 203 us that a request of 128 KB cost.
//
// Of one worker, on its thread. What is kept is bounded (spare_body_bytes).

#pragma once

#include <cstddef>
#include <cstdlib>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace gw {

class SpareBodies {
 public:
  struct FreeDeleter {
    void operator()(char* p) const { std::free(p); }
  };
  using Memory = std::unique_ptr<char, FreeDeleter>;  // of malloc
  // Smaller ones the allocator keeps itself.
  static constexpr size_t kSpareMin = 32 * 1024;

  // `on_full`: a piece goes back to the allocator as `bytes_max` are kept.
  explicit SpareBodies(
      size_t bytes_max, std::function<void()> on_full = [] {})
      : bytes_max_(bytes_max), on_full_(std::move(on_full)) {}

  // The smallest piece of at least `bytes`, and its size; nullptr: there is none.
  std::pair<Memory, size_t> Take(size_t bytes) {
    size_t best = pieces_.size();
    for (size_t i = 0; i < pieces_.size(); ++i) {
      if (pieces_[i].bytes < bytes) continue;
      if (best == pieces_.size() || pieces_[i].bytes < pieces_[best].bytes) best = i;
    }
    if (best == pieces_.size()) return {nullptr, 0};
    std::swap(pieces_[best], pieces_.back());
    Piece piece = std::move(pieces_.back());
    pieces_.pop_back();
    kept_ -= piece.bytes;
    return {std::move(piece.memory), piece.bytes};
  }

  void Keep(Memory memory, size_t bytes) {
    if (bytes < kSpareMin) return;
    if (kept_ + bytes > bytes_max_) {
      on_full_();
      return;
    }
    pieces_.push_back({std::move(memory), bytes});
    kept_ += bytes;
  }

  size_t kept() const { return kept_; }

 private:
  struct Piece {
    Memory memory;
    size_t bytes;
  };

  const size_t bytes_max_;
  const std::function<void()> on_full_;
  size_t kept_ = 0;
  std::vector<Piece> pieces_;
};

}  // namespace gw
