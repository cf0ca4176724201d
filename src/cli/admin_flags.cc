#include "cli/admin_flags.h"

#include <memory>
#include <string_view>
#include <utility>

#include "config/file/files.h"

namespace gw {
namespace {

constexpr size_t kFileBytesMax = 1 << 20;
constexpr std::string_view kPlain = "http://";
constexpr std::string_view kTls = "https://";

absl::Status Wrong(std::string_view flag, const std::string& message) {
  return absl::InvalidArgumentError(std::string(flag) + ": " + message);
}

// "admin.example.com" of "admin.example.com:9909", "::1" of "[::1]:9909".
std::string HostOf(const std::string& address) {
  std::string host = address.substr(0, address.rfind(':'));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return host;
}

absl::StatusOr<std::shared_ptr<const Trust>> TrustOf(const AdminFlags& flags) {
  if (flags.ca_file.empty()) return Trust::System();
  std::string pem;
  const std::string error = config::ReadFile(flags.ca_file, kFileBytesMax, &pem);
  if (!error.empty()) return Wrong("--ca-file", error);
  auto trust = Trust::Parse(pem);
  if (trust.ok()) return trust;
  return Wrong("--ca-file", flags.ca_file + ": " + std::string(trust.status().message()));
}

}  // namespace

void AddAdminAccess(CLI::App& serve, AdminAccess& access) {
  CLI::Option* certificate =
      serve
          .add_option("--admin-tls-cert", access.certificate_file,
                      "Certificate chain of the admin port, PEM: it speaks TLS then")
          ->type_name("PATH");
  CLI::Option* key =
      serve.add_option("--admin-tls-key", access.key_file, "The certificate's private key, PEM")
          ->type_name("PATH");
  certificate->needs(key);
  key->needs(certificate);
  CLI::Option* token =
      serve
          .add_option("--admin-token-file", access.token_file,
                      "Token that the admin port asks for, but for /healthz, /readyz and /metrics")
          ->type_name("PATH");
  serve.add_flag("--metrics-token", access.metrics_token, "/metrics wants the token, too")
      ->needs(token);
}

void AddAdmin(CLI::App& command, AdminFlags& flags) {
  command
      .add_option("--admin", flags.address,
                  "Admin port of the gateway; https://ADDR:PORT if it speaks TLS")
      ->capture_default_str()
      ->type_name("ADDR:PORT");
  CLI::Option* ca =
      command
          .add_option("--ca-file", flags.ca_file,
                      "With https: authorities that are believed, PEM; the machine's if not given")
          ->type_name("PATH");
  command
      .add_flag("--insecure", flags.insecure, "With https: believe whatever certificate it shows")
      ->excludes(ca);
  command.add_option("--token-file", flags.token_file, "Token that the admin port asks for")
      ->type_name("PATH");
}

absl::StatusOr<AdminTarget> TargetOf(const AdminFlags& flags) {
  std::string address = flags.address;
  const bool over_tls = address.starts_with(kTls);
  if (over_tls) address.erase(0, kTls.size());
  if (address.starts_with(kPlain)) address.erase(0, kPlain.size());
  if (address.ends_with('/')) address.pop_back();
  if (!over_tls && (flags.insecure || !flags.ca_file.empty())) {
    return Wrong(flags.insecure ? "--insecure" : "--ca-file",
                 "is of https: wanted --admin https://" + address);
  }
  const absl::StatusOr<SocketAddress> resolved = SocketAddress::Resolve(address);
  if (!resolved.ok()) return Wrong("--admin", std::string(resolved.status().message()));
  AdminTarget target(*resolved);
  if (over_tls) {
    ClientTls::Options options{.server_name = HostOf(address)};
    if (!flags.insecure) {
      ASSIGN_OR_RETURN(options.trust, TrustOf(flags));
    }
    ASSIGN_OR_RETURN(target.tls, ClientTls::New(std::move(options)));
  }
  if (!flags.token_file.empty()) {
    auto token = ReadToken(flags.token_file);
    if (!token.ok()) return Wrong("--token-file", std::string(token.status().message()));
    target.token = *std::move(token);
  }
  return target;
}

}  // namespace gw
