#include "translate/judge.h"

#include <gtest/gtest.h>

#include "translate/test_objects.h"

namespace gw {
namespace {

TEST(Judge, LetsPassWhatCanBeServedInPart) {
  Scenario scenario;
  api::Gateway& gateway = scenario.AddGateway();
  scenario.AddListener(gateway, "tls", 443, "", "TLS");
  EXPECT_EQ(RefusedAlone(gateway), "");
  api::HttpRoute& route = scenario.AddRoute();
  scenario.AddRule(route, "/b");
  route.unsupported = {{"spec.rules[1].filters[0]", 1, "is not supported yet"}};
  EXPECT_EQ(RefusedAlone(route), "");
  EXPECT_EQ(RefusedAlone(scenario.AddPool()), "");
  // Whether what they name is there is not theirs to answer for.
  scenario.AddPoolRef(route.rules[0], "nowhere");
  EXPECT_EQ(RefusedAlone(route), "");
  EXPECT_EQ(RefusedAlone(api::Secret()), "");
}

TEST(Judge, NamesWhatKeepsAllOfAnObjectFromBeingServed) {
  Scenario scenario;
  api::Gateway& gateway = scenario.AddGateway();
  gateway.listeners[0].protocol = "TLS";
  EXPECT_EQ(RefusedAlone(gateway),
            "listener http: protocol TLS is not supported, only HTTP and HTTPS are");
  api::HttpRoute& route = scenario.AddRoute();
  route.rules[0].matches[0].path_type = api::PathMatchType::kRegularExpression;
  route.rules[0].matches[0].path = "/v[12";
  EXPECT_NE(RefusedAlone(route).find("must be a regular expression"), std::string::npos);
  api::InferencePool& pool = scenario.AddPool();
  pool.meta.annotations[api::kStrategyAnnotation] = "PREFIX";
  EXPECT_NE(RefusedAlone(pool).find("must be DEFAULT or PREFIX_CACHE"), std::string::npos);
  api::GatewayClass gateway_class;
  gateway_class.unsupported = {{"spec.parametersRef", -1, "is not supported yet"}};
  EXPECT_EQ(RefusedAlone(gateway_class), "spec.parametersRef: is not supported yet");
  api::InferenceTrafficPolicy policy;
  policy.unsupported = {{"spec.profile", -1, "is not supported yet"}};
  EXPECT_EQ(RefusedAlone(policy), "spec.profile: is not supported yet");
}

}  // namespace
}  // namespace gw
