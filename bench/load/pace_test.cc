#include "bench/load/pace.h"

#include <gtest/gtest.h>

namespace gw::bench {
namespace {

using std::chrono::seconds;

std::unique_ptr<Pace> Made(const PaceOptions& options) {
  absl::StatusOr<std::unique_ptr<Pace>> pace = NewPace(options, 1);
  EXPECT_TRUE(pace.ok()) << pace.status();
  return *std::move(pace);
}

std::string ErrorOf(const PaceOptions& options) {
  return std::string(NewPace(options, 1).status().message());
}

TEST(Pace, AClosedLoopAsksAsAnswersCome) {
  const std::unique_ptr<Pace> pace = Made({.arrivals = {.count = 4}, .concurrency = 2});
  EXPECT_EQ(pace->Take(), seconds(0));
  EXPECT_EQ(pace->Take(), seconds(0));
  EXPECT_FALSE(pace->due().has_value());
  pace->OnAnswer(seconds(3));
  EXPECT_EQ(pace->due(), seconds(3));
  pace->OnAnswer(seconds(5));
  EXPECT_EQ(pace->Take(), seconds(3));
  EXPECT_FALSE(pace->done());
  EXPECT_EQ(pace->Take(), seconds(5));
  EXPECT_TRUE(pace->done());
  pace->OnAnswer(seconds(6));
  EXPECT_FALSE(pace->due().has_value());
  EXPECT_EQ(pace->Describe(), "2 at a time");
}

TEST(Pace, AClosedLoopEndsWithTheLastAnswerOfItsTime) {
  const std::unique_ptr<Pace> pace =
      Made({.arrivals = {.duration = seconds(10)}, .concurrency = 2});
  pace->Take();
  pace->Take();
  pace->OnAnswer(seconds(9));
  EXPECT_EQ(pace->Take(), seconds(9));
  pace->OnAnswer(seconds(10));
  EXPECT_FALSE(pace->due().has_value());
  EXPECT_FALSE(pace->done());
  pace->OnAnswer(seconds(12));
  EXPECT_TRUE(pace->done());
}

TEST(Pace, AnOpenLoopAsksWhateverBecomesOfIt) {
  const std::unique_ptr<Pace> pace = Made({.arrivals = {.per_second = 2, .count = 100}});
  Duration last{};
  for (int i = 0; i < 100; ++i) {
    ASSERT_FALSE(pace->done());
    ASSERT_TRUE(pace->due().has_value());
    const Duration due = *pace->due();
    EXPECT_EQ(pace->Take(), due);
    EXPECT_GE(due, last);
    last = due;
  }
  EXPECT_TRUE(pace->done());
  EXPECT_EQ(pace->count(), 100u);
}

TEST(Pace, ListedTimesAreKept) {
  const std::unique_ptr<Pace> pace = NewListedPace({seconds(1), seconds(1), seconds(4)}, "x");
  EXPECT_EQ(pace->length(), seconds(4));
  EXPECT_EQ(pace->Take(), seconds(1));
  EXPECT_EQ(pace->Take(), seconds(1));
  EXPECT_EQ(pace->Take(), seconds(4));
  EXPECT_TRUE(pace->done());
}

TEST(Pace, OptionsNameWhatIsWrongWithThem) {
  EXPECT_EQ(ErrorOf({}), "--rate: wanted a number above 0, or --ladder");
  EXPECT_EQ(ErrorOf({.arrivals = {.per_second = 1, .count = 1}, .concurrency = 1}),
            "--concurrency: asks when answers come, wanted no --rate or --ladder beside it");
  EXPECT_EQ(ErrorOf({.arrivals = {.burstiness = 2, .count = 1}, .concurrency = 1}),
            "--burstiness: wanted --rate or --ladder in place of --concurrency");
  EXPECT_EQ(ErrorOf({.concurrency = 1}), "--duration: wanted a time, or --requests");
  EXPECT_EQ(ErrorOf({.arrivals = {.count = 0}, .concurrency = 1}),
            "--requests: wanted a number above 0");
  EXPECT_EQ(ErrorOf({.arrivals = {.count = 1}, .concurrency = 1'000'001}),
            "--concurrency: wanted at most 1000000");
}

}  // namespace
}  // namespace gw::bench
