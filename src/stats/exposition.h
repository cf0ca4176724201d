// The pieces of a metrics page: numbers, escaped labels and help lines.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gw {

enum class MetricsFormat : uint8_t {
  kText,         // Prometheus' text format 0.0.4
  kOpenMetrics,  // OpenMetrics 1.0: https://prometheus.io/docs/specs/om/open_metrics_spec/
};

// Shortest decimal form that reads back as the same double; "+Inf", "-Inf" and "NaN" for the
// others.
void AppendNumber(std::string* out, double value);

// Appends `value` with backslash, quote and line feed escaped.
void AppendEscapedLabelValue(std::string* out, std::string_view value);

// Appends `help` with backslash and line feed escaped.
void AppendEscapedHelp(std::string* out, std::string_view help);

// `value` as a label may carry it to whoever looks at it: control characters as base/escape.h
// writes them, every byte that is not part of well-formed UTF-8 replaced by "?"; cut to at most
// `bytes_max` bytes between two characters.
std::string CleanLabelValue(std::string_view value, size_t bytes_max);

}  // namespace gw
