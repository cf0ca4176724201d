// Series of the metrics, as those read them who show them otherwise: the dashboard's feed, the
// names of other pickers.

#pragma once

#include <string_view>

#include "stats/metrics.h"

namespace gw {

// "" if there is no such label.
std::string_view LabelOf(const Labels& labels, std::string_view name);

// What the histogram says, on top of what is there. REQUIRES: `*sum` is empty, or of the same
// bounds
void AddTo(const Histogram& histogram, HistogramValue* sum);
void AddTo(const HistogramValue& value, HistogramValue* sum);

}  // namespace gw
