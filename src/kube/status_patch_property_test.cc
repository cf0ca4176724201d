// Whatever is said and whatever is there: what is written says what was meant, leaves what is
// others' as it is, and is written once.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "kube/test_status.h"

namespace gw::kube {
namespace {

using api::ConditionStatus;
using Outcome = StatusPatch::Outcome;

struct Kind {
  const char* version;
  const char* kind;
  const char* list;
  const char* ref;
};
constexpr Kind kKinds[] = {
    {"gateway.networking.k8s.io/v1", "HTTPRoute", "parents", "parentRef"},
    {"gateway.networking.k8s.io/v1", "BackendTLSPolicy", "ancestors", "ancestorRef"},
    {"inference.networking.k8s.io/v1", "InferencePool", "parents", "parentRef"},
    {"inference.networking.x-k8s.io/v1alpha2", "InferencePool", "parent", "parentRef"},
    {"gateway.networking.k8s.io/v1", "Gateway", "", ""},
    {"gateway.networking.k8s.io/v1", "GatewayClass", "", ""},
    {"llm-d.ai/v1alpha2", "InferenceObjective", "", ""},
};
constexpr const char* kTypes[] = {"Accepted",   "ResolvedRefs", "Programmed",
                                  "Conflicted", "Foreign",      "example.com/X"};
constexpr const char* kControllers[] = {kOurName, "example.com/other", "older/name"};

struct Maker {
  Random random;

  size_t Upto(size_t most) { return random.Below(most + 1); }
  bool Chance() { return Upto(1) == 1; }
  std::string Gateway() { return "gw" + std::to_string(Upto(3)); }

  std::vector<api::Condition> SayConditions(int64_t generation) {
    std::vector<api::Condition> said;
    for (size_t i = 0; i < 4; ++i) {  // kTypes that are ours
      if (Chance()) continue;
      const auto status = static_cast<ConditionStatus>(Upto(2));
      said.push_back(Said(kTypes[i], status, "R" + std::to_string(Upto(1)), generation,
                          Chance() ? "" : "bad \xff and \"quoted\""));
    }
    return said;
  }
  std::string ConditionsThere(size_t most) {
    std::string out;
    for (const char* type : kTypes) {
      if (Chance() || most-- == 0) continue;
      const char* statuses[] = {"True", "False", "Unknown"};
      out +=
          (out.empty() ? "" : ",") + There(type, statuses[Upto(2)], "R" + std::to_string(Upto(1)),
                                           static_cast<int64_t>(1 + Upto(2)));
    }
    return "[" + out + "]";
  }
  api::ObjectStatus Say(int64_t generation) {
    api::ObjectStatus said;
    said.conditions = SayConditions(generation);
    for (size_t i = Upto(5); i > 0; --i) {
      auto parent = SaidOf(Gateway(), SayConditions(generation));
      parent.parent_ref.ns_given = Chance();
      if (Chance()) parent.parent_ref.section_name = "s" + std::to_string(Upto(1));
      if (Chance()) parent.parent_ref.port = 80;
      said.parents.push_back(parent);
    }
    for (size_t i = Upto(2); i > 0; --i) {
      said.addresses.push_back({"IPAddress", Chance() ? "" : "10.0.0." + std::to_string(i)});
    }
    for (size_t i = Upto(3); i > 0; --i) {
      api::ListenerStatus listener;
      listener.name = "l" + std::to_string(i);
      listener.attached_routes = static_cast<int>(Upto(2));
      if (Chance()) listener.supported_kinds = {{api::kGatewayGroup, "HTTPRoute"}};
      listener.conditions = SayConditions(generation);
      said.listeners.push_back(listener);
    }
    if (Chance()) said.supported_features = {"Gateway", "HTTPRoute"};
    return said;
  }
  std::string ParentsThere(const Kind& kind) {
    std::string out;
    for (size_t i = Upto(40); i > 0; --i) {
      std::string ref = R"({"name":")" + Gateway() + "\"";
      if (Chance()) ref += R"(,"kind":"Gateway")";
      if (Chance()) ref += R"(,"namespace":"default")";
      if (Upto(20) == 0) ref = R"({"kind":"Status","name":"default")";
      if (Chance()) ref += R"(,"port":80)";
      out += (out.empty() ? R"({")" : R"(,{")") + std::string(kind.ref) + R"(":)" + ref + "}";
      if (Upto(5) > 0) out += R"(,"controllerName":")" + std::string(kControllers[Upto(2)]) + "\"";
      if (Chance()) out += R"(,"conditions":)" + ConditionsThere(6);
      out += "}";
    }
    return "[" + out + "]";
  }
  api::Node There_(const Kind& kind, int64_t generation) {
    std::string status = R"({"unknown":1,"conditions":)" + ConditionsThere(6);
    if (*kind.list != '\0')
      status += R"(,")" + std::string(kind.list) + R"(":)" + ParentsThere(kind);
    if (Chance()) status += R"(,"addresses":[{"value":"10.0.0.1"}])";
    if (Chance()) {
      status +=
          R"(,"listeners":[{"name":"l1","attachedRoutes":1,"supportedKinds":[],"conditions":)" +
          ConditionsThere(6) + R"(},{"name":"old"}])";
    }
    return ObjectThere(kind.version, kind.kind, status + "}", generation);
  }
};

// What is others' in the lists of parents, in its order.
std::vector<std::string> Foreign(const api::Node& object, const Kind& kind) {
  std::vector<std::string> found;
  for (const api::Node& entry : ItemsAt(object.Find("status"), kind.list)) {
    if (TextAt(&entry, "controllerName") == "example.com/other") found.push_back(ToJson(entry));
  }
  return found;
}
std::vector<std::string> ForeignConditions(const api::Node& object) {
  std::vector<std::string> found;
  for (const api::Node& condition : ItemsAt(object.Find("status"), "conditions")) {
    const std::string type = TextAt(&condition, "type");
    if (type == "Foreign" || type == "example.com/X") found.push_back(ToJson(condition));
  }
  return found;
}

bool Holds(const api::Node& object, const Kind& kind, const api::ParentStatus& said) {
  for (const api::Node& entry : ItemsAt(object.Find("status"), kind.list)) {
    const api::Node* ref = MapAt(&entry, kind.ref);
    if (TextAt(ref, "name") == said.parent_ref.name &&
        TextAt(ref, "sectionName") == said.parent_ref.section_name &&
        IntegerAt(ref, "port").value_or(0) == said.parent_ref.port.value_or(0)) {
      return true;
    }
  }
  return false;
}

TEST(StatusPatchProperty, IsWrittenOnceAndKeepsWhatIsOthers) {
  size_t written = 0;
  size_t same = 0;
  size_t old = 0;
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    SCOPED_TRACE(seed);
    Maker make{Random(seed)};
    const Kind& kind = kKinds[make.Upto(std::size(kKinds) - 1)];
    const int64_t generation = 1 + static_cast<int64_t>(make.Upto(2));
    StatusOwner owner{.controller_names = {kOurName, "older/name"}};
    if (make.Chance()) owner.gateways = {{"default", "gw0"}, {"default", "gw1"}};
    const api::ObjectStatus said = make.Say(generation);
    api::Node object = make.There_(kind, generation + static_cast<int64_t>(make.Upto(1)));
    const auto foreign = Foreign(object, kind);
    const auto foreign_conditions = ForeignConditions(object);
    const StatusPatch patch = MakeStatusPatch(said, object, owner, kNowUnixS);
    if (patch.outcome != Outcome::kWrite) {
      ++(patch.outcome == Outcome::kSame ? same : old);
      continue;
    }
    ++written;
    MergePatch(JsonOf(patch.body), &object);
    ASSERT_EQ(MakeStatusPatch(said, object, owner, kNowUnixS + 5).outcome, Outcome::kSame);
    EXPECT_EQ(Foreign(object, kind), foreign);
    EXPECT_EQ(ForeignConditions(object), foreign_conditions);
    if (*kind.list != '\0' && patch.left_out == 0) {
      for (const auto& parent : said.parents) EXPECT_TRUE(Holds(object, kind, parent));
    }
    // It is said no more, and said again: back to where it was, without a word too many.
    const StatusPatch none = MakeStatusPatch({}, object, owner, kNowUnixS);
    if (none.outcome != Outcome::kWrite) continue;
    MergePatch(JsonOf(none.body), &object);
    ASSERT_EQ(MakeStatusPatch({}, object, owner, kNowUnixS).outcome, Outcome::kSame);
    EXPECT_EQ(Foreign(object, kind), foreign);
  }
  EXPECT_GT(written, 1000u);
  EXPECT_GT(old, 100u);
  EXPECT_GT(same, 5u);
}

}  // namespace
}  // namespace gw::kube
