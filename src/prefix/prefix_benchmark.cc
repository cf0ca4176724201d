// Cost of hashing a prompt and of asking and teaching the prefix index, at the sizes of
// docs/performance.md: about a million blocks in the index, prompts that share a system prompt.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "base/random.h"
#include "prefix/block_hash.h"
#include "prefix/index.h"

namespace gw {
namespace {

constexpr size_t kConversations = 4096;
constexpr size_t kBlocks = 256;
constexpr size_t kSystemPrompts = 64;
constexpr size_t kSystemBlocks = 16;

std::vector<uint64_t> Conversation(uint64_t number) {
  std::vector<uint64_t> hashes;
  Random system(number % kSystemPrompts);
  for (size_t i = 0; i < kSystemBlocks; ++i) hashes.push_back(system.Next());
  Random own(1'000'000 + number);
  while (hashes.size() < kBlocks) hashes.push_back(own.Next());
  return hashes;
}

// One endpoint holds each conversation, a second one three quarters of it; the system prompts end
// up everywhere.
struct Loaded {
  explicit Loaded(uint32_t endpoints) : index({}), slots(endpoints) {
    std::iota(slots.begin(), slots.end(), 0);
    Random random(endpoints);
    for (uint64_t i = 0; i < kConversations; ++i) {
      prompts.push_back(Conversation(i));
      index.Insert(prompts.back(), static_cast<uint32_t>(random.Below(endpoints)));
      index.Insert(std::span(prompts.back()).first(kBlocks * 3 / 4),
                   static_cast<uint32_t>(random.Below(endpoints)));
    }
  }
  PrefixIndex index;
  std::vector<uint32_t> slots;
  std::vector<std::vector<uint64_t>> prompts;
};

Loaded& LoadedFor(uint32_t endpoints) {
  static std::unique_ptr<Loaded> loaded;
  if (loaded == nullptr || loaded->slots.size() != endpoints) {
    loaded = nullptr;
    loaded = std::make_unique<Loaded>(endpoints);
  }
  return *loaded;
}

void BM_HashBlocks(benchmark::State& state) {
  const std::string text(static_cast<size_t>(state.range(0)), 'x');
  std::vector<uint64_t> hashes;
  for (auto _ : state) {
    HashBlocks(text, 1, {}, &hashes);
    benchmark::DoNotOptimize(hashes.data());
  }
}
BENCHMARK(BM_HashBlocks)->Arg(2048)->Arg(16384)->Arg(128 << 10)->Arg(1 << 20)->Arg(4 << 20);

void SetBlocks(benchmark::State& state, size_t blocks) {
  state.counters["ns/block"] =
      benchmark::Counter(static_cast<double>(state.iterations() * blocks) * 1e-9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

// Whole prompts of all lengths, in an index that is full: one that nobody has seen, and that one
// once more with a turn behind it.
void BM_WholePrompt(benchmark::State& state) {
  PrefixIndex index({.bytes_max = 32 << 20});
  const size_t blocks = static_cast<size_t>(state.range(0)) / 64;
  const std::vector<uint32_t> slots = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  std::vector<uint32_t> hits(slots.size());
  const auto room = static_cast<uint64_t>(state.range(2));
  Random random(5);
  std::vector<uint64_t> prompt(blocks);
  for (uint64_t& hash : prompt) hash = random.Next();
  const auto renew = [&](size_t from) {
    for (size_t i = from; i < prompt.size(); ++i) prompt[i] += 0x9E3779B97F4A7C15;
  };
  while (index.stats().evicted_blocks < 1'000'000) {
    renew(0);
    index.Insert(prompt, static_cast<uint32_t>(random.Below(10)), 0, room);
  }
  const bool seen = state.range(1) != 0;
  for (auto _ : state) {
    renew(seen ? blocks - blocks / 16 : 0);
    index.Match(prompt, slots, hits);
    const auto slot = std::max_element(hits.begin(), hits.end()) - hits.begin();
    index.Insert(prompt, static_cast<uint32_t>(slot), hits[static_cast<size_t>(slot)], room);
  }
  SetBlocks(state, blocks);
}
BENCHMARK(BM_WholePrompt)
    ->ArgsProduct({{1 << 10, 16 << 10, 128 << 10, 1 << 20, 4 << 20}, {0, 1}, {0, 100'000}})
    ->ArgNames({"chars", "seen", "room"});

void BM_Match(benchmark::State& state) {
  Loaded& loaded = LoadedFor(static_cast<uint32_t>(state.range(0)));
  const size_t blocks = static_cast<size_t>(state.range(1));
  std::vector<uint32_t> hits(loaded.slots.size());
  Random random(7);
  for (auto _ : state) {
    const auto& prompt = loaded.prompts[random.Below(kConversations)];
    loaded.index.Match(std::span(prompt).first(blocks), loaded.slots, hits);
    benchmark::DoNotOptimize(hits.data());
  }
}
BENCHMARK(BM_Match)->ArgsProduct({{10, 100, 1000, 4000}, {32, 256}});

// Every endpoint holds the whole prompt: the worst case for a match.
void BM_MatchHeldByAll(benchmark::State& state) {
  PrefixIndex index({});
  std::vector<uint32_t> slots(static_cast<size_t>(state.range(0)));
  std::iota(slots.begin(), slots.end(), 0);
  const auto prompt = Conversation(1);
  for (const uint32_t slot : slots) index.Insert(prompt, slot);
  std::vector<uint32_t> hits(slots.size());
  for (auto _ : state) {
    index.Match(prompt, slots, hits);
    benchmark::DoNotOptimize(hits.data());
  }
}
BENCHMARK(BM_MatchHeldByAll)->Arg(10)->Arg(100)->Arg(1000)->Arg(4000);

// A prompt that was matched just before, as on the request path.
void BM_MatchThenInsert(benchmark::State& state) {
  Loaded& loaded = LoadedFor(100);
  std::vector<uint32_t> hits(loaded.slots.size());
  Random random(7);
  const auto room = static_cast<uint64_t>(state.range(0));
  for (auto _ : state) {
    const auto& prompt = loaded.prompts[random.Below(kConversations)];
    loaded.index.Match(prompt, loaded.slots, hits);
    loaded.index.Insert(prompt, static_cast<uint32_t>(random.Below(4)), 0, room);
  }
}
BENCHMARK(BM_MatchThenInsert)->Arg(0)->Arg(100'000);

// Prompts never seen before, in an index that is full, so that each block evicts another one.
void BM_InsertEvicting(benchmark::State& state) {
  PrefixIndex index({});
  uint64_t number = 0;
  while (index.stats().evicted_blocks < 1'000'000) index.Insert(Conversation(number++), 1);
  std::vector<std::vector<uint64_t>> prompts;
  for (int i = 0; i < 1000; ++i) prompts.push_back(Conversation(number++));
  size_t next = 0;
  for (auto _ : state) {
    auto& prompt = prompts[next++ % prompts.size()];
    for (uint64_t& hash : prompt) hash += next;
    index.Insert(prompt, 1);
  }
}
BENCHMARK(BM_InsertEvicting);

void BM_MatchThreads(benchmark::State& state) {
  Loaded& loaded = LoadedFor(1000);
  std::vector<uint32_t> hits(loaded.slots.size());
  Random random(static_cast<uint64_t>(state.thread_index()));
  for (auto _ : state) {
    const auto& prompt = loaded.prompts[random.Below(kConversations / 64) * 64];
    loaded.index.Match(prompt, loaded.slots, hits);
    loaded.index.Insert(prompt, static_cast<uint32_t>(random.Below(1000)));
  }
}
BENCHMARK(BM_MatchThreads)->Threads(1)->Threads(2)->UseRealTime();

}  // namespace
}  // namespace gw
