#include "kube/access_options.h"

namespace gw::kube {

std::string ServerUrl::Authority() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string ServerUrl::ToString() const {
  return (tls ? "https://" : "http://") + Authority() + path_prefix;
}

}  // namespace gw::kube
