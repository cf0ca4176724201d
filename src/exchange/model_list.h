// GET /v1/models: what the pools behind a route serve. Pools with InferenceModels list those names;
// a pool without any takes every name, so its endpoints are asked, one after the other until one
// tells.
//
// The route is the HTTPRoute of the rule that matched: all its rules that the path fits count, also
// those that want other header fields than this request has, since a client that asks what there is
// has not chosen a model yet. No weight is drawn, and a destination that cannot be served is left
// out as long as there is another.

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
using ModelListRules = std::vector<const RouteRule*>;

// The rules whose pools are listed for a request that came to `rule`. Empty if none of them has an
// InferencePool that is served: then it is a request like any other.
ModelListRules RulesOfModelList(const Snapshot& snapshot, const RouteTable& routes,
                                const RouteRule& rule, std::string_view path);

// What a list of these rules is remembered by, within one Snapshot. Clients' paths do not make more
// of them.
std::string KeyOf(const ModelListRules& rules);

// `snapshot` must outlive the plan.
ModelListPlan PlanModelList(const Snapshot& snapshot, const ModelListRules& rules, TimePoint now,
                            Random& random);

// The union of the configured names and of what the endpoints answered. Empty if nobody could tell.
std::string MergeModelAnswers(const ModelListPlan& plan, std::vector<std::string_view> answers);

}  // namespace gw
