#include "api/conditions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace gw::api {
namespace {

using ::testing::ElementsAre;

Condition Make(std::string type, ConditionStatus status, std::string reason = "R",
               std::string message = "") {
  return {std::move(type), status, std::move(reason), std::move(message), 1};
}

constexpr ConditionStatus kTrue = ConditionStatus::kTrue;
constexpr ConditionStatus kFalse = ConditionStatus::kFalse;
constexpr ConditionStatus kUnknown = ConditionStatus::kUnknown;

TEST(Conditions, OneOfATypeIsReplaced) {
  std::vector<Condition> conditions;
  SetCondition(&conditions, Make("Accepted", kUnknown, "Pending"));
  SetCondition(&conditions, Make("ResolvedRefs", kTrue));
  SetCondition(&conditions, Make("Accepted", kTrue, "Accepted"));
  ASSERT_EQ(conditions.size(), 2u);
  EXPECT_EQ(conditions[0], Make("Accepted", kTrue, "Accepted"));
  ASSERT_NE(FindCondition(conditions, "ResolvedRefs"), nullptr);
  EXPECT_EQ(FindCondition(conditions, "Programmed"), nullptr);
}

TEST(Conditions, SomeAreGoodNewsWhenFalse) {
  EXPECT_FALSE(IsBad(Make("Accepted", kTrue)));
  EXPECT_TRUE(IsBad(Make("Accepted", kFalse)));
  EXPECT_FALSE(IsBad(Make("Accepted", kUnknown)));
  EXPECT_TRUE(IsBad(Make("Conflicted", kTrue)));
  EXPECT_FALSE(IsBad(Make("Conflicted", kFalse)));
  EXPECT_TRUE(IsBad(Make("PartiallyInvalid", kTrue)));
  EXPECT_FALSE(IsBad(Make("OverlappingTLSConfig", kTrue))) << "nobody has to act on it";
}

TEST(Conditions, WhyRefusedNamesEachPartAndWhatIsBadOfIt) {
  ObjectStatus status;
  status.conditions = {Make("Accepted", kTrue), Make("Programmed", kFalse, "Invalid")};
  status.listeners = {{"a", 80, 0, {}, {Make("Conflicted", kTrue, "HostnameConflict", "port 80")}},
                      {"b", 81, 0, {}, {Make("Accepted", kTrue)}}};
  ParentRef parent;
  parent.ns = "default";
  parent.name = "gateway";
  status.parents = {{parent, "c", {Make("ResolvedRefs", kFalse, "BackendNotFound", "no\npool")}}};
  EXPECT_EQ(WhyRefused(status),
            "listener a: Conflicted: HostnameConflict: port 80; "
            "parent Gateway default/gateway: ResolvedRefs: BackendNotFound: no; pool; "
            "Programmed: Invalid");
  EXPECT_EQ(WhyRefused({}), "");
  EXPECT_EQ(RefusedCount({{ObjectRef{"", "v1", "A", "", "a"}, status},
                          {ObjectRef{"", "v1", "B", "", "b"}, {}}}),
            1u);
}

TEST(Conditions, AnObjectIsRefusedByAnyOfItsParts) {
  ObjectStatus status;
  status.conditions = {Make("Accepted", kTrue)};
  status.listeners = {{"a", 80, 0, {}, {Make("Conflicted", kFalse)}}};
  status.parents = {{{}, "c", {Make("ResolvedRefs", kTrue)}}};
  EXPECT_FALSE(IsRefused(status));

  ObjectStatus pending = status;
  pending.conditions[0].status = kUnknown;
  EXPECT_FALSE(IsRefused(pending));

  ObjectStatus conflict = status;
  conflict.listeners[0].conditions[0].status = kTrue;
  EXPECT_TRUE(IsRefused(conflict));

  ObjectStatus unresolved = status;
  unresolved.parents[0].conditions[0].status = kFalse;
  EXPECT_TRUE(IsRefused(unresolved));
}

TEST(Conditions, KindsHaveTheNamesThatKubectlKnows) {
  EXPECT_EQ(KindFromArgument("gateways"), "Gateway");
  EXPECT_EQ(KindFromArgument("GTW"), "Gateway");
  EXPECT_EQ(KindFromArgument("gc"), "GatewayClass");
  EXPECT_EQ(KindFromArgument("HTTPRoute"), "HTTPRoute");
  EXPECT_EQ(KindFromArgument("infpool"), "InferencePool");
  EXPECT_EQ(KindFromArgument("models"), "InferenceModel");
  EXPECT_EQ(KindFromArgument("policies"), "InferenceTrafficPolicy");
  EXPECT_EQ(KindFromArgument("releases"), "ModelRelease");
  EXPECT_EQ(KindFromArgument("services"), "");
  EXPECT_EQ(KindFromArgument(""), "");
}

StatusSet Example() {
  StatusSet set;
  ObjectStatus pool;
  pool.source = {"pool.yaml", 1};
  ParentRef gateway;
  gateway.ns = "default";
  gateway.name = "web";
  pool.parents = {
      {gateway,
       "penstock.dev/gateway-controller",
       {Make("Accepted", kTrue, "Accepted"),
        Make("ResolvedRefs", kFalse, "InvalidExtensionRef", "Service default/epp\nis not there")}}};
  set.emplace(ObjectRef{kInferenceGroup, "v1", "InferencePool", "default", "qwen"}, pool);
  ObjectStatus listeners;
  listeners.conditions = {Make("Accepted", kTrue, "Accepted", "served")};
  listeners.listeners = {
      {"http", 80, 1, {{kGatewayGroup, "HTTPRoute"}}, {Make("Programmed", kTrue, "Programmed")}},
      {"tcp", 81, 0, {}, {}}};
  set.emplace(ObjectRef{kGatewayGroup, "v1", "Gateway", "default", "web"}, listeners);
  ObjectStatus route;
  gateway.section_name = "http";
  gateway.port = 80;
  route.parents = {{gateway, "penstock.dev/gateway-controller", {}}};
  set.emplace(ObjectRef{kGatewayGroup, "v1", "HTTPRoute", "default", "r"}, route);
  set.emplace(ObjectRef{kInferenceXGroup, "v1alpha2", "InferencePool", "other", "idle"},
              ObjectStatus{});
  ObjectStatus unnamed;
  unnamed.source = {"a.yaml", 3};
  unnamed.conditions = {Make("Accepted", kFalse, "Invalid", "kind: is required")};
  set.emplace(ObjectRef{"", "", "", "", "(a.yaml:3)"}, unnamed);
  return set;
}

TEST(Conditions, AreShownAsTables) {
  EXPECT_EQ(
      FormatStatus(Example()),
      "Gateway default/web\n"
      "  TYPE      STATUS   REASON    MESSAGE\n"
      "  Accepted  True     Accepted  served\n"
      "  listener http: 1 attached route, kinds HTTPRoute\n"
      "    TYPE        STATUS   REASON      MESSAGE\n"
      "    Programmed  True     Programmed\n"
      "  listener tcp: 0 attached routes, kinds none\n"
      "\n"
      "HTTPRoute default/r\n"
      "  parent Gateway default/web, listener http, port 80 (penstock.dev/gateway-controller)\n"
      "\n"
      "InferencePool default/qwen (pool.yaml:1)\n"
      "  parent Gateway default/web (penstock.dev/gateway-controller)\n"
      "    TYPE          STATUS   REASON               MESSAGE\n"
      "    Accepted      True     Accepted\n"
      "    ResolvedRefs  False    InvalidExtensionRef  Service default/epp; is not there\n"
      "\n"
      "InferencePool other/idle\n"
      "  no conditions: nothing of this gateway refers to it\n"
      "\n"
      "object (a.yaml:3)\n"
      "  TYPE      STATUS   REASON   MESSAGE\n"
      "  Accepted  False    Invalid  kind: is required\n");
}

TEST(Conditions, OfAGivenGenerationTellIt) {
  Condition condition = Make("Accepted", kTrue, "Accepted", "served");
  condition.observed_generation = 7;
  ObjectStatus status;
  status.conditions = {condition};
  status.supported_features = {"A", "B"};
  status.addresses = {{"IPAddress", "127.0.0.1"}};
  EXPECT_EQ(FormatStatus({{ObjectRef{kGatewayGroup, "v1", "Gateway", "default", "web"}, status}}),
            "Gateway default/web\n"
            "  TYPE      STATUS   REASON    OBSERVED  MESSAGE\n"
            "  Accepted  True     Accepted  7         served\n"
            "  supported features: A, B\n"
            "  address IPAddress 127.0.0.1\n");
}

TEST(Conditions, OfOneKind) {
  std::vector<std::string> names;
  for (const auto& [ref, status] : OfKind(Example(), "InferencePool")) names.push_back(ref.name);
  EXPECT_THAT(names, ElementsAre("qwen", "idle"));
  EXPECT_EQ(OfKind(Example(), "").size(), 5u);
}

}  // namespace
}  // namespace gw::api
