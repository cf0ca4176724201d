// The part of a page about the gateway that was asked: load of its endpoints over time, who got how
// many of the requests, and what waited.

#pragma once

#include <string>
#include <string_view>

#include "bench/load/fleet_series.h"

namespace gw::bench {

void AppendFleet(std::string* out, const FleetSeries& fleet, std::string_view title = "Endpoints");

// "4 endpoints, 1,200 requests; the largest share is 34.1 % (qwen-0), an even one 25.0 %"
std::string SharesText(const FleetSeries& fleet);

}  // namespace gw::bench
