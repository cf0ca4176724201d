// The conditions of one place in a status (of an object, a listener, a parent), joined: ours into
// those that are there. Pure; any thread.
//
// As the Kubernetes API conventions and the Gateway API have it: conditions of types that are not
// ours belong to somebody else and stay as they are and where they are; lastTransitionTime is when
// `status` became what it is, so it moves with the status alone.

#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/conditions.h"
#include "api/node.h"

namespace gw::kube {

inline constexpr size_t kConditionsMax = 8;
inline constexpr size_t kMessageCharactersMax = 32'768;

using ConditionTypes = std::span<const std::string_view>;

struct JoinedList {
  api::Node list;        // what is to stand there
  bool changed = false;  // it says something else than what stands there
  size_t left_out = 0;   // of ours, for want of room
};

// `place`: what has, or may have, a member "conditions"; may be null. `ours`: those of these types
// that are not said any more go. `now`: for lastTransitionTime.
JoinedList JoinConditions(const api::Node* place, const std::vector<api::Condition>& said,
                          ConditionTypes ours, std::string_view now);

// The newest generation that the conditions there of types that are ours were made of; 0: none.
int64_t NewestObserved(const api::Node* place, ConditionTypes ours);

// The text as a server keeps it: whole UTF-8 characters, at most kMessageCharactersMax of them.
// Each byte that is no part of one becomes U+FFFD.
std::string FitMessage(std::string_view message);

}  // namespace gw::kube
