#include "bench/load/fleet_series.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "bench/load/fleet_html.h"

namespace gw::bench {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kNoQueues[] = R"({"apiVersion":"v1","items":[],"kind":"List"})";

std::string EndpointJson(const std::string& name, int requests, int in_flight) {
  return fmt::format(
      R"({{"pool":"default/p","pod":"{0}","endpoint":"{0}:80","in_flight":{1},)"
      R"("waiting":2.0,"running":null,"kv_cache_utilization_ratio":0.25,"requests":{2}}})",
      name, in_flight, requests);
}

TEST(FleetSeries, CountsTheRequestsOfTheRun) {
  FleetRecorder recorder;
  ASSERT_TRUE(recorder.Add({}, "[" + EndpointJson("a", 100, 0) + "]", kNoQueues).ok());
  ASSERT_TRUE(recorder
                  .Add(seconds(1),
                       "[" + EndpointJson("a", 130, 3) + "," + EndpointJson("b", 10, 1) + "]",
                       kNoQueues)
                  .ok());
  // It was replaced by another one at its address, which counts from 0.
  ASSERT_TRUE(recorder.Add(seconds(2), "[" + EndpointJson("a", 20, 2) + "]", kNoQueues).ok());
  const FleetSeries& series = recorder.series();
  EXPECT_THAT(series.times_s, ElementsAre(0, 1, 2));
  ASSERT_EQ(series.endpoints.size(), 2u);
  EXPECT_EQ(series.endpoints[0].requests, 50u);
  EXPECT_EQ(series.endpoints[1].requests, 10u);
  EXPECT_EQ(series.requests(), 60u);
  EXPECT_THAT(series.endpoints[0].in_flight, ElementsAre(0, 3, 2));
  EXPECT_THAT(series.endpoints[0].kv_cache_ratio, ElementsAre(0.25, 0.25, 0.25));
  EXPECT_TRUE(std::isnan(series.endpoints[0].running[0]));
  EXPECT_TRUE(std::isnan(series.endpoints[1].in_flight[0]));
  EXPECT_EQ(series.endpoints[1].in_flight[1], 1);
  EXPECT_TRUE(std::isnan(series.endpoints[1].in_flight[2]));
  EXPECT_EQ(SharesText(series),
            "2 endpoints, 60 requests; the largest share is 83.3 % (a), an even one 50.0 %");
}

TEST(FleetSeries, WhatIsSentBetweenTwoRunsIsOfNeither) {
  FleetRecorder recorder;
  const auto look = [&](int at, int requests) {
    ASSERT_TRUE(
        recorder.Add(seconds(at), "[" + EndpointJson("a", requests, 0) + "]", kNoQueues).ok());
  };
  look(0, 100);
  look(1, 110);
  recorder.BeginRun();
  look(2, 500);
  look(3, 520);
  EXPECT_EQ(recorder.series().requests(), 30u);
  EXPECT_THAT(recorder.series().times_s, ElementsAre(0, 1, 2, 3));
}

TEST(FleetSeries, KnowsWhatWaitsByPoolAndPriority) {
  FleetRecorder recorder;
  const auto queues = [](const std::string& priorities) {
    return R"({"items":[{"pool":"default/p","priorities":[)" + priorities + "]}]}";
  };
  ASSERT_TRUE(recorder.Add({}, "[]", queues(R"({"priority":10,"waiting":1})")).ok());
  ASSERT_TRUE(recorder
                  .Add(seconds(1), "[]",
                       queues(R"({"priority":10,"waiting":3},{"priority":-1,"waiting":8})"))
                  .ok());
  ASSERT_TRUE(recorder.Add(seconds(2), "[]", queues("")).ok());
  const FleetSeries& series = recorder.series();
  ASSERT_EQ(series.queues.size(), 2u);
  EXPECT_EQ(series.queues[1].priority, -1);
  EXPECT_THAT(series.queues[0].waiting, ElementsAre(1, 3, 0));
  EXPECT_THAT(series.queues[1].waiting, ElementsAre(0, 8, 0));
}

TEST(FleetSeries, OfAnyLengthItStaysSmallAndEven) {
  FleetRecorder recorder;
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(recorder.Add(seconds(i), "[" + EndpointJson("a", i, i) + "]", kNoQueues).ok());
    ASSERT_LE(recorder.series().times_s.size(), FleetSeries::kSamplesMax);
  }
  const FleetSeries& series = recorder.series();
  EXPECT_GE(series.times_s.size(), FleetSeries::kSamplesMax / 2);
  const double step = series.times_s[1];
  for (size_t i = 0; i < series.times_s.size(); ++i) {
    EXPECT_EQ(series.times_s[i], step * static_cast<double>(i));
    EXPECT_EQ(series.endpoints[0].in_flight[i], series.times_s[i]);
  }
  EXPECT_EQ(series.endpoints[0].requests, 9999u) << "every look counts";
}

TEST(FleetSeries, OfManyEndpointsSomeHaveSeriesAndMoreAreCounted) {
  FleetRecorder recorder;
  std::string list;
  for (size_t i = 0; i < FleetSeries::kEndpointsMax + 10; ++i) {
    list += fmt::format(R"({}{{"pool":"p","pod":"","endpoint":"h:{}","requests":{}}})",
                        list.empty() ? "" : ",", i, 0);
  }
  ASSERT_TRUE(recorder.Add({}, "[" + list + "]", kNoQueues).ok());
  const FleetSeries& series = recorder.series();
  EXPECT_EQ(series.endpoints.size(), FleetSeries::kEndpointsMax);
  EXPECT_TRUE(series.left_out);
  EXPECT_TRUE(series.endpoints[FleetSeries::kSeriesMax - 1].has_series());
  EXPECT_FALSE(series.endpoints[FleetSeries::kSeriesMax].has_series());
}

TEST(FleetSeries, WhatIsNoAnswerOfAGatewayChangesNothing) {
  FleetRecorder recorder;
  for (const auto& [endpoints, queues] :
       std::vector<std::pair<std::string, std::string>>{{"", kNoQueues},
                                                        {"<html>", kNoQueues},
                                                        {"{}", kNoQueues},
                                                        {"[3]", kNoQueues},
                                                        {R"([{"pool":"p"}])", kNoQueues},
                                                        {"[]", "[]"},
                                                        {"[]", ""}}) {
    EXPECT_FALSE(recorder.Add({}, endpoints, queues).ok()) << endpoints << queues;
  }
  EXPECT_TRUE(recorder.series().empty());
}

TEST(FleetHtml, HasLoadSharesAndQueues) {
  FleetRecorder recorder;
  const std::string queues =
      R"({"items":[{"pool":"<p>","priorities":[{"priority":10,"waiting":1}]}]})";
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(
        recorder
            .Add(seconds(i),
                 "[" + EndpointJson("<a>", 10 * i, i) + "," + EndpointJson("b", 30 * i, i) + "]",
                 queues)
            .ok());
  }
  recorder.AddFailure("connection <refused>");
  std::string html;
  AppendFleet(&html, recorder.series());
  for (const char* part :
       {"Requests in flight, by endpoint", "KV cache in use", "75.0 %", "&lt;a&gt;",
        "&lt;p&gt; / 10", "did not answer 1 times (connection &lt;refused&gt;)"}) {
    EXPECT_THAT(html, HasSubstr(part));
  }
  EXPECT_THAT(html, Not(HasSubstr("<a>")));
  EXPECT_THAT(html, Not(HasSubstr("Running at"))) << "nobody knows";
}

TEST(FleetHtml, ManyEndpointsAreABand) {
  FleetRecorder recorder;
  std::string list;
  for (int i = 0; i < 12; ++i)
    list += (i == 0 ? "" : ",") + EndpointJson("e" + std::to_string(i), i, i);
  ASSERT_TRUE(recorder.Add({}, "[" + list + "]", kNoQueues).ok());
  std::string html;
  AppendFleet(&html, recorder.series());
  EXPECT_THAT(html, HasSubstr("<title>median</title>"));
  EXPECT_THAT(html, Not(HasSubstr("<title>e1</title></path>")));
}

}  // namespace
}  // namespace gw::bench
