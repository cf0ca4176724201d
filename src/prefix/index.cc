#include "prefix/index.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <vector>

#include "base/check.h"
#include "prefix/removals.h"
#include "prefix/shard.h"
#include "prefix/survivors.h"

namespace gw {
namespace {

using internal::IndexShard;
using internal::kSegmentBlocks;
using internal::Removals;
using internal::Survivors;

// Counters of Match, on a cache line per few threads.
struct alignas(64) Counters {
  std::atomic<uint64_t> lookups{0};
  std::atomic<uint64_t> looked_up_blocks{0};
  std::atomic<uint64_t> hit_blocks{0};
};
constexpr size_t kCounterStripes = 16;

size_t ThreadStripe() {
  static std::atomic<size_t> threads{0};
  static thread_local const size_t stripe = threads++ % kCounterStripes;
  return stripe;
}

size_t SegmentCount(std::span<const uint64_t> hashes) {
  return (hashes.size() + kSegmentBlocks - 1) / kSegmentBlocks;
}

std::span<const uint64_t> Segment(std::span<const uint64_t> hashes, size_t i) {
  const size_t begin = i * kSegmentBlocks;
  return hashes.subspan(begin, std::min(kSegmentBlocks, hashes.size() - begin));
}

}  // namespace

struct PrefixIndex::Impl {
  explicit Impl(const Options& options);

  size_t fixed_bytes() const;
  // The shard of a segment, by the name of its first block. A segment lies in one shard, so that it
  // takes one lock; by chaining, the name of its first block is the same wherever the segment is
  // met. Sharding by block would take a lock per block; sharding by the first block of the prompt
  // would put all requests with one system prompt behind one lock and into one shard's memory.
  IndexShard& ShardOf(std::span<const uint64_t> segment) {
    const uint64_t mixed = segment.front() * 0xD6E8FEB86659FD93;
    return *shards[(mixed >> 40) & (shards.size() - 1)];
  }

  // While one segment is looked up, the blocks of the one after it are loaded, and the table of the
  // one after that. A segment number that does not exist is passed over.
  void Prefetch(std::span<const uint64_t> hashes, size_t segments, size_t blocks, size_t table) {
    if (table < segments) {
      const auto segment = Segment(hashes, table);
      ShardOf(segment).PrefetchTable(segment);
    }
    if (blocks < segments) {
      const auto segment = Segment(hashes, blocks);
      ShardOf(segment).PrefetchBlocks(segment);
    }
  }

  const Options options;
  Removals removals;
  std::vector<std::unique_ptr<IndexShard>> shards;
  Counters counters[kCounterStripes];
};

PrefixIndex::Impl::Impl(const Options& options)
    : options(options), removals(options.endpoints_max), shards(options.shards) {
  const size_t fixed = fixed_bytes();
  const size_t left = options.bytes_max > fixed ? options.bytes_max - fixed : 0;
  for (auto& shard : shards) {
    shard = std::make_unique<IndexShard>(left / options.shards, &removals);
  }
}

size_t PrefixIndex::Impl::fixed_bytes() const {
  return sizeof(PrefixIndex) + sizeof(Impl) + shards.size() * sizeof(shards[0]) +
         options.endpoints_max * sizeof(std::atomic<uint32_t>);
}

PrefixIndex::PrefixIndex(const Options& options) {
  CHECK(std::has_single_bit(options.shards));
  CHECK(options.endpoints_max <= 65536);
  impl_ = std::make_unique<Impl>(options);
}

PrefixIndex::~PrefixIndex() = default;

void PrefixIndex::Match(std::span<const uint64_t> hashes, std::span<const uint32_t> slots,
                        std::span<uint32_t> hit_blocks) {
  CHECK(slots.size() == hit_blocks.size());
  Survivors survivors(slots, hit_blocks);
  uint32_t held = 0;
  const size_t segments = survivors.none() ? 0 : SegmentCount(hashes);
  impl_->Prefetch(hashes, segments, 0, 1);
  for (size_t i = 0; i < segments; ++i) {
    impl_->Prefetch(hashes, segments, i + 1, i + 2);
    const auto segment = Segment(hashes, i);
    const size_t count = impl_->ShardOf(segment).Match(segment, held, &survivors);
    held += static_cast<uint32_t>(count);
    if (count < segment.size()) break;
  }
  survivors.Finish(held);
  Counters& counters = impl_->counters[ThreadStripe()];
  counters.lookups.fetch_add(1, std::memory_order_relaxed);
  counters.looked_up_blocks.fetch_add(hashes.size(), std::memory_order_relaxed);
  counters.hit_blocks.fetch_add(held, std::memory_order_relaxed);
}

void PrefixIndex::Insert(std::span<const uint64_t> hashes, uint32_t slot, uint32_t held) {
  CHECK(slot < impl_->options.endpoints_max && held <= hashes.size());
  if (held == hashes.size()) return;
  // From the end, so that the beginning, without which the rest cannot be found, is the last used.
  const size_t segments = SegmentCount(hashes);
  impl_->Prefetch(hashes, segments, segments - 1, segments - 2);
  // A segment that is held in part goes in whole.
  for (size_t i = segments; i-- > held / kSegmentBlocks;) {
    impl_->Prefetch(hashes, segments, i - 1, i - 2);
    const auto segment = Segment(hashes, i);
    impl_->ShardOf(segment).Insert(segment, static_cast<uint16_t>(slot));
  }
}

void PrefixIndex::RemoveEndpoint(uint32_t slot) {
  CHECK(slot < impl_->options.endpoints_max);
  impl_->removals.Remove(slot);
}

PrefixIndex::Stats PrefixIndex::stats() const {
  Stats stats;
  stats.bytes = impl_->fixed_bytes();
  for (const auto& shard : impl_->shards) {
    const IndexShard::Stats part = shard->stats();
    stats.bytes += part.bytes;
    stats.blocks += part.blocks;
    stats.evicted_blocks += part.evicted_blocks;
  }
  for (const Counters& counters : impl_->counters) {
    stats.lookups += counters.lookups.load(std::memory_order_relaxed);
    stats.looked_up_blocks += counters.looked_up_blocks.load(std::memory_order_relaxed);
    stats.hit_blocks += counters.hit_blocks.load(std::memory_order_relaxed);
  }
  return stats;
}

}  // namespace gw
