// A study as one page that needs nothing else: capacities, plots over the load, and how the load
// was spread over the engines.

#pragma once

#include <string>

#include "bench/replay/report.h"

namespace gw::bench {

std::string StudyHtml(const StudyResult& result);

}  // namespace gw::bench
