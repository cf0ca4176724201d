// The parts of a Gateway that are about TLS. Internal to api.

#pragma once

#include <string>
#include <vector>

#include "api/gateway.h"
#include "api/reader.h"

namespace gw::api {

// spec.listeners[].tls; `ns` is the Gateway's.
ListenerTls ReadListenerTls(const Value& value, const std::string& ns, int index,
                            std::vector<Unsupported>* unsupported);
// spec.tls
struct GatewayTls {
  FrontendTls frontend;
  BackendTls backend;
};
GatewayTls ReadGatewayTls(const Value& value, const std::string& ns);

}  // namespace gw::api
