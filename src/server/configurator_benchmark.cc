// From what a ConfigSource tells to the published Snapshot: one Pod that becomes Ready or stops
// being it, one route and one pool that are changed, and all objects at once, with 5,000 Pods, 500
// routes and 100 pools (or one of all Pods). And what the scraper does about it.

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "collect/wanted.h"
#include "server/configurator.h"

namespace gw {
namespace {

constexpr int kPods = 5000;
constexpr int kRoutes = 500;
constexpr int kFirstPod = 2;  // of Everything(): a class and a Gateway, Pods, pools, routes

std::string PoolName(int pool) { return fmt::format("model-{:03}", pool); }

api::Pod SomePod(int i, int pools) {
  api::Pod pod;
  pod.meta.name = fmt::format("{}-5d9c7b6f4-{:05}", PoolName(i % pools), i);
  pod.meta.labels = {{"app", PoolName(i % pools)},
                     {"pod-template-hash", "5d9c7b6f4"},
                     {"app.kubernetes.io/part-of", "models"},
                     {"tier", "gold"}};
  pod.ip = fmt::format("10.{}.{}.{}", i / 62500, i / 250 % 250, 1 + i % 250);
  return pod;
}

api::InferencePool SomePool(int i) {
  api::InferencePool pool;
  pool.meta.name = PoolName(i);
  pool.selector = {{"app", PoolName(i)}};
  pool.target_ports = {8000};
  return pool;
}

api::HttpRoute SomeRoute(int i, int pools) {
  api::HttpRoute route;
  route.meta.name = fmt::format("route-{:03}", i);
  route.hostnames = {fmt::format("{}.example.com", route.meta.name)};
  api::ParentRef& parent = route.parent_refs.emplace_back();
  parent.ns = "default";
  parent.name = "gateway";
  api::RouteRule& rule = route.rules.emplace_back();
  rule.matches.emplace_back().path = "/v1";
  api::BackendRef& backend = rule.backend_refs.emplace_back();
  backend.group = api::kInferenceGroup;
  backend.kind = "InferencePool";
  backend.ns = "default";
  backend.name = PoolName(i % pools);
  return route;
}

std::vector<api::Object> Everything(int pools) {
  api::GatewayClass gateway_class;
  gateway_class.meta.ns.clear();
  gateway_class.meta.name = "penstock";
  gateway_class.controller_name = "penstock.dev/gateway-controller";
  api::Gateway gateway;
  gateway.meta.name = "gateway";
  gateway.gateway_class_name = "penstock";
  gateway.listeners.push_back({.name = "http", .port = 80, .protocol = "HTTP"});
  std::vector<api::Object> objects = {gateway_class, gateway};
  for (int i = 0; i < kPods; ++i) objects.emplace_back(SomePod(i, pools));
  for (int i = 0; i < pools; ++i) objects.emplace_back(SomePool(i));
  for (int i = 0; i < kRoutes; ++i) objects.emplace_back(SomeRoute(i, pools));
  return objects;
}

// Of this thread, and of whatever else the process does.
double CpuMs() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto ms = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_usec) / 1e3;
  };
  return ms(usage.ru_utime) + ms(usage.ru_stime);
}

struct Gateway {
  explicit Gateway(int pools) {
    SetLogLevel(LogLevel::kWarning);
    config::Change all;
    for (api::Object& object : Everything(pools)) {
      all.objects.push_back({nullptr, std::make_shared<api::Object>(std::move(object))});
    }
    first = all;
    configurator.Apply(all);
    wanted.Follow(store.Load());
  }

  MetricRegistry metrics;
  PrefixIndex index{PrefixIndex::Options{.bytes_max = 16u << 20}};
  SnapshotStore store;
  Configurator configurator{store, index, metrics, {}, {}};
  Wanted wanted;
  config::Change first;
};

// Changes one object at a time: every so many-th of `count` from the `first` on, by `edit`.
template <typename T, typename Edit>
void ChangeOneByOne(benchmark::State& state, int first, int count, const Edit& edit) {
  Gateway gateway(static_cast<int>(state.range(0)));
  std::vector<std::shared_ptr<const api::Object>> now;
  for (int i = 0; i < count; ++i) now.push_back(gateway.first.objects[first + i].after);
  std::vector<double> took_ms;
  double followed_ms = 0;
  size_t i = 0;
  const double cpu_before = CpuMs();
  for (auto _ : state) {
    std::shared_ptr<const api::Object>& object = now[i++ * 7919 % now.size()];
    T changed = std::get<T>(*object);
    edit(&changed);
    config::Change change;
    change.objects.push_back({object, std::make_shared<api::Object>(std::move(changed))});
    object = change.objects[0].after;
    const TimePoint before = RealClock().Now();
    gateway.configurator.Apply(change);
    const TimePoint published = RealClock().Now();
    const Wanted::Change targets = gateway.wanted.Follow(gateway.store.Load());
    benchmark::DoNotOptimize(targets.put.data());
    took_ms.push_back(ToSeconds(published - before) * 1e3);
    followed_ms += ToSeconds(RealClock().Now() - published) * 1e3;
  }
  const auto made = static_cast<double>(took_ms.size());
  state.counters["cpu_ms"] = (CpuMs() - cpu_before) / made;
  state.counters["scraper_ms"] = followed_ms / made;
  std::sort(took_ms.begin(), took_ms.end());
  state.counters["p50_ms"] = took_ms[took_ms.size() / 2];
  state.counters["p99_ms"] = took_ms[took_ms.size() * 99 / 100];
  state.counters["max_ms"] = took_ms.back();
}

void BM_OnePod(benchmark::State& state) {
  ChangeOneByOne<api::Pod>(state, kFirstPod, kPods,
                           [](api::Pod* pod) { pod->ready = !pod->ready; });
}
BENCHMARK(BM_OnePod)->Arg(100)->Arg(1)->ArgName("pools")->Unit(benchmark::kMillisecond);

void BM_OneRoute(benchmark::State& state) {
  const int first = kFirstPod + kPods + static_cast<int>(state.range(0));
  ChangeOneByOne<api::HttpRoute>(state, first, kRoutes, [](api::HttpRoute* route) {
    std::string& path = route->rules[0].matches[0].path;
    path = path == "/v1" ? "/v2" : "/v1";
  });
}
BENCHMARK(BM_OneRoute)->Arg(100)->Arg(1)->ArgName("pools")->Unit(benchmark::kMillisecond);

void BM_OneWeight(benchmark::State& state) {
  const int first = kFirstPod + kPods + static_cast<int>(state.range(0));
  ChangeOneByOne<api::HttpRoute>(state, first, kRoutes, [](api::HttpRoute* route) {
    int& weight = route->rules[0].backend_refs[0].weight;
    weight = weight == 1 ? 2 : 1;
  });
}
BENCHMARK(BM_OneWeight)->Arg(100)->Arg(1)->ArgName("pools")->Unit(benchmark::kMillisecond);

// To another pool: which routes lead to a pool is told in the pool's status.
void BM_OneRouteElsewhere(benchmark::State& state) {
  const int first = kFirstPod + kPods + static_cast<int>(state.range(0));
  ChangeOneByOne<api::HttpRoute>(state, first, kRoutes, [](api::HttpRoute* route) {
    std::string& name = route->rules[0].backend_refs[0].name;
    name = name == PoolName(0) ? PoolName(1) : PoolName(0);
  });
}
BENCHMARK(BM_OneRouteElsewhere)->Arg(100)->ArgName("pools")->Unit(benchmark::kMillisecond);

void BM_OnePool(benchmark::State& state) {
  const int pools = static_cast<int>(state.range(0));
  ChangeOneByOne<api::InferencePool>(state, kFirstPod + kPods, pools,
                                     [](api::InferencePool* pool) { pool->target_ports[0] ^= 1; });
}
BENCHMARK(BM_OnePool)->Arg(100)->Arg(1)->ArgName("pools")->Unit(benchmark::kMillisecond);

void BM_Everything(benchmark::State& state) {
  const int pools = static_cast<int>(state.range(0));
  Gateway gateway(pools);
  for (auto _ : state) gateway.configurator.Apply(gateway.first);
}
BENCHMARK(BM_Everything)->Arg(100)->Arg(1)->ArgName("pools")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace gw
