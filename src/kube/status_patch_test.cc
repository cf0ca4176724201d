// What is written into a status, and when nothing is.

#include "kube/status_patch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kube/status_conditions.h"
#include "kube/test_status.h"

namespace gw::kube {
namespace {

using api::ConditionStatus;
using testing::HasSubstr;
using Outcome = StatusPatch::Outcome;

constexpr char kOtherName[] = "example.com/other";

StatusOwner Us() { return {.controller_names = {kOurName, "older.penstock.dev/name"}}; }

// What the patch sets in the status, as JSON; "" if there is none. Applied, it must be the last.
std::string Patched(const api::ObjectStatus& said, const api::Node& object,
                    const StatusOwner& owner = Us()) {
  const StatusPatch patch = MakeStatusPatch(said, object, owner, kNowUnixS);
  if (patch.outcome == Outcome::kOldView) return "old view";
  if (patch.outcome == Outcome::kSame) return "";
  api::Node after = object;
  const api::Node body = JsonOf(patch.body);
  EXPECT_EQ(TextAt(MapAt(&body, "metadata"), "resourceVersion"), "7");
  MergePatch(body, &after);
  EXPECT_EQ(MakeStatusPatch(said, after, owner, kNowUnixS + 99).outcome, Outcome::kSame);
  return ToJson(*body.Find("status"));
}

api::ObjectStatus Route(std::vector<api::ParentStatus> parents) {
  return SaidOfParents(std::move(parents));
}

TEST(StatusPatch, AConditionThatIsThereIsNotWrittenAgain) {
  const auto said = Route({SaidOf("gw", {SaidTrue("Accepted"), SaidTrue("ResolvedRefs")})});
  const std::string there = ThereTrue("ResolvedRefs") + "," + ThereTrue("Accepted");
  EXPECT_EQ(Patched(said, RouteThere(ParentThere("gw", there))), "");
}

TEST(StatusPatch, TheTimeOfAConditionMovesWithItsStatusAlone) {
  const auto said = Route({SaidOf("gw", {SaidTrue("Accepted", 2), SaidTrue("ResolvedRefs", 2)})});
  const std::string there = There("Accepted", "True", "Other", 1) + "," +
                            There("ResolvedRefs", "False", "BackendNotFound", 1);
  EXPECT_EQ(Patched(said, RouteThere(ParentThere("gw", there), 2)),
            R"({"parents":[)" +
                ParentThere("gw", ThereTrue("Accepted", 2, kBefore) + "," +
                                      ThereTrue("ResolvedRefs", 2, kNow)) +
                "]}");
}

TEST(StatusPatch, ANewGenerationIsWrittenAndAnOldViewIsNot) {
  const auto said = Route({SaidOf("gw", {SaidTrue("Accepted", 3)})});
  const auto there = [](int64_t observed) {
    return ParentThere("gw", ThereTrue("Accepted", observed));
  };
  EXPECT_THAT(Patched(said, RouteThere(there(2), 3)), HasSubstr(R"("observedGeneration":3)"));
  EXPECT_EQ(Patched(said, RouteThere(there(4), 4)), "old view");
  // What others observed says nothing about us.
  const std::string others = ParentThere("gw", ThereTrue("Accepted", 9), kOtherName);
  EXPECT_THAT(Patched(said, RouteThere(others, 9)), HasSubstr(R"("observedGeneration":3)"));
  // Ours, though of a parent that is gone.
  EXPECT_EQ(Patched(said, RouteThere(ParentThere("gone", ThereTrue("Accepted", 4)), 4)),
            "old view");
}

TEST(StatusPatch, AStatusNewerThanItsObjectCameFromABackupAndIsReplaced) {
  const auto said = Route({SaidOf("gw", {SaidTrue("Accepted", 1)})});
  EXPECT_THAT(Patched(said, RouteThere(ParentThere("gw", ThereTrue("Accepted", 12)), 1)),
              HasSubstr(R"("observedGeneration":1)"));
}

TEST(StatusPatch, ParentsOfOthersStayUntouchedAndInPlace) {
  const std::string first = R"({"parentRef":{"name":"a","x":1.5},"controllerName":"c","new":null})";
  const std::string last = ParentThere("gw", There("Accepted", "False", "No"), kOtherName);
  const std::string stale = ParentThere("stale", ThereTrue("Accepted"));
  const std::string alias = ParentThere("gw", ThereTrue("Accepted"), "older.penstock.dev/name");
  const auto said =
      Route({SaidOf("new", {SaidTrue("Accepted")}), SaidOf("gw", {SaidTrue("Accepted")})});
  const std::string mine = ParentThere("gw", ThereTrue("Accepted"));
  EXPECT_EQ(Patched(said, RouteThere(first + "," + stale + "," + mine + "," + alias + "," + last)),
            R"({"parents":[)" + first + "," + mine + "," + last + "," +
                ParentThere("new", ThereTrue("Accepted", 1, kNow)) + "]}");
  EXPECT_EQ(Patched(Route({}), RouteThere(first + "," + last)), "");
  EXPECT_EQ(Patched(Route({}), RouteThere(mine + "," + last)), R"({"parents":[)" + last + "]}");
}

TEST(StatusPatch, DefaultsThatTheServerFillsInAreNoDifference) {
  const auto said = Route({SaidOf("gw", {SaidTrue("Accepted")})});
  const auto entry = [](const std::string& ref) {
    return RouteThere(R"({"parentRef":)" + ref + R"(,"controllerName":")" + kOurName +
                      R"(","conditions":[)" + ThereTrue("Accepted") + "]}");
  };
  EXPECT_EQ(Patched(said, entry(R"({"name":"gw"})")), "");
  EXPECT_EQ(Patched(said, entry(R"({"name":"gw","namespace":"default","kind":"Gateway"})")), "");
  EXPECT_NE(Patched(said, entry(R"({"name":"gw","namespace":"other"})")), "");
  EXPECT_NE(Patched(said, entry(R"({"name":"gw","sectionName":"http"})")), "");
  EXPECT_NE(Patched(said, entry(R"({"name":"gw","port":80})")), "");
  EXPECT_NE(Patched(said, entry(R"({"name":"gw","kind":"Service","group":""})")), "");
}

TEST(StatusPatch, AReferenceIsWrittenAsTheRouteHasIt) {
  auto parent = SaidOf("gw", {});
  parent.parent_ref.section_name = "http";
  parent.parent_ref.port = 80;
  EXPECT_THAT(Patched(Route({parent}), RouteThere("")),
              HasSubstr(R"({"group":"gateway.networking.k8s.io","kind":"Gateway","name":"gw",)"
                        R"("sectionName":"http","port":80})"));
  parent.parent_ref.ns_given = true;
  EXPECT_THAT(Patched(Route({parent}), RouteThere("")), HasSubstr(R"("namespace":"default")"));
}

TEST(StatusPatch, ThereIsRoomForThirtyTwoParentsAndSixteenAncestors) {
  std::string others;
  for (int i = 0; i < 15; ++i) {
    others += (i > 0 ? "," : "") + ParentThere("o" + std::to_string(i), "", kOtherName);
  }
  std::vector<api::ParentStatus> ours;
  for (int i = 0; i < 20; ++i)
    ours.push_back(SaidOf("g" + std::to_string(i), {SaidTrue("Accepted")}));
  EXPECT_NE(Patched(Route(ours), RouteThere(others)), "");
  const StatusPatch patch = MakeStatusPatch(Route(ours), RouteThere(others), Us(), kNowUnixS);
  const api::Node body = JsonOf(patch.body);
  EXPECT_EQ(ItemsAt(body.Find("status"), "parents").size(), 32u);
  EXPECT_EQ(patch.left_out, 3u);
  const auto policy = ObjectThere("gateway.networking.k8s.io/v1", "BackendTLSPolicy", "{}");
  const StatusPatch ancestors = MakeStatusPatch(Route(ours), policy, Us(), kNowUnixS);
  const api::Node policy_body = JsonOf(ancestors.body);
  EXPECT_EQ(ItemsAt(policy_body.Find("status"), "ancestors").size(), 16u);
  EXPECT_THAT(ancestors.body, HasSubstr(R"({"ancestorRef":{"group":)"));
  EXPECT_EQ(ancestors.left_out, 4u);
}

TEST(StatusPatch, TheDefaultParentOfAPoolGoesWhenOursComesAndComesBackWhenItGoes) {
  const std::string def = R"({"parentRef":{"kind":"Status","name":"default"},"conditions":[)"
                          R"({"type":"Accepted","status":"Unknown","reason":"Pending",)"
                          R"("message":"Waiting for controller",)"
                          R"("lastTransitionTime":"1970-01-01T00:00:00Z"}]})";
  const auto pool = [](const std::string& parents) {
    return ObjectThere("inference.networking.x-k8s.io/v1alpha2", "InferencePool",
                       R"({"parent":[)" + parents + "]}");
  };
  const std::string mine =
      R"({"parentRef":{"group":"gateway.networking.k8s.io","kind":"Gateway","namespace":"default",)"
      R"("name":"gw"},"conditions":[)" +
      ThereTrue("Accepted", 1, kNow) + "]}";
  StatusOwner us = Us();
  us.gateways = {{"default", "gw"}};
  const auto said = Route({SaidOf("gw", {SaidTrue("Accepted")})});
  EXPECT_EQ(Patched(Route({}), pool(def), us), "");
  EXPECT_EQ(Patched(said, pool(def), us), R"({"parent":[)" + mine + "]}");
  EXPECT_EQ(Patched(said, pool(mine), us), "");
  EXPECT_EQ(Patched(Route({}), pool(mine), us), R"({"parent":[)" + def + "]}");
  // What says whose it is is nobody's default.
  const std::string named = R"({"parentRef":{"kind":"Status","name":"default"},)"
                            R"("controllerName":"example.com/other"})";
  EXPECT_EQ(Patched(said, pool(named + "," + mine), us), "");
  // Another's Gateway has no controllerName either.
  const std::string others = R"({"parentRef":{"name":"other"},"conditions":[]})";
  EXPECT_EQ(Patched(Route({}), pool(others + "," + mine), us), R"({"parent":[)" + others + "]}");
  // As the server fills it in.
  const std::string filled =
      R"({"parentRef":{"group":"gateway.networking.k8s.io","kind":"Status","name":"default"}})";
  EXPECT_EQ(Patched(said, pool(filled + "," + mine), us), R"({"parent":[)" + mine + "]}");
}

TEST(StatusPatch, AParentOfAPoolOfV1NamesItsNamespaceAndItsController) {
  const auto pool = [](const std::string& parents) {
    return ObjectThere("inference.networking.k8s.io/v1", "InferencePool",
                       R"({"parents":[)" + parents + "]}");
  };
  const auto said = Route({SaidOf("gw", {SaidTrue("Accepted")})});
  EXPECT_EQ(
      Patched(said, pool("")),
      R"({"parents":[{"parentRef":{"group":"gateway.networking.k8s.io","kind":"Gateway",)"
      R"("namespace":"default","name":"gw"},"controllerName":"penstock.dev/gateway-controller",)"
      R"("conditions":[)" +
          ThereTrue("Accepted", 1, kNow) + "]}]}");
  EXPECT_EQ(Patched(Route({}), pool(ParentThere("gw", ThereTrue("Accepted")))),
            R"({"parents":[]})");
  EXPECT_THAT(Patched(said, pool(R"({"parentRef":{"name":"gw"},"conditions":[)" +
                                 ThereTrue("Accepted") + R"(,{"type":"Exported"}]})")),
              HasSubstr(R"({"type":"Exported"}],"controllerName":)"));
}

TEST(StatusPatch, ConditionsOfOthersOnAGatewayAreKeptAndOursThatAreNotSaidGo) {
  const std::string foreign = R"({"type":"example.com/Billed","status":"True","x":[1,"a"]})";
  const auto said = SaidOfAll({SaidTrue("Accepted"), SaidTrue("Programmed")});
  const auto object = GatewayThere(
      R"({"conditions":[)" + There("InsecureFrontendValidationMode", "True", "Mode") + "," +
      foreign +
      R"(,{"type":"Accepted","status":"Unknown","reason":"Pending","message":"Waiting",)"
      R"("lastTransitionTime":"1970-01-01T00:00:00Z"}]})");
  EXPECT_EQ(Patched(said, object), R"({"conditions":[)" + foreign + "," +
                                       ThereTrue("Accepted", 1, kNow) + "," +
                                       ThereTrue("Programmed", 1, kNow) + "]}");
}

TEST(StatusPatch, ThereIsRoomForEightConditionsAndNoneOfOthersGoes) {
  std::string others;
  for (int i = 0; i < 7; ++i) others += (i > 0 ? "," : "") + ThereTrue("Other" + std::to_string(i));
  const auto said = SaidOfAll({SaidTrue("Accepted"), SaidTrue("Programmed")});
  const auto object = GatewayThere(R"({"conditions":[)" + others + "]}");
  EXPECT_EQ(Patched(said, object),
            R"({"conditions":[)" + others + "," + ThereTrue("Accepted", 1, kNow) + "]}");
  EXPECT_EQ(MakeStatusPatch(said, object, Us(), kNowUnixS).left_out, 1u);
}

TEST(StatusPatch, AGatewaysListenersAndAddressesAreWrittenWhereTheyDiffer) {
  const auto listener = [](int routes, const std::string& kinds, const std::string& conditions) {
    return R"({"name":"http","attachedRoutes":)" + std::to_string(routes) +
           R"(,"supportedKinds":[)" + kinds + R"(],"conditions":[)" + conditions + "]}";
  };
  const std::string kind = R"({"group":"gateway.networking.k8s.io","kind":"HTTPRoute"})";
  api::ObjectStatus said;
  said.addresses = {{"IPAddress", "10.0.0.1"}};
  said.listeners = {{"http", 80, 2, {{api::kGatewayGroup, "HTTPRoute"}}, {SaidTrue("Accepted")}}};
  const auto object = [&](const std::string& address, const std::string& listeners) {
    return GatewayThere(R"({"addresses":[)" + address + R"(],"listeners":[)" + listeners + "]}");
  };
  const std::string address = R"({"type":"IPAddress","value":"10.0.0.1"})";
  const std::string there = ThereTrue("Accepted");
  EXPECT_EQ(Patched(said, object(address, listener(2, kind, there))), "");
  EXPECT_EQ(Patched(said, object(R"({"value":"10.0.0.1"})",
                                 listener(2, R"({"kind":"HTTPRoute"})", there))),
            "");
  EXPECT_EQ(Patched(said, object(address, listener(1, kind, there))),
            R"({"listeners":[)" + listener(2, kind, there) + "]}");
  EXPECT_EQ(Patched(said, object(address, listener(2, kind, there) + R"(,{"name":"gone"})")),
            R"({"listeners":[)" + listener(2, kind, there) + "]}");
  EXPECT_EQ(
      Patched(said, object(R"({"type":"IPAddress","value":"10.0.0.2"})", listener(2, kind, there))),
      R"({"addresses":[)" + address + "]}");
  auto homeless = said;
  homeless.addresses.clear();
  EXPECT_EQ(Patched(homeless, object(address, listener(2, kind, there))), R"({"addresses":[]})");
  EXPECT_NE(Patched(said, GatewayThere("{}")), "");
  EXPECT_NE(Patched(said, GatewayThere("null")), "");
}

TEST(StatusPatch, AClassNamesItsFeaturesSorted) {
  auto said = SaidOfAll({SaidTrue("Accepted")});
  said.supported_features = {"HTTPRoute", "Gateway"};
  const auto object = [](const std::string& status) {
    return ObjectThere("gateway.networking.k8s.io/v1", "GatewayClass", status);
  };
  EXPECT_EQ(Patched(said, object(R"({"conditions":[)" + ThereTrue("Accepted") + "]}")),
            R"({"supportedFeatures":[{"name":"Gateway"},{"name":"HTTPRoute"}]})");
  EXPECT_EQ(
      Patched(said, object(R"({"supportedFeatures":[{"name":"HTTPRoute"},{"name":"Gateway"}],)"
                           R"("conditions":[)" +
                           ThereTrue("Accepted") + "]}")),
      "");
}

TEST(StatusPatch, KindsWithConditionsAloneAreWrittenInEachGroupTheyAreOf) {
  const auto said = SaidOfAll({SaidTrue("Accepted")});
  for (const auto& [version, kind] : std::vector<std::pair<std::string, std::string>>{
           {"inference.networking.x-k8s.io/v1alpha2", "InferenceModel"},
           {"inference.networking.x-k8s.io/v1alpha2", "InferenceObjective"},
           {"llm-d.ai/v1alpha2", "InferenceObjective"},
           {"llm-d.ai/v1alpha2", "InferenceModelRewrite"},
           {"inferenceextension.alibabacloud.com/v1alpha1", "InferenceTrafficPolicy"},
           {"penstock.dev/v1alpha1", "ModelRelease"}}) {
    EXPECT_EQ(Patched(said, ObjectThere(version, kind, "{}")),
              R"({"conditions":[)" + ThereTrue("Accepted", 1, kNow) + "]}")
        << version << " " << kind;
  }
  EXPECT_FALSE(TakesStatus("", "Service"));
  EXPECT_FALSE(TakesStatus("gateway.envoyproxy.io", "Backend"));
}

TEST(StatusPatch, MessagesAreCutBetweenCharactersAndAreUtf8) {
  std::string umlauts;
  for (size_t i = 0; i < kMessageCharactersMax + 1; ++i) umlauts += "ü";
  EXPECT_EQ(FitMessage(umlauts), umlauts.substr(0, 2 * kMessageCharactersMax));
  EXPECT_EQ(FitMessage("a\xff\xc3"), "a\xEF\xBF\xBD\xEF\xBF\xBD");
  for (const std::string& message :
       {umlauts, std::string("a\xff"), std::string("\"\n\x01\u202e")}) {
    const auto said =
        Route({SaidOf("gw", {Said("Accepted", ConditionStatus::kFalse, "No", 1, message)})});
    EXPECT_NE(Patched(said, RouteThere("")), "");  // and then nothing more
  }
}

TEST(StatusPatch, WhatIsThereMayBeAnythingThatIsJson) {
  const auto said = Route({SaidOf("gw", {SaidTrue("Accepted")})});
  for (const char* status : {"[]", "7", "null", R"({"parents":null})", R"({"parents":{"a":1}})",
                             R"({"parents":[null,7,{"parentRef":[]},{"conditions":{}}]})"}) {
    EXPECT_NE(Patched(said, ObjectThere("gateway.networking.k8s.io/v1", "HTTPRoute", status)), "")
        << status;
  }
}

TEST(StatusPatch, AReleaseSaysHowFarItCame) {
  const auto release = [](const std::string& status) {
    return JsonOf(R"({"apiVersion":"penstock.dev/v1alpha1","kind":"ModelRelease","metadata":)"
                  R"({"name":"r","namespace":"default","resourceVersion":"7","generation":1},)"
                  R"("status":)" +
                  status + "}");
  };
  api::ObjectStatus said = SaidOfAll({SaidTrue("Accepted")});
  said.fields =
      JsonOf(R"({"phase":"Paused","weight":0.5,"state":{"step":1,"history":[{"a":"b"}]}})");
  const std::string conditions = R"("conditions":[)" + ThereTrue("Accepted") + "]";
  // Whatever the order of the members is, and with what others have put there.
  EXPECT_EQ(Patched(said, release("{" + conditions +
                                  R"(,"state":{"history":[{"a":"b"}],"step":1},"weight":0.5,)"
                                  R"("phase":"Paused","others":1})")),
            "");
  EXPECT_EQ(Patched(said, release("{" + conditions +
                                  R"(,"phase":"Waiting","weight":0.5,)"
                                  R"("state":{"step":0,"history":[]}})")),
            R"({"phase":"Paused","state":{"step":1,"history":[{"a":"b"}]}})");
  // Who does not lead says nothing of it.
  said.fields = {};
  EXPECT_EQ(Patched(said, release("{" + conditions + R"(,"phase":"Waiting"})")), "");
}

}  // namespace
}  // namespace gw::kube
