#include "collect/scrape_pacer.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace gw {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kAgeMax = seconds(2);

TEST(ScrapePacer, AFastServerInUseIsScrapedEachInterval) {
  const ScrapeOptions options;
  ScrapePacer pacer(options);
  EXPECT_EQ(pacer.Interval(true, kAgeMax), milliseconds(50));
  pacer.OnAnswer(milliseconds(1), false);
  EXPECT_EQ(pacer.Interval(true, kAgeMax), milliseconds(50));
  pacer.OnAnswer(milliseconds(1), false);
  EXPECT_EQ(pacer.Interval(false, kAgeMax), milliseconds(50)) << "others keep it busy";
}

TEST(ScrapePacer, AServerThatNeedsTwentyMillisecondsIsScrapedEach400) {
  const ScrapeOptions options;
  ScrapePacer pacer(options);
  pacer.OnAnswer(milliseconds(20), false);
  EXPECT_EQ(pacer.Interval(true, kAgeMax), milliseconds(400));
}

TEST(ScrapePacer, TheLimitOfLoadCanBeSet) {
  ScrapeOptions options;
  options.load_ratio_max = 0.2;
  ScrapePacer pacer(options);
  pacer.OnAnswer(milliseconds(20), false);
  EXPECT_EQ(pacer.Interval(true, kAgeMax), milliseconds(100));
}

TEST(ScrapePacer, OneSlowAnswerIsWaitingAndNotCost) {
  const ScrapeOptions options;
  ScrapePacer pacer(options);
  pacer.OnAnswer(milliseconds(5), false);
  pacer.OnAnswer(milliseconds(500), false);
  EXPECT_EQ(pacer.Interval(true, kAgeMax), milliseconds(100));
}

TEST(ScrapePacer, APageThatHasBecomeDearerCountsAfterEightAnswers) {
  const ScrapeOptions options;
  ScrapePacer pacer(options);
  pacer.OnAnswer(milliseconds(1), false);
  for (int i = 0; i < 7; ++i) pacer.OnAnswer(milliseconds(10), false);
  EXPECT_EQ(pacer.Interval(true, kAgeMax), milliseconds(50));
  pacer.OnAnswer(milliseconds(10), false);
  EXPECT_EQ(pacer.Interval(true, kAgeMax), milliseconds(200));
}

TEST(ScrapePacer, AnIdleEndpointIsScrapedEachSecondUntilWorkIsDispatched) {
  const ScrapeOptions options;
  ScrapePacer pacer(options);
  pacer.OnAnswer(milliseconds(1), true);
  EXPECT_EQ(pacer.Interval(false, kAgeMax), seconds(1));
  EXPECT_EQ(pacer.Interval(true, kAgeMax), milliseconds(50));
  pacer.OnAnswer(milliseconds(1), false);
  EXPECT_EQ(pacer.Interval(false, kAgeMax), milliseconds(50));
}

TEST(ScrapePacer, AnIdleEndpointsMetricsDoNotAgeBeyondUse) {
  const ScrapeOptions options;
  ScrapePacer pacer(options);
  pacer.OnAnswer(milliseconds(1), true);
  EXPECT_EQ(pacer.Interval(false, milliseconds(600)), milliseconds(300));
}

TEST(ScrapePacer, FailuresInARowBackOffToFiveSeconds) {
  const ScrapeOptions options;
  ScrapePacer pacer(options);
  const int64_t expected_ms[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
  for (int64_t expected : expected_ms) {
    pacer.OnFailure();
    EXPECT_EQ(pacer.Interval(true, kAgeMax), milliseconds(expected));
  }
  pacer.OnAnswer(milliseconds(1), false);
  EXPECT_EQ(pacer.Interval(true, kAgeMax), milliseconds(50));
}

TEST(ScrapePacer, MetricsMayGetAsOldAsTheirOwnPaceMakesThem) {
  const ScrapeOptions options;
  ScrapePacer pacer(options);
  pacer.OnAnswer(milliseconds(1), false);
  EXPECT_EQ(pacer.PacedAge(kAgeMax, Duration(0)), milliseconds(2 * 50 + 1));
  pacer.OnAnswer(milliseconds(1), true);
  EXPECT_EQ(pacer.PacedAge(kAgeMax, Duration(0)), milliseconds(2 * 1000 + 1));
  // 200 / 0.05
  ScrapePacer slow(options);
  slow.OnAnswer(milliseconds(300), false);
  slow.OnAnswer(milliseconds(200), false);
  EXPECT_EQ(slow.PacedAge(kAgeMax, Duration(0)), milliseconds(2 * 4000 + 300));
  slow.OnFailure();
  EXPECT_EQ(slow.PacedAge(kAgeMax, Duration(0)), milliseconds(2 * 4000 + 300));
  // It takes longer until everyone has had a turn.
  EXPECT_EQ(slow.PacedAge(kAgeMax, seconds(5)), milliseconds(2 * 5000 + 300));
}

// A server whose cost varies is watched for ten minutes of virtual time.
TEST(ScrapePacer, OverTimeAServerSpendsNoMoreThanItsShareOnUs) {
  const ScrapeOptions options;
  ScrapePacer pacer(options);
  Random random(1);
  Duration elapsed{0};
  Duration cost_sum{0};
  const Duration cost = milliseconds(21);
  while (elapsed < std::chrono::minutes(10)) {
    const Duration waiting = milliseconds(random.Below(80));
    pacer.OnAnswer(cost + waiting, false);
    cost_sum += cost;
    elapsed += pacer.Interval(true, kAgeMax);
  }
  EXPECT_LE(ToSeconds(cost_sum), 0.05 * ToSeconds(elapsed));
  EXPECT_GE(ToSeconds(cost_sum), 0.025 * ToSeconds(elapsed)) << "nor much less than it may";
}

}  // namespace
}  // namespace gw
