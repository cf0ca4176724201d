#include "flowcontrol/admission.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "pool/pushback.h"

namespace gw {
namespace {

using std::chrono::milliseconds;

constexpr TimePoint kNow{std::chrono::seconds(100)};

EndpointView Fresh(float waiting, float kv_cache) {
  EndpointView view;
  view.waiting_requests = waiting;
  view.kv_cache_utilization_ratio = kv_cache;
  view.metrics_age = milliseconds(50);
  view.metrics_fresh = true;
  return view;
}

EndpointView Stale(float waiting, float kv_cache) {
  EndpointView view = Fresh(waiting, kv_cache);
  view.metrics_age = std::chrono::seconds(10);
  view.metrics_fresh = false;
  return view;
}

EndpointView NeverScraped() {
  EndpointView view;
  view.metrics_age = Duration::max();
  return view;
}

EndpointView InUse(EndpointView view) {
  view.in_flight_requests = 1;
  return view;
}

TEST(Admission, SaturationNeedsEveryCandidateOverALimit) {
  const struct {
    const char* what;
    std::vector<EndpointView> candidates;
    bool saturated;
  } kCases[] = {
      {"no candidates", {}, false},
      {"idle", {Fresh(0, 0)}, false},
      {"at both limits", {Fresh(5, 0.8f)}, false},
      {"queue over its limit", {Fresh(6, 0)}, true},
      {"cache over its limit", {Fresh(0, 0.81f)}, true},
      {"one of two has room", {Fresh(6, 0), Fresh(5, 0.8f)}, false},
      {"each is over another limit", {Fresh(6, 0), Fresh(0, 0.9f)}, true},
      {"room that was seen too long ago", {InUse(Stale(0, 0))}, true},
      {"stale room beside a full one", {Stale(0, 0), Fresh(6, 0)}, true},
      {"stale, and idle by our own count", {Stale(0, 0)}, false},
      {"one of two stale ones is idle", {InUse(Stale(0, 0)), Stale(0, 0)}, false},
      {"stale and full, and idle by our own count", {Stale(9, 1)}, false},
      {"stale and full beside room", {Stale(9, 1), Fresh(0, 0)}, false},
      {"never scraped", {NeverScraped(), NeverScraped()}, false},
      {"never scraped, in use", {InUse(NeverScraped())}, false},
      {"never scraped beside a full one", {NeverScraped(), Fresh(6, 0)}, true},
      {"never scraped beside a stale one, both in use",
       {InUse(NeverScraped()), InUse(Stale(0, 0))},
       true},
      {"never scraped beside room", {NeverScraped(), Fresh(1, 0)}, false},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(IsSaturated(Candidates(c.candidates), SaturationLimits{}, kNow), c.saturated)
        << c.what;
  }
}

TEST(Admission, LimitsAreTheCallers) {
  const Candidates candidates(std::vector{Fresh(6, 0.85f)});
  EXPECT_FALSE(IsSaturated(
      candidates, {.waiting_requests_max = 6, .kv_cache_utilization_ratio_max = 0.85f}, kNow));
  EXPECT_TRUE(IsSaturated(
      candidates, {.waiting_requests_max = 5, .kv_cache_utilization_ratio_max = 0.85f}, kNow));
}

// One endpoint with fresh metrics, and what has happened there since its page.
struct Busy {
  Endpoint endpoint;
  float waiting = 0;
  float kv_cache = 0;

  Busy() { endpoint.state = std::make_shared<EndpointState>(0); }
  EndpointState& state() { return *endpoint.state; }
  int64_t Room(const SaturationLimits& limits = {}) {
    EndpointView view = Fresh(waiting, kv_cache);
    view.endpoint = &endpoint;
    view.in_flight_requests = state().in_flight_requests;
    return RoomOf(Candidates(std::vector{view}), limits, kNow);
  }
};

TEST(Admission, RequestsAtAnEndpointMayHaveALimitOfTheirOwn) {
  const SaturationLimits limits{.requests_max = 12};
  Busy busy;
  busy.state().running_requests = 9;  // three of them others'
  busy.state().in_flight_requests = busy.state().scraped_in_flight = 6;
  EXPECT_EQ(busy.Room(limits), 3);
  busy.waiting = 1;
  EXPECT_EQ(busy.Room(limits), 2);
  busy.state().in_flight_requests = 8;  // two have come since the page
  EXPECT_EQ(busy.Room(limits), 0);
  busy.state().in_flight_requests = 2;
  EXPECT_EQ(busy.Room(limits), 6) << "four have gone";
  // A page that says less than what is ours is out of date.
  busy.waiting = 0;
  busy.state().running_requests = 0;
  busy.state().in_flight_requests = busy.state().scraped_in_flight = 11;
  EXPECT_EQ(busy.Room(limits), 1);
  EXPECT_EQ(RoomOf(Candidates(std::vector{NeverScraped(), NeverScraped()}), limits, kNow), 24);
}

TEST(Admission, PlacesOfEachEndpointAreKeptFree) {
  const auto room = [](std::vector<EndpointView> views, int64_t kept_free) {
    return RoomOf(Candidates(std::move(views)), {}, kNow, kept_free);
  };
  EXPECT_EQ(room({Fresh(0, 0), Fresh(4, 0), Fresh(6, 0)}, 0), 6 + 2);
  EXPECT_EQ(room({Fresh(0, 0), Fresh(4, 0), Fresh(6, 0)}, 2), 4);
  EXPECT_EQ(room({Fresh(0, 0), Fresh(4, 0), Fresh(6, 0)}, 6), 0);
  EXPECT_EQ(room({NeverScraped()}, 6), kRoomMax) << "it has no limit of which to keep anything";
  EXPECT_EQ(room({Stale(0, 0)}, 6), 1) << "an idle pool takes requests";
}

TEST(Admission, AnEndpointThatHasPushedBackHasNoMoreRoomThanItsShare) {
  Busy busy;
  busy.state().in_flight_requests = busy.state().scraped_in_flight = 4;
  RecordPushback(busy.state(), kNow, kNow, std::nullopt);
  EXPECT_EQ(busy.Room(), 0) << "four are in flight, and three are its share";
  busy.state().in_flight_requests = 1;
  EXPECT_EQ(busy.Room(), 2);
  RecordPushback(busy.state(), kNow, kNow, std::chrono::seconds(1));
  EXPECT_EQ(busy.Room(), 0) << "it pauses";
}

TEST(Admission, AShareCountsWithoutMetricsToo) {
  Busy busy;
  const auto room = [&busy](EndpointView view) {
    view.endpoint = &busy.endpoint;
    return RoomOf(Candidates(std::vector{view}), {}, kNow);
  };
  EXPECT_EQ(room(NeverScraped()), kRoomMax);
  busy.state().in_flight_requests = 8;
  RecordPushback(busy.state(), kNow, kNow, std::nullopt);
  EXPECT_EQ(room(NeverScraped()), 6);
  EXPECT_EQ(room(Stale(0, 0)), 1) << "none of ours is in flight in the sample";
  RecordPushback(busy.state(), kNow, kNow, std::chrono::seconds(1));
  EXPECT_EQ(room(NeverScraped()), 0);
  EXPECT_EQ(room(Stale(0, 0)), 0);
}

TEST(Admission, ABurstBetweenTwoScrapesDoesNotPassTheLimit) {
  Busy busy;
  busy.state().in_flight_requests = busy.state().scraped_in_flight = 10;
  int admitted = 0;
  for (; busy.Room() > 0; ++admitted) ++busy.state().in_flight_requests;
  EXPECT_EQ(admitted, 6);  // 5 waiting are within it, so a 6th may come
  --busy.state().in_flight_requests;
  EXPECT_EQ(busy.Room(), 1);
}

TEST(Admission, WhatHasEndedSinceThePageMakesRoom) {
  Busy busy;
  busy.waiting = 8;
  busy.state().in_flight_requests = busy.state().scraped_in_flight = 40;
  EXPECT_EQ(busy.Room(), 0);
  busy.state().in_flight_requests = 37;
  EXPECT_EQ(busy.Room(), 1);
  busy.state().in_flight_requests = 30;
  EXPECT_EQ(busy.Room(), 8);
}

TEST(Admission, AnEndpointThatRanMoreWhileNoneWaitedHasRoomForAsMany) {
  Busy busy;
  busy.state().running_requests = 4;
  busy.state().running_requests_peak = 100;
  EXPECT_EQ(busy.Room(), 96 + 6);
  busy.state().in_flight_requests = 96 + 5;
  EXPECT_EQ(busy.Room(), 1);
  // Where some wait there is none, however many ran before.
  busy.waiting = 1;
  busy.state().scraped_in_flight = 96 + 5;
  EXPECT_EQ(busy.Room(), 5);
}

TEST(Admission, TokensThatCameSinceThePageFillTheKvCache) {
  Busy busy;
  busy.kv_cache = 0.5f;
  busy.state().cache_blocks = 1000;
  busy.state().cache_block_tokens = 16;
  busy.state().pending_prompt_tokens = 1000;
  busy.state().decoding_context_tokens = 1000;
  busy.state().scraped_tokens = 2000;
  EXPECT_EQ(busy.Room(), 6);
  busy.state().pending_prompt_tokens = 6000;  // 5,000 of 16,000 more
  EXPECT_EQ(busy.Room(), 0);
  busy.state().cache_blocks = 0;  // not reported
  EXPECT_EQ(busy.Room(), 6);
}

TEST(Admission, RoomIsThatOfAllTogether) {
  const SaturationLimits limits;
  EXPECT_EQ(RoomOf(Candidates(std::vector{Fresh(6, 0), Fresh(5, 0), Fresh(2, 0)}), limits, kNow),
            1 + 4);
  EXPECT_EQ(RoomOf(Candidates(std::vector{Stale(0, 0), Fresh(2, 0)}), limits, kNow), 4);
  EXPECT_EQ(
      RoomOf(Candidates(std::vector{Stale(0, 0), InUse(Stale(0, 0)), Stale(9, 1)}), limits, kNow),
      2);
  EXPECT_EQ(RoomOf(Candidates(std::vector{NeverScraped()}), limits, kNow), kRoomMax);
  EXPECT_EQ(RoomOf(Candidates(), limits, kNow), kRoomMax);
}

TEST(Admission, OnlyCriticalRequestsEnterASaturatedPool) {
  const Candidates full(std::vector{Fresh(6, 0), Fresh(0, 0.9f)});
  EXPECT_EQ(Admit(Criticality::kCritical, full, {}, kNow), Admission::kAdmitted);
  EXPECT_EQ(Admit(Criticality::kStandard, full, {}, kNow), Admission::kRejectedSaturated);
  EXPECT_EQ(Admit(Criticality::kSheddable, full, {}, kNow), Admission::kRejectedSaturated);
}

TEST(Admission, EveryRequestEntersAPoolWithRoom) {
  const Candidates room(std::vector{Fresh(6, 0), Fresh(2, 0.5f)});
  EXPECT_EQ(Admit(Criticality::kCritical, room, {}, kNow), Admission::kAdmitted);
  EXPECT_EQ(Admit(Criticality::kStandard, room, {}, kNow), Admission::kAdmitted);
  EXPECT_EQ(Admit(Criticality::kSheddable, room, {}, kNow), Admission::kAdmitted);
}

TEST(Admission, APriorityBelowZeroIsSheddableAndEveryOtherAlwaysAdmitted) {
  const Candidates full(std::vector{Fresh(100, 0.99f)});
  EXPECT_EQ(Admit(CriticalityOf(-1), full, {}, kNow), Admission::kRejectedSaturated);
  EXPECT_EQ(Admit(CriticalityOf(0), full, {}, kNow), Admission::kAdmitted);
  EXPECT_EQ(Admit(CriticalityOf(10), full, {}, kNow), Admission::kAdmitted);
}

}  // namespace
}  // namespace gw
