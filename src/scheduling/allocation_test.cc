// A decision allocates nothing once its working memory has grown. The whole test program's operator
// new is replaced by one that counts per thread.

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "scheduling/registry.h"
#include "scheduling/test_pool.h"

namespace {
thread_local size_t allocations = 0;
}  // namespace

// The pair below matches itself; inlined, it looks to the compiler as if it did not.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace gw {
namespace {

TEST(Allocation, TheCounterCounts) {
  const size_t before = allocations;
  ::operator delete(::operator new(1));
  EXPECT_GT(allocations, before);
}

TEST(Allocation, ADecisionAllocatesNothingInSteadyState) {
  TestPool pool(64);
  for (size_t i = 0; i < 64; i += 2) {
    pool.state(i).set_lora(std::make_shared<const LoraAdapters>(
        LoraAdapters{.max_active = 2, .base_model = "base", .running = {"sql"}}));
  }
  pool.state(5).scraped_at_ns = 0;
  InferenceRequest request;
  request.target_model = "sql";
  request.prefix_blocks.resize(32);
  Random random(1);
  SchedulingScratch scratch;
  Candidates candidates;
  PoolMemory memory;
  std::vector<std::shared_ptr<const Profile>> profiles = {LoadProfile()};
  for (const std::string_view name : StrategyNames()) profiles.push_back(ProfileNamed(name));
  for (const auto& profile : profiles) {
    size_t before = 0;
    for (int i = 0; i < 100; ++i) {
      SampleEndpoints(pool.pool, request, pool.now(), {}, &candidates);
      const Decision decision = profile->Schedule(request, &candidates, random, &scratch,
                                                  {.now = pool.now(), .memory = &memory});
      ASSERT_NE(decision.endpoint, nullptr);
      if (i == 0) before = allocations;
    }
    EXPECT_EQ(allocations, before) << profile->name();
  }
}

}  // namespace
}  // namespace gw
