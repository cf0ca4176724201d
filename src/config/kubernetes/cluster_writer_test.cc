#include "config/kubernetes/cluster_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "kube/test_api_fixture.h"
#include "kube/test_api_objects.h"
#include "kube/test_status.h"

namespace gw::config {
namespace {

using ::testing::HasSubstr;

constexpr char kRoutePath[] = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes/it";
constexpr char kLeasePath[] = "/apis/coordination.k8s.io/v1/namespaces/gateways/leases/penstock";

// Gateways of one cluster, each with a writer, and a route.
class ClusterWriterTest : public kube::ApiServerTest {
 protected:
  ClusterWriterTest() {
    server_.handler = [this](const kube::TestApiRequest& request) {
      return objects_.Serve(request);
    };
    objects_.Put(kRoutePath, kube::RouteThere(""));
    options_.lease.ns = "gateways";
    options_.lease.name = "penstock";
    options_.status.controller_names = {kube::kOurName};
  }

  // One that was told of the route, as a reader does before there is a wish.
  std::unique_ptr<ClusterWriter> Make(const std::string& identity) {
    options_.lease.identity = identity;
    auto writer = std::make_unique<ClusterWriter>(
        *loop_,
        kube::ServerUrl{
            .tls = false, .host = "127.0.0.1", .port = server_.address().port(), .path_prefix = ""},
        credentials_, options_, ++seed_);
    writer->Connect(server_.address());
    writer->Seen(routes_, *kube::ReadObject(kube::ToJson(objects_.At(kRoutePath)), routes_));
    return writer;
  }
  static Outcome AcceptedBy(const std::string& gateway) {
    Outcome wish;
    wish.status.emplace(
        api::ObjectRef{"gateway.networking.k8s.io", "v1", "HTTPRoute", "default", "it"},
        kube::SaidOfParents({kube::SaidOf(gateway, {kube::SaidTrue("Accepted")})}));
    return wish;
  }
  std::string Status() { return kube::ToJson(*kube::MapAt(&objects_.At(kRoutePath), "status")); }
  void UntilStatusHas(const std::string& text) {
    AdvanceUntil([&] { return Status().find(text) != std::string::npos; });
  }
  std::string Holder() {
    return kube::TextAt(kube::MapAt(&objects_.At(kLeasePath), "spec"), "holderIdentity");
  }

  const kube::Resource routes_{.group = "gateway.networking.k8s.io",
                               .version = "v1",
                               .plural = "httproutes",
                               .kind = "HTTPRoute"};
  kube::TestApiObjects objects_;
  ClusterWriterOptions options_;
  uint64_t seed_ = 0;
};

TEST_F(ClusterWriterTest, StandsForElectionWithItsFirstWishAndWritesWhenItHasWon) {
  const auto writer = Make("a");
  Advance(std::chrono::seconds(60));
  EXPECT_TRUE(server_.requests.empty()) << "it cannot know yet what to write";
  EXPECT_FALSE(writer->is_leader());
  writer->Want(AcceptedBy("one"));
  UntilStatusHas(R"("name":"one")");
  EXPECT_TRUE(writer->is_leader());
  EXPECT_EQ(Holder(), "a");
}

TEST_F(ClusterWriterTest, AnotherGoesOnWhereTheFirstHasResignedWithoutWaiting) {
  const auto first = Make("a");
  first->Want(AcceptedBy("one"));
  UntilStatusHas(R"("name":"one")");
  const auto second = Make("b");
  second->Want(AcceptedBy("two"));
  Advance(std::chrono::seconds(9));
  EXPECT_FALSE(second->is_leader());
  EXPECT_THAT(Status(), HasSubstr(R"("name":"one")"));

  bool resigned = false;
  first->Resign([&] { resigned = true; });
  EXPECT_FALSE(first->is_leader());
  RunUntil([&] { return resigned; });
  EXPECT_EQ(Holder(), "");
  const TimePoint before = loop_->now();
  UntilStatusHas(R"("name":"two")");
  EXPECT_LT(loop_->now() - before, options_.lease.duration) << "it did not have to time out";
  first->Want(AcceptedBy("three"));
  Advance(std::chrono::seconds(60));
  EXPECT_THAT(Status(), HasSubstr(R"("name":"two")")) << "who has resigned writes nothing";
  EXPECT_FALSE(first->is_leader());
}

TEST_F(ClusterWriterTest, AnotherGoesOnWhenTheFirstIsGoneWithoutAWord) {
  auto first = Make("a");
  first->Want(AcceptedBy("one"));
  UntilStatusHas(R"("name":"one")");
  const auto second = Make("b");
  second->Want(AcceptedBy("two"));
  first.reset();
  UntilStatusHas(R"("name":"two")");
  EXPECT_EQ(Holder(), "b");
}

TEST_F(ClusterWriterTest, WithoutALeaseItNeverWrites) {
  options_.lease.name.clear();
  const auto writer = Make("a");
  writer->Want(AcceptedBy("one"));
  Advance(std::chrono::seconds(60));
  EXPECT_TRUE(server_.requests.empty());
  EXPECT_EQ(writer->counts(), nullptr);
  bool resigned = false;
  writer->Resign([&] { resigned = true; });
  EXPECT_TRUE(resigned) << "there is nothing to wait for";
}

TEST_F(ClusterWriterTest, WhatKeepsAGatewaysOwnDeploymentFromBeingMadeStandsInItsStatus) {
  constexpr char kGatewayPath[] =
      "/apis/gateway.networking.k8s.io/v1/namespaces/default/gateways/it";
  const kube::Resource gateways{.group = "gateway.networking.k8s.io",
                                .version = "v1",
                                .plural = "gateways",
                                .kind = "Gateway"};
  server_.path = "/apis/apps/v1/namespaces/gateways/deployments";
  server_.store.api_version = "apps/v1";
  server_.store.kind = "Deployment";
  server_.handler = [this](const kube::TestApiRequest& request) -> std::optional<std::string> {
    if (request.target.starts_with(server_.path)) return std::nullopt;
    return objects_.Serve(request);
  };
  objects_.Put(kGatewayPath, kube::GatewayThere("{}"));
  options_.managed_from = api::ObjectKey{"gateways", "own"};
  const auto writer = Make("a");
  writer->Seen(gateways, *kube::ReadObject(kube::ToJson(objects_.At(kGatewayPath)), gateways));
  Outcome wish;
  wish.status.emplace(api::ObjectRef{"gateway.networking.k8s.io", "v1", "Gateway", "default", "it"},
                      kube::SaidOfAll({kube::Said("Programmed", api::ConditionStatus::kFalse,
                                                  "NoResources", 1, "no Pod")}));
  wish.managed = api::ManagedGateways{.made = {{{"default", "it"}, {80}, {}}}, .kept = {}};
  writer->Want(wish);
  AdvanceUntil([&] {
    return kube::ToJson(objects_.At(kGatewayPath))
               .find("no Pod; Deployment gateways/own does not exist (--managed-from)") !=
           std::string::npos;
  });
  EXPECT_EQ(writer->managed_counts()->applied, 0u);
}

TEST_F(ClusterWriterTest, CountsWhatItWrites) {
  const auto writer = Make("a");
  MetricRegistry metrics;
  AddWriterMetrics(metrics, *writer);
  EXPECT_THAT(metrics.Render(), HasSubstr("penstock_kube_leader 0"));
  writer->Want(AcceptedBy("one"));
  UntilStatusHas(R"("name":"one")");
  RunUntil([&] { return writer->counts()->writes == 1; });
  EXPECT_THAT(metrics.Render(), HasSubstr("penstock_kube_leader 1"));
  EXPECT_THAT(metrics.Render(),
              HasSubstr(R"(penstock_kube_status_writes_total{result="written"} 1)"));
}

}  // namespace
}  // namespace gw::config
