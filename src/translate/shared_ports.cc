#include "translate/shared_ports.h"

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

}  // namespace gw
