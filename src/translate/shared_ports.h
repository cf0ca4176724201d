// The ports of the Service by which clients reach the Gateways that share one address
// (TranslateOptions::shared_service).

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "translate/translate.h"

namespace gw {

// Those that are listened on at `bind_ip`, in order. What is told with `errors` is not open.
std::vector<uint16_t> SharedPorts(const Snapshot& snapshot, const std::string& bind_ip,
                                  const ListenErrors& errors);

}  // namespace gw
