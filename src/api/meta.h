// What every Kubernetes object has: where it was read, its metadata, how others name it.
//
// All of gw::api are plain values. They hold what the user wrote with the API server's defaults
// filled in; what cannot be honoured stands in `unsupported`, so that nothing is dropped in
// silence.

#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "api/written.h"

namespace gw::api {

inline constexpr char kGatewayGroup[] = "gateway.networking.k8s.io";
inline constexpr char kInferenceGroup[] = "inference.networking.k8s.io";     // v1
inline constexpr char kInferenceXGroup[] = "inference.networking.x-k8s.io";  // v1alpha2
inline constexpr char kLlmdGroup[] = "llm-d.ai";
inline constexpr char kTrafficPolicyGroup[] = "inferenceextension.alibabacloud.com";
inline constexpr char kPenstockGroup[] = "penstock.dev";

using StringMap = std::map<std::string, std::string>;

// Where an object was read.
struct SourceRef {
  std::string file;
  int line = 0;  // of the document's first line, from 1; 0: unknown

  std::string ToString() const;  // "pool.yaml:12", "" if unknown

  bool operator==(const SourceRef&) const = default;
};

// Name of an object within its kind. `ns` is empty for kinds without namespaces.
struct ObjectKey {
  std::string ns;
  std::string name;

  auto operator<=>(const ObjectKey&) const = default;
};

// The same for kinds that exist in several API groups.
struct GroupKey {
  std::string group;
  std::string ns;
  std::string name;

  auto operator<=>(const GroupKey&) const = default;
};

// Full name of an object, for conditions and messages. `group` is empty for the core group.
struct ObjectRef {
  std::string group;
  std::string version;
  std::string kind;
  std::string ns;
  std::string name;

  bool operator==(const ObjectRef&) const = default;
  std::string ToString() const;    // "InferencePool default/qwen", "GatewayClass penstock"
  std::string ApiVersion() const;  // "inference.networking.k8s.io/v1", "v1"
};

struct ObjectMeta {
  std::string name;
  std::string ns = "default";  // empty for GatewayClass and Namespace
  StringMap labels;
  StringMap annotations;
  int64_t generation = 1;       // 1 in files unless given
  int64_t creation_unix_s = 0;  // 0 unless given
  bool terminating = false;     // a deletionTimestamp is set
  SourceRef source;
  // The lines of fields that are judged after the whole object was read, by their path.
  std::map<std::string, int, std::less<>> lines;
  // Of an object of a cluster: fields of a newer version of its kind that are not known here, and
  // that it is served without.
  std::vector<std::string> unknown_fields;
  Written written;

  ObjectKey key() const { return {ns, name}; }
  // "" if there is no such annotation.
  std::string_view annotation(std::string_view key) const;
  // " (pool.yaml:12)", to stand behind a message about the field of that path; "" if its line is
  // not known.
  std::string Where(std::string_view path) const;
  std::string WhereAnnotation(std::string_view key) const;

  bool operator==(const ObjectMeta&) const = default;
};

// A field that the specification allows and Penstock does not honour.
struct Unsupported {
  std::string path;     // "spec.rules[0].filters[1]"
  int index = -1;       // the rule (HTTPRoute) or listener (Gateway) that needs it; -1: the object
  std::string message;  // "filters are not supported"

  bool operator==(const Unsupported&) const = default;
};

struct LabelRequirement {
  enum class Operator { kIn, kNotIn, kExists, kDoesNotExist };
  std::string key;
  Operator op = Operator::kIn;
  std::vector<std::string> values;

  bool operator==(const LabelRequirement&) const = default;
};

// Everything must hold; an empty selector selects all.
struct LabelSelector {
  StringMap match_labels;
  std::vector<LabelRequirement> match_expressions;

  bool Matches(const StringMap& labels) const;

  bool operator==(const LabelSelector&) const = default;
};

// True if every pair of `wanted` is in `labels`.
bool LabelsMatch(const StringMap& wanted, const StringMap& labels);

}  // namespace gw::api
