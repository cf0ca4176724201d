// What waiting costs: a request that comes and one that goes, while so many of so many tenants
// wait; and one that need not wait.

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "flowcontrol/fair_queue.h"

namespace gw {
namespace {

std::vector<std::string> Tenants(int64_t count) {
  std::vector<std::string> tenants;
  for (int64_t i = 0; i < count; ++i) tenants.push_back("tenant-" + std::to_string(i));
  return tenants;
}

FairQueue::Limits Unlimited() {
  return {.requests_max = SIZE_MAX, .bytes_max = SIZE_MAX, .tenants_max = 100'000};
}

void BM_PushPopSettle(benchmark::State& state) {
  const std::vector<std::string> tenants = Tenants(state.range(1));
  FairQueue queue(Unlimited());
  FairQueue::Id id = 0;
  const auto push = [&] {
    ++id;
    queue.Push({.id = id,
                .priority = static_cast<int>(id % 3),
                .tenant = tenants[id * 7919 % tenants.size()],
                .tokens = static_cast<int64_t>(100 + id % 1000)});
  };
  for (int64_t i = 0; i < state.range(0); ++i) push();
  for (auto _ : state) {
    push();
    FairQueue::Next next = *queue.Pop();
    queue.Settle(std::move(next.charge), 500);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_PushPopSettle)
    ->ArgNames({"waiting", "tenants"})
    ->ArgsProduct({{1000, 100'000}, {1, 10, 1000}});

void BM_LeaveOfTheMiddle(benchmark::State& state) {
  FairQueue queue(Unlimited());
  const auto count = static_cast<FairQueue::Id>(state.range(0));
  for (FairQueue::Id id = 0; id < count; ++id) queue.Push({.id = id, .tenant = "a", .tokens = 100});
  FairQueue::Id id = 0;
  for (auto _ : state) {
    const FairQueue::Id leaving = id++ * 7919 % count;
    queue.Remove(leaving);
    queue.Push({.id = leaving, .tenant = "a", .tokens = 100});
  }
}
BENCHMARK(BM_LeaveOfTheMiddle)->ArgName("waiting")->Arg(1000)->Arg(100'000);

void BM_PassSettle(benchmark::State& state) {
  const std::vector<std::string> tenants = Tenants(state.range(0));
  FairQueue queue(Unlimited());
  size_t i = 0;
  for (auto _ : state) {
    FairQueue::Charge charge =
        *queue.Pass({.tenant = tenants[++i % tenants.size()], .tokens = 100});
    queue.Settle(std::move(charge), 500);
  }
}
BENCHMARK(BM_PassSettle)->ArgName("tenants")->Arg(1)->Arg(1000);

}  // namespace
}  // namespace gw
