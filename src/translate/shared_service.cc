#include "translate/shared_service.h"

#include "api/managed.h"

namespace gw {
namespace {

// Of thousands of Pods only those of the namespace are looked at.
template <typename Takes>
std::vector<std::string> ReadyIps(const api::ResourceSet& resources, const std::string& ns,
                                  Takes takes) {
  std::vector<std::string> ips;
  for (auto it = resources.pods.lower_bound({ns, ""});
       it != resources.pods.end() && it->first.ns == ns; ++it) {
    const api::Pod& pod = it->second;
    if (pod.ready && !pod.meta.terminating && !pod.ip.empty() && takes(pod)) ips.push_back(pod.ip);
  }
  return ips;
}

}  // namespace

std::vector<uint16_t> SharedPorts(const Snapshot& snapshot, const std::string& bind_ip,
                                  const ListenErrors& errors) {
  std::vector<uint16_t> ports;
  for (const ListenerEntry& entry : snapshot.listeners) {
    const ListenerKey& key = entry.key;
    if (key.ip != bind_ip || errors.contains(key)) continue;
    ports.push_back(key.port);
  }
  return ports;
}

std::vector<std::string> GatewayIpsBehind(const api::ResourceSet& resources,
                                          const api::ObjectKey& service) {
  const api::Service* const found = resources.FindService(service.ns, service.name);
  if (found == nullptr || found->selector.empty()) return {};
  return ReadyIps(resources, service.ns, [&](const api::Pod& pod) {
    return api::LabelsMatch(found->selector, pod.meta.labels);
  });
}

std::vector<std::string> ManagedGatewayIps(const api::ResourceSet& resources,
                                           const std::string& ns) {
  return ReadyIps(resources, ns,
                  [](const api::Pod& pod) { return api::HasManagedLabels(pod.meta.labels); });
}

int GatewaysBehind(const api::ResourceSet& resources, const api::ObjectKey& service) {
  return static_cast<int>(GatewayIpsBehind(resources, service).size());
}

int ManagedGatewaysIn(const api::ResourceSet& resources, const std::string& ns) {
  return static_cast<int>(ManagedGatewayIps(resources, ns).size());
}

}  // namespace gw
