// Objects of kinds that Penstock does not serve and that ask something of what it does serve:
// policies that name a target (targetRef), and routes or listeners that name a Gateway as their
// parent. They are read only so far, so that none of them is passed over in silence.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/meta.h"

namespace gw::api {

struct ForeignObject {
  struct Target {
    std::string group;
    std::string kind;
    std::string ns;       // the object's unless given
    std::string name;     // empty: every object of the kind, or those with `labels`
    std::string section;  // a listener, rule or port of it; empty: all
    StringMap labels;

    bool operator==(const Target&) const = default;
  };
  // What happens to those it names when it is not served.
  enum class Effect {
    kChanges,   // they would be served without what it asks for (TLS, credentials, limits)
    kAttaches,  // nothing: it asks to be served itself (routes, listeners)
    kObserves,  // nothing: it is about health checks, metrics or logs of another gateway
  };
  ObjectMeta meta;
  std::string group;
  std::string version;
  std::string kind;
  Effect effect = Effect::kChanges;
  std::vector<Target> targets;  // of kinds that are served; at least one

  bool operator==(const ForeignObject&) const = default;
};

struct Node;

// The targets of kinds that are served which the object names; empty if it is none of these
// objects. It need not be right in any other way.
std::vector<ForeignObject::Target> ForeignTargets(const Node& document, const std::string& ns);
ForeignObject::Effect ForeignEffect(const Node& document, const ObjectRef& ref);

}  // namespace gw::api
