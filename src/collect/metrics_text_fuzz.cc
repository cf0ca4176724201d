// Any bytes as a metrics page of every runtime, whole and cut: no crash, no read outside the input,
// the same result either way, values in their range.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "collect/metrics_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const auto runtime = static_cast<gw::Runtime>(data[0] % 4);
  const size_t step = 1 + data[0] / 4;
  const std::string_view page(reinterpret_cast<const char*>(data) + 1, size - 1);
  const gw::MetricsSample whole = gw::ParseMetrics(runtime, page);

  gw::MetricsScanner scanner(runtime);
  scanner.Begin(gw::MetricsScanner::Details::kRead);
  for (size_t at = 0; at < page.size(); at += step) {
    const std::string_view piece = page.substr(at, step);
    const std::vector<char> copy(piece.begin(), piece.end());
    scanner.Feed({copy.data(), copy.size()});
  }
  const gw::MetricsSample& cut = scanner.Finish();
  // A line beyond the limit is skipped only when it is cut.
  if (scanner.skipped_lines() == 0) {
    CHECK(cut.waiting_found == whole.waiting_found);
    CHECK(cut.waiting_requests == whole.waiting_requests);
    CHECK(cut.kv_cache_utilization_ratio == whole.kv_cache_utilization_ratio);
    CHECK(cut.cache_blocks == whole.cache_blocks);
    CHECK(cut.lora == whole.lora);
  }
  CHECK(whole.waiting_requests >= 0);
  CHECK(whole.running_requests >= 0);
  CHECK(whole.kv_cache_utilization_ratio >= 0);

  scanner.Begin(gw::MetricsScanner::Details::kSkip);
  scanner.Feed(page);
  CHECK(scanner.Finish().waiting_requests >= 0);
  return 0;
}
