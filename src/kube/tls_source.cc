#include "kube/tls_source.h"

#include <utility>

#include "base/log.h"

namespace gw::kube {
namespace {

absl::Status Within(const std::string& name, const absl::Status& status) {
  return {status.code(), name + ": " + std::string(status.message())};
}

}  // namespace

TlsSource::TlsSource(std::string server_name, bool insecure)
    : server_name_(std::move(server_name)), insecure_(insecure) {}

absl::StatusOr<std::shared_ptr<const ClientTls>> TlsSource::Get(const Texts& texts) {
  if (tls_ != nullptr && texts == texts_) return tls_;
  absl::StatusOr<std::shared_ptr<const ClientTls>> built = Build(texts);
  if (built.ok()) {
    tls_ = *std::move(built);
  } else if (tls_ == nullptr) {
    return built.status();
  } else {
    Log(LogLevel::kWarning, "New TLS for the API server cannot be used; that of before is",
        {{"error", std::string(built.status().message())}});
  }
  texts_ = texts;
  return tls_;
}

absl::StatusOr<std::shared_ptr<const ClientTls>> TlsSource::Build(const Texts& texts) {
  ClientTls::Options options;
  options.server_name = server_name_;
  if (!insecure_) {
    ASSIGN_OR_RETURN(options.trust, TrustOf(texts.ca));
  }
  if (!texts.certificate.pem.empty()) {
    auto certificate = Certificate::Parse(texts.certificate.pem, texts.key.pem);
    if (!certificate.ok()) {
      return Within(texts.certificate.name + " and " + texts.key.name, certificate.status());
    }
    options.certificate = *std::move(certificate);
  }
  return ClientTls::New(std::move(options));
}

absl::StatusOr<std::shared_ptr<const Trust>> TlsSource::TrustOf(const NamedPem& ca) {
  if (!ca.pem.empty()) {
    auto trust = Trust::Parse(ca.pem);
    if (!trust.ok()) return Within(ca.name, trust.status());
    return trust;
  }
  if (system_ == nullptr) {
    ASSIGN_OR_RETURN(system_, Trust::System());
  }
  return system_;
}

}  // namespace gw::kube
