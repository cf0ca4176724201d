#include "exchange/model_list.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "inference/model_list.h"
#include "inference/parser.h"
#include "scheduling/profile.h"

namespace gw {
namespace {

// Who asks, in the ways that model servers and what stands before them know.
constexpr std::string_view kFieldsOfQuestion[] = {
    "authorization",       "api-key",        "x-api-key", "cookie",
    "openai-organization", "openai-project", "origin",
};
constexpr std::string_view kFieldsOfAnswer[] = {"vary", "www-authenticate"};

bool IsOneOf(std::string_view name, std::span<const std::string_view> names) {
  return std::any_of(names.begin(), names.end(), [&](std::string_view other) {
    return name.size() == other.size() && http::EqualsIgnoreCase(name, other);
  });
}

bool IsCors(std::string_view name) {
  constexpr std::string_view kPrefix = "access-control-";
  return name.size() > kPrefix.size() &&
         http::EqualsIgnoreCase(name.substr(0, kPrefix.size()), kPrefix);
}

struct ListedPool {
  const PoolEntry* pool;
  FilterChain filters;
};

// The pools that `rule` leads to and that list models; in `pools`, each once.
void AddListedPools(const Snapshot& snapshot, const RouteRule& rule, std::set<uint32_t>* seen,
                    std::vector<ListedPool>* pools) {
  if (!rule.unsupported.empty()) return;
  for (const Destination& destination : rule.destinations) {
    if (destination.kind != Destination::Kind::kPool || destination.weight == 0) continue;
    const PoolEntry& entry = *snapshot.pools[destination.pool];
    if (entry.pool.kind == Pool::Kind::kService || !entry.unservable.empty()) continue;
    if (!seen->insert(destination.pool).second) continue;
    pools->push_back({&entry, {rule.filters.get(), destination.filters.get()}});
  }
}

std::vector<ListedPool> ListedPools(const Snapshot& snapshot, const ModelListRules& rules) {
  std::set<uint32_t> seen;
  std::vector<ListedPool> pools;
  for (const RouteRule* rule : rules) AddListedPools(snapshot, *rule, &seen, &pools);
  return pools;
}

// What the filters make of the question, for the name of its list.
void AppendEdits(const RouteFilters* filters, std::string* key) {
  if (filters == nullptr) return;
  for (const auto* fields : {&filters->request.set, &filters->request.add}) {
    *key += "\n  ";
    for (const auto& [name, value] : *fields) key->append(name).append(":").append(value) += "\n";
  }
  for (const std::string& name : filters->request.remove) key->append("\n -").append(name);
}

// A catalogue beside the model servers: the route says that it answers.
bool LeadsToServicesOnly(const Snapshot& snapshot, const RouteRule& rule) {
  return !rule.destinations.empty() &&
         std::all_of(rule.destinations.begin(), rule.destinations.end(),
                     [&](const Destination& destination) {
                       return destination.kind == Destination::Kind::kPool &&
                              snapshot.pools[destination.pool]->pool.kind == Pool::Kind::kService;
                     });
}

bool IsRefusal(int status) { return status == 401 || status == 403; }

// Puts a list together, each name once.
class Merger {
 public:
  void Add(const ModelTable& models, const std::vector<ListedModel>& told) {
    if (models.takes_any_name()) {
      for (const ListedModel& model : told) AddModel(model.id, std::string(model.json));
      return;
    }
    for (const std::string& name : models.names()) AddName(*models.Find(name), told);
  }
  std::string Take() { return std::move(body_) + "]}"; }

 private:
  void AddName(const ModelBinding& binding, const std::vector<ListedModel>& told) {
    const std::string& name = binding.requested_model;
    const auto find = [&](const std::string& id) {
      return std::find_if(told.begin(), told.end(),
                          [&](const ListedModel& model) { return model.id == id; });
    };
    auto model = binding.targets.empty() ? find(name) : told.end();
    for (const TargetModel& target : binding.targets) {
      if (model == told.end()) model = find(target.name);
    }
    if (model != told.end()) {
      AddModel(name, WithId(*model, name));
    } else {
      // An adapter that is not loaded yet, or nobody tells.
      AddModel(name, "{\"id\":" + QuoteJson(name) +
                         ",\"object\":\"model\",\"created\":0,\"owned_by\":\"penstock\"}");
    }
  }
  void AddModel(const std::string& id, const std::string& json) {
    if (!seen_.insert(id).second) return;
    if (!body_.ends_with('[')) body_ += ',';
    body_ += json;
  }

  std::string body_ = "{\"object\":\"list\",\"data\":[";
  std::set<std::string> seen_;
};

}  // namespace

ModelListRules RulesOfModelList(const Snapshot& snapshot, const RouteTable& routes,
                                const RouteRule& rule, std::string_view path) {
  if (LeadsToServicesOnly(snapshot, rule)) return {};
  ModelListRules rules = routes.RulesFor(rule, path);
  if (ListedPools(snapshot, rules).empty()) rules.clear();
  return rules;
}

OwnedFields FieldsOfQuestion(const http::RequestHead& head) {
  OwnedFields fields;
  for (const http::HeaderField& field : head.headers) {
    if (IsOneOf(field.name, kFieldsOfQuestion)) fields.emplace_back(field.name, field.value);
  }
  return fields;
}

OwnedFields FieldsOfAnswer(const http::ResponseHead& head) {
  OwnedFields fields;
  for (const http::HeaderField& field : head.headers) {
    if (IsCors(field.name) || IsOneOf(field.name, kFieldsOfAnswer)) {
      fields.emplace_back(field.name, field.value);
    }
  }
  return fields;
}

// The pools that are listed and what they declare, not the Snapshot or the endpoints, so that a
// rollout does not have every list asked for anew. What the endpoints tell may change without any
// of that, and is kept for a moment only. A pool's first endpoint and its last make another list.
std::string KeyOf(const Snapshot& snapshot, const ModelListRules& rules,
                  const OwnedFields& fields) {
  std::string key;
  for (const auto& [entry, filters] : ListedPools(snapshot, rules)) {
    key.append(entry->pool.id).append(entry->pool.endpoints.empty() ? " - " : " + ");
    for (const std::string& name : entry->models.names()) {
      key.append("\n ").append(name);
      for (const TargetModel& target : entry->models.Find(name)->targets) {
        key.append("\n  ").append(target.name);
      }
    }
    // What is refused to one credential another may be told.
    const EndpointAccess* const access = entry->pool.access.get();
    if (access != nullptr && access->credential)
      key.append("\n ").append(access->credential->value);
    AppendEdits(filters.rule, &key);
    AppendEdits(filters.destination, &key);
    key += "\n";
  }
  key += "\n";
  for (const auto& [name, value] : fields) key.append("\n").append(name).append(":").append(value);
  return key;
}

ModelListPlan PlanModelList(const Snapshot& snapshot, const ModelListRules& rules, TimePoint now,
                            Random& random) {
  ModelListPlan plan;
  const InferenceRequest request;
  Candidates candidates;
  for (const auto& [entry, filters] : ListedPools(snapshot, rules)) {
    ModelListPlan::Part& part = plan.parts.emplace_back();
    part.pool = entry;
    part.filters = filters;
    SampleEndpoints(entry->pool, request, now, {}, &candidates);
    if (candidates.empty()) continue;
    const std::span<const Endpoint* const> endpoints = candidates.endpoints();
    const size_t first = random.Below(endpoints.size());
    for (size_t i = 0; i < std::min(endpoints.size(), ModelListPlan::kAsksMax); ++i) {
      part.candidates.push_back(endpoints[(first + i) % endpoints.size()]);
    }
  }
  return plan;
}

ModelListAnswer MergeModelAnswers(const ModelListPlan& plan,
                                  std::span<const ModelListAnswer> answers) {
  CHECK(answers.size() == plan.parts.size());
  ModelListAnswer merged;
  Merger merger;
  const ModelListAnswer* refusal = nullptr;
  for (size_t i = 0; i < answers.size(); ++i) {
    const ModelTable& models = plan.parts[i].pool->models;
    const ModelListAnswer& answer = answers[i];
    const auto told = answer.status == 200 ? ReadModelList(answer.body) : std::nullopt;
    const bool refused = IsRefusal(answer.status) ||
                         (models.takes_any_name() && answer.status >= 400 && answer.status < 500);
    // A refused client is not told the names either; they would be of no use to it.
    if (refused && (refusal == nullptr || !IsRefusal(refusal->status))) refusal = &answer;
    if (refused || (!told && models.takes_any_name())) continue;
    // The only list there is, and nothing to change in it.
    if (answers.size() == 1 && models.takes_any_name()) return answer;
    merger.Add(models, told ? *told : std::vector<ListedModel>());
    merged.status = 200;
    if (told && merged.fields.empty()) merged.fields = answer.fields;
  }
  if (merged.status == 0) return refusal != nullptr ? *refusal : merged;
  merged.content_type = "application/json";
  merged.body = merger.Take();
  return merged;
}

ModelListAnswer PickModel(const ModelListAnswer& list, std::string_view name) {
  if (list.status != 200) return list;
  ModelListAnswer picked{404, list.content_type, list.fields, ""};
  const std::optional<std::vector<ListedModel>> models = ReadModelList(list.body);
  if (!models) return picked;
  for (const ListedModel& model : *models) {
    if (model.id != name) continue;
    picked.status = 200;
    picked.body = model.json;
    break;
  }
  return picked;
}

}  // namespace gw
