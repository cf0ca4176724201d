// What scraping costs the gateway: 500 replicas with pages of 34 kB, each every 50 ms, which is
// 10,000 scrapes a second. The replicas are listeners in a process of their own; the figures are
// the CPU time of the scraper's thread alone, kernel included. Where the machine cannot answer that
// many, fewer are made, and the CPU time of each still holds. And what 5,000 idle endpoints cost.

#include <benchmark/benchmark.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/check.h"
#include "collect/scraper.h"
#include "net/stream.h"

namespace gw {
namespace {

constexpr size_t kPageBytes = 34'000;

// Answers whatever arrives with the same bytes: the replicas must not be what is measured.
class PageServer {
 public:
  PageServer(EventLoop& loop, const std::string& answer) : answer_(answer) {
    auto listener = Listener::New(
        loop, *SocketAddress::Parse("127.0.0.1:0"), {.reuse_port = false, .backlog = 1024},
        [this, &loop](std::unique_ptr<Stream> stream) {
          connections_.push_back(std::make_unique<Connection>(loop, answer_, std::move(stream)));
        });
    CHECK(listener.ok());
    listener_ = std::move(*listener);
  }
  uint16_t port() const { return listener_->local().port(); }

 private:
  struct Connection final : StreamObserver {
    Connection(EventLoop& l, const std::string& a, std::unique_ptr<Stream> s)
        : loop(l), answer(a), stream(std::move(s)) {
      stream->set_observer(this);
    }
    void OnReadable() override {
      while (stream != nullptr) {
        const IoResult read = stream->Read(loop.scratch());
        if (read.state == IoState::kWouldBlock) return;
        if (read.state != IoState::kOk) {
          stream.reset();
          return;
        }
        sent = 0;
        OnWritable();
      }
    }
    void OnWritable() override {
      const iovec part{const_cast<char*>(answer.data()) + sent, answer.size() - sent};
      sent += stream->Write({&part, 1}).bytes;
    }
    EventLoop& loop;
    const std::string& answer;
    std::unique_ptr<Stream> stream;
    size_t sent = 0;
  };

  const std::string& answer_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::unique_ptr<Listener> listener_;
};

// Starts the replicas in a process of their own; returns their ports.
std::vector<uint16_t> StartServers(size_t count, const std::string& answer, pid_t* child) {
  int pipe_ends[2];
  CHECK(pipe(pipe_ends) == 0);
  *child = fork();
  CHECK(*child >= 0);
  if (*child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    auto loop = std::move(*EventLoop::New());
    std::vector<std::unique_ptr<PageServer>> servers;
    for (size_t i = 0; i < count; ++i) {
      servers.push_back(std::make_unique<PageServer>(*loop, answer));
      const uint16_t port = servers.back()->port();
      CHECK(write(pipe_ends[1], &port, sizeof(port)) == sizeof(port));
    }
    loop->Run();
    _exit(0);
  }
  std::vector<uint16_t> ports(count);
  for (uint16_t& port : ports) CHECK(read(pipe_ends[0], &port, sizeof(port)) == sizeof(port));
  close(pipe_ends[0]);
  close(pipe_ends[1]);
  return ports;
}

std::string Answer(const std::string& recorded) {
  std::ifstream file(PENSTOCK_SOURCE_DIR "/test/data/metrics/" + recorded);
  std::stringstream text;
  text << file.rdbuf();
  const std::string page = text.str().substr(0, kPageBytes - 1) + "\n";
  return "HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(page.size()) +
         "\r\ncontent-type: text/plain; version=1.0.0; charset=utf-8\r\n\r\n" + page;
}

double ThreadCpuSeconds() {
  rusage usage{};
  CHECK(getrusage(RUSAGE_THREAD, &usage) == 0);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Scrapes so many endpoints for as long as `state` says. They share the replicas among them.
void Measure(benchmark::State& state, const std::string& answer, size_t replicas, size_t endpoints,
             const ScrapeOptions& options) {
  pid_t child = 0;
  const std::vector<uint16_t> ports = StartServers(replicas, answer, &child);
  auto entry = std::make_shared<PoolEntry>();
  for (size_t i = 0; i < endpoints; ++i) {
    Endpoint endpoint;
    endpoint.ip = "127.0.0.1";
    endpoint.port = ports[i % replicas];
    endpoint.address = "127.0.0.1:" + std::to_string(endpoint.port);
    endpoint.state = std::make_shared<EndpointState>(i);
    entry->pool.endpoints.push_back(std::move(endpoint));
  }
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->pools.push_back(entry);
  SnapshotStore store;
  store.Publish(snapshot);
  MetricRegistry metrics;
  auto loop = std::move(*EventLoop::New());
  PrefixIndex index({.bytes_max = 1 << 20});
  MetricsScraper scraper(*loop, store, index, metrics, options);
  Counter& scrapes = metrics.AddCounter("penstock_scrapes_total", "");
  const auto run_for = [&](Duration time) {
    const TimePoint end = RealClock().Now() + time;
    while (RealClock().Now() < end) loop->RunOnce(std::chrono::milliseconds(10));
  };
  run_for(std::chrono::seconds(2));  // connections are made, and those who idle are known to

  const uint64_t scrapes_before = scrapes.value();
  const double cpu_before = ThreadCpuSeconds();
  const TimePoint began = RealClock().Now();
  for (auto _ : state) run_for(std::chrono::seconds(1));
  const double seconds = ToSeconds(RealClock().Now() - began);
  const double cpu = ThreadCpuSeconds() - cpu_before;
  const auto done = static_cast<double>(scrapes.value() - scrapes_before);
  state.counters["scrapes_per_s"] = done / seconds;
  state.counters["cpu_us_per_scrape"] = cpu / done * 1e6;
  state.counters["cores"] = cpu / seconds;
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

void BM_Scrape(benchmark::State& state) {
  const auto replicas = static_cast<size_t>(state.range(0));
  ScrapeOptions options;
  options.load_ratio_max = 1;  // the replicas are as busy as they are
  options.pages_per_second_max = 1e6;
  Measure(state, Answer("vllm-0.32.0_under_load.prom"), replicas, replicas, options);
}
BENCHMARK(BM_Scrape)->Arg(100)->Arg(500)->Iterations(5)->Unit(benchmark::kSecond)->UseRealTime();

// Endpoints that nobody uses: so many, of which so many pages are read in a second. What is left
// where there are few pages is the price of having the endpoints.
void BM_Idle(benchmark::State& state) {
  ScrapeOptions options;
  options.pages_per_second_max = static_cast<double>(state.range(1));
  Measure(state, Answer("vllm-0.32.0_idle.prom"), 100, static_cast<size_t>(state.range(0)),
          options);
}
BENCHMARK(BM_Idle)
    ->Args({100, 1000})
    ->Args({5000, 1000})
    ->Args({5000, 10})
    ->Iterations(5)
    ->Unit(benchmark::kSecond)
    ->UseRealTime();

}  // namespace
}  // namespace gw
