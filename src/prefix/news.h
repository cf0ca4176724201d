// PrefixNews: what one worker has inserted into the prefix index, on its way to whoever tells other
// gateways of it (peers/), in the form that their indexes take (PrefixIndex::InsertBehind).
//
// A ring of bounded size, from one thread to one other, without a lock. What finds no room is
// dropped and counted: a hint that is lost costs a hit at worst.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gw {

struct PrefixNote {
  uint32_t slot = 0;
  uint32_t block_chars = 0;         // how long a block is
  std::span<const uint64_t> marks;  // as InsertBehind has them
  std::span<const uint64_t> tail;
};

class PrefixNews {
 public:
  // REQUIRES: a power of two
  explicit PrefixNews(size_t words_max = size_t{1} << 17);

  // The writer's: a prompt was inserted for the endpoint at `slot`, whose `held` leading blocks
  // were known to be there before.
  void Put(uint32_t slot, size_t block_chars, std::span<const uint64_t> hashes, size_t held);
  // The reader's: the oldest one, until the next call. False: there is none.
  bool Take(PrefixNote* note);

  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kHeadWords = 2;

  std::vector<uint64_t> ring_;
  std::vector<uint64_t> taken_;  // the reader's
  alignas(64) std::atomic<uint64_t> written_{0};
  alignas(64) std::atomic<uint64_t> read_{0};
  std::atomic<uint64_t> dropped_{0};
};

}  // namespace gw
