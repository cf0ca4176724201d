#include "routing/cors.h"

#include <charconv>

#include "base/text.h"

namespace gw {
namespace {

constexpr std::string_view kPrefix = "access-control-";

uint16_t PortOfScheme(std::string_view scheme) {
  if (http::EqualsIgnoreCase(scheme, "http")) return 80;
  return http::EqualsIgnoreCase(scheme, "https") ? 443 : 0;
}

struct OriginParts {
  std::string_view scheme;
  std::string_view host;
  uint16_t port = 0;
};

// False for "null" and whatever else is no scheme, host and port.
bool SplitOrigin(std::string_view origin, OriginParts* parts) {
  const size_t colon = origin.find("://");
  if (colon == std::string_view::npos || colon == 0) return false;
  parts->scheme = origin.substr(0, colon);
  parts->host = origin.substr(colon + 3);
  parts->port = PortOfScheme(parts->scheme);
  const size_t port_at = parts->host.rfind(':');
  if (port_at == std::string_view::npos || parts->host.ends_with(']')) {
    return !parts->host.empty();
  }
  const std::string_view port = parts->host.substr(port_at + 1);
  parts->host = parts->host.substr(0, port_at);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), parts->port);
  return error == std::errc() && end == port.data() + port.size() && !parts->host.empty();
}

// `pattern` in lower case; its "*" stand for anything. Goes back to the last "*" only, which is
// enough, so that the time is bounded by the product of the lengths.
bool Fits(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;
  size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == ToLower(text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string_view ValueOf(const http::RequestHead& request, std::string_view name) {
  const http::HeaderField* const field = request.headers.Find(name);
  return field != nullptr ? field->value : std::string_view();
}

void AddUnlessEmpty(std::string_view name, std::string_view value,
                    std::vector<http::HeaderField>* fields) {
  if (!value.empty()) fields->push_back({name, value});
}

}  // namespace

void CorsPolicy::AddOrigin(std::string_view pattern) {
  OriginParts parts;
  if (pattern == "*") {
    any_origin = true;
  } else if (SplitOrigin(pattern, &parts)) {
    origins.push_back({ToLower(parts.scheme), ToLower(parts.host), parts.port});
  }
}

bool CorsPolicy::Allows(std::string_view origin) const {
  if (any_origin) return true;
  OriginParts parts;
  if (!SplitOrigin(origin, &parts)) return false;
  for (const Origin& allowed : origins) {
    if (allowed.port == parts.port && http::EqualsIgnoreCase(allowed.scheme, parts.scheme) &&
        Fits(allowed.host, parts.host)) {
      return true;
    }
  }
  return false;
}

bool IsPreflight(const http::RequestHead& request) {
  return request.method == "OPTIONS" && request.headers.Find("origin") != nullptr &&
         request.headers.Find("access-control-request-method") != nullptr;
}

void SetCorsFields(const CorsPolicy& policy, const http::RequestHead& request, bool preflight,
                   std::vector<http::HeaderField>* fields) {
  std::erase_if(*fields, [](const http::HeaderField& field) {
    return field.name.size() > kPrefix.size() &&
           http::EqualsIgnoreCase(field.name.substr(0, kPrefix.size()), kPrefix);
  });
  // Also for who sent no Origin: what a cache keeps must not be given to a page.
  fields->push_back({"vary", "origin"});
  const std::string_view origin = ValueOf(request, "origin");
  if (origin.empty() || !policy.Allows(origin)) return;
  const bool everybody = policy.any_origin && !policy.allow_credentials;
  fields->push_back({"access-control-allow-origin", everybody ? "*" : origin});
  if (policy.allow_credentials) fields->push_back({"access-control-allow-credentials", "true"});
  AddUnlessEmpty("access-control-expose-headers", policy.expose_headers, fields);
  if (!preflight) return;
  // What is asked for is repeated, as a "*" of the answer does not mean Authorization, and with
  // credentials means nothing.
  AddUnlessEmpty(
      "access-control-allow-methods",
      policy.any_method ? ValueOf(request, "access-control-request-method") : policy.methods,
      fields);
  AddUnlessEmpty(
      "access-control-allow-headers",
      policy.any_header ? ValueOf(request, "access-control-request-headers") : policy.headers,
      fields);
  fields->push_back({"access-control-max-age", policy.max_age});
}

}  // namespace gw
