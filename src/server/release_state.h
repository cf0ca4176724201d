// How far a release came, as a tree that is written as JSON: in a state file, or in the status of
// its object on a cluster. Whoever reads it back must expect anything.

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "api/node.h"
#include "base/status.h"
#include "release/run.h"

namespace gw {

using ReleaseStates = std::map<std::string, release::RunState>;  // by "namespace/name"

api::Node NodeOf(const release::RunState& state);
// InvalidArgument names the member. Members that are not there have their defaults.
absl::StatusOr<release::RunState> ReleaseStateOf(const api::Node& node);

// All of a gateway: {"version": 1, "releases": {"default/chat-v2": {...}}}, ended by a line feed.
std::string StateText(const ReleaseStates& states);
absl::StatusOr<ReleaseStates> ParseStates(std::string_view text);

// `{"phase": ..., "state": {...}}` of an object's status: what ReleaseStateOf reads. NotFound: it
// has none.
absl::StatusOr<release::RunState> StateOfStatus(std::string_view status);

// What is told of a release: in its status on a cluster, where `state` stands beside it, and to
// `penstock get`. Members: phase, step, steps, weights, samples, message, history.
api::Node StatusOf(const release::ReleaseRun& run, bool with_state);

}  // namespace gw
