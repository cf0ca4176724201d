#include "translate/pools.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "api/annotations.h"
#include "api/names.h"
#include "base/check.h"
#include "scheduling/registry.h"
#include "scheduling/strategy.h"
#include "translate/backends.h"
#include "translate/disaggregation.h"
#include "translate/endpoint_access.h"
#include "translate/endpoints.h"
#include "translate/extension_ref.h"
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

std::string PolicyGoesBeforeText(const api::InferencePool& pool) {
  const char* const key = api::kEndpointSchemeAnnotation;
  return fmt::format("InferencePool {}/{}: annotation {}: a BackendTLSPolicy goes before it{}",
                     pool.meta.ns, pool.meta.name, key, pool.meta.WhereAnnotation(key));
}

void SetProfiles(const Context& context, PoolEntry* entry) {
  const auto profile = ReadStrategy(entry->pool.strategy);
  CHECK(profile.ok());  // else the pool would have been refused
  entry->profile = *profile;
  entry->load_profile = LoadProfile();
  entry->uses_prefix = entry->profile->reads_prefix();
  if (entry->profile->rule() != nullptr) entry->memory = context.memories->Get(entry->pool.id);
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

// How its endpoints are spoken to, and what is wrong with that.
AccessRead SetAccess(const Context& context, const ClientIdentity* identity, PoolRecipe* recipe) {
  AccessRead read =
      AccessOf(context, recipe->target, recipe->pool ? &*recipe->pool : nullptr, identity);
  recipe->base.pool.access = read.access;
  return read;
}

void AddText(const std::string& text, std::string* all) {
  if (text.empty()) return;
  *all += (all->empty() ? "" : "; ") + text;
}

PodSelection SelectionOf(const PoolRecipe& recipe) {
  const Pool& pool = recipe.base.pool;
  return {pool.ns, recipe.selector, recipe.ports, pool.runtime,
          recipe.split ? &recipe.split->pd->role_label : nullptr};
}

// The pool of the Pods and EndpointSlices there are.
MadePool Make(const Context& context, const PoolRecipe& recipe) {
  auto entry = std::make_shared<PoolEntry>(recipe.base);
  Pool& pool = entry->pool;
  std::vector<std::string> notes;
  bool plain = false;
  if (!recipe.host.empty()) {
    pool.endpoints = EndpointsOfHost(context, pool.ns, recipe.host, recipe.host_port);
  } else if (recipe.service_port && !context.index.SlicesOf(pool.ns, pool.name).empty()) {
    pool.endpoints = EndpointsOfSlices(context, pool.ns, pool.name, *recipe.service_port);
  } else {
    // For a Service too: files need not hold slices, the Pods that a cluster would make them from
    // will do.
    size_t shadowed = 0;
    pool.endpoints = EndpointsOfPods(context, SelectionOf(recipe), &notes, &shadowed);
    if (recipe.service_port && recipe.ports.empty() && pool.endpoints.empty()) return {};
    plain = notes.empty() && shadowed == 0 && !recipe.split;
  }
  if (recipe.split) {
    entry->disaggregation = MakeDisaggregation(*recipe.split, pool, &notes);
    entry->uses_prefix = entry->uses_prefix || entry->disaggregation->prefill_uses_prefix ||
                         entry->disaggregation->decode_uses_prefix;
  }
  return {std::move(entry), NotesText(std::move(notes)), plain};
}

// The same after a change of Pods of these names. To look at all Pods of a large pool would take
// milliseconds.
MadePool MakeAgain(const Context& context, const PoolRecipe& recipe, const MadePool& before,
                   const std::set<std::string>& changed) {
  if (!before.plain) return Make(context, recipe);
  auto endpoints =
      ChangedEndpoints(context, SelectionOf(recipe), before.entry->pool.endpoints, changed);
  const bool may_end = recipe.service_port && recipe.ports.empty();
  if (!endpoints || (may_end && endpoints->empty())) return Make(context, recipe);
  auto entry = std::make_shared<PoolEntry>(recipe.base);
  entry->pool.endpoints = *std::move(endpoints);
  return {std::move(entry), "", true};
}

// Whether the pool may be another after that change of a Pod or an EndpointSlice.
bool IsAbout(const Context& context, const api::ObjectChange& change, const PoolRecipe& recipe) {
  if (!recipe.host.empty()) return false;
  const std::string& ns = recipe.base.pool.ns;
  for (const auto& version : {change.before, change.after}) {
    if (version == nullptr) continue;
    if (const auto* slice = std::get_if<api::EndpointSlice>(version.get())) {
      const bool of_service = recipe.service_port && slice->service_name == recipe.base.pool.name;
      if (of_service && slice->meta.ns == ns) return true;
      continue;
    }
    const auto& pod = std::get<api::Pod>(*version);
    if (pod.meta.ns != ns) continue;
    if (!recipe.selector.empty() && api::LabelsMatch(recipe.selector, pod.meta.labels)) return true;
    if (recipe.service_port &&
        context.index.IsNamedBy(recipe.base.pool.name, {ns, pod.meta.name})) {
      return true;
    }
  }
  return false;
}

}  // namespace

PoolSet::PoolSet(const Context& context, const PoolPolicies& policies, ModelBindings models) {
  // First: pools fall back on them.
  for (const auto& [key, backend] : context.resources.backends) Add(context, backend);
  for (const auto& [key, pool] : context.resources.inference_pools) {
    const auto it = policies.find(key);
    Add(context, pool, it == policies.end() ? PoolPolicy() : it->second, std::move(models[key]));
  }
}

void PoolSet::Add(const Context& context, const api::InferencePool& pool, const PoolPolicy& policy,
                  std::vector<ModelBinding> models) {
  const PoolSettings settings = ReadPoolSettings(pool);
  const api::InferenceTrafficPolicy* traffic = policy.traffic;
  PoolRecipe recipe{.selector = pool.selector, .ports = pool.target_ports, .pool = pool};
  PoolEntry& base = recipe.base;
  base.pool.ns = pool.meta.ns;
  base.pool.name = pool.meta.name;
  base.pool.id = IdOf(context, pool);
  base.pool.runtime = settings.runtime;
  if (traffic != nullptr) ReadRuntime(traffic->runtime, &base.pool.runtime);
  base.pool.strategy = settings.strategy;
  base.prefix = settings.prefix;
  base.asks_stream_usage = settings.asks_stream_usage;
  base.stream_keepalive = settings.stream_keepalive;
  base.saturation = settings.saturation;
  base.queueing = settings.queueing;
  if (base.queueing) base.queue = context.queues->Get(base.pool.id);
  base.breaker = context.breakers->Get("InferencePool " + base.pool.id, settings.breaker);
  base.models = ModelTable(std::move(models));
  base.rewrites = policy.rewrites;
  base.priorities = policy.priorities;
  SetProfiles(context, &base);
  if (traffic != nullptr && traffic->pd && policy.unservable.empty()) recipe.split = *traffic;

  recipe.target = {pool.group, "InferencePool", pool.meta.ns, pool.meta.name};
  const AccessRead access = SetAccess(context, nullptr, &recipe);
  recipe.tls_by_policy = settings.https && HasTlsPolicy(context, recipe.target);
  recipe.resolved = ExtensionVerdict(context, pool, settings.builtin_picker);
  if (!access.unresolved.empty()) {
    recipe.resolved =
        recipe.resolved.ok()
            ? Refused("InvalidEndpointCredentials", access.unresolved)
            : Refused(recipe.resolved.reason, Join({recipe.resolved.message, access.unresolved}));
  }
  std::vector<std::string> errors = ErrorsOf(pool, settings, policy.unservable);
  if (!access.error.empty()) errors.push_back(access.error);
  const std::string foreign = ForeignText(context, pool.group, "InferencePool", pool.meta);
  if (!foreign.empty()) errors.push_back(foreign);
  recipe.accepted = errors.empty() ? Holds("Accepted") : Refused(NotSupported(pool), Join(errors));
  for (const Verdict* verdict : {&recipe.accepted, &recipe.resolved}) {
    if (!verdict->ok()) AddText(verdict->message, &base.unservable);
  }
  if (!base.unservable.empty()) {
    base.unservable = "InferencePool " + base.pool.id + ": " + base.unservable;
  }
  AddFallback(context, settings.fallback, &recipe);
  pools_.emplace(pool.group_key(), static_cast<uint32_t>(made_.size()));
  made_.push_back(Make(context, recipe));
  recipes_.push_back(std::move(recipe));
}

// One that is not there takes the pool itself not down: what it is for may never come.
void PoolSet::AddFallback(const Context& context, const std::string& name,
                          PoolRecipe* recipe) const {
  const api::ObjectMeta& meta = recipe->pool->meta;
  if (name.empty()) return;
  const auto found = backends_.find({meta.ns, name});
  if (found != backends_.end()) {
    recipe->base.fallback = found->second;
    return;
  }
  if (!recipe->resolved.ok()) return;
  recipe->resolved =
      Refused("InvalidFallbackRef",
              fmt::format("annotation {}: Backend {}/{} {}{}", api::kFallbackAnnotation, meta.ns,
                          name, context.WhyMissing(api::kPenstockGroup, "Backend", meta.ns, name),
                          meta.WhereAnnotation(api::kFallbackAnnotation)));
}

void PoolSet::Add(const Context& context, const api::Backend& backend) {
  PoolRecipe recipe{.backend = backend, .host = backend.host, .host_port = backend.port};
  BackendParts parts = ReadBackend(context, backend);
  PoolEntry& base = recipe.base;
  base.pool.kind = Pool::Kind::kElsewhere;
  base.pool.ns = backend.meta.ns;
  base.pool.name = backend.meta.name;
  base.pool.id = fmt::format("backend {}/{}", backend.meta.ns, backend.meta.name);
  base.rewrites = std::move(parts.rewrites);
  // Nobody tells of queues and caches there.
  base.profile = base.load_profile = LoadProfile();
  if (parts.access == nullptr) {
    base.unservable = fmt::format("Backend {}/{}: {}", backend.meta.ns, backend.meta.name,
                                  parts.resolved.message);
  }
  base.pool.access = std::move(parts.access);
  recipe.resolved = std::move(parts.resolved);
  backends_.emplace(backend.meta.key(), static_cast<uint32_t>(made_.size()));
  made_.push_back(Make(context, recipe));
  recipes_.push_back(std::move(recipe));
}

uint32_t PoolSet::IndexOf(const api::Backend& backend) const {
  const auto it = backends_.find(backend.meta.key());
  CHECK(it != backends_.end());
  return it->second;
}

uint32_t PoolSet::IndexOf(const api::InferencePool& pool) const {
  const auto it = pools_.find(pool.group_key());
  CHECK(it != pools_.end());
  return it->second;
}

std::optional<uint32_t> PoolSet::IndexOf(const Context& context, const api::Service& service,
                                         const api::ServicePort& port) {
  const auto [it, is_new] =
      services_.try_emplace({service.meta.ns, service.meta.name, port.port}, std::nullopt);
  if (!is_new) return it->second;
  PoolRecipe recipe{.selector = service.selector, .ports = {}, .service_port = port};
  if (port.target_port != 0) recipe.ports.push_back(port.target_port);
  if (service.type == "ExternalName") {
    recipe.host = service.external_name;
    recipe.host_port = port.port;
  }
  PoolEntry& base = recipe.base;
  base.pool.kind = Pool::Kind::kService;
  base.pool.ns = service.meta.ns;
  base.pool.name = service.meta.name;
  base.pool.id = fmt::format("service {}/{}:{}", service.meta.ns, service.meta.name, port.port);
  SetProfiles(context, &base);
  base.unservable = ForeignText(context, "", "Service", service.meta, port.name);
  recipe.target = {"", "Service", service.meta.ns, service.meta.name, port.name};
  AddText(SetAccess(context, nullptr, &recipe).error, &base.unservable);
  MadePool made = Make(context, recipe);
  if (made.entry == nullptr) {
    portless_.push_back(std::move(recipe));
    return std::nullopt;
  }
  it->second = static_cast<uint32_t>(made_.size());
  made_.push_back(std::move(made));
  recipes_.push_back(std::move(recipe));
  return it->second;
}

uint32_t PoolSet::For(const Context& context, uint32_t index, const ClientIdentity& identity) {
  const std::shared_ptr<const EndpointAccess>& access = recipes_[index].base.pool.access;
  // A Backend has credentials of its own.
  if (access == nullptr || access->tls == nullptr || recipes_[index].backend) return index;
  std::vector<Reached>& reached = reached_[index];
  for (const Reached& each : reached) {
    if (each.identity == identity) return each.index;
  }
  PoolRecipe recipe = recipes_[index];
  const AccessRead read = SetAccess(context, &identity, &recipe);
  const bool is_taken = std::any_of(reached.begin(), reached.end(),
                                    [&](const Reached& each) { return each.index == index; });
  // What fails for one Gateway is none of the others' business.
  const bool takes = !is_taken && read.error.empty();
  const uint32_t added = takes ? index : static_cast<uint32_t>(made_.size());
  reached.push_back({identity, added});
  if (takes) {
    made_[index] = Make(context, recipe);
    recipes_[index] = std::move(recipe);
    return index;
  }
  recipe.repeats = true;
  recipe.base.pool.id += identity.source.empty()
                             ? " without a client certificate"
                             : fmt::format(" by client certificate {}", identity.source);
  AddText(read.error, &recipe.base.unservable);
  made_.push_back(Make(context, recipe));
  recipes_.push_back(std::move(recipe));
  return added;
}

bool PoolSet::Follow(const Context& context, std::span<const api::ObjectChange> changes,
                     std::set<uint32_t>* made) {
  // Names of Pods, by pool.
  std::map<uint32_t, std::set<std::string>> changed;
  std::set<uint32_t> by_slices;
  for (const api::ObjectChange& change : changes) {
    for (const PoolRecipe& recipe : portless_) {
      if (IsAbout(context, change, recipe)) return false;
    }
    const api::Object& object = change.after != nullptr ? *change.after : *change.before;
    const auto* pod = std::get_if<api::Pod>(&object);
    for (uint32_t i = 0; i < recipes_.size(); ++i) {
      if (!IsAbout(context, change, recipes_[i])) continue;
      made->insert(i);
      if (pod != nullptr) {
        changed[i].insert(pod->meta.name);
      } else {
        by_slices.insert(i);
      }
    }
  }
  for (const uint32_t index : *made) {
    const PoolRecipe& recipe = recipes_[index];
    MadePool again = by_slices.contains(index)
                         ? Make(context, recipe)
                         : MakeAgain(context, recipe, made_[index], changed[index]);
    if (again.entry == nullptr) return false;
    made_[index] = std::move(again);
  }
  return true;
}

void PoolSet::FollowHosts(const Context& context, const std::set<std::string>& hosts,
                          std::set<uint32_t>* made) {
  for (uint32_t i = 0; i < recipes_.size(); ++i) {
    if (!hosts.contains(recipes_[i].host)) continue;
    made_[i] = Make(context, recipes_[i]);
    made->insert(i);
  }
}

std::set<std::string> PoolSet::Hosts() const {
  std::set<std::string> hosts;
  for (const PoolRecipe& recipe : recipes_) {
    if (!recipe.host.empty() && !api::IsIpAddress(recipe.host)) hosts.insert(recipe.host);
  }
  return hosts;
}

std::vector<std::shared_ptr<const PoolEntry>> PoolSet::entries() const {
  std::vector<std::shared_ptr<const PoolEntry>> entries;
  for (const MadePool& made : made_) entries.push_back(made.entry);
  return entries;
}

std::vector<api::ParentStatus> PoolSet::ParentsOf(const Context& context, const PoolLinks& links,
                                                  uint32_t index) const {
  const PoolRecipe& recipe = recipes_[index];
  const api::InferencePool& pool = *recipe.pool;
  const int64_t generation = pool.meta.generation;
  Verdict own = recipe.accepted;
  if (own.ok()) own.message = made_[index].notes;
  std::vector<api::ParentStatus> parents;
  const auto linked = links.find(pool.group_key());
  if (linked != links.end()) {
    for (const auto& [gateway, link] : linked->second) {
      api::ParentStatus& parent = parents.emplace_back();
      parent.parent_ref = GatewayRef(gateway);
      parent.controller_name = link.controller_name;
      const Verdict accepted =
          link.accepted || !own.ok()
              ? own
              : Refused("HTTPRouteNotAccepted",
                        "no HTTPRoute to this pool is accepted by the Gateway");
      SetVerdict(&parent.conditions, "Accepted", accepted, generation);
      SetVerdict(&parent.conditions, "ResolvedRefs", recipe.resolved, generation);
    }
  } else if (context.options.only_controller) {
    // On a cluster a pool without routes has no entry of ours; a user of files hears what is
    // wrong with it all the same.
    api::ParentStatus& parent = parents.emplace_back();
    parent.parent_ref = NoParentRef();
    parent.controller_name = context.own_name();
    SetVerdict(&parent.conditions, "Accepted",
               own.ok() ? Pending("no HTTPRoute leads to this pool") : own, generation);
    SetVerdict(&parent.conditions, "ResolvedRefs", recipe.resolved, generation);
  }
  return parents;
}

void PoolSet::WriteStatus(Context& context, const PoolLinks& links) const {
  for (const auto& [key, index] : pools_) {
    const api::InferencePool& pool = *recipes_[index].pool;
    context.StatusOf(RefOf(pool), pool.meta.source).parents = ParentsOf(context, links, index);
  }
  for (const auto& [key, index] : backends_) {
    WriteBackendStatus(context, *recipes_[index].backend, recipes_[index].resolved);
  }
}

std::vector<std::string> PoolSet::Warnings(const Context& context) const {
  std::vector<std::string> warnings;
  if (!context.options.only_controller) return warnings;
  for (size_t i = 0; i < made_.size(); ++i) {
    if (!recipes_[i].pool || recipes_[i].repeats) continue;
    if (recipes_[i].tls_by_policy) {
      warnings.push_back(PolicyGoesBeforeText(*recipes_[i].pool));
    }
    if (!made_[i].entry->pool.endpoints.empty()) continue;
    warnings.push_back(NoEndpointsText(*recipes_[i].pool));
  }
  return warnings;
}

}  // namespace gw::internal
