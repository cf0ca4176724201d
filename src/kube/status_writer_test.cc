// How statuses get to the server.

#include "kube/test_status_writer.h"

namespace gw::kube {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

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

TEST_F(StatusWriterTest, AWishForSomeLeavesTheOthersAsTheyWere) {
  for (const char* name : {"a", "b"}) {
    Put(name, "");
    Tell(name);
    WishAccepted(name);
  }
  Settle();
  EXPECT_EQ(writer_->counts().writes, 2u);
  const auto accepted = [](int64_t generation) {
    return SaidOfParents({SaidOf("gw", {SaidTrue("Accepted", generation)})});
  };
  writer_->WantOf({{RefOf("a"), accepted(2)}, {RefOf("c"), accepted(2)}});
  Settle();
  EXPECT_EQ(writer_->counts().writes, 3u);
  EXPECT_THAT(Parents("a"), HasSubstr(R"("observedGeneration":2)"));
  EXPECT_THAT(Parents("b"), HasSubstr(R"("observedGeneration":1)"));
  // The same again is none, and what was never wished for as one of all is not known.
  writer_->WantOf({{RefOf("a"), accepted(2)}});
  Put("c", "");
  Tell("c");
  Settle();
  EXPECT_EQ(writer_->counts().writes, 3u);
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

// Entries in a pool of v1alpha2 do not say whose they are: the Gateway tells.
TEST_F(StatusWriterTest, APoolIsClearedOfGatewaysThatAreGoneAndNotOfThoseThatBecameAnothers) {
  const Resource gateways{.group = "gateway.networking.k8s.io",
                          .version = "v1",
                          .plural = "gateways",
                          .kind = "Gateway"};
  const Resource pools{.group = "inference.networking.x-k8s.io",
                       .version = "v1alpha2",
                       .plural = "inferencepools",
                       .kind = "InferencePool"};
  const std::string path =
      "/apis/inference.networking.x-k8s.io/v1alpha2/namespaces/default/inferencepools/pool";
  const auto see = [&](const Resource& resource, const api::Node& node) {
    writer_->Seen(resource, *ReadObject(ToJson(node), resource));
  };
  const auto gateway = [](const std::string& name) {
    return ObjectThere("gateway.networking.k8s.io/v1", "Gateway", "{}", 1, name);
  };
  objects_.Put(path, ObjectThere("inference.networking.x-k8s.io/v1alpha2", "InferencePool", "{}", 1,
                                 "pool"));
  writer_->SetActive(false);
  for (const char* name : {"gone", "others"}) see(gateways, gateway(name));
  see(pools, objects_.At(path));
  const api::ObjectRef pool{"inference.networking.x-k8s.io", "v1alpha2", "InferencePool", "default",
                            "pool"};
  for (const char* name : {"gone", "others"}) {
    wish_.emplace(api::ObjectRef{"gateway.networking.k8s.io", "v1", "Gateway", "default", name},
                  api::ObjectStatus());
  }
  wish_.emplace(pool, SaidOfParents({SaidOf("gone", {SaidTrue("Accepted")}),
                                     SaidOf("others", {SaidTrue("Accepted")})}));
  writer_->Want(wish_);
  writer_->SetActive(true);
  Settle();
  const auto parents = [&] {
    return ItemsAt(MapAt(&objects_.At(path), "status"), "parent").size();
  };
  EXPECT_EQ(parents(), 2u);
  writer_->Gone(gateways, {"default", "gone"});
  wish_.clear();
  wish_.emplace(pool, api::ObjectStatus());
  writer_->Want(wish_);
  Settle();
  EXPECT_EQ(parents(), 1u);
  EXPECT_THAT(ToJson(objects_.At(path)), HasSubstr(R"("name":"others")"));
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
