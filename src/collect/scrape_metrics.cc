#include "collect/scrape_metrics.h"

#include <string>

#include "base/check.h"

namespace gw {
namespace {

// Seconds; an answer takes 20 ms of a real vLLM and a fraction of a millisecond of a small server.
constexpr double kDurationBuckets[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                       0.05,   0.1,   0.25,   0.5,   1,    2.5};

Counter& Probes(MetricRegistry& registry, std::string_view result) {
  return registry.AddCounter("penstock_probes_total", "Health probes of ejected endpoints.",
                             {{"result", std::string(result)}});
}

std::shared_ptr<Counter> Silences(MetricRegistry& registry, const std::string& pool_id,
                                  const char* reason) {
  return registry.ShareCounter("penstock_silences_total",
                               "Endpoints that answered nothing while others did, by what.",
                               {{"pool", pool_id}, {"reason", reason}});
}

}  // namespace

std::string_view NameOf(ScrapeFailure failure) {
  switch (failure) {
    case ScrapeFailure::kConnect:
      return "connect";
    case ScrapeFailure::kTls:
      return "tls_handshake";
    case ScrapeFailure::kTimeout:
      return "timeout";
    case ScrapeFailure::kClosed:
      return "closed";
    case ScrapeFailure::kStatus:
      return "status";
    case ScrapeFailure::kMalformed:
      return "malformed";
    case ScrapeFailure::kTooLarge:
      return "too_large";
    case ScrapeFailure::kNoMetrics:
      return "no_metrics";
  }
  CHECK(false);
}

std::string_view NameOf(MetricsScanner::Wanted value) {
  switch (value) {
    case MetricsScanner::kWaiting:
      return "waiting_requests";
    case MetricsScanner::kRunning:
      return "running_requests";
    case MetricsScanner::kKvCache:
      return "kv_cache_utilization_ratio";
    case MetricsScanner::kBlockTokens:
      return "cache_block_tokens";
    case MetricsScanner::kBlocks:
      return "cache_blocks";
    case MetricsScanner::kStart:
      return "process_start_time";
    case MetricsScanner::kWantedCount:
      break;
  }
  CHECK(false);
}

ScrapeMetrics::ScrapeMetrics(MetricRegistry& r)
    : registry(r),
      scrapes(r.AddCounter("penstock_scrapes_total", "Metrics pages read from endpoints.")),
      deferred(r.AddCounter("penstock_scrapes_deferred_total",
                            "Scrapes that were due and had to wait for their turn.")),
      duration(r.AddHistogram("penstock_scrape_duration_seconds",
                              "From asking an endpoint for its metrics to the whole page.",
                              kDurationBuckets)),
      probes_succeeded(Probes(r, "success")),
      probes_failed(Probes(r, "failure")),
      endpoints(r.AddGauge("penstock_scrape_endpoints", "Endpoints whose metrics are scraped.")),
      gateways(
          r.AddGauge("penstock_gateways",
                     "Gateways, with this one, that share what scraping may cost a replica.")) {
  for (size_t i = 0; i < kScrapeFailures; ++i) {
    failures[i] = &r.AddCounter("penstock_scrape_failures_total",
                                "Metrics pages that could not be read, by reason.",
                                {{"reason", std::string(NameOf(static_cast<ScrapeFailure>(i)))}});
  }
  for (uint8_t i = 0; i < MetricsScanner::kWantedCount; ++i) {
    refused_values[i] = &r.AddCounter(
        "penstock_scrape_refused_values_total", "Values of metrics pages that cannot be, by value.",
        {{"value", std::string(NameOf(static_cast<MetricsScanner::Wanted>(i)))}});
  }
}

void ShowScrapeSeries(MetricRegistry& registry, const std::string& pool_id) {
  for (const char* reason : {"metrics", "requests"}) Silences(registry, pool_id, reason);
}

void ScrapeMetrics::CountSilence(const std::string& pool_id, const char* reason) {
  Silences(registry, pool_id, reason)->Add();
}

void ScrapeMetrics::CountEjection(const std::string& pool_id) {
  // The family that requests' failures are counted in (exchange).
  registry
      .ShareCounter("penstock_ejections_total", "Endpoints taken out of use after failures.",
                    {{"pool", pool_id}})
      ->Add();
}

}  // namespace gw
