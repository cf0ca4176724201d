#include "server/read_error_news.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"

namespace gw {
namespace {

using std::chrono::seconds;
using Say = ReadErrorNews::Say;

class ReadErrorNewsTest : public testing::Test {
 protected:
  Say At(int s) { return news_.Take(TimePoint(seconds(1000 + s))); }
  Say Set(int s, const std::string& error, const std::vector<std::string>& unread = {}) {
    news_.Set(error, unread);
    return At(s);
  }

  ReadErrorNews news_;
};

TEST_F(ReadErrorNewsTest, WhileAllCanBeReadNothingIsSaid) {
  EXPECT_EQ(At(0), Say::kNothing);
  EXPECT_EQ(Set(1, ""), Say::kNothing);
}

TEST_F(ReadErrorNewsTest, EachMistakeInFilesIsSaidAtOnceAndThatItIsMended) {
  EXPECT_EQ(Set(0, "a.yaml:1: no"), Say::kErrors);
  EXPECT_EQ(Set(1, "a.yaml:1: no"), Say::kNothing);
  EXPECT_EQ(Set(2, "a.yaml:2: no"), Say::kErrors);
  EXPECT_EQ(news_.error(), "a.yaml:2: no");
  EXPECT_EQ(Set(3, ""), Say::kAllRead);
  EXPECT_EQ(At(4), Say::kNothing);
  EXPECT_EQ(Set(5, "a.yaml:2: no"), Say::kErrors);
}

TEST_F(ReadErrorNewsTest, OtherWordsForTheSameResourcesAreNoNews) {
  EXPECT_EQ(Set(0, "pods, secrets cannot be read: refused", {"pods", "secrets"}), Say::kErrors);
  for (int s = 1; s < 1000; ++s) {
    const std::string why = s % 2 == 0 ? "refused" : "timeout";
    EXPECT_EQ(Set(s, "pods, secrets cannot be read: " + why, {"pods", "secrets"}), Say::kNothing);
  }
  EXPECT_EQ(Set(1000, ""), Say::kAllRead);
}

TEST_F(ReadErrorNewsTest, OtherResourcesAreSaidWhenTheMinuteIsOverWhetherOrNotMoreChanges) {
  EXPECT_EQ(Set(0, "pods: refused", {"pods"}), Say::kErrors);
  EXPECT_EQ(Set(1, "pods, routes: refused", {"pods", "routes"}), Say::kNothing);
  EXPECT_EQ(At(59), Say::kNothing);
  EXPECT_EQ(At(60), Say::kErrors);
  EXPECT_EQ(news_.error(), "pods, routes: refused");
  EXPECT_EQ(At(61), Say::kNothing);
  EXPECT_EQ(Set(62, "pods: refused", {"pods"}), Say::kNothing);
  EXPECT_EQ(Set(63, "pods, routes: refused", {"pods", "routes"}), Say::kNothing);
  EXPECT_EQ(At(200), Say::kNothing) << "as it was said";
}

TEST_F(ReadErrorNewsTest, WhatWasNeverSaidToBeginIsNotSaidToEnd) {
  EXPECT_EQ(Set(0, "pods: refused", {"pods"}), Say::kErrors);
  EXPECT_EQ(Set(5, ""), Say::kAllRead);
  EXPECT_EQ(Set(10, "pods: refused", {"pods"}), Say::kNothing);
  EXPECT_EQ(Set(15, ""), Say::kNothing);
  EXPECT_EQ(Set(20, "pods: refused", {"pods"}), Say::kNothing);
  EXPECT_EQ(At(60), Say::kErrors);
  EXPECT_EQ(Set(61, ""), Say::kAllRead);
}

TEST_F(ReadErrorNewsTest, WhateverAClusterDoesTheLinesAreFewAndTheLastOneIsTrue) {
  Random random(1);
  const std::vector<std::string> resources = {"pods", "routes", "secrets"};
  int errors_said = 0;
  int ends_said = 0;
  bool any_unread = false;
  bool last_said_unread = false;
  const auto note = [&](Say say) {
    errors_said += say == Say::kErrors;
    ends_said += say == Say::kAllRead;
    if (say != Say::kNothing) last_said_unread = say == Say::kErrors;
  };
  for (int s = 0; s < 6000; ++s) {
    std::vector<std::string> unread;
    for (const std::string& resource : resources) {
      if (random.Below(2) == 0) unread.push_back(resource);
    }
    any_unread = !unread.empty();
    note(Set(s, any_unread ? "error " + std::to_string(random.Below(5)) : "", unread));
    if (!any_unread) EXPECT_FALSE(last_said_unread);
  }
  EXPECT_LE(errors_said, 100);
  EXPECT_GE(errors_said, 50);
  EXPECT_LE(ends_said, errors_said);
  note(At(6100));
  EXPECT_EQ(last_said_unread, any_unread);
}

}  // namespace
}  // namespace gw
