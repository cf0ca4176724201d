#include "kube/exec_credential.h"

#include <absl/strings/escaping.h>
#include <simdjson.h>

#include <algorithm>

#include "api/names.h"
#include "api/node.h"
#include "base/check.h"
#include "base/escape.h"

namespace gw::kube {
namespace {

namespace dom = simdjson::dom;

void AddText(std::string* out, std::string_view name, std::string_view value) {
  *out += ",\"" + std::string(name) + "\":\"";
  AppendJsonEscaped(out, value);
  *out += '"';
}

absl::Status Wrong(std::string_view field, std::string_view what) {
  return absl::InvalidArgumentError(std::string(field) + " " + std::string(what));
}

// A text that may be absent or null, which are the same to the API's own readers.
absl::Status ReadText(const dom::object& from, std::string_view name, std::string_view path,
                      std::string* to) {
  dom::element value;
  if (from[name].get(value) != simdjson::SUCCESS || value.is_null()) return absl::OkStatus();
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return Wrong(path, "must be text");
  *to = text;
  return absl::OkStatus();
}

absl::Status CheckVersion(const dom::object& top, const std::string& api_version) {
  std::string kind;
  std::string version;
  RETURN_IF_ERROR(ReadText(top, "kind", "kind", &kind));
  RETURN_IF_ERROR(ReadText(top, "apiVersion", "apiVersion", &version));
  if (kind != "ExecCredential") {
    return Wrong("kind", "must be ExecCredential, got " + api::Quoted(kind));
  }
  if (version != api_version) {
    return Wrong("apiVersion", "must be " + api_version + ", got " + api::Quoted(version));
  }
  return absl::OkStatus();
}

absl::StatusOr<ExecCredential> ReadStatus(const dom::object& status) {
  ExecCredential out;
  std::string expires;
  RETURN_IF_ERROR(ReadText(status, "token", "status.token", &out.token));
  RETURN_IF_ERROR(ReadText(status, "clientCertificateData", "status.clientCertificateData",
                           &out.certificate_pem));
  RETURN_IF_ERROR(ReadText(status, "clientKeyData", "status.clientKeyData", &out.key_pem));
  RETURN_IF_ERROR(ReadText(status, "expirationTimestamp", "status.expirationTimestamp", &expires));
  if (!IsToken(out.token)) {
    return Wrong("status.token", "must be visible ASCII characters without spaces");
  }
  if (out.certificate_pem.empty() != out.key_pem.empty()) {
    return Wrong("status.clientCertificateData and status.clientKeyData", "must be given together");
  }
  if (out.token.empty() && out.certificate_pem.empty()) {
    return Wrong("status", "must have a token, or clientCertificateData and clientKeyData");
  }
  if (!expires.empty()) {
    out.expires_unix_s = api::ParseTime(expires);
    if (!out.expires_unix_s) {
      return Wrong("status.expirationTimestamp",
                   "must be a time such as 2026-01-02T03:04:05Z, got " + api::Quoted(expires));
    }
  }
  return out;
}

}  // namespace

std::string ExecInfo(const AccessOptions& access, const std::string& ca_pem) {
  CHECK(access.exec.has_value());
  const ExecOptions& exec = *access.exec;
  std::string out = R"({"kind":"ExecCredential")";
  AddText(&out, "apiVersion", exec.api_version);
  out += R"(,"spec":{"interactive":false)";
  if (exec.provide_cluster_info) {
    out += R"(,"cluster":{"server":")";
    AppendJsonEscaped(&out, access.server.ToString());
    out += '"';
    if (!access.tls_server_name.empty()) {
      AddText(&out, "tls-server-name", access.tls_server_name);
    }
    if (access.insecure_skip_tls_verify) out += R"(,"insecure-skip-tls-verify":true)";
    if (access.disable_compression) out += R"(,"disable-compression":true)";
    if (!ca_pem.empty()) {
      AddText(&out, "certificate-authority-data", absl::Base64Escape(ca_pem));
    }
    if (!exec.cluster_config_json.empty()) out += R"(,"config":)" + exec.cluster_config_json;
    out += '}';
  }
  return out + "}}";
}

absl::StatusOr<ExecCredential> ParseExecCredential(std::string_view answer,
                                                   const std::string& api_version) {
  // Not ParseJson: its errors quote the text, and this one holds a token.
  dom::parser parser;
  dom::element document;
  const simdjson::error_code fault = parser.parse(answer.data(), answer.size(), true).get(document);
  if (fault != simdjson::SUCCESS) {
    return Wrong("the answer", "must be JSON, got " + std::to_string(answer.size()) +
                                   " bytes that are not (" + simdjson::error_message(fault) + ")");
  }
  dom::object top;
  if (document.get(top) != simdjson::SUCCESS) return Wrong("the answer", "must be a JSON object");
  RETURN_IF_ERROR(CheckVersion(top, api_version));
  dom::object status;
  if (top["status"].get(status) != simdjson::SUCCESS) return Wrong("status", "must be an object");
  return ReadStatus(status);
}

bool IsToken(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace gw::kube
