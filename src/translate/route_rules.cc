#include "translate/route_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "translate/destinations.h"

namespace gw::internal {
namespace {

bool IsExact(const api::ValueMatch& match) { return match.type == api::ValueMatchType::kExact; }

// Regular expressions are not built. Whom such a match is meant for cannot be told, so it is left
// out; the rule's other matches are answered 500.
bool CanMatch(const api::RouteMatch& match) {
  return match.path_type != api::PathMatchType::kRegularExpression &&
         std::all_of(match.headers.begin(), match.headers.end(), IsExact) &&
         std::all_of(match.query_params.begin(), match.query_params.end(), IsExact);
}

std::vector<HeaderMatch> ValuesOf(const std::vector<api::ValueMatch>& matches) {
  std::vector<HeaderMatch> values;
  for (const api::ValueMatch& match : matches) values.push_back({match.name, match.value});
  return values;
}

RouteMatch MatchOf(const api::RouteMatch& match) {
  RouteMatch result;
  result.path_type = match.path_type == api::PathMatchType::kExact ? RouteMatch::PathType::kExact
                                                                   : RouteMatch::PathType::kPrefix;
  result.path = match.path;
  result.method = match.method;
  result.headers = ValuesOf(match.headers);
  result.query = ValuesOf(match.query_params);
  return result;
}

// Zero asks for no limit.
std::optional<Duration> TimeoutOf(const std::optional<Duration>& timeout) {
  return timeout && *timeout != Duration::zero() ? timeout : std::nullopt;
}

std::string UnsupportedIn(const api::HttpRoute& route, size_t index) {
  const std::string of_route = UnsupportedText(route.unsupported);
  const std::string of_rule = UnsupportedText(route.unsupported, static_cast<int>(index));
  return of_route.empty() ? of_rule : of_rule.empty() ? of_route : of_route + "; " + of_rule;
}

// Adds the rule's destinations and what does not resolve.
void ResolveRefs(const Context& context, PoolSet& pools, const api::HttpRoute& route,
                 const api::RouteRule& spec, RouteRule* rule, RouteRules* result) {
  for (const api::BackendRef& ref : spec.backend_refs) {
    const ResolvedRef resolved = Resolve(context, pools, route, ref);
    rule->destinations.push_back(resolved.destination);
    rule->total_weight += resolved.destination.weight;
    if (resolved.pool != nullptr) result->pools.push_back(resolved.pool);
    if (resolved.reason.empty()) continue;
    // One condition has one reason: the first. The message has them all.
    if (result->resolved.ok()) {
      result->resolved = Refused(resolved.reason, resolved.message);
    } else {
      result->resolved.message += "; " + resolved.message;
    }
  }
}

}  // namespace

RouteRules MakeRules(const Context& context, PoolSet& pools, const api::HttpRoute& route) {
  RouteRules result;
  result.route = route.meta.ns + "/" + route.meta.name;
  result.resolved = Holds("ResolvedRefs");
  std::vector<std::string> dropped;
  for (size_t i = 0; i < route.rules.size(); ++i) {
    const api::RouteRule& spec = route.rules[i];
    auto rule = std::make_shared<RouteRule>();
    rule->route = result.route;
    rule->name = fmt::format("{}/{}", result.route, i);
    rule->request_timeout = TimeoutOf(spec.request_timeout);
    rule->try_timeout = TimeoutOf(spec.try_timeout);
    rule->unsupported = UnsupportedIn(route, i);
    ResolveRefs(context, pools, route, spec, rule.get(), &result);
    if (!rule->unsupported.empty()) {
      dropped.push_back(fmt::format("Dropped Rule {}: {}", i, rule->unsupported));
    }
    result.rules.push_back(std::move(rule));
  }
  result.unsupported = dropped.size();
  result.unsupported_text = Join(dropped);
  return result;
}

void RouteRules::AppendEntries(const api::HttpRoute& spec, const std::string& hostname,
                               const std::string& listener_hostname,
                               std::vector<RouteTable::Entry>* entries) const {
  for (size_t i = 0; i < rules.size(); ++i) {
    const std::vector<api::RouteMatch>& matches = spec.rules[i].matches;
    for (size_t j = 0; j < matches.size(); ++j) {
      if (!CanMatch(matches[j])) continue;
      RouteTable::Entry& entry = entries->emplace_back();
      entry.hostname = hostname.empty() ? "*" : hostname;
      entry.listener_hostname = listener_hostname.empty() ? "*" : listener_hostname;
      entry.match = MatchOf(matches[j]);
      entry.rule = rules[i];
      entry.created_unix_s = spec.meta.creation_unix_s;
      entry.route = route;
      entry.rule_index = static_cast<uint32_t>(i);
      entry.match_index = static_cast<uint32_t>(j);
    }
  }
}

}  // namespace gw::internal
