// What is decided otherwise on a cluster than on files, and the flags of `penstock serve` and
// `check` for it.

#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cli/serve.h"
#include "translate/translate.h"

namespace gw {

// What the user typed. AddAddresses has each of it checked.
struct ClusterFlags {
  std::string infrastructure = "shared";
  std::string managed_from = {};                // "NAMESPACE/NAME"; empty: none
  std::string gateway = {};                     // the same
  std::string service = {};                     // the same
  std::vector<std::string> address_pools = {};  // "10.246.0.0/16"
};

// Which cluster. Each flag says which one it needs, or does not go with. REQUIRES: `command` has
// its paths
void AddCluster(CLI::App& command, ObjectOptions& objects);
// The others are flags beside those. Which addresses Gateways have there:
void AddAddresses(CLI::App& command, ClusterFlags& flags);
// And what is written into it.
void AddWriting(CLI::App& serve, ObjectOptions& objects);

// "NAMESPACE/NAME" of a `kind`, of which `example` is one. An error says what was wanted.
absl::StatusOr<api::ObjectKey> ParseObjectName(std::string_view text, std::string_view kind,
                                               std::string_view example);

// On a cluster there are other controllers, and objects that are still to come. Pickers that other
// flags have named stay. An error names the flag: some are right each by itself only.
absl::Status DecideAsOnACluster(const ClusterFlags& flags, TranslateOptions* options);

}  // namespace gw
