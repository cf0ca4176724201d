// In which format a client wants the metrics page, and what that is called.

#pragma once

#include <string_view>

#include "stats/exposition.h"

namespace gw {

// `accept`: the field of that name, as in RFC 9110 12.5.1. OpenMetrics only where it is named, in a
// version that is spoken (1.0.0, or none), and wanted at least as much as text; what matches
// anything (*/*) is content with text, as everybody was before. Of two that are wanted alike the
// first one.
MetricsFormat MetricsFormatFor(std::string_view accept);

std::string_view ContentTypeOf(MetricsFormat format);

}  // namespace gw
