// The time of each scorer at 1,000 candidates, and of a whole decision (sample, filter, score,
// pick) by the number of endpoints, with its 99th percentile.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>

#include "base/check.h"
#include "scheduling/pool_memory.h"
#include "scheduling/registry.h"
#include "scheduling/test_pool.h"
#include "scheduling/test_views.h"

namespace gw {
namespace {

void Randomize(EndpointState& state, Random& random) {
  state.in_flight_requests = static_cast<int32_t>(random.Below(40));
  state.pending_prompt_tokens = static_cast<int64_t>(random.Below(100'000));
  state.waiting_requests = static_cast<float>(random.Below(8));
  state.running_requests = static_cast<float>(random.Below(40));
  state.kv_cache_utilization_ratio = static_cast<float>(random.Unit());
  state.decoding_context_tokens = static_cast<int64_t>(random.Below(100'000));
  state.context_tokens = static_cast<int64_t>(random.Below(200'000));
  state.cache_blocks = 20'000;
  state.cache_block_tokens = 16;
  state.busy.Begin(TimePoint(Duration(1)));
}

void BM_Scorer(benchmark::State& state, std::string_view name) {
  constexpr size_t kCandidates = 1000;
  TestPool pool(kCandidates);
  Random random(1);
  for (size_t i = 0; i < kCandidates; ++i) Randomize(pool.state(i), random);
  InferenceRequest request;
  request.prefix_blocks.resize(64);
  Candidates candidates;
  SampleEndpoints(pool.pool, request, pool.now(), {}, &candidates);
  for (uint32_t& tokens : candidates.mutable_prefix_hit_tokens()) {
    tokens = static_cast<uint32_t>(random.Below(4096));
  }
  std::vector<float> scores(candidates.size());
  const auto scorer = std::move(*NewScorer(name));
  for (auto _ : state) {
    scorer->Score(request, candidates, scores);
    benchmark::DoNotOptimize(scores.data());
  }
  state.SetItemsProcessed(state.iterations() * kCandidates);
}

// Every other endpoint has been seen to compute half as fast.
void LearnTwoSpeeds(TestPool& pool, size_t count, PoolMemory* memory) {
  constexpr int kSeconds = 60;
  for (int second = 0; second < kSeconds; ++second) {
    const TimePoint sent = pool.now() + std::chrono::seconds(second);
    for (size_t i = 0; i < count; ++i) {
      const Duration took = std::chrono::milliseconds(i % 2 == 0 ? 50 : 100);
      memory->OnFirstToken(pool.state(i), 1000, sent, sent + took);
    }
  }
  Candidates candidates;
  SampleEndpoints(pool.pool, {}, pool.now(), {}, &candidates);
  std::vector<float> seconds(candidates.size());
  memory->FillSecondsPerToken(candidates, seconds);
  CHECK(seconds[1] > 1.5F * seconds[0]);
}

enum class Fleet : uint8_t { kEqual, kMixed };

void BM_Decision(benchmark::State& state, std::shared_ptr<const Profile> profile, Fleet fleet) {
  const auto count = static_cast<size_t>(state.range(0));
  TestPool pool(count);
  Random random(1);
  for (size_t i = 0; i < count; ++i) Randomize(pool.state(i), random);
  InferenceRequest request;
  request.prefix_blocks.resize(64);
  Candidates candidates;
  SchedulingScratch scratch;
  PoolMemory memory;
  if (fleet == Fleet::kMixed) LearnTwoSpeeds(pool, count, &memory);
  std::vector<int64_t> took_ns;
  took_ns.reserve(1 << 20);
  const Clock& clock = RealClock();
  for (auto _ : state) {
    const TimePoint began = clock.Now();
    SampleEndpoints(pool.pool, request, pool.now(), {}, &candidates);
    const std::span<uint32_t> tokens = candidates.mutable_prefix_hit_tokens();
    for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = candidates.slots()[i] % 64 * 16;
    const Decision decision = profile->Schedule(request, &candidates, random, &scratch,
                                                {.now = pool.now(), .memory = &memory});
    benchmark::DoNotOptimize(decision.endpoint);
    if (took_ns.size() < took_ns.capacity()) took_ns.push_back((clock.Now() - began).count());
  }
  const auto p99 = took_ns.begin() + static_cast<std::ptrdiff_t>(took_ns.size() * 99 / 100);
  std::nth_element(took_ns.begin(), p99, took_ns.end());
  state.counters["p99_us"] = static_cast<double>(*p99) / 1000;
}

const bool registered = [] {
  for (std::string_view name : ScorerNames()) {
    benchmark::RegisterBenchmark(("scorer/" + std::string(name)).c_str(), BM_Scorer, name);
  }
  const auto decision = [](const std::string& name, std::string_view strategy, Fleet fleet) {
    benchmark::RegisterBenchmark(("decision/" + name).c_str(), BM_Decision, ProfileNamed(strategy),
                                 fleet)
        ->Arg(4)
        ->Arg(8)
        ->Arg(100)
        ->Arg(500)
        ->Arg(4000);
  };
  for (const std::string name : {"DEFAULT", "PREFIX_CACHE", "COST"}) {
    decision(name, name, Fleet::kEqual);
  }
  decision("COST, a mixed fleet", "COST", Fleet::kMixed);
  return true;
}();

}  // namespace
}  // namespace gw
