#include "translate/translate.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "api/names.h"
#include "translate/annotations.h"
#include "translate/backend_tls.h"
#include "translate/context.h"
#include "translate/foreign.h"
#include "translate/gateways.h"
#include "translate/invalid.h"
#include "translate/managed.h"
#include "translate/models.h"
#include "translate/policies.h"
#include "translate/pools.h"
#include "translate/unknown_fields.h"
#include "translate/whole.h"

namespace gw {
namespace internal {
namespace {

// One entry per address and port on which some listener is served, also where no route is attached:
// requests there are answered 404.
std::vector<ListenerEntry> MakeListeners(const Context& context, const RouteSet& routes) {
  std::map<ListenerKey, ListenerEntry> by_key;
  for (const auto& [name, gateway] : routes.gateways()) {
    for (const ListenerState& listener : gateway.listeners) {
      for (const std::string& ip : listener.ips) {
        const ListenerKey key{static_cast<uint16_t>(listener.spec->port), ip};
        by_key[key].key = key;
        by_key[key].names.push_back(listener.name);
      }
    }
  }
  std::vector<ListenerEntry> listeners;
  for (auto& [key, entry] : by_key) {
    const auto server = context.servers.find(key);
    if (server != context.servers.end()) entry.tls = server->second;
    entry.routes = routes.TableAt(key);
    listeners.push_back(std::move(entry));
  }
  return listeners;
}

bool HasInvalidGateway(const api::ResourceSet& resources) {
  return std::any_of(resources.invalid.begin(), resources.invalid.end(),
                     [](const api::InvalidObject& object) { return object.ref.kind == "Gateway"; });
}

}  // namespace

Whole TranslateWhole(Context& context, uint64_t generation) {
  GatewayStates gateways = ReadGateways(context);
  const BackendTlsPolicies backend_tls(context);
  context.backend_tls = &backend_tls;
  const PoolPolicies policies = ReadPolicies(context);
  ReleaseSet releases(context);
  context.releases = &releases;
  PoolSet pools(context, policies, ReadModels(context));
  releases.FindPoolsOfModels(context, pools);
  RouteSet routes(context, std::move(gateways), pools);
  pools.WriteStatus(context, routes.links());
  backend_tls.WriteStatus(context, routes.links());
  context.backend_tls = nullptr;
  context.releases = nullptr;
  WriteGatewayStatus(context, routes.gateways());
  WriteForeign(context);
  WarnOfUnknownAnnotations(context);
  WarnOfUnknownFields(context);
  WriteInvalid(context, routes.gateways(), routes.links());
  WriteStale(context);

  auto snapshot = std::make_shared<Snapshot>();
  snapshot->generation = generation;
  snapshot->listeners = MakeListeners(context, routes);
  snapshot->pools = pools.entries();
  if (context.options.only_controller && context.resources.gateways.empty() &&
      !HasInvalidGateway(context.resources)) {
    context.warnings.push_back("there is no Gateway: nothing listens");
  }
  context.tls_memory.ForgetUnused();
  std::optional<api::ManagedGateways> managed;
  if (context.options.managed_from) managed = WantedOf(context, routes.gateways());
  const int64_t next_change = context.tls_memory.NextChangeAfter(context.options.now_unix_s);
  return {
      .translation = {std::move(snapshot), std::move(context.status), std::move(context.warnings),
                      std::move(context.holders), std::move(context.certificates), next_change,
                      pools.Hosts(), std::move(managed)},
      .pools = std::move(pools),
      .routes = std::move(routes),
      .releases = std::move(releases)};
}

}  // namespace internal

Translation Translate(const api::ResourceSet& resources, const TranslateOptions& options,
                      EndpointTable& endpoints, uint64_t generation, const Holders& held) {
  const internal::ObjectIndex index(resources);
  internal::TlsMemory tls_memory;
  internal::Context context{resources, index, options, endpoints, held, tls_memory};
  RateMeters rate_meters;
  context.rate_meters = &rate_meters;
  RequestQueues queues;
  context.queues = &queues;
  PoolMemories memories;
  context.memories = &memories;
  Breakers breakers;
  context.breakers = &breakers;
  internal::Whole whole = internal::TranslateWhole(context, generation);
  std::vector<std::string> warnings = whole.pools.Warnings(context);
  whole.translation.releases = whole.releases.all();
  std::vector<std::string>& all = whole.translation.warnings;
  all.insert(all.begin(), warnings.begin(), warnings.end());
  return std::move(whole.translation);
}

}  // namespace gw
