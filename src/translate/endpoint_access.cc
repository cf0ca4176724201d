#include "translate/endpoint_access.h"

#include <fmt/format.h>

#include <utility>

#include "translate/backend_tls.h"
#include "translate/tls_memory.h"
#include "translate/tls_refs.h"

namespace gw::internal {
namespace {

// What the policy of the target asks for; nullptr if there is none.
absl::StatusOr<std::shared_ptr<const ClientTls>> TlsOf(const Context& context,
                                                       const AccessTarget& target,
                                                       const ClientIdentity* identity) {
  const EndpointTls* tls = context.backend_tls->Find(target);
  if (tls == nullptr) return nullptr;
  if (!tls->error.empty()) return absl::FailedPreconditionError(tls->error);
  std::string key = tls->key;
  ClientTls::Options options = tls->options;
  if (identity != nullptr) {
    if (!identity->fault.empty()) return absl::FailedPreconditionError(identity->fault);
    options.certificate = identity->certificate;
    if (identity->certificate != nullptr) key += " with " + identity->source;
  }
  auto made = context.tls_memory.ClientOf(key, std::move(options));
  if (made.ok()) return made;
  return absl::FailedPreconditionError(tls->key + ": " + std::string(made.status().message()));
}

}  // namespace

ClientIdentity ReadIdentity(Context& context, const api::Gateway& gateway, Verdict* resolved) {
  ClientIdentity identity;
  *resolved = Holds("ResolvedRefs");
  if (!gateway.backend.client_certificate) return identity;
  constexpr char kPath[] = "spec.tls.backend.clientCertificateRef";
  const CertificateRef read =
      ReadCertificateRef(context, {api::kGatewayGroup, "Gateway", gateway.meta.ns},
                         *gateway.backend.client_certificate, "InvalidClientCertificateRef");
  identity.source = read.source;
  identity.certificate = read.certificate;
  if (!read.fault) {
    resolved->message = read.source + ": " + Described(*read.certificate);
    return identity;
  }
  const std::string message =
      fmt::format("{}: {}{}", kPath, read.fault.message, gateway.meta.Where(kPath));
  *resolved = Refused(read.fault.reason, message);
  if (read.certificate == nullptr) {
    identity.fault = RefOf(gateway).ToString() + ": " + message;
    resolved->message += "; requests to endpoints that are spoken to by TLS are answered 500";
  }
  return identity;
}

bool AsksForTls(const Context& context, const AccessTarget& target) {
  return context.backend_tls->Find(target) != nullptr;
}

absl::StatusOr<std::shared_ptr<const EndpointAccess>> AccessOf(const Context& context,
                                                               const AccessTarget& target,
                                                               const ClientIdentity* identity) {
  EndpointAccess access;
  ASSIGN_OR_RETURN(access.tls, TlsOf(context, target, identity));
  if (access == EndpointAccess()) return nullptr;
  return std::make_shared<const EndpointAccess>(std::move(access));
}

}  // namespace gw::internal
