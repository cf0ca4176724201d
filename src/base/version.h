// What this binary is: for --version, the start line of the log, and penstock_build_info.

#pragma once

#include <string>
#include <string_view>

namespace gw {

struct BuildVersion {
  std::string_view version;   // "0.1.0"
  std::string_view commit;    // of the source, with "-dirty" behind it if edited; or "unknown"
  std::string_view compiler;  // "gcc 12.2.0"
};

const BuildVersion& Version();

// "penstock 0.1.0 (commit 93b1e4a25c1d, gcc 12.2.0)"
std::string VersionLine();

}  // namespace gw
