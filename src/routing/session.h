// Sessions of a rule of an HTTPRoute (GEP-1619): a client that sends back what it was given comes
// to the destination and the endpoint that it had before.
//
// A session's token is 25 bytes in hexadecimal: its version, the destination and the endpoint as
// hashes that depend on the rule, when the session began and when it was used last. Nothing has to
// be kept of it or shared: every worker, gateway and restarted process finds the endpoint by
// hashing those it has. It names an endpoint among the rule's own and no address, and one rule's
// token is none of another's. It is no secret and proves nothing: who makes one up gets, at best,
// one of the endpoints that it might have come to anyhow.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "http/head.h"

namespace gw {

struct SessionToken {
  uint64_t destination = 0;
  uint64_t endpoint = 0;
  uint32_t began_unix_s = 0;
  uint32_t used_unix_s = 0;

  bool operator==(const SessionToken&) const = default;
};

std::string ToText(const SessionToken& token);
std::optional<SessionToken> ParseSessionToken(std::string_view text);

struct SessionPolicy {
  // Clocks of several gateways may differ: a token may be of so little in the future.
  static constexpr uint32_t kClockSkewS = 60;

  std::string scope;  // of which rule: in the hashes
  std::string name;   // of the cookie, or of the header field
  bool by_header = false;
  bool permanent = false;                 // the cookie has an end, that of absolute_timeout
  Duration absolute_timeout{};            // 0: none
  Duration idle_timeout{};                // 0: none
  std::vector<std::string> cookie_paths;  // of the rule's matches, the longest first

  uint64_t HashOfDestination(std::string_view pool_id) const;
  uint64_t HashOfEndpoint(std::string_view pool_id, std::string_view address) const;

  // The session that the request is of, if that has not ended. Of several cookies of the name the
  // first counts that is one.
  std::optional<SessionToken> Find(const http::RequestHead& head, int64_t unix_s) const;
  bool IsValid(const SessionToken& token, int64_t unix_s) const;
  // The answer's field: a Set-Cookie, or the header field's value. `path`: the request's.
  http::HeaderField FieldOf(const SessionToken& token, std::string_view path, bool secure,
                            int64_t unix_s, std::string* storage) const;
};

// The name of a rule's cookie that the user has not named.
std::string CookieNameFor(std::string_view scope);
// Of a match: the part of its path that every path it fits begins with, at whole elements. `regex`:
// `path` is a regular expression.
std::string CookiePathFor(std::string_view path, bool regex);

}  // namespace gw
