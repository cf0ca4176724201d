#include "cli/server_url.h"

#include <algorithm>
#include <utility>

#include "config/file/files.h"
#include "tls/trust.h"

namespace gw {
namespace {

constexpr size_t kFileBytesMax = 1 << 20;
constexpr std::string_view kPlain = "http://";
constexpr std::string_view kTls = "https://";

absl::Status Wrong(std::string_view flag, const std::string& message) {
  return absl::InvalidArgumentError(std::string(flag) + ": " + message);
}

bool HasPort(std::string_view authority) {
  const size_t colon = authority.rfind(':');
  return colon != authority.npos && authority.find(']', colon) == authority.npos;
}

// "admin.example.com" of "admin.example.com:9909", "::1" of "[::1]:9909".
std::string HostOf(const std::string& address) {
  std::string host = address.substr(0, address.rfind(':'));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return host;
}

absl::StatusOr<std::shared_ptr<const Trust>> TrustOf(const ServerTrust& server) {
  const std::string& ca_file = server.ca_file;
  if (ca_file.empty()) return Trust::System();
  std::string pem;
  const std::string error = config::ReadFile(ca_file, kFileBytesMax, &pem);
  if (!error.empty()) return Wrong(server.ca_flag, error);
  auto trust = Trust::Parse(pem);
  if (trust.ok()) return trust;
  return Wrong(server.ca_flag, ca_file + ": " + std::string(trust.status().message()));
}

}  // namespace

absl::StatusOr<ServerUrl> ReadServerUrl(std::string_view flag, std::string text,
                                        const ServerTrust& trust) {
  const bool over_tls = text.starts_with(kTls);
  if (over_tls) text.erase(0, kTls.size());
  const bool is_plain = text.starts_with(kPlain);
  if (is_plain) text.erase(0, kPlain.size());
  if (!over_tls && (trust.insecure || !trust.ca_file.empty())) {
    return Wrong(trust.insecure ? "--insecure" : trust.ca_flag,
                 "is of https: wanted " + std::string(flag) + " https://" + text);
  }
  ServerUrl server;
  const size_t slash = text.find('/');
  if (slash != text.npos) server.path = text.substr(slash);
  while (server.path.ends_with('/')) server.path.pop_back();
  text.resize(std::min(slash, text.size()));
  server.authority = text;
  if ((is_plain || over_tls) && !HasPort(text)) text += over_tls ? ":443" : ":80";
  server.host_port = text;
  if (!over_tls) return server;
  ClientTls::Options options{.server_name = HostOf(text)};
  if (!trust.insecure) {
    ASSIGN_OR_RETURN(options.trust, TrustOf(trust));
  }
  ASSIGN_OR_RETURN(server.tls, ClientTls::New(std::move(options)));
  return server;
}

absl::StatusOr<ServerUrl> ServerUrlOf(std::string_view flag, std::string text,
                                      const ServerTrust& trust) {
  ASSIGN_OR_RETURN(ServerUrl server, ReadServerUrl(flag, std::move(text), trust));
  const absl::StatusOr<SocketAddress> resolved = SocketAddress::Resolve(server.host_port);
  if (!resolved.ok()) return Wrong(flag, std::string(resolved.status().message()));
  server.address = *resolved;
  return server;
}

void AddServerTrust(CLI::App& command, ServerTrust& trust) {
  CLI::Option* ca =
      command
          .add_option("--ca-file", trust.ca_file,
                      "With https: authorities that are believed, PEM; the machine's if not given")
          ->type_name("PATH");
  command
      .add_flag("--insecure", trust.insecure, "With https: believe whatever certificate it shows")
      ->excludes(ca);
}

}  // namespace gw
