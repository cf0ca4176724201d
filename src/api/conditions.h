// Status conditions: what became of each object. Values out of translate; printed by `penstock
// check` and `penstock get`, and written back to a cluster.

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "api/gateway.h"
#include "api/meta.h"
#include "api/node.h"
#include "api/route.h"

namespace gw::api {

enum class ConditionStatus { kTrue, kFalse, kUnknown };

std::string_view NameOf(ConditionStatus status);  // "True", "False", "Unknown"

struct Condition {
  std::string type;
  ConditionStatus status = ConditionStatus::kUnknown;
  std::string reason;
  std::string message;
  int64_t observed_generation = 0;

  bool operator==(const Condition&) const = default;
};

// Adds the condition, or replaces the one of the same type.
void SetCondition(std::vector<Condition>* conditions, Condition condition);
// Null if there is none of this type.
const Condition* FindCondition(const std::vector<Condition>& conditions, std::string_view type);

struct SupportedKind {
  std::string group;
  std::string kind;

  bool operator==(const SupportedKind&) const = default;
};

// Of a Gateway's listener.
struct ListenerStatus {
  std::string name;
  int port = 0;
  int attached_routes = 0;
  std::vector<SupportedKind> supported_kinds;
  std::vector<Condition> conditions;

  bool operator==(const ListenerStatus&) const = default;
};

// Of an HTTPRoute, InferencePool or BackendTLSPolicy, seen by one parent (of a policy: ancestor).
struct ParentStatus {
  ParentRef parent_ref;
  std::string controller_name;
  std::vector<Condition> conditions;

  bool operator==(const ParentStatus&) const = default;
};

struct ObjectStatus {
  SourceRef source;
  // GatewayClass, Gateway, InferenceModel, ModelRelease, policies; and any object that is invalid
  // as a whole.
  std::vector<Condition> conditions;
  std::vector<std::string> supported_features;  // GatewayClass; sorted
  std::vector<GatewayAddress> addresses;        // Gateway
  std::vector<ListenerStatus> listeners;        // Gateway
  std::vector<ParentStatus> parents;            // HTTPRoute, InferencePool, BackendTLSPolicy
  Node fields = {};  // a map of what a ModelRelease has besides; null: nothing is said of it

  bool operator==(const ObjectStatus&) const = default;
};

// The order of printing: classes, Gateways, routes, pools, what hangs on pools; then by name.
struct ObjectRefLess {
  bool operator()(const ObjectRef& a, const ObjectRef& b) const;
};

// Of several objects with one name the first is served and has its conditions; each of the others
// is refused and has an entry of its own behind it, told apart by `source`.
using StatusSet = std::multimap<ObjectRef, ObjectStatus, ObjectRefLess>;

// Whether a condition says that something is wrong: a positive one (Accepted, Programmed,
// ResolvedRefs, ...) is False, or a negative one (Conflicted, PartiallyInvalid, ...) is True.
bool IsBad(const Condition& condition);
// Some condition of the object, its listeners or its parents is bad: `penstock check` exits 1.
bool IsRefused(const ObjectStatus& status);
// The bad conditions, for a log line: "listener http: Conflicted: port 80 is ...; Accepted: ...".
// Empty if the object is not refused.
std::string WhyRefused(const ObjectStatus& status);
size_t RefusedCount(const StatusSet& statuses);

// "gateways", "Gateway" or "gw" -> "Gateway"; the names and short names kubectl knows, in any case.
// "" if no kind with conditions is meant.
std::string KindFromArgument(std::string_view argument);
// The objects of one kind; all if `kind` is empty.
StatusSet OfKind(const StatusSet& all, std::string_view kind);

// One block per object, as kubectl would show its status:
//   InferencePool default/qwen (pool.yaml:1)
//     parent Gateway default/inference-gateway (penstock.dev/gateway-controller)
//       TYPE          STATUS  REASON        MESSAGE
//       Accepted      True    Accepted      ...
// Of an object whose generation was given a column OBSERVED tells which one the conditions are of.
std::string FormatStatus(const StatusSet& statuses);

}  // namespace gw::api
