#include "http/url.h"

#include <gtest/gtest.h>

namespace gw::http {
namespace {

// "host|path|query", or "refused".
std::string Parts(std::string_view target) {
  const std::optional<Target> parsed = ParseTarget(target);
  if (!parsed) return "refused";
  return std::string(parsed->host) + "|" + std::string(parsed->path) + "|" +
         std::string(parsed->query);
}

TEST(NormalPath, DecodesUnreservedCharactersOnly) {
  const std::pair<const char*, const char*> kCases[] = {
      {"/v1/chat", "/v1/chat"},       {"/%761/%63hat", "/v1/chat"},
      {"/%7E%2d%2E%5f%41", "/~-._A"}, {"/a%2Fb%2fc", "/a%2Fb%2fc"},
      {"/%2563", "/%2563"},           {"/%", "/%"},
      {"/%zz/%6", "/%zz/%6"},         {"/%%63", "/%c"},
      {"/%20%c3%a9", "/%20%c3%a9"},
  };
  for (const auto& [path, wanted] : kCases) {
    std::string storage;
    EXPECT_EQ(NormalPath(path, &storage), wanted) << path;
  }
}

TEST(NormalPath, WithoutPercentIsThePathItself) {
  const std::string_view path = "/v1/chat/completions";
  std::string storage;
  EXPECT_EQ(NormalPath(path, &storage).data(), path.data());
}

TEST(ParseTarget, SplitsTheForms) {
  EXPECT_EQ(Parts("/v1/models"), "|/v1/models|");
  EXPECT_EQ(Parts("/v1/models?a=b?c"), "|/v1/models|a=b?c");
  EXPECT_EQ(Parts("/?"), "|/|");
  EXPECT_EQ(Parts("*"), "|*|");
  EXPECT_EQ(Parts("http://gw.test/x?y"), "gw.test|/x|y");
  EXPECT_EQ(Parts("HTTPS://gw.test:8080/x"), "gw.test|/x|");
  EXPECT_EQ(Parts("http://gw.test"), "gw.test|/|");
  EXPECT_EQ(Parts("http://gw.test?q=1"), "gw.test|/|q=1");
  EXPECT_EQ(Parts("http://[::1]:80/x"), "[::1]|/x|");
}

TEST(ParseTarget, RefusesOtherForms) {
  for (const char* target : {"", "gw.test:443", "v1/models", "ftp://a/x", "http:///x", "http://",
                             "http://user@a/x", "http://:80/x", "/x#fragment", "?q", "**"}) {
    EXPECT_EQ(Parts(target), "refused") << target;
  }
}

TEST(ParseTarget, KeepsThePathAsItWasSent) {
  EXPECT_EQ(Parts("//v1//models/"), "|//v1//models/|");
  EXPECT_EQ(Parts("/%41/%2F/%zz/%"), "|/%41/%2F/%zz/%|");
  EXPECT_EQ(Parts("/a.b/..c/...d/.../e..;x"), "|/a.b/..c/...d/.../e..;x|");
  EXPECT_EQ(Parts("/x?a=/../b"), "|/x|a=/../b");
  EXPECT_EQ(Parts("/a%5cb/..%5"), "|/a%5cb/..%5|");
}

TEST(ParseTarget, RefusesPathsThatCanBeWalkedOutOf) {
  for (const char* path :
       {"/..",         "/.",          "/a/..",       "/a/.",       "/a/../b",
        "/a/./b",      "/%2e%2e/b",   "/a/.%2E/b",   "/a/%2e/b",   "/a/..%2fb",
        "/a%2f..%2fb", "/a%2F%2e%2e", "/a/..;x=1/b", "/a/.;/b",    "/a/..;",
        "/a/%00",      "/%00/b",      "/a/..%3bx/b", "/a/..%5cb",  "/a%5C..%5cb",
        "/a%5c%2e%2E", "/a\\..\\b",   "/..\\b",      "/a%5c.%5cb", "/a%5c..;x/b"}) {
    EXPECT_EQ(Parts(path), "refused") << path;
    EXPECT_EQ(Parts("http://a" + std::string(path)), "refused") << path;
  }
}

TEST(QueryParam, FindsAndDecodesTheFirst) {
  EXPECT_EQ(QueryParam("a=1&b=2&a=3", "a"), "1");
  EXPECT_EQ(QueryParam("a=1&b=x%20y+z%2B", "b"), "x y z+");
  EXPECT_EQ(QueryParam("a&b=", "a"), "");
  EXPECT_EQ(QueryParam("a&b=", "b"), "");
  EXPECT_EQ(QueryParam("a=b=c", "a"), "b=c");
  EXPECT_EQ(QueryParam("a=%4", "a"), "%4");
  EXPECT_EQ(QueryParam("aa=1&b", "a"), std::nullopt);
  EXPECT_EQ(QueryParam("&&a=1", "a"), "1");
  EXPECT_EQ(QueryParam("", "a"), std::nullopt);
}

TEST(HostWithoutPort, DropsThePort) {
  EXPECT_EQ(HostWithoutPort("Example.com:8080"), "Example.com");
  EXPECT_EQ(HostWithoutPort("Example.com"), "Example.com");
  EXPECT_EQ(HostWithoutPort("[::1]:80"), "[::1]");
  EXPECT_EQ(HostWithoutPort("[::1]"), "[::1]");
  EXPECT_EQ(HostWithoutPort("[::1"), "[::1");
  EXPECT_EQ(HostWithoutPort(""), "");
}

}  // namespace
}  // namespace gw::http
