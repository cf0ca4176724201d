// Scanning a real vLLM page: the load alone, and with adapters and cache configuration.

#include <benchmark/benchmark.h>

#include <fstream>
#include <sstream>
#include <string>

#include "collect/metrics_text.h"

namespace gw {
namespace {

std::string ReadFixture(const char* name) {
  std::ifstream file(std::string(PENSTOCK_SOURCE_DIR "/test/data/metrics/") + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void Scan(benchmark::State& state, MetricsScanner::Details details, size_t bytes) {
  const std::string page = ReadFixture("vllm-0.32.0_under_load.prom").substr(0, bytes);
  MetricsScanner scanner(Runtime::kVllm);
  for (auto _ : state) {
    scanner.Begin(details);
    scanner.Feed(page);
    benchmark::DoNotOptimize(scanner.Finish().waiting_requests);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * page.size()));
}

BENCHMARK_CAPTURE(Scan, load_68kB, MetricsScanner::Details::kSkip, 1u << 20);
BENCHMARK_CAPTURE(Scan, details_68kB, MetricsScanner::Details::kRead, 1u << 20);
BENCHMARK_CAPTURE(Scan, details_38kB, MetricsScanner::Details::kRead, 38'000);

}  // namespace
}  // namespace gw
