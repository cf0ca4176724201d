#include "cli/top/screen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace gw {
namespace {

using testing::HasSubstr;
using testing::Not;

// As a gateway with `endpoints` endpoints tells it; endpoint i has i requests in flight.
std::string StateEvent(int endpoints) {
  std::string text = R"(event: state
data: {"at":1000000060000,)"
                     R"("gateway":{"version":"1.2.3","phase":"serving","started_at":1000000000000,)"
                     R"("generation":4,"refused":1,"stale":0,"downstream_connections":7,)"
                     R"("load_error":null},"tables":{)"
                     R"("totals":{"columns":["requests_per_s","ttft_ms_p50","in_flight"],)"
                     R"("rows":{"1":[12.34,48.5,3]}},)"
                     R"("pools":{"columns":["pool","strategy","ready","endpoints"],)"
                     R"("rows":{"1":["default/a","DEFAULT",1,2]}},)"
                     R"("objects":{"columns":["name","ok","why"],"rows":{)"
                     R"("1":["x",false,"HTTPRoute default/x: no such pool"],"2":["y",true,null]}},)"
                     R"("queues":{"columns":["pool","priority","tenant","waiting","oldest_at"],)"
                     R"("rows":{"1":["default/a",-1,"late",2,1000000050000],)"
                     R"("2":["default/a",1,"first",1,null],"3":["default/a",0,"idle",0,null]}},)"
                     R"("endpoints":{"columns":["pool","pod","address","state","in_flight",)"
                     R"("ejected_until"],"rows":{)";
  for (int i = 0; i < endpoints; ++i) {
    text += std::string(i == 0 ? "" : ",") + "\"" + std::to_string(i + 1) +
            "\":[\"default/a\",\"pod-" + std::to_string(i) + "\",\"10.0.0.1:80\",\"" +
            (i == 0 ? "ejected" : "ready") + "\"," + std::to_string(i) + "," +
            (i == 0 ? "1000000065000" : "null") + "]";
  }
  return text + "}}}}\n\n";
}

class ScreenTest : public testing::Test {
 protected:
  void Tell(const std::string& text) {
    int events = 0;
    ASSERT_TRUE(state_.Read(text, &events).ok());
    history_.Add(state_);
  }
  std::string Draw(const TopView& view) {
    std::string text;
    for (const std::string& line : DrawTop(state_, history_, view)) text += line + "\n";
    return text;
  }

  FeedState state_;
  TopHistory history_;
};

TEST_F(ScreenTest, ShowsWhatMatters) {
  Tell(StateEvent(3));
  TopView view{.width = 120, .height = 40};
  view.address = "127.0.0.1:9909";
  const std::string text = Draw(view);
  EXPECT_THAT(text, HasSubstr("penstock 1.2.3 at 127.0.0.1:9909: serving, configuration 4, up "
                              "60s, 7 clients, 1 OBJECTS NOT SERVED AS WRITTEN"));
  EXPECT_THAT(text, HasSubstr("requests/s   12.3"));
  EXPECT_THAT(text, HasSubstr("! HTTPRoute default/x: no such pool"));
  EXPECT_THAT(text, HasSubstr("ejected 5s"));
  EXPECT_THAT(text, HasSubstr("10s")) << "the oldest of those that wait";
  EXPECT_LT(text.find("first"), text.find("late")) << "the highest priority stands first";
  EXPECT_THAT(text, Not(HasSubstr("idle")));
}

// Of any size: as many lines as asked for, none too wide, whatever has to go.
TEST_F(ScreenTest, FitsEveryTerminal) {
  Tell(StateEvent(50));
  for (const size_t width : {1, 10, 40, 80, 200}) {
    for (const size_t height : {1, 3, 10, 24, 100}) {
      const auto lines = DrawTop(state_, history_, {.width = width, .height = height});
      ASSERT_EQ(lines.size(), height) << width;
      for (const std::string& line : lines) {
        const auto characters = std::ranges::count_if(
            line, [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; });
        EXPECT_LE(static_cast<size_t>(characters), width) << line;
      }
    }
  }
}

TEST_F(ScreenTest, SortsAndScrolls) {
  Tell(StateEvent(30));
  TopView view{.width = 100, .height = 24};
  std::string text = Draw(view);
  EXPECT_THAT(text, HasSubstr("pod-29 "));
  EXPECT_THAT(text, Not(HasSubstr("pod-1 ")));
  view.skip = 25;
  text = Draw(view);
  EXPECT_THAT(text, HasSubstr("pod-0 ")) << "the end, though there is room for more";
  EXPECT_THAT(text, Not(HasSubstr("from 26"))) << "the foot says what is shown";
  view.skip = 0;
  view.reversed = true;
  EXPECT_THAT(Draw(view), HasSubstr("pod-0 "));
  view.sort = TopSort::kName;
  view.reversed = false;
  EXPECT_THAT(Draw(view), HasSubstr("pod-11 "));
}

TEST_F(ScreenTest, ColoursAreOnlyWhereTheyAreWanted) {
  Tell(StateEvent(2));
  TopView view{.width = 100, .height = 24};
  EXPECT_THAT(Draw(view), Not(HasSubstr("\x1b")));
  view.colours = true;
  EXPECT_THAT(Draw(view), HasSubstr("\x1b[31mpod-0"));
}

TEST_F(ScreenTest, NamesCannotWriteOnTheTerminal) {
  Tell(
      "event: state\ndata: {\"at\":1,\"tables\":{\"endpoints\":{\"columns\":[\"pod\",\"state\"],"
      "\"rows\":{\"1\":[\"a\\u001b[2J\",\"ready\"]}}}}\n\n");
  EXPECT_THAT(Draw({.width = 100, .height = 24}), Not(HasSubstr("\x1b")));
}

TEST_F(ScreenTest, NothingIsKnownAtFirst) {
  EXPECT_THAT(Draw({.width = 100, .height = 24}), HasSubstr("requests/s      -"));
  EXPECT_THAT(TopLine(state_), HasSubstr("0/0 endpoints ready"));
}

TEST(Sparkline, HighestValueIsTheHighestBar) {
  EXPECT_EQ(Sparkline({0, 1, 2, 4, 8}, 10), "▁▂▃▅█");
  EXPECT_EQ(Sparkline({100, 1, 1}, 2), "██");
  EXPECT_EQ(Sparkline({0, 0}, 2), "▁▁");
  EXPECT_EQ(Sparkline({}, 2), "");
}

// However the bytes are cut.
TEST(FeedState, ReadsEventsCutAnywhere) {
  const std::string text =
      ": still here\n\n" + StateEvent(2) +
      "event: change\ndata: {\"at\":5,\"tables\":{\"endpoints\":{\"set\":{\"9\":[\"p\",\"new\","
      "\"a\",\"ready\",1,null]},\"gone\":[\"1\"]}}}\n\n";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    FeedState state;
    int events = 0;
    ASSERT_TRUE(state.Read(text.substr(0, cut), &events).ok());
    ASSERT_TRUE(state.Read(text.substr(cut), &events).ok());
    ASSERT_EQ(events, 2);
    ASSERT_EQ(state.at_unix_ms(), 5);
    const auto rows = state.Rows("endpoints");
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0]->text("pod"), "pod-1");
    EXPECT_EQ(rows[1]->text("pod"), "new");
    EXPECT_EQ(rows[1]->number("in_flight"), 1.0);
    EXPECT_TRUE((*rows[1])["no such column"].is_null());
  }
}

TEST(FeedState, WhatIsNoFeedIsAnError) {
  for (const std::string_view text :
       {"hello\n\n", "event: state\ndata: {\n\n", "event: other\ndata: {}\n\n"}) {
    FeedState state;
    int events = 0;
    EXPECT_FALSE(state.Read(text, &events).ok()) << text;
  }
}

}  // namespace
}  // namespace gw
