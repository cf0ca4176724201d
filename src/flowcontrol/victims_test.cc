#include "flowcontrol/victims.h"

#include <gtest/gtest.h>

#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include "base/random.h"

namespace gw {
namespace {

using Key = Victims::Key;
using Stage = Victims::Stage;

class VictimsTest : public testing::Test {
 protected:
  Key Add(int priority, Stage stage = Stage::kUnsent) {
    const auto key = std::make_shared<Key>(0);
    *key = victims_.Add(priority, [this, key](int) { told_ = *key; });
    victims_.SetStage(*key, stage);
    return *key;
  }
  // 0: there is none.
  Key Take(int below) {
    told_ = 0;
    if (const Victims::Evict evict = victims_.Take(below)) evict(below);
    return told_;
  }

  Victims victims_;
  Key told_ = 0;
};

TEST_F(VictimsTest, WhoWasSentNothingGoesFirstThenTheYoungestStream) {
  const Key older_stream = Add(-1, Stage::kStreams);
  const Key older = Add(-1);
  const Key younger = Add(-1);
  const Key younger_stream = Add(-1, Stage::kStreams);
  EXPECT_EQ(Take(0), younger);
  EXPECT_EQ(Take(0), older);
  EXPECT_EQ(Take(0), younger_stream);
  EXPECT_EQ(Take(0), older_stream);
  EXPECT_EQ(Take(0), 0u);
  EXPECT_EQ(victims_.taken(), 4u);
}

TEST_F(VictimsTest, OfTheSameStageTheLowestPriorityGoesFirst) {
  const Key lowest = Add(-2, Stage::kStreams);
  const Key low = Add(-1, Stage::kStreams);
  const Key high = Add(0, Stage::kStreams);
  EXPECT_EQ(Take(0), lowest);
  EXPECT_EQ(Take(0), low);
  EXPECT_EQ(Take(0), 0u) << "its priority is not below";
  EXPECT_EQ(Take(1), high);
}

TEST_F(VictimsTest, OneWhoseEndMakesNoRoomIsLeftAlone) {
  const Key key = Add(-1, Stage::kFixed);
  EXPECT_EQ(victims_.left(), 0u);
  EXPECT_EQ(Take(0), 0u);
  victims_.SetStage(key, Stage::kUnsent);
  EXPECT_EQ(Take(0), key);
}

TEST_F(VictimsTest, WhoIsPutBackIsTakenAgainInItsNewStage) {
  const Key key = Add(-1);
  const Key stream = Add(-1, Stage::kStreams);
  EXPECT_EQ(Take(0), key);
  victims_.SetStage(key, Stage::kStreams);
  EXPECT_EQ(victims_.left(), 1u) << "it is taken";
  victims_.PutBack(key);
  EXPECT_EQ(Take(0), stream) << "it is younger";
  EXPECT_EQ(Take(0), key);
  victims_.Remove(key);
  victims_.Remove(stream);
  EXPECT_EQ(victims_.taken(), 0u);
}

// Against a list that is searched.
TEST_F(VictimsTest, ItIsTheOneThatASearchFinds) {
  struct Known {
    int priority;
    Stage stage = Stage::kUnsent;
    bool taken = false;
  };
  std::map<Key, Known> known;
  Random random(3);
  for (int i = 0; i < 20'000; ++i) {
    const auto any = [&] {
      auto at = known.begin();
      std::advance(at, static_cast<long>(random.Below(known.size())));
      return at;
    };
    const uint64_t what = known.empty() ? 0 : random.Below(known.size() > 50 ? 5 : 4);
    if (what == 0) {
      const int priority = static_cast<int>(random.Below(4)) - 2;
      known.emplace(Add(priority), Known{priority});
    } else if (what == 1) {
      const auto at = any();
      at->second.stage = static_cast<Stage>(random.Below(3));
      victims_.SetStage(at->first, at->second.stage);
    } else if (what == 2) {
      const int below = static_cast<int>(random.Below(4)) - 1;
      std::optional<std::tuple<Stage, int, Key>> best;  // the youngest has the least of ~key
      for (const auto& [key, each] : known) {
        if (each.taken || each.stage == Stage::kFixed || each.priority >= below) continue;
        const std::tuple place{each.stage, each.priority, ~key};
        if (!best || place < *best) best = place;
      }
      const Key expected = best ? ~std::get<Key>(*best) : 0;
      ASSERT_EQ(Take(below), expected);
      if (expected != 0) known.at(expected).taken = true;
    } else if (what == 3 && any()->second.taken) {
      for (auto& [key, each] : known) {
        if (!std::exchange(each.taken, false)) continue;
        victims_.PutBack(key);
        break;
      }
    } else {
      const auto at = any();
      victims_.Remove(at->first);
      known.erase(at);
    }
    size_t taken = 0;
    for (const auto& [key, each] : known) taken += each.taken ? 1 : 0;
    ASSERT_EQ(victims_.taken(), taken);
  }
}

}  // namespace
}  // namespace gw
