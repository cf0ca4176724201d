// What scraping counts, looked up once.

#pragma once

#include <array>
#include <string_view>

#include "stats/metrics.h"

namespace gw {

enum class ScrapeFailure : uint8_t {
  kConnect,    // no connection
  kTimeout,    // no complete answer in time
  kClosed,     // closed before the answer was complete
  kStatus,     // a status other than 200
  kMalformed,  // not HTTP
  kTooLarge,   // longer than page_bytes_max
  kNoMetrics,  // none of the names of the runtime on the page
};
inline constexpr size_t kScrapeFailures = 7;
std::string_view NameOf(ScrapeFailure failure);

struct ScrapeMetrics {
  explicit ScrapeMetrics(MetricRegistry& registry);

  void CountFailure(ScrapeFailure failure) { failures[static_cast<size_t>(failure)]->Add(); }
  void CountEjection(const std::string& pool_id);

  MetricRegistry& registry;
  Counter& scrapes;
  Histogram& duration;
  Counter& probes_succeeded;
  Counter& probes_failed;
  Gauge& endpoints;
  std::array<Counter*, kScrapeFailures> failures;
};

}  // namespace gw
