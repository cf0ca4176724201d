#include "translate/managed.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "api/annotations.h"
#include "translate/addresses.h"

namespace gw::internal {
namespace {

// Gateways of which a Pod is Ready, by the labels that hold their names and namespaces.
std::set<std::pair<std::string, std::string>> FindReady(const Context& context) {
  std::set<std::pair<std::string, std::string>> ready;
  const std::string& ns = context.options.managed_from->ns;
  const auto& pods = context.resources.pods;
  for (auto it = pods.lower_bound({ns, ""}); it != pods.end() && it->first.ns == ns; ++it) {
    const api::Pod& pod = it->second;
    const api::StringMap& labels = pod.meta.labels;
    if (!pod.ready || pod.meta.terminating || !api::HasManagedLabels(labels)) continue;
    ready.emplace(labels.at(api::kGatewayNameLabel), labels.at(api::kGatewayNamespaceLabel));
  }
  return ready;
}

std::set<uint16_t> PortsOf(const GatewayState& state) {
  std::set<uint16_t> ports;
  for (const ListenerState& listener : state.listeners) {
    if (listener.servable) ports.insert(static_cast<uint16_t>(listener.spec->port));
  }
  return ports;
}

// Why none can be made for it, whatever its listeners are.
Verdict MakeVerdict(const GatewayState& state, const std::string& deployment,
                    const api::ObjectKey& owner) {
  for (const api::GatewayAddress& address : state.gateway->addresses) {
    if (address.value.empty()) continue;
    return Refused("AddressNotUsable",
                   fmt::format("spec.addresses: {} cannot be chosen, the Gateway has the addresses "
                               "of a Service of its own (--infrastructure managed){}",
                               address.value, state.gateway->meta.Where("spec.addresses")));
  }
  if (owner != state.gateway->meta.key()) {
    return Refused(kNoResources, fmt::format("Deployment {} is that of Gateway {}/{}: another name "
                                             "for this Gateway",
                                             deployment, owner.ns, owner.name));
  }
  return Holds("Programmed");
}

}  // namespace

void AssignManaged(Context& context, GatewayStates* states) {
  const auto ready = FindReady(context);
  const std::string& ns = context.options.managed_from->ns;
  std::map<std::string, api::ObjectKey> owners;
  for (GatewayState* state : SortedByAge(states)) {
    const api::ObjectKey key = state->gateway->meta.key();
    const std::string name = api::ManagedName(key);
    const std::string deployment = ns + "/" + name;
    const api::ObjectKey& owner = owners.emplace(name, key).first->second;
    state->addressed = MakeVerdict(*state, deployment, owner);
    state->made = state->accepted.ok() && state->addressed.ok() && !PortsOf(*state).empty();
    if (!state->made) continue;
    const api::StringMap labels = api::ManagedLabels(key);
    if (!ready.contains({labels.at(api::kGatewayNameLabel), key.ns})) {
      state->addressed =
          Refused(kNoResources, fmt::format("Deployment {} has no Pod that is Ready", deployment));
      continue;
    }
    state->ips = {name};
    const std::string why = WhyUnpublished(context, {ns, name}, "");
    if (!why.empty()) state->addressed = Refused("AddressNotAssigned", why);
  }
}

std::vector<api::GatewayAddress> ManagedAddresses(const Context& context,
                                                  const GatewayState& state) {
  const bool serves = std::any_of(state.listeners.begin(), state.listeners.end(),
                                  [](const ListenerState& each) { return each.served(); });
  const api::Service* service = context.resources.FindService(
      context.options.managed_from->ns, api::ManagedName(state.gateway->meta.key()));
  if (!serves || service == nullptr) return {};
  return PublishedBy(*service);
}

api::ManagedGateways WantedOf(const Context& context, const GatewayStates& states) {
  api::ManagedGateways wanted;
  for (const auto& [key, state] : states) {
    if (!state.made) {
      wanted.kept.insert(api::ManagedName(key));
      continue;
    }
    const std::set<uint16_t> ports = PortsOf(state);
    wanted.made.push_back({key, {ports.begin(), ports.end()}, state.gateway->infrastructure});
  }
  // A class that is made anew, and an edit that breaks a Gateway, end nobody's requests.
  for (const auto& [key, gateway] : context.resources.gateways) {
    const bool has_class = context.resources.gateway_classes.contains(gateway.gateway_class_name);
    if (!has_class) wanted.kept.insert(api::ManagedName(key));
  }
  for (const api::InvalidObject& invalid : context.resources.invalid) {
    const api::ObjectRef& ref = invalid.ref;
    const bool is_gateway = ref.kind == "Gateway" && ref.group == api::kGatewayGroup;
    if (is_gateway) wanted.kept.insert(api::ManagedName({ref.ns, ref.name}));
  }
  return wanted;
}

Verdict PortVerdict(const Context& context, int port) {
  if (!context.options.managed_from || port != context.options.managed_admin_port) {
    return Holds("Accepted");
  }
  return Refused("PortUnavailable",
                 fmt::format("port {} is the admin port of the Gateway's Pods (--admin)", port));
}

void NoteInfrastructure(Context& context, const api::Gateway& gateway, api::ObjectStatus* status) {
  const TranslateOptions& options = context.options;
  const api::Infrastructure& wanted = gateway.infrastructure;
  if (!options.managed_from) {
    const bool has_type = gateway.meta.annotations.contains(api::kServiceTypeAnnotation);
    if (has_type && !options.only_gateway) {
      context.warnings.push_back(fmt::format(
          "Gateway {}/{}: annotation {} has no effect, no Service is made for a Gateway unless "
          "--infrastructure is managed{}",
          gateway.meta.ns, gateway.meta.name, api::kServiceTypeAnnotation,
          gateway.meta.WhereAnnotation(api::kServiceTypeAnnotation)));
    }
    return;
  }
  std::vector<std::string> ours;
  for (const auto& [label, value] : api::ManagedLabels(gateway.meta.key())) {
    if (wanted.labels.contains(label)) ours.push_back(label);
  }
  const api::Condition* accepted = api::FindCondition(status->conditions, "Accepted");
  if (ours.empty() || accepted == nullptr) return;
  api::Condition noted = *accepted;
  noted.message += fmt::format(
      "{}spec.infrastructure.labels: {} {} the gateway's own and not taken over",
      noted.message.empty() ? "" : "; ", fmt::join(ours, ", "), ours.size() == 1 ? "is" : "are");
  api::SetCondition(&status->conditions, noted);
}

}  // namespace gw::internal
