// The ports of the Service by which clients reach the Gateways that share one address
// (TranslateOptions::shared_service).

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "translate/translate.h"

namespace gw {

struct SharedPort {
  std::string name;  // "port-8080"
  uint16_t port = 0;
  std::string protocol = "TCP";

  bool operator==(const SharedPort&) const = default;
};

// Those that are listened on at `bind_ip`, in order. What is told with `errors` is not open.
std::vector<SharedPort> SharedPorts(const Snapshot& snapshot, const std::string& bind_ip,
                                    const ListenErrors& errors);

}  // namespace gw
