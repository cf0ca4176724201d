// How a Reflector reads: lists, pages, watches, and what it does when the server ends them.

#include "kube/reflector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/strings/numbers.h"
#include "http/url.h"
#include "kube/test_reflector.h"

namespace gw::kube {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

INSTANTIATE_TEST_SUITE_P(Reads, ReflectorTest, testing::Bool(), [](const auto& info) {
  return info.param ? "ByWatchList" : "ByListAndWatch";
});

TEST_P(ReflectorTest, TellsAllThereIsAndThenWhatChanges) {
  server_.store.Put("a", "1");
  server_.store.Put("b", "1");
  Sync();
  EXPECT_THAT(Told(), ElementsAre("+a=1", "+b=1"));
  EXPECT_TRUE(reflector_->has_synced());
  EXPECT_THAT(sink_.states, ElementsAre("synced"));
  EXPECT_EQ(server_.requests.size(), GetParam() ? 1u : 2u);
  server_.Put("c", "1");
  server_.Put("a", "2");
  server_.Delete("b");
  UntilTold(3);
  EXPECT_THAT(Told(), ElementsAre("+c=1", "+a=2", "-b"));
  EXPECT_EQ(reflector_->objects(), 2u);
}

TEST_P(ReflectorTest, ObjectsSayWhatTheyAreAlsoWhereListsOfBuiltInKindsDoNot) {
  server_.store.Put("a", "1");
  Sync();
  EXPECT_EQ(sink_.last.key, (api::ObjectKey{"default", "a"}));
  EXPECT_EQ(sink_.last.uid, "u1");
  EXPECT_EQ(sink_.last.resource_version, "v/1+=");
  EXPECT_EQ(sink_.last.node.Find("apiVersion")->text, "v1");
  EXPECT_EQ(sink_.last.node.Find("kind")->text, "Pod");
}

TEST_P(ReflectorTest, NothingThereIsSyncedToo) {
  Sync();
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_TRUE(reflector_->has_synced());
}

TEST_P(ReflectorTest, IsNotSyncedBeforeTheWholeWasTold) {
  server_.store.Put("a", "1");
  server_.hang = true;
  Start();
  AdvanceUntil([&] { return server_.requests.size() == 1; });
  EXPECT_TRUE(IsIn(ReflectorState::kSyncing));
  EXPECT_FALSE(reflector_->has_synced());
}

TEST_P(ReflectorTest, ReadsAListInPages) {
  options_.watch_list = false;
  options_.page_max = 2;
  for (const char* name : {"a", "b", "c", "d", "e"}) server_.store.Put(name, "1");
  Sync();
  EXPECT_THAT(Told(), ElementsAre("+a=1", "+b=1", "+c=1", "+d=1", "+e=1"));
  EXPECT_EQ(server_.CountOf("limit=2"), 3u);
  EXPECT_EQ(server_.CountOf("continue="), 2u);
}

TEST_P(ReflectorTest, APageThatIsTooOldMeansFromTheBeginning) {
  options_.watch_list = false;
  options_.page_max = 1;
  server_.store.Put("a", "1");
  server_.store.Put("b", "1");
  server_.Script("continue=", TestApiServer::Status(410));
  Start();
  AdvanceUntil([&] { return server_.requests.size() == 2; });
  server_.store.Delete("a");
  server_.store.Put("c", "1");
  Sync();
  EXPECT_THAT(Told(), ElementsAre("+a=1", "+b=1", "+c=1", "-a"));
  EXPECT_THAT(sink_.states, ElementsAre("synced"));
}

TEST_P(ReflectorTest, AListThatIsAlwaysTooOldIsTrouble) {
  options_.watch_list = false;
  options_.page_max = 1;
  server_.store.Put("a", "1");
  server_.store.Put("b", "1");
  for (int i = 0; i < 3; ++i) server_.Script("continue=", TestApiServer::Status(410));
  Start();
  AdvanceUntil([&] { return IsIn(ReflectorState::kUnreachable); });
  EXPECT_EQ(reflector_->status().error, "status 410: says 410");
  Sync();
}

TEST_P(ReflectorTest, APageThatIsTooLargeIsAskedForInHalves) {
  options_.watch_list = false;
  options_.page_max = 8;
  Connect({.answer_bytes_max = 700});
  for (const char* name : {"a", "b", "c", "d", "e"}) server_.store.Put(name, "1");
  Sync();
  EXPECT_THAT(Told(), ElementsAre("+a=1", "+b=1", "+c=1", "+d=1", "+e=1"));
}

TEST_P(ReflectorTest, APageThatNamesItselfAsTheNextIsNotReadForEver) {
  options_.watch_list = false;
  const std::string page = TestApiServer::Answer(
      200, R"({"kind":"PodList","metadata":{"resourceVersion":"1","continue":"x"},"items":[]})");
  server_.Script("limit=", page);
  server_.Script("continue=x", page);
  Start();
  AdvanceUntil([&] { return IsIn(ReflectorState::kUnreachable); });
  EXPECT_THAT(reflector_->status().error, HasSubstr("names itself"));
  Sync();
}

TEST_P(ReflectorTest, AFriendlyPageIsNoListOfNothing) {
  server_.store.Put("a", "1");
  Sync();
  Told();
  BecomeSteady();
  options_.watch_list = false;
  for (const char* body : {"<html>Sign in</html>", "{}", "null", R"({"kind":"PodList"})"}) {
    server_.Script("pods", TestApiServer::Status(410));  // of the watch
    server_.Script("pods", TestApiServer::Answer(200, body));
    server_.EndWatches();
    AdvanceUntil([&] { return !server_.scripted(); });
    Sync();
    EXPECT_THAT(Told(), IsEmpty()) << body;
    BecomeSteady();
  }
}

TEST_P(ReflectorTest, ABookmarkMovesTheVersionOn) {
  Sync();
  BecomeSteady();
  for (int i = 0; i < 5; ++i) server_.store.MoveOn();
  server_.Tell(server_.store.Bookmark());
  server_.EndWatches();
  server_.requests.clear();
  AdvanceUntil([&] { return server_.requests.size() == 1; });
  EXPECT_TRUE(server_.requests[0].Has("resourceVersion=v%2F5%2B%3D&"))
      << server_.requests[0].target;
}

TEST_P(ReflectorTest, AWatchThatEndedGoesOnWhereItWas) {
  server_.store.Put("a", "1");
  Sync();
  server_.Put("b", "1");
  UntilTold(2);
  BecomeSteady();
  server_.EndWatches();
  server_.store.Put("c", "1");
  server_.store.Delete("a");
  UntilTold(4);
  EXPECT_THAT(Told(), ElementsAre("+a=1", "+b=1", "+c=1", "-a"));
  EXPECT_THAT(sink_.states, ElementsAre("synced"));
  EXPECT_EQ(server_.CountOf(GetParam() ? "sendInitialEvents" : "limit="), 1u);
}

TEST_P(ReflectorTest, WatchesAskForADifferentEndEachTime) {
  std::set<int> timeouts;
  for (int i = 0; i < 12; ++i) {
    Sync();
    BecomeSteady();
    server_.EndWatches();
    AdvanceUntil([&] { return server_.watches() == 1; });
  }
  for (const TestApiRequest& request : server_.requests) {
    if (!request.Has("watch=true")) continue;
    const auto target = http::ParseTarget(request.target);
    int timeout_s = 0;
    ASSERT_TRUE(absl::SimpleAtoi(*http::QueryParam(target->query, "timeoutSeconds"), &timeout_s));
    EXPECT_GE(timeout_s, 300);
    EXPECT_LE(timeout_s, 600);
    EXPECT_TRUE(request.Has("allowWatchBookmarks=true"));
    timeouts.insert(timeout_s);
  }
  EXPECT_GT(timeouts.size(), 6u);
}

TEST_P(ReflectorTest, AnObjectThatWasMadeAnewUnderItsNameIsTold) {
  server_.store.Put("a", "1");
  Sync();
  BecomeSteady();
  server_.store.Delete("a");
  server_.store.Put("a", "1");
  server_.store.Compact();
  server_.EndWatches();
  UntilTold(2);
  EXPECT_THAT(Told(), ElementsAre("+a=1", "+a=1"));
  EXPECT_EQ(sink_.last.uid, "u2");
}

TEST_P(ReflectorTest, TheWholeReadAgainTellsTheDifferenceAlone) {
  for (const char* name : {"a", "b", "c", "d"}) server_.store.Put(name, "1");
  Sync();
  Told();
  for (const bool by_http : {false, true}) {
    server_.expired_by_http = by_http;
    BecomeSteady();
    server_.EndWatches();
    server_.store.Delete("b");
    server_.store.Put("c", by_http ? "3" : "2");
    server_.store.Compact();
    UntilTold(2);
    EXPECT_THAT(Told(), UnorderedElementsAre("-b", by_http ? "+c=3" : "+c=2"));
    server_.store.Put("b", "1");
    Sync();
    server_.Put("b", "1");
    UntilTold(1);
    Told();
  }
  EXPECT_THAT(sink_.states, ElementsAre("synced"));
}

TEST_P(ReflectorTest, FiveThousandObjectsThatAreAsTheyWereAreNotToldAgain) {
  for (int i = 0; i < 5000; ++i) server_.store.Put("object-" + std::to_string(i), "1");
  Sync();
  EXPECT_EQ(Told().size(), 5000u);
  BecomeSteady();
  server_.store.Compact();
  server_.EndWatches();
  server_.requests.clear();
  AdvanceUntil([&] { return server_.watches() == 1 && server_.requests.size() > 1; });
  Sync();
  server_.Put("last", "1");
  UntilTold(1);
  EXPECT_THAT(Told(), ElementsAre("+last=1"));
}

TEST_P(ReflectorTest, AnObjectMoreThanItsLimitIsTroubleWithAName) {
  options_.objects_max = 2;
  server_.store.Put("a", "1");
  server_.store.Put("b", "1");
  Sync();
  server_.Put("c", "1");
  AdvanceUntil([&] { return IsIn(ReflectorState::kUnreachable); });
  EXPECT_EQ(reflector_->status().error, "there are more than 2 objects (limit kube_objects)");
  server_.store.Delete("a");
  server_.store.Delete("c");
  Sync();
  EXPECT_EQ(sink_.values, server_.store.Values());
}

TEST_P(ReflectorTest, MayGoAtAnyTime) {
  for (int rounds = 0; rounds < 12; ++rounds) {
    server_.Put("a", std::to_string(rounds));
    Start();
    for (int i = 0; i < rounds; ++i) loop_->RunOnce(Duration(0));
    reflector_.reset();
  }
  AdvanceUntil([&] { return server_.watches() == 0; });
}

}  // namespace
}  // namespace gw::kube
