// RouteTable: the HTTPRoutes attached to one listener port, ready for matching in the precedence
// the Gateway API defines. Built once by translate, immutable, shared by all workers.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "base/log_share.h"
#include "base/random.h"
#include "http/head.h"
#include "routing/filters.h"
#include "routing/regex.h"

namespace gw {

namespace release {
struct Split;  // release/split.h
}
class ApiKeys;         // flowcontrol/api_keys.h
struct Breaker;        // flowcontrol/breaker.h
struct RetryPolicy;    // routing/retry.h
struct SessionPolicy;  // routing/session.h
struct StickyPolicy;   // routing/sticky.h

// One weighted destination of a rule.
struct Destination {
  enum class Kind : uint8_t {
    kPool,     // `pool` indexes Snapshot::pools
    kInvalid,  // the reference does not resolve: its share of requests is answered 500
  };
  Kind kind = Kind::kInvalid;
  uint32_t pool = 0;
  uint32_t weight = 1;
  std::shared_ptr<const RouteFilters> filters = nullptr;  // nullptr: none
  uint64_t sticky_key = 0;                                // of StickyOf::kRule, where it is used
};

struct HeaderMatch {
  std::string name;
  std::string value;
  std::shared_ptr<const Regex> regex = nullptr;  // set: fits the value in place of `value`
};

// The header field that stands for the model a request's body names, as in the inference
// extension's body-based routing: the gateway sets it.
inline constexpr std::string_view kModelNameField = "X-Gateway-Model-Name";

// What a condition on kModelNameField is compared with.
struct RouteModel {
  enum class Is : uint8_t {
    kAsSent,  // the head's own field: the body names no model
    kNamed,   // `name`, whatever the head says
    kAny,     // such conditions hold: who asks what there is has not chosen a model yet
  };
  Is is = Is::kAsSent;
  std::string_view name = {};
};

struct RouteMatch {
  enum class PathType : uint8_t { kExact, kRegex, kPrefix };  // in the order of precedence
  PathType path_type = PathType::kPrefix;
  std::string path = "/";  // a prefix is stored without its trailing "/" (except "/" itself)
  std::shared_ptr<const Regex> path_regex = nullptr;  // of kRegex; `path` is its pattern
  std::string method;                                 // empty: any
  std::vector<HeaderMatch> headers;
  std::vector<HeaderMatch> query;
};

bool ChoosesByModel(const RouteMatch& match);  // some condition is on kModelNameField

// One rule of one HTTPRoute.
struct RouteRule {
  std::string route;  // "default/inference-route", for logs and metrics
  std::string name;   // "default/inference-route/0", or /chat if the rule is named so
  std::string label;  // the last part of it, for logs
  bool named = false;
  std::vector<Destination> destinations;
  uint64_t total_weight = 0;  // 0: every request is answered 500, unless it is redirected
  std::shared_ptr<const RouteFilters> filters;   // nullptr: none
  std::optional<Duration> request_timeout;       // client's view, whole exchange
  std::optional<Duration> try_timeout;           // each try
  std::optional<Duration> stream_keepalive;      // of event streams that have no byte yet
  std::shared_ptr<const ApiKeys> api_keys;       // of those who may ask; nullptr: anybody may
  std::shared_ptr<Breaker> breaker;              // of the whole route; nullptr: no limit
  std::shared_ptr<const RetryPolicy> retry;      // nullptr: as endpoints are tried without one
  std::shared_ptr<const SessionPolicy> session;  // nullptr: there are none
  std::shared_ptr<const StickyPolicy> sticky;    // nullptr: chance chooses
  std::shared_ptr<const release::Split> release_split;  // nullptr: no release has its weights
  RequestLog log;           // which of its requests have a line there, and at which level
  std::string unsupported;  // set: answered 500 with it, as the rule needs what is not built

  // Chooses by weight. nullptr if total_weight is 0.
  const Destination* Choose(Random& random) const;
  using Fits = std::function<bool(const Destination&)>;
  const Destination* Choose(Random& random, const Fits& fits) const;  // among those that fit
  // The same by the client's value. nullptr: none that fits has weight.
  const Destination* ChooseSticky(uint64_t value, const Fits& fits) const;
};

// Matching takes a few hash look-ups however many routes there are. Tried one by one are matches of
// one hostname and one path, and a hostname's regular expressions, which cannot be looked up.
class RouteTable {
 public:
  // A match of a rule for one hostname of the intersection of listener and route. `hostname` is
  // "*" for any, "*.example.com" or "a.example.com", in lower case. A wildcard stands for one or
  // more labels: "*.example.com" does not match "example.com".
  struct Entry {
    std::string hostname;
    RouteMatch match;
    std::shared_ptr<const RouteRule> rule;
    // Age and name of the route, and place in it, for the last steps of the precedence.
    int64_t created_unix_s = 0;
    std::string route;  // "namespace/name"
    uint32_t rule_index = 0;
    uint32_t match_index = 0;
    // The listener's own hostname ("*" for none): a request is first assigned to the most specific
    // listener whose hostname matches, and only that listener's entries are considered.
    std::string listener_hostname = "*";
  };

  // Sorts by precedence: exact hostname before longer wildcard before "*"; then Exact path, longest
  // regular expression (which the Gateway API leaves open; before prefixes, as a route for "/"
  // would hide it), longest prefix, method, number of headers, number of query parameters; then
  // oldest route, then name, then rule and match order.
  //
  // Hostnames of routes order the rules and hide none: if no rule of the most specific hostname
  // matches a request, those of the next one are tried. Hostnames of listeners hide: a listener in
  // `listener_hostnames` without a matching entry answers 404 and not with another listener's.
  static std::shared_ptr<const RouteTable> Build(std::vector<Entry> entries,
                                                 std::vector<std::string> listener_hostnames);

  // The rule for a request; nullptr: 404. `host` without port, any case. The path is compared as
  // http::NormalPath writes it, the method with case; a header field sent several times counts as
  // its values joined by commas; of a repeated query parameter the first counts.
  const RouteRule* Match(std::string_view host, std::string_view path, std::string_view query,
                         const http::RequestHead& head, const RouteModel& model = {}) const;
  bool matches_model_name() const { return matches_model_name_; }  // some rule ChoosesByModel

  // The rules that a request for `path` could come to with some method, header fields and query, in
  // the order they are tried: of `rule`'s own HTTPRoute, and of others that choose by the model's
  // name. What stands behind a match without such conditions is out of reach. The route's hostnames
  // are the same for all its rules.
  std::vector<const RouteRule*> RulesFor(const RouteRule& rule, std::string_view path) const;

  const std::vector<Entry>& entries() const { return entries_; }  // in the order of precedence

 private:
  // Values by hostname pattern.
  template <typename T>
  struct HostMap {
    absl::flat_hash_map<std::string, T> exact;
    absl::flat_hash_map<std::string, T> wildcard;  // "*.example.com" under ".example.com"
    std::optional<T> any;

    T& At(const std::string& pattern);
    // Calls `visit` for each pattern that `host` fits, most specific first, until it returns true.
    template <typename Visit>
    void ForEachMatch(std::string_view host, Visit visit) const;
  };
  // Entries [begin, end) share listener, hostname, kind of path and path.
  struct Range {
    uint32_t begin = 0;
    uint32_t end = 0;
  };
  struct PathGroup {
    absl::flat_hash_map<std::string_view, Range> exact;   // keys point into entries_
    std::vector<Range> regexes;                           // longest pattern first
    absl::flat_hash_map<std::string_view, Range> prefix;  // "/" under ""
    std::vector<size_t> prefix_lengths;                   // of the keys of `prefix`, longest first
  };
  struct Listener {
    HostMap<PathGroup> hosts;
  };

  RouteTable(std::vector<Entry> entries, const std::vector<std::string>& listener_hostnames);
  void AddRange(Range range);
  struct Question {
    std::string_view path;
    std::string_view query;
    const http::RequestHead& head;
    const RouteModel& model;
  };
  static bool ConditionsHold(const RouteMatch& match, const Question& question);
  const RouteRule* MatchPath(const PathGroup& group, const Question& question) const;
  const RouteRule* MatchRange(Range range, const Question& question) const;

  std::vector<Entry> entries_;
  bool matches_model_name_ = false;
  HostMap<Listener> listeners_;
};

}  // namespace gw
