#include <algorithm>
#include <charconv>
#include <set>
#include <tuple>

#include "api/annotations.h"
#include "api/kinds.h"
#include "api/names.h"
#include "api/read_access.h"
#include "api/read_filters.h"
#include "base/text.h"

namespace gw::api {
namespace {

constexpr size_t kMatchesPerRouteMax = 128;
constexpr int64_t kRetryAttemptsMax = 100;
constexpr size_t kStickyNameMax = 128;
constexpr char kStickyWanted[] = "must be \"header:NAME\", \"cookie:NAME\" or \"session\"";

ParentRef ReadParentRef(const Value& value, const std::string& ns) {
  MapReader in = value.Map();
  ParentRef ref;
  const Value group = in.Get("group");
  ref.group_given = group.present();
  if (ref.group_given) ref.group = group.Group();
  const Value kind = in.Get("kind");
  ref.kind_given = kind.present();
  if (ref.kind_given) ref.kind = kind.Kind();
  const Value other = in.Get("namespace");
  ref.ns_given = other.present();
  ref.ns = ref.ns_given ? other.DnsLabel() : ns;
  ref.name = in.Require("name").Text(1, 253);
  ref.section_name = in.Get("sectionName").DnsSubdomain();
  ref.port = in.Get("port").Port();
  return ref;
}

std::vector<ParentRef> ReadParentRefs(const Value& value, const std::string& ns) {
  using Parent = std::tuple<std::string, std::string, std::string, std::string>;
  std::vector<ParentRef> refs;
  std::set<std::tuple<Parent, std::string, int>> seen;
  std::map<Parent, bool> whole;  // whether it was named without section and port
  for (const Value& item : value.List(0, 32)) {
    item.Keep();
    ParentRef ref = ReadParentRef(item, ns);
    const Parent parent{ref.group, ref.kind, ref.ns, ref.name};
    const bool is_whole = ref.section_name.empty() && !ref.port;
    const auto [entry, first] = whole.emplace(parent, is_whole);
    if (!seen.emplace(parent, ref.section_name, ref.port.value_or(0)).second) {
      item.Error("names the same parent as another entry");
    } else if (!first && entry->second != is_whole) {
      item.Error("names the same parent as another entry: both must have a sectionName or a port");
    }
    refs.push_back(std::move(ref));
  }
  return refs;
}

// headers or queryParams. Exact repetitions are an error; header names that differ only in case are
// one name, of which the first counts.
std::vector<ValueMatch> ReadValueMatches(const Value& value, bool headers) {
  std::vector<ValueMatch> matches;
  std::set<std::string> written;
  std::set<std::string> names;
  for (const Value& item : value.List(0, 16)) {
    MapReader in = item.Map();
    ValueMatch match;
    if (in.Get("type").OneOf({"Exact", "RegularExpression"}, 0) == 1) {
      match.type = ValueMatchType::kRegularExpression;
    }
    const Value name = in.Require("name");
    match.name = name.TextLike(IsHttpToken,
                               headers ? "the name of a header" : "the name of a query parameter");
    const Value text = in.Require("value");
    match.value = text.Text(1, headers ? 4096 : 1024);
    text.Keep(value.path() + "[" + (headers ? ToLower(match.name) : match.name) + "].value");
    if (match.name.empty()) continue;
    if (!written.insert(match.name).second) name.Error("is given twice");
    if (headers) match.name = ToLower(match.name);
    if (names.insert(match.name).second) matches.push_back(std::move(match));
  }
  return matches;
}

RouteMatch ReadMatch(const Value& value) {
  static constexpr const char* kMethods[] = {"",       "GET",     "HEAD",    "POST",  "PUT",
                                             "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};
  static constexpr PathMatchType kTypes[] = {PathMatchType::kExact, PathMatchType::kPathPrefix,
                                             PathMatchType::kRegularExpression};
  RouteMatch match;
  MapReader in = value.Map();
  {
    MapReader path = in.Get("path").Map();
    const Value type = path.Get("type");
    match.path_type = kTypes[type.OneOf({"Exact", "PathPrefix", "RegularExpression"}, 1)];
    const Value text = path.Get("value");
    if (text.present()) match.path = text.Text(1, 1024);
    text.Keep();
    const bool is_path = match.path_type != PathMatchType::kRegularExpression;
    if (is_path && text.IsText() && !match.path.empty()) {
      const std::string_view fault = PathFault(match.path);
      if (!fault.empty()) text.Error(std::string(fault) + ", got " + Quoted(match.path));
    }
  }
  match.headers = ReadValueMatches(in.Get("headers"), true);
  match.query_params = ReadValueMatches(in.Get("queryParams"), false);
  const Value method = in.Get("method");
  if (method.present()) {
    match.method = kMethods[1 + method.OneOf({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT",
                                              "OPTIONS", "TRACE", "PATCH"},
                                             0)];
  }
  return match;
}

BackendRef ReadBackendRef(const Value& value, const std::string& ns, int index,
                          const RouteRule& rule, std::vector<Unsupported>* unsupported) {
  MapReader in = value.Map();
  BackendRef ref;
  ref.group = in.Get("group").Group();
  if (const Value kind = in.Get("kind"); kind.present()) ref.kind = kind.Kind();
  const Value other = in.Get("namespace");
  ref.ns = other.present() ? other.DnsLabel() : ns;
  ref.name = in.Require("name").Text(1, 253);
  const Value port = in.Get("port");
  ref.port = port.Port();
  if (!port.present() && ref.group.empty() && ref.kind == "Service") {
    port.Error("is required for a Service");
  }
  ref.weight = static_cast<int>(in.Get("weight").Integer(0, 1'000'000).value_or(1));
  ref.filters = ReadFilters(in.Get("filters"), {ns, index, rule.matches}, unsupported);
  return ref;
}

void ReadTimeouts(const Value& value, RouteRule* rule) {
  MapReader in = value.Map();
  rule->request_timeout = in.Get("request").DurationText();
  const Value backend = in.Get("backendRequest");
  rule->try_timeout = backend.DurationText();
  if (rule->request_timeout.value_or(Duration{}) != Duration{} && rule->try_timeout &&
      *rule->try_timeout > *rule->request_timeout) {
    backend.Error("must not be longer than timeouts.request");
  }
}

std::optional<RouteRetry> ReadRetry(const Value& value, int index,
                                    std::vector<Unsupported>* unsupported) {
  if (!value.present()) return std::nullopt;
  MapReader in = value.Map();
  RouteRetry retry;
  std::set<int> codes;
  for (const Value& item : in.Get("codes").List(0, 200)) {
    const std::optional<int64_t> code = item.Integer(400, 599);
    if (code && !codes.insert(static_cast<int>(*code)).second) item.Error("is given twice");
  }
  retry.codes.assign(codes.begin(), codes.end());
  const Value attempts = in.Get("attempts");
  if (const std::optional<int64_t> count = attempts.Integer(0, INT32_MAX)) {
    retry.attempts = static_cast<int>(*count);
    if (*count > kRetryAttemptsMax) {
      Refuse(attempts, index,
             "more than " + std::to_string(kRetryAttemptsMax) + " attempts are not supported",
             unsupported);
    }
  }
  retry.backoff = in.Get("backoff").DurationText();
  return retry;
}

// A name that a cookie, or a header field, can have beside those that say something already.
std::string ReadSessionName(const Value& value, bool by_header, int index,
                            std::vector<Unsupported>* unsupported) {
  static constexpr std::string_view kTaken[] = {"content-encoding", "content-type", "cookie",
                                                "set-cookie"};
  if (!value.present()) return "";
  const std::string name = value.Text(0, 128);
  const std::string lower = ToLower(name);
  const bool taken =
      by_header && (IsGatewaysOwn(lower) || std::ranges::find(kTaken, lower) != std::end(kTaken));
  if (!name.empty() && (!IsHttpToken(name) || taken)) {
    Refuse(value, index,
           Quoted(name) + (by_header ? " cannot be the header field of sessions"
                                     : " cannot be the name of a cookie"),
           unsupported);
  }
  return name;
}

std::optional<SessionPersistence> ReadSession(const Value& value, int index,
                                              std::vector<Unsupported>* unsupported) {
  if (!value.present()) return std::nullopt;
  MapReader in = value.Map();
  SessionPersistence session;
  session.by_header = in.Get("type").OneOf({"Cookie", "Header"}, 0) == 1;
  session.session_name =
      ReadSessionName(in.Get("sessionName"), session.by_header, index, unsupported);
  const Value absolute = in.Get("absoluteTimeout");
  session.absolute_timeout = absolute.DurationText();
  session.idle_timeout = in.Get("idleTimeout").DurationText();
  const Value cookie = in.Get("cookieConfig");
  MapReader config = cookie.Map();
  session.permanent = config.Get("lifetimeType").OneOf({"Session", "Permanent"}, 0) == 1;
  if (session.permanent && !absolute.present()) {
    absolute.Error("is required where cookieConfig.lifetimeType is Permanent");
  }
  if (session.by_header && cookie.present()) {
    cookie.Error("can only be given with type Cookie");
  }
  return session;
}

RouteRule ReadRule(const Value& value, const std::string& ns, int index,
                   std::vector<Unsupported>* unsupported) {
  MapReader in = value.Map();
  RouteRule rule;
  rule.name = in.Get("name").DnsSubdomain();
  for (const Value& item : in.Get("matches").List(0, 64)) {
    rule.matches.push_back(ReadMatch(item));
  }
  if (rule.matches.empty()) rule.matches.emplace_back();
  const Value filters = in.Get("filters");
  rule.filters = ReadFilters(filters, {ns, index, rule.matches}, unsupported);
  for (const Value& item : in.Get("backendRefs").List(0, 16)) {
    item.Keep();
    rule.backend_refs.push_back(ReadBackendRef(item, ns, index, rule, unsupported));
  }
  if (rule.filters.redirect && !rule.backend_refs.empty()) {
    filters.Error("a rule that redirects must have no backendRefs");
  }
  ReadTimeouts(in.Get("timeouts"), &rule);
  rule.retry = ReadRetry(in.Get("retry"), index, unsupported);
  rule.session = ReadSession(in.Get("sessionPersistence"), index, unsupported);
  return rule;
}

void ReadKeepalive(const ObjectInput& in, HttpRoute* route) {
  const auto found = in.meta.annotations.find(kStreamKeepaliveAnnotation);
  if (found == in.meta.annotations.end()) return;
  route->stream_keepalive = ParseStreamKeepalive(found->second);
  if (route->stream_keepalive) return;
  in.top.Get("metadata")
      .At("annotations")
      .At(found->first)
      .Error(std::string(kStreamKeepaliveWanted) + ", got " + Quoted(found->second));
}

std::optional<int64_t> ReadMax(const ObjectInput& in, const char* annotation, int64_t min) {
  const auto found = in.meta.annotations.find(annotation);
  if (found == in.meta.annotations.end()) return std::nullopt;
  const std::string& text = found->second;
  int64_t max = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, max);
  if (error == std::errc() && stop == end && max >= min && max <= kMaxRequestsMax) return max;
  in.top.Get("metadata")
      .At("annotations")
      .At(annotation)
      .Error("must be " + std::to_string(min) + ".." + std::to_string(kMaxRequestsMax) + ", got " +
             Quoted(text));
  return std::nullopt;
}

RequestLog ReadLog(const ObjectInput& in) {
  RequestLog log;
  const Value annotations = in.top.Get("metadata").At("annotations");
  const auto& all = in.meta.annotations;
  if (const auto found = all.find(kLogRequestsAnnotation); found != all.end()) {
    log.share = ParseLogShare(found->second);
    if (!log.share) {
      annotations.At(found->first)
          .Error(std::string(kLogShareWanted) + ", got " + Quoted(found->second));
    }
  }
  if (const auto found = all.find(kLogLevelAnnotation); found != all.end()) {
    const std::optional<LogLevel> level = LogLevelFromName(found->second);
    if (!level) {
      annotations.At(found->first)
          .Error("must be \"debug\", \"info\", \"warning\" or \"error\", got " +
                 Quoted(found->second));
    }
    log.level = level.value_or(LogLevel::kInfo);
  }
  return log;
}

std::optional<Stickiness> ParseStickiness(std::string_view text) {
  if (text == "session") return Stickiness{Stickiness::By::kSession, ""};
  const size_t colon = text.find(':');
  const std::string_view by = text.substr(0, colon);
  const bool by_header = by == "header";
  if (colon == std::string_view::npos || (!by_header && by != "cookie")) return std::nullopt;
  const std::string_view name = text.substr(colon + 1);
  if (!IsHttpToken(name) || name.size() > kStickyNameMax) return std::nullopt;
  if (!by_header) return Stickiness{Stickiness::By::kCookie, std::string(name)};
  std::string lower = ToLower(name);
  if (IsGatewaysOwn(lower)) return std::nullopt;
  return Stickiness{Stickiness::By::kHeader, std::move(lower)};
}

// After the rules: what a session of one of them stands in says something else each time.
void ReadStickiness(const ObjectInput& in, HttpRoute* route) {
  const auto found = in.meta.annotations.find(kStickyAnnotation);
  if (found == in.meta.annotations.end()) return;
  const Value value = in.top.Get("metadata").At("annotations").At(found->first);
  route->sticky = ParseStickiness(found->second);
  if (!route->sticky) {
    value.Error(std::string(kStickyWanted) + ", got " + Quoted(found->second));
    return;
  }
  if (route->sticky->by == Stickiness::By::kSession) return;
  const bool by_header = route->sticky->by == Stickiness::By::kHeader;
  for (size_t i = 0; i < route->rules.size(); ++i) {
    const std::optional<SessionPersistence>& session = route->rules[i].session;
    if (!session || session->by_header != by_header) continue;
    const std::string name = by_header ? ToLower(session->session_name) : session->session_name;
    if (name != route->sticky->name) continue;
    value.Error("must be another " + std::string(by_header ? "header" : "cookie") +
                " than that of spec.rules[" + std::to_string(i) + "].sessionPersistence, got " +
                Quoted(found->second));
    return;
  }
}

}  // namespace

HttpRoute ReadHttpRoute(ObjectInput& in) {
  HttpRoute route;
  ReadKeepalive(in, &route);
  route.max_requests = ReadMax(in, kMaxRequestsAnnotation, 1);
  route.max_waiting = ReadMax(in, kMaxWaitingAnnotation, 0);
  route.log = ReadLog(in);
  route.access = ReadKeyAccess(in);
  MapReader spec = in.top.Require("spec").Map();
  route.parent_refs = ReadParentRefs(spec.Get("parentRefs"), in.meta.ns);
  for (const Value& item : spec.Get("hostnames").List(0, 16)) {
    route.hostnames.push_back(item.Hostname());
  }
  spec.Get("parentRefs").Keep();
  NoteUnsupported(spec.Get("useDefaultGateways"), -1, &route.unsupported);
  const Value rules = spec.Get("rules");
  size_t matches = 0;
  // At least one when given: an empty list is no request for the default rule.
  std::set<std::string> names;
  for (const Value& item : rules.List(1, 16)) {
    const int index = static_cast<int>(route.rules.size());
    route.rules.push_back(ReadRule(item, in.meta.ns, index, &route.unsupported));
    const std::string& name = route.rules.back().name;
    if (!name.empty() && !names.insert(name).second) {
      item.At("name").Error("is the name of another rule, too: got " + Quoted(name));
    }
    matches += route.rules.back().matches.size();
  }
  if (matches > kMatchesPerRouteMax) {
    rules.Error("must have at most 128 matches together, got " + std::to_string(matches));
  }
  if (route.rules.empty()) {
    route.rules.emplace_back();
    route.rules.back().matches.emplace_back();
  }
  ReadStickiness(in, &route);
  route.version = in.version;
  route.meta = std::move(in.meta);
  return route;
}

}  // namespace gw::api
