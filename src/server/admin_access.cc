#include "server/admin_access.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "config/file/files.h"
#include "server/dashboard.h"
#include "tls/certificate.h"
#include "tls/server_tls.h"

namespace gw {
namespace {

constexpr size_t kFileBytesMax = 1 << 20;
constexpr size_t kTokenCharsMin = 16;

absl::Status Wrong(std::string_view flag, const std::string& message) {
  return absl::InvalidArgumentError(std::string(flag) + ": " + message);
}

absl::StatusOr<std::string> ReadAll(std::string_view flag, const std::string& path) {
  std::string text;
  const std::string error = config::ReadFile(path, kFileBytesMax, &text);
  if (!error.empty()) return Wrong(flag, error);
  return text;
}

bool IsLoopback(const std::string& ip) { return ip.starts_with("127.") || ip == "::1"; }

}  // namespace

absl::StatusOr<std::string> ReadToken(const std::string& path) {
  std::string text;
  const std::string error = config::ReadFile(path, kFileBytesMax, &text);
  if (!error.empty()) return absl::InvalidArgumentError(error);
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  text = begin == text.npos ? "" : text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
  const bool visible =
      std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (text.size() >= kTokenCharsMin && visible) return text;
  return absl::InvalidArgumentError(
      path + ": must have a token of " + std::to_string(kTokenCharsMin) +
      " or more visible ASCII characters, got " + std::to_string(text.size()) +
      (visible ? "" : ", some of which are not visible"));
}

absl::StatusOr<AdminGuard> ReadAdminGuard(const AdminAccess& access, TicketKeys& tickets) {
  AdminGuard guard;
  guard.open_paths = {"/healthz", "/readyz"};
  for (const DashboardFile& file : DashboardFiles())
    guard.open_paths.insert(std::string(file.path));
  if (!access.metrics_token) guard.open_paths.insert("/metrics");
  if (!access.token_file.empty()) {
    auto token = ReadToken(access.token_file);
    if (!token.ok()) return Wrong("--admin-token-file", std::string(token.status().message()));
    guard.token = *std::move(token);
  }
  if (access.certificate_file.empty()) return guard;
  ASSIGN_OR_RETURN(const std::string chain, ReadAll("--admin-tls-cert", access.certificate_file));
  ASSIGN_OR_RETURN(const std::string key, ReadAll("--admin-tls-key", access.key_file));
  const std::string files = access.certificate_file + " and " + access.key_file;
  auto certificate = Certificate::Parse(chain, key);
  if (!certificate.ok()) {
    return Wrong("--admin-tls-cert", files + ": " + std::string(certificate.status().message()));
  }
  ServerTls::Options options;
  options.listeners.push_back({"*", {*std::move(certificate)}});
  auto tls = ServerTls::New(std::move(options), tickets);
  if (!tls.ok()) {
    return Wrong("--admin-tls-cert", files + ": " + std::string(tls.status().message()));
  }
  guard.tls = *std::move(tls);
  return guard;
}

std::string MissingGuard(const SocketAddress& address, const AdminGuard& guard) {
  if (IsLoopback(address.ip())) return "";
  if (guard.tls == nullptr && guard.token.empty()) return "TLS and a token";
  if (guard.token.empty()) return "a token";
  return guard.tls == nullptr ? "TLS" : "";
}

}  // namespace gw
