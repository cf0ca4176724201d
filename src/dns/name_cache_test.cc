#include "dns/name_cache.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

using std::chrono::seconds;

NameAnswer Found(std::vector<std::string> ips, int lifetime_s) {
  return {NameAnswer::Kind::kFound, std::move(ips), seconds(lifetime_s), ""};
}
NameAnswer Failed(std::string why) { return {NameAnswer::Kind::kFailed, {}, {}, std::move(why)}; }
NameAnswer NoSuchName() { return {NameAnswer::Kind::kNoSuchName, {}, {}, "no such name"}; }

class NameCacheTest : public testing::Test {
 protected:
  TimePoint At(int s) const { return start_ + seconds(s); }

  const TimePoint start_{seconds(1000)};
  NameCache cache_;
};

TEST_F(NameCacheTest, AsksForEachNameOnceAndAgainWhenItsLifetimeIsOver) {
  EXPECT_TRUE(cache_.SetWanted({"a", "b"}, At(0)));
  EXPECT_EQ(cache_.TakeDue(At(0)), "a");
  EXPECT_EQ(cache_.TakeDue(At(0)), "b");
  EXPECT_EQ(cache_.TakeDue(At(0)), std::nullopt);
  EXPECT_EQ(cache_.NextDue(), std::nullopt);
  EXPECT_FALSE(cache_.all_asked());

  EXPECT_TRUE(cache_.OnAnswer("a", Found({"10.0.0.2", "10.0.0.1", "10.0.0.2"}, 60), At(1)));
  EXPECT_TRUE(cache_.OnAnswer("b", Found({"10.0.1.1"}, 30), At(1)));
  EXPECT_TRUE(cache_.all_asked());
  EXPECT_EQ(cache_.table().at("a").ips, (std::vector<std::string>{"10.0.0.1", "10.0.0.2"}));
  EXPECT_EQ(cache_.NextDue(), At(31));
  EXPECT_EQ(cache_.TakeDue(At(30)), std::nullopt);
  EXPECT_EQ(cache_.TakeDue(At(31)), "b");
  EXPECT_FALSE(cache_.OnAnswer("b", Found({"10.0.1.1"}, 30), At(31)));
}

TEST_F(NameCacheTest, AddressesThatComeInAnotherOrderAreNoChange) {
  cache_.SetWanted({"a"}, At(0));
  cache_.TakeDue(At(0));
  EXPECT_TRUE(cache_.OnAnswer("a", Found({"1.1.1.1", "2.2.2.2"}, 5), At(0)));
  cache_.TakeDue(At(5));
  EXPECT_FALSE(cache_.OnAnswer("a", Found({"2.2.2.2", "1.1.1.1"}, 5), At(5)));
}

TEST_F(NameCacheTest, LifetimesAreHeldWithinBounds) {
  cache_.SetWanted({"a"}, At(0));
  cache_.TakeDue(At(0));
  cache_.OnAnswer("a", Found({"1.1.1.1"}, 0), At(0));
  EXPECT_EQ(cache_.NextDue(), At(5));
  cache_.TakeDue(At(5));
  cache_.OnAnswer("a", Found({"1.1.1.1"}, 86400), At(5));
  EXPECT_EQ(cache_.NextDue(), At(305));
}

TEST_F(NameCacheTest, AServerThatDoesNotAnswerTakesNothingAway) {
  cache_.SetWanted({"a"}, At(0));
  cache_.TakeDue(At(0));
  cache_.OnAnswer("a", Found({"1.1.1.1"}, 5), At(0));
  int now = 5;
  for (const int pause : {1, 2, 4, 8, 16, 30, 30}) {
    ASSERT_EQ(cache_.TakeDue(At(now)), "a");
    cache_.OnAnswer("a", Failed("no answer"), At(now));
    EXPECT_EQ(cache_.NextDue(), At(now + pause));
    now += pause;
  }
  EXPECT_EQ(cache_.table().at("a").ips, (std::vector<std::string>{"1.1.1.1"}));
  EXPECT_EQ(cache_.table().at("a").error, "no answer");
  cache_.TakeDue(At(now));
  EXPECT_TRUE(cache_.OnAnswer("a", Found({"1.1.1.1"}, 5), At(now)));
  EXPECT_EQ(cache_.table().at("a").error, "");
  cache_.TakeDue(At(now + 5));
  cache_.OnAnswer("a", Failed("no answer"), At(now + 5));
  EXPECT_EQ(cache_.NextDue(), At(now + 6)) << "the pause begins small again";
}

TEST_F(NameCacheTest, ThatANameDoesNotExistEmptiesIt) {
  cache_.SetWanted({"a"}, At(0));
  cache_.TakeDue(At(0));
  cache_.OnAnswer("a", Found({"1.1.1.1"}, 5), At(0));
  cache_.TakeDue(At(5));
  EXPECT_TRUE(cache_.OnAnswer("a", NoSuchName(), At(5)));
  EXPECT_TRUE(cache_.table().at("a").ips.empty());
}

TEST_F(NameCacheTest, ANameThatIsNotWantedAnyMoreIsForgottenWithItsAnswer) {
  cache_.SetWanted({"a", "b"}, At(0));
  cache_.TakeDue(At(0));
  EXPECT_TRUE(cache_.SetWanted({"b"}, At(0)));
  EXPECT_FALSE(cache_.SetWanted({"b"}, At(0)));
  EXPECT_FALSE(cache_.OnAnswer("a", Found({"1.1.1.1"}, 5), At(1)));
  EXPECT_EQ(cache_.table().count("a"), 0u);
}

TEST_F(NameCacheTest, MoreAddressesThanTheLimitAreLeftOut) {
  cache_.SetWanted({"a"}, At(0));
  cache_.TakeDue(At(0));
  std::vector<std::string> ips;
  for (int i = 0; i < 200; ++i) ips.push_back("10.0.0." + std::to_string(i));
  cache_.OnAnswer("a", Found(ips, 5), At(0));
  EXPECT_EQ(cache_.table().at("a").ips.size(), 64u);
}

}  // namespace
}  // namespace gw
