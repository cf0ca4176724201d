#include "translate/addresses.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "translate/managed.h"

namespace gw::internal {
namespace {

constexpr char kIpAddress[] = "IPAddress";
constexpr char kHostname[] = "Hostname";

// Of Holders: in front of an address that a Gateway was given.
constexpr std::string_view kGiven = "address pool ";

// All addresses of the machine, and none that a client could connect to.
bool IsWildcard(const std::string& ip) { return ip == "0.0.0.0" || ip == "::"; }

// The addresses of the Gateway's that we can serve; an empty one stands for any.
std::vector<std::string> WantedIps(const api::Gateway& gateway) {
  std::vector<std::string> wanted;
  for (const api::GatewayAddress& address : gateway.addresses) {
    if (address.type == kIpAddress) wanted.push_back(address.value);
  }
  if (gateway.addresses.empty()) wanted.emplace_back();
  return wanted;
}

bool Contains(const std::vector<std::string>& ips, const std::string& ip) {
  return std::find(ips.begin(), ips.end(), ip) != ips.end();
}

bool WantsAny(const api::Gateway& gateway) { return Contains(WantedIps(gateway), ""); }

void AddIp(const std::string& ip, GatewayState* state) {
  if (!Contains(state->ips, ip)) state->ips.push_back(ip);
}

// Which addresses of the pool Gateways have been given.
class Given {
 public:
  void Add(const std::string& ip, const api::ObjectKey& gateway) {
    by_ip_.emplace(ip, gateway);
    by_gateway_.emplace(gateway, ip);
  }
  bool Has(const api::ObjectKey& gateway) const { return by_gateway_.contains(gateway); }
  // Empty: none.
  std::string IpOf(const api::ObjectKey& gateway) const {
    const auto found = by_gateway_.find(gateway);
    return found == by_gateway_.end() ? "" : found->second;
  }
  // nullptr: it was given to nobody.
  const api::ObjectKey* OwnerOf(const std::string& ip) const {
    const auto found = by_ip_.find(ip);
    return found == by_ip_.end() ? nullptr : &found->second;
  }
  const std::map<std::string, api::ObjectKey>& all() const { return by_ip_; }

 private:
  std::map<std::string, api::ObjectKey> by_ip_;
  std::map<api::ObjectKey, std::string> by_gateway_;
};

// Also those of Gateways that are not ours at the moment: a class that is made anew costs nobody
// the address that clients know.
void KeepHeld(const Context& context, Given* given) {
  auto held = context.held.lower_bound(std::string(kGiven));
  for (; held != context.held.end() && held->first.starts_with(kGiven); ++held) {
    const std::string ip = held->first.substr(kGiven.size());
    const size_t slash = held->second.find('/');
    const api::ObjectKey key{held->second.substr(0, slash), held->second.substr(slash + 1)};
    const api::Gateway* gateway = context.resources.FindGateway(key.ns, key.name);
    const bool is_wanted = gateway != nullptr && WantsAny(*gateway);
    if (is_wanted && context.options.address_pool.Holds(ip)) given->Add(ip, key);
  }
}

// What was given before a restart.
void KeepTold(const Context& context, const ByAge& gateways, Given* given) {
  for (const GatewayState* state : gateways) {
    const api::Gateway& gateway = *state->gateway;
    const std::vector<std::string> wanted = WantedIps(gateway);
    if (!Contains(wanted, "") || given->Has(gateway.meta.key())) continue;
    for (const std::string& ip : gateway.told.ips) {
      const bool is_free = context.options.address_pool.Holds(ip) && given->OwnerOf(ip) == nullptr;
      if (!is_free || Contains(wanted, ip)) continue;
      given->Add(ip, gateway.meta.key());
      break;
    }
  }
}

void GiveNew(const Context& context, const ByAge& gateways, Given* given) {
  const AddressPool& pool = context.options.address_pool;
  std::set<std::string> named;
  for (const GatewayState* state : gateways) {
    for (const std::string& ip : WantedIps(*state->gateway)) named.insert(ip);
  }
  uint64_t next = 0;
  for (const GatewayState* state : gateways) {
    const api::ObjectKey key = state->gateway->meta.key();
    if (!state->accepted.ok() || !WantsAny(*state->gateway) || given->Has(key)) continue;
    while (next < pool.size()) {
      const std::string ip = pool.At(next++);
      if (named.contains(ip) || given->OwnerOf(ip) != nullptr) continue;
      given->Add(ip, key);
      break;
    }
  }
}

// One that has to do without some of its addresses is served at the others.
void SetFromPool(const Context& context, const Given& given, GatewayState* state) {
  const api::ObjectKey key = state->gateway->meta.key();
  std::vector<std::string> errors;
  const char* reason = "AddressNotUsable";
  for (const std::string& wanted : WantedIps(*state->gateway)) {
    const std::string ip = wanted.empty() ? given.IpOf(key) : wanted;
    const api::ObjectKey* owner = given.OwnerOf(ip);
    if (ip.empty()) {
      const AddressPool& pool = context.options.address_pool;
      reason = "AddressNotAssigned";
      errors.push_back(fmt::format("--address-pool {}: none of its {} addresses is left",
                                   pool.ToString(), pool.size()));
    } else if (owner != nullptr && *owner != key) {
      errors.push_back(fmt::format("{} was given to Gateway {}/{} before (--address-pool)", ip,
                                   owner->ns, owner->name));
    } else {
      AddIp(ip, state);
    }
  }
  if (!errors.empty()) state->addressed = Refused(reason, Join(errors));
}

void SetShared(const Context& context, GatewayState* state) {
  for (const std::string& wanted : WantedIps(*state->gateway)) {
    AddIp(wanted.empty() ? context.options.bind_ip : wanted, state);
  }
  const auto& service = context.options.shared_service;
  if (!service || !WantsAny(*state->gateway)) return;
  const std::string why = WhyUnpublished(context, *service, " (--service)");
  if (!why.empty()) state->addressed = Refused("AddressNotAssigned", why);
}

bool IsServedAt(const GatewayState& state, const std::string& ip) {
  return std::any_of(state.listeners.begin(), state.listeners.end(),
                     [&](const ListenerState& listener) { return Contains(listener.ips, ip); });
}

}  // namespace

ByAge SortedByAge(GatewayStates* states) {
  ByAge sorted;
  for (auto& [key, state] : *states) sorted.push_back(&state);
  std::stable_sort(sorted.begin(), sorted.end(), [](const GatewayState* a, const GatewayState* b) {
    return a->gateway->meta.creation_unix_s < b->gateway->meta.creation_unix_s;
  });
  return sorted;
}

std::vector<api::GatewayAddress> PublishedBy(const api::Service& service) {
  std::vector<api::GatewayAddress> out;
  if (service.type == "LoadBalancer") {
    for (const api::IngressPoint& point : service.load_balancer) {
      if (!point.ip.empty()) out.push_back({kIpAddress, point.ip});
      if (!point.hostname.empty()) out.push_back({kHostname, point.hostname});
    }
    return out;
  }
  for (const std::string& ip : service.external_ips) out.push_back({kIpAddress, ip});
  std::vector<std::string> cluster_ips = service.cluster_ips;
  if (cluster_ips.empty()) cluster_ips.push_back(service.cluster_ip);
  for (const std::string& ip : cluster_ips) {
    if (!ip.empty() && ip != "None") out.push_back({kIpAddress, ip});
  }
  return out;
}

std::string WhyUnpublished(const Context& context, const api::ObjectKey& key,
                           std::string_view asked) {
  const api::Service* service = context.resources.FindService(key.ns, key.name);
  if (service == nullptr) {
    return fmt::format("Service {}/{} {}{}", key.ns, key.name,
                       context.WhyMissing("", "Service", key.ns, key.name), asked);
  }
  if (!PublishedBy(*service).empty()) return "";
  return fmt::format("Service {}/{} of type {} has no address{}{}", key.ns, key.name, service->type,
                     service->type == "LoadBalancer" ? " yet" : "", asked);
}

void AssignAddresses(Context& context, GatewayStates* states) {
  if (context.options.managed_from) return AssignManaged(context, states);
  if (context.options.address_pool.empty()) {
    for (auto& [key, state] : *states) SetShared(context, &state);
    return;
  }
  const ByAge by_age = SortedByAge(states);
  Given given;
  KeepHeld(context, &given);
  KeepTold(context, by_age, &given);
  GiveNew(context, by_age, &given);
  for (auto& [key, state] : *states) SetFromPool(context, given, &state);
  for (const auto& [ip, gateway] : given.all()) {
    context.holders[std::string(kGiven) + ip] = gateway.ns + "/" + gateway.name;
  }
}

std::vector<api::GatewayAddress> ToldAddresses(const Context& context, const GatewayState& state) {
  const TranslateOptions& options = context.options;
  if (options.managed_from) return ManagedAddresses(context, state);
  const std::vector<std::string> wanted = WantedIps(*state.gateway);
  std::vector<api::GatewayAddress> told;
  for (const std::string& ip : state.ips) {
    if (!IsServedAt(state, ip)) continue;
    const bool is_shared = options.shared_service && ip == options.bind_ip && !Contains(wanted, ip);
    if (is_shared) {
      const auto& [ns, name] = *options.shared_service;
      const api::Service* service = context.resources.FindService(ns, name);
      if (service == nullptr) continue;
      for (api::GatewayAddress& address : PublishedBy(*service)) told.push_back(std::move(address));
    } else if (!IsWildcard(ip)) {
      told.push_back({kIpAddress, ip});
    }
  }
  return told;
}

}  // namespace gw::internal
