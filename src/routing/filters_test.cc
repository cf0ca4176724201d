#include "routing/filters.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace gw {
namespace {

using Fields = std::vector<http::HeaderField>;

std::string TextOf(const Fields& fields) {
  std::string text;
  for (const http::HeaderField& field : fields) {
    text.append(field.name).append(":").append(field.value) += " ";
  }
  return text;
}

TEST(FieldEdits, NamesCompareWithoutCaseAndTheRestStays) {
  FieldEdits edits;
  edits.set = {{"X-Set", "new"}, {"X-New", "n"}};
  edits.add = {{"X-Add", "more"}};
  edits.remove = {"X-Gone"};
  Fields fields{{"a", "1"},         {"x-set", "old"},        {"x-gone", "g"}, {"x-add", "first"},
                {"X-SET", "older"}, {"x-gone-too", "stays"}, {"X-GONE", "h"}};
  edits.Apply(&fields);
  EXPECT_EQ(TextOf(fields), "a:1 x-add:first x-gone-too:stays X-Set:new X-New:n X-Add:more ");
}

std::string Edited(PathEdit::Kind kind, const std::string& value, size_t elements,
                   const std::string& path) {
  std::string out = "before ";
  PathEdit{kind, value, elements}.Append(path, &out);
  return out.substr(7);
}

// The table of the Gateway API's ReplacePrefixMatch, and what it leaves out.
TEST(PathEdit, ReplacesThePrefixThatWasMatched) {
  struct {
    const char* path;
    size_t elements;
    const char* value;
    const char* expected;
  } const kCases[] = {
      {"/foo/bar", 1, "/xyz", "/xyz/bar"},
      {"/foo/bar", 1, "/xyz/", "/xyz/bar"},
      {"/foo", 1, "/xyz", "/xyz"},
      {"/foo/", 1, "/xyz", "/xyz/"},
      {"/foo/bar", 1, "", "/bar"},
      {"/foo/", 1, "", "/"},
      {"/foo", 1, "", "/"},
      {"/foo/", 1, "/", "/"},
      {"/foo", 1, "/", "/"},
      {"/foo/bar", 0, "/xyz", "/xyz/foo/bar"},
      {"/", 0, "/xyz", "/xyz/"},
      {"/a/b/c/d", 2, "/x", "/x/c/d"},
      {"/%61/b//c", 2, "/x", "/x//c"},
      {"/a%2Fb/c", 1, "/x", "/x/c"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(Edited(PathEdit::Kind::kPrefix, c.value, c.elements, c.path), c.expected)
        << c.path << " " << c.value;
  }
  EXPECT_EQ(Edited(PathEdit::Kind::kFull, "/x/y", 0, "/a/b"), "/x/y");
  EXPECT_EQ(Edited(PathEdit::Kind::kFull, "", 0, "/a/b"), "/");
  EXPECT_EQ(Edited(PathEdit::Kind::kNone, "", 0, "/a//b"), "/a//b");
}

std::string Location(const Redirect& redirect, uint16_t listener_port,
                     std::string_view scheme = "http",
                     std::string_view authority = "example.org:9999") {
  http::Target target;
  target.path = "/a//b";
  target.query = "c=d";
  return LocationOf(redirect, {scheme, authority, listener_port, target});
}

// The cases of HTTPRouteRedirectPortAndScheme: listeners on 80, 8080 and 443.
TEST(Redirect, ThePortIsTheOneGivenElseTheSchemesElseTheListeners) {
  struct {
    const char* listener_scheme;
    uint16_t listener_port;
    const char* scheme;
    uint16_t port;
    const char* expected;
  } const kCases[] = {
      {"http", 80, "", 0, "http://example.org"},
      {"http", 80, "", 80, "http://example.org"},
      {"http", 80, "", 8080, "http://example.org:8080"},
      {"http", 80, "https", 0, "https://example.org"},
      {"http", 80, "https", 443, "https://example.org"},
      {"http", 80, "https", 8443, "https://example.org:8443"},
      {"http", 8080, "", 0, "http://example.org:8080"},
      {"http", 8080, "", 80, "http://example.org"},
      {"http", 8080, "https", 0, "https://example.org"},
      {"https", 443, "", 0, "https://example.org"},
      {"https", 443, "", 443, "https://example.org"},
      {"https", 443, "", 8443, "https://example.org:8443"},
      {"https", 443, "http", 0, "http://example.org"},
      {"https", 443, "http", 80, "http://example.org"},
      {"https", 443, "http", 8080, "http://example.org:8080"},
      {"https", 443, "http", 443, "http://example.org:443"},
  };
  for (const auto& c : kCases) {
    Redirect redirect;
    redirect.scheme = c.scheme;
    redirect.port = c.port;
    EXPECT_EQ(Location(redirect, c.listener_port, c.listener_scheme),
              std::string(c.expected) + "/a//b?c=d");
  }
}

TEST(Redirect, TheHostIsTheOneGivenElseTheRequests) {
  Redirect redirect;
  EXPECT_EQ(Location(redirect, 80, "http", "[::1]:8080"), "http://[::1]/a//b?c=d");
  redirect.path = {PathEdit::Kind::kPrefix, "/x", 1};
  redirect.hostname = "other.test";
  EXPECT_EQ(Location(redirect, 81), "http://other.test:81/x//b?c=d");
  // Without any host it is a path of this one, whatever the client wrote.
  redirect.hostname = "";
  redirect.path = {PathEdit::Kind::kPrefix, "/", 1};
  EXPECT_EQ(Location(redirect, 81, "http", ""), "/b?c=d");
}

TEST(FilterChain, TheDestinationsTakeThePlaceOfTheRules) {
  RouteFilters rule;
  RouteFilters destination;
  EXPECT_EQ(FilterChain().redirect(), nullptr);
  EXPECT_EQ(FilterChain().path(), nullptr);
  const FilterChain chain{&rule, &destination};
  EXPECT_EQ(chain.path(), nullptr);
  EXPECT_EQ(chain.hostname(), "");
  rule.rewrite = {"rule.test", {PathEdit::Kind::kFull, "/rule", 0}};
  EXPECT_EQ(chain.hostname(), "rule.test");
  EXPECT_EQ(chain.path()->value, "/rule");
  destination.rewrite = {"destination.test", {PathEdit::Kind::kFull, "/destination", 0}};
  EXPECT_EQ(chain.hostname(), "destination.test");
  EXPECT_EQ(chain.path()->value, "/destination");
  rule.response.set = {{"a", "rule"}};
  destination.response.set = {{"a", "destination"}};
  http::RequestHead head;
  Fields fields;
  chain.EditOwnAnswer(head, &fields);
  EXPECT_EQ(TextOf(fields), "a:rule ");
  chain.EditResponse(head, &fields);
  EXPECT_EQ(TextOf(fields), "a:destination ");
}

}  // namespace
}  // namespace gw
