// What one event, one timer and one round trip over loopback cost.

#include <benchmark/benchmark.h>

#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "net/event_loop.h"
#include "net/stream.h"

namespace gw {
namespace {

// Sends back what it reads.
struct Echo final : StreamObserver {
  void OnReadable() override {
    for (;;) {
      const IoResult read = stream->Read(loop->scratch());
      if (read.state != IoState::kOk) return;
      const iovec part{loop->scratch().data(), read.bytes};
      CHECK(stream->Write({&part, 1}).state == IoState::kOk);
    }
  }
  void OnWritable() override {}
  EventLoop* loop;
  std::unique_ptr<Stream> stream;
};

// Sends a message, counts the bytes of its echo, and begins again.
struct Pinger final : StreamObserver {
  void Send() {
    const iovec part{message.data(), message.size()};
    CHECK(stream->Write({&part, 1}).state == IoState::kOk);
  }
  void OnReadable() override {
    for (;;) {
      const IoResult read = stream->Read(loop->scratch());
      if (read.state != IoState::kOk) return;
      received += read.bytes;
      if (received < message.size()) continue;
      received = 0;
      ++round_trips;
      Send();
    }
  }
  void OnWritable() override {}
  EventLoop* loop;
  std::unique_ptr<Stream> stream;
  std::string message;
  size_t received = 0;
  uint64_t round_trips = 0;
};

// Both ends of `connections` connections on one loop: per round trip two sends, two receives and
// their share of epoll_wait.
void BM_PingPong(benchmark::State& state) {
  const auto connections = static_cast<size_t>(state.range(0));
  const auto message_bytes = static_cast<size_t>(state.range(1));
  const std::unique_ptr<EventLoop> loop = *EventLoop::New();
  std::deque<Echo> echoes;
  std::deque<Pinger> pingers;
  const std::unique_ptr<Listener> listener = *Listener::New(
      *loop, *SocketAddress::FromIp("127.0.0.1", 0), {}, [&](std::unique_ptr<Stream> stream) {
        Echo& echo = echoes.emplace_back();
        echo.loop = loop.get();
        echo.stream = std::move(stream);
        echo.stream->set_observer(&echo);
      });
  std::deque<std::unique_ptr<Connector>> connectors;
  for (size_t i = 0; i < connections; ++i) {
    connectors.push_back(Connector::New(*loop, listener->local(), std::chrono::seconds(10),
                                        [&](absl::StatusOr<std::unique_ptr<Stream>> stream) {
                                          CHECK(stream.ok());
                                          Pinger& pinger = pingers.emplace_back();
                                          pinger.loop = loop.get();
                                          pinger.message.assign(message_bytes, 'x');
                                          pinger.stream = *std::move(stream);
                                          pinger.stream->set_observer(&pinger);
                                          pinger.Send();
                                        }));
  }
  while (pingers.size() < connections) loop->RunOnce(std::chrono::seconds(1));
  const auto total = [&] {
    uint64_t sum = 0;
    for (const Pinger& pinger : pingers) sum += pinger.round_trips;
    return sum;
  };
  const uint64_t before = total();
  for (auto _ : state) loop->RunOnce(std::chrono::seconds(1));
  state.SetItemsProcessed(static_cast<int64_t>(total() - before));
}
BENCHMARK(BM_PingPong)->Args({1, 100})->Args({64, 100})->Args({64, 1000})->Args({64, 16'000});

// Restarting one of many running timers, as each request does with its timeouts.
void BM_TimerRestart(benchmark::State& state) {
  ManualClock clock;
  const std::unique_ptr<EventLoop> loop = *EventLoop::New(clock);
  std::deque<Timer> timers;
  for (int64_t i = 0; i < state.range(0); ++i) {
    timers.emplace_back(*loop, [] {}).Start(std::chrono::milliseconds(1 + i % 60'000));
  }
  Random random(1);
  for (auto _ : state) {
    timers[random.Below(timers.size())].Start(std::chrono::seconds(60));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_TimerRestart)->Arg(1)->Arg(1000)->Arg(100'000);

void BM_TimerStartStop(benchmark::State& state) {
  ManualClock clock;
  const std::unique_ptr<EventLoop> loop = *EventLoop::New(clock);
  Timer timer(*loop, [] {});
  for (auto _ : state) {
    timer.Start(std::chrono::seconds(5));
    timer.Stop();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_TimerStartStop);

// Timers that all expire, one jump of a millisecond after the other.
void BM_TimerExpire(benchmark::State& state) {
  ManualClock clock;
  const std::unique_ptr<EventLoop> loop = *EventLoop::New(clock);
  int64_t fired = 0;
  std::deque<Timer> timers;
  for (int64_t i = 0; i < 10'000; ++i) timers.emplace_back(*loop, [&fired] { ++fired; });
  Random random(1);
  for (auto _ : state) {
    state.PauseTiming();
    for (Timer& timer : timers) timer.Start(std::chrono::milliseconds(1 + random.Below(1000)));
    state.ResumeTiming();
    for (int i = 0; i < 100; ++i) {
      clock.Advance(std::chrono::milliseconds(10));
      loop->RunOnce(Duration::zero());
    }
  }
  state.SetItemsProcessed(fired);
}
BENCHMARK(BM_TimerExpire);

void BM_PostAndRun(benchmark::State& state) {
  const std::unique_ptr<EventLoop> loop = *EventLoop::New();
  int64_t ran = 0;
  for (auto _ : state) {
    loop->Post([&ran] { ++ran; });
    loop->RunOnce(Duration::zero());
  }
  state.SetItemsProcessed(ran);
}
BENCHMARK(BM_PostAndRun);

}  // namespace
}  // namespace gw
