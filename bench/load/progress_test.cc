#include "bench/load/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace gw::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

LiveFigures At(int second, uint64_t asked, std::vector<Duration> ttfts) {
  return {.now = seconds(second),
          .asked = asked,
          .in_flight = 2,
          .completed = asked - 2,
          .failed = 0,
          .output_events = asked * 10,
          .ttfts = std::move(ttfts)};
}

TEST(Progress, OnATerminalIsOneLineThatStaysInPlace) {
  std::ostringstream out;
  Progress progress(out, true, seconds(10));
  progress.Tell(At(1, 10, {milliseconds(10)}));
  progress.Tell(At(2, 30, {milliseconds(80), milliseconds(80)}));
  progress.End();
  EXPECT_EQ(out.str(),
            "\r\x1b[K   1 s  10 asked (10.0/s)  2 in flight  8 done  0 failed  100 tokens/s  "
            "TTFT p50 10 p99 10 ms  █  9 s left"
            "\r\x1b[K   2 s  30 asked (20.0/s)  2 in flight  28 done  0 failed  200 tokens/s  "
            "TTFT p50 80 p99 80 ms  ▂█  8 s left\n");
}

TEST(Progress, ElsewhereIsALineNowAndThenOfAllSinceTheLast) {
  std::ostringstream out;
  Progress progress(out, false, std::nullopt);
  for (int second = 1; second <= 5; ++second) {
    progress.Tell(At(second, static_cast<uint64_t>(second) * 10, {milliseconds(second)}));
  }
  progress.End();
  EXPECT_EQ(out.str(),
            "   5 s  50 asked (10.0/s)  2 in flight  48 done  0 failed  100 tokens/s  "
            "TTFT p50 3 p99 4 ms\n");
}

TEST(Progress, WithoutAnAnswerHasNoTimes) {
  std::ostringstream out;
  Progress progress(out, true, std::nullopt);
  progress.Tell(At(1, 5, {}));
  EXPECT_THAT(out.str(), Not(HasSubstr("TTFT")));
}

}  // namespace
}  // namespace gw::bench
