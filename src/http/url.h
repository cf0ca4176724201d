// The parts of a request target (RFC 9112 section 3.2).

#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gw::http {

struct Target {
  std::string_view host;   // absolute form only, without port
  std::string_view path;   // "/v1/models"; never empty
  std::string_view query;  // without "?"; empty if none
};
// nullopt if the target is neither origin form, absolute http form nor "*", if it has a fragment or
// user information, or if its path can be walked out of.
//
// A path is forwarded as it was sent and matched as NormalPath writes it: "//" and letters of
// either case are what they are. So that a match by prefix means what it says, a path is refused
// if, percent-decoded once, it has a segment "." or ".." (also "..;x", also between "\") or a NUL:
// "/v1/../x", "/v1/%2e%2e/x", "/v1/..%2fx" and "/v1/..%5cx" would be another path to a server that
// decodes or resolves them.
std::optional<Target> ParseTarget(std::string_view target);

// The path with every percent-encoded unreserved character decoded (RFC 3986 section 6.2.2.2):
// "%63" is "c" to every server, and "%2F" is not "/" to every one. Without a "%" it is `path`
// itself, otherwise it is written to `*storage`.
std::string_view NormalPath(std::string_view path, std::string* storage);

// The value of the first query parameter of that exact name, percent-decoded ("+" is a space). A
// parameter without "=" has an empty value.
std::optional<std::string> QueryParam(std::string_view query, std::string_view name);

// Percent-decoded; what is no two digits behind a '%' stays as it is.
std::string PercentDecoded(std::string_view text);

// "Example.com:8080" -> "Example.com"; "[::1]:80" -> "[::1]".
std::string_view HostWithoutPort(std::string_view host);

}  // namespace gw::http
