#include "translate/backends.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "api/names.h"
#include "translate/secret_token.h"
#include "translate/tls_memory.h"
#include "translate/tls_refs.h"

namespace gw::internal {
namespace {

// Gathers what is wrong with one Backend.
class Reader {
 public:
  Reader(const Context& context, const api::Backend& backend)
      : context_(context), backend_(backend) {}

  BackendParts Read();

 private:
  std::shared_ptr<const ClientTls> ReadTls(const api::Backend::Tls& tls);
  std::shared_ptr<const Trust> ReadTrust(const api::Backend::Tls& tls);
  EndpointAccess::Credential ReadCredential(const api::Backend::Credentials& credentials);
  void Note(std::string reason, const std::string& path, const std::string& message) {
    if (reason_.empty()) reason_ = std::move(reason);
    wrong_.push_back(path + ": " + message + backend_.meta.Where(path));
  }

  const Context& context_;
  const api::Backend& backend_;
  std::string reason_;  // of the first thing that is wrong
  std::vector<std::string> wrong_;
};

std::shared_ptr<const Trust> Reader::ReadTrust(const api::Backend::Tls& tls) {
  if (tls.ca_refs.empty()) {
    auto trust = context_.tls_memory.SystemTrust(context_.options);
    if (trust.ok()) return *std::move(trust);
    Note("NoValidCACertificate", "spec.tls", std::string(trust.status().message()));
    return nullptr;
  }
  std::string pem;
  const Referrer referrer{api::kPenstockGroup, "Backend", backend_.meta.ns};
  for (size_t i = 0; i < tls.ca_refs.size(); ++i) {
    const AuthoritiesRef read = ReadAuthoritiesRef(context_, referrer, tls.ca_refs[i],
                                                   "InvalidKind", /*keep_last_good=*/true);
    if (read.fault) {
      Note(read.fault.reason, fmt::format("spec.tls.caCertificateRefs[{}]", i), read.fault.message);
    }
    pem += read.pem;
  }
  return pem.empty() ? nullptr : context_.tls_memory.TrustOf(pem);
}

std::shared_ptr<const ClientTls> Reader::ReadTls(const api::Backend::Tls& tls) {
  ClientTls::Options options;
  options.server_name = tls.hostname;
  if (!tls.insecure_skip_verify) {
    options.trust = ReadTrust(tls);
    if (options.trust == nullptr) return nullptr;
  }
  auto made = context_.tls_memory.ClientOf(RefOf(backend_).ToString(), std::move(options));
  if (made.ok()) return *std::move(made);
  Note("InvalidCACertificateRef", "spec.tls", std::string(made.status().message()));
  return nullptr;
}

EndpointAccess::Credential Reader::ReadCredential(const api::Backend::Credentials& credentials) {
  constexpr char kPath[] = "spec.credentials.secretRef";
  constexpr char kReason[] = "InvalidCredentialsRef";
  EndpointAccess::Credential credential{credentials.header, credentials.prefix};
  const auto token = ReadToken(context_, backend_.meta.ns, credentials.secret, credentials.key);
  if (token.ok()) {
    credential.value += *token;
  } else {
    Note(kReason, kPath, std::string(token.status().message()));
  }
  return credential;
}

BackendParts Reader::Read() {
  BackendParts parts;
  auto access = std::make_shared<EndpointAccess>();
  access->authority = backend_.authority;
  access->path_prefix = backend_.path_prefix;
  access->elsewhere = true;
  if (backend_.tls) access->tls = ReadTls(*backend_.tls);
  if (backend_.credentials) access->credential = ReadCredential(*backend_.credentials);
  for (const api::Backend::Model& model : backend_.models) {
    if (model.name == api::Backend::Model::kAnyName) {
      parts.rewrites.AddForAnyName({{model.target}});
    } else {
      parts.rewrites.Add(model.name, {{model.target}});
    }
  }
  parts.resolved = wrong_.empty() ? Holds("ResolvedRefs") : Refused(reason_, Join(wrong_));
  // With a last good authority it is served as before, and says what is wrong all the same.
  const bool has_tls = !backend_.tls || access->tls != nullptr;
  const bool has_credential = !backend_.credentials || reason_ != "InvalidCredentialsRef";
  if (has_tls && has_credential) parts.access = std::move(access);
  return parts;
}

}  // namespace

BackendParts ReadBackend(const Context& context, const api::Backend& backend) {
  return Reader(context, backend).Read();
}

void WriteBackendStatus(Context& context, const api::Backend& backend, const Verdict& resolved) {
  std::vector<api::Condition>& conditions =
      context.StatusOf(RefOf(backend), backend.meta.source).conditions;
  const int64_t generation = backend.meta.generation;
  SetVerdict(&conditions, "Accepted", Holds("Accepted"), generation);
  SetVerdict(&conditions, "ResolvedRefs", resolved, generation);
  if (api::IsIpAddress(backend.host)) return;
  const auto known = context.options.names->find(backend.host);
  Verdict name = Pending(fmt::format("{} has not been looked up yet", backend.host));
  if (known != context.options.names->end() && known->second.asked) {
    const ResolvedName& found = known->second;
    const std::string where = backend.meta.Where("spec.host");
    if (found.ips.empty()) {
      name = Refused("HostNotFound", fmt::format("spec.host: {}: {}: requests are answered 503{}",
                                                 backend.host, found.error, where));
    } else if (!found.error.empty()) {
      name = Holds("LastKnown", fmt::format("spec.host: {}: {}: the addresses that were known last "
                                            "are used{}",
                                            backend.host, found.error, where));
    } else {
      name = Holds("Resolved");
    }
  }
  SetVerdict(&conditions, "HostResolved", name, generation);
}

}  // namespace gw::internal
