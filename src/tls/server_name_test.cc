#include "tls/server_name.h"

#include <gtest/gtest.h>

#include <string>

namespace gw::internal {
namespace {

// The extension as RFC 6066 3 has it; each entry is its type and its name.
std::string Extension(const std::vector<std::pair<int, std::string>>& entries) {
  std::string list;
  for (const auto& [type, name] : entries) {
    list.push_back(static_cast<char>(type));
    list.push_back(static_cast<char>(name.size() >> 8));
    list.push_back(static_cast<char>(name.size() & 0xff));
    list += name;
  }
  std::string extension;
  extension.push_back(static_cast<char>(list.size() >> 8));
  extension.push_back(static_cast<char>(list.size() & 0xff));
  return extension + list;
}

bool Parse(const std::string& bytes, std::string* name) {
  return ParseServerName({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()},
                         name);
}

std::string NameIn(const std::vector<std::pair<int, std::string>>& entries) {
  std::string name;
  return Parse(Extension(entries), &name) ? name : "malformed";
}

TEST(ServerName, IsReadInLowerCaseWithoutItsLastDot) {
  EXPECT_EQ(NameIn({{0, "a.example.com"}}), "a.example.com");
  EXPECT_EQ(NameIn({{0, "A.Example.COM."}}), "a.example.com");
  EXPECT_EQ(NameIn({{0, "_x.y-z"}}), "_x.y-z");
  EXPECT_EQ(NameIn({{0, std::string(253, 'a')}}), std::string(253, 'a'));
}

TEST(ServerName, OtherTypesOfNamesArePassedOver) {
  EXPECT_EQ(NameIn({}), "");
  EXPECT_EQ(NameIn({{1, "x y"}}), "");
  EXPECT_EQ(NameIn({{1, "x"}, {0, "a"}}), "a");
}

TEST(ServerName, WhatIsMalformedIsRefused) {
  EXPECT_EQ(NameIn({{0, "a"}, {0, "b"}}), "malformed");
  EXPECT_EQ(NameIn({{0, ""}}), "malformed");
  EXPECT_EQ(NameIn({{0, "."}}), "malformed");
  EXPECT_EQ(NameIn({{0, "a b"}}), "malformed");
  EXPECT_EQ(NameIn({{0, std::string("a\0b", 3)}}), "malformed");
  EXPECT_EQ(NameIn({{0,
                     "b\xc3\xbc"
                     "cher"}}),
            "malformed");
  EXPECT_EQ(NameIn({{0, "*.example.com"}}), "malformed");
  EXPECT_EQ(NameIn({{0, std::string(254, 'a')}}), "malformed");
}

TEST(ServerName, EveryCutOfAGoodOneIsRefused) {
  const std::string good = Extension({{0, "a.example.com"}, {1, "other"}});
  std::string name;
  ASSERT_TRUE(Parse(good, &name));
  for (size_t cut = 0; cut < good.size(); ++cut) {
    EXPECT_FALSE(Parse(good.substr(0, cut), &name)) << cut;
  }
  EXPECT_FALSE(Parse(good + "x", &name));
}

TEST(FitsName, ExactWildcardAndAny) {
  EXPECT_TRUE(FitsName("*", "a", false));
  EXPECT_TRUE(FitsName("a.example.com", "a.example.com", false));
  EXPECT_FALSE(FitsName("a.example.com", "b.example.com", true));
  EXPECT_TRUE(FitsName("*.example.com", "a.example.com", false));
  EXPECT_FALSE(FitsName("*.example.com", "b.a.example.com", false));
  EXPECT_TRUE(FitsName("*.example.com", "b.a.example.com", true));
  EXPECT_FALSE(FitsName("*.example.com", "example.com", true));
  EXPECT_FALSE(FitsName("*.example.com", ".example.com", true));
  EXPECT_FALSE(FitsName("*.example.com", "aexample.com", true));
}

}  // namespace
}  // namespace gw::internal
