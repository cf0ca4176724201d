#include "bench/load/arrivals.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace gw::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<Duration> TimesOf(const ArrivalOptions& options, uint64_t seed = 1) {
  absl::StatusOr<Arrivals> arrivals = Arrivals::From(options);
  EXPECT_TRUE(arrivals.ok()) << arrivals.status();
  Random random(seed);
  std::vector<Duration> times;
  while (const std::optional<Duration> next = arrivals->Next(random)) times.push_back(*next);
  EXPECT_FALSE(arrivals->Next(random).has_value()) << "what has ended stays so";
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
  return times;
}

size_t CountIn(const std::vector<Duration>& times, Duration from, Duration to) {
  return static_cast<size_t>(
      std::count_if(times.begin(), times.end(), [&](Duration t) { return t >= from && t < to; }));
}

// Standard deviation by mean of the gaps.
double VariationOf(const std::vector<Duration>& times) {
  double sum = 0;
  double squares = 0;
  for (size_t i = 1; i < times.size(); ++i) {
    const double gap = ToSeconds(times[i] - times[i - 1]);
    sum += gap;
    squares += gap * gap;
  }
  const double n = static_cast<double>(times.size() - 1);
  const double mean = sum / n;
  return std::sqrt(squares / n - mean * mean) / mean;
}

std::string ErrorOf(const ArrivalOptions& options) {
  return std::string(Arrivals::From(options).status().message());
}

TEST(Arrivals, EvenOnesBeginAtTheStart) {
  const std::vector<Duration> times =
      TimesOf({.per_second = 4, .burstiness = kInfinity, .duration = seconds(1)});
  EXPECT_EQ(times, (std::vector<Duration>{milliseconds(0), milliseconds(250), milliseconds(500),
                                          milliseconds(750)}));
  EXPECT_EQ(TimesOf({.per_second = 0.1, .burstiness = kInfinity, .duration = seconds(30)}).size(),
            3u);
}

TEST(Arrivals, PoissonKeepsItsRateAndVariesLikeIt) {
  const std::vector<Duration> times = TimesOf({.per_second = 50, .duration = seconds(400)});
  EXPECT_NEAR(static_cast<double>(times.size()), 20000, 500);  // 3.5 standard deviations
  EXPECT_NEAR(VariationOf(times), 1, 0.03);
}

TEST(Arrivals, BurstinessIsTheShapeOfGammaGaps) {
  for (const double burstiness : {0.1, 0.25, 0.5, 2.0, 16.0}) {
    const std::vector<Duration> times =
        TimesOf({.per_second = 50, .burstiness = burstiness, .count = 40000});
    const double variation = 1 / std::sqrt(burstiness);
    EXPECT_NEAR(ToSeconds(times.back()) * 50 / 40000, 1, 4 * variation / 200) << burstiness;
    EXPECT_NEAR(VariationOf(times), variation, variation * 0.06) << burstiness;
  }
}

TEST(Arrivals, ARampGoesInAStraightLine) {
  const std::vector<Duration> even = TimesOf(
      {.per_second = 0, .to_per_second = 20, .burstiness = kInfinity, .duration = seconds(10)});
  ASSERT_EQ(even.size(), 100u);
  // 20 / 10 * t^2 / 2 have come by t.
  for (size_t i = 0; i < even.size(); ++i) {
    EXPECT_NEAR(ToSeconds(even[i]), std::sqrt(static_cast<double>(i)), 1e-6);
  }
  const std::vector<Duration> random =
      TimesOf({.per_second = 100, .to_per_second = 20, .duration = seconds(200)});
  EXPECT_NEAR(static_cast<double>(random.size()), 12000, 400);
  EXPECT_NEAR(static_cast<double>(CountIn(random, seconds(0), seconds(20))), 1920, 160);
  EXPECT_NEAR(static_cast<double>(CountIn(random, seconds(180), seconds(200))), 480, 80);
}

TEST(Arrivals, ALadderHasEachRateForItsTime) {
  const ArrivalOptions options{.ladder = *ParseLadder("30x100,0x50,200x100,3x0.5")};
  const std::vector<Duration> times = TimesOf(options);
  EXPECT_NEAR(static_cast<double>(CountIn(times, seconds(0), seconds(100))), 3000, 200);
  EXPECT_EQ(CountIn(times, seconds(100), seconds(150)), 0u);
  EXPECT_NEAR(static_cast<double>(CountIn(times, seconds(150), seconds(250))), 20000, 500);
  EXPECT_LT(times.back(), milliseconds(250500));
  EXPECT_EQ(Arrivals::From(options)->length(), milliseconds(250500));
  EXPECT_EQ(Arrivals::From(options)->Describe(), "4 steps of up to 200/s");
}

TEST(Arrivals, OneSeedIsOneCourse) {
  const ArrivalOptions options{.per_second = 5, .burstiness = 0.5, .count = 100};
  EXPECT_EQ(TimesOf(options, 7), TimesOf(options, 7));
  EXPECT_NE(TimesOf(options, 7), TimesOf(options, 8));
}

TEST(Arrivals, TheFirstLimitEndsThem) {
  EXPECT_EQ(TimesOf({.per_second = 100, .duration = seconds(10), .count = 7}).size(), 7u);
  EXPECT_LT(TimesOf({.per_second = 1, .duration = seconds(10), .count = 1000}).size(), 50u);
  EXPECT_EQ(TimesOf({.per_second = kInfinity, .count = 3}), std::vector<Duration>(3));
}

TEST(Arrivals, OptionsNameWhatIsWrongWithThem) {
  EXPECT_EQ(ErrorOf({.per_second = 0, .count = 1}), "--rate: wanted a number above 0");
  EXPECT_EQ(ErrorOf({.per_second = std::nan(""), .count = 1}), "--rate: wanted a number above 0");
  EXPECT_EQ(ErrorOf({.count = 1}), "--rate: wanted a number above 0, or --ladder");
  EXPECT_EQ(ErrorOf({.per_second = 1}), "--duration: wanted a time, or --requests");
  EXPECT_EQ(ErrorOf({.per_second = 1, .duration = seconds(0)}),
            "--duration: wanted a time above 0");
  EXPECT_EQ(ErrorOf({.per_second = 1, .count = 0}), "--requests: wanted a number above 0");
  EXPECT_EQ(ErrorOf({.per_second = kInfinity, .duration = seconds(1)}),
            "--requests: wanted how many, as --rate has no limit");
  EXPECT_EQ(ErrorOf({.per_second = 1, .to_per_second = 2, .count = 1}),
            "--rate-to: wanted the --duration in which it gets there");
  EXPECT_EQ(ErrorOf({.per_second = 1, .to_per_second = -2, .duration = seconds(1)}),
            "--rate-to: wanted a number of 0 or more");
  EXPECT_EQ(ErrorOf({.per_second = 1, .burstiness = 0, .count = 1}),
            "--burstiness: wanted a number above 0");
  EXPECT_EQ(ErrorOf({.per_second = 1, .ladder = {{1, 1, seconds(1)}}}),
            "--ladder: has its own rates, wanted no --rate beside it");
  EXPECT_EQ(ErrorOf({.ladder = {{0, 0, seconds(1)}}}), "--ladder: wanted a rate above 0");
}

TEST(Arrivals, ALadderIsRatesAndSeconds) {
  EXPECT_EQ(*ParseLadder("3x20,0.5x1.5"),
            (std::vector<RateStep>{{3, 3, seconds(20)}, {0.5, 0.5, milliseconds(1500)}}));
  for (const char* wrong : {"", "3", "x20", "3x", "3x0", "-1x3", "3x20,", "3x20;4x5", "infx3",
                            "3x1e300", "nanx3", "3xnan"}) {
    EXPECT_FALSE(ParseLadder(wrong).ok()) << wrong;
  }
  EXPECT_EQ(ParseLadder("3x20,4").status().message(),
            "--ladder 4: wanted steps of a rate and seconds, such as 3x20,10x20");
}

TEST(Arrivals, TheySayWhatTheyAre) {
  EXPECT_EQ(Arrivals::From({.per_second = 2, .count = 1})->Describe(), "2/s");
  EXPECT_EQ(Arrivals::From({.per_second = 2, .burstiness = kInfinity, .count = 1})->Describe(),
            "2/s, even");
  EXPECT_EQ(Arrivals::From(
                {.per_second = 1, .to_per_second = 10, .burstiness = 0.5, .duration = seconds(60)})
                ->Describe(),
            "1/s to 10/s in 60 s, burstiness 0.5");
  EXPECT_EQ(Arrivals::From({.per_second = kInfinity, .count = 1})->Describe(), "all at once");
}

}  // namespace
}  // namespace gw::bench
