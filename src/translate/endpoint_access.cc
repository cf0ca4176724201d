#include "translate/endpoint_access.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "api/annotations.h"
#include "translate/backend_tls.h"
#include "translate/pool_settings.h"
#include "translate/secret_token.h"
#include "translate/tls_memory.h"
#include "translate/tls_refs.h"

namespace gw::internal {
namespace {

// Of the Secret with an endpoint's credentials: it has one of these.
constexpr char kTokenKey[] = "token";
constexpr char kApiKeyKey[] = "api-key";

// What is wrong with the Secret is said without a byte of it.
std::string ReadCredential(const api::Secret& secret, EndpointAccess* access) {
  const auto token = secret.data.find(kTokenKey);
  const auto api_key = secret.data.find(kApiKeyKey);
  const bool has_token = token != secret.data.end();
  const bool has_api_key = api_key != secret.data.end();
  if (has_token == has_api_key) {
    return fmt::format("must have one of the keys {} and {}, and has {}", kTokenKey, kApiKeyKey,
                       has_token ? "both" : "neither");
  }
  const auto& [key, value] = has_token ? *token : *api_key;
  const std::string_view text = WithoutLineEnd(value);
  if (!IsToken(text)) {
    return fmt::format("data.{}: must be 1 to {} visible ASCII characters, got {} bytes{}", key,
                       kTokenBytesMax, value.size(), secret.meta.Where("data"));
  }
  access->credential.emplace();
  access->credential->field = has_token ? "authorization" : "x-api-key";
  access->credential->value = has_token ? "Bearer " : "";
  access->credential->value += text;
  return "";
}

std::string ReadCredentials(const Context& context, const api::InferencePool& pool,
                            const std::string& name, EndpointAccess* access) {
  const auto found = context.resources.secrets.find({pool.meta.ns, name});
  std::string error = found == context.resources.secrets.end()
                          ? std::string(context.WhyMissing("", "Secret", pool.meta.ns, name))
                          : ReadCredential(found->second, access);
  if (error.empty()) return "";
  const char* const key = api::kEndpointCredentialsAnnotation;
  return fmt::format("annotation {}: Secret {}/{} {}{}", key, pool.meta.ns, name, error,
                     pool.meta.WhereAnnotation(key));
}

// `options` with the certificate of the Gateway. Where it has none that it ought to have, the
// endpoints would be asked by nobody in particular.
absl::StatusOr<std::shared_ptr<const ClientTls>> MakeTls(const Context& context, std::string key,
                                                         ClientTls::Options options,
                                                         const ClientIdentity* identity) {
  if (identity != nullptr) {
    if (!identity->fault.empty()) return absl::FailedPreconditionError(identity->fault);
    options.certificate = identity->certificate;
    if (identity->certificate != nullptr) key += " with " + identity->source;
  }
  auto made = context.tls_memory.ClientOf(key, std::move(options));
  if (made.ok()) return made;
  return absl::FailedPreconditionError(key + ": " + std::string(made.status().message()));
}

// What the pool's annotations ask for.
absl::StatusOr<std::shared_ptr<const ClientTls>> TlsOfAnnotations(const Context& context,
                                                                  const api::InferencePool& pool,
                                                                  const PoolSettings& settings,
                                                                  const ClientIdentity* identity) {
  ClientTls::Options options{.server_name = settings.endpoint_server_name};
  if (settings.verifies_endpoints) {
    auto trust = context.tls_memory.SystemTrust(context.options);
    if (!trust.ok()) {
      const char* const key = api::kEndpointSchemeAnnotation;
      return absl::FailedPreconditionError(fmt::format("annotation {}: {}{}", key,
                                                       std::string(trust.status().message()),
                                                       pool.meta.WhereAnnotation(key)));
    }
    options.trust = *std::move(trust);
  }
  return MakeTls(context, RefOf(pool).ToString(), std::move(options), identity);
}

// A policy goes before the annotations of the pool that it is for. nullptr: plain HTTP.
absl::StatusOr<std::shared_ptr<const ClientTls>> TlsOf(const Context& context,
                                                       const AccessTarget& target,
                                                       const api::InferencePool* pool,
                                                       const PoolSettings& settings,
                                                       const ClientIdentity* identity) {
  if (const EndpointTls* tls = context.backend_tls->Find(target)) {
    if (!tls->error.empty()) return absl::FailedPreconditionError(tls->error);
    return MakeTls(context, tls->key, tls->options, identity);
  }
  if (!settings.https) return nullptr;
  return TlsOfAnnotations(context, *pool, settings, identity);
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

bool HasTlsPolicy(const Context& context, const AccessTarget& target) {
  return context.backend_tls->Find(target) != nullptr;
}

AccessRead AccessOf(const Context& context, const AccessTarget& target,
                    const api::InferencePool* pool, const ClientIdentity* identity) {
  const PoolSettings settings = pool != nullptr ? ReadPoolSettings(*pool) : PoolSettings();
  AccessRead read;
  EndpointAccess access;
  auto tls = TlsOf(context, target, pool, settings, identity);
  if (tls.ok()) {
    access.tls = *std::move(tls);
  } else {
    read.error = std::string(tls.status().message());
  }
  if (!settings.endpoint_credentials.empty()) {
    read.unresolved = ReadCredentials(context, *pool, settings.endpoint_credentials, &access);
  }
  if (settings.access_is_wrong || !read.error.empty() || !read.unresolved.empty()) {
    access = {};
    access.closed = true;
  }
  if (access != EndpointAccess()) {
    read.access = std::make_shared<const EndpointAccess>(std::move(access));
  }
  return read;
}

}  // namespace gw::internal
