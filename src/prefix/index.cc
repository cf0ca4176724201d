#include "prefix/index.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <vector>

#include "base/check.h"
#include "prefix/block_names.h"
#include "prefix/endpoints.h"
#include "prefix/shard.h"
#include "prefix/survivors.h"

namespace gw {
namespace {

using internal::BlockNames;
using internal::BlockPlace;
using internal::Endpoints;
using internal::IndexShard;
using internal::kRunBlocksMax;
using internal::Survivors;
using internal::Touch;

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

// Walks of one insertion. More than one are needed where other threads insert the same prompt.
constexpr int kWalksMax = 8;

// No endpoint holds more; what is counted fits 32 bits.
constexpr uint64_t kBlocksMaxMax = 1u << 30;

}  // namespace

struct PrefixIndex::Impl {
  explicit Impl(const Options& options);

  size_t fixed_bytes() const;
  // Set aside for what is counted by endpoint: 10,000 of them at 256 MiB.
  size_t counts_bytes_max() const {
    return std::min(options.bytes_max / 32, Endpoints::CountsBytes(options.endpoints_max));
  }
  // The shard of a run, by its name: a long prompt's runs spread over all, and no lock is held for
  // more than one of them.
  IndexShard& ShardOf(uint64_t name) {
    const uint64_t mixed = name * 0xD6E8FEB86659FD93;
    return *shards[(mixed >> 40) & (shards.size() - 1)];
  }
  // A prompt's memory is asked for at once, not a run after the other: where nothing of a prompt
  // was known before, its runs begin at such places.
  void PrefetchNames(std::span<const uint64_t> hashes) {
    for (size_t at = 0; at < hashes.size(); at += kRunBlocksMax) {
      ShardOf(hashes[at]).PrefetchName(hashes[at]);
    }
  }
  void PrefetchRuns(std::span<const uint64_t> hashes) {
    for (size_t at = 0; at < hashes.size(); at += kRunBlocksMax) {
      ShardOf(hashes[at]).PrefetchRun(hashes[at]);
    }
  }
  // `first`: number of hashes[0] in its prompt, as in all below.
  bool Walk(std::span<const uint64_t> hashes, size_t first, const Touch& touch, uint32_t held,
            bool may_append);
  void WalkAll(std::span<const uint64_t> hashes, size_t first, const Touch& touch, uint32_t held);
  size_t EndOfNew(std::span<const uint64_t> hashes, size_t at);
  bool AddRuns(std::span<const uint64_t> hashes, size_t first, size_t from, const Touch& touch);
  BlockPlace UseMarks(std::span<const uint64_t> marks, const Touch& touch);
  size_t UseRunBehind(const BlockPlace& place, std::span<const uint64_t> tail, size_t first,
                      const Touch& touch);
  template <class F>
  void ForEachRun(std::span<const uint64_t> hashes, size_t first, F f);
  void NameMarks(std::span<const uint64_t> hashes, size_t first, const BlockPlace& begin);
  void NameAllMarks(std::span<const uint64_t> hashes, size_t first, size_t held);

  const Options options;
  Endpoints endpoints;
  BlockNames names;
  std::vector<std::unique_ptr<IndexShard>> shards;
  Counters counters[kCounterStripes];
};

PrefixIndex::Impl::Impl(const Options& options)
    : options(options),
      endpoints(options.endpoints_max, counts_bytes_max()),
      names(std::min(options.names_bytes_max, options.bytes_max)),
      shards(options.shards) {
  const size_t fixed = fixed_bytes() + counts_bytes_max() + names.bytes();
  const size_t left = options.bytes_max > fixed ? options.bytes_max - fixed : 0;
  for (auto& shard : shards) {
    shard = std::make_unique<IndexShard>(left / options.shards, &endpoints);
  }
}

size_t PrefixIndex::Impl::fixed_bytes() const {
  return sizeof(PrefixIndex) + sizeof(Impl) + shards.size() * sizeof(shards[0]) +
         Endpoints::FixedBytes(options.endpoints_max);
}

// One walk over the runs that the prompt meets, and what is new between and behind them. False:
// another thread wrote some of that meanwhile, so that a run was met which the touch's endpoint is
// not said to hold.
bool PrefixIndex::Impl::Walk(std::span<const uint64_t> hashes, size_t first, const Touch& touch,
                             uint32_t held, bool may_append) {
  size_t at = 0;
  size_t begin = 0;  // of the run that was met last
  IndexShard::Met last;
  while (at < hashes.size()) {
    const auto rest = hashes.subspan(at);
    const auto base = static_cast<uint32_t>(first + at);
    const auto met = ShardOf(rest.front()).Use(rest, base, touch, held > at ? held - at : 0);
    if (met.blocks != 0) {
      begin = at;
      last = met;
      at += met.blocks;
      continue;
    }
    if (may_append && last.to_its_end && last.blocks < kRunBlocksMax) {
      const size_t end = std::min<size_t>(begin + kRunBlocksMax, hashes.size());
      const auto grown = hashes.subspan(begin, end - begin);
      const auto run_base = static_cast<uint32_t>(first + begin);
      if (!ShardOf(grown.front()).Append(grown, run_base, last.blocks, touch)) return false;
      at = end;
    } else {
      const size_t end = EndOfNew(hashes, at);
      if (!AddRuns(hashes.first(end), first, at, touch)) return false;
      at = end;
    }
    last = {};
  }
  return true;
}

// The next place where a run may stand that is there already, and whose beginning was forgotten: it
// may be left early, so that what comes behind it must not be written before.
size_t PrefixIndex::Impl::EndOfNew(std::span<const uint64_t> hashes, size_t at) {
  do {
    at += kRunBlocksMax;
  } while (at < hashes.size() && !ShardOf(hashes[at]).Has(hashes[at]));
  return std::min(at, hashes.size());
}

// The last one first: what was written first is forgotten first, and the end of a prompt is of no
// use without its beginning.
bool PrefixIndex::Impl::AddRuns(std::span<const uint64_t> hashes, size_t first, size_t from,
                                const Touch& touch) {
  bool added = true;
  const size_t runs = (hashes.size() - from + kRunBlocksMax - 1) / kRunBlocksMax;
  for (size_t i = runs; i-- > 0;) {
    const size_t at = from + i * kRunBlocksMax;
    const auto rest = hashes.subspan(at);
    added &= ShardOf(rest.front()).Add(rest, static_cast<uint32_t>(first + at), touch);
  }
  return added;
}

void PrefixIndex::Impl::WalkAll(std::span<const uint64_t> hashes, size_t first, const Touch& touch,
                                uint32_t held) {
  // To append may fail for want of room, and then it will again.
  for (int i = 0; i < kWalksMax && !Walk(hashes, first, touch, held, i % 2 == 0); ++i) {
  }
}

// f(at, blocks) for each run that the prompt meets, from hashes[at] on.
template <class F>
void PrefixIndex::Impl::ForEachRun(std::span<const uint64_t> hashes, size_t first, F f) {
  for (size_t at = 0; at < hashes.size();) {
    const auto rest = hashes.subspan(at);
    const uint32_t blocks = ShardOf(rest.front()).Peek(rest, static_cast<uint32_t>(first + at));
    if (blocks == 0) return;
    f(at, blocks);
    at += blocks;
  }
}

// Of blocks that stand in one run, the first of them at `begin`.
void PrefixIndex::Impl::NameMarks(std::span<const uint64_t> hashes, size_t first,
                                  const BlockPlace& begin) {
  const size_t before = kMarkStride - 1 - first % kMarkStride;
  for (size_t at = before; at < hashes.size(); at += kMarkStride) {
    names.Put(hashes[at], {begin.run, begin.base, begin.offset + static_cast<uint32_t>(at),
                           static_cast<uint32_t>(hashes[at])});
  }
}

void PrefixIndex::Impl::NameAllMarks(std::span<const uint64_t> hashes, size_t first, size_t held) {
  if (!options.marks || MarkedOf(first + hashes.size()) <= first + held) return;
  ForEachRun(hashes, first, [&](size_t at, uint32_t blocks) {
    if (at + blocks <= held) return;
    const auto base = static_cast<uint32_t>(first + at);
    NameMarks(hashes.subspan(at, blocks), first + at, {hashes[at], base, 0, 0});
  });
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
  size_t at = 0;
  while (at < hashes.size() && !survivors.none()) {
    const auto rest = hashes.subspan(at);
    const auto met =
        impl_->ShardOf(rest.front()).Match(rest, static_cast<uint32_t>(at), &survivors);
    if (met.blocks == 0) break;
    at += met.blocks;
  }
  const uint32_t held = survivors.Finish(static_cast<uint32_t>(at));
  Counters& counters = impl_->counters[ThreadStripe()];
  counters.lookups.fetch_add(1, std::memory_order_relaxed);
  counters.looked_up_blocks.fetch_add(hashes.size(), std::memory_order_relaxed);
  counters.hit_blocks.fetch_add(held, std::memory_order_relaxed);
}

void PrefixIndex::Insert(std::span<const uint64_t> hashes, uint32_t slot, uint32_t held,
                         uint64_t blocks_max) {
  CHECK(slot < impl_->options.endpoints_max && held <= hashes.size());
  blocks_max = impl_->options.guesses_evictions ? std::min(blocks_max, kBlocksMaxMax) : 0;
  if (blocks_max != 0) hashes = hashes.first(std::min<size_t>(hashes.size(), blocks_max));
  const Touch touch = impl_->endpoints.Begin(slot, hashes.size(), blocks_max);
  if (held >= hashes.size() && touch.moves == nullptr) return;
  // What was just matched is near.
  if (held == 0) {
    impl_->PrefetchNames(hashes);
    impl_->PrefetchRuns(hashes);
  }
  impl_->WalkAll(hashes, 0, touch, held);
  impl_->endpoints.End(touch, blocks_max);
  impl_->NameAllMarks(hashes, 0, held);
}

// Where the last of the marks stands; a run of no name: not known.
BlockPlace PrefixIndex::Impl::UseMarks(std::span<const uint64_t> marks, const Touch& touch) {
  BlockPlace last;  // of the run that is met, where the last mark in it stands
  for (size_t i = 0; i < marks.size(); ++i) {
    BlockPlace place;
    const size_t number = (i + 1) * kMarkStride - 1;
    if (!names.Find(marks[i], &place) || place.base + place.offset != number) continue;
    // The prompt leaves a run where the next one begins, or before.
    if (last.run != 0 && last.run != place.run) {
      const uint32_t end = place.base > last.base ? place.base - last.base : 0;
      ShardOf(last.run).UseUpTo(last, end, touch);
    }
    last = place;
  }
  const bool is_last = last.base + last.offset + 1 == marks.size() * kMarkStride;
  if (last.run != 0 && !is_last) ShardOf(last.run).UseUpTo(last, 0, touch);
  return is_last ? last : BlockPlace{};
}

// The part of the tail that goes on in the run of the block before it. Returns its blocks.
size_t PrefixIndex::Impl::UseRunBehind(const BlockPlace& place, std::span<const uint64_t> tail,
                                       size_t first, const Touch& touch) {
  IndexShard::Met met;
  if (!ShardOf(place.run).UseBehind(place, tail, touch, &met)) return 0;
  size_t used = met.blocks;
  BlockPlace end = place;
  end.offset += met.blocks;
  if (met.blocks > 0) end.hash = static_cast<uint32_t>(tail[met.blocks - 1]);
  if (met.to_its_end && end.offset + 1 < kRunBlocksMax && used < tail.size()) {
    const size_t room = kRunBlocksMax - 1 - end.offset;
    const auto more = tail.subspan(used, std::min(room, tail.size() - used));
    const bool is_new = !ShardOf(more.front()).Has(more.front());
    if (is_new && ShardOf(place.run).AppendBehind(end, more, touch)) used += more.size();
  }
  BlockPlace begin = place;
  ++begin.offset;
  NameMarks(tail.first(used), first, begin);
  return used;
}

void PrefixIndex::InsertBehind(std::span<const uint64_t> marks, std::span<const uint64_t> tail,
                               uint32_t slot, uint64_t blocks_max) {
  CHECK(slot < impl_->options.endpoints_max && impl_->options.marks);
  blocks_max = impl_->options.guesses_evictions ? std::min(blocks_max, kBlocksMaxMax) : 0;
  const size_t marked = marks.size() * kMarkStride;
  if (blocks_max != 0) {
    // The end of what is too long counts for nothing.
    if (marked >= blocks_max) tail = {};
    tail = tail.first(std::min<size_t>(tail.size(), blocks_max - std::min(marked, blocks_max)));
  }
  const Touch touch = impl_->endpoints.Begin(slot, marked + tail.size(), blocks_max);
  size_t at = 0;
  if (!marks.empty()) {
    const BlockPlace place = impl_->UseMarks(marks, touch);
    if (place.run != 0) at = impl_->UseRunBehind(place, tail, marked, touch);
  }
  impl_->WalkAll(tail.subspan(at), marked + at, touch, 0);
  impl_->endpoints.End(touch, blocks_max);
  impl_->NameAllMarks(tail.subspan(at), marked + at, 0);
}

std::vector<uint64_t> PrefixIndex::RunNames(size_t blocks_max) const {
  std::vector<std::vector<uint64_t>> of_shards;
  size_t most = 0;
  for (const auto& shard : impl_->shards) {
    of_shards.push_back(shard->Names(blocks_max / impl_->shards.size()));
    most = std::max(most, of_shards.back().size());
  }
  std::vector<uint64_t> names;
  for (size_t i = most; i-- > 0;) {
    for (const auto& of_shard : of_shards) {
      if (i < of_shard.size()) names.push_back(of_shard[i]);
    }
  }
  return names;
}

bool PrefixIndex::CopyRun(uint64_t name, RunCopy* run) {
  return impl_->ShardOf(name).Copy(name, run);
}

void PrefixIndex::AdoptRun(const RunCopy& run, std::span<const uint64_t> blocks_max) {
  CHECK(blocks_max.size() == run.holders.size());
  std::vector<uint64_t> hashes = {run.name};
  hashes.insert(hashes.end(), run.hashes.begin(), run.hashes.end());
  if (hashes.size() > kRunBlocksMax) hashes.resize(kRunBlocksMax);
  IndexShard& shard = impl_->ShardOf(run.name);
  for (size_t i = 0; i < run.holders.size(); ++i) {
    const RunCopy::Holder& holder = run.holders[i];
    CHECK(holder.slot < impl_->options.endpoints_max);
    const auto held =
        std::span<const uint64_t>(hashes).first(std::min<size_t>(holder.blocks, hashes.size()));
    if (held.empty()) continue;
    const uint64_t most =
        impl_->options.guesses_evictions ? std::min(blocks_max[i], kBlocksMaxMax) : 0;
    const Touch touch = impl_->endpoints.Begin(holder.slot, run.base + held.size(), most);
    // All of it, so that it need not grow for one who holds more.
    if (!shard.Has(run.name)) shard.Add(hashes, run.base, touch, held.size());
    shard.Use(held, run.base, touch, 0);
    impl_->endpoints.End(touch, most);
  }
}

void PrefixIndex::CopyMarks(size_t part, size_t parts, std::vector<MarkCopy>* marks) const {
  const size_t buckets = impl_->names.buckets();
  marks->clear();
  impl_->names.ForEach(
      buckets * part / parts, buckets * (part + 1) / parts,
      [marks](uint64_t name, const BlockPlace& place) { marks->push_back({name, place}); });
}

void PrefixIndex::AdoptMark(const MarkCopy& mark) { impl_->names.Put(mark.name, mark.place); }

void PrefixIndex::Prefetch(std::span<const uint64_t> hashes) { impl_->PrefetchNames(hashes); }

void PrefixIndex::NameBlocks(std::span<const uint64_t> hashes, size_t first,
                             std::span<const uint64_t> names) {
  CHECK(first + names.size() <= hashes.size());
  const size_t end = first + names.size();
  for (size_t at = 0; at < end;) {
    const auto rest = hashes.subspan(at);
    const auto base = static_cast<uint32_t>(at);
    const uint32_t blocks = impl_->ShardOf(rest.front()).Peek(rest, base);
    if (blocks == 0) return;
    for (size_t i = std::max(at, first); i < std::min(at + blocks, end); ++i) {
      const bool is_new = impl_->names.Put(
          names[i - first],
          {rest.front(), base, static_cast<uint32_t>(i - at), static_cast<uint32_t>(hashes[i])});
      // Where the beginning of a prompt was forgotten before its end and written again, over more
      // than it had been, a run may begin at this block, too. No prompt comes to that as long as
      // this one is whole. When it no longer is, holders would come back there from whom the block
      // was removed here.
      if (is_new && i > at) impl_->ShardOf(hashes[i]).Drop(hashes[i], static_cast<uint32_t>(i));
    }
    at += blocks;
  }
}

bool PrefixIndex::HoldsBlock(uint64_t name, uint32_t slot) {
  BlockPlace place;
  return impl_->names.Find(name, &place) && impl_->ShardOf(place.run).HoldsBlock(place, slot);
}

bool PrefixIndex::RemoveBlock(uint64_t name, uint32_t slot) {
  CHECK(slot < impl_->options.endpoints_max);
  BlockPlace place;
  if (!impl_->names.Find(name, &place)) return false;
  const Touch touch = impl_->endpoints.BeginChange(slot);
  const bool held = impl_->ShardOf(place.run).RemoveBlock(place, slot, touch.moves);
  impl_->endpoints.End(touch, 0);
  return held;
}

void PrefixIndex::RemoveEndpoint(uint32_t slot) {
  CHECK(slot < impl_->options.endpoints_max);
  impl_->endpoints.Remove(slot);
}

PrefixIndex::Stats PrefixIndex::stats() const {
  Stats stats;
  stats.bytes = impl_->fixed_bytes() + impl_->endpoints.counts_bytes() + impl_->names.bytes();
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
