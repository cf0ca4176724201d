// The URL of an API server, as the field `server` of a kubeconfig has it.

#pragma once

#include <string_view>

#include "base/status.h"
#include "kube/access_options.h"

namespace gw::config {

// "https://host:6443/prefix"; the port is 443 or 80 if it is not given, an IPv6 address stands in
// brackets. The error completes "server: ..." and does not show the URL, which may hold a password.
absl::StatusOr<kube::ServerUrl> ParseServerUrl(std::string_view text);

// The host alone, without a port or brackets: a name or an address.
bool IsServerHost(std::string_view host);

}  // namespace gw::config
