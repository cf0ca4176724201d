// The parts of a Gateway that are about TLS. Internal to api.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/gateway.h"
#include "api/kinds.h"
#include "api/reader.h"

namespace gw::api {

// The files that the annotations of a Gateway name.
std::optional<CertificateFiles> ReadCertificateFiles(const ObjectInput& in);
// spec.listeners[].tls; `ns` is the Gateway's, `otherwise` what serves where none is named.
ListenerTls ReadListenerTls(const Value& value, const std::string& ns, int index,
                            const std::optional<CertificateFiles>& otherwise,
                            std::vector<Unsupported>* unsupported);
// spec.tls
struct GatewayTls {
  FrontendTls frontend;
  BackendTls backend;
};
GatewayTls ReadGatewayTls(const Value& value, const std::string& ns);

}  // namespace gw::api
