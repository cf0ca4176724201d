#include "translate/translate.h"

#include <map>
#include <utility>
#include <vector>

#include "translate/context.h"
#include "translate/gateways.h"
#include "translate/models.h"
#include "translate/policies.h"
#include "translate/pools.h"
#include "translate/routes.h"

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

// One entry per port on which some listener is served, also where no route is attached: requests
// there are answered 404.
std::vector<ListenerEntry> MakeListeners(const GatewayStates& gateways, EntriesByPort entries) {
  std::map<int, ListenerEntry> by_port;
  std::map<int, std::vector<std::string>> hostnames;
  for (const auto& [key, gateway] : gateways) {
    for (const ListenerState& listener : gateway.listeners) {
      if (!listener.served) continue;
      const int port = listener.spec->port;
      by_port[port].port = static_cast<uint16_t>(port);
      by_port[port].names.push_back(listener.name);
      const std::string& hostname = listener.spec->hostname;
      hostnames[port].push_back(hostname.empty() ? "*" : hostname);
    }
  }
  std::vector<ListenerEntry> listeners;
  for (auto& [port, entry] : by_port) {
    entry.routes = RouteTable::Build(std::move(entries[port]), std::move(hostnames[port]));
    listeners.push_back(std::move(entry));
  }
  return listeners;
}

}  // namespace
}  // namespace internal

Translation Translate(const api::ResourceSet& resources, const TranslateOptions& options,
                      EndpointTable& endpoints, uint64_t generation) {
  internal::Context context{resources, options, endpoints};
  internal::GatewayStates gateways = internal::ReadGateways(context);
  const internal::PoolPolicies policies = internal::ReadPolicies(context);
  internal::PoolSet pools(context, policies, internal::ReadModels(context));
  internal::Attachments attachments = internal::AttachRoutes(context, gateways, pools);
  pools.WriteStatus(context, attachments.links);
  internal::WriteGatewayStatus(context, gateways);
  internal::WriteInvalid(context);

  auto snapshot = std::make_shared<Snapshot>();
  snapshot->generation = generation;
  snapshot->listeners = internal::MakeListeners(gateways, std::move(attachments.entries));
  snapshot->pools = pools.entries();
  return {std::move(snapshot), std::move(context.status)};
}

}  // namespace gw
