// HTTPRoute (gateway.networking.k8s.io).

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/access.h"
#include "api/meta.h"
#include "api/route_filters.h"
#include "base/clock.h"
#include "base/log_share.h"

namespace gw::api {

// The parent a route wants to attach to. Defaults are filled in; the flags tell what the user
// wrote, because status repeats a parentRef as it was given.
struct ParentRef {
  std::string group = kGatewayGroup;
  std::string kind = "Gateway";
  std::string ns;  // the route's unless given
  std::string name;
  std::string section_name;  // empty: not given
  std::optional<int> port;
  bool group_given = false;
  bool kind_given = false;
  bool ns_given = false;

  bool operator==(const ParentRef&) const = default;
};

// Of a regular expression only translate knows whether it is one.
enum class PathMatchType { kExact, kPathPrefix, kRegularExpression };
enum class ValueMatchType { kExact, kRegularExpression };

struct ValueMatch {
  std::string name;  // of headers in lower case
  std::string value;
  ValueMatchType type = ValueMatchType::kExact;

  bool operator==(const ValueMatch&) const = default;
};

struct RouteMatch {
  PathMatchType path_type = PathMatchType::kPathPrefix;
  std::string path = "/";
  std::vector<ValueMatch>
      headers;  // the first of several with one name counts, the others are gone
  std::vector<ValueMatch> query_params;  // as for headers
  std::string method;                    // "GET"; empty: any

  bool operator==(const RouteMatch&) const = default;
};

struct BackendRef {
  std::string group;
  std::string kind = "Service";
  std::string ns;  // the route's unless given
  std::string name;
  std::optional<int> port;
  int weight = 1;
  RouteFilters filters;

  bool operator==(const BackendRef&) const = default;
};

struct RouteRetry {
  std::vector<int> codes;       // of answers that are not wanted, sorted
  std::optional<int> attempts;  // beside the first; 0: none
  std::optional<Duration> backoff;

  bool operator==(const RouteRetry&) const = default;
};

struct SessionPersistence {
  std::string session_name;  // of the cookie or header field; empty: not given
  std::optional<Duration> absolute_timeout;
  std::optional<Duration> idle_timeout;
  bool by_header = false;  // else by cookie
  bool permanent = false;  // the cookie outlives the browser's session

  bool operator==(const SessionPersistence&) const = default;
};

struct RouteRule {
  std::string name;                 // may be empty
  std::vector<RouteMatch> matches;  // at least one
  RouteFilters filters;
  std::vector<BackendRef> backend_refs;     // may be empty
  std::optional<Duration> request_timeout;  // zero: no limit, asked for; absent: not given
  std::optional<Duration> try_timeout;
  std::optional<RouteRetry> retry;
  std::optional<SessionPersistence> session;

  bool operator==(const RouteRule&) const = default;
};

// The value of kStickyAnnotation.
struct Stickiness {
  enum class By { kHeader, kCookie, kSession };
  By by = By::kHeader;
  std::string name;  // of the header field, in lower case, or of the cookie

  bool operator==(const Stickiness&) const = default;
};

struct HttpRoute {
  ObjectMeta meta;
  std::string version = "v1";
  std::vector<ParentRef> parent_refs;
  std::vector<std::string> hostnames;  // lower case, "*.example.com" for a wildcard
  std::vector<RouteRule> rules;        // at least one
  std::optional<Duration> stream_keepalive;
  std::optional<Stickiness> sticky;
  std::optional<int64_t> max_requests;
  std::optional<int64_t> max_waiting;
  RequestLog log;
  std::optional<KeyAccess> access;       // nullopt: as its Gateway has it
  std::vector<Unsupported> unsupported;  // `index` is the rule's

  bool operator==(const HttpRoute&) const = default;
};

}  // namespace gw::api
