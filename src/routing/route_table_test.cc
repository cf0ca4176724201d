#include "routing/route_table.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace gw {
namespace {

using Entry = RouteTable::Entry;

struct Request {
  std::string host = "example.com";
  std::string path = "/";
  std::string query = {};
  std::string method = "GET";
  std::vector<HeaderMatch> headers = {};
};

// Entries are named by their rule; a test asks which name wins.
Entry Prefix(const std::string& name, std::string path, std::string hostname = "*") {
  Entry entry;
  entry.hostname = std::move(hostname);
  entry.match.path = std::move(path);
  auto rule = std::make_shared<RouteRule>();
  rule->name = name;
  entry.rule = rule;
  entry.route = "default/" + name;
  return entry;
}

Entry Exact(const std::string& name, std::string path, std::string hostname = "*") {
  Entry entry = Prefix(name, std::move(path), std::move(hostname));
  entry.match.path_type = RouteMatch::PathType::kExact;
  return entry;
}

Entry OfRegex(const std::string& name, const std::string& pattern) {
  Entry entry = Prefix(name, pattern);
  entry.match.path_type = RouteMatch::PathType::kRegex;
  entry.match.path_regex = *Regex::Compile(pattern);
  return entry;
}

Entry OnListener(Entry entry, std::string listener_hostname) {
  entry.listener_hostname = std::move(listener_hostname);
  return entry;
}

std::string Winner(const RouteTable& table, const Request& request) {
  http::RequestHead head;
  head.method = request.method;
  for (const HeaderMatch& header : request.headers) head.headers.Add(header.name, header.value);
  const RouteRule* rule = table.Match(request.host, request.path, request.query, head);
  return rule == nullptr ? "404" : rule->name;
}

std::string Winner(std::vector<Entry> entries, const Request& request) {
  return Winner(*RouteTable::Build(std::move(entries), {"*"}), request);
}

TEST(RouteTable, AnEmptyTableMatchesNothing) { EXPECT_EQ(Winner({}, {}), "404"); }

TEST(RouteTable, APrefixMatchesWholePathElements) {
  const auto table = RouteTable::Build({Prefix("v2", "/v2"), Prefix("chat", "/v1/chat/")}, {"*"});
  const std::pair<const char*, const char*> kCases[] = {
      {"/v2", "v2"},        {"/v2/", "v2"},         {"/v2/x", "v2"},      {"/v2example", "404"},
      {"/v", "404"},        {"/", "404"},           {"/v2//x", "v2"},     {"/V2", "404"},
      {"/%762", "v2"},      {"/x/v2", "404"},       {"/v1/chat", "chat"}, {"/v1/chat/", "chat"},
      {"/v1/cha", "404"},   {"/v1/chat/x", "chat"}, {"/v1/chats", "404"}, {"/v2?x", "404"},
      {"/v1/../v2", "404"}, {"*", "404"},
  };
  for (const auto& [path, winner] : kCases) {
    EXPECT_EQ(Winner(*table, {.path = path}), winner) << path;
  }
}

TEST(RouteTable, AnEncodedLetterIsThatLetterAndAnEncodedSlashIsNone) {
  const auto table = RouteTable::Build(
      {Exact("exact", "/on%65"), Prefix("prefix", "/v%31/"), OfRegex("regex", "/r[a-c]+")}, {"*"});
  EXPECT_EQ(Winner(*table, {.path = "/%6fne"}), "exact");
  EXPECT_EQ(Winner(*table, {.path = "/v1/x"}), "prefix");
  EXPECT_EQ(Winner(*table, {.path = "/%76%31/%2F"}), "prefix");
  EXPECT_EQ(Winner(*table, {.path = "/%72%61b"}), "regex");
  EXPECT_EQ(Winner(*table, {.path = "/v1%2Fx"}), "404");
}

TEST(RouteTable, TheRootPrefixMatchesEveryPathButTheAsterisk) {
  EXPECT_EQ(Winner({Prefix("all", "/")}, {.path = "/"}), "all");
  EXPECT_EQ(Winner({Prefix("all", "/")}, {.path = "//"}), "all");
  EXPECT_EQ(Winner({Prefix("all", "/")}, {.path = "/a/b"}), "all");
  EXPECT_EQ(Winner({Prefix("all", "/")}, {.path = "*", .method = "OPTIONS"}), "404");
}

TEST(RouteTable, AnExactPathMatchesItselfOnly) {
  const auto table = RouteTable::Build({Exact("one", "/one"), Exact("slash", "/two/")}, {"*"});
  EXPECT_EQ(Winner(*table, {.path = "/one"}), "one");
  EXPECT_EQ(Winner(*table, {.path = "/one/"}), "404");
  EXPECT_EQ(Winner(*table, {.path = "/one/x"}), "404");
  EXPECT_EQ(Winner(*table, {.path = "/two"}), "404");
  EXPECT_EQ(Winner(*table, {.path = "/two/"}), "slash");
}

TEST(RouteTable, ARegularExpressionFitsTheWholePathAndStandsBetweenExactAndPrefix) {
  const auto table = RouteTable::Build(
      {Exact("exact", "/v1/models"), OfRegex("short", "/v1/.*"), OfRegex("long", "/v[0-9]+/chat"),
       OfRegex("any", ".*a"), Prefix("prefix", "/v1"), Prefix("root", "/")},
      {"*"});
  const std::pair<const char*, const char*> kCases[] = {
      {"/v1/models", "exact"}, {"/v1/chat", "long"}, {"/v22/chat", "long"},
      {"/v1/x", "short"},      {"/v1", "prefix"},    {"/v1/chat/x", "short"},
      {"/x/v2/chat", "root"},  {"/a", "any"},        {"*a", "404"},
  };
  for (const auto& [path, winner] : kCases) {
    EXPECT_EQ(Winner(*table, {.path = path}), winner) << path;
  }
}

TEST(RouteTable, RegularExpressionsOfHeadersAndQueryFitWholeValues) {
  Entry header = Prefix("header", "/");
  header.match.headers = {{"x-n", "[0-9]+(,[0-9]+)?", *Regex::Compile("[0-9]+(,[0-9]+)?")}};
  Entry query = Prefix("query", "/");
  query.match.query = {{"n", "a.c", *Regex::Compile("a.c")}};
  const auto table = RouteTable::Build({header, query}, {"*"});
  EXPECT_EQ(Winner(*table, {.headers = {{"X-N", "12"}}}), "header");
  EXPECT_EQ(Winner(*table, {.headers = {{"X-N", "12"}, {"x-n", "3"}}}), "header");
  EXPECT_EQ(Winner(*table, {.headers = {{"X-N", "12"}, {"x-n", "b"}}}), "404");
  EXPECT_EQ(Winner(*table, {.headers = {{"X-N", "12b"}}}), "404");
  EXPECT_EQ(Winner(*table, {.headers = {{"other", "12"}}}), "404");
  EXPECT_EQ(Winner(*table, {.query = "n=abc"}), "query");
  EXPECT_EQ(Winner(*table, {.query = "n=a%20c"}), "query");
  EXPECT_EQ(Winner(*table, {.query = "n=abcd"}), "404");
  EXPECT_EQ(Winner(*table, {.query = "m=abc"}), "404");
}

TEST(RouteTable, ExactBeatsPrefixAndTheLongerPrefixWins) {
  const std::vector<Entry> entries = {Prefix("root", "/"), Prefix("v1", "/v1"),
                                      Prefix("chat", "/v1/chat"), Exact("exact", "/v1/chat")};
  EXPECT_EQ(Winner(entries, {.path = "/v1/chat"}), "exact");
  EXPECT_EQ(Winner(entries, {.path = "/v1/chat/x"}), "chat");
  EXPECT_EQ(Winner(entries, {.path = "/v1/models"}), "v1");
  EXPECT_EQ(Winner(entries, {.path = "/v2"}), "root");
}

TEST(RouteTable, HostsCompareWithoutCase) {
  const std::vector<Entry> entries = {Prefix("a", "/", "a.example.com"),
                                      Prefix("wild", "/", "*.example.com")};
  EXPECT_EQ(Winner(entries, {.host = "A.Example.COM"}), "a");
  EXPECT_EQ(Winner(entries, {.host = "B.Example.COM"}), "wild");
}

TEST(RouteTable, AWildcardStandsForOneOrMoreLabels) {
  const std::vector<Entry> entries = {Prefix("wild", "/", "*.example.com")};
  EXPECT_EQ(Winner(entries, {.host = "a.example.com"}), "wild");
  EXPECT_EQ(Winner(entries, {.host = "a.b.example.com"}), "wild");
  EXPECT_EQ(Winner(entries, {.host = "example.com"}), "404");
  EXPECT_EQ(Winner(entries, {.host = ".example.com"}), "404");
  EXPECT_EQ(Winner(entries, {.host = "aexample.com"}), "404");
  EXPECT_EQ(Winner(entries, {.host = ""}), "404");
}

TEST(RouteTable, TheMostSpecificHostnameGoesFirstWhateverThePath) {
  const std::vector<Entry> entries = {
      Exact("any", "/v1/chat"), Prefix("short wildcard", "/v1/chat", "*.com"),
      Prefix("long wildcard", "/v1", "*.example.com"), Prefix("exact", "/", "a.example.com")};
  EXPECT_EQ(Winner(entries, {.host = "a.example.com", .path = "/v1/chat"}), "exact");
  EXPECT_EQ(Winner(entries, {.host = "b.example.com", .path = "/v1/chat"}), "long wildcard");
  EXPECT_EQ(Winner(entries, {.host = "b.com", .path = "/v1/chat"}), "short wildcard");
  EXPECT_EQ(Winner(entries, {.host = "b.net", .path = "/v1/chat"}), "any");
}

TEST(RouteTable, ALessSpecificHostnameIsTriedWhenNoRuleOfTheMostSpecificMatches) {
  const std::vector<Entry> entries = {Prefix("any", "/"), Prefix("wild", "/v1", "*.example.com"),
                                      Prefix("exact", "/v1/chat", "a.example.com")};
  EXPECT_EQ(Winner(entries, {.host = "a.example.com", .path = "/v1/chat"}), "exact");
  EXPECT_EQ(Winner(entries, {.host = "a.example.com", .path = "/v1/models"}), "wild");
  EXPECT_EQ(Winner(entries, {.host = "a.example.com", .path = "/v2"}), "any");
}

TEST(RouteTable, AListenerHidesLessSpecificListeners) {
  const auto table = RouteTable::Build(
      {Prefix("open", "/"), OnListener(Prefix("wild", "/", "*.example.com"), "*.example.com"),
       OnListener(Prefix("foo", "/foo", "foo.example.com"), "foo.example.com")},
      {"*", "*.example.com", "foo.example.com", "empty.example.com"});
  EXPECT_EQ(Winner(*table, {.host = "foo.example.com", .path = "/foo"}), "foo");
  EXPECT_EQ(Winner(*table, {.host = "foo.example.com", .path = "/bar"}), "404");
  EXPECT_EQ(Winner(*table, {.host = "bar.example.com", .path = "/bar"}), "wild");
  EXPECT_EQ(Winner(*table, {.host = "example.com", .path = "/bar"}), "open");
  EXPECT_EQ(Winner(*table, {.host = "empty.example.com", .path = "/foo"}), "404");
}

TEST(RouteTable, AHostTooLongForAnyNameFitsOnlyTheListenersWithoutOne) {
  const std::string host = std::string(300, 'a') + ".example.com";
  EXPECT_EQ(Winner({Prefix("wild", "/", "*.example.com")}, {.host = host}), "404");
  EXPECT_EQ(Winner({Prefix("any", "/")}, {.host = host}), "any");
}

TEST(RouteTable, MethodsMatchExactly) {
  Entry get = Prefix("get", "/");
  get.match.method = "GET";
  EXPECT_EQ(Winner({get}, {.method = "GET"}), "get");
  EXPECT_EQ(Winner({get}, {.method = "HEAD"}), "404");
  EXPECT_EQ(Winner({get}, {.method = "get"}), "404");
  EXPECT_EQ(Winner({get, Prefix("any", "/")}, {.method = "POST"}), "any");
}

TEST(RouteTable, HeadersMatchByNameWithoutCaseAndByWholeValue) {
  Entry entry = Prefix("beta", "/");
  entry.match.headers = {{"X-Version", "beta"}, {"x-user", "Ada"}};
  using Headers = std::vector<HeaderMatch>;
  const std::pair<Headers, const char*> kCases[] = {
      {{{"x-version", "beta"}, {"X-USER", "Ada"}}, "beta"},
      {{{"x-user", "Ada"}, {"other", "1"}, {"x-version", "beta"}}, "beta"},
      {{{"x-version", "beta"}}, "404"},
      {{{"x-version", "Beta"}, {"x-user", "Ada"}}, "404"},
      {{{"x-version", "beta2"}, {"x-user", "Ada"}}, "404"},
      {{{"x-version", ""}, {"x-user", "Ada"}}, "404"},
      {{{"x-version", "beta"}, {"x-version", "beta"}, {"x-user", "Ada"}}, "404"},
      {{{"x-version", "alpha"}, {"x-version", "beta"}, {"x-user", "Ada"}}, "404"},
  };
  for (const auto& [headers, winner] : kCases) {
    EXPECT_EQ(Winner({entry}, {.headers = headers}), winner)
        << ::testing::PrintToString(headers.size());
  }
}

TEST(RouteTable, RepeatedHeaderFieldsCountAsOneJoinedByCommas) {
  Entry entry = Prefix("both", "/");
  entry.match.headers = {{"x-env", "a,b"}};
  EXPECT_EQ(Winner({entry}, {.headers = {{"x-env", "a"}, {"x-env", "b"}}}), "both");
  EXPECT_EQ(Winner({entry}, {.headers = {{"x-env", "a,b"}}}), "both");
  EXPECT_EQ(Winner({entry}, {.headers = {{"x-env", "b"}, {"x-env", "a"}}}), "404");
  EXPECT_EQ(Winner({entry}, {.headers = {{"x-env", "a"}}}), "404");
}

TEST(RouteTable, OfConditionsOnOneNameTheFirstCounts) {
  Entry entry = Prefix("first", "/");
  entry.match.headers = {{"x-env", "a"}, {"X-Env", "b"}};
  entry.match.query = {{"q", "1"}, {"q", "2"}, {"Q", "3"}};
  EXPECT_EQ(Winner({entry}, {.query = "q=1&Q=3", .headers = {{"x-env", "a"}}}), "first");
  EXPECT_EQ(Winner({entry}, {.query = "q=2&Q=3", .headers = {{"x-env", "b"}}}), "404");
}

TEST(RouteTable, QueryParametersMatchExactly) {
  Entry entry = Prefix("q", "/");
  entry.match.query = {{"model", "qwen 3"}};
  EXPECT_EQ(Winner({entry}, {.query = "a=1&model=qwen%203"}), "q");
  EXPECT_EQ(Winner({entry}, {.query = "model=qwen+3"}), "q");
  EXPECT_EQ(Winner({entry}, {.query = "Model=qwen%203"}), "404");
  EXPECT_EQ(Winner({entry}, {.query = "model=Qwen%203"}), "404");
  EXPECT_EQ(Winner({entry}, {.query = ""}), "404");
}

TEST(RouteTable, MoreConditionsGoFirstInTheOrderMethodHeadersQuery) {
  Entry plain = Prefix("plain", "/v1");
  Entry method = Prefix("method", "/v1");
  method.match.method = "GET";
  Entry one = Prefix("one header", "/v1");
  one.match.headers = {{"a", "1"}};
  Entry two = Prefix("two headers", "/v1");
  two.match.headers = {{"a", "1"}, {"b", "2"}};
  Entry query = Prefix("query", "/v1");
  query.match.query = {{"q", "1"}};
  const std::vector<Entry> entries = {plain, query, one, two, method};
  Request request = {
      .path = "/v1", .query = "q=1", .method = "GET", .headers = {{"a", "1"}, {"b", "2"}}};
  EXPECT_EQ(Winner(entries, request), "method");
  request.method = "POST";
  EXPECT_EQ(Winner(entries, request), "two headers");
  request.headers.pop_back();
  EXPECT_EQ(Winner(entries, request), "one header");
  request.headers.clear();
  EXPECT_EQ(Winner(entries, request), "query");
  request.query.clear();
  EXPECT_EQ(Winner(entries, request), "plain");
}

TEST(RouteTable, TiesGoToTheOlderRouteThenByNameThenByOrder) {
  Entry young = Prefix("young", "/");
  young.created_unix_s = 200;
  young.route = "a/young";
  Entry old = Prefix("old", "/");
  old.created_unix_s = 100;
  old.route = "z/old";
  Entry same_age = Prefix("same age", "/");
  same_age.created_unix_s = 100;
  same_age.route = "b/route";
  EXPECT_EQ(Winner({young, old}, {}), "old");
  EXPECT_EQ(Winner({young, old, same_age}, {}), "same age");
  Entry second_rule = same_age;
  second_rule.rule_index = 1;
  Entry second_match = same_age;
  second_match.match_index = 1;
  const auto table = RouteTable::Build({second_rule, second_match, same_age}, {"*"});
  ASSERT_EQ(table->entries().size(), 3u);
  EXPECT_EQ(table->entries()[0].match_index, 0u);
  EXPECT_EQ(table->entries()[1].match_index, 1u);
  EXPECT_EQ(table->entries()[2].rule_index, 1u);
}

Entry Of(std::string route, uint32_t place, Entry entry) {
  auto rule = std::make_shared<RouteRule>(*entry.rule);
  rule->route = entry.route = std::move(route);
  entry.rule_index = place;
  entry.rule = rule;
  return entry;
}

using Names = std::vector<std::string>;

Names NamesFor(const RouteTable& table, const RouteRule& rule, std::string_view path) {
  Names names;
  for (const RouteRule* found : table.RulesFor(rule, path)) names.push_back(found->name);
  return names;
}

TEST(RouteTable, RulesOfOneRouteForAPathWhateverElseTheyAskFor) {
  std::vector<Entry> entries = {
      Of("default/a", 2, Prefix("all", "/")),
      Of("default/a", 0, Prefix("by header", "/v1")),
      Of("default/a", 1, Exact("chat", "/v1/chat/completions")),
      Of("default/a", 3, Prefix("elsewhere", "/v1/model")),
      Of("default/a", 4, Exact("by query", "/v1/models")),
      Of("default/a", 5, Prefix("short", "/v2")),
      Of("default/b", 0, Exact("other route", "/v1/models")),
  };
  entries[1].match.headers.push_back({"x-model", "a"});
  entries[4].match.query.push_back({"x", "a"});
  entries[6].match.headers.push_back({"x-model", "a"});
  entries.push_back(entries[1]);  // of another hostname
  entries.back().hostname = "a.example.com";
  const auto table = RouteTable::Build(entries, {"*"});
  const RouteRule& all = *entries[0].rule;
  EXPECT_EQ(NamesFor(*table, all, "/v1/models"), (Names{"by query", "by header", "all"}));
  EXPECT_EQ(NamesFor(*table, all, "/v1/%6dodels"), (Names{"by query", "by header", "all"}));
  // "/v2" asks for nothing else, so that no request for such a path comes to "/".
  EXPECT_EQ(NamesFor(*table, all, "/v2/v1/models"), (Names{"short"}));
}

TEST(RouteTable, RulesOfOtherRoutesThatChooseByTheModelsNameCount) {
  std::vector<Entry> entries = {
      Of("default/small", 0, Prefix("small", "/")),
      Of("default/large", 0, Prefix("large", "/")),
      Of("default/plain", 0, Prefix("plain", "/")),
  };
  entries[0].match.headers.push_back({"X-Gateway-Model-Name", "small"});
  entries[1].match.headers.push_back({"x-gateway-model-name", "large"});
  entries[2].match.headers.push_back({"x-else", "1"});
  const RouteRule& small = *entries[0].rule;
  EXPECT_EQ(NamesFor(*RouteTable::Build(entries, {"*"}), small, "/v1/models"),
            (Names{"large", "small"}));
}

TEST(RouteTable, AConditionOnTheModelsNameIsComparedWithWhatTheBodySays) {
  std::vector<Entry> entries = {Prefix("small", "/"), Prefix("large", "/"), Prefix("other", "/")};
  entries[0].match.headers.push_back({"X-Gateway-Model-Name", "org/small"});
  entries[1].match.headers.push_back(
      {"x-gateway-model-name", "", *Regex::Compile("org/(large|huge)")});
  EXPECT_FALSE(RouteTable::Build({entries[2]}, {"*"})->matches_model_name());
  const auto table = RouteTable::Build(entries, {"*"});
  EXPECT_TRUE(table->matches_model_name());
  http::RequestHead head;
  head.method = "POST";
  head.headers.Add("x-gateway-model-name", "org/small");
  const auto winner = [&](const RouteModel& model) {
    return table->Match("a", "/v1/chat/completions", "", head, model)->name;
  };
  using enum RouteModel::Is;
  EXPECT_EQ(winner({}), "small");
  EXPECT_EQ(winner({kNamed, "org/small"}), "small");
  EXPECT_EQ(winner({kNamed, "org/huge"}), "large");
  EXPECT_EQ(winner({kNamed, "ORG/small"}), "other");
  EXPECT_EQ(winner({kNamed, ""}), "other");
  EXPECT_NE(winner({kAny}), "other");
}

TEST(RouteRule, DrawsDestinationsByWeight) {
  RouteRule rule;
  rule.destinations = {
      {.pool = 0, .weight = 90}, {.pool = 1, .weight = 0}, {.pool = 2, .weight = 10}};
  rule.total_weight = 100;
  Random random(11);
  std::map<uint32_t, int> draws;
  for (int i = 0; i < 100000; ++i) ++draws[rule.Choose(random)->pool];
  EXPECT_EQ(draws.count(1), 0u);
  // 10000 expected, standard deviation 95.
  EXPECT_GT(draws[2], 9600);
  EXPECT_LT(draws[2], 10400);
  EXPECT_EQ(draws[0] + draws[2], 100000);
}

TEST(RouteRule, DrawsEveryUnitOfWeightEquallyOften) {
  // Every one of the equally likely values below total_weight belongs to one destination, as many
  // values to each as its weight says.
  RouteRule rule;
  rule.destinations = {
      {.pool = 0, .weight = 1}, {.pool = 1, .weight = 2}, {.pool = 2, .weight = 1}};
  rule.total_weight = 4;
  Random random(5);
  Random same(5);
  for (int i = 0; i < 1000; ++i) {
    const uint32_t wanted[] = {0, 1, 1, 2};
    EXPECT_EQ(rule.Choose(random)->pool, wanted[same.Below(4)]);
  }
}

TEST(RouteRule, DrawsByWeightAmongThoseThatFit) {
  RouteRule rule;
  rule.destinations = {
      {.pool = 0, .weight = 1000}, {.pool = 1, .weight = 1}, {.pool = 2, .weight = 2}};
  rule.total_weight = 1003;
  Random random(5);
  Random same(5);
  const auto fits = [](const Destination& destination) { return destination.pool > 0; };
  for (int i = 0; i < 1000; ++i) {
    const uint32_t wanted[] = {1, 2, 2};
    EXPECT_EQ(rule.Choose(random, fits)->pool, wanted[same.Below(3)]);
  }
  EXPECT_EQ(rule.Choose(random, [](const Destination&) { return false; }), nullptr);
}

TEST(RouteRule, WithoutWeightChoosesNothing) {
  Random random(1);
  RouteRule rule;
  EXPECT_EQ(rule.Choose(random), nullptr);
  rule.destinations = {{.weight = 0}};
  EXPECT_EQ(rule.Choose(random), nullptr);
}

}  // namespace
}  // namespace gw
