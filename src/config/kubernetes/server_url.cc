#include "config/kubernetes/server_url.h"

#include <absl/strings/match.h>
#include <absl/strings/numbers.h>

#include <algorithm>
#include <string>

#include "api/names.h"
#include "base/text.h"

namespace gw::config {
namespace {

constexpr size_t kHostBytesMax = 253;

absl::Status Wrong(const std::string& what) { return absl::InvalidArgumentError(what); }

bool IsPathCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._~!$&'()*+,;=:@%/").find(c) != std::string_view::npos;
}

absl::Status ReadPort(std::string_view text, kube::ServerUrl* url) {
  int port = 0;
  const bool digits =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || text.size() > 5 || !absl::SimpleAtoi(std::string(text), &port) || port < 1 ||
      port > 65535) {
    return Wrong("must have a port of 1..65535 behind its host");
  }
  url->port = static_cast<uint16_t>(port);
  return absl::OkStatus();
}

// "host", "host:port", "[::1]:port".
absl::Status ReadAuthority(std::string_view text, kube::ServerUrl* url) {
  if (text.find('@') != text.npos) {
    return Wrong("must not hold a user or password: they are the user's, in users");
  }
  std::string_view host = text;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == text.npos) return Wrong("must have a ']' behind an IPv6 address");
    host = text.substr(1, end - 1);
    if (!api::IsIpAddress(host) || host.find(':') == host.npos) {
      return Wrong("must have an IPv6 address between '[' and ']'");
    }
    port = text.substr(end + 1);
    if (!port.empty() && port.front() != ':') return Wrong("must have ':' and a port behind ']'");
    has_port = !port.empty();
  } else if (const size_t colon = text.find(':'); colon != text.npos) {
    host = text.substr(0, colon);
    port = text.substr(colon);
    has_port = true;
    if (port.find(':', 1) != port.npos) return Wrong("must have an IPv6 address in brackets");
  }
  if (!IsServerHost(host)) return Wrong("must have a host name or IP address");
  url->host = ToLower(host);
  return has_port ? ReadPort(port.substr(1), url) : absl::OkStatus();
}

}  // namespace

bool IsServerHost(std::string_view host) {
  if (host.empty() || host.size() > kHostBytesMax) return false;
  if (host.find(':') != host.npos) return api::IsIpAddress(host);
  // Names of machines may have capital letters and, against the rules, an underscore.
  return host.front() != '-' && std::all_of(host.begin(), host.end(), [](char c) {
           c = ToLower(c);
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                  c == '_';
         });
}

absl::StatusOr<kube::ServerUrl> ParseServerUrl(std::string_view text) {
  kube::ServerUrl url;
  const std::string lower = ToLower(text.substr(0, 8));
  if (lower.starts_with("https://")) {
    text.remove_prefix(8);
  } else if (lower.starts_with("http://")) {
    text.remove_prefix(7);
    url.tls = false;
    url.port = 80;
  } else {
    return Wrong("must begin with https:// or http://");
  }
  const size_t slash = text.find_first_of("/?#");
  RETURN_IF_ERROR(ReadAuthority(text.substr(0, slash), &url));
  if (slash == text.npos) return url;
  std::string_view path = text.substr(slash);
  if (path.find_first_of("?#") != path.npos) return Wrong("must have no query and no fragment");
  if (!std::all_of(path.begin(), path.end(), IsPathCharacter)) {
    return Wrong("must have a path of characters that a URL may have");
  }
  const std::string whole = std::string(path) + "/";
  if (absl::StrContains(whole, "/../") || absl::StrContains(whole, "/./")) {
    return Wrong("must have a path without . and ..");
  }
  while (path.ends_with('/')) path.remove_suffix(1);
  url.path_prefix = std::string(path);
  return url;
}

}  // namespace gw::config
