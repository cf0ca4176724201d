// What a pool's queue costs: a request that need not wait, and one that comes, waits, has its turn
// and ends while so many others wait.

#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "flowcontrol/request_queue.h"

namespace gw {
namespace {

constexpr int64_t kInFlightMax = 64;

std::vector<std::string> Tenants(int64_t count) {
  std::vector<std::string> tenants;
  for (int64_t i = 0; i < count; ++i) tenants.push_back("tenant-" + std::to_string(i));
  return tenants;
}

// A pool that takes kInFlightMax requests, of which the oldest ends next.
class Backlog {
 public:
  explicit Backlog(int64_t tenants) : tenants_(Tenants(tenants)) {
    QueueOptions options;
    options.requests_max = SIZE_MAX;
    options.bytes_max = SIZE_MAX;
    queue_->SetPool(options, [this](TimePoint, int64_t) { return kInFlightMax - in_flight_; });
  }

  void Come() {
    ++id_;
    queue_->Wait({.id = id_,
                  .priority = static_cast<int>(id_ % 3),
                  .tenant = tenants_[id_ * 7919 % tenants_.size()],
                  .tokens = static_cast<int64_t>(100 + id_ % 1000),
                  .bytes = 400},
                 [this](Grant grant) {
                   ++in_flight_;
                   grants_.push_back(std::move(grant));
                   grants_.back().Dispatched();
                 });
  }
  // The turn that this makes room for is given before it returns.
  void EndOne() {
    Grant oldest = std::move(grants_.front());
    grants_.pop_front();
    --in_flight_;
    oldest.End(500);
  }
  size_t waiting() const { return queue_->waiting(); }

 private:
  const std::vector<std::string> tenants_;
  const std::shared_ptr<RequestQueue> queue_ = std::make_shared<RequestQueue>(RealClock());
  RequestQueue::Id id_ = 0;
  int64_t in_flight_ = 0;
  std::deque<Grant> grants_;
};

void BM_TurnsOfABacklog(benchmark::State& state) {
  const size_t before = mallinfo2().uordblks;
  Backlog backlog(state.range(1));
  for (int64_t i = 0; i < state.range(0) + kInFlightMax; ++i) backlog.Come();
  const double bytes = static_cast<double>(mallinfo2().uordblks - before);
  for (auto _ : state) {
    backlog.Come();
    backlog.EndOne();
  }
  if (backlog.waiting() != static_cast<size_t>(state.range(0))) state.SkipWithError("no backlog");
  state.SetItemsProcessed(state.iterations());
  state.counters["bytes_each"] = bytes / static_cast<double>(state.range(0));
}
BENCHMARK(BM_TurnsOfABacklog)
    ->ArgNames({"waiting", "tenants"})
    ->ArgsProduct({{1000, 100'000}, {1, 10, 1000}});

// Nothing waits: what a request costs more in a pool that has a queue. Several threads: all have
// the one lock.
void BM_PassDispatchEnd(benchmark::State& state) {
  static RequestQueue* queue = nullptr;
  static std::shared_ptr<RequestQueue> held;
  if (state.thread_index() == 0) {
    held = std::make_shared<RequestQueue>(RealClock());
    held->SetPool({}, [](TimePoint, int64_t) { return int64_t{1000}; });
    queue = held.get();
  }
  const std::string tenant = "tenant-" + std::to_string(state.thread_index());
  for (auto _ : state) {
    std::optional<Grant> grant =
        queue->Pass({.id = 1, .tenant = tenant, .tokens = 100, .bytes = 400},
                    [](int64_t) { return int64_t{1000}; });
    grant->Dispatched();
    grant->End(500);
  }
}
BENCHMARK(BM_PassDispatchEnd)->ThreadRange(1, 4);

}  // namespace
}  // namespace gw
