#include "release/sample_sink.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace gw::release {
namespace {

TEST(SampleSink, TakesWhatIsOfItsWindow) {
  SampleSink sink;
  sink.AddError(Version::kStable, 1);  // nothing is open
  sink.Open(3);
  sink.AddError(Version::kStable, 2);
  sink.AddError(Version::kStable, 0);
  sink.AddError(Version::kCandidate, 3);
  sink.AddAnswer(Version::kStable, 3, 0.5, 0.01, Finish::kLength);
  const Samples taken = sink.Take();
  EXPECT_EQ(taken.window, 3u);
  EXPECT_EQ(taken.stable.requests, 1);
  EXPECT_EQ(taken.stable.ended_by_length, 1);
  EXPECT_EQ(taken.stable.ttft.count, 1);
  EXPECT_EQ(taken.stable.tpot.count, 1);
  EXPECT_EQ(taken.candidate.requests, 1);
  EXPECT_EQ(taken.candidate.errors, 1);
}

TEST(SampleSink, TakesEachOnce) {
  SampleSink sink;
  sink.Open(1);
  sink.AddError(Version::kStable, 1);
  EXPECT_EQ(sink.Take().stable.requests, 1);
  EXPECT_EQ(sink.Take().stable.requests, 0);
  sink.AddError(Version::kStable, 1);
  EXPECT_EQ(sink.Take().stable.requests, 1);
}

TEST(SampleSink, OpenKeepsTheWindowThatIsOpen) {
  SampleSink sink;
  sink.Open(1);
  sink.AddError(Version::kStable, 1);
  sink.Open(1);
  EXPECT_EQ(sink.Take().stable.requests, 1);
  sink.AddError(Version::kStable, 1);
  sink.Open(2);
  EXPECT_EQ(sink.Take().stable.requests, 0);
}

TEST(SampleSink, LosesNothingBetweenThreads) {
  constexpr int kThreads = 20;  // more than it has shards
  constexpr int kEach = 2000;
  SampleSink sink;
  sink.Open(7);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&sink] {
      for (int j = 0; j < kEach; ++j) {
        sink.AddAnswer(Version::kCandidate, 7, 0.1, std::nullopt, std::nullopt);
        sink.AddError(Version::kStable, 7);
      }
    });
  }
  Samples all = sink.Take();
  for (std::thread& thread : threads) thread.join();
  all.Merge(sink.Take());
  EXPECT_EQ(all.candidate.requests, kThreads * kEach);
  EXPECT_EQ(all.stable.errors, kThreads * kEach);
}

}  // namespace
}  // namespace gw::release
