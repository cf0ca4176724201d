#include "config/kubernetes/cluster_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/kubernetes/test_cluster_reader.h"

namespace gw::config {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const api::Pod& PodOf(const std::shared_ptr<const api::Object>& object) {
  return std::get<api::Pod>(*object);
}

TEST_F(ClusterReaderTest, ObjectsComeChangeAndGo) {
  cluster_.Put("gateways", "g", kGateway, R"("generation":3)");
  cluster_.PutPod("a", "10.0.0.1");
  Start();
  const Change first = Next();
  EXPECT_THAT(first.objects, SizeIs(2));
  EXPECT_EQ(reader_->objects(), 2u);
  EXPECT_EQ(served_.gateways.at({"default", "g"}).meta.generation, 3);
  cluster_.PutPod("a", "10.0.0.2");
  Change next = Next();
  ASSERT_THAT(next.objects, SizeIs(1));
  EXPECT_EQ(PodOf(next.objects[0].before).ip, "10.0.0.1");
  EXPECT_EQ(PodOf(next.objects[0].after).ip, "10.0.0.2");
  EXPECT_EQ(next.remarks, nullptr);
  cluster_.Delete("pods", "a");
  next = Next();
  ASSERT_THAT(next.objects, SizeIs(1));
  EXPECT_EQ(next.objects[0].after, nullptr);
  EXPECT_THAT(served_.pods, IsEmpty());
}

TEST_F(ClusterReaderTest, APodThatBecomesReadyIsOneChangeOfOneObject) {
  for (const char* name : {"a", "b", "c"}) cluster_.PutPod(name, "10.0.0.1", name[0] != 'b');
  Sync();
  cluster_.PutPod("b", "10.0.0.1", true);
  const Change change = Next();
  ASSERT_THAT(change.objects, SizeIs(1));
  EXPECT_FALSE(PodOf(change.objects[0].before).ready);
  EXPECT_TRUE(PodOf(change.objects[0].after).ready);
  EXPECT_THAT(UntilTold("last"), IsEmpty());
}

TEST_F(ClusterReaderTest, WhatComesCloseTogetherIsOneChangeAndOfAnObjectTheLastVersion) {
  cluster_.PutPod("gone", "10.0.0.9");
  Sync();
  for (int i = 1; i <= 9; ++i) cluster_.PutPod("a", absl::StrCat("10.0.0.", i));
  cluster_.PutPod("b", "10.0.1.1");
  cluster_.Delete("pods", "gone");
  cluster_.PutPod("short", "10.0.2.1");
  cluster_.Delete("pods", "short");
  const Change change = Next();
  EXPECT_THAT(change.objects, SizeIs(3)) << "a, b and gone";
  EXPECT_EQ(served_.pods.at({"default", "a"}).ip, "10.0.0.9");
  EXPECT_THAT(UntilTold("last"), IsEmpty());
}

TEST_F(ClusterReaderTest, AHeartbeatIsNoChange) {
  cluster_.PutPod("a", "10.0.0.1");
  Sync();
  cluster_.PutPod("a", "10.0.0.1");
  Advance(std::chrono::seconds(1));
  EXPECT_THAT(UntilTold("last"), IsEmpty());
}

TEST_F(ClusterReaderTest, ARelistOfWhatIsAsItWasTellsNothing) {
  for (const char* name : {"a", "b", "c"}) cluster_.PutPod(name, "10.0.0.1");
  Sync();
  cluster_.requests.clear();
  cluster_.Of("pods").store.Compact();  // so that its version is too old to go on from
  cluster_.Break("pods");
  AdvanceUntil([&] { return cluster_.watches("pods") == 1; });
  EXPECT_THAT(cluster_.requests, testing::Contains(testing::Truly([](const auto& request) {
                return request.Has("/api/v1/pods?") && request.Has("sendInitialEvents");
              })));
  for (const Change& change : UntilTold("last")) {
    EXPECT_THAT(change.objects, IsEmpty()) << "errors may come and go";
  }
  EXPECT_THAT(remarks_.errors, IsEmpty());
}

TEST_F(ClusterReaderTest, ABrokenObjectStaysAsItWasUntilItIsRightOrDeleted) {
  cluster_.Put("httproutes", "r", RouteTo("/one"));
  Sync();
  cluster_.Put("httproutes", "r", R"("spec":{"parentRefs":"none"})");
  Change change = Next();
  EXPECT_THAT(change.objects, IsEmpty());
  ASSERT_THAT(change.news, SizeIs(1));
  EXPECT_THAT(change.news[0].why, HasSubstr("spec.parentRefs: must be a list"));
  EXPECT_THAT(remarks_.stale, SizeIs(1));
  cluster_.Put("httproutes", "r", RouteTo("/two"));
  change = Next();
  EXPECT_THAT(change.recovered, SizeIs(1));
  EXPECT_THAT(change.objects, SizeIs(1));
  EXPECT_THAT(remarks_.stale, IsEmpty());
  cluster_.Put("httproutes", "r", R"("spec":{"parentRefs":"none"})");
  Next();
  cluster_.Delete("httproutes", "r");
  Next();
  EXPECT_THAT(remarks_.stale, IsEmpty());
  EXPECT_THAT(served_.http_routes, IsEmpty());
}

TEST_F(ClusterReaderTest, AnObjectThatWasNeverRightIsRefusedAndTheOthersServe) {
  cluster_.Put("httproutes", "good", RouteTo("/one"));
  cluster_.Put("httproutes", "bad", R"("spec":{"parentRefs":"none"})", R"("generation":4)");
  Sync();
  EXPECT_THAT(served_.http_routes, SizeIs(1));
  ASSERT_THAT(remarks_.invalid, SizeIs(1));
  EXPECT_EQ(remarks_.invalid[0].ref.ToString(), "HTTPRoute default/bad");
  EXPECT_EQ(remarks_.invalid[0].generation, 4);
  cluster_.Delete("httproutes", "bad");
  Next();
  EXPECT_THAT(remarks_.invalid, IsEmpty());
}

TEST_F(ClusterReaderTest, AKindThatIsInstalledLaterIsRead) {
  Sync();
  cluster_.Install("penstock.dev/v1alpha1", "Backend");
  cluster_.Put("backends", "b", R"("spec":{"host":"api.example.com","port":443})");
  AdvanceUntil([&] { return !changes_.empty(); });
  EXPECT_THAT(served_.backends, SizeIs(1));
}

TEST_F(ClusterReaderTest, AKindThatIsUninstalledLosesItsObjectsAndMayComeBackInAnotherVersion) {
  cluster_.Put("referencegrants", "g",
               R"("spec":{"from":[{"group":"g","kind":"K","namespace":"n"}],"to":[{"group":"",)"
               R"("kind":"Service"}]})");
  Sync();
  ASSERT_THAT(served_.reference_grants, SizeIs(1));
  cluster_.Break("referencegrants");
  cluster_.Uninstall("gateway.networking.k8s.io/v1", "ReferenceGrant");
  AdvanceUntil([&] { return served_.reference_grants.empty(); });
  cluster_.Install("gateway.networking.k8s.io/v1beta1", "ReferenceGrant");
  cluster_.Put("referencegrants", "h",
               R"("spec":{"from":[{"group":"g","kind":"K","namespace":"n"}],"to":[{"group":"",)"
               R"("kind":"Service"}]})");
  AdvanceUntil([&] { return !served_.reference_grants.empty(); });
}

TEST_F(ClusterReaderTest, TheNewestVersionThatTheServerHasIsRead) {
  cluster_.Install("gateway.networking.k8s.io/v1beta1", "Gateway");
  cluster_.Uninstall("gateway.networking.k8s.io/v1", "BackendTLSPolicy");
  cluster_.Install("gateway.networking.k8s.io/v1alpha3", "BackendTLSPolicy");
  Sync();
  const auto asked = [&](const char* part) {
    return std::any_of(cluster_.requests.begin(), cluster_.requests.end(),
                       [&](const auto& request) { return request.Has(part); });
  };
  EXPECT_TRUE(asked("/v1/gateways?"));
  EXPECT_FALSE(asked("/v1beta1/gateways?"));
  EXPECT_TRUE(asked("/v1alpha3/backendtlspolicies?"));
  EXPECT_FALSE(asked("/v1/backendtlspolicies?"));
}

TEST_F(ClusterReaderTest, PoolsOfBothGroupsAreServed) {
  cluster_.Put("inferencepools", "p",
               R"("spec":{"selector":{"matchLabels":{"app":"a"}},"targetPorts":[{"number":8000}],)"
               R"("endpointPickerRef":{"name":"e","port":{"number":9002}}})");
  cluster_.Install("inference.networking.x-k8s.io/v1alpha2", "InferenceModel");
  cluster_.Put("inferencemodels", "m", R"("spec":{"modelName":"m","poolRef":{"name":"p"}})");
  Sync();
  EXPECT_THAT(served_.inference_pools, SizeIs(1));
  EXPECT_THAT(served_.inference_models, SizeIs(1));
}

TEST_F(ClusterReaderTest, NothingIsToldWhileAKindMayNotBeReadAndTheReasonNamesIt) {
  cluster_.PutPod("a", "10.0.0.1");
  cluster_.Of("secrets").forbidden = true;
  Start();
  AdvanceUntil([&] {
    return reader_->WhyNotSynced().starts_with("secrets cannot be read: status 403: says 403");
  });
  EXPECT_THAT(reader_->WhyNotSynced(),
              HasSubstr("RBAC must allow list and watch of secrets in API group \"\""));
  EXPECT_FALSE(reader_->has_synced());
  EXPECT_THAT(changes_, IsEmpty());
  cluster_.Of("secrets").forbidden = false;
  AdvanceUntil([&] { return reader_->has_synced(); });
  EXPECT_EQ(reader_->WhyNotSynced(), "");
  EXPECT_THAT(changes_, SizeIs(1));
}

TEST_F(ClusterReaderTest, WhatCannotBeReadLaterStaysAndIsTold) {
  cluster_.Put("secrets", "s", R"("data":{"a":"YQ=="})");
  Sync();
  cluster_.Of("secrets").forbidden = true;
  cluster_.Break("secrets");
  AdvanceUntil([&] { return !remarks_.errors.empty(); });
  EXPECT_THAT(remarks_.errors, ElementsAre(AllOf(HasSubstr("secrets cannot be read: status 403"))));
  EXPECT_THAT(remarks_.unread, ElementsAre("secrets"));
  EXPECT_THAT(served_.secrets, SizeIs(1));
  cluster_.Of("secrets").forbidden = false;
  AdvanceUntil([&] { return remarks_.errors.empty(); });
  EXPECT_THAT(remarks_.unread, IsEmpty());
}

TEST_F(ClusterReaderTest, ALimitIsNamedAndCountedOnce) {
  options_.reflector.objects_max = 2;
  Sync();
  for (const char* name : {"a", "b", "c"}) cluster_.PutPod(name, "10.0.0.1");
  AdvanceUntil([&] { return !remarks_.errors.empty(); });
  EXPECT_THAT(remarks_.errors, ElementsAre(HasSubstr("pods cannot be read: there are more than 2 "
                                                     "objects (limit kube_objects)")));
  Advance(std::chrono::seconds(40));
  size_t reached = 0;
  for (const Change& change : changes_) reached += change.limits.size();
  EXPECT_EQ(reached, 1u);
}

TEST_F(ClusterReaderTest, ANameThatIsNotKnownIsWhyNothingIsRead) {
  reader_ = std::make_unique<ClusterReader>(
      *loop_, kube::ServerUrl{.host = "no..host", .port = 1}, credentials_, nullptr, [] {},
      options_);
  AdvanceUntil([&] { return reader_->WhyNotSynced().find("no..host") != std::string::npos; });
  EXPECT_FALSE(reader_->TakeChange().has_value());
}

}  // namespace
}  // namespace gw::config
