#include "config/kubernetes/service_ports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kube/test_api_fixture.h"
#include "kube/test_api_objects.h"

namespace gw::config {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kTarget[] = "/api/v1/namespaces/gateways/services/inference";

api::Node ServiceWith(const std::string& ports, int version = 1) {
  return kube::JsonOf(
      absl::StrCat(R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"inference",)"
                   R"("namespace":"gateways","uid":"u","resourceVersion":")",
                   version, R"("},"spec":{"type":"LoadBalancer","ports":[)", ports, "]}}"));
}
std::string Port(int port, const std::string& name, const std::string& more = "") {
  return absl::StrCat(R"({"name":")", name, R"(","port":)", port,
                      R"(,"protocol":"TCP","targetPort":)", port, more, "}");
}

TEST(ServicePortsPatch, AddsWhatIsMissingRemovesWhatIsOursAndLeavesTheRest) {
  const api::Node service =
      ServiceWith(absl::StrCat(Port(80, "port-80", R"(,"nodePort":30080)"), ",",
                               Port(8080, "port-8080"), ",", Port(9909, "metrics")));
  EXPECT_EQ(ServicePortsPatch(service, {80, 443}),
            absl::StrCat(R"({"metadata":{"resourceVersion":"1"},"spec":{"ports":[)",
                         Port(80, "port-80", R"(,"nodePort":30080)"), ",", Port(9909, "metrics"),
                         ",", Port(443, "port-443"), "]}}"));
}

TEST(ServicePortsPatch, SaysNothingOfAServiceThatIsRight) {
  EXPECT_EQ(ServicePortsPatch(ServiceWith(Port(80, "port-80")), {80}), "");
  EXPECT_EQ(ServicePortsPatch(ServiceWith(Port(80, "web")), {80}), "") << "whatever its name";
}

TEST(ServicePortsPatch, LeavesAServiceItsLastPort) {
  EXPECT_EQ(ServicePortsPatch(ServiceWith(Port(80, "port-80")), {}), "");
}

TEST(ServicePortsPatch, APortOfUdpIsNoPortOfTcp) {
  const std::string dns = R"({"name":"dns","port":53,"protocol":"UDP","targetPort":53})";
  EXPECT_THAT(ServicePortsPatch(ServiceWith(dns), {53}), HasSubstr("port-53"));
}

class ServicePortsTest : public kube::ApiServerTest {
 protected:
  ServicePortsTest() {
    Connect();
    server_.handler = [this](const kube::TestApiRequest& request) {
      EXPECT_EQ(request.target, kTarget);
      EXPECT_EQ(request.method, "PATCH");
      return kube::TestApiServer::Status(status_);
    };
    ports_.emplace(*client_, api::ObjectKey{"gateways", "inference"}, Random(1));
  }
  ~ServicePortsTest() override { ports_.reset(); }

  void Tell(const std::string& ports, int version) {
    ports_->Seen(services_, {.key = {"gateways", "inference"},
                             .uid = "u",
                             .resource_version = absl::StrCat(version),
                             .node = ServiceWith(ports, version)});
  }
  size_t sent() const { return server_.requests.size(); }

  const kube::Resource services_{.version = "v1", .plural = "services", .kind = "Service"};
  int status_ = 409;
  std::optional<ServicePorts> ports_;
};

TEST_F(ServicePortsTest, SendsNothingBeforeItKnowsAllAndIsTheOne) {
  Tell(Port(80, "port-80"), 1);
  ports_->SetActive(true);
  Advance(std::chrono::seconds(60));
  EXPECT_EQ(sent(), 0u) << "nobody has said what is wanted";
  ports_->SetActive(false);
  ports_->Want({8080});
  Advance(std::chrono::seconds(60));
  EXPECT_EQ(sent(), 0u) << "another writes";
  ports_->SetActive(true);
  RunUntil([&] { return sent() == 1; });
  EXPECT_THAT(server_.requests[0].body, HasSubstr("port-8080"));
  EXPECT_THAT(server_.requests[0].body, Not(HasSubstr("port-80\"")));
}

TEST_F(ServicePortsTest, AConflictIsMadeAnewOfTheNewerService) {
  ports_->SetActive(true);
  ports_->Want({8080});
  Tell(Port(80, "port-80"), 1);
  RunUntil([&] { return sent() == 1; });
  Tell(absl::StrCat(Port(80, "port-80"), ",", Port(7, "theirs")), 2);
  RunUntil([&] { return sent() == 2; });
  EXPECT_THAT(server_.requests[1].body, HasSubstr(R"("resourceVersion":"2")"));
  EXPECT_THAT(server_.requests[1].body, HasSubstr("theirs"));
}

TEST_F(ServicePortsTest, WhatIsForbiddenIsTriedAgainSlowly) {
  status_ = 403;
  ports_->SetActive(true);
  ports_->Want({8080});
  Tell(Port(80, "port-80"), 1);
  RunUntil([&] { return sent() == 1; });
  Advance(std::chrono::milliseconds(500));
  EXPECT_EQ(sent(), 1u);
  AdvanceUntil([&] { return sent() == 3; });
  ports_->Gone(services_, {"gateways", "inference"});
  Advance(std::chrono::seconds(60));
  const size_t before = sent();
  Advance(std::chrono::seconds(60));
  EXPECT_EQ(sent(), before) << "there is nothing to patch";
}

}  // namespace
}  // namespace gw::config
