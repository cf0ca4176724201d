// What the metrics page says of the process, by the names that all programs have for it: without
// them nobody sees from the page that a gateway was restarted, or how much it takes.

#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "stats/metrics.h"

namespace gw {

void RegisterProcessMetrics(MetricRegistry& metrics);

// The parts, as the kernel writes them (proc(5)); none: the text is another one.
// Ticks since the machine's start, of /proc/PID/stat. A program's name may hold anything.
std::optional<uint64_t> StartTicks(std::string_view stat);
// Seconds since 1970, of /proc/stat.
std::optional<uint64_t> BootTime(std::string_view stat);

}  // namespace gw
