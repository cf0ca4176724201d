// Where the gateways are that serve beside this one: addresses and names that were given, and the
// Pods of the Service that they share.

#pragma once

#include <set>
#include <string>
#include <vector>

#include "api/resources.h"
#include "base/status.h"
#include "dns/name_table.h"
#include "net/address.h"
#include "peers/options.h"

namespace gw {

// Whether each of PeerOptions::peers is HOST:PORT; the error names the one that is not.
absl::Status CheckPeers(const peers::PeerOptions& options);
// The names among them, which are to be resolved.
std::set<std::string> PeerNames(const peers::PeerOptions& options);
// All addresses that are known, each once, this gateway's own maybe among them. `beside`: Pods of
// gateways, which listen at the port that this one listens at.
std::vector<SocketAddress> PeerAddresses(const peers::PeerOptions& options, const NameTable& names,
                                         const std::vector<std::string>& beside);

}  // namespace gw
