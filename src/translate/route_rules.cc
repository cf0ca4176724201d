#include "translate/route_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "api/annotations.h"
#include "flowcontrol/breaker.h"
#include "routing/retry.h"
#include "routing/session.h"
#include "routing/sticky.h"
#include "translate/api_keys.h"
#include "translate/destinations.h"
#include "translate/filters.h"
#include "translate/foreign.h"
#include "translate/releases.h"

namespace gw::internal {
namespace {

// Null, and an error added, if the text of that field is no regular expression.
std::shared_ptr<const Regex> CompileOrSay(const api::ObjectMeta& meta, const std::string& pattern,
                                          const std::string& field,
                                          std::vector<std::string>* errors) {
  absl::StatusOr<std::shared_ptr<const Regex>> regex = Regex::Compile(pattern);
  if (regex.ok()) return *std::move(regex);
  errors->push_back(
      fmt::format("{}: must be a regular expression of RE2's syntax, got \"{}\": {}{}", field,
                  pattern, std::string(regex.status().message()), meta.Where(field)));
  return nullptr;
}

std::vector<HeaderMatch> ValuesOf(const api::ObjectMeta& meta,
                                  const std::vector<api::ValueMatch>& matches,
                                  const std::string& field, std::vector<std::string>* errors) {
  std::vector<HeaderMatch> values;
  for (const api::ValueMatch& match : matches) {
    HeaderMatch& value = values.emplace_back(HeaderMatch{match.name, match.value});
    if (match.type != api::ValueMatchType::kRegularExpression) continue;
    value.regex =
        CompileOrSay(meta, match.value, fmt::format("{}[{}].value", field, match.name), errors);
  }
  return values;
}

// nullopt, and errors added, if it holds what is no regular expression: whom the match is meant for
// cannot be told, so it is left out, and the rule's other matches are answered 500.
std::optional<RouteMatch> MatchOf(const api::ObjectMeta& meta, const api::RouteMatch& match,
                                  const std::string& field, std::vector<std::string>* errors) {
  const size_t errors_before = errors->size();
  RouteMatch result;
  result.path = match.path;
  switch (match.path_type) {
    case api::PathMatchType::kExact:
      result.path_type = RouteMatch::PathType::kExact;
      break;
    case api::PathMatchType::kPathPrefix:
      result.path_type = RouteMatch::PathType::kPrefix;
      break;
    case api::PathMatchType::kRegularExpression:
      result.path_type = RouteMatch::PathType::kRegex;
      result.path_regex = CompileOrSay(meta, match.path, field + ".path.value", errors);
  }
  result.method = match.method;
  result.headers = ValuesOf(meta, match.headers, field + ".headers", errors);
  result.query = ValuesOf(meta, match.query_params, field + ".queryParams", errors);
  if (errors->size() > errors_before) return std::nullopt;
  return result;
}

// Zero asks for no limit.
std::optional<Duration> TimeoutOf(const std::optional<Duration>& timeout) {
  return timeout && *timeout != Duration::zero() ? timeout : std::nullopt;
}

// The rule's matches, and why the rule cannot be served, if it cannot.
RouteRules::Matches MatchesOf(const api::HttpRoute& route, size_t index, std::string* unsupported) {
  std::vector<std::string> errors;
  for (std::string text : {UnsupportedText(route.unsupported),
                           UnsupportedText(route.unsupported, static_cast<int>(index))}) {
    if (!text.empty()) errors.push_back(std::move(text));
  }
  RouteRules::Matches matches;
  const std::vector<api::RouteMatch>& specs = route.rules[index].matches;
  for (size_t i = 0; i < specs.size(); ++i) {
    matches.push_back(MatchOf(route.meta, specs[i],
                              fmt::format("spec.rules[{}].matches[{}]", index, i), &errors));
  }
  *unsupported = Join(errors);
  return matches;
}

std::shared_ptr<const RetryPolicy> RetryOf(const std::optional<api::RouteRetry>& spec) {
  if (!spec) return nullptr;
  auto policy = std::make_shared<RetryPolicy>();
  policy->codes = spec->codes;
  if (spec->attempts) policy->attempts = static_cast<uint32_t>(*spec->attempts);
  policy->back_off = spec->backoff.value_or(Duration::zero());
  return policy;
}

std::shared_ptr<const SessionPolicy> SessionOf(const api::RouteRule& spec,
                                               const std::string& scope) {
  if (!spec.session) return nullptr;
  auto policy = std::make_shared<SessionPolicy>();
  policy->scope = scope;
  policy->by_header = spec.session->by_header;
  policy->permanent = spec.session->permanent;
  policy->absolute_timeout = spec.session->absolute_timeout.value_or(Duration::zero());
  policy->idle_timeout = spec.session->idle_timeout.value_or(Duration::zero());
  policy->name = spec.session->session_name;
  if (policy->name.empty()) policy->name = CookieNameFor(scope);
  for (const api::RouteMatch& match : spec.matches) {
    const bool regex = match.path_type == api::PathMatchType::kRegularExpression;
    policy->cookie_paths.push_back(CookiePathFor(match.path, regex));
  }
  std::ranges::stable_sort(policy->cookie_paths, std::greater<>(), &std::string::size);
  return policy;
}

std::shared_ptr<const StickyPolicy> StickyOfRoute(const std::optional<api::Stickiness>& spec) {
  if (!spec) return nullptr;
  auto policy = std::make_shared<StickyPolicy>();
  switch (spec->by) {
    case api::Stickiness::By::kHeader:
      policy->by = StickyPolicy::By::kHeader;
      break;
    case api::Stickiness::By::kCookie:
      policy->by = StickyPolicy::By::kCookie;
      break;
    case api::Stickiness::By::kSession:
      policy->by = StickyPolicy::By::kSession;
  }
  policy->name = spec->name;
  return policy;
}

// Of all its rules and of all that they lead to.
std::shared_ptr<Breaker> BreakerOfRoute(const Context& context, const api::HttpRoute& route) {
  return context.breakers->Get(RefOf(route).ToString(), {route.max_requests, route.max_waiting});
}

// Only pools with queues have anybody wait.
void WarnOfMaxWaiting(Context& context, const PoolSet& pools, const api::HttpRoute& route,
                      const std::vector<std::shared_ptr<const RouteRule>>& rules) {
  if (!route.max_waiting) return;
  for (const std::shared_ptr<const RouteRule>& rule : rules) {
    for (const Destination& destination : rule->destinations) {
      if (destination.kind != Destination::Kind::kPool) continue;
      if (pools.recipe(destination.pool).base.queueing) return;
    }
  }
  const char* const key = api::kMaxWaitingAnnotation;
  context.warnings.push_back(fmt::format(
      "{}: annotation {}: has no effect, as no pool that the route leads to has {}: \"true\"{}",
      RefOf(route).ToString(), key, api::kQueueingAnnotation, route.meta.WhereAnnotation(key)));
}

// By what the reference says, not by what it leads to: its place in the list does not count, unless
// the same stands there several times.
uint64_t StickyKeyOf(const std::vector<api::BackendRef>& refs, size_t index,
                     const std::string& scope) {
  const auto name_of = [](const api::BackendRef& ref) {
    return fmt::format("{}/{}/{}/{}:{}", ref.group, ref.kind, ref.ns, ref.name,
                       ref.port.value_or(0));
  };
  const std::string name = name_of(refs[index]);
  size_t before = 0;
  for (size_t i = 0; i < index; ++i) before += name_of(refs[i]) == name;
  return StickyKey(StickyOf::kRule, scope, fmt::format("{}#{}", name, before));
}

// A rule may be named as another one is numbered.
std::string ScopeOf(const RouteRule& rule) {
  return rule.route + (rule.named ? "/" : "#") + rule.label;
}

// Whose endpoints the rule leads to, or would but that it is invalid: that is told to the same.
void NoteTarget(const Context& context, const api::BackendRef& ref, const ResolvedRef& resolved,
                RouteRules* result) {
  const bool is_pool =
      resolved.pool != nullptr ||
      (ref.kind == "InferencePool" && context.IsInvalid(ref.group, ref.kind, ref.ns, ref.name));
  if (is_pool) result->targets.push_back({ref.group, ref.ns, ref.name});
  if (resolved.service != nullptr) {
    result->targets.push_back({"", resolved.service->meta.ns, resolved.service->meta.name});
  }
}

// One condition has one reason: the first. The message has them all. `field`: of the rule.
void NoteUnresolved(const api::HttpRoute& route, size_t index, const std::string& field,
                    const ResolvedRef& resolved, RouteRules* result) {
  if (resolved.reason.empty()) return;
  const std::string& name = route.rules[index].name;
  const std::string message = (name.empty() ? "" : fmt::format("rule {}: ", name)) +
                              resolved.message +
                              route.meta.Where(fmt::format("spec.rules[{}].{}", index, field));
  if (result->resolved.ok()) {
    result->resolved = Refused(resolved.reason, message);
  } else {
    result->resolved.message += "; " + message;
  }
}

// Where copies go, of those filters. What does not resolve is left out: requests are served without
// their copies.
std::vector<Mirror> MirrorsOf(const Context& context, PoolSet& pools, const api::HttpRoute& route,
                              size_t index, const std::string& field,
                              const api::RouteFilters& filters, RouteRules* result) {
  std::vector<Mirror> mirrors;
  for (const api::RequestMirror& spec : filters.mirrors) {
    api::BackendRef ref;
    ref.group = spec.group;
    ref.kind = spec.kind;
    ref.ns = spec.ns;
    ref.name = spec.name;
    ref.port = spec.port;
    const ResolvedRef resolved = Resolve(context, pools, route, ref);
    NoteTarget(context, ref, resolved, result);
    NoteUnresolved(route, index, field, resolved, result);
    if (resolved.destination.kind != Destination::Kind::kPool) continue;
    mirrors.push_back(
        {pools.recipe(resolved.destination.pool).base.pool.id, spec.numerator, spec.denominator});
  }
  return mirrors;
}

// Adds the rule's destinations and what does not resolve.
void ResolveRefs(const Context& context, PoolSet& pools, const api::HttpRoute& route, size_t index,
                 RouteRule* rule, RouteRules* result) {
  const std::vector<api::BackendRef>& refs = route.rules[index].backend_refs;
  for (size_t i = 0; i < refs.size(); ++i) {
    const ResolvedRef resolved = Resolve(context, pools, route, refs[i]);
    const std::string field = fmt::format("backendRefs[{}]", i);
    Destination& destination = rule->destinations.emplace_back(resolved.destination);
    destination.filters =
        MakeFilters(refs[i].filters, route.rules[index],
                    MirrorsOf(context, pools, route, index, field, refs[i].filters, result));
    if (rule->sticky != nullptr) destination.sticky_key = StickyKeyOf(refs, i, ScopeOf(*rule));
    rule->total_weight += resolved.destination.weight;
    NoteTarget(context, refs[i], resolved, result);
    NoteUnresolved(route, index, field, resolved, result);
  }
}

}  // namespace

std::string UnservableText(const api::HttpRoute& route) {
  std::vector<std::string> errors;
  for (size_t i = 0; i < route.rules.size(); ++i) {
    std::string unsupported;
    MatchesOf(route, i, &unsupported);
    if (unsupported.empty()) return "";
    errors.push_back(std::move(unsupported));
  }
  return Join(errors);
}

RouteRules MakeRules(Context& context, PoolSet& pools, const api::HttpRoute& route) {
  RouteRules result;
  std::shared_ptr<const ApiKeys> keys;
  if (route.access && !route.access->open) {
    keys = MakeApiKeys(context, *route.access, route.meta.ns,
                       fmt::format("HTTPRoute {}/{}", route.meta.ns, route.meta.name));
  }
  result.route = route.meta.ns + "/" + route.meta.name;
  const std::shared_ptr<const StickyPolicy> sticky = StickyOfRoute(route.sticky);
  const std::shared_ptr<Breaker> breaker = BreakerOfRoute(context, route);
  result.resolved = Holds("ResolvedRefs");
  std::vector<std::string> dropped;
  for (size_t i = 0; i < route.rules.size(); ++i) {
    const api::RouteRule& spec = route.rules[i];
    auto rule = std::make_shared<RouteRule>();
    rule->route = result.route;
    rule->named = !spec.name.empty();
    rule->label = rule->named ? spec.name : std::to_string(i);
    rule->name = fmt::format("{}/{}", result.route, rule->label);
    rule->request_timeout = TimeoutOf(spec.request_timeout);
    rule->try_timeout = TimeoutOf(spec.try_timeout);
    rule->stream_keepalive = route.stream_keepalive;
    rule->api_keys = keys;
    rule->breaker = breaker;
    rule->log = route.log;
    rule->retry = RetryOf(spec.retry);
    rule->session = SessionOf(spec, ScopeOf(*rule));
    rule->sticky = sticky;
    rule->filters = MakeFilters(
        spec.filters, spec, MirrorsOf(context, pools, route, i, "filters", spec.filters, &result));
    result.matches.push_back(MatchesOf(route, i, &rule->unsupported));
    for (const std::optional<RouteMatch>& match : result.matches.back()) {
      result.chooses_by_model |= match && ChoosesByModel(*match);
    }
    const std::string foreign =
        ForeignText(context, api::kGatewayGroup, "HTTPRoute", route.meta, spec.name);
    if (!foreign.empty()) {
      rule->unsupported += (rule->unsupported.empty() ? "" : "; ") + foreign;
    }
    ResolveRefs(context, pools, route, i, rule.get(), &result);
    context.releases->ShareRule(context, pools, route.meta.key(), i, rule.get());
    if (!rule->unsupported.empty()) {
      const std::string name = rule->named ? fmt::format(" ({})", spec.name) : "";
      dropped.push_back(fmt::format("Dropped Rule {}{}: {}", i, name, rule->unsupported));
    }
    result.rules.push_back(std::move(rule));
  }
  WarnOfMaxWaiting(context, pools, route, result.rules);
  result.unsupported = dropped.size();
  result.unsupported_text = Join(dropped);
  return result;
}

std::optional<RouteRules> RouteRules::For(const Context& context, PoolSet& pool_set,
                                          const ClientIdentity& identity) const {
  std::optional<RouteRules> result;
  for (size_t i = 0; i < rules.size(); ++i) {
    std::shared_ptr<RouteRule> changed;
    for (size_t j = 0; j < rules[i]->destinations.size(); ++j) {
      const Destination& destination = rules[i]->destinations[j];
      if (destination.kind != Destination::Kind::kPool) continue;
      const uint32_t pool = pool_set.For(context, destination.pool, identity);
      if (pool == destination.pool) continue;
      if (changed == nullptr) changed = std::make_shared<RouteRule>(*rules[i]);
      changed->destinations[j].pool = pool;
    }
    if (changed == nullptr) continue;
    if (!result) result = *this;
    result->rules[i] = std::move(changed);
  }
  return result;
}

void RouteRules::AppendEntries(const api::HttpRoute& spec, const std::string& hostname,
                               const std::string& listener_hostname, const std::string& refused,
                               const std::shared_ptr<const ApiKeys>& gateway_keys,
                               std::vector<RouteTable::Entry>* entries) const {
  for (size_t i = 0; i < rules.size(); ++i) {
    std::shared_ptr<const RouteRule> rule = rules[i];
    const bool by_gateway = gateway_keys != nullptr && !spec.access;
    if (!refused.empty() || by_gateway) {
      auto copy = std::make_shared<RouteRule>(*rule);
      if (by_gateway) copy->api_keys = gateway_keys;
      if (!refused.empty()) copy->unsupported += (copy->unsupported.empty() ? "" : "; ") + refused;
      rule = std::move(copy);
    }
    for (size_t j = 0; j < matches[i].size(); ++j) {
      if (!matches[i][j]) continue;
      RouteTable::Entry& entry = entries->emplace_back();
      entry.hostname = hostname.empty() ? "*" : hostname;
      entry.listener_hostname = listener_hostname.empty() ? "*" : listener_hostname;
      entry.match = *matches[i][j];
      entry.rule = rule;
      entry.created_unix_s = spec.meta.creation_unix_s;
      entry.route = route;
      entry.rule_index = static_cast<uint32_t>(i);
      entry.match_index = static_cast<uint32_t>(j);
    }
  }
}

}  // namespace gw::internal
