#include "flowcontrol/breaker.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace gw {
namespace {

using Place = Breaker::Place;

TEST(Breaker, LetsInAsManyAsItsLimitAndThenOneForEachThatLeaves) {
  Breakers breakers;
  const auto breaker = breakers.Get("a", {.requests_max = 2});
  Place first, second, third;
  EXPECT_TRUE(first.Take(breaker, &Breaker::requests));
  EXPECT_TRUE(second.Take(breaker, &Breaker::requests));
  EXPECT_FALSE(third.Take(breaker, &Breaker::requests));
  EXPECT_FALSE(third.held());
  EXPECT_EQ(breaker->requests.refused(), 1u);
  first.GiveBack();
  EXPECT_TRUE(third.Take(breaker, &Breaker::requests));
  EXPECT_EQ(breaker->requests.now(), 2);
}

TEST(Breaker, WithoutALimitItCountsAndRefusesNobody) {
  Breakers breakers;
  const auto breaker = breakers.Get("a", {.waiting_max = 0});
  EXPECT_EQ(breaker->requests.max(), std::nullopt);
  Place place, waiting;
  EXPECT_TRUE(place.Take(breaker, &Breaker::requests));
  EXPECT_FALSE(waiting.Take(breaker, &Breaker::waiting));
  EXPECT_EQ(breaker->requests.now(), 1);
  EXPECT_TRUE(waiting.Take(nullptr, &Breaker::waiting)) << "no breaker refuses nobody";
  EXPECT_FALSE(waiting.held());
}

TEST(Breaker, APlaceIsGivenBackOnceWhateverBecomesOfIt) {
  Breakers breakers;
  const auto breaker = breakers.Get("a", {.requests_max = 5});
  const auto other = breakers.Get("b", {.requests_max = 5});
  {
    Place place;
    ASSERT_TRUE(place.Take(breaker, &Breaker::requests));
    Place moved = std::move(place);
    EXPECT_EQ(breaker->requests.now(), 1);
    ASSERT_TRUE(place.Take(breaker, &Breaker::requests));
    moved = std::move(place);
    EXPECT_EQ(breaker->requests.now(), 1);
    ASSERT_TRUE(moved.Take(other, &Breaker::requests));
    EXPECT_EQ(breaker->requests.now(), 0) << "it counts elsewhere now";
    EXPECT_EQ(other->requests.now(), 1);
  }
  EXPECT_EQ(other->requests.now(), 0);
}

TEST(Breakers, AReloadKeepsWhoIsCounted) {
  Breakers breakers;
  auto breaker = breakers.Get("a", {.requests_max = 2});
  Place first, second, third;
  ASSERT_TRUE(first.Take(breaker, &Breaker::requests));
  ASSERT_TRUE(second.Take(breaker, &Breaker::requests));
  EXPECT_EQ(breakers.Get("a", {.requests_max = 1}), breaker);
  first.GiveBack();
  EXPECT_FALSE(third.Take(breaker, &Breaker::requests)) << "one is as many as may be";
  // Without limits nobody is counted anew; those of before are when there are limits again.
  EXPECT_EQ(breakers.Get("a", {}), nullptr);
  const Breaker* const was = breaker.get();
  breaker = nullptr;
  breaker = breakers.Get("a", {.requests_max = 2});
  EXPECT_EQ(breaker.get(), was) << "the second is still here";
  EXPECT_EQ(breaker->requests.now(), 1);
  EXPECT_NE(breakers.Get("b", {.requests_max = 2}), breaker);
}

// From all sides at once: never more than may be, and as many as that.
TEST(BreakerThreads, TheLimitIsExact) {
  constexpr int kThreads = 4;
  constexpr int64_t kMax = 3;
  Breakers breakers;
  const auto breaker = breakers.Get("a", {.requests_max = kMax});
  std::atomic<int64_t> in{0};
  std::atomic<int64_t> most{0};
  std::atomic<uint64_t> refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) {
        Place place;
        if (!place.Take(breaker, &Breaker::requests)) {
          ++refused;
          continue;
        }
        const int64_t now = in.fetch_add(1) + 1;
        for (int64_t seen = most.load(); seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        in.fetch_sub(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most.load(), kMax);
  EXPECT_EQ(breaker->requests.now(), 0);
  EXPECT_EQ(breaker->requests.refused(), refused.load());
}

}  // namespace
}  // namespace gw
