// How statuses get to the server, and what becomes of it when the server has something against it.

#include "kube/status_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "kube/test_api_fixture.h"
#include "kube/test_api_objects.h"
#include "kube/test_status.h"

namespace gw::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

class StatusWriterTest : public ApiServerTest {
 protected:
  StatusWriterTest() {
    Connect();
    server_.handler = [this](const TestApiRequest& request) { return objects_.Serve(request); };
    Make();
    writer_->SetActive(true);
  }
  ~StatusWriterTest() override { writer_.reset(); }

  void Make(StatusWriterOptions options = {}) {
    options.controller_names = {kOurName};
    writer_.emplace(*client_, Random(1), std::move(options));
  }
  static std::string PathOf(const std::string& name) {
    return "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes/" + name;
  }
  // Somebody writes it; the watch has not told yet.
  void Put(const std::string& name, const std::string& parents, int64_t generation = 1) {
    objects_.Put(PathOf(name), RouteThere(parents, generation, name));
  }
  ApiObject Object(const std::string& name) {
    return *ReadObject(ToJson(objects_.At(PathOf(name))), routes_);
  }
  // The watch tells what the server has.
  void Tell(const std::string& name) { writer_->Seen(routes_, Object(name)); }
  void Wish(const std::string& name, std::vector<api::ParentStatus> parents) {
    wish_.erase(RefOf(name));
    wish_.emplace(RefOf(name), SaidOfParents(std::move(parents)));
    writer_->Want(wish_);
  }
  void WishAccepted(const std::string& name, int64_t generation = 1) {
    Wish(name, {SaidOf("gw", {SaidTrue("Accepted", generation)})});
  }
  static api::ObjectRef RefOf(const std::string& name) {
    return {"gateway.networking.k8s.io", "v1", "HTTPRoute", "default", name};
  }
  std::string Parents(const std::string& name) {
    const api::Node* parents = MapAt(&objects_.At(PathOf(name)), "status")->Find("parents");
    return parents == nullptr ? "" : ToJson(*parents);
  }
  void Settle() {
    RunUntil([&] { return writer_->idle(); });
    for (int i = 0; i < 8; ++i) loop_->RunOnce(Duration(0));
    ASSERT_TRUE(writer_->idle());
  }
  size_t Requests(const std::string& method) const {
    size_t count = 0;
    for (const TestApiRequest& request : server_.requests) count += request.method == method;
    return count;
  }

  const Resource routes_{.group = "gateway.networking.k8s.io",
                         .version = "v1",
                         .plural = "httproutes",
                         .kind = "HTTPRoute"};
  TestApiObjects objects_;
  api::StatusSet wish_;
  std::optional<StatusWriter> writer_;
};

TEST_F(StatusWriterTest, WritesWhatIsWishedOnceAndTheEchoWritesNothing) {
  Put("a", "");
  Tell("a");
  WishAccepted("a");
  Settle();
  EXPECT_THAT(Parents("a"), HasSubstr(R"("controllerName":"penstock.dev/gateway-controller")"));
  EXPECT_EQ(server_.requests[0].method, "PATCH");
  EXPECT_EQ(server_.requests[0].target, PathOf("a") + "/status");
  EXPECT_EQ(server_.requests[0].fields.at("content-type"), "application/merge-patch+json");
  EXPECT_THAT(server_.requests[0].body, HasSubstr(R"("metadata":{"resourceVersion":"v/1+="})"));
  Tell("a");
  WishAccepted("a");
  Settle();
  EXPECT_EQ(server_.requests.size(), 1u);
  EXPECT_EQ(writer_->counts().writes, 1u);
}

TEST_F(StatusWriterTest, AnObjectThatNothingIsWishedForIsLeftAlone) {
  Put("a", ParentThere("gw", ThereTrue("Accepted")));
  Tell("a");
  writer_->Want({});
  Settle();
  EXPECT_EQ(server_.requests.size(), 0u);
  Wish("a", {});
  Settle();
  EXPECT_EQ(Parents("a"), "[]");
}

TEST_F(StatusWriterTest, WritesNothingUntilItIsActiveAndNothingWhenItIsNoMore) {
  writer_->SetActive(false);
  Put("a", "");
  Tell("a");
  WishAccepted("a");
  Settle();
  EXPECT_EQ(server_.requests.size(), 0u);
  writer_->SetActive(true);
  Settle();
  EXPECT_EQ(writer_->counts().writes, 1u);
  server_.hang = true;
  WishAccepted("a", 2);
  RunUntil([&] { return writer_->calls() == 1 && server_.requests.size() == 2; });
  writer_->SetActive(false);
  EXPECT_EQ(writer_->calls(), 0u);
  server_.hang = false;
  Put("a", "");
  Tell("a");
  Advance(seconds(60));
  EXPECT_EQ(server_.requests.size(), 2u);
}

TEST_F(StatusWriterTest, OneRequestForAnObjectAndTheLastWishIsWhatStandsInTheEnd) {
  Put("a", "");
  Tell("a");
  server_.hang = true;
  WishAccepted("a");
  RunUntil([&] { return server_.requests.size() == 1; });
  for (int64_t generation = 2; generation < 9; ++generation) WishAccepted("a", generation);
  for (int i = 0; i < 8; ++i) loop_->RunOnce(Duration(0));
  EXPECT_EQ(server_.requests.size(), 1u);
  server_.hang = false;
  AdvanceUntil([&] { return writer_->idle(); }, seconds(1));
  EXPECT_THAT(Parents("a"), HasSubstr(R"("observedGeneration":8)"));
  EXPECT_EQ(Requests("PATCH"), 2u);
}

TEST_F(StatusWriterTest, AfterAConflictTheNewerVersionThatTheWatchTellsIsWritten) {
  Put("a", "");
  Tell("a");
  const std::string others = ParentThere("o", ThereTrue("Accepted"), "example.com/other");
  Put("a", others);
  WishAccepted("a");
  RunUntil([&] { return writer_->counts().conflicts == 1; });
  EXPECT_EQ(Requests("PATCH"), 1u);
  Tell("a");
  Settle();
  EXPECT_THAT(Parents("a"), HasSubstr(others));
  EXPECT_THAT(Parents("a"), HasSubstr(kOurName));
  EXPECT_EQ(Requests("PATCH"), 2u);
  EXPECT_EQ(Requests("GET"), 0u);
}

TEST_F(StatusWriterTest, AfterAConflictThatTheWatchIsSilentAboutTheObjectIsAskedFor) {
  Put("a", "");
  Tell("a");
  Put("a", "", 2);
  WishAccepted("a", 2);
  AdvanceUntil([&] { return writer_->idle(); });
  EXPECT_EQ(Requests("GET"), 1u);
  EXPECT_EQ(writer_->counts().writes, 1u);
  Tell("a");
  Settle();
  EXPECT_EQ(server_.requests.size(), 3u);
}

TEST_F(StatusWriterTest, AWatchThatIsBehindOurOwnWritesCausesNone) {
  Put("a", "");
  const ApiObject first = Object("a");
  Tell("a");
  WishAccepted("a", 1);
  Settle();
  const ApiObject second = Object("a");
  WishAccepted("a", 2);
  Settle();
  EXPECT_EQ(server_.requests.size(), 2u);
  writer_->Seen(routes_, first);
  writer_->Seen(routes_, second);
  Tell("a");
  Settle();
  EXPECT_EQ(server_.requests.size(), 2u);
  EXPECT_EQ(writer_->counts().conflicts, 0u);
}

TEST_F(StatusWriterTest, AnObjectThatChangesAllTheTimeIsTriedAFewTimesAndThenSeldom) {
  Put("a", "");
  Tell("a");
  for (int i = 0; i < 6; ++i) server_.Script("/status", TestApiServer::Status(409));
  WishAccepted("a");
  AdvanceUntil([&] { return writer_->counts().conflicts == 6; });
  EXPECT_EQ(Requests("PATCH"), 6u);
  Advance(seconds(23));
  EXPECT_EQ(Requests("PATCH"), 6u);
  AdvanceUntil([&] { return writer_->idle(); });
  EXPECT_EQ(writer_->counts().writes, 1u);
}

TEST_F(StatusWriterTest, AnObjectThatIsGoneIsForgotten) {
  Put("a", "");
  Tell("a");
  objects_.Delete(PathOf("a"));
  WishAccepted("a");
  RunUntil([&] { return writer_->counts().absent == 1; });
  EXPECT_EQ(writer_->objects(), 0u);
  Put("a", "");
  Tell("a");
  Settle();
  EXPECT_EQ(writer_->counts().writes, 1u);
  writer_->Gone(routes_, {"default", "a"});
  EXPECT_EQ(writer_->objects(), 0u);
  WishAccepted("a", 2);
  Settle();
  EXPECT_EQ(Requests("PATCH"), 2u);
}

TEST_F(StatusWriterTest, MayBeToldThatAnObjectIsGoneWhileItIsWritten) {
  Put("a", "");
  Tell("a");
  server_.hang = true;
  WishAccepted("a");
  RunUntil([&] { return server_.requests.size() == 1; });
  writer_->Gone(routes_, {"default", "a"});
  EXPECT_EQ(writer_->calls(), 0u);
  Advance(seconds(60));
  EXPECT_EQ(server_.requests.size(), 1u);
}

TEST_F(StatusWriterTest, WhatIsRefusedIsNotSentAgainUntilSomethingIsNew) {
  Put("a", "");
  Tell("a");
  server_.Script("/status", TestApiServer::Status(422));
  WishAccepted("a");
  Settle();
  Advance(seconds(600));
  WishAccepted("a");
  Tell("a");
  Settle();
  EXPECT_EQ(Requests("PATCH"), 1u);
  EXPECT_EQ(writer_->counts().refusals, 1u);
  server_.Script("/status", TestApiServer::Status(422));
  WishAccepted("a", 2);
  Settle();
  EXPECT_EQ(Requests("PATCH"), 2u);
  Put("a", "", 2);
  Tell("a");
  Settle();
  EXPECT_EQ(Requests("PATCH"), 3u);
  EXPECT_EQ(writer_->counts().writes, 1u);
}

TEST_F(StatusWriterTest, WhatTheServerDoesNotKeepIsNotSentOverAndOver) {
  objects_.admit = [](api::Node* object) {
    api::Node status = MapNode();
    SetMember(object, "status", std::move(status));
  };
  Put("a", "");
  Tell("a");
  WishAccepted("a");
  Settle();
  Tell("a");
  Advance(seconds(600));
  EXPECT_EQ(Requests("PATCH"), 1u);
  EXPECT_EQ(writer_->counts().not_kept, 1u);
}

TEST_F(StatusWriterTest, WhatIsForbiddenIsTriedSeldom) {
  Put("a", "");
  Tell("a");
  server_.Script("/status", TestApiServer::Status(403));
  WishAccepted("a");
  RunUntil([&] { return writer_->counts().forbidden == 1; });
  Put("a", "");
  Tell("a");
  Advance(seconds(23));
  EXPECT_EQ(Requests("PATCH"), 1u);
  AdvanceUntil([&] { return writer_->idle(); });
  EXPECT_EQ(writer_->counts().writes, 1u);
  EXPECT_EQ(writer_->counts().conflicts, 0u);
}

TEST_F(StatusWriterTest, OtherFailuresAreTriedAgainFurtherAndFurtherApart) {
  Put("a", "");
  Tell("a");
  for (int i = 0; i < 4; ++i) server_.Script("/status", TestApiServer::Status(500));
  WishAccepted("a");
  AdvanceUntil([&] { return writer_->idle(); });
  EXPECT_EQ(writer_->counts().failures, 4u);
  const int least_s[] = {1, 2, 4, 8};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_GE(server_.requests[i + 1].at - server_.requests[i].at, seconds(least_s[i]));
  }
  server_.Script("/status", TestApiServer::Answer(200, "<html>"));
  WishAccepted("a", 2);
  AdvanceUntil([&] { return writer_->idle(); });
  EXPECT_THAT(Parents("a"), HasSubstr(R"("observedGeneration":2)"));
}

TEST_F(StatusWriterTest, AnAnswerThatIsLostIsNoSecondWrite) {
  Put("a", "");
  Tell("a");
  bool lose = true;
  server_.handler = [&](const TestApiRequest& request) {
    auto bytes = objects_.Serve(request);
    return std::exchange(lose, false) ? std::optional<std::string>("") : bytes;
  };
  WishAccepted("a");
  AdvanceUntil([&] { return writer_->idle(); }, seconds(1));
  EXPECT_EQ(writer_->counts().failures, 1u);
  EXPECT_EQ(writer_->counts().conflicts, 1u);
  EXPECT_EQ(writer_->counts().writes, 0u);
  EXPECT_THAT(Parents("a"), HasSubstr(kOurName));
}

TEST_F(StatusWriterTest, AThousandObjectsAreWrittenAFewAtATime) {
  size_t most = 0;
  server_.handler = [&](const TestApiRequest& request) {
    most = std::max(most, writer_->calls());
    return objects_.Serve(request);
  };
  for (int i = 0; i < 200; ++i) {
    const std::string name = "r" + std::to_string(i);
    Put(name, "");
    Tell(name);
    wish_.emplace(RefOf(name), SaidOfParents({SaidOf("gw", {SaidTrue("Accepted")})}));
  }
  writer_->Want(wish_);
  AdvanceUntil([&] { return writer_->idle(); });
  EXPECT_EQ(writer_->counts().writes, 200u);
  EXPECT_LE(most, 8u);
  EXPECT_EQ(server_.requests.size(), 200u);
}

TEST_F(StatusWriterTest, ObjectsAboveTheLimitAreCounted) {
  StatusWriterOptions options;
  options.objects_max = 1;
  Make(options);
  for (const char* name : {"a", "b"}) {
    Put(name, "");
    Tell(name);
  }
  EXPECT_EQ(writer_->objects(), 1u);
  EXPECT_EQ(writer_->counts().too_many, 1u);
}

TEST_F(StatusWriterTest, OldViewsAreNotWrittenAndCounted) {
  Put("a", ParentThere("gw", ThereTrue("Accepted", 3)), 3);
  Tell("a");
  WishAccepted("a", 2);
  Settle();
  EXPECT_EQ(server_.requests.size(), 0u);
  EXPECT_EQ(writer_->counts().old_views, 1u);
}

TEST_F(StatusWriterTest, TwoControllersShareARouteAndComeToRest) {
  StatusWriter other(*client_, Random(2), {.controller_names = {"example.com/other"}});
  other.SetActive(true);
  Put("a", "");
  Tell("a");
  other.Seen(routes_, Object("a"));
  api::StatusSet theirs;
  theirs.emplace(RefOf("a"),
                 SaidOfParents({SaidOf("gw", {SaidTrue("Accepted")}, "example.com/other")}));
  WishAccepted("a");
  other.Want(theirs);
  AdvanceUntil([&] { return writer_->idle() && other.idle(); });
  for (int i = 0; i < 5; ++i) {
    Tell("a");
    other.Seen(routes_, Object("a"));
    AdvanceUntil([&] { return writer_->idle() && other.idle(); });
  }
  EXPECT_EQ(writer_->counts().writes + other.counts().writes, 2u);
  EXPECT_EQ(ItemsAt(MapAt(&objects_.At(PathOf("a")), "status"), "parents").size(), 2u);
}

}  // namespace
}  // namespace gw::kube
