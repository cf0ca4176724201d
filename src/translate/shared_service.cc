#include "translate/shared_service.h"

#include <algorithm>

namespace gw {

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

int GatewaysBehind(const api::ResourceSet& resources, const api::ObjectKey& service) {
  const api::Service* const found = resources.FindService(service.ns, service.name);
  if (found == nullptr || found->selector.empty()) return 0;
  int gateways = 0;
  const auto selected = [&](const api::Pod& pod) {
    return std::all_of(found->selector.begin(), found->selector.end(), [&](const auto& wanted) {
      const auto label = pod.meta.labels.find(wanted.first);
      return label != pod.meta.labels.end() && label->second == wanted.second;
    });
  };
  // Of thousands of Pods those of its namespace.
  for (auto it = resources.pods.lower_bound({service.ns, ""});
       it != resources.pods.end() && it->first.ns == service.ns; ++it) {
    const api::Pod& pod = it->second;
    if (pod.ready && !pod.meta.terminating && !pod.ip.empty() && selected(pod)) ++gateways;
  }
  return gateways;
}

}  // namespace gw
