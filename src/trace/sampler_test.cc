#include "trace/sampler.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

TEST(Sampler, TheCallersDecisionHolds) {
  const TraceContext sampled{{1, 1}, 1, true};
  const TraceContext left_out{{1, 1}, 1, false};
  EXPECT_TRUE(Sampler(0).Keeps(sampled, sampled.trace));
  EXPECT_FALSE(Sampler(1).Keeps(left_out, left_out.trace));
}

TEST(Sampler, ItsEndsAreAllAndNone) {
  for (const uint64_t low : {uint64_t{1}, UINT64_MAX / 2, UINT64_MAX}) {
    EXPECT_TRUE(Sampler(1).Keeps(std::nullopt, {0, low}));
    EXPECT_FALSE(Sampler(0).Keeps(std::nullopt, {0, low}));
  }
}

TEST(Sampler, KeepsTheShareThatIsWanted) {
  Random random(1);
  const Sampler hundredth(0.01);
  int kept = 0;
  for (int i = 0; i < 100'000; ++i) kept += hundredth.Keeps(std::nullopt, NewTraceId(random));
  // Five standard deviations of 31.5 each.
  EXPECT_NEAR(kept, 1000, 158);
}

TEST(Sampler, DecidesByTheIdAloneAndALargerShareKeepsWhatASmallerOneKeeps) {
  Random random(2);
  const Sampler small(0.1);
  const Sampler large(0.4);
  for (int i = 0; i < 10'000; ++i) {
    const TraceId id = NewTraceId(random);
    EXPECT_EQ(small.Keeps(std::nullopt, id), Sampler(0.1).Keeps(std::nullopt, id));
    if (small.Keeps(std::nullopt, id)) EXPECT_TRUE(large.Keeps(std::nullopt, id));
  }
}

// The bound as OpenTelemetry's SDKs have it: of the id's low 63 bits.
TEST(Sampler, ComparesAsOthersDo) {
  EXPECT_TRUE(Sampler(0.5).Keeps(std::nullopt, {UINT64_MAX, 0x7fffffffffffffff}));
  EXPECT_FALSE(Sampler(0.5).Keeps(std::nullopt, {0, 0x8000000000000000}));
}

}  // namespace
}  // namespace gw
