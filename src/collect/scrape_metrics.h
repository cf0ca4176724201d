// What scraping counts, looked up once.

#pragma once

#include <array>
#include <string>
#include <string_view>

#include "collect/metrics_text.h"
#include "stats/metrics.h"

namespace gw {

enum class ScrapeFailure : uint8_t {
  kConnect,    // no connection
  kTls,        // no TLS handshake
  kTimeout,    // no complete answer in time
  kClosed,     // closed before the answer was complete
  kStatus,     // a status other than 200
  kMalformed,  // not HTTP
  kTooLarge,   // longer than page_bytes_max
  kNoMetrics,  // none of the names of the runtime on the page
};
inline constexpr size_t kScrapeFailures = 8;
std::string_view NameOf(ScrapeFailure failure);

// The values of a page, as the label of what is refused of them calls them.
std::string_view NameOf(MetricsScanner::Wanted value);

// Makes the series of a pool, so that they stand at 0 before anything is counted.
void ShowScrapeSeries(MetricRegistry& registry, const std::string& pool_id);

struct ScrapeMetrics {
  explicit ScrapeMetrics(MetricRegistry& registry);

  void CountFailure(ScrapeFailure failure) { failures[static_cast<size_t>(failure)]->Add(); }
  void CountEjection(const std::string& pool_id);
  void CountSilence(const std::string& pool_id, const char* reason);

  MetricRegistry& registry;
  Counter& scrapes;
  Counter& deferred;
  Histogram& duration;
  Counter& probes_succeeded;
  Counter& probes_failed;
  Gauge& endpoints;
  Gauge& gateways;
  std::array<Counter*, kScrapeFailures> failures;
  std::array<Counter*, MetricsScanner::kWantedCount> refused_values;
};

}  // namespace gw
