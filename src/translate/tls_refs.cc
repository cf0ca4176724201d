#include "translate/tls_refs.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "api/node.h"
#include "base/text.h"
#include "translate/tls_memory.h"

namespace gw::internal {
namespace {

constexpr size_t kNamesShownMax = 8;

std::string Named(const std::string& kind, const std::string& ns, const std::string& name) {
  return fmt::format("{} {}/{}", kind, ns, name);
}

// " (cert.yaml:3)"
std::string Place(const api::ObjectMeta& meta) {
  const std::string place = meta.source.ToString();
  return place.empty() ? "" : " (" + place + ")";
}

std::string FaultOf(const api::Secret& secret) {
  if (secret.type == api::kTlsSecretType) return "";
  return fmt::format("type: must be {}, got {}", api::kTlsSecretType, api::Quoted(secret.type));
}

const std::string& DataOf(const api::StringMap& data, const char* key) {
  static const std::string kNone;
  const auto it = data.find(key);
  return it == data.end() ? kNone : it->second;
}

// Whether the reference is of that kind and may leave its namespace, if it does.
template <typename Ref>
RefFault FaultOfRef(const Context& context, const Referrer& referrer, const Ref& ref,
                    const char* kind, const char* reason) {
  if (!ref.group.empty() || ref.kind != kind) {
    return {reason, fmt::format("must be a {}, got {}{}", kind,
                                ref.group.empty() ? "" : ref.group + "/", ref.kind)};
  }
  if (ref.ns == referrer.ns || context.resources.Granted(referrer.group, referrer.kind, referrer.ns,
                                                         "", kind, ref.ns, ref.name)) {
    return {};
  }
  return {"RefNotPermitted",
          fmt::format("no ReferenceGrant in namespace {} lets a {} of namespace {} refer to {}",
                      ref.ns, referrer.kind, referrer.ns, Named(kind, ref.ns, ref.name))};
}

}  // namespace

std::string Described(const Certificate& certificate) {
  const std::vector<std::string>& names = certificate.names();
  const size_t shown = std::min(names.size(), kNamesShownMax);
  std::string text = certificate.subject().empty() ? "without a subject" : certificate.subject();
  if (!names.empty()) {
    text += fmt::format(", names {}", fmt::join(names.begin(), names.begin() + shown, " "));
  }
  if (shown < names.size()) text += fmt::format(" and {} more", names.size() - shown);
  return text + ", until " + UtcText(certificate.not_after_unix_s());
}

std::string WithLastGood(std::string message, const TlsMemory::CertificateRead& read) {
  if (read.served == nullptr) return message;
  return message + "; its last good certificate is served: " + Described(*read.served);
}

CertificateRef ReadCertificateRef(const Context& context, const Referrer& referrer,
                                  const api::SecretRef& ref, const char* reason) {
  CertificateRef result;
  result.source = Named("Secret", ref.ns, ref.name);
  result.fault = FaultOfRef(context, referrer, ref, "Secret", reason);
  if (result.fault) return result;
  const auto found = context.resources.secrets.find({ref.ns, ref.name});
  if (found == context.resources.secrets.end()) {
    result.fault = {reason, fmt::format("{} {}", result.source,
                                        context.WhyMissing("", "Secret", ref.ns, ref.name))};
    return result;
  }
  const api::Secret& secret = found->second;
  const TlsMemory::CertificateRead read = context.tls_memory.ReadCertificate(
      result.source,
      {DataOf(secret.data, api::kTlsCertificateKey), DataOf(secret.data, api::kTlsPrivateKeyKey),
       FaultOf(secret)},
      context.options.now_unix_s);
  result.certificate = read.served;
  if (read.fault.empty()) return result;
  result.fault = {
      reason,
      WithLastGood(fmt::format("{}{}: {}", result.source, Place(secret.meta), read.fault), read)};
  return result;
}

AuthoritiesRef ReadAuthoritiesRef(const Context& context, const Referrer& referrer,
                                  const api::CaRef& ref, const char* kind_reason,
                                  bool keep_last_good) {
  constexpr char kReason[] = "InvalidCACertificateRef";
  AuthoritiesRef result;
  result.source = Named("ConfigMap", ref.ns, ref.name);
  result.fault = FaultOfRef(context, referrer, ref, "ConfigMap", kind_reason);
  if (result.fault) return result;
  const auto found = context.resources.config_maps.find({ref.ns, ref.name});
  if (found == context.resources.config_maps.end()) {
    result.fault = {kReason, fmt::format("{} {}", result.source,
                                         context.WhyMissing("", "ConfigMap", ref.ns, ref.name))};
    return result;
  }
  const api::ConfigMap& map = found->second;
  TlsMemory::AuthoritiesRead read =
      context.tls_memory.ReadAuthorities(result.source, DataOf(map.data, api::kCaCertificateKey));
  if (read.fault.empty() || keep_last_good) result.pem = std::move(read.pem);
  if (read.fault.empty()) return result;
  result.fault = {
      kReason,
      fmt::format("{}{}: {}: {}{}", result.source, Place(map.meta), api::kCaCertificateKey,
                  read.fault, result.pem.empty() ? "" : "; its last good certificates are used")};
  return result;
}

}  // namespace gw::internal
