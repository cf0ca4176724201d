// What may be set about scraping.

#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "pool/health.h"

namespace gw {

struct ScrapeOptions {
  // From the beginning of one scrape of an endpoint to that of the next, while it is in use.
  Duration interval = std::chrono::milliseconds(50);
  // Longest share of its time that a model server spends on answering the gateways, of which there
  // are so many. A real vLLM takes 20 ms for its page, which stretches the interval of one gateway
  // to 400 ms.
  double load_ratio_max = 0.05;
  int gateways = 1;
  // While an endpoint has nothing to do. At most half of its pool's metrics_age_max is used.
  Duration idle_interval = std::chrono::seconds(1);
  // Of all endpoints together (collect/scrape_budget.h). The first look at one is not counted.
  double pages_per_second_max = 1000;
  // From the request to the whole page; for connecting as well.
  Duration timeout = std::chrono::seconds(2);
  // After a failed scrape; doubles with each in a row.
  Duration failure_interval = std::chrono::milliseconds(100);
  Duration failure_interval_max = std::chrono::seconds(5);
  // A longer page is a failed scrape.
  size_t page_bytes_max = 8u << 20;
  // Adapters and cache configuration stand at the end of the page and change rarely: they are read
  // on every connection's first page and then no sooner than this, or on all pages once adapters
  // are seen.
  Duration details_interval = std::chrono::seconds(1);
  // When an endpoint counts as silent (silence_watch.h): after that many scrapes without an answer;
  // or after that time without a first byte, if it is also that many times what its peers need.
  uint32_t silent_scrapes = 3;
  Duration silent_after = std::chrono::seconds(30);
  uint32_t silent_peer_factor = 10;
  // Until a silent endpoint that has no request left may have one; doubles with each in vain.
  Duration silent_trial = std::chrono::seconds(30);
  Duration silent_trial_max = std::chrono::seconds(300);
  // Between two looks at that.
  Duration silence_look = std::chrono::seconds(1);
  HealthOptions health;
  uint64_t seed = 1;  // of the endpoints' phases
};

}  // namespace gw
