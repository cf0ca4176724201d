// GET /v1/models: what the pools behind a rule serve. Pools with InferenceModels list those names;
// a pool without any takes every name, so its endpoints are asked, one after the other until one
// tells.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "snapshot/snapshot.h"

namespace gw {

struct ModelListPlan {
  // Of one pool that takes any name: at least one endpoint, at most kAsksMax.
  using Candidates = std::vector<const Endpoint*>;
  static constexpr size_t kAsksMax = 3;

  std::string configured;  // the list of the configured names; empty if there are none
  std::vector<Candidates> ask;
};
// `snapshot` must outlive the plan.
ModelListPlan PlanModelList(const Snapshot& snapshot, const RouteRule& rule, TimePoint now,
                            Random& random);

// The union of the configured names and of what the endpoints answered. Empty if nobody could tell.
std::string MergeModelAnswers(const ModelListPlan& plan, std::vector<std::string_view> answers);

}  // namespace gw
