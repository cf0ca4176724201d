// The entries of parents (of a policy: ancestors) in a status, joined: ours into those of others.
// Internal to status_patch.

#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "kube/status_kinds.h"
#include "kube/status_patch.h"

namespace gw::kube {

struct ParentsInput {
  const StatusKind& kind;
  const std::vector<api::ParentStatus>& said;
  const api::Node* status;     // may be null
  std::string_view object_ns;  // what a reference without a namespace means
  const StatusOwner& owner;
};

// Entries of others stay as they are and where they are, ours that are not said any more go.
JoinedList JoinParents(const ParentsInput& input, std::string_view now);
// As NewestObserved, over all entries of ours.
int64_t NewestObservedOfParents(const ParentsInput& input);

}  // namespace gw::kube
