// MetricsScraper: keeps the scraped part of every EndpointState true, and probes ejected endpoints.
//
// It follows the published Snapshots: an endpoint of an InferencePool is scraped (GET /metrics on
// its own address, keep-alive) from the Snapshot that brings it to the one that drops it, each
// paced by itself (scrape_pacer.h) and spread over the interval, so that scrapes do not beat
// together. A failed scrape leaves the values and their age as they are and is counted by reason.
//
// Health (pool/health.h): an ejected endpoint is not scraped; when its back-off has passed it is
// asked GET /health (Triton: /v2/health/ready; trt-llm, which may be either: both in turn). An
// answer below 500 brings it back, a 4xx of the last path too: a server that does not know the path
// serves requests all the same, and would stay away for ever. Endpoints of Services have
// no known health path: they are back when they accept a connection. A scrape whose connection is
// refused ejects like a request's, so that a dead server is noticed before a request meets it.
//
// A model server that was started anew has an empty KV cache: what the prefix index holds of its
// endpoint is removed when a connection to it is refused, and when its page shows another start of
// its process.
//
// All work happens on one event loop: 10,000 scrapes of 34 kB a second take about a fifth of a core
// (scrape_benchmark.cc), most of it the kernel's copying. Endpoints of which nothing is due are not
// visited (look_plan.h); work that is dispatched to an idle one is noticed within some 15 ms.

#pragma once

#include <cstdint>
#include <memory>

#include "base/status.h"
#include "collect/scrape_options.h"
#include "net/event_loop.h"
#include "prefix/index.h"
#include "snapshot/snapshot.h"
#include "stats/metrics.h"

namespace gw {

// Made, used and destroyed on the loop's thread (or before the loop runs, or after).
// `loop`, `snapshots`, `index` and `metrics` outlive it.
class MetricsScraper {
 public:
  MetricsScraper(EventLoop& loop, const SnapshotStore& snapshots, PrefixIndex& index,
                 MetricRegistry& metrics, const ScrapeOptions& options);
  ~MetricsScraper();
  // So many gateways scrape the same endpoints from here on, with this one. REQUIRES: count >= 1
  void SetGateways(int count);
  // How often an endpoint was visited to see what is due, ever: the work beside the pages.
  uint64_t looks() const;
  MetricsScraper(const MetricsScraper&) = delete;
  MetricsScraper& operator=(const MetricsScraper&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A MetricsScraper on a loop and a thread of its own; stops and joins when destroyed.
class ScraperThread {
 public:
  // `snapshots`, `index` and `metrics` outlive it.
  static absl::StatusOr<std::unique_ptr<ScraperThread>> Start(const SnapshotStore& snapshots,
                                                              PrefixIndex& index,
                                                              MetricRegistry& metrics,
                                                              const ScrapeOptions& options);
  virtual ~ScraperThread() = default;
  // Any thread; MetricsScraper::SetGateways, soon.
  virtual void SetGateways(int count) = 0;
};

}  // namespace gw
