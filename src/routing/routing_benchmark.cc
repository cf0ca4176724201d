// The time to match one request, by the number of routes and by what tells them apart.

#include <benchmark/benchmark.h>

#include <string>

#include "routing/route_table.h"

namespace gw {
namespace {

using Entries = std::vector<RouteTable::Entry>;

RouteTable::Entry& Add(Entries& entries) {
  RouteTable::Entry& entry = entries.emplace_back();
  entry.hostname = "*";
  entry.match.path = "/v1";
  entry.rule = std::make_shared<RouteRule>();
  entry.route = "default/" + std::to_string(entries.size());
  return entry;
}

void Run(benchmark::State& state, Entries entries, const std::string& host, const std::string& path,
         const std::string& model) {
  const auto table = RouteTable::Build(std::move(entries), {"*"});
  http::RequestHead head;
  head.method = "POST";
  for (const char* name : {"host", "user-agent", "accept", "content-type", "authorization"}) {
    head.headers.Add(name, "value");
  }
  head.headers.Add("x-model", model);
  for (auto _ : state) {
    const RouteRule* rule = table->Match(host, path, "", head);
    if (rule == nullptr) state.SkipWithError("no rule matches");
    benchmark::DoNotOptimize(rule);
  }
}

void BM_ByHost(benchmark::State& state) {
  Entries entries;
  for (int64_t i = 0; i < state.range(0); ++i) {
    Add(entries).hostname = "m" + std::to_string(i) + ".example.com";
  }
  Run(state, std::move(entries), "M0.example.com", "/v1/chat/completions", "");
}
BENCHMARK(BM_ByHost)->Arg(1)->Arg(10)->Arg(1000);

void BM_ByPath(benchmark::State& state) {
  Entries entries;
  for (int64_t i = 0; i < state.range(0); ++i) {
    Add(entries).match.path = "/models/m" + std::to_string(i);
  }
  Run(state, std::move(entries), "example.com", "/models/m0/v1/chat/completions", "");
}
BENCHMARK(BM_ByPath)->Arg(1)->Arg(10)->Arg(1000);

// Headers are tried in turn: this one grows with the routes.
void BM_ByHeader(benchmark::State& state) {
  Entries entries;
  for (int64_t i = 0; i < state.range(0); ++i) {
    RouteTable::Entry& entry = Add(entries);
    entry.match.headers = {{"x-model", "m" + std::to_string(i)}};
    entry.rule_index = static_cast<uint32_t>(i);
    entry.route = "default/route";
  }
  const std::string last = "m" + std::to_string(state.range(0) - 1);
  Run(state, std::move(entries), "example.com", "/v1/chat/completions", last);
}
BENCHMARK(BM_ByHeader)->Arg(1)->Arg(10)->Arg(1000);

// A path of nothing but slashes costs what the table's lengths cost, not what the path's do.
void BM_ManySlashes(benchmark::State& state) {
  Entries entries;
  Add(entries).match.path = "/";
  for (int i = 0; i < 100; ++i) Add(entries).match.path = "/" + std::string(i + 1, 'x');
  Run(state, std::move(entries), "example.com", std::string(8000, '/'), "");
}
BENCHMARK(BM_ManySlashes);

}  // namespace
}  // namespace gw
