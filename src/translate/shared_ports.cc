#include "translate/shared_ports.h"

namespace gw {

std::vector<SharedPort> SharedPorts(const Snapshot& snapshot, const std::string& bind_ip,
                                    const ListenErrors& errors) {
  std::vector<SharedPort> ports;
  for (const ListenerEntry& entry : snapshot.listeners) {
    const ListenerKey& key = entry.key;
    if (key.ip != bind_ip || errors.contains(key)) continue;
    ports.push_back({.name = "port-" + std::to_string(key.port), .port = key.port});
  }
  return ports;
}

}  // namespace gw
