// Recency: how many blocks one endpoint was sent, by when it was last sent them, so that those that
// its cache has let go since are no longer believed to be there.
//
// Time is the number of a touch (prefix/endpoints.h). A block counts in the bucket of its last
// touch; when more are held than the endpoint has room for, the oldest bucket goes, which is one
// number that moves: uses up to it are gone (Endpoints::Holds), wherever they stand. So the least
// recently used go first, some hundredths of the whole at a time, and nothing is kept by block.
//
// Blocks that the index forgot for want of memory still count until their time: the endpoint has
// them. Not thread-safe.

#pragma once

#include <cstddef>
#include <cstdint>

namespace gw::internal {

class Recency {
 public:
  // `blocks` that were last touched at `number`; negative: they are no longer of that time. What
  // was let go is not counted.
  void Add(uint64_t number, int64_t blocks, uint64_t blocks_max);
  // Lets go until at most `blocks_max` are held. Returns the number up to which all are gone.
  uint64_t Trim(uint64_t blocks_max);
  // All that was touched up to `number` is gone.
  void Forget(uint64_t number);

  int64_t held() const { return held_; }

 private:
  static constexpr size_t kBuckets = 64;

  size_t Find(uint64_t number) const;
  void Close();
  void MergeSmallest();
  void DropOldest(size_t count);

  uint64_t gone_ = 0;    // touches up to here
  uint64_t newest_ = 0;  // touch of all
  int64_t held_ = 0;
  size_t closed_ = 0;           // buckets before the open one
  uint64_t until_[kBuckets];    // last number of each closed bucket
  int32_t blocks_[kBuckets]{};  // of the closed ones, and of the open one behind them
};

}  // namespace gw::internal
