#include "translate/pools.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "api/annotations.h"
#include "base/check.h"
#include "scheduling/registry.h"
#include "translate/disaggregation.h"
#include "translate/endpoints.h"
#include "translate/foreign.h"
#include "translate/pool_settings.h"

namespace gw::internal {
namespace {

// The reason that a pool is not served by any parent; the two versions name it differently.
const char* NotSupported(const api::InferencePool& pool) {
  return pool.v1alpha2() ? "NotSupportedByGateway" : "NotSupportedByParent";
}

// "default/qwen". A pool of the old group whose name the new group has too says so, because
// metrics are told apart by it.
std::string IdOf(const Context& context, const api::InferencePool& pool) {
  std::string id = pool.meta.ns + "/" + pool.meta.name;
  const bool shared =
      pool.v1alpha2() &&
      context.resources.FindPool(api::kInferenceGroup, pool.meta.ns, pool.meta.name) != nullptr;
  return shared ? id + " (" + pool.group + ")" : id;
}

// Whether the flags say that our picker stands in for that Service.
bool IsBuiltIn(const Context& context, const std::string& ns, const std::string& service) {
  const std::set<std::string>& names = context.options.builtin_pickers;
  return names.contains("*") || names.contains(service) || names.contains(ns + "/" + service);
}

Verdict ExtensionVerdict(const Context& context, const api::InferencePool& pool, bool builtin) {
  if (!pool.extension_ref) return Holds("ResolvedRefs", "the built-in endpoint picker");
  const api::ExtensionRef& ref = *pool.extension_ref;
  if (builtin) {
    return Holds("ResolvedRefs", fmt::format("the built-in endpoint picker, in place of {} {}/{}",
                                             ref.kind, pool.meta.ns, ref.name));
  }
  const auto invalid = [&](const std::string& why) {
    return Refused("InvalidExtensionRef", fmt::format("{}: {}{}", pool.extension_field(), why,
                                                      pool.meta.Where(pool.extension_field())));
  };
  if (!ref.group.empty() || ref.kind != "Service") {
    return invalid(fmt::format("must be a Service, got {}{}{}", ref.group,
                               ref.group.empty() ? "" : "/", ref.kind));
  }
  if (IsBuiltIn(context, pool.meta.ns, ref.name)) {
    return Holds("ResolvedRefs", fmt::format("the built-in endpoint picker, in place of Service "
                                             "{}/{} (--picker-names)",
                                             pool.meta.ns, ref.name));
  }
  const api::Service* service = context.resources.FindService(pool.meta.ns, ref.name);
  if (service != nullptr && service->type == "ExternalName") {
    return invalid(
        fmt::format("Service {}/{} must not be of type ExternalName", pool.meta.ns, ref.name));
  }
  if (service != nullptr) {
    return invalid(
        fmt::format("Service {}/{} is an external endpoint picker, which is not supported yet; "
                    "annotation {}: built-in, or --picker-names {}, lets the built-in one pick",
                    pool.meta.ns, ref.name, api::kPickerAnnotation, ref.name));
  }
  if (context.IsInvalid("", "Service", pool.meta.ns, ref.name)) {
    return invalid(fmt::format("Service {}/{} is invalid", pool.meta.ns, ref.name));
  }
  if (!context.options.missing_picker_service_is_builtin) {
    return invalid(fmt::format("Service {}/{} does not exist", pool.meta.ns, ref.name));
  }
  return Holds("ResolvedRefs",
               fmt::format("the built-in endpoint picker, there is no Service {}/{}", pool.meta.ns,
                           ref.name));
}

// What of the pool itself keeps it from being served.
std::vector<std::string> ErrorsOf(const api::InferencePool& pool, const PoolSettings& settings,
                                  const std::string& unservable) {
  std::vector<std::string> errors = settings.errors;
  const std::string unsupported = UnsupportedText(pool.unsupported);
  if (!unsupported.empty()) errors.push_back(unsupported);
  if (!unservable.empty()) errors.push_back(unservable);
  return errors;
}

// The first few of what hundreds of Pods may have to say alike.
std::string NotesText(std::vector<std::string> notes) {
  constexpr size_t kNotesMax = 3;
  if (notes.size() <= kNotesMax) return Join(notes);
  const size_t more = notes.size() - kNotesMax;
  notes.resize(kNotesMax);
  return fmt::format("{}; and {} more", Join(notes), more);
}

std::string NoEndpointsText(const api::InferencePool& pool) {
  std::vector<std::string> labels;
  for (const auto& [key, value] : pool.selector) labels.push_back(key + "=" + value);
  return fmt::format(
      "InferencePool {}/{} ({}): no Pod that is ready has labels {}: requests are "
      "answered 503",
      pool.meta.ns, pool.meta.name, pool.meta.source.ToString(), fmt::join(labels, ","));
}

void SetProfiles(PoolEntry* entry) {
  entry->profile = ProfileFor(entry->pool.strategy);
  entry->load_profile = LoadProfile();
  entry->uses_prefix = entry->pool.strategy == RoutingStrategy::kPrefixCache;
}

void SetDisaggregation(const api::InferenceTrafficPolicy& traffic, PoolEntry* entry,
                       std::vector<std::string>* notes) {
  entry->disaggregation = MakeDisaggregation(traffic, entry->pool, notes);
  entry->uses_prefix = entry->uses_prefix || entry->disaggregation->prefill_uses_prefix ||
                       entry->disaggregation->decode_uses_prefix;
}

api::ParentRef GatewayRef(const api::ObjectKey& key) {
  api::ParentRef ref;
  ref.ns = key.ns;
  ref.name = key.name;
  ref.group_given = ref.kind_given = ref.ns_given = true;
  return ref;
}

// The entry that the API server itself writes for a pool of v1alpha2 that nobody took up.
api::ParentRef NoParentRef() {
  api::ParentRef ref;
  ref.group.clear();
  ref.kind = "Status";
  ref.name = "default";
  ref.kind_given = true;
  return ref;
}

}  // namespace

PoolSet::PoolSet(Context& context, const PoolPolicies& policies, ModelBindings models)
    : context_(context) {
  for (const auto& [key, pool] : context.resources.inference_pools) {
    const auto it = policies.find(key);
    Add(pool, it == policies.end() ? PoolPolicy() : it->second, std::move(models[key]));
  }
}

void PoolSet::Add(const api::InferencePool& pool, const PoolPolicy& policy,
                  std::vector<ModelBinding> models) {
  const PoolSettings settings = ReadPoolSettings(pool);
  const api::InferenceTrafficPolicy* traffic = policy.traffic;
  const bool disaggregated = traffic != nullptr && traffic->pd && policy.unservable.empty();
  auto entry = std::make_shared<PoolEntry>();
  entry->pool.ns = pool.meta.ns;
  entry->pool.name = pool.meta.name;
  entry->pool.id = IdOf(context_, pool);
  entry->pool.runtime = settings.runtime;
  if (traffic != nullptr) ReadRuntime(traffic->runtime, &entry->pool.runtime);
  entry->pool.strategy = settings.strategy;
  entry->prefix = settings.prefix;
  entry->asks_stream_usage = settings.asks_stream_usage;
  entry->stream_keepalive = settings.stream_keepalive;
  entry->models = ModelTable(std::move(models));
  entry->rewrites = policy.rewrites;
  entry->priorities = policy.priorities;
  SetProfiles(entry.get());
  std::vector<std::string> notes;
  entry->pool.endpoints =
      EndpointsOfPods(context_,
                      {pool.meta.ns, pool.selector, pool.target_ports, entry->pool.runtime,
                       disaggregated ? &traffic->pd->role_label : nullptr},
                      &notes);
  if (disaggregated) SetDisaggregation(*traffic, entry.get(), &notes);

  State state;
  state.pool = &pool;
  state.index = static_cast<uint32_t>(entries_.size());
  state.resolved = ExtensionVerdict(context_, pool, settings.builtin_picker);
  std::vector<std::string> errors = ErrorsOf(pool, settings, policy.unservable);
  const std::string foreign = ForeignText(context_, pool.group, "InferencePool", pool.meta);
  if (!foreign.empty()) errors.push_back(foreign);
  if (entry->pool.endpoints.empty() && context_.options.only_controller) {
    context_.warnings.push_back(NoEndpointsText(pool));
  }
  state.accepted = errors.empty() ? Holds("Accepted", NotesText(std::move(notes)))
                                  : Refused(NotSupported(pool), Join(errors));
  for (const Verdict* verdict : {&state.accepted, &state.resolved}) {
    if (verdict->ok()) continue;
    if (!entry->unservable.empty()) entry->unservable += "; ";
    entry->unservable += verdict->message;
  }
  if (!entry->unservable.empty()) {
    entry->unservable = "InferencePool " + entry->pool.id + ": " + entry->unservable;
  }
  pools_.emplace(pool.group_key(), std::move(state));
  entries_.push_back(std::move(entry));
}

uint32_t PoolSet::IndexOf(const api::InferencePool& pool) const {
  const auto it = pools_.find(pool.group_key());
  CHECK(it != pools_.end());
  return it->second.index;
}

std::optional<uint32_t> PoolSet::IndexOf(const api::Service& service,
                                         const api::ServicePort& port) {
  const auto [it, is_new] =
      services_.try_emplace({service.meta.ns, service.meta.name, port.port}, std::nullopt);
  if (!is_new) return it->second;
  auto entry = std::make_shared<PoolEntry>();
  entry->pool.kind = Pool::Kind::kService;
  entry->pool.ns = service.meta.ns;
  entry->pool.name = service.meta.name;
  entry->pool.id = fmt::format("service {}/{}:{}", service.meta.ns, service.meta.name, port.port);
  SetProfiles(entry.get());
  entry->unservable = ForeignText(context_, "", "Service", service.meta, port.name);
  if (!context_.resources.SlicesOf(service.meta.ns, service.meta.name).empty()) {
    entry->pool.endpoints = EndpointsOfSlices(context_, service, port);
  } else {
    // Files need not hold slices: the Pods that a cluster would make them from will do.
    std::vector<int> ports;
    if (port.target_port != 0) ports.push_back(port.target_port);
    std::vector<std::string> notes;
    entry->pool.endpoints = EndpointsOfPods(
        context_, {service.meta.ns, service.selector, ports, Runtime::kVllm}, &notes);
    if (ports.empty() && entry->pool.endpoints.empty()) return std::nullopt;
  }
  it->second = static_cast<uint32_t>(entries_.size());
  entries_.push_back(std::move(entry));
  return it->second;
}

void PoolSet::WriteStatus(Context& context, const PoolLinks& links) const {
  for (const auto& [key, state] : pools_) {
    const api::InferencePool& pool = *state.pool;
    const int64_t generation = pool.meta.generation;
    api::ObjectStatus& status = context.StatusOf(RefOf(pool), pool.meta.source);
    const auto linked = links.find(key);
    if (linked != links.end()) {
      for (const auto& [gateway, link] : linked->second) {
        api::ParentStatus& parent = status.parents.emplace_back();
        parent.parent_ref = GatewayRef(gateway);
        parent.controller_name = link.controller_name;
        const Verdict accepted =
            link.accepted || !state.accepted.ok()
                ? state.accepted
                : Refused("HTTPRouteNotAccepted",
                          "no HTTPRoute to this pool is accepted by the Gateway");
        SetVerdict(&parent.conditions, "Accepted", accepted, generation);
        SetVerdict(&parent.conditions, "ResolvedRefs", state.resolved, generation);
      }
    } else if (context.options.only_controller) {
      // On a cluster a pool without routes has no entry of ours; a user of files hears what is
      // wrong with it all the same.
      api::ParentStatus& parent = status.parents.emplace_back();
      parent.parent_ref = NoParentRef();
      parent.controller_name = context.own_name();
      SetVerdict(&parent.conditions, "Accepted",
                 state.accepted.ok() ? Pending("no HTTPRoute leads to this pool") : state.accepted,
                 generation);
      SetVerdict(&parent.conditions, "ResolvedRefs", state.resolved, generation);
    }
  }
}

}  // namespace gw::internal
