// A run as one HTML page that needs nothing else: no script, no font, no picture from anywhere (its
// Content-Security-Policy forbids them). Figures as tables; where the requests are there, plots of
// how TTFT and TPOT were distributed and of how the run went over time, by group. Light or dark as
// the reader's machine is; fit to be printed.

#pragma once

#include <string>

#include "bench/load/result.h"

namespace gw::bench {

// Texts of others (command, groups, errors) are escaped.
std::string ReportHtml(const Result& result);

}  // namespace gw::bench
