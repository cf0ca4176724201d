#include "translate/filters.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace gw::internal {
namespace {

FieldEdits EditsOf(const std::optional<api::HeaderModifier>& modifier) {
  FieldEdits edits;
  if (!modifier) return edits;
  for (const auto& [name, value] : modifier->set) edits.set.push_back({name, value});
  for (const auto& [name, value] : modifier->add) edits.add.push_back({name, value});
  edits.remove = modifier->remove;
  return edits;
}

// Of a prefix, whose "/" at the end does not count.
size_t ElementsOf(std::string_view prefix) {
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  return static_cast<size_t>(std::count(prefix.begin(), prefix.end(), '/'));
}

PathEdit PathOf(const std::optional<api::PathModifier>& modifier, const api::RouteRule& rule) {
  PathEdit edit;
  if (!modifier) return edit;
  edit.value = modifier->value;
  edit.kind = PathEdit::Kind::kFull;
  if (modifier->type == api::PathModifier::Type::kPrefixMatch) {
    edit.kind = PathEdit::Kind::kPrefix;
    edit.prefix_elements = ElementsOf(rule.matches.front().path);
  }
  return edit;
}

Redirect RedirectOf(const api::RequestRedirect& spec, const api::RouteRule& rule) {
  Redirect redirect;
  redirect.scheme = spec.scheme;
  redirect.hostname = spec.hostname;
  redirect.path = PathOf(spec.path, rule);
  redirect.port = static_cast<uint16_t>(spec.port.value_or(0));
  redirect.status = spec.status_code;
  return redirect;
}

bool HasWildcard(const std::vector<std::string>& names) {
  return std::ranges::find(names, "*") != names.end();
}

CorsPolicy PolicyOf(const api::CorsFilter& spec) {
  CorsPolicy policy;
  for (const std::string& origin : spec.allow_origins) policy.AddOrigin(origin);
  policy.allow_credentials = spec.allow_credentials;
  policy.any_method = HasWildcard(spec.allow_methods);
  policy.any_header = HasWildcard(spec.allow_headers);
  policy.methods = fmt::format("{}", fmt::join(spec.allow_methods, ", "));
  policy.headers = fmt::format("{}", fmt::join(spec.allow_headers, ", "));
  // With credentials a "*" means nothing, and must not be sent.
  if (HasWildcard(spec.expose_headers)) {
    policy.expose_headers = spec.allow_credentials ? "" : "*";
  } else {
    policy.expose_headers = fmt::format("{}", fmt::join(spec.expose_headers, ", "));
  }
  policy.max_age = std::to_string(spec.max_age_s);
  return policy;
}

}  // namespace

std::shared_ptr<const RouteFilters> MakeFilters(const api::RouteFilters& filters,
                                                const api::RouteRule& rule,
                                                std::vector<Mirror> mirrors) {
  if (filters.empty()) return nullptr;
  auto result = std::make_shared<RouteFilters>();
  result->request = EditsOf(filters.request_headers);
  result->response = EditsOf(filters.response_headers);
  if (filters.redirect) result->redirect = RedirectOf(*filters.redirect, rule);
  if (filters.rewrite) {
    result->rewrite = {filters.rewrite->hostname, PathOf(filters.rewrite->path, rule)};
  }
  if (filters.cors) result->cors = PolicyOf(*filters.cors);
  result->mirrors = std::move(mirrors);
  return result;
}

}  // namespace gw::internal
