#include "translate/translate.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "api/names.h"
#include "base/text.h"
#include "translate/annotations.h"
#include "translate/backend_tls.h"
#include "translate/context.h"
#include "translate/foreign.h"
#include "translate/gateways.h"
#include "translate/managed.h"
#include "translate/models.h"
#include "translate/policies.h"
#include "translate/pools.h"
#include "translate/routes.h"
#include "translate/unknown_fields.h"
#include "translate/whole.h"

namespace gw {
namespace internal {
namespace {

// What could not be read gets a condition too, of whatever kind it is. It may have the name of one
// that could be read, whose conditions are not its business.
void WriteInvalid(Context& context) {
  for (const api::InvalidObject& object : context.resources.invalid) {
    SetVerdict(&context.AddStatus(object.ref, object.source).conditions, "Accepted",
               Refused("Invalid", Join(object.errors)), object.generation);
  }
}

// Beside the conditions of the version that is served.
void WriteStale(Context& context) {
  for (const api::StaleObject& stale : context.resources.stale) {
    const std::string since = UtcText(stale.since_unix_s);
    SetVerdict(&context.StatusOf(stale.ref, stale.source).conditions, "Stale",
               Holds(stale.source_lost ? "SourceLost" : "Invalid",
                     "since " + since + " the last good version is served: " + stale.why),
               stale.generation);
  }
}

// One entry per address and port on which some listener is served, also where no route is attached:
// requests there are answered 404.
std::vector<ListenerEntry> MakeListeners(const Context& context, const GatewayStates& gateways,
                                         EntriesByListener entries) {
  std::map<ListenerKey, ListenerEntry> by_key;
  std::map<ListenerKey, std::vector<std::string>> hostnames;
  for (const auto& [name, gateway] : gateways) {
    for (const ListenerState& listener : gateway.listeners) {
      for (const std::string& ip : listener.ips) {
        const ListenerKey key{static_cast<uint16_t>(listener.spec->port), ip};
        by_key[key].key = key;
        by_key[key].names.push_back(listener.name);
        const std::string& hostname = listener.spec->hostname;
        hostnames[key].push_back(hostname.empty() ? "*" : hostname);
      }
    }
  }
  std::vector<ListenerEntry> listeners;
  for (auto& [key, entry] : by_key) {
    const auto server = context.servers.find(key);
    if (server != context.servers.end()) entry.tls = server->second;
    entry.routes = RouteTable::Build(std::move(entries[key]), std::move(hostnames[key]));
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
  PoolSet pools(context, policies, ReadModels(context));
  Attachments attachments = AttachRoutes(context, gateways, pools);
  pools.WriteStatus(context, attachments.links);
  backend_tls.WriteStatus(context, attachments.links);
  context.backend_tls = nullptr;
  WriteGatewayStatus(context, gateways);
  WriteForeign(context);
  WarnOfUnknownAnnotations(context);
  WarnOfUnknownFields(context);
  WriteInvalid(context);
  WriteStale(context);

  auto snapshot = std::make_shared<Snapshot>();
  snapshot->generation = generation;
  snapshot->listeners = MakeListeners(context, gateways, std::move(attachments.entries));
  snapshot->pools = pools.entries();
  if (context.options.only_controller && context.resources.gateways.empty() &&
      !HasInvalidGateway(context.resources)) {
    context.warnings.push_back("there is no Gateway: nothing listens");
  }
  context.tls_memory.ForgetUnused();
  std::optional<api::ManagedGateways> managed;
  if (context.options.managed_from) managed = WantedOf(context, gateways);
  const int64_t next_change = context.tls_memory.NextChangeAfter(context.options.now_unix_s);
  return {
      .translation = {std::move(snapshot), std::move(context.status), std::move(context.warnings),
                      std::move(context.holders), std::move(context.certificates), next_change,
                      pools.Hosts(), std::move(managed)},
      .pools = std::move(pools),
      .links = std::move(attachments.links)};
}

}  // namespace internal

Translation Translate(const api::ResourceSet& resources, const TranslateOptions& options,
                      EndpointTable& endpoints, uint64_t generation, const Holders& held) {
  const internal::ObjectIndex index(resources);
  internal::TlsMemory tls_memory;
  internal::Context context{resources, index, options, endpoints, held, tls_memory};
  RateMeters rate_meters;
  context.rate_meters = &rate_meters;
  internal::Whole whole = internal::TranslateWhole(context, generation);
  std::vector<std::string> warnings = whole.pools.Warnings(context);
  std::vector<std::string>& all = whole.translation.warnings;
  all.insert(all.begin(), warnings.begin(), warnings.end());
  return std::move(whole.translation);
}

}  // namespace gw
