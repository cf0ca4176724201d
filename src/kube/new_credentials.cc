#include "kube/new_credentials.h"

#include <absl/strings/ascii.h>
#include <absl/strings/escaping.h>

#include <optional>
#include <string>
#include <utility>

#include "base/log.h"
#include "kube/exec_source.h"
#include "kube/text_source.h"
#include "kube/tls_source.h"

namespace gw::kube {
namespace {

TextOptions FileOnly(const std::string& file) {
  TextOptions options;
  options.file = file;
  return options;
}

class OptionCredentials final : public Credentials {
 public:
  OptionCredentials(AccessOptions options, const Clock& clock)
      : options_(std::move(options)),
        ca_(options_.ca, clock),
        certificate_(options_.client_certificate, clock),
        key_(options_.client_key, clock),
        token_(FileOnly(options_.token_file), clock),
        tls_(options_.tls_server_name.empty() ? options_.server.host : options_.tls_server_name,
             options_.insecure_skip_tls_verify) {
    if (options_.exec) exec_.emplace(options_, clock);
  }

  absl::StatusOr<Credential> Get() override {
    TlsSource::Texts texts;
    ASSIGN_OR_RETURN(texts.ca, PemOf(ca_));
    ASSIGN_OR_RETURN(texts.certificate, PemOf(certificate_));
    ASSIGN_OR_RETURN(texts.key, PemOf(key_));
    std::string token;
    if (exec_) {
      ASSIGN_OR_RETURN(const ExecCredential given, exec_->Get(texts.ca.pem));
      token = given.token;
      if (!given.certificate_pem.empty()) {
        const std::string& command = options_.exec->command;
        texts.certificate = {command + ": status.clientCertificateData", given.certificate_pem};
        texts.key = {command + ": status.clientKeyData", given.key_pem};
      }
    }
    if (token.empty()) {
      ASSIGN_OR_RETURN(token, Token());
    }
    Credential credential;
    credential.authorization = Authorization(token);
    if (options_.server.tls) {
      ASSIGN_OR_RETURN(credential.tls, tls_.Get(texts));
    } else if (!texts.certificate.pem.empty()) {
      return absl::InvalidArgumentError(texts.certificate.name + ": " + options_.server.ToString() +
                                        " is plain HTTP, which carries no certificate");
    }
    return credential;
  }

  void Refused() override {
    for (TextSource* source : {&ca_, &certificate_, &key_, &token_}) source->Expire();
    if (exec_) exec_->Expire();
  }

 private:
  static absl::StatusOr<NamedPem> PemOf(TextSource& source) {
    ASSIGN_OR_RETURN(std::string pem, source.Get());
    return NamedPem{source.name(), std::move(pem)};
  }

  absl::StatusOr<std::string> Token() {
    if (!token_.given()) return options_.token;
    const absl::StatusOr<std::string> text = token_.Get();
    if (!text.ok()) {
      if (options_.token.empty()) return text.status();
      return options_.token;
    }
    const std::string token(absl::StripAsciiWhitespace(*text));
    if (!IsToken(token)) {
      return absl::InvalidArgumentError(
          token_.name() + ": must be a token of visible ASCII characters without spaces, is not");
    }
    return token;
  }

  std::string Authorization(const std::string& token) const {
    if (!token.empty()) return "Bearer " + token;
    if (options_.username.empty()) return "";
    return "Basic " + absl::Base64Escape(options_.username + ":" + options_.password);
  }

  const AccessOptions options_;
  TextSource ca_;
  TextSource certificate_;
  TextSource key_;
  TextSource token_;
  TlsSource tls_;
  std::optional<ExecSource> exec_;
};

}  // namespace

std::unique_ptr<Credentials> NewCredentials(AccessOptions options, const Clock& clock) {
  return std::make_unique<OptionCredentials>(std::move(options), clock);
}

}  // namespace gw::kube
