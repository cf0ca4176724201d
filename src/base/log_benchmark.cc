// What a line costs whoever logs it: a line like the one of a request, formatted and queued, while
// the writer thread writes to /dev/null.

#include <benchmark/benchmark.h>

#include <cmath>
#include <string>

#include "base/check.h"
#include "base/log.h"

namespace gw {
namespace {

void LogOne(int i) {
  const double ms = 12.345678 + i * 1e-6;
  static const std::string id = "4bf92f3577b34da6a3ce929d0e0e4736";
  static const std::string name = "default/qwen-7d9c5b4f6d-x2x4k";
  static const std::string model = "/models/Qwen3-32B";
  const LogField fields[] = {
      {"request_id", id},
      {"client", "10.128.3.17"},
      {"method", "POST"},
      {"path", "/v1/chat/completions"},
      {"route", "default/llm-route"},
      {"pool", "default/qwen"},
      {"requested_model", model},
      {"target_model", model},
      {"endpoint_name", name},
      {"endpoint", "10.128.4.23:8000"},
      {"status", 200},
      {"outcome", "complete"},
      {"reason", ""},
      {"tries", 1},
      {"stream", true},
      {"prefix_hit_blocks", 12},
      {"prefix_blocks", 17},
      {"candidates", 8},
      {"score", 2.35f},
      {"queue_ms", ms / 100},
      {"ttft_ms", ms},
      {"total_ms", ms * 30},
      {"prompt_tokens", 1031.0},
      {"cached_tokens", std::nan("")},
      {"completion_tokens", 128.0},
      {"tokens_estimated", false},
  };
  LogLine(LogLevel::kInfo, "Request Handled", fields, std::size(fields));
}

void BM_RequestLine(benchmark::State& state) {
  CHECK(SetLogFile("/dev/null").ok());
  InitLog(LogLevel::kInfo);
  int i = 0;
  for (auto _ : state) LogOne(++i);
  ShutdownLog();
}
BENCHMARK(BM_RequestLine);

}  // namespace
}  // namespace gw
