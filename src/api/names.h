// The small grammars of Kubernetes: names, labels, hostnames, durations, times.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace gw::api {

// RFC 1123: lower case letters, digits and '-', letters or digits at both ends; at most 63
// characters.
bool IsDnsLabel(std::string_view text);
// Labels joined by dots; at most 253 characters.
bool IsDnsSubdomain(std::string_view text);
// A subdomain, or "*." and a subdomain; at most 253 characters. Not an IP address.
bool IsHostname(std::string_view text);
// "name" or "example.com/name"; the name has letters, digits, '-', '_', '.', at most 63 characters.
bool IsLabelKey(std::string_view text);
// Empty, or like the name of a label key.
bool IsLabelValue(std::string_view text);
// A key of a Secret's or ConfigMap's data.
bool IsDataKey(std::string_view text);
// A group of an API: empty or a subdomain.
bool IsGroup(std::string_view text);
// A kind: a letter, then letters, digits and '-'; at most 63 characters.
bool IsKind(std::string_view text);
// A domain, a slash and a path: "example.com/gateway-controller".
bool IsControllerName(std::string_view text);
// The name of an HTTP header (RFC 9110 token).
bool IsHttpToken(std::string_view text);
bool IsIpAddress(std::string_view text);
// The one way in which the address is written: "::1" for "0:0:0:0:0:0:0:1". REQUIRES: IsIpAddress
std::string CanonicalIp(const std::string& text);

// A Gateway API duration (GEP-2257): one to four of 1-5 digits and h, m, s or ms: "1h30m", "500ms".
std::optional<Duration> ParseDuration(std::string_view text);
// The value of kStreamKeepaliveAnnotation.
inline constexpr char kStreamKeepaliveWanted[] = "must be a duration of 100ms to 1h, such as 15s";
std::optional<Duration> ParseStreamKeepalive(std::string_view text);
// An RFC 3339 time, "2026-01-02T03:04:05Z" with optional fraction and offset, in seconds since
// 1970.
std::optional<int64_t> ParseTime(std::string_view text);

}  // namespace gw::api
