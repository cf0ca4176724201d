#include "exchange/model_list.h"

#include <algorithm>
#include <set>

#include "inference/parser.h"
#include "inference/response.h"
#include "scheduling/profile.h"

namespace gw {

ModelListPlan PlanModelList(const Snapshot& snapshot, const RouteRule& rule, TimePoint now,
                            Random& random) {
  ModelListPlan plan;
  std::set<uint32_t> seen;
  const InferenceRequest request;
  std::vector<EndpointView> views;
  for (const Destination& destination : rule.destinations) {
    if (destination.kind != Destination::Kind::kPool || destination.weight == 0) continue;
    if (!seen.insert(destination.pool).second) continue;
    const PoolEntry& entry = *snapshot.pools[destination.pool];
    if (!entry.unservable.empty()) continue;
    for (const std::string& name : entry.models.names()) {
      plan.configured += plan.configured.empty() ? "{\"object\":\"list\",\"data\":[" : ",";
      plan.configured += "{\"id\":" + QuoteJson(name) +
                         ",\"object\":\"model\",\"created\":0,\"owned_by\":\"penstock\"}";
    }
    if (!entry.models.takes_any_name()) continue;
    SampleEndpoints(entry.pool, request, now, {}, &views);
    if (views.empty()) continue;
    const size_t first = random.Below(views.size());
    ModelListPlan::Candidates& candidates = plan.ask.emplace_back();
    for (size_t i = 0; i < std::min(views.size(), ModelListPlan::kAsksMax); ++i) {
      candidates.push_back(views[(first + i) % views.size()].endpoint);
    }
  }
  if (!plan.configured.empty()) plan.configured += "]}";
  return plan;
}

std::string MergeModelAnswers(const ModelListPlan& plan, std::vector<std::string_view> answers) {
  if (!plan.configured.empty()) answers.insert(answers.begin(), plan.configured);
  std::string merged;
  if (!MergeModelLists(answers.data(), answers.size(), &merged)) merged.clear();
  return merged;
}

}  // namespace gw
