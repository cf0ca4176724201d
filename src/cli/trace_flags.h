// Traces in flags of `penstock serve`: where spans go, and of how many requests. What is not given
// is read from the variables that OpenTelemetry names (OTEL_EXPORTER_OTLP_ENDPOINT and others), as
// its operator sets them in Pods.

#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "telemetry/options.h"

namespace gw {

struct TraceFlags {
  std::string url;  // empty: the variables'
  double ratio = 0.01;
  std::string service_name;
  std::vector<std::string> headers;
  std::string ca_file;
  bool prompts = false;
};

// `flags` outlive the command.
void AddTraces(CLI::App& serve, TraceFlags& flags);

// Reads the file. The error names the flag or the variable. `variable`: of the environment,
// nullptr: it is not set.
using Environment = std::function<const char*(const char* variable)>;
absl::StatusOr<TraceOptions> TraceOptionsOf(const TraceFlags& flags, const Environment& variable);

}  // namespace gw
