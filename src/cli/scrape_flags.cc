#include "cli/scrape_flags.h"

namespace gw {

void AddScraping(CLI::App& serve, ScrapeFlags& flags) {
  serve.add_option("--scrape-interval-ms", flags.interval_ms, "Metrics of each endpoint")
      ->capture_default_str()
      // Metrics older than 2 s are not used (Pool::metrics_age_max): two looks must fit into that.
      ->check(CLI::Range(2, 1000));
  serve
      .add_option("--scrape-load-max", flags.load_max,
                  "Largest share of a replica's time spent on scrapes")
      ->capture_default_str()
      ->check(CLI::Range(0.001, 1.0));
  serve
      .add_option("--gateways", flags.gateways,
                  "Gateways that serve the same replicas side by side, and share that")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  serve
      .add_option("--scrape-rate-max", flags.rate_max,
                  "Scrapes per second of all endpoints together; beyond it they take turns")
      ->capture_default_str()
      ->check(CLI::Range(10.0, 1e6));
  serve
      .add_option("--silent-seconds", flags.silent_s,
                  "Without a first byte, and 10 times longer than its peers: others are preferred")
      ->capture_default_str()
      ->check(CLI::Range(1, 3600));
}

ScrapeOptions ScrapeOptionsOf(const ScrapeFlags& flags) {
  ScrapeOptions options;
  options.interval = std::chrono::milliseconds(flags.interval_ms);
  options.load_ratio_max = flags.load_max;
  options.gateways = flags.gateways;
  options.pages_per_second_max = flags.rate_max;
  options.silent_after = std::chrono::seconds(flags.silent_s);
  return options;
}

}  // namespace gw
