#include "http/sse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/http_test_util.h"
#include "http/sse_oracle.h"

namespace gw::http {
namespace {

using ::testing::ElementsAre;
TEST(SseScanner, FindsEventsOfAModelServer) {
  EXPECT_THAT(Scan({"data: {\"a\":1}\n\ndata: {\"b\":2}\n\ndata: [DONE]\n\n"}).events,
              ElementsAre("{\"a\":1}", "{\"b\":2}", "[DONE]"));
}

TEST(SseScanner, JoinsDataLinesAndPassesOverTheRest) {
  EXPECT_THAT(Scan({": comment\n\nevent: x\nid: 7\ndata: one\ndata:two\ndata\ndata:  three\n"
                    "retry: 5\ndatabase: no\ndata : no\n data: no\n\nevent: without data\n\n"})
                  .events,
              ElementsAre("one\ntwo\n\n three"));
}

TEST(SseScanner, EmptyDataIsAnEvent) {
  EXPECT_THAT(Scan({"data\n\ndata:\n\ndata: \n\n\n\n"}).events, ElementsAre("", "", ""));
}

TEST(SseScanner, KnowsAllThreeLineEnds) {
  EXPECT_THAT(Scan({"data: a\r\n\r\ndata: b\r\rdata: c\n\ndata: d\r\ndata: e\r\n\r\n"}).events,
              ElementsAre("a", "b", "c", "d\ne"));
}

TEST(SseScanner, ReportsAnEventAtTheCrThatEndsIt) {
  SseScanner scanner;
  Events events;
  auto keep = [&](std::string_view data) { events.emplace_back(data); };
  scanner.Feed("data: a\r\n\r", keep);
  EXPECT_THAT(events, ElementsAre("a"));
  EXPECT_TRUE(scanner.at_event_boundary());
  scanner.Feed("\ndata: b\r\n\r\n", keep);
  EXPECT_THAT(events, ElementsAre("a", "b"));
}

TEST(SseScanner, PassesOverAByteOrderMarkAtTheStartOnly) {
  const std::string bytes =
      "\xEF\xBB\xBF"
      "data: a\n\n\xEF\xBB\xBF"
      "data: b\n\ndata: c\n\n";
  for (size_t at = 0; at <= bytes.size(); ++at) {
    EXPECT_THAT(Scan(CutInTwo(bytes, at)).events, ElementsAre("a", "c")) << at;
  }
}

TEST(SseScanner, WholeEventsAreViewsIntoTheInput) {
  SseScanner scanner;
  const std::string in = "event: x\ndata: abc\n\n";
  size_t events = 0;
  scanner.Feed(in, [&](std::string_view data) {
    ++events;
    EXPECT_EQ(data.data(), in.data() + 15);
  });
  EXPECT_EQ(events, 1u);
}

TEST(SseScanner, KnowsWhenItStandsBetweenEvents) {
  constexpr std::string_view kBytes = "data: a\n\n: c\n\r\nx";
  SseScanner scanner;
  EXPECT_TRUE(scanner.at_event_boundary());
  std::string boundaries;
  for (size_t i = 0; i < kBytes.size(); ++i) {
    scanner.Feed(kBytes.substr(i, 1), [](std::string_view) {});
    boundaries += scanner.at_event_boundary() ? '1' : '0';
  }
  EXPECT_EQ(boundaries, "0000000010000110");
}

TEST(SseScanner, SkipsAndCountsEventsThatAreTooLarge) {
  const std::string large = "data: " + std::string(100, 'x') + "\n\n";
  const std::string spread = "data: 1234567890\ndata: 1234567890\ndata: 1234567890\n\n";
  const std::string bytes = "data: a\n\n" + large + "data: b\n\n" + spread + "data: c\n\n";
  for (size_t at = 0; at <= bytes.size(); ++at) {
    const Scanned scanned = Scan(CutInTwo(bytes, at), 40);
    EXPECT_THAT(scanned.events, ElementsAre("a", "b", "c")) << at;
    EXPECT_EQ(scanned.skipped, 2u) << at;
  }
  EXPECT_EQ(Scan({"data: 4567890\n\n"}, 13).events.size(), 1u);
  EXPECT_EQ(Scan({"data: 4567890\n\n"}, 12).events.size(), 0u);
}

TEST(SseScanner, ResetForgetsTheStream) {
  SseScanner scanner(10);
  auto ignore = [](std::string_view) {};
  scanner.Feed("data: a lot of bytes\n\ndata: x", ignore);
  scanner.Reset();
  EXPECT_EQ(scanner.skipped_events(), 0u);
  EXPECT_TRUE(scanner.at_event_boundary());
  Events events;
  scanner.Feed("data: y\n\n", [&](std::string_view data) { events.emplace_back(data); });
  EXPECT_THAT(events, ElementsAre("y"));
}

TEST(SseScanner, AgreesWithTheOracleOnRandomStreams) {
  constexpr std::string_view kWords[] = {"data: ", "data:", "data",         "\n",  "\n", "\n\n",
                                         "\r\n",   "\r\n",  "\r",           ":",   " ",  "x",
                                         "event",  "hello", "\xEF\xBB\xBF", "\xEF"};
  size_t events = 0;
  for (uint64_t seed = 0; seed < 20000; ++seed) {
    Random random(seed);
    std::string bytes;
    const uint64_t words = random.Below(40);
    for (uint64_t i = 0; i < words; ++i) bytes += kWords[random.Below(std::size(kWords))];
    const size_t event_bytes_max = random.Below(3) == 0 ? random.Below(30) : 1000;
    const Scanned expected = SseOracle(bytes, event_bytes_max);
    EXPECT_EQ(Scan({bytes}, event_bytes_max), expected) << seed;
    EXPECT_EQ(Scan(CutInBytes(bytes), event_bytes_max), expected) << seed;
    EXPECT_EQ(Scan(CutAtRandom(bytes, 8, &random), event_bytes_max), expected) << seed;
    events += expected.events.size();
  }
  EXPECT_GT(events, 10000u);
}

}  // namespace
}  // namespace gw::http
