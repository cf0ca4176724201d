// RouteTable against a slow and obvious version: try every entry, keep those that match, take the
// best. Small alphabets make hosts, paths and conditions collide.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <tuple>
#include <vector>

#include "routing/route_table.h"

namespace gw {
namespace {

using Entry = RouteTable::Entry;

const std::vector<std::string> kHostnames = {
    "*",           "*.com",         "*.example.com",  "*.a.example.com",
    "example.com", "a.example.com", "b.a.example.com"};
const std::vector<std::string> kHosts = {"example.com",
                                         "a.example.com",
                                         "A.Example.Com",
                                         "b.a.example.com",
                                         "c.b.a.example.com",
                                         "com",
                                         "x.com",
                                         "x.net",
                                         "",
                                         "127.0.0.1"};
const std::vector<std::string> kPaths = {"/", "/a", "/a/", "/a/b", "/ab", "/a/b/c", "/b"};
const std::vector<std::string> kPatterns = {".*", "/a.*", "/[ab]"};
const std::vector<std::string> kMethods = {"", "", "GET", "POST"};
const std::vector<std::string> kNames = {"x", "y", "z"};

struct Request {
  std::string host;
  std::string path;
  std::string method;
  std::vector<HeaderMatch> headers;
  std::vector<HeaderMatch> query;
};

template <typename T>
const T& PickFrom(const std::vector<T>& values, Random& random) {
  return values[random.Below(values.size())];
}

std::vector<HeaderMatch> RandomConditions(Random& random) {
  std::vector<HeaderMatch> conditions;
  for (const std::string& name : kNames) {
    if (random.Below(4) == 0) conditions.push_back({name, std::to_string(random.Below(2))});
  }
  return conditions;
}

Entry RandomEntry(Random& random, size_t number, const std::vector<std::string>& listeners) {
  Entry entry;
  entry.listener_hostname = PickFrom(listeners, random);
  entry.hostname = PickFrom(kHostnames, random);
  entry.match.path = PickFrom(kPaths, random);
  const uint64_t type = random.Below(3);
  if (type == 0) entry.match.path_type = RouteMatch::PathType::kExact;
  if (type == 1) {
    entry.match.path_type = RouteMatch::PathType::kRegex;
    entry.match.path = PickFrom(kPatterns, random);
    entry.match.path_regex = *Regex::Compile(entry.match.path);
  }
  entry.match.method = PickFrom(kMethods, random);
  entry.match.headers = RandomConditions(random);
  if (random.Below(2) == 0) entry.match.query = RandomConditions(random);
  auto rule = std::make_shared<RouteRule>();
  rule->name = std::to_string(number);
  entry.rule = rule;
  entry.created_unix_s = static_cast<int64_t>(random.Below(2));
  entry.route = PickFrom(std::vector<std::string>{"a/a", "a/b", "b/a"}, random);
  // Different for all entries, so that exactly one is best.
  entry.rule_index = static_cast<uint32_t>(number);
  return entry;
}

bool HostFits(const std::string& pattern, std::string host) {
  std::transform(host.begin(), host.end(), host.begin(), ::tolower);
  if (pattern == "*" || pattern == host) return true;
  if (pattern[0] != '*') return false;
  const std::string suffix = pattern.substr(1);
  return host.size() > suffix.size() && host.ends_with(suffix);
}

bool PathFits(const RouteMatch& match, const std::string& path) {
  if (match.path_type == RouteMatch::PathType::kExact) return match.path == path;
  if (match.path_type == RouteMatch::PathType::kRegex) {
    if (match.path == ".*") return path.starts_with('/');
    if (match.path == "/a.*") return path.starts_with("/a");
    return path == "/a" || path == "/b";
  }
  std::string prefix = match.path;
  if (prefix.ends_with('/')) prefix.pop_back();
  return path == prefix || path.starts_with(prefix + "/");
}

bool AllIn(const std::vector<HeaderMatch>& wanted, const std::vector<HeaderMatch>& sent) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const HeaderMatch& w) {
    return std::any_of(sent.begin(), sent.end(), [&](const HeaderMatch& s) {
      return s.name == w.name && s.value == w.value;
    });
  });
}

// Greater is more specific: exact names over wildcards, then by length.
std::pair<bool, size_t> Specificity(const std::string& pattern) {
  return {pattern[0] != '*', pattern == "*" ? 0 : pattern.size()};
}

size_t PathLength(const RouteMatch& match) {
  if (match.path_type == RouteMatch::PathType::kRegex) return match.path.size();
  return match.path.size() - (match.path.size() > 1 && match.path.ends_with('/') ? 1 : 0);
}

// Does `a` go before `b`?
bool Before(const Entry& a, const Entry& b) {
  const auto wanted = [](const Entry& e) {
    return std::make_tuple(Specificity(e.hostname), -static_cast<int>(e.match.path_type),
                           PathLength(e.match), !e.match.method.empty(), e.match.headers.size(),
                           e.match.query.size());
  };
  const auto order = [](const Entry& e) {
    return std::make_tuple(e.created_unix_s, e.route, e.rule_index);
  };
  if (wanted(a) != wanted(b)) return wanted(a) > wanted(b);
  return order(a) < order(b);
}

const Entry* SlowMatch(const std::vector<Entry>& entries, const std::vector<std::string>& listeners,
                       const Request& request) {
  const std::string* listener = nullptr;
  for (const std::string& hostname : listeners) {
    if (!HostFits(hostname, request.host)) continue;
    if (!listener || Specificity(hostname) > Specificity(*listener)) listener = &hostname;
  }
  const Entry* best = nullptr;
  for (const Entry& entry : entries) {
    if (!listener || entry.listener_hostname != *listener) continue;
    if (!HostFits(entry.hostname, request.host) || !PathFits(entry.match, request.path)) continue;
    if (!entry.match.method.empty() && entry.match.method != request.method) continue;
    if (!AllIn(entry.match.headers, request.headers)) continue;
    if (!AllIn(entry.match.query, request.query)) continue;
    if (!best || Before(entry, *best)) best = &entry;
  }
  return best;
}

Request RandomRequest(Random& random) {
  static const std::vector<std::string> paths = {"/",     "/a",     "/a/",     "/a/b", "/ab",
                                                 "/a/bc", "/a/b/c", "/a/b/c/", "/b",   "//",
                                                 "/c",    "/a//b",  "*"};
  return {PickFrom(kHosts, random), PickFrom(paths, random),
          PickFrom(std::vector<std::string>{"GET", "POST", "HEAD"}, random),
          RandomConditions(random), RandomConditions(random)};
}

std::string QueryOf(const Request& request) {
  std::string query;
  for (const HeaderMatch& param : request.query) {
    query += (query.empty() ? "" : "&") + param.name + "=" + param.value;
  }
  return query;
}

TEST(RouteTableOracle, RandomTablesChooseWhatASearchOfAllEntriesChooses) {
  Random random(20240601);
  int matched = 0;
  int missed = 0;
  for (int round = 0; round < 400; ++round) {
    std::vector<std::string> listeners = {PickFrom(kHostnames, random)};
    while (random.Below(2) == 0) listeners.push_back(PickFrom(kHostnames, random));
    std::vector<Entry> entries;
    for (size_t n = random.Below(60); n > 0; --n) {
      entries.push_back(RandomEntry(random, n, listeners));
    }
    const auto table = RouteTable::Build(entries, listeners);
    for (int i = 0; i < 200; ++i) {
      const Request request = RandomRequest(random);
      http::RequestHead head;
      head.method = request.method;
      for (const HeaderMatch& header : request.headers) head.headers.Add(header.name, header.value);
      const RouteRule* rule = table->Match(request.host, request.path, QueryOf(request), head);
      const Entry* wanted = SlowMatch(entries, listeners, request);
      ASSERT_EQ(rule ? rule->name : "404", wanted ? wanted->rule->name : "404")
          << "round " << round << " host " << request.host << " path " << request.path;
      ++(rule ? matched : missed);
    }
  }
  // Both outcomes are well represented.
  EXPECT_GT(matched, 10000);
  EXPECT_GT(missed, 10000);
}

}  // namespace
}  // namespace gw
