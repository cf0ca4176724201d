#include "net/timer_wheel.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "base/random.h"

namespace gw::internal {
namespace {

struct Probe final : TimerNode {
  explicit Probe(std::function<void()> f) : on_expiry(std::move(f)) {}
  void OnExpiry() override { on_expiry(); }
  std::function<void()> on_expiry;
};

TEST(TimerWheel, FiresAtItsTickAndNotBefore) {
  // The borders of the levels, and beyond the last one.
  for (const uint64_t tick :
       {uint64_t{1}, uint64_t{255}, uint64_t{256}, uint64_t{257}, uint64_t{511}, uint64_t{65'535},
        uint64_t{65'536}, uint64_t{65'537}, uint64_t{16'777'216}, uint64_t{4'294'967'295},
        uint64_t{4'294'967'296}, uint64_t{9'000'000'000'000}}) {
    for (const uint64_t start : {uint64_t{0}, uint64_t{255}, uint64_t{1'000'003}}) {
      TimerWheel wheel;
      wheel.Advance(start);
      int fired = 0;
      Probe probe([&] { ++fired; });
      wheel.Start(&probe, start + tick);
      EXPECT_LE(wheel.NextTick(), start + tick);
      EXPECT_GT(wheel.NextTick(), start);
      wheel.Advance(start + tick - 1);
      EXPECT_EQ(fired, 0) << "tick " << tick << " from " << start;
      wheel.Advance(start + tick);
      EXPECT_EQ(fired, 1) << "tick " << tick << " from " << start;
      EXPECT_FALSE(probe.linked());
      EXPECT_EQ(wheel.NextTick(), TimerWheel::kNever);
    }
  }
}

TEST(TimerWheel, TickThatHasPassedFiresInTheNextAdvance) {
  TimerWheel wheel;
  wheel.Advance(100);
  int fired = 0;
  Probe probe([&] {
    ++fired;
    wheel.Start(&probe, 50);  // again for the past: must not make this Advance endless
  });
  wheel.Start(&probe, 100);
  EXPECT_EQ(wheel.NextTick(), 100u);
  wheel.Advance(100);
  EXPECT_EQ(fired, 1);
  wheel.Advance(100);
  EXPECT_EQ(fired, 2);
  wheel.Stop(&probe);
  EXPECT_EQ(wheel.NextTick(), TimerWheel::kNever);
}

TEST(TimerWheel, HandlerMayStopAnotherTimerOfTheSameTick) {
  TimerWheel wheel;
  int fired = 0;
  Probe second([&] { ++fired; });
  Probe first([&] { wheel.Stop(&second); });
  wheel.Start(&first, 10);
  wheel.Start(&second, 10);
  wheel.Advance(10);
  EXPECT_EQ(fired, 0);
  EXPECT_FALSE(second.linked());
}

TEST(TimerWheel, TimerStartedByAHandlerFiresWithinTheSameJump) {
  TimerWheel wheel;
  std::vector<uint64_t> ticks;
  Probe second([&] { ticks.push_back(wheel.now()); });
  Probe first([&] {
    ticks.push_back(wheel.now());
    wheel.Start(&second, wheel.now() + 5);
  });
  wheel.Start(&first, 10);
  wheel.Advance(1000);
  EXPECT_EQ(ticks, (std::vector<uint64_t>{10, 15}));
  EXPECT_EQ(wheel.now(), 1000u);
}

TEST(TimerWheel, StoppingTheLastTimerOfASlotEmptiesTheWheel) {
  TimerWheel wheel;
  Probe a([] {});
  Probe b([] {});
  wheel.Start(&a, 100'000);
  wheel.Start(&b, 100'000);
  wheel.Stop(&a);
  EXPECT_NE(wheel.NextTick(), TimerWheel::kNever);
  wheel.Stop(&b);
  wheel.Advance(wheel.NextTick());
  EXPECT_EQ(wheel.NextTick(), TimerWheel::kNever);
}

// Random starts, stops, restarts and jumps against a sorted map.
TEST(TimerWheel, AgreesWithASortedMap) {
  Random random(42);
  TimerWheel wheel;
  std::multimap<uint64_t, size_t> oracle;  // expiry -> timer
  std::vector<std::multimap<uint64_t, size_t>::iterator> where(2000, oracle.end());
  std::vector<size_t> fired;
  std::deque<Probe> probes;
  for (size_t i = 0; i < where.size(); ++i) {
    probes.emplace_back([&fired, i] { fired.push_back(i); });
  }
  for (int step = 0; step < 50'000; ++step) {
    const size_t i = random.Below(where.size());
    if (probes[i].linked()) {
      wheel.Stop(&probes[i]);
      oracle.erase(where[i]);
    }
    if (random.Below(4) != 0) {
      const uint64_t tick = wheel.now() + 1 + random.Below(uint64_t{1} << (1 + random.Below(34)));
      wheel.Start(&probes[i], tick);
      where[i] = oracle.emplace(tick, i);
    }
    if (random.Below(8) != 0) continue;
    const uint64_t to = wheel.now() + random.Below(uint64_t{1} << (1 + random.Below(26)));
    const uint64_t first = oracle.empty() ? TimerWheel::kNever : oracle.begin()->first;
    ASSERT_LE(wheel.NextTick(), first);
    fired.clear();
    wheel.Advance(to);
    uint64_t last = 0;
    for (const size_t timer : fired) {
      ASSERT_LE(where[timer]->first, to);
      ASSERT_GE(where[timer]->first, last);
      last = where[timer]->first;
      oracle.erase(where[timer]);
    }
    ASSERT_TRUE(oracle.empty() || oracle.begin()->first > to);
  }
}

}  // namespace
}  // namespace gw::internal
