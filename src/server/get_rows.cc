#include "server/get_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/suggest.h"
#include "pool/health.h"
#include "server/peer_rows.h"
#include "server/queue_rows.h"

namespace gw {
namespace {

struct KindEntry {
  std::string_view kind;
  std::string_view resource;  // as kubectl's messages call it
  std::string_view argument;  // as ours do
};
constexpr KindEntry kKinds[] = {
    {"GatewayClass", "gatewayclasses.gateway.networking.k8s.io", "gatewayclasses"},
    {"Gateway", "gateways.gateway.networking.k8s.io", "gateways"},
    {"HTTPRoute", "httproutes.gateway.networking.k8s.io", "httproutes"},
    {"BackendTLSPolicy", "backendtlspolicies.gateway.networking.k8s.io", "backendtlspolicies"},
    {"InferencePool", "inferencepools.inference.networking.k8s.io", "pools"},
    {"InferenceModel", "inferencemodels.inference.networking.x-k8s.io", "models"},
    {"InferenceObjective", "inferenceobjectives.inference.networking.x-k8s.io", "objectives"},
    {"InferenceModelRewrite", "inferencemodelrewrites.inference.networking.x-k8s.io", "rewrites"},
    {"InferenceTrafficPolicy", "inferencetrafficpolicies.inferenceextension.alibabacloud.com",
     "policies"},
    {"ModelRelease", "modelreleases.penstock.dev", "releases"},
    {"Pod", "pods", "pods"},
    {"Endpoint", "endpoints", "endpoints"},
    {"Queue", "queues", "queues"},
    {"Peer", "peers", "peers"},
};

constexpr char kAbsent[] = "-";

std::string Number(std::optional<double> value, int digits) {
  return value ? fmt::format("{:.{}f}", *value, digits) : kAbsent;
}

std::string Seconds(std::optional<Duration> time) {
  return time ? fmt::format("{:.1f}s", ToSeconds(*time)) : kAbsent;
}

Document MillisOrNull(std::optional<Duration> time) {
  return time ? Document(ToMillis(*time)) : Document();
}

Document NumberOrNull(std::optional<double> value) { return value ? Document(*value) : Document(); }

Document SupportedKinds(const std::vector<api::SupportedKind>& kinds) {
  Document list = Document::List();
  for (const api::SupportedKind& kind : kinds) {
    list.Add(Document::Map().Set("group", kind.group).Set("kind", kind.kind));
  }
  return list;
}

Document Conditions(const std::vector<api::Condition>& conditions) {
  Document list = Document::List();
  for (const api::Condition& condition : conditions) {
    Document each = Document::Map();
    each.Set("message", condition.message)
        .Set("observedGeneration", condition.observed_generation)
        .Set("reason", condition.reason)
        .Set("status", NameOf(condition.status))
        .Set("type", condition.type);
    list.Add(std::move(each));
  }
  return list;
}

// `field`: "parentRef", or "ancestorRef" of a policy.
Document Parent(const api::ParentStatus& parent, std::string_view field) {
  Document ref = Document::Map();
  ref.SetText("group", parent.parent_ref.group)
      .SetText("kind", parent.parent_ref.kind)
      .SetText("namespace", parent.parent_ref.ns)
      .SetText("name", parent.parent_ref.name)
      .SetText("sectionName", parent.parent_ref.section_name);
  if (parent.parent_ref.port) ref.Set("port", *parent.parent_ref.port);
  Document out = Document::Map();
  out.Set("conditions", Conditions(parent.conditions))
      .Set("controllerName", parent.controller_name)
      .Set(field, std::move(ref));
  return out;
}

Document StatusDocument(const api::ObjectStatus& status, std::string_view kind) {
  Document out = Document::Map();
  if (!status.addresses.empty()) {
    Document addresses = Document::List();
    for (const api::GatewayAddress& address : status.addresses) {
      addresses.Add(Document::Map().Set("type", address.type).Set("value", address.value));
    }
    out.Set("addresses", std::move(addresses));
  }
  if (!status.conditions.empty()) out.Set("conditions", Conditions(status.conditions));
  if (!status.listeners.empty()) {
    Document listeners = Document::List();
    for (const api::ListenerStatus& listener : status.listeners) {
      listeners.Add(Document::Map()
                        .Set("attachedRoutes", listener.attached_routes)
                        .Set("conditions", Conditions(listener.conditions))
                        .Set("name", listener.name)
                        .Set("port", listener.port)
                        .Set("supportedKinds", SupportedKinds(listener.supported_kinds)));
    }
    out.Set("listeners", std::move(listeners));
  }
  if (!status.parents.empty()) {
    Document parents = Document::List();
    const bool ancestors = kind == "BackendTLSPolicy";
    for (const api::ParentStatus& parent : status.parents) {
      parents.Add(Parent(parent, ancestors ? "ancestorRef" : "parentRef"));
    }
    out.Set(ancestors ? "ancestors" : "parents", std::move(parents));
  }
  if (!status.supported_features.empty()) {
    Document features = Document::List();
    for (const std::string& feature : status.supported_features) {
      features.Add(Document::Map().Set("name", feature));
    }
    out.Set("supportedFeatures", std::move(features));
  }
  return out;
}

Document Object(std::string_view api_version, std::string_view kind, std::string_view ns,
                std::string_view name, const api::SourceRef& source) {
  Document metadata = Document::Map();
  if (const std::string where = source.ToString(); !where.empty()) {
    metadata.Set("annotations", Document::Map().Set("penstock.dev/source", where));
  }
  metadata.Set("name", name).SetText("namespace", ns);
  Document out = Document::Map();
  out.Set("apiVersion", api_version).Set("kind", kind).Set("metadata", std::move(metadata));
  return out;
}

// "True" if all conditions of that type are, "-" if there is none.
std::string ConditionCell(const api::ObjectStatus& status, std::string_view type) {
  std::string cell = kAbsent;
  const auto add = [&](const std::vector<api::Condition>& conditions) {
    const api::Condition* found = api::FindCondition(conditions, type);
    if (found != nullptr && (cell == kAbsent || cell == "True")) cell = NameOf(found->status);
  };
  add(status.conditions);
  for (const api::ParentStatus& parent : status.parents) add(parent.conditions);
  return cell;
}

std::string Joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ",") + word;
  return out;
}

// What only that kind has, for the columns between NAME and ACCEPTED.
std::vector<std::string> CellsOf(const GetSources& sources, const api::ObjectRef& ref,
                                 const api::ObjectStatus& status) {
  const api::ObjectKey key{ref.ns, ref.name};
  if (ref.kind == "GatewayClass") {
    const auto it = sources.resources.gateway_classes.find(ref.name);
    const bool known = it != sources.resources.gateway_classes.end();
    return {known ? it->second.controller_name : kAbsent};
  }
  if (ref.kind == "Gateway") {
    const auto it = sources.resources.gateways.find(key);
    std::vector<std::string> addresses;
    for (const auto& address : status.addresses) addresses.push_back(address.value);
    return {it != sources.resources.gateways.end() ? it->second.gateway_class_name : kAbsent,
            addresses.empty() ? kAbsent : Joined(addresses), ConditionCell(status, "Programmed")};
  }
  if (ref.kind == "HTTPRoute") {
    const auto it = sources.resources.http_routes.find(key);
    const bool known = it != sources.resources.http_routes.end();
    return {known && !it->second.hostnames.empty() ? Joined(it->second.hostnames) : "*"};
  }
  if (ref.kind == "InferenceModel") {
    const auto it = sources.resources.inference_models.find(key);
    if (it == sources.resources.inference_models.end()) return {kAbsent, kAbsent};
    return {it->second.model_name, it->second.pool_ref.name};
  }
  return {};
}

std::vector<GetColumn> OwnColumns(std::string_view kind) {
  if (kind == "GatewayClass") return {{"CONTROLLER"}};
  if (kind == "Gateway") return {{"CLASS"}, {"ADDRESS"}, {"PROGRAMMED"}};
  if (kind == "HTTPRoute") return {{"HOSTNAMES"}};
  if (kind == "InferenceModel") return {{"MODEL"}, {"POOL"}};
  return {};
}

const PoolEntry* FindPool(const Snapshot& snapshot, std::string_view ns, std::string_view name) {
  for (const auto& entry : snapshot.pools) {
    const Pool& pool = entry->pool;
    if (pool.kind == Pool::Kind::kInferencePool && pool.ns == ns && pool.name == name) {
      return entry.get();
    }
  }
  return nullptr;
}

struct PoolSum {
  size_t ready = 0;
  int64_t in_flight = 0;
  std::optional<double> waiting;
  std::optional<double> running;
};

PoolSum SumOf(const Pool& pool, TimePoint now) {
  PoolSum sum;
  for (const Endpoint& endpoint : pool.endpoints) {
    const EndpointReport report = ReportOf(pool, *endpoint.state, now);
    sum.ready += report.word == EndpointWord::kReady;
    sum.in_flight += report.in_flight;
    if (!report.waiting) continue;
    sum.waiting = sum.waiting.value_or(0) + *report.waiting;
    sum.running = sum.running.value_or(0) + *report.running;
  }
  return sum;
}

// Between NAME and ACCEPTED: RUNTIME STRATEGY READY IN-FLIGHT WAITING RUNNING MODELS
std::vector<std::string> PoolCells(const PoolEntry* entry, TimePoint now, Document* status) {
  if (entry == nullptr) return std::vector<std::string>(7, kAbsent);  // nothing routes to it
  const Pool& pool = entry->pool;
  const PoolSum sum = SumOf(pool, now);
  const std::string strategy = entry->profile ? entry->profile->name() : std::string(kAbsent);
  status->Set("penstock", Document::Map()
                              .Set("endpoints", static_cast<uint64_t>(pool.endpoints.size()))
                              .Set("inFlight", sum.in_flight)
                              .Set("readyEndpoints", static_cast<uint64_t>(sum.ready))
                              .Set("runningRequests", NumberOrNull(sum.running))
                              .Set("runtime", NameOf(pool.runtime))
                              .Set("strategy", strategy)
                              .Set("waitingRequests", NumberOrNull(sum.waiting)));
  return {std::string(NameOf(pool.runtime)),
          strategy,
          fmt::format("{}/{}", sum.ready, pool.endpoints.size()),
          std::to_string(sum.in_flight),
          Number(sum.waiting, 0),
          Number(sum.running, 0),
          entry->models.takes_any_name() ? "*" : Joined(entry->models.names())};
}

const ReleaseView* FindRelease(const GetSources& sources, const api::ObjectRef& ref) {
  const std::string name = ref.ns + "/" + ref.name;
  const auto found = std::ranges::find_if(
      sources.releases, [&](const ReleaseView& view) { return view.served.plan.name == name; });
  return found == sources.releases.end() ? nullptr : &*found;
}

// Between NAME and ACCEPTED: PHASE STEP WEIGHT STABLE CANDIDATE
std::vector<std::string> ReleaseCells(const ReleaseView* view) {
  if (view == nullptr) return std::vector<std::string>(5, kAbsent);  // not accepted
  const release::ReleasePlan& plan = view->served.plan;
  return {std::string(Name(view->phase)), fmt::format("{}/{}", view->step + 1, plan.steps.size()),
          fmt::format("{:g}%", view->candidate_percent), plan.stable, plan.candidate};
}

void AppendObjects(const GetSources& sources, std::string_view kind, const GetFilter& filter,
                   std::vector<GetRow>* rows) {
  for (const auto& [ref, status] : api::OfKind(sources.status, kind)) {
    if (!filter.Takes(ref.ns, {ref.name})) continue;
    Document told = StatusDocument(status, ref.kind);
    std::vector<std::string> cells = {ref.name};
    if (ref.kind != "GatewayClass") cells.insert(cells.begin(), ref.ns);
    std::vector<std::string> own = CellsOf(sources, ref, status);
    if (ref.kind == "InferencePool") {
      own = PoolCells(FindPool(sources.snapshot, ref.ns, ref.name), sources.now, &told);
    }
    const ReleaseView* release = nullptr;
    if (ref.kind == "ModelRelease") {
      release = FindRelease(sources, ref);
      own = ReleaseCells(release);
      if (release != nullptr) told.Merge(Document::Of(release->status));
    }
    cells.insert(cells.end(), own.begin(), own.end());
    cells.push_back(ConditionCell(status, "Accepted"));
    cells.push_back(status.source.ToString());
    const std::string why = api::WhyRefused(status);
    cells.push_back(!why.empty() ? why : release != nullptr ? release->text : kAbsent);
    Document object = Object(ref.ApiVersion(), ref.kind, ref.ns, ref.name, status.source);
    object.Set("status", std::move(told));
    rows->push_back({{ref.name}, {std::move(cells)}, std::move(object)});
  }
}

// "default/qwen:stale" for each pool that has the Pod.
struct PodUse {
  std::vector<std::string> pools;
  std::string state;
};

PodUse UseOf(const GetSources& sources, const api::Pod& pod) {
  PodUse use;
  for (const auto& entry : sources.snapshot.pools) {
    for (const Endpoint& endpoint : entry->pool.endpoints) {
      if (endpoint.ns != pod.meta.ns || endpoint.name != pod.meta.name) continue;
      if (use.pools.empty() || use.pools.back() != entry->pool.id) {
        use.pools.push_back(entry->pool.id);
      }
      if (use.state.empty()) {
        use.state = NameOf(ReportOf(entry->pool, *endpoint.state, sources.now).word);
      }
    }
  }
  return use;
}

void AppendPods(const GetSources& sources, const GetFilter& filter, std::vector<GetRow>* rows) {
  for (const auto& [key, pod] : sources.resources.pods) {
    if (!filter.Takes(key.ns, {key.name})) continue;
    const PodUse use = UseOf(sources, pod);
    const std::string phase = pod.meta.terminating ? "Terminating"
                              : pod.phase.empty()  ? "Running"
                                                   : pod.phase;
    Document object = Object("v1", "Pod", key.ns, key.name, pod.meta.source);
    Document pools = Document::List();
    for (const std::string& pool : use.pools) pools.Add(pool);
    object.Set(
        "status",
        Document::Map()
            .Set("penstock", Document::Map().Set("pools", std::move(pools)).Set("state", use.state))
            .Set("phase", phase)
            .SetText("podIP", pod.ip)
            .Set("ready", pod.ready));
    rows->push_back(
        {{key.name},
         {{key.ns, key.name, pod.ready ? "1/1" : "0/1", phase, pod.ip, Joined(use.pools),
           use.state.empty() ? kAbsent : use.state, pod.meta.source.ToString()}},
         std::move(object)});
  }
}

void AppendEndpoints(const GetSources& sources, const GetFilter& filter,
                     std::vector<GetRow>* rows) {
  for (const auto& entry : sources.snapshot.pools) {
    const Pool& pool = entry->pool;
    for (const Endpoint& endpoint : pool.endpoints) {
      const std::vector<std::string> names = {endpoint.name, endpoint.address};
      if (!filter.Takes(endpoint.ns, names)) continue;
      const EndpointReport report = ReportOf(pool, *endpoint.state, sources.now);
      const uint32_t failures = std::max(report.failures, report.scrape_failures);
      rows->push_back(
          {names,
           {{pool.id, endpoint.name, endpoint.address, std::string(NameOf(endpoint.role)),
             std::string(NameOf(endpoint.runtime)), std::to_string(report.in_flight),
             std::to_string(report.pending_prompt_tokens),
             std::to_string(report.decoding_context_tokens), std::to_string(report.requests),
             Number(report.waiting, 0), Number(report.running, 0),
             Number(report.kv_cache_utilization_ratio, 2),
             report.metrics_age ? fmt::format("{:.0f}", ToMillis(*report.metrics_age)) : kAbsent,
             std::to_string(failures), Seconds(report.silent_for), Seconds(report.ejected_for),
             report.allowed ? std::to_string(*report.allowed) : kAbsent, Seconds(report.paused_for),
             std::string(NameOf(report.word))}},
           EndpointDocument(pool, endpoint, sources.now)});
    }
  }
}

}  // namespace

bool GetFilter::Takes(std::string_view object_ns,
                      const std::vector<std::string>& object_names) const {
  if (!ns.empty() && ns != object_ns) return false;
  return names.empty() ||
         std::ranges::any_of(object_names, [&](const auto& name) { return names.contains(name); });
}

std::vector<GetColumn> ColumnsOf(std::string_view kind) {
  if (kind == "Pod") {
    return {{"NAMESPACE"}, {"NAME"},  {"READY"}, {"STATUS"},
            {"IP"},        {"POOLS"}, {"STATE"}, {"SOURCE", true}};
  }
  if (kind == "Endpoint") {
    return {{"POOL"},
            {"POD"},
            {"ENDPOINT"},
            {"ROLE"},
            {"RUNTIME", true},
            {"IN-FLIGHT"},
            {"PENDING"},
            {"DECODING", true},
            {"REQUESTS", true},
            {"WAITING"},
            {"RUNNING"},
            {"KV"},
            {"AGE-MS", false, true},
            {"FAILURES"},
            {"SILENT", true, true},
            {"EJECTED", false, true},
            {"ALLOWED"},
            {"PAUSED", false, true},
            {"STATE"}};
  }
  if (kind == "Queue") return QueueColumns();
  if (kind == "Peer") return PeerColumns();
  std::vector<GetColumn> columns = {{"NAMESPACE"}, {"NAME"}};
  if (kind == "GatewayClass") columns.erase(columns.begin());
  std::vector<GetColumn> own = OwnColumns(kind);
  if (kind == "InferencePool") {
    own = {{"RUNTIME"}, {"STRATEGY"}, {"READY"},       {"IN-FLIGHT"},
           {"WAITING"}, {"RUNNING"},  {"MODELS", true}};
  }
  if (kind == "ModelRelease") own = {{"PHASE"}, {"STEP"}, {"WEIGHT"}, {"STABLE"}, {"CANDIDATE"}};
  columns.insert(columns.end(), own.begin(), own.end());
  columns.insert(columns.end(), {{"ACCEPTED"}, {"SOURCE", true}, {"MESSAGE"}});
  return columns;
}

std::vector<GetRow> RowsOf(const GetSources& sources, std::string_view kind,
                           const GetFilter& filter) {
  std::vector<GetRow> rows;
  if (kind == "Pod") {
    AppendPods(sources, filter, &rows);
  } else if (kind == "Endpoint") {
    AppendEndpoints(sources, filter, &rows);
  } else if (kind == "Queue") {
    AppendQueues(sources, filter, &rows);
  } else if (kind == "Peer") {
    AppendPeers(sources, filter, &rows);
  } else {
    AppendObjects(sources, kind, filter, &rows);
  }
  return rows;
}

std::string ResourceOf(std::string_view kind) {
  for (const KindEntry& entry : kKinds) {
    if (entry.kind == kind) return std::string(entry.resource);
  }
  return "objects";
}

std::string AllResources() {
  std::string all;
  for (const KindEntry& entry : kKinds) {
    const bool last = &entry == std::end(kKinds) - 1;
    all += (all.empty() ? "" : last ? " and " : ", ") + std::string(entry.argument);
  }
  return all;
}

std::string MeantResource(std::string_view argument) {
  std::vector<std::string_view> known = {"all"};
  for (const KindEntry& entry : kKinds) known.insert(known.end(), {entry.argument, entry.kind});
  return DidYouMean(argument, known);
}

Document EndpointDocument(const Pool& pool, const Endpoint& endpoint, TimePoint now) {
  const EndpointReport report = ReportOf(pool, *endpoint.state, now);
  Document out = Document::Map();
  out.Set("pool", pool.id)
      .Set("pod", endpoint.name)
      .Set("endpoint", endpoint.address)
      .Set("runtime", NameOf(endpoint.runtime))
      .Set("role", NameOf(endpoint.role))
      .Set("state", NameOf(report.word))
      .Set("in_flight", report.in_flight)
      .Set("waiting", NumberOrNull(report.waiting))
      .Set("running", NumberOrNull(report.running))
      .Set("kv_cache_utilization_ratio", NumberOrNull(report.kv_cache_utilization_ratio))
      .Set("pending_prompt_tokens", report.pending_prompt_tokens)
      .Set("decoding_context_tokens", report.decoding_context_tokens)
      .Set("requests", report.requests)
      .Set("metrics_age_ms", MillisOrNull(report.metrics_age))
      .Set("failures_in_row", report.failures)
      .Set("scrape_failures_in_row", report.scrape_failures)
      .Set("ejected", report.ejected_for.has_value())
      .Set("ejected_for_ms", MillisOrNull(report.ejected_for))
      .Set("silent_for_ms", MillisOrNull(report.silent_for))
      .Set("allowed", report.allowed ? Document(*report.allowed) : Document())
      .Set("paused_for_ms", MillisOrNull(report.paused_for));
  return out;
}

}  // namespace gw
