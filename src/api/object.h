// Object: one object of any kind that is read; and ParsedObject, what became of one document. A
// source yields ParsedObjects, config makes one ResourceSet of them.

#pragma once

#include <compare>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "api/resources.h"

namespace gw::api {

using Object =
    std::variant<GatewayClass, Gateway, HttpRoute, ReferenceGrant, InferencePool, InferenceModel,
                 InferenceObjective, InferenceModelRewrite, InferenceTrafficPolicy, Backend,
                 BackendTlsPolicy, ModelRelease, Service, EndpointSlice, Pod, Secret, ConfigMap,
                 Namespace, ForeignObject>;

// Names one object whatever its version.
struct ObjectId {
  std::string kind;
  std::string group;
  std::string ns;
  std::string name;

  auto operator<=>(const ObjectId&) const = default;
};

struct ParsedObject {
  ObjectRef ref;  // as far as it was written
  SourceRef source;
  int64_t generation = 1;
  // It breaks the rules of its kind if this is not empty, and then `object` is null.
  std::vector<std::string> errors;
  std::shared_ptr<const Object> object;
  // Of a broken one. `kind_known`: the kind and its group are of those that are read. `claims`: so
  // is the version, and another object of that name is one too many. `hides`: other objects may be
  // hidden in it, as its top has a field twice (a "---" is missing) or is no object.
  bool kind_known = true;
  bool claims = false;
  bool hides = false;
  std::vector<ForeignObject::Target> targets = {};  // of a broken one: InvalidObject::targets

  ObjectId id() const { return {ref.kind, ref.group, ref.ns, ref.name}; }
};

// One object that came, is another than before, or went. Where it was read stands in its metadata.
struct ObjectChange {
  std::shared_ptr<const Object> before;  // null: it came
  std::shared_ptr<const Object> after;   // null: it went
};

struct Parsed {
  std::vector<ParsedObject> objects;  // in the order they were read
  // Objects of kinds that are not ours: "apps/v1 Deployment" -> how many.
  std::map<std::string, int> skipped;
};

// Puts the object into the map of its kind, in place of one with its name.
void Insert(const Object& object, ResourceSet* set);
// Takes the object of that name out, if there is one.
void Erase(const Object& object, ResourceSet* set);

}  // namespace gw::api
