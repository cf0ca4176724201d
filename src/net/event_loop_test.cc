#include "net/event_loop.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "base/random.h"
#include "net/net_test_util.h"

namespace gw {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Timers in virtual time: nothing here waits.
class Timers : public testing::Test {
 protected:
  void Advance(Duration by) {
    clock_.Advance(by);
    loop_->RunOnce(Duration::zero());
  }

  ManualClock clock_;
  std::unique_ptr<EventLoop> loop_ = *EventLoop::New(clock_);
};

TEST_F(Timers, FireInTheOrderOfTheirDeadlines) {
  std::vector<int> order;
  Timer late(*loop_, [&] { order.push_back(3); });
  Timer early(*loop_, [&] { order.push_back(1); });
  Timer middle(*loop_, [&] { order.push_back(2); });
  late.Start(hours(2));
  early.Start(milliseconds(3));
  middle.Start(seconds(7));
  Advance(hours(3));
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST_F(Timers, NeverFireEarlyAndFireWithinAMillisecond) {
  int fired = 0;
  Timer timer(*loop_, [&] { ++fired; });
  Advance(microseconds(700));
  timer.Start(microseconds(1500));
  Advance(microseconds(1499));
  EXPECT_EQ(fired, 0);
  EXPECT_TRUE(timer.active());
  Advance(microseconds(1000));
  EXPECT_EQ(fired, 1);
  EXPECT_FALSE(timer.active());
  Advance(seconds(1));
  EXPECT_EQ(fired, 1);
}

TEST_F(Timers, StartMovesARunningTimer) {
  int fired = 0;
  Timer timer(*loop_, [&] { ++fired; });
  timer.Start(seconds(1));
  Advance(milliseconds(900));
  timer.Start(seconds(1));
  Advance(milliseconds(900));
  EXPECT_EQ(fired, 0);
  Advance(milliseconds(100));
  EXPECT_EQ(fired, 1);
}

TEST_F(Timers, ZeroFiresInTheNextRoundWithoutTimePassing) {
  int fired = 0;
  Timer timer(*loop_, [&] {
    if (++fired < 3) timer.Start(Duration::zero());
  });
  timer.Start(Duration::zero());
  for (int round = 1; round <= 4; ++round) {
    loop_->RunOnce(seconds(10));
    EXPECT_EQ(fired, std::min(round, 3));
    if (round == 3) break;
  }
  EXPECT_FALSE(timer.active());
}

TEST_F(Timers, LongestDurationNeverFires) {
  int fired = 0;
  Timer timer(*loop_, [&] { ++fired; });
  timer.Start(Duration::max());
  Advance(hours(24 * 365));
  EXPECT_EQ(fired, 0);
  EXPECT_TRUE(timer.active());
  timer.Stop();
  EXPECT_FALSE(timer.active());
}

TEST_F(Timers, HandlerMayStopAndDestroyOtherTimers) {
  int fired = 0;
  auto victim = std::make_unique<Timer>(*loop_, [&] { ++fired; });
  Timer stopped(*loop_, [&] { ++fired; });
  Timer first(*loop_, [&] {
    victim.reset();
    stopped.Stop();
  });
  first.Start(milliseconds(5));
  victim->Start(milliseconds(5));
  stopped.Start(milliseconds(6));
  Advance(milliseconds(10));
  EXPECT_EQ(fired, 0);
}

TEST_F(Timers, HandlerMayDestroyItsOwnTimer) {
  std::unique_ptr<Timer> timer;
  timer = std::make_unique<Timer>(*loop_, [&timer] { timer.reset(); });
  timer->Start(milliseconds(1));
  Advance(milliseconds(1));
  EXPECT_EQ(timer, nullptr);
}

TEST_F(Timers, HundredThousandTimersFireOnceEach) {
  constexpr int kTimers = 100'000;
  Random random(1);
  int fired = 0;
  std::deque<Timer> timers;
  for (int i = 0; i < kTimers; ++i) {
    timers.emplace_back(*loop_, [&] { ++fired; });
    timers.back().Start(milliseconds(1 + random.Below(600'000)));
  }
  for (int i = 0; i < kTimers; i += 2) timers[static_cast<size_t>(i)].Stop();
  for (int second = 0; second < 600; ++second) Advance(seconds(1));
  EXPECT_EQ(fired, kTimers / 2);
}

TEST_F(Timers, NowIsTheClockOutsideARoundAndFixedWithinOne) {
  clock_.Advance(seconds(5));
  EXPECT_EQ(loop_->now(), clock_.Now());
  TimePoint seen;
  Timer timer(*loop_, [&] {
    clock_.Advance(seconds(1));
    seen = loop_->now();
  });
  timer.Start(milliseconds(1));
  Advance(milliseconds(1));
  EXPECT_EQ(seen + seconds(1), clock_.Now());
}

class Loop : public LoopTest {};

TEST_F(Loop, TimerEndsAWaitOnTheRealClock) {
  bool fired = false;
  Timer timer(*loop_, [&] { fired = true; });
  const TimePoint begin = RealClock().Now();
  timer.Start(milliseconds(5));
  while (!fired) loop_->RunOnce(Duration::max());
  EXPECT_GE(RealClock().Now() - begin, milliseconds(5));
}

TEST_F(Loop, TasksOfOneThreadRunInOrder) {
  constexpr int kThreads = 4;
  constexpr int kTasks = 5000;
  std::vector<std::vector<int>> seen(kThreads);
  int total = 0;
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kTasks; ++i) {
        loop_->Post([&, t, i] {
          seen[t].push_back(i);
          ++total;
        });
      }
    });
  }
  RunUntil([&] { return total == kThreads * kTasks; });
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<int>& tasks : seen) {
    EXPECT_TRUE(std::is_sorted(tasks.begin(), tasks.end()));
    EXPECT_EQ(tasks.size(), size_t{kTasks});
  }
}

TEST_F(Loop, TaskPostedByATaskRunsInTheNextRound) {
  std::vector<int> order;
  loop_->Post([&] {
    order.push_back(1);
    loop_->Post([&] { order.push_back(2); });
  });
  loop_->RunOnce(seconds(10));
  EXPECT_EQ(order, (std::vector<int>{1}));
  loop_->RunOnce(seconds(10));
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST_F(Loop, StopFromAnotherThreadEndsRun) {
  std::atomic<bool> running = false;
  loop_->Post([&] { running = true; });
  std::thread stopper([&] {
    while (!running) std::this_thread::yield();
    loop_->Stop();
  });
  loop_->Run();
  stopper.join();
  EXPECT_TRUE(running);
}

TEST_F(Loop, StopBeforeRunMakesItReturnAtOnceAndLeavesTasksUnrun) {
  bool ran = false;
  auto held = std::make_shared<int>(0);
  loop_->Post([&ran, held] { ran = true; });
  loop_->Stop();
  loop_->Run();
  EXPECT_FALSE(ran);
  EXPECT_EQ(held.use_count(), 2);
  loop_.reset();
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace gw
