#include "routing/session.h"

#include <gtest/gtest.h>

#include <set>

#include "base/random.h"

namespace gw {
namespace {

using std::chrono::seconds;

constexpr int64_t kNow = 1'800'000'000;

class SessionTest : public testing::Test {
 protected:
  SessionTest() {
    policy_.scope = "default/route/chat";
    policy_.name = "sticky";
  }

  SessionToken Token(int64_t began = kNow, int64_t used = kNow) const {
    return {.destination = policy_.HashOfDestination("default/a"),
            .endpoint = policy_.HashOfEndpoint("default/a", "10.0.0.1:80"),
            .began_unix_s = static_cast<uint32_t>(began),
            .used_unix_s = static_cast<uint32_t>(used)};
  }
  std::optional<SessionToken> Find(std::vector<std::pair<std::string, std::string>> fields) const {
    http::RequestHead head;
    for (const auto& [name, value] : fields) head.headers.Add(name, value);
    return policy_.Find(head, kNow);
  }
  std::string Cookie(const std::string& path, bool secure = false, int64_t now = kNow) const {
    std::string storage;
    const http::HeaderField field = policy_.FieldOf(Token(), path, secure, now, &storage);
    EXPECT_EQ(field.name, "set-cookie");
    return std::string(field.value);
  }

  SessionPolicy policy_;
};

TEST_F(SessionTest, ATokenIsReadAsItWasWritten) {
  Random random(3);
  for (int i = 0; i < 1000; ++i) {
    const SessionToken token{random.Next(), random.Next(), static_cast<uint32_t>(random.Next()),
                             static_cast<uint32_t>(random.Next())};
    const std::string text = ToText(token);
    EXPECT_EQ(text.size(), 50u);
    EXPECT_EQ(ParseSessionToken(text), token);
  }
}

TEST_F(SessionTest, WhatIsNoTokenIsNone) {
  const std::string text = ToText(Token());
  EXPECT_FALSE(ParseSessionToken(""));
  EXPECT_FALSE(ParseSessionToken(text + "0"));
  EXPECT_FALSE(ParseSessionToken(text.substr(1)));
  EXPECT_FALSE(ParseSessionToken("02" + text.substr(2))) << "of another version";
  EXPECT_FALSE(ParseSessionToken("0G" + text.substr(2)));
  EXPECT_FALSE(ParseSessionToken(std::string(50, '\0')));
  Random random(5);
  for (int i = 0; i < 2000; ++i) {
    std::string junk(random.Below(120), ' ');
    for (char& c : junk) c = static_cast<char>(random.Below(256));
    EXPECT_FALSE(ParseSessionToken(junk));
  }
}

TEST_F(SessionTest, TheTokenOfOneRuleIsNoneOfAnother) {
  SessionPolicy other = policy_;
  other.scope = "default/route/other";
  EXPECT_NE(other.HashOfDestination("default/a"), policy_.HashOfDestination("default/a"));
  EXPECT_NE(other.HashOfEndpoint("default/a", "10.0.0.1:80"), Token().endpoint);
  EXPECT_NE(policy_.HashOfEndpoint("default/b", "10.0.0.1:80"), Token().endpoint);
}

// Written out: a token must outlive the process and mean the same at every gateway.
TEST_F(SessionTest, HashesAreTheSameEverywhere) {
  EXPECT_EQ(policy_.HashOfDestination("default/a"), 17036157973419521720u);
  EXPECT_EQ(policy_.HashOfEndpoint("default/a", "10.0.0.1:80"), 591352562189910857u);
  std::set<uint64_t> seen;
  for (int i = 0; i < 5000; ++i) {
    seen.insert(policy_.HashOfEndpoint("default/a", "10.0.0." + std::to_string(i) + ":80"));
  }
  EXPECT_EQ(seen.size(), 5000u);
}

TEST_F(SessionTest, CookiesAreFoundAmongOthers) {
  const std::string text = ToText(Token());
  EXPECT_EQ(Find({{"Cookie", "a=b; sticky=" + text + "; c=d"}}), Token());
  EXPECT_EQ(Find({{"cookie", "sticky=" + text}}), Token());
  EXPECT_EQ(Find({{"cookie", "a=b"}, {"Cookie", "  sticky=" + text + " ;"}}), Token());
  EXPECT_EQ(Find({{"cookie", "sticky=stale;sticky=" + text}}), Token()) << "of several the valid";
  EXPECT_FALSE(Find({{"cookie", "xsticky=" + text}}));
  EXPECT_FALSE(Find({{"cookie", "stickyx=" + text}}));
  EXPECT_FALSE(Find({{"cookie", "sticky"}}));
  EXPECT_FALSE(Find({{"cookie", ";;;=;sticky="}}));
  EXPECT_FALSE(Find({{"sticky", text}})) << "it is no cookie";
  EXPECT_FALSE(Find({}));
}

TEST_F(SessionTest, HeadersAreFoundWithoutCase) {
  policy_.by_header = true;
  policy_.name = "X-Session";
  const std::string text = ToText(Token());
  EXPECT_EQ(Find({{"x-session", text}}), Token());
  EXPECT_EQ(Find({{"x-session", "none"}, {"X-SESSION", text}}), Token());
  EXPECT_FALSE(Find({{"cookie", "X-Session=" + text}}));
  std::string storage;
  const http::HeaderField field = policy_.FieldOf(Token(), "/", true, kNow, &storage);
  EXPECT_EQ(field.name, "X-Session");
  EXPECT_EQ(field.value, text);
}

TEST_F(SessionTest, SessionsEndByTheirTimeouts) {
  EXPECT_TRUE(policy_.IsValid(Token(kNow - 1'000'000, kNow - 500'000), kNow)) << "none is given";
  policy_.absolute_timeout = seconds(100);
  EXPECT_TRUE(policy_.IsValid(Token(kNow - 99, kNow), kNow));
  EXPECT_FALSE(policy_.IsValid(Token(kNow - 100, kNow), kNow));
  policy_.idle_timeout = seconds(10);
  EXPECT_TRUE(policy_.IsValid(Token(kNow - 99, kNow - 9), kNow));
  EXPECT_FALSE(policy_.IsValid(Token(kNow - 99, kNow - 10), kNow));
}

TEST_F(SessionTest, TokensOfTheFutureAreNone) {
  EXPECT_TRUE(policy_.IsValid(Token(kNow + 60, kNow + 60), kNow)) << "clocks differ a little";
  EXPECT_FALSE(policy_.IsValid(Token(kNow + 61, kNow + 61), kNow));
  EXPECT_FALSE(policy_.IsValid(Token(kNow, kNow + 61), kNow));
  EXPECT_FALSE(policy_.IsValid(Token(kNow, kNow - 1), kNow)) << "used before it began";
}

TEST_F(SessionTest, TheCookieIsOfThePathOfTheMatch) {
  policy_.cookie_paths = {"/v1/chat", "/v1"};
  const std::string text = "sticky=" + ToText(Token());
  EXPECT_EQ(Cookie("/v1/chat/completions"), text + "; Path=/v1/chat; HttpOnly; SameSite=Strict");
  EXPECT_EQ(Cookie("/v1/chatter", true), text + "; Path=/v1; HttpOnly; SameSite=Strict; Secure");
  EXPECT_EQ(Cookie("/else"), text + "; Path=/; HttpOnly; SameSite=Strict");
  policy_.permanent = true;
  policy_.absolute_timeout = seconds(100);
  EXPECT_EQ(Cookie("/v1", false, kNow + 40),
            text + "; Path=/v1; Max-Age=60; HttpOnly; SameSite=Strict");
}

TEST_F(SessionTest, CookiePathsOfMatches) {
  EXPECT_EQ(CookiePathFor("/", false), "/");
  EXPECT_EQ(CookiePathFor("/v1/", false), "/v1");
  EXPECT_EQ(CookiePathFor("/v1;a", false), "/") << "would end the attribute";
  EXPECT_EQ(CookiePathFor("/p1/p2/[^/]+/p3", true), "/p1/p2");
  EXPECT_EQ(CookiePathFor("/p1/p2*", true), "/p1");
  EXPECT_EQ(CookiePathFor("/a/b|/c", true), "/");
  EXPECT_EQ(CookiePathFor(".*", true), "/");
  EXPECT_EQ(CookiePathFor("/whole/path", true), "/whole/path");
}

TEST_F(SessionTest, NamesOfCookiesDifferByRule) {
  EXPECT_EQ(CookieNameFor("default/route/chat"), CookieNameFor("default/route/chat"));
  EXPECT_NE(CookieNameFor("default/route/chat"), CookieNameFor("default/route/other"));
  EXPECT_TRUE(CookieNameFor("x").starts_with("penstock-"));
}

}  // namespace
}  // namespace gw
