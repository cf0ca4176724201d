#include "translate/endpoint_access.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "api/annotations.h"
#include "translate/secret_token.h"
#include "translate/tls_memory.h"

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

std::string ReadTls(const Context& context, const api::InferencePool& pool,
                    const PoolSettings& settings, EndpointAccess* access) {
  ClientTls::Options options{.server_name = settings.endpoint_server_name};
  const auto failed = [&](const absl::Status& status) {
    const char* const key = api::kEndpointSchemeAnnotation;
    return fmt::format("annotation {}: {}{}", key, std::string(status.message()),
                       pool.meta.WhereAnnotation(key));
  };
  if (settings.verifies_endpoints) {
    auto trust = context.tls_memory.SystemTrust(context.options);
    if (!trust.ok()) return failed(trust.status());
    options.trust = *std::move(trust);
  }
  auto tls = context.tls_memory.ClientOf(RefOf(pool).ToString(), std::move(options));
  if (!tls.ok()) return failed(tls.status());
  access->tls = *std::move(tls);
  return "";
}

}  // namespace

AccessRead AccessOf(const Context& context, const api::InferencePool& pool,
                    const PoolSettings& settings) {
  AccessRead read;
  EndpointAccess access;
  if (settings.https) read.error = ReadTls(context, pool, settings, &access);
  if (!settings.endpoint_credentials.empty()) {
    read.unresolved = ReadCredentials(context, pool, settings.endpoint_credentials, &access);
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
