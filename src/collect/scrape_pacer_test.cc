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

TEST(ScrapePacer, GatewaysSideBySideShareTheLimitOfLoad) {
  ScrapeOptions options;
  ScrapePacer pacer(options);
  pacer.OnAnswer(milliseconds(20), false);
  options.gateways = 4;
  EXPECT_EQ(pacer.Interval(true, kAgeMax), milliseconds(1600));
  EXPECT_EQ(pacer.PacedAge(kAgeMax, Duration(0)), milliseconds(2 * 1600 + 20));
  options.gateways = 1;  // the others have gone
  EXPECT_EQ(pacer.Interval(true, kAgeMax), milliseconds(400));
  // A page that costs next to nothing is read as often by each of them: 4 times 0.5 ms in 50.
  ScrapePacer cheap(options);
  options.gateways = 4;
  cheap.OnAnswer(std::chrono::microseconds(500), false);
  EXPECT_EQ(cheap.Interval(true, kAgeMax), milliseconds(50));
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

// A server whose cost varies is watched for ten minutes of virtual time, by each of `gateways`. The
// share of the time that it spends on their pages.
double ShareSpentOnPages(int gateways) {
  ScrapeOptions options;
  options.gateways = gateways;
  Random random(1);
  const Duration cost = milliseconds(21);
  const Duration watched = std::chrono::minutes(10);
  Duration cost_sum{0};
  for (int gateway = 0; gateway < gateways; ++gateway) {
    ScrapePacer pacer(options);
    for (Duration elapsed{0}; elapsed < watched; elapsed += pacer.Interval(true, kAgeMax)) {
      const Duration waiting = milliseconds(random.Below(80));
      pacer.OnAnswer(cost + waiting, false);
      cost_sum += cost;
    }
  }
  return ToSeconds(cost_sum) / ToSeconds(watched);
}

TEST(ScrapePacer, OverTimeAServerSpendsNoMoreThanItsShareOnUsHoweverManyWeAre) {
  for (const int gateways : {1, 2, 4}) {
    EXPECT_LE(ShareSpentOnPages(gateways), 0.05) << gateways;
    EXPECT_GE(ShareSpentOnPages(gateways), 0.025) << gateways << ": nor much less than it may";
  }
}

}  // namespace
}  // namespace gw
