#include "bench/replay/events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace gw::bench {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = FleetEvent::Kind;

std::string ErrorOf(std::string_view script) {
  const auto events = ReadFleetEvents(script, 4);
  return events.ok() ? "none" : std::string(events.status().message());
}

TEST(FleetEvents, AreReadInTheOrderOfTheirTimes) {
  const auto events = ReadFleetEvents(
      "# a comment\n"
      "\n"
      "5m  restart 3 60s\n"
      "90s slow 0-1 0.5   # half as fast\n"
      "10m remove 2,0\r\n",
      4);
  ASSERT_TRUE(events.ok()) << events.status();
  EXPECT_THAT(*events, ElementsAre(FleetEvent{seconds(90), Kind::kSlow, 0, 0.5},
                                   FleetEvent{seconds(90), Kind::kSlow, 1, 0.5},
                                   FleetEvent{minutes(5), Kind::kStop, 3},
                                   FleetEvent{minutes(6), Kind::kStart, 3},
                                   FleetEvent{minutes(10), Kind::kRemove, 2},
                                   FleetEvent{minutes(10), Kind::kRemove, 0}));
}

TEST(FleetEvents, NothingIsNoEvent) {
  EXPECT_TRUE(ReadFleetEvents("", 4)->empty());
  EXPECT_TRUE(ReadFleetEvents("\n#\n  \n", 4)->empty());
}

TEST(FleetEvents, AnErrorNamesTheLineAndWhatWasWanted) {
  EXPECT_EQ(ErrorOf("5m stop 1\nsoon stop 1"),
            "events, line 2: wanted a time such as 90s or 5m, got \"soon\"");
  EXPECT_THAT(ErrorOf("5m explode 1"), HasSubstr("one of restart, stop, start, slow, remove, add"));
  EXPECT_THAT(ErrorOf("5m"), HasSubstr("one of restart"));
  EXPECT_EQ(ErrorOf("5m restart 1"), "events, line 1: wanted TIME restart ENGINES TIME");
  EXPECT_EQ(ErrorOf("5m stop 1 60s"), "events, line 1: wanted TIME stop ENGINES");
  EXPECT_EQ(ErrorOf("5m stop 4"),
            "events, line 1: wanted engines from 0 to 3 such as 0-3,7, got \"4\"");
  EXPECT_THAT(ErrorOf("5m stop 3-1"), HasSubstr("got \"3-1\""));
  EXPECT_THAT(ErrorOf("5m stop x"), HasSubstr("got \"x\""));
  EXPECT_EQ(ErrorOf("5m slow 1 0"), "events, line 1: wanted a speed such as 0.5, got \"0\"");
}

}  // namespace
}  // namespace gw::bench
