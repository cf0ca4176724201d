// How endpoints are looked at, in flags of `penstock serve`.

#pragma once

#include <CLI/CLI.hpp>

#include "collect/scrape_options.h"

namespace gw {

struct ScrapeFlags {
  int interval_ms = 50;
  double load_max = 0.05;
  int gateways = 1;
  double rate_max = 1000;
  int silent_s = 30;
};

// `flags` outlive the command.
void AddScraping(CLI::App& serve, ScrapeFlags& flags);
ScrapeOptions ScrapeOptionsOf(const ScrapeFlags& flags);

}  // namespace gw
