// A Node of YAML as JSON (kube/json_node.h writes those of JSON alone): for what a kubeconfig holds
// for others, who are given it.

#pragma once

#include <string>

#include "api/node.h"
#include "base/status.h"

namespace gw::config {

// The error completes "extension: ..." with the line. Depth and size are as the reader of the Node
// has limited them.
absl::StatusOr<std::string> NodeToJson(api::Node node);

}  // namespace gw::config
