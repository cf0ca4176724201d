#include "exchange/model_list.h"

#include <algorithm>
#include <set>

#include "inference/parser.h"
#include "inference/response.h"
#include "scheduling/profile.h"

namespace gw {

namespace {

// The pools that `rule` leads to and that list models; in `pools`, each once.
void AddListedPools(const Snapshot& snapshot, const RouteRule& rule, std::set<uint32_t>* seen,
                    std::vector<const PoolEntry*>* pools) {
  if (!rule.unsupported.empty()) return;
  for (const Destination& destination : rule.destinations) {
    if (destination.kind != Destination::Kind::kPool || destination.weight == 0) continue;
    const PoolEntry& entry = *snapshot.pools[destination.pool];
    if (entry.pool.kind != Pool::Kind::kInferencePool || !entry.unservable.empty()) continue;
    if (seen->insert(destination.pool).second) pools->push_back(&entry);
  }
}

std::vector<const PoolEntry*> ListedPools(const Snapshot& snapshot, const ModelListRules& rules) {
  std::set<uint32_t> seen;
  std::vector<const PoolEntry*> pools;
  for (const RouteRule* rule : rules) AddListedPools(snapshot, *rule, &seen, &pools);
  return pools;
}

}  // namespace

ModelListRules RulesOfModelList(const Snapshot& snapshot, const RouteTable& routes,
                                const RouteRule& rule, std::string_view path) {
  ModelListRules rules = routes.RulesFor(rule, path);
  if (ListedPools(snapshot, rules).empty()) rules.clear();
  return rules;
}

std::string KeyOf(const ModelListRules& rules) {
  std::string key;
  for (const RouteRule* rule : rules) key.append(rule->name).push_back('\n');
  return key;
}

ModelListPlan PlanModelList(const Snapshot& snapshot, const ModelListRules& rules, TimePoint now,
                            Random& random) {
  ModelListPlan plan;
  const InferenceRequest request;
  std::vector<EndpointView> views;
  for (const PoolEntry* entry : ListedPools(snapshot, rules)) {
    for (const std::string& name : entry->models.names()) {
      plan.configured += plan.configured.empty() ? "{\"object\":\"list\",\"data\":[" : ",";
      plan.configured += "{\"id\":" + QuoteJson(name) +
                         ",\"object\":\"model\",\"created\":0,\"owned_by\":\"penstock\"}";
    }
    if (!entry->models.takes_any_name()) continue;
    SampleEndpoints(entry->pool, request, now, {}, &views);
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
