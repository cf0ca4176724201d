#include "routing/cors.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace gw {
namespace {

bool Allows(const std::string& pattern, std::string_view origin) {
  CorsPolicy policy;
  policy.AddOrigin(pattern);
  return policy.Allows(origin);
}

TEST(Cors, OriginsCompareBySchemeHostAndPort) {
  EXPECT_TRUE(Allows("https://www.foo.com", "https://www.foo.com"));
  EXPECT_TRUE(Allows("https://www.foo.com", "HTTPS://WWW.foo.com:443"));
  EXPECT_TRUE(Allows("http://a:80", "http://a"));
  EXPECT_TRUE(Allows("http://[::1]:8080", "http://[::1]:8080"));
  EXPECT_TRUE(Allows("vscode-webview://*", "vscode-webview://abc"));
  EXPECT_FALSE(Allows("https://www.foo.com", "http://www.foo.com"));
  EXPECT_FALSE(Allows("https://www.foo.com", "https://www.foo.com:8443"));
  EXPECT_FALSE(Allows("https://www.foo.com", "https://foo.com"));
  EXPECT_FALSE(Allows("https://www.foo.com", "https://www.foo.com.evil.test"));
  EXPECT_FALSE(Allows("https://www.foo.com", "null"));
  EXPECT_FALSE(Allows("https://www.foo.com", "https://www.foo.com:443x"));
  EXPECT_FALSE(Allows("https://www.foo.com", ""));
  EXPECT_FALSE(CorsPolicy().Allows("https://www.foo.com"));
}

TEST(Cors, AWildcardStandsForAnyLabels) {
  EXPECT_TRUE(Allows("https://*.bar.com", "https://www.bar.com"));
  EXPECT_TRUE(Allows("https://*.bar.com", "https://xpto.www.bar.com"));
  EXPECT_FALSE(Allows("https://*.bar.com", "https://bar.com"));
  EXPECT_FALSE(Allows("https://*.bar.com", "https://www.bar.com.evil.test"));
  EXPECT_TRUE(Allows("https://*", "https://anything.test"));
  EXPECT_FALSE(Allows("https://*", "http://anything.test"));
  EXPECT_TRUE(Allows("*", "null"));
  EXPECT_TRUE(Allows("*", "https://foobar.com:12345"));
}

// By the definition: "*" is nothing, or one more character and "*".
bool FitsSlowly(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    return FitsSlowly(pattern.substr(1), text) ||
           (!text.empty() && FitsSlowly(pattern, text.substr(1)));
  }
  return !text.empty() && pattern[0] == text[0] && FitsSlowly(pattern.substr(1), text.substr(1));
}

TEST(Cors, WildcardsAnywhereMeanWhatTheDefinitionSays) {
  Random random(7);
  const auto draw = [&](std::string_view letters, size_t most) {
    std::string text;
    for (size_t n = 1 + random.Below(most); n > 0; --n)
      text += letters[random.Below(letters.size())];
    return text;
  };
  int fits = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string pattern = draw("ab.*", 6);
    const std::string host = draw("ab.", 8);
    const bool expected = FitsSlowly(pattern, host);
    fits += expected ? 1 : 0;
    ASSERT_EQ(Allows("https://" + pattern, "https://" + host), expected) << pattern << " " << host;
  }
  EXPECT_GT(fits, 1000);
}

http::RequestHead Asked(std::string_view method, std::string_view origin) {
  http::RequestHead head;
  head.method = method;
  if (!origin.empty()) head.headers.Add("Origin", origin);
  return head;
}

TEST(Cors, APreflightNamesItsOriginAndItsMethod) {
  http::RequestHead head = Asked("OPTIONS", "https://a.test");
  EXPECT_FALSE(IsPreflight(head));
  head.headers.Add("Access-Control-Request-Method", "PUT");
  EXPECT_TRUE(IsPreflight(head));
  head.method = "GET";
  EXPECT_FALSE(IsPreflight(head));
}

TEST(Cors, WhatIsNotAllowedGetsNoFieldAndTheEndpointsAreGone) {
  CorsPolicy policy;
  policy.AddOrigin("https://a.test");
  std::vector<http::HeaderField> fields{{"Access-Control-Allow-Origin", "*"}, {"a", "b"}};
  SetCorsFields(policy, Asked("GET", "https://evil.test"), false, &fields);
  ASSERT_EQ(fields.size(), 2u);
  EXPECT_EQ(fields[0].name, "a");
  EXPECT_EQ(fields[1].name, "vary");
}

TEST(Cors, AnyoneIsAStarUnlessThereAreCredentials) {
  CorsPolicy policy;
  policy.AddOrigin("*");
  const auto allowed = [&] {
    std::vector<http::HeaderField> fields;
    SetCorsFields(policy, Asked("GET", "https://a.test"), false, &fields);
    for (const http::HeaderField& field : fields) {
      if (field.name == "access-control-allow-origin") return std::string(field.value);
    }
    return std::string("none");
  };
  EXPECT_EQ(allowed(), "*");
  policy.allow_credentials = true;
  EXPECT_EQ(allowed(), "https://a.test");
}

}  // namespace
}  // namespace gw
