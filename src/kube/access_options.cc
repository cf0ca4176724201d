#include "kube/access_options.h"

namespace gw::kube {

std::string ServerUrl::ToString() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return std::string(tls ? "https://" : "http://") + (ipv6 ? "[" + host + "]" : host) + ":" +
         std::to_string(port) + path_prefix;
}

}  // namespace gw::kube
