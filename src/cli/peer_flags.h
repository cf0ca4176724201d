// Other gateways that serve the same endpoints, in flags of `penstock serve`.

#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "base/status.h"
#include "peers/options.h"

namespace gw {

struct PeerFlags {
  std::string address;
  std::vector<std::string> peers;
  std::string secret_file;
  std::string name;
  int gather_ms = 5;
};

// `flags` outlive the command.
void AddPeers(CLI::App& serve, PeerFlags& flags);
// Reads the file. The error names the flag.
absl::StatusOr<peers::PeerOptions> PeerOptionsOf(const PeerFlags& flags);

}  // namespace gw
