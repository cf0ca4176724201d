#include "cli/admin_flags.h"

#include <memory>
#include <string_view>
#include <utility>

#include "cli/server_url.h"

namespace gw {
namespace {

absl::Status Wrong(std::string_view flag, const std::string& message) {
  return absl::InvalidArgumentError(std::string(flag) + ": " + message);
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

void AddMetricsNames(CLI::App& serve, OtherNames& names) {
  const auto wrong = [](std::string& list) {
    return std::string(OtherNamesFrom(list).status().message());
  };
  serve
      .add_option_function<std::string>(
          "--metrics-names",
          [&names](const std::string& list) { names = OtherNamesFrom(list).value(); },
          "Names of other gateways that metrics have besides ours: llm-d, v0.5.1")
      ->check(CLI::Validator(wrong, ""))
      ->type_name("LIST");
}

void AddAdmin(CLI::App& command, AdminFlags& flags) {
  command
      .add_option("--admin", flags.address,
                  "Admin port of the gateway; https://ADDR:PORT if it speaks TLS")
      ->capture_default_str()
      ->type_name("ADDR:PORT");
  AddServerTrust(command, flags.trust);
  command.add_option("--token-file", flags.token_file, "Token that the admin port asks for")
      ->type_name("PATH");
}

absl::StatusOr<AdminTarget> TargetOf(const AdminFlags& flags) {
  ASSIGN_OR_RETURN(ServerUrl server, ServerUrlOf("--admin", flags.address, flags.trust));
  if (!server.path.empty()) return Wrong("--admin", "wanted ADDR:PORT without a path");
  AdminTarget target(server.address);
  target.tls = std::move(server.tls);
  if (!flags.token_file.empty()) {
    auto token = ReadToken(flags.token_file);
    if (!token.ok()) return Wrong("--token-file", std::string(token.status().message()));
    target.token = *std::move(token);
  }
  return target;
}

}  // namespace gw
