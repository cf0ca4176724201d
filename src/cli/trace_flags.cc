#include "cli/trace_flags.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "api/names.h"
#include "base/text.h"
#include "cli/server_url.h"
#include "http/url.h"

namespace gw {
namespace {

constexpr std::string_view kPath = "/v1/traces";

absl::Status Wrong(std::string_view where, const std::string& message) {
  return absl::InvalidArgumentError(std::string(where) + ": " + message);
}

// Of which the gateway writes its own.
bool IsOurs(std::string_view name) {
  for (const std::string_view own : {"host", "content-type", "content-length", "content-encoding",
                                     "transfer-encoding", "connection", "user-agent"}) {
    if (ToLower(name) == own) return true;
  }
  return false;
}

absl::Status AddHeader(std::string_view where, std::string_view name, std::string value,
                       TraceOptions* options) {
  name = Trimmed(name);
  value = Trimmed(value);
  const bool fits = std::ranges::all_of(value, [](char c) { return c >= ' ' && c != 0x7f; });
  if (!api::IsHttpToken(std::string(name)) || IsOurs(name) || !fits) {
    return Wrong(
        where, "must be a header that may be set and its value, got \"" + std::string(name) + "\"");
  }
  options->headers.emplace_back(name, std::move(value));
  return absl::OkStatus();
}

// "NAME: VALUE" of each flag; if there is none, "name=value,name=value" of the variables.
absl::Status ReadHeaders(const TraceFlags& flags, const Environment& variable,
                         TraceOptions* options) {
  for (const std::string& header : flags.headers) {
    const size_t colon = header.find(':');
    if (colon == header.npos) return Wrong("--traces-header", "must be NAME: VALUE");
    RETURN_IF_ERROR(
        AddHeader("--traces-header", header.substr(0, colon), header.substr(colon + 1), options));
  }
  if (!flags.headers.empty()) return absl::OkStatus();
  for (const char* const name :
       {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"}) {
    const char* const value = variable(name);
    if (value == nullptr || *value == '\0') continue;
    std::string_view list = value;
    while (!list.empty()) {
      const size_t comma = std::min(list.find(','), list.size());
      const std::string_view pair = list.substr(0, comma);
      list.remove_prefix(std::min(comma + 1, list.size()));
      if (Trimmed(pair).empty()) continue;
      const size_t equals = pair.find('=');
      if (equals == pair.npos) return Wrong(name, "must be a list of NAME=VALUE");
      RETURN_IF_ERROR(AddHeader(name, pair.substr(0, equals),
                                http::PercentDecoded(pair.substr(equals + 1)), options));
    }
    break;
  }
  return absl::OkStatus();
}

// Where the URL is from, the URL, and whether it is the whole one.
struct Endpoint {
  std::string_view from;
  std::string url;
  bool whole = false;
};

Endpoint EndpointOf(const TraceFlags& flags, const Environment& variable) {
  if (!flags.url.empty()) return {"--traces", flags.url};
  const auto set = [&](const char* name) {
    const char* const value = variable(name);
    return std::string(value == nullptr ? "" : value);
  };
  constexpr const char* kWhole = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
  if (std::string url = set(kWhole); !url.empty()) return {kWhole, std::move(url), true};
  constexpr const char* kBase = "OTEL_EXPORTER_OTLP_ENDPOINT";
  return {kBase, set(kBase)};
}

}  // namespace

void AddTraces(CLI::App& serve, TraceFlags& flags) {
  serve
      .add_option("--traces", flags.url,
                  "Collector that gets spans of requests by OTLP/HTTP, such as "
                  "http://127.0.0.1:4318; $OTEL_EXPORTER_OTLP_ENDPOINT if not given")
      ->type_name("URL");
  serve
      .add_option("--trace-ratio", flags.ratio,
                  "Share of requests that are traced, of those whose client has not decided it")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  serve
      .add_option("--trace-service-name", flags.service_name,
                  "service.name of spans; $OTEL_SERVICE_NAME, or penstock, if not given")
      ->type_name("NAME");
  serve
      .add_option("--traces-header", flags.headers,
                  "Header for the collector, such as 'authorization: Bearer t'; repeatable")
      ->allow_extra_args(false)
      ->type_name("NAME:VALUE");
  serve
      .add_option("--traces-ca-file", flags.ca_file,
                  "With a collector by https: authorities that are believed, PEM; the machine's "
                  "if not given")
      ->type_name("PATH");
  serve.add_flag("--trace-prompts", flags.prompts,
                 "Spans of requests carry their prompts, which say what people have asked");
}

absl::StatusOr<TraceOptions> TraceOptionsOf(const TraceFlags& flags, const Environment& variable) {
  TraceOptions options;
  options.ratio = flags.ratio;
  options.prompts = flags.prompts;
  const Endpoint endpoint = EndpointOf(flags, variable);
  if (endpoint.url.empty()) return options;
  ASSIGN_OR_RETURN(const ServerUrl url,
                   ReadServerUrl(endpoint.from, endpoint.url,
                                 {.ca_file = flags.ca_file, .ca_flag = "--traces-ca-file"}));
  const size_t colon = url.host_port.rfind(':');
  if (colon == url.host_port.npos || colon == 0) {
    return Wrong(endpoint.from, "wanted a URL such as http://127.0.0.1:4318, got " + endpoint.url);
  }
  options.address = url.host_port;
  options.authority = url.authority;
  options.tls = url.tls;
  options.path = url.path;
  if (!endpoint.whole && !url.path.ends_with(kPath)) options.path += kPath;
  if (options.path.empty()) options.path = "/";
  options.service_name = flags.service_name;
  const char* const name = variable("OTEL_SERVICE_NAME");
  if (options.service_name.empty() && name != nullptr) options.service_name = name;
  if (options.service_name.empty()) options.service_name = "penstock";
  RETURN_IF_ERROR(ReadHeaders(flags, variable, &options));
  return options;
}

}  // namespace gw
