// What a Reflector does when the server, or the way to it, fails.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "http/h1_writer.h"
#include "kube/test_reflector.h"

namespace gw::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AnyOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using ReflectorFaultTest = ReflectorTest;
INSTANTIATE_TEST_SUITE_P(Reads, ReflectorFaultTest, testing::Bool(), [](const auto& info) {
  return info.param ? "ByWatchList" : "ByListAndWatch";
});

// Between the requests that came since the last clear.
std::vector<Duration> Gaps(const std::vector<TestApiRequest>& requests) {
  std::vector<Duration> gaps;
  for (size_t i = 1; i < requests.size(); ++i) {
    gaps.push_back(requests[i].at - requests[i - 1].at);
  }
  return gaps;
}

TEST_P(ReflectorFaultTest, AWatchThatBreaksWithinALineLosesAndRepeatsNothing) {
  Sync();
  BecomeSteady();
  server_.Put("a", "1");
  const std::string line = server_.store.Put("b", "1").line;
  server_.TellRaw(line.substr(0, line.size() / 2));
  UntilTold(1);
  server_.CloseConnections();
  UntilTold(2);
  server_.Put("c", "1");
  Sync();
  server_.Put("d", "1");
  AdvanceUntil([&] { return sink_.values.contains("d"); });
  EXPECT_THAT(Told(), ElementsAre("+a=1", "+b=1", "+c=1", "+d=1"));
  EXPECT_EQ(server_.CountOf(GetParam() ? "sendInitialEvents" : "limit="), 1u);
}

TEST_P(ReflectorFaultTest, AWatchThatGoesSilentIsLeftAndNothingIsLost) {
  Sync();
  server_.Mute();
  server_.Put("a", "1");
  Advance(seconds(299));
  EXPECT_EQ(server_.requests.size(), GetParam() ? 1u : 2u);
  AdvanceUntil([&] { return sink_.told.size() == 1; }, seconds(1));
  EXPECT_THAT(Told(), ElementsAre("+a=1"));
  EXPECT_EQ(server_.watches(), 1u);  // the silent one is closed
}

TEST_P(ReflectorFaultTest, AServerThatEndsEveryWatchAtOnceIsNotHammered) {
  Sync();
  server_.requests.clear();
  const TimePoint end = clock_.Now() + seconds(120);
  while (clock_.Now() < end) {
    server_.EndWatches();
    Advance(milliseconds(250));
  }
  EXPECT_LT(server_.requests.size(), 12u);
  EXPECT_GT(server_.requests.size(), 3u);
}

TEST_P(ReflectorFaultTest, TriesComeFurtherAndFurtherApart) {
  for (int i = 0; i < 8; ++i) server_.Script("pods", TestApiServer::Status(500));
  Start();
  AdvanceUntil([&] { return server_.requests.size() == 8; });
  EXPECT_THAT(sink_.states, ElementsAre("unreachable"));
  AdvanceUntil([&] { return reflector_->status().error == "status 500: says 500"; });
  AdvanceUntil([&] { return server_.requests.size() >= 9; });
  const std::vector<Duration> gaps = Gaps(server_.requests);
  const int least_s[] = {1, 2, 4, 8, 15, 15, 15, 15};
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_GE(gaps[i], seconds(least_s[i])) << i;
    EXPECT_LE(gaps[i], seconds(31)) << i;
  }
  Sync();
  EXPECT_THAT(sink_.states, ElementsAre("unreachable", "synced"));
  EXPECT_EQ(reflector_->status().error, "");
}

TEST_P(ReflectorFaultTest, TwoReflectorsDoNotComeBackInStep) {
  std::vector<Duration> first;
  for (uint64_t seed : {1, 2}) {
    server_.requests.clear();
    server_.Script("pods", TestApiServer::Status(500));
    Start(seed);
    AdvanceUntil([&] { return server_.requests.size() >= 2; }, milliseconds(1));
    first.push_back(Gaps(server_.requests)[0]);
  }
  EXPECT_NE(first[0], first[1]);
}

TEST_P(ReflectorFaultTest, AServerThatIsGoneTakesNoObjectAway) {
  server_.store.Put("a", "1");
  server_.store.Put("b", "1");
  Sync();
  Told();
  BecomeSteady();
  server_.Stop();
  AdvanceUntil([&] { return IsIn(ReflectorState::kUnreachable); });
  EXPECT_EQ(reflector_->status().error, "connection: connect_refused");
  EXPECT_TRUE(reflector_->has_synced());
  const TimePoint since = reflector_->status().since;
  Advance(seconds(100));
  Advance(seconds(100));
  EXPECT_EQ(reflector_->status().since, since);
  EXPECT_THAT(Told(), IsEmpty());
  server_.store.Delete("a");
  server_.Start();
  Sync();
  UntilTold(1);
  EXPECT_THAT(Told(), ElementsAre("-a"));
  EXPECT_THAT(sink_.states, ElementsAre("synced", "unreachable", "synced"));
}

TEST_P(ReflectorFaultTest, CredentialsThatAreRefusedForGoodAreTrouble) {
  for (int i = 0; i < 2; ++i) server_.Script("pods", TestApiServer::Status(401));
  Start();
  AdvanceUntil([&] { return IsIn(ReflectorState::kUnreachable); });
  EXPECT_EQ(reflector_->status().error, "status 401: says 401");
  EXPECT_EQ(credentials_.refused, 1);
  credentials_.error = absl::NotFoundError("no token");
  AdvanceUntil([&] { return reflector_->status().error == "credentials: no token"; });
  credentials_.error = absl::OkStatus();
  Sync();
}

TEST_P(ReflectorFaultTest, AVersionOfTheFutureMeansFromTheBeginning) {
  for (int i = 0; i < 5; ++i) server_.store.Put("a" + std::to_string(i), "1");
  for (int i = 0; i < 100; ++i) server_.store.MoveOn();
  Sync();
  BecomeSteady();
  Told();
  server_.store.Delete("a0");
  server_.store.Restore();  // all are versions of long ago
  server_.EndWatches();
  AdvanceUntil([&] { return !sink_.values.contains("a0"); });
  Sync();
  EXPECT_EQ(sink_.values, server_.store.Values());
  EXPECT_TRUE(reflector_->has_synced());
}

TEST_P(ReflectorFaultTest, AnErrorOfAWatchThatIsNotItsAgeGoesOnWhereItWas) {
  Sync();
  BecomeSteady();
  server_.requests.clear();
  server_.Tell(TestApiStore::Line("ERROR", TestApiStore::StatusObject(500, "etcd has a cold")));
  server_.store.Put("a", "1");
  UntilTold(1);
  EXPECT_EQ(server_.requests.size(), 1u);
  EXPECT_TRUE(server_.requests[0].Has("&resourceVersion="));
}

TEST_P(ReflectorFaultTest, ALineThatIsNoEventIsReadAgainAndThenTheWhole) {
  server_.store.Put("a", "1");
  for (const char* line : {"{\"type\":", "{\"type\":\"ADDED\",\"object\":{}}", "garbage"}) {
    Sync();
    BecomeSteady();
    server_.requests.clear();
    for (int i = 0; i < 3; ++i) {
      server_.Tell(line);
      AdvanceUntil([&] { return server_.watches() == 0; });
      AdvanceUntil([&] { return server_.watches() == 1; });
    }
    EXPECT_EQ(server_.CountOf(GetParam() ? "sendInitialEvents" : "limit="), 1u) << line;
  }
  EXPECT_THAT(Told(), ElementsAre("+a=1"));
}

TEST_P(ReflectorFaultTest, AKindThatIsNotThereIsAskedForSlowlyUntilItIs) {
  server_.installed = false;
  Start();
  AdvanceUntil([&] { return IsIn(ReflectorState::kAbsent); });
  EXPECT_TRUE(reflector_->has_synced());
  EXPECT_EQ(reflector_->status().error, "status 404: 404 page not found");
  AdvanceUntil([&] { return server_.requests.size() == 5; });
  for (const Duration gap : Gaps(server_.requests)) {
    EXPECT_GE(gap, seconds(24));
    EXPECT_LE(gap, seconds(37));
  }
  server_.installed = true;
  server_.store.Put("a", "1");
  Sync();
  EXPECT_THAT(Told(), ElementsAre("+a=1"));
  EXPECT_THAT(sink_.states, ElementsAre("absent", "synced"));
}

TEST_P(ReflectorFaultTest, AKindThatGoesTakesItsObjectsWithIt) {
  server_.store.Put("a", "1");
  server_.store.Put("b", "1");
  Sync();
  Told();
  BecomeSteady();
  server_.installed = false;
  server_.EndWatches();
  AdvanceUntil([&] { return IsIn(ReflectorState::kAbsent); });
  EXPECT_THAT(Told(), ElementsAre("-a", "-b"));
  EXPECT_EQ(reflector_->objects(), 0u);
  server_.store.Restore();
  server_.installed = true;
  Sync();
  EXPECT_THAT(Told(), ElementsAre("+a=1", "+b=1"));
}

TEST_P(ReflectorFaultTest, OneAnswer404IsNotBelievedWhereThereIsSomethingToLose) {
  server_.store.Put("a", "1");
  Sync();
  Told();
  for (int i = 0; i < 3; ++i) {
    BecomeSteady();
    server_.Script("watch", TestApiServer::Answer(404, "404 page not found"));
    server_.EndWatches();
    AdvanceUntil([&] { return !server_.scripted(); });
    Sync();
  }
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_THAT(sink_.states, ElementsAre("synced"));
}

TEST_P(ReflectorFaultTest, WhatMayNotBeReadIsAskedForSlowlyAndToldOnce) {
  server_.forbidden = true;
  Start();
  AdvanceUntil([&] { return server_.requests.size() == 4; });
  EXPECT_THAT(sink_.states, ElementsAre("forbidden"));
  EXPECT_EQ(reflector_->status().error, "status 403: says 403");
  EXPECT_FALSE(reflector_->has_synced());
  for (const Duration gap : Gaps(server_.requests)) EXPECT_GE(gap, seconds(24));
  server_.forbidden = false;
  Sync();
}

TEST_P(ReflectorFaultTest, ARightThatIsTakenAwayTakesNoObjectAway) {
  server_.store.Put("a", "1");
  Sync();
  Told();
  BecomeSteady();
  server_.forbidden = true;
  server_.EndWatches();
  AdvanceUntil([&] { return IsIn(ReflectorState::kForbidden); });
  EXPECT_THAT(Told(), IsEmpty());
  server_.forbidden = false;
  Sync();
  EXPECT_THAT(Told(), IsEmpty());
}

TEST_P(ReflectorFaultTest, AServerThatKnowsNoWatchListIsAskedForAList) {
  if (!GetParam()) GTEST_SKIP();
  server_.watch_list = TestApiServer::WatchList::kRefused;
  server_.store.Put("a", "1");
  Sync();
  EXPECT_THAT(Told(), ElementsAre("+a=1"));
  EXPECT_THAT(sink_.states, ElementsAre("synced"));
  BecomeSteady();
  server_.store.Compact();
  server_.EndWatches();
  server_.requests.clear();
  AdvanceUntil([&] { return server_.CountOf("limit=") == 1; });
  EXPECT_EQ(server_.CountOf("sendInitialEvents"), 0u);
}

TEST_P(ReflectorFaultTest, AServerThatTakesAWatchListForAWatchIsFoundOut) {
  if (!GetParam()) GTEST_SKIP();
  server_.watch_list = TestApiServer::WatchList::kIgnored;
  server_.store.Put("a", "1");
  Start();
  UntilTold(1);
  // Other objects go on changing meanwhile.
  int changes = 0;
  AdvanceUntil([&] {
    server_.Put("b", std::to_string(++changes));
    return IsIn(ReflectorState::kSynced);
  });
  AdvanceUntil([&] { return server_.watches() == 1; });
  EXPECT_EQ(server_.CountOf("sendInitialEvents"), 1u);
  EXPECT_EQ(server_.CountOf("limit="), 1u);
  AdvanceUntil([&] { return sink_.values == server_.store.Values(); });
}

TEST_P(ReflectorFaultTest, AWatchListThatBreaksBeforeItsEndHasToldNothingOfWhatIsGone) {
  if (!GetParam()) GTEST_SKIP();
  server_.store.Put("a", "1");
  server_.store.Put("b", "1");
  Sync();
  Told();
  BecomeSteady();
  // The whole is read again, and of two objects one comes before the connection breaks.
  server_.store.Compact();
  const std::string line = server_.store.InitialLines(false)[0] + "\n";
  char size[20];
  const std::string chunk(size, http::FormatChunkSize(line.size(), size));
  server_.Script("sendInitialEvents",
                 "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunk + line + "\r\n");
  server_.EndWatches();
  AdvanceUntil([&] { return !server_.scripted(); });
  server_.CloseConnections();
  Sync();
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_THAT(sink_.states, ElementsAre("synced"));
}

TEST_P(ReflectorFaultTest, AWatchListThatNeverHasAnEndIsTroubleAndNotAskedForAgain) {
  if (!GetParam()) GTEST_SKIP();
  const std::string empty = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
  for (int i = 0; i < 3; ++i) server_.Script("sendInitialEvents", empty);
  Start();
  AdvanceUntil([&] { return IsIn(ReflectorState::kUnreachable); });
  EXPECT_EQ(reflector_->status().error, "a watch ended before it had told all there is");
  EXPECT_EQ(server_.requests.size(), 3u);
  Sync();
  EXPECT_EQ(server_.CountOf("limit="), 1u);
}

// Whatever happens, and in whatever order: in the end the receiver holds what the server holds.
TEST_P(ReflectorFaultTest, AfterAnyTroubleTheReceiverHoldsWhatTheServerHolds) {
  options_.page_max = 3;
  Start();
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    for (int step = 0; step < 60; ++step) {
      const std::string name = "o" + std::to_string(random.Below(8));
      switch (random.Below(16)) {
        case 0:
          server_.CloseConnections();
          break;
        case 1:
          server_.EndWatches();
          break;
        case 2:
          server_.store.Compact();
          break;
        case 3:
          server_.Mute();
          break;
        case 4:
          server_.Tell(server_.store.Bookmark());
          break;
        case 5:
          server_.TellRaw("{\"type\":\"ADDED\",\"obj");
          server_.CloseConnections();
          break;
        case 6: {
          const int status[] = {401, 404, 410, 429, 500, 503};
          server_.Script("pods", TestApiServer::Status(status[random.Below(6)]));
          break;
        }
        case 7:
          server_.expired_by_http = random.Below(2) == 0;
          break;
        case 8:
          Advance(seconds(random.Below(400)));
          break;
        case 9:
          if (server_.store.Values().contains(name)) server_.Delete(name);
          break;
        default:
          server_.Put(name, std::to_string(random.Below(100)));
      }
      if (random.Below(3) > 0) Advance(milliseconds(random.Below(3000)));
    }
    AdvanceUntil(
        [&] {
          return IsIn(ReflectorState::kSynced) && sink_.values == server_.store.Values() &&
                 !server_.scripted();
        },
        seconds(1));
    ASSERT_EQ(sink_.values, server_.store.Values());
  }
  EXPECT_THAT(sink_.states, Each(AnyOf("synced", "unreachable", "absent")));
}

TEST_P(ReflectorFaultTest, AListThatIsNotJsonIsToldWithThePlaceOfTheFault) {
  options_.watch_list = false;
  server_.Script("limit=", TestApiServer::Answer(200, "{\"kind\":\"PodList\",}"));
  Start();
  AdvanceUntil([&] { return IsIn(ReflectorState::kUnreachable); });
  EXPECT_THAT(reflector_->status().error, HasSubstr("not JSON at byte 18 of 19"));
  Sync();
}

}  // namespace
}  // namespace gw::kube
