#include "collect/scrape_budget.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

int TakeAll(ScrapeBudget* budget) {
  int taken = 0;
  while (budget->Take()) ++taken;
  return taken;
}

TEST(ScrapeBudget, GivesItsRateWhateverTheTicksAre) {
  for (const int tick_ms : {1, 2, 7, 20}) {
    ScrapeBudget budget(2000);
    TimePoint now{seconds(5)};
    budget.Refill(now);
    TakeAll(&budget);  // what it begins with
    int taken = 0;
    for (int ms = 0; ms < 7000; ms += tick_ms) {
      now += milliseconds(tick_ms);
      budget.Refill(now);
      taken += TakeAll(&budget);
    }
    EXPECT_NEAR(taken, 14000, 45) << tick_ms;
  }
}

TEST(ScrapeBudget, ALongPauseIsNotCaughtUp) {
  ScrapeBudget budget(2000);
  TimePoint now{seconds(5)};
  budget.Refill(now);
  TakeAll(&budget);
  budget.Refill(now + seconds(60));
  EXPECT_EQ(TakeAll(&budget), 40);
}

TEST(ScrapeBudget, OneIsAlwaysPossibleInTheEnd) {
  ScrapeBudget budget(0.5);
  TimePoint now{seconds(5)};
  budget.Refill(now);
  EXPECT_EQ(TakeAll(&budget), 1);
  budget.Refill(now + seconds(1));
  EXPECT_EQ(TakeAll(&budget), 0);
  budget.Refill(now + seconds(2));
  EXPECT_EQ(TakeAll(&budget), 1);
}

TEST(ScrapeBudget, ATurnIsTheTimeThatAllTake) {
  ScrapeBudget budget(2000);
  EXPECT_EQ(budget.Turn(), seconds(0));
  budget.set_endpoints(500);
  EXPECT_EQ(budget.Turn(), milliseconds(250));
}

}  // namespace
}  // namespace gw
