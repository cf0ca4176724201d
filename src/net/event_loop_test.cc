#include "net/event_loop.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "base/random.h"
#include "net/net_test_util.h"
#include "net/tcp_stream.h"

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

// A stream with a time-out: what comes in time stops it.
class Waiting final : public StreamObserver {
 public:
  Waiting(EventLoop& loop, int* late) : timer_(loop, [late] { ++*late; }) {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    stream_ = internal::TcpStream::New(internal::ImplOf(loop), fds[0],
                                       internal::TcpStream::State::kConnected, {});
    peer_ = fds[1];
    stream_->set_observer(this);
    timer_.Start(seconds(2));
  }
  ~Waiting() { close(peer_); }

  void Answer() const { EXPECT_EQ(write(peer_, "x", 1), 1); }
  int peer() const { return peer_; }

  void OnReadable() override {
    char byte;
    if (stream_->Read({&byte, 1}).bytes == 1) timer_.Stop();
  }
  void OnWritable() override {}

 private:
  Timer timer_;
  std::unique_ptr<Stream> stream_;
  int peer_ = -1;
};

void AllowOpenFiles(rlim_t wanted) {
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = std::min(std::max(limit.rlim_cur, wanted), limit.rlim_max);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

TEST_F(Timers, DataInMoreSocketsThanOneBatchWinsOverTimeouts) {
  constexpr int kStreams = 700;
  AllowOpenFiles(4 * kStreams);
  int late = 0;
  std::deque<Waiting> streams;
  for (int i = 0; i < kStreams; ++i) streams.emplace_back(*loop_, &late);
  Advance(Duration::zero());  // that they can be written to is told once
  for (const Waiting& stream : streams) stream.Answer();
  // The process stood still until long after all time-outs.
  Advance(seconds(10));
  EXPECT_EQ(late, 0);
}

TEST_F(Timers, SilentStreamsTimeOutBesideOnesThatAnswered) {
  int late = 0;
  std::deque<Waiting> streams;
  for (int i = 0; i < 10; ++i) streams.emplace_back(*loop_, &late);
  for (size_t i = 0; i < 4; ++i) streams[i].Answer();
  Advance(seconds(2));
  EXPECT_EQ(late, 6);
}

// What a process that is stopped and goes on sees: its wait ended by a signal, everything due, and
// what came meanwhile in the sockets.
ManualClock* stopped_clock = nullptr;
const Waiting* stopped_stream = nullptr;
volatile sig_atomic_t loop_waits = 0;  // or is about to: nothing that a handler must not interrupt
const itimerval kSoon{{0, 0}, {0, 20'000}};
void OnAlarm(int) {
  if (loop_waits == 0) {
    setitimer(ITIMER_REAL, &kSoon, nullptr);
    return;
  }
  stopped_clock->Advance(seconds(10));
  stopped_stream->Answer();
}

TEST_F(Timers, DataWinsOverTimeoutsWhenASignalEndsTheWait) {
  int late = 0;
  Waiting stream(*loop_, &late);
  Advance(Duration::zero());
  stopped_clock = &clock_;
  stopped_stream = &stream;
  struct sigaction action{};
  action.sa_handler = OnAlarm;
  struct sigaction before;
  ASSERT_EQ(sigaction(SIGALRM, &action, &before), 0);
  const TimePoint begin = clock_.Now();
  ASSERT_EQ(setitimer(ITIMER_REAL, &kSoon, nullptr), 0);
  while (clock_.Now() == begin) {
    loop_waits = 1;
    loop_->RunOnce(seconds(10));
    loop_waits = 0;
  }
  for (int i = 0; i < 3; ++i) loop_->RunOnce(Duration::zero());
  ASSERT_EQ(sigaction(SIGALRM, &before, nullptr), 0);
  EXPECT_EQ(late, 0);
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

// Otherwise a task that frees what a handler closed could run while the same round still uses it.
TEST_F(Loop, TaskPostedByAHandlerRunsInTheNextRoundAlsoIfOthersWerePostedBefore) {
  std::vector<std::string> order;
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  Recorder recorder;
  recorder.then = [&] {
    order.push_back("handler");
    loop_->Post([&] { order.push_back("task of the handler"); });
  };
  std::unique_ptr<Stream> stream = internal::TcpStream::New(
      internal::ImplOf(*loop_), fds[0], internal::TcpStream::State::kConnected, {});
  recorder.Attach(stream.get());
  loop_->RunOnce(Duration::zero());
  ASSERT_EQ(write(fds[1], "x", 1), 1);
  loop_->Post([&] { order.push_back("task before"); });
  loop_->RunOnce(seconds(10));
  EXPECT_EQ(order, (std::vector<std::string>{"handler", "task before"}));
  loop_->RunOnce(seconds(10));
  EXPECT_EQ(order.back(), "task of the handler");
  close(fds[1]);
}

TEST_F(Loop, TaskPostedByATimerRunsInTheNextRound) {
  std::vector<int> order;
  Timer timer(*loop_, [&] {
    order.push_back(1);
    loop_->Post([&] { order.push_back(2); });
  });
  timer.Start(Duration::zero());
  loop_->RunOnce(seconds(10));
  EXPECT_EQ(order, (std::vector<int>{1}));
  loop_->RunOnce(seconds(10));
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

// Counts who of its kind is left, and takes others with it.
struct Ending {
  explicit Ending(int* c) : count(c) { ++*count; }
  ~Ending() {
    --*count;
    if (then) then();
  }
  int* count;
  std::function<void()> then;
};

TEST_F(Loop, WhatEndsInARoundIsFreedAfterEverythingElseInIt) {
  int left = 0;
  auto ending = std::make_unique<Ending>(&left);
  Timer last(*loop_, [&] { EXPECT_EQ(left, 1); });
  last.Start(Duration::zero());
  loop_->Post([&] { loop_->FreeLater(std::move(ending)); });
  loop_->Post([&] { EXPECT_EQ(left, 1); });
  RunUntil([&] { return ending == nullptr; });
  EXPECT_EQ(left, 0);
}

TEST_F(Loop, WhatIsEndedByADestructorIsFreedInTheSameRound) {
  int left = 0;
  auto first = std::make_unique<Ending>(&left);
  auto second = std::make_unique<Ending>(&left);
  auto third = std::make_unique<Ending>(&left);
  first->then = [&] { loop_->FreeLater(std::move(second)); };
  second->then = [&] { loop_->FreeLater(std::move(third)); };
  loop_->FreeLater(std::move(first));
  EXPECT_EQ(left, 3);
  loop_->RunOnce(Duration::zero());
  EXPECT_EQ(left, 0);
}

TEST_F(Loop, WhatEndedOutsideARoundIsFreedWithTheLoopAtTheLatest) {
  int left = 0;
  loop_->FreeLater(std::make_unique<Ending>(&left));
  loop_.reset();
  EXPECT_EQ(left, 0);
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
