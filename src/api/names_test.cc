#include "api/names.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "api/meta.h"
#include "api/node.h"

namespace gw::api {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(Names, DnsLabelsAndNames) {
  for (const char* good : {"a", "0", "a-b", "a--b"}) EXPECT_TRUE(IsDnsLabel(good)) << good;
  for (const char* bad : {"", "A", "-a", "a-", "a.b", "a_b", "\xc3\xa4"}) {
    EXPECT_FALSE(IsDnsLabel(bad)) << bad;
  }
  EXPECT_TRUE(IsDnsLabel(std::string(63, 'a')));
  EXPECT_FALSE(IsDnsLabel(std::string(64, 'a')));
  EXPECT_TRUE(IsDnsSubdomain("a.b-c.0"));
  for (const char* bad : {"", ".", "a.", ".a", "a..b", "a.-b", "a.B"}) {
    EXPECT_FALSE(IsDnsSubdomain(bad)) << bad;
  }
  EXPECT_TRUE(IsDnsSubdomain(std::string(253, 'a')));
  EXPECT_FALSE(IsDnsSubdomain(std::string(254, 'a')));
}

TEST(Names, Hostnames) {
  for (const char* good : {"example.com", "*.example.com", "localhost", "1.2.3.4.example"}) {
    EXPECT_TRUE(IsHostname(good)) << good;
  }
  for (const char* bad : {"", "*", "*.", "a.*.com", "*a.com", "1.2.3.4", "::1", "a:80", "a.com."}) {
    EXPECT_FALSE(IsHostname(bad)) << bad;
  }
}

TEST(Names, Labels) {
  for (const char* good : {"a", "A_b.c-9", "example.com/x", "app.kubernetes.io/name"}) {
    EXPECT_TRUE(IsLabelKey(good)) << good;
  }
  for (const char* bad : {"", "-a", "a/", "/a", "a/b/c", "Ex.com/a", "a b"}) {
    EXPECT_FALSE(IsLabelKey(bad)) << bad;
  }
  EXPECT_TRUE(IsLabelValue(""));
  EXPECT_TRUE(IsLabelValue("v1.2_3"));
  EXPECT_FALSE(IsLabelValue(std::string(64, 'a')));
  EXPECT_FALSE(IsLabelValue("a/b"));
}

TEST(Names, KindsControllersTokensAddresses) {
  EXPECT_TRUE(IsKind("HTTPRoute"));
  EXPECT_FALSE(IsKind("9p"));
  EXPECT_FALSE(IsKind("a-"));
  EXPECT_TRUE(IsControllerName("penstock.dev/gateway-controller"));
  for (const char* bad : {"penstock.dev", "penstock.dev/", "/x", "a.b/c d"}) {
    EXPECT_FALSE(IsControllerName(bad)) << bad;
  }
  EXPECT_TRUE(IsHttpToken("X-A_b.~"));
  for (const char* bad : {"", "a b", "a:b", "a\n"}) EXPECT_FALSE(IsHttpToken(bad)) << bad;
  for (const char* good : {"127.0.0.11", "::1", "fd00::a"}) EXPECT_TRUE(IsIpAddress(good)) << good;
  for (const char* bad : {"", "127.0.0", "127.0.0.256", "01.2.3.4", "a", "[::1]", "127.0.0.1:80"}) {
    EXPECT_FALSE(IsIpAddress(bad)) << bad;
  }
  EXPECT_FALSE(IsIpAddress(std::string_view("127.0.0.1\0x", 11)));
}

TEST(Names, DurationsAreThoseOfGep2257) {
  EXPECT_EQ(ParseDuration("10s"), Duration(seconds(10)));
  EXPECT_EQ(ParseDuration("1h30m5s20ms"),
            Duration(hours(1) + minutes(30) + seconds(5) + milliseconds(20)));
  EXPECT_EQ(ParseDuration("500ms"), Duration(milliseconds(500)));
  EXPECT_EQ(ParseDuration("0s"), Duration(0));
  EXPECT_EQ(ParseDuration("99999h"), Duration(hours(99999)));
  for (const char* bad : {"", "10", "s", "1.5s", "-1s", "100000s", "99999999999999999999s", "1d",
                          "1s ", "1S", "1us", "1h1h1h1h1h", "1m1"}) {
    EXPECT_FALSE(ParseDuration(bad).has_value()) << bad;
  }
}

TEST(Names, Times) {
  EXPECT_EQ(ParseTime("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(ParseTime("2024-02-29T12:00:00Z"), 1709208000);
  EXPECT_EQ(ParseTime("2024-02-29T12:00:00.123456+02:00"), 1709208000 - 7200);
  EXPECT_EQ(ParseTime("1969-12-31T23:59:59-00:00"), -1);
  EXPECT_EQ(ParseTime("9999-12-31T23:59:59Z"), 253402300799);
  for (const char* bad :
       {"", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2024-00-01T00:00:00Z",
        "2024-01-01T24:00:00Z", "2024-01-01 00:00:00Z", "2024-01-01T00:00:00", "2024-01-01T00:00Z",
        "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00+2:00", "24-01-01T00:00:00Z"}) {
    EXPECT_FALSE(ParseTime(bad).has_value()) << bad;
  }
}

TEST(Names, WhatPlainScalarsAre) {
  const auto type = [](const char* text) {
    Node node;
    node.kind = Node::Kind::kScalar;
    node.text = text;
    return TypeOf(node);
  };
  for (const char* text : {"true", "False", "yes", "OFF"}) EXPECT_EQ(type(text), ScalarType::kBool);
  for (const char* text : {"0", "-1", "+7", "1_000", "0x1F", "0o17", "0b1", "007"}) {
    EXPECT_EQ(type(text), ScalarType::kInteger) << text;
  }
  for (const char* text : {"1.0", ".5", "1.", "-1e9", "1E+3", ".inf", "-.INF", ".nan"}) {
    EXPECT_EQ(type(text), ScalarType::kFloat) << text;
  }
  for (const char* text : {"a", "1a", "1.2.3", "0xg", "-", ".", "e3", "1e", "tRue", "y", "_1",
                           "2024-01-01T00:00:00Z", "1:30"}) {
    EXPECT_EQ(type(text), ScalarType::kText) << text;
  }
  Node quoted;
  quoted.kind = Node::Kind::kScalar;
  quoted.quoted = true;
  quoted.text = "1";
  EXPECT_EQ(TypeOf(quoted), ScalarType::kText);
}

TEST(Names, QuotedTextIsReadableAndShort) {
  EXPECT_EQ(Quoted("a\"b\n"), "\"a\\\"b\\n\"");
  EXPECT_EQ(Quoted(std::string(95, 'x') + "\xc3\xa4" + "yz"),
            "\"" + std::string(95, 'x') + "...\"");
}

TEST(Selectors, EveryRequirementMustHold) {
  using Operator = LabelRequirement::Operator;
  const StringMap labels = {{"a", "1"}, {"b", "2"}};
  const auto matches = [&](Operator op, std::string key, std::vector<std::string> values) {
    LabelSelector selector;
    selector.match_expressions = {{std::move(key), op, std::move(values)}};
    return selector.Matches(labels);
  };
  EXPECT_TRUE(LabelSelector{}.Matches({}));
  EXPECT_TRUE(matches(Operator::kIn, "a", {"0", "1"}));
  EXPECT_FALSE(matches(Operator::kIn, "a", {"0"}));
  EXPECT_FALSE(matches(Operator::kIn, "c", {"0"}));
  EXPECT_FALSE(matches(Operator::kNotIn, "a", {"1"}));
  EXPECT_TRUE(matches(Operator::kNotIn, "c", {"1"}));
  EXPECT_TRUE(matches(Operator::kExists, "a", {}));
  EXPECT_FALSE(matches(Operator::kExists, "c", {}));
  EXPECT_FALSE(matches(Operator::kDoesNotExist, "a", {}));
  EXPECT_TRUE(matches(Operator::kDoesNotExist, "c", {}));
  LabelSelector both;
  both.match_labels = {{"a", "1"}, {"b", "3"}};
  EXPECT_FALSE(both.Matches(labels));
  EXPECT_TRUE(LabelsMatch({{"b", "2"}}, labels));
}

}  // namespace
}  // namespace gw::api
