#include "base/version.h"

#include <build_version.h>  // made at each build: cmake/version.cmake
#include <fmt/format.h>

namespace gw {

const BuildVersion& Version() {
#if defined(__clang__)
  static constexpr BuildVersion version = {PENSTOCK_VERSION, PENSTOCK_COMMIT,
                                           "clang " __clang_version__};
#else
  static constexpr BuildVersion version = {PENSTOCK_VERSION, PENSTOCK_COMMIT, "gcc " __VERSION__};
#endif
  return version;
}

std::string VersionLine() {
  const BuildVersion& version = Version();
  return fmt::format("penstock {} (commit {}, {})", version.version, version.commit,
                     version.compiler);
}

}  // namespace gw
