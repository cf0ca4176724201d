#include "translate/shared_service.h"

#include "api/managed.h"

namespace gw {
namespace {

// Of thousands of Pods only those of the namespace are looked at.
template <typename Counts>
int CountReady(const api::ResourceSet& resources, const std::string& ns, Counts counts) {
  int ready = 0;
  for (auto it = resources.pods.lower_bound({ns, ""});
       it != resources.pods.end() && it->first.ns == ns; ++it) {
    const api::Pod& pod = it->second;
    if (pod.ready && !pod.meta.terminating && !pod.ip.empty() && counts(pod)) ++ready;
  }
  return ready;
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

int GatewaysBehind(const api::ResourceSet& resources, const api::ObjectKey& service) {
  const api::Service* const found = resources.FindService(service.ns, service.name);
  if (found == nullptr || found->selector.empty()) return 0;
  return CountReady(resources, service.ns, [&](const api::Pod& pod) {
    return api::LabelsMatch(found->selector, pod.meta.labels);
  });
}

int ManagedGatewaysIn(const api::ResourceSet& resources, const std::string& ns) {
  return CountReady(resources, ns,
                    [](const api::Pod& pod) { return api::HasManagedLabels(pod.meta.labels); });
}

}  // namespace gw
