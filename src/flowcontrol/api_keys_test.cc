#include "flowcontrol/api_keys.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

std::shared_ptr<const KeyOwner> Owner(std::string name) {
  return std::make_shared<const KeyOwner>(KeyOwner{std::move(name), nullptr});
}

TEST(ApiKeys, FindsTheOwnerOfTheWholeKeyOnly) {
  ApiKeys keys;
  EXPECT_TRUE(keys.Add("sk-alice", Owner("alice")));
  EXPECT_TRUE(keys.Add("sk-bob", Owner("bob")));
  ASSERT_NE(keys.Find("sk-alice"), nullptr);
  EXPECT_EQ(keys.Find("sk-alice")->name, "alice");
  EXPECT_EQ(keys.Find("sk-bob")->name, "bob");
  for (const char* other : {"", "sk-", "sk-alic", "sk-alice ", "sk-alicee", "SK-ALICE"}) {
    EXPECT_EQ(keys.Find(other), nullptr) << other;
  }
  EXPECT_EQ(keys.Find(std::string_view("sk-alice\0", 9)), nullptr);
}

TEST(ApiKeys, AKeyStaysItsFirstOwners) {
  ApiKeys keys;
  EXPECT_TRUE(keys.Add("k", Owner("first")));
  EXPECT_FALSE(keys.Add("k", Owner("second")));
  EXPECT_EQ(keys.Find("k")->name, "first");
  EXPECT_EQ(keys.size(), 1u);
}

TEST(IsApiKey, IsWhatAHeaderFieldCanCarryAsAToken) {
  EXPECT_TRUE(IsApiKey("a"));
  EXPECT_TRUE(IsApiKey("sk-A_b.c~d/e+f=="));
  EXPECT_TRUE(IsApiKey(std::string(512, 'x')));
  EXPECT_FALSE(IsApiKey(""));
  EXPECT_FALSE(IsApiKey(std::string(513, 'x')));
  EXPECT_FALSE(IsApiKey("a b"));
  EXPECT_FALSE(IsApiKey("a\n"));
  EXPECT_FALSE(IsApiKey("sk-\xc3\xa9"));
}

TEST(BearerToken, TakesTheSchemeInAnyCase) {
  EXPECT_EQ(BearerToken("Bearer abc"), "abc");
  EXPECT_EQ(BearerToken("bEARER   abc "), "abc");
  EXPECT_EQ(BearerToken("Bearer"), "");
  EXPECT_EQ(BearerToken("Bearer "), "");
  EXPECT_EQ(BearerToken("Basic abc"), "");
  EXPECT_EQ(BearerToken("abc"), "");
  EXPECT_EQ(BearerToken(""), "");
}

}  // namespace
}  // namespace gw
