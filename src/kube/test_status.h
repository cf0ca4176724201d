// What the tests of statuses share: short words for what is said and for what is there.

#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kube/status_patch.h"
#include "kube/test_api_objects.h"

namespace gw::kube {

inline constexpr char kOurName[] = "penstock.dev/gateway-controller";
inline constexpr int64_t kNowUnixS = 1'767'323'045;  // 2026-01-02T03:04:05Z
inline constexpr char kNow[] = "2026-01-02T03:04:05Z";
inline constexpr char kBefore[] = "2025-05-05T05:05:05Z";

inline api::Condition Said(const std::string& type, api::ConditionStatus status,
                           const std::string& reason, int64_t generation = 1,
                           const std::string& message = "") {
  return {type, status, reason, message, generation};
}
inline api::Condition SaidTrue(const std::string& type, int64_t generation = 1) {
  return Said(type, api::ConditionStatus::kTrue, type, generation);
}
inline api::ParentStatus SaidOf(const std::string& gateway, std::vector<api::Condition> conditions,
                                const std::string& controller = kOurName) {
  api::ParentStatus parent;
  parent.parent_ref.ns = "default";
  parent.parent_ref.name = gateway;
  parent.controller_name = controller;
  parent.conditions = std::move(conditions);
  return parent;
}
inline api::ObjectStatus SaidOfAll(std::vector<api::Condition> conditions) {
  api::ObjectStatus said;
  said.conditions = std::move(conditions);
  return said;
}
inline api::ObjectStatus SaidOfParents(std::vector<api::ParentStatus> parents) {
  api::ObjectStatus said;
  said.parents = std::move(parents);
  return said;
}

// A condition as it stands in an object.
inline std::string There(std::string_view type, std::string_view status, std::string_view reason,
                         int64_t generation = 1, std::string_view since = kBefore,
                         std::string_view message = "") {
  return absl::StrCat(R"({"type":")", std::string(type), R"(","status":")", std::string(status),
                      R"(","observedGeneration":)", generation, R"(,"lastTransitionTime":")",
                      std::string(since), R"(","reason":")", std::string(reason),
                      R"(","message":")", std::string(message), R"("})");
}
inline std::string ThereTrue(std::string_view type, int64_t generation = 1,
                             std::string_view since = kBefore) {
  return There(type, "True", type, generation, since);
}
inline std::string ParentThere(const std::string& gateway, const std::string& conditions,
                               const std::string& controller = kOurName) {
  return absl::StrCat(
      R"({"parentRef":{"group":"gateway.networking.k8s.io","kind":"Gateway","name":")", gateway,
      R"("},"controllerName":")", controller, R"(","conditions":[)", conditions, "]}");
}
inline api::Node ObjectThere(const std::string& api_version, const std::string& kind,
                             const std::string& status, int64_t generation = 1,
                             const std::string& name = "it") {
  return JsonOf(absl::StrCat(
      R"({"apiVersion":")", api_version, R"(","kind":")", kind, R"(","metadata":{"name":")", name,
      R"(","namespace":"default","uid":"u1","resourceVersion":"7","generation":)", generation,
      R"(},"spec":{"a":1},"status":)", status, "}"));
}
inline api::Node RouteThere(const std::string& parents, int64_t generation = 1,
                            const std::string& name = "it") {
  return ObjectThere("gateway.networking.k8s.io/v1", "HTTPRoute",
                     absl::StrCat(R"({"parents":[)", parents, "]}"), generation, name);
}
inline api::Node GatewayThere(const std::string& status, int64_t generation = 1) {
  return ObjectThere("gateway.networking.k8s.io/v1", "Gateway", status, generation);
}

}  // namespace gw::kube
