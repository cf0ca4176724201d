// RouteFilters: what a rule of an HTTPRoute, or one of its backendRefs, changes in requests and
// answers on their way, as values. FilterChain: those that one request is under. Where a rule has
// none, nothing is done and nothing allocated.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/head.h"
#include "http/url.h"
#include "routing/cors.h"

namespace gw {

// Changes of header fields, whose names compare without case.
struct FieldEdits {
  struct Field {
    std::string name;
    std::string value;
  };
  std::vector<Field> set;  // in place of all fields of that name
  std::vector<Field> add;  // beside what there is of that name
  std::vector<std::string> remove;

  bool empty() const { return set.empty() && add.empty() && remove.empty(); }
  // What is added are views of this.
  void Apply(std::vector<http::HeaderField>* fields) const;
};

struct PathEdit {
  enum class Kind : uint8_t { kNone, kFull, kPrefix };
  Kind kind = Kind::kNone;
  std::string value;
  size_t prefix_elements = 0;  // of the match whose prefix is replaced: "/v1/x" has 2, "/" none

  // Appends what becomes of `path`, which was matched.
  void Append(std::string_view path, std::string* out) const;
};

struct Redirect {
  std::string scheme;    // empty: the request's
  std::string hostname;  // empty: the request's
  PathEdit path;
  uint16_t port = 0;  // 0: the scheme's if there is one here, else the listener's
  int status = 302;
};

// Where a request came in, as far as it is not in its target.
struct RequestUrl {
  std::string_view scheme;
  std::string_view authority;  // may be empty: then the location is a path only
  uint16_t listener_port = 0;
  const http::Target& target;
};
std::string LocationOf(const Redirect& redirect, const RequestUrl& request);

struct UrlRewrite {
  std::string hostname;  // empty: Host stays
  PathEdit path;
};

// Of `numerator` of `denominator` requests a copy goes to that pool.
struct Mirror {
  uint32_t pool = 0;  // indexes Snapshot::pools
  uint32_t numerator = 1;
  uint32_t denominator = 1;
};

struct RouteFilters {
  FieldEdits request;
  FieldEdits response;
  std::optional<Redirect> redirect;
  UrlRewrite rewrite;
  std::optional<CorsPolicy> cors;
  std::vector<Mirror> mirrors;
};

// The filters of a request's rule, and of its backendRef once it is chosen. Either may be null.
// Header fields are edited by the rule's first; of all else the backendRef's is in place of the
// rule's.
struct FilterChain {
  const RouteFilters* rule = nullptr;
  const RouteFilters* destination = nullptr;

  const Redirect* redirect() const;
  const CorsPolicy* cors() const;
  std::string_view hostname() const;  // in place of Host; empty: it stays
  const PathEdit* path() const;       // nullptr: it stays

  bool edits_response() const { return rule != nullptr || destination != nullptr; }
  void EditRequest(std::vector<http::HeaderField>* fields) const;
  // Of an answer that came from the destination, or is begun in its place.
  void EditResponse(const http::RequestHead& request, std::vector<http::HeaderField>* fields) const;
  // Of the gateway's own: the destination's edits are for what was forwarded to it.
  void EditOwnAnswer(const http::RequestHead& request,
                     std::vector<http::HeaderField>* fields) const;
};

}  // namespace gw
