// What is to be written into the status of an object in a cluster, so that it says what translate
// says of it: from both to a JSON merge patch (RFC 7386) for the object's /status, or to nothing,
// if it says so already. Pure; any thread.
//
// A merge patch replaces lists as wholes. So what is in a list and not ours is read and written
// back, and metadata.resourceVersion in the patch makes the server refuse it (409) if the object
// is another by then.
//
//   GatewayClass      conditions, supportedFeatures
//   Gateway           conditions, addresses, listeners
//   HTTPRoute         parents: one entry for each parent and controller
//   InferencePool     v1: parents, as of a route. v1alpha2: "parent", whose entries have no
//                     controllerName
//   BackendTLSPolicy  ancestors
//   InferenceModel, InferenceObjective, InferenceModelRewrite, InferenceTrafficPolicy, Backend:
//                     conditions
//   ModelRelease      conditions, and the members that say how far it came
//
// What is compared is what is said, not how: the order of conditions, defaults that the server
// fills in and lastTransitionTime do not count. Whoever applies the patch and asks again is told
// that there is nothing to do.
//
// Conditions of an HTTPRoute, InferencePool or BackendTLSPolicy as a whole have no place in these
// kinds' status and are not written.

#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "api/conditions.h"
#include "api/node.h"

namespace gw::kube {

// Which entries of shared lists are ours.
struct StatusOwner {
  std::set<std::string> controller_names;
  // Of a pool's entries without a controllerName those of these Gateways are ours.
  std::set<api::ObjectKey> gateways = {};
};

struct StatusPatch {
  enum class Outcome : uint8_t {
    kSame,   // it says so already
    kWrite,  // `body` is to be sent
    // Somebody, we ourselves in most cases, has judged a newer generation of the object: what is
    // said here is of an older one.
    kOldView,
  };
  Outcome outcome = Outcome::kSame;
  std::string body = {};
  size_t left_out = 0;  // conditions, parents and ancestors of ours for which there is no room
};

// Whether a status is written to objects of that kind.
bool TakesStatus(std::string_view group, std::string_view kind);

// `object`: as the server has it, with apiVersion, kind, metadata and status. `now_unix_s`: for
// conditions that become what they are.
// REQUIRES: TakesStatus(its group, its kind)
StatusPatch MakeStatusPatch(const api::ObjectStatus& said, const api::Node& object,
                            const StatusOwner& owner, int64_t now_unix_s);

}  // namespace gw::kube
