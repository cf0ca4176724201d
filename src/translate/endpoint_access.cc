#include "translate/endpoint_access.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "api/annotations.h"
#include "base/status.h"
#include "translate/backend_tls.h"
#include "translate/tls_memory.h"
#include "translate/tls_refs.h"

namespace gw::internal {
namespace {

// Of the Secret with an endpoint's credentials: it has one of these.
constexpr char kTokenKey[] = "token";
constexpr char kApiKeyKey[] = "api-key";
// Some servers take no longer line; a token of many claims has a few thousand.
constexpr size_t kCredentialBytesMax = 8000;

// What a line of a file, or of `echo`, ends with.
std::string_view WithoutLineEnd(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

bool IsCredential(std::string_view text) {
  return !text.empty() && text.size() <= kCredentialBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

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
  if (!IsCredential(text)) {
    return fmt::format("data.{}: must be 1 to {} visible ASCII characters, got {} bytes{}", key,
                       kCredentialBytesMax, value.size(), secret.meta.Where("data"));
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

using ClientTlsOr = absl::StatusOr<std::shared_ptr<const ClientTls>>;

// `who`: whose options these are.
ClientTlsOr MakeTls(const Context& context, const std::string& who, ClientTls::Options options,
                    const ClientIdentity* identity) {
  std::string key = who;
  if (identity != nullptr) {
    if (!identity->fault.empty()) return absl::FailedPreconditionError(identity->fault);
    options.certificate = identity->certificate;
    if (identity->certificate != nullptr) key += " with " + identity->source;
  }
  return context.tls_memory.ClientOf(key, std::move(options));
}

ClientTlsOr TlsOfPolicy(const Context& context, const EndpointTls& policy,
                        const ClientIdentity* identity) {
  if (!policy.error.empty()) return absl::FailedPreconditionError(policy.error);
  return MakeTls(context, policy.key, policy.options, identity);
}

ClientTlsOr TlsOfPool(const Context& context, const PoolAsks& asks,
                      const ClientIdentity* identity) {
  ClientTls::Options options{.server_name = asks.settings.endpoint_server_name};
  if (asks.settings.verifies_endpoints) {
    ASSIGN_OR_RETURN(options.trust, context.tls_memory.SystemTrust(context.options));
  }
  return MakeTls(context, RefOf(asks.pool).ToString(), std::move(options), identity);
}

std::string ReadTls(const Context& context, const AccessTarget& target,
                    const ClientIdentity* identity, const PoolAsks* pool, EndpointAccess* access) {
  const EndpointTls* policy = context.backend_tls->Find(target);
  const bool by_pool = policy == nullptr && pool != nullptr && pool->settings.https;
  if (policy == nullptr && !by_pool) return "";
  ClientTlsOr tls =
      by_pool ? TlsOfPool(context, *pool, identity) : TlsOfPolicy(context, *policy, identity);
  if (!tls.ok()) {
    const std::string error(tls.status().message());
    if (!by_pool) return error;
    const char* const key = api::kEndpointSchemeAnnotation;
    return fmt::format("annotation {}: {}{}", key, error, pool->pool.meta.WhereAnnotation(key));
  }
  access->tls = *std::move(tls);
  return "";
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
                    const ClientIdentity* identity, const PoolAsks* pool) {
  AccessRead read;
  EndpointAccess access;
  read.error = ReadTls(context, target, identity, pool, &access);
  if (pool != nullptr && !pool->settings.endpoint_credentials.empty()) {
    read.unresolved =
        ReadCredentials(context, pool->pool, pool->settings.endpoint_credentials, &access);
  }
  const bool is_wrong = pool != nullptr && pool->settings.access_is_wrong;
  if (is_wrong || !read.error.empty() || !read.unresolved.empty()) {
    access = {};
    access.closed = true;
  }
  if (access != EndpointAccess()) {
    read.access = std::make_shared<const EndpointAccess>(std::move(access));
  }
  return read;
}

}  // namespace gw::internal
