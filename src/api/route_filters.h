// The filters of an HTTPRoute's rules and backendRefs. Each kind of them may be given once.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gw::api {

// requestHeaderModifier and responseHeaderModifier. No name stands in two of the lists.
struct HeaderModifier {
  struct Header {
    std::string name;
    std::string value;

    bool operator==(const Header&) const = default;
  };
  std::vector<Header> set;
  std::vector<Header> add;
  std::vector<std::string> remove;

  bool operator==(const HeaderModifier&) const = default;
};

struct PathModifier {
  enum class Type : uint8_t { kFullPath, kPrefixMatch };
  Type type = Type::kFullPath;
  std::string value;  // a path, or "" for none

  bool operator==(const PathModifier&) const = default;
};

struct RequestRedirect {
  std::string scheme;    // "http", "https"; empty: the request's
  std::string hostname;  // empty: the request's
  std::optional<PathModifier> path;
  std::optional<int> port;
  int status_code = 302;

  bool operator==(const RequestRedirect&) const = default;
};

struct UrlRewrite {
  std::string hostname;  // empty: stays
  std::optional<PathModifier> path;

  bool operator==(const UrlRewrite&) const = default;
};

struct CorsFilter {
  std::vector<std::string> allow_origins;  // "*", or "https://*.example.com:8443"
  std::vector<std::string> allow_methods;  // "*", or names
  std::vector<std::string> allow_headers;  // "*", or names
  std::vector<std::string> expose_headers;
  bool allow_credentials = false;
  int64_t max_age_s = 5;

  bool operator==(const CorsFilter&) const = default;
};

// Of what is sent to the rule's backends a copy goes there, for `numerator` of `denominator`
// requests.
struct RequestMirror {
  std::string group;
  std::string kind = "Service";
  std::string ns;  // the route's unless given
  std::string name;
  std::optional<int> port;
  uint32_t numerator = 1;
  uint32_t denominator = 1;

  bool operator==(const RequestMirror&) const = default;
};

struct RouteFilters {
  std::optional<HeaderModifier> request_headers;
  std::optional<HeaderModifier> response_headers;
  std::optional<RequestRedirect> redirect;
  std::optional<UrlRewrite> rewrite;
  std::optional<CorsFilter> cors;
  std::vector<RequestMirror> mirrors;

  bool empty() const {
    return !request_headers && !response_headers && !redirect && !rewrite && !cors &&
           mirrors.empty();
  }
  bool operator==(const RouteFilters&) const = default;
};

}  // namespace gw::api
