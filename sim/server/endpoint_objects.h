// Kubernetes Pod objects for simulated replicas, to be piped into the gateway's configuration.

#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "sim/server/options.h"

namespace gw::sim {

// One Pod for each replica as YAML, with `labels` ("k=v,k=v"). With port 0 there are no addresses
// to tell, so that is an error.
absl::StatusOr<std::string> PodObjects(const SimOptions& options, std::string_view labels);

}  // namespace gw::sim
