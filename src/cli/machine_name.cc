#include "cli/machine_name.h"

#include <unistd.h>

#include <cstdlib>

namespace gw {

std::string MachineName() {
  if (const char* const pod = std::getenv("POD_NAME"); pod != nullptr) return pod;
  char host[256] = {};
  return gethostname(host, sizeof(host) - 1) == 0 ? host : "";
}

}  // namespace gw
