// Results side by side as one HTML page that needs nothing else, as ReportHtml's: each figure with
// its ratio to the first result's, how TTFT, TPOT and E2E were distributed in each, and of those
// whose gateway was looked at the load of its endpoints.

#pragma once

#include <span>
#include <string>

#include "bench/load/compare.h"

namespace gw::bench {

// REQUIRES: `comparison` is Compare's of `results`
std::string CompareHtml(std::span<const NamedResult> results, const Comparison& comparison);

}  // namespace gw::bench
