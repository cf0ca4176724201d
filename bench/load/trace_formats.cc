#include "bench/load/trace_formats.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "api/names.h"
#include "base/status.h"
#include "bench/load/paced_workload.h"
#include "bench/load/text_tokens.h"
#include "bench/load/trace_lines.h"

namespace gw::bench {
namespace {

constexpr std::string_view kAzureHead = "TIMESTAMP,ContextTokens,GeneratedTokens";

absl::Status Wrong(const std::string& message) { return absl::InvalidArgumentError(message); }

bool ReadWhole(std::string_view text, uint64_t* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

absl::Status ReadTokens(std::string_view text, std::string_view column, uint32_t* tokens) {
  uint64_t value = 0;
  if (!ReadWhole(text, &value) || value > kTokensMax) {
    return Wrong(
        fmt::format("{}: wanted a number from 0 to {}, got \"{}\"", column, kTokensMax, text));
  }
  *tokens = std::max(1u, static_cast<uint32_t>(value));
  return absl::OkStatus();
}

// "2023-11-16 18:17:03.9799600", since 1970. Further digits than nine of the fraction are dropped.
std::optional<Duration> AzureTime(std::string_view text) {
  constexpr size_t kDate = 10;
  constexpr size_t kUpToSeconds = 19;
  if (text.size() < kUpToSeconds || text[kDate] != ' ') return std::nullopt;
  std::string_view rest = text.substr(kUpToSeconds);
  std::string digits;
  if (rest.starts_with('.')) {
    digits = rest.substr(1, rest.find_first_not_of("0123456789", 1) - 1);
    rest.remove_prefix(digits.size() + 1);
    if (digits.empty()) return std::nullopt;
  }
  digits.resize(9, '0');
  uint64_t nanos = 0;
  if (!ReadWhole(digits, &nanos)) return std::nullopt;
  const std::optional<int64_t> unix_s = api::ParseTime(
      fmt::format("{}T{}{}", text.substr(0, kDate),
                  text.substr(kDate + 1, kUpToSeconds - kDate - 1), rest.empty() ? "Z" : rest));
  // What Duration can hold is from 1678 to 2262.
  constexpr int64_t kUnixMax = 9'000'000'000;
  if (!unix_s || *unix_s < 0 || *unix_s > kUnixMax) return std::nullopt;
  return std::chrono::seconds(*unix_s) + Duration(static_cast<int64_t>(nanos));
}

absl::Status ReadAzureLine(std::string_view line, TraceRequest* request) {
  std::array<std::string_view, 3> columns;
  for (size_t i = 0; i < columns.size(); ++i) {
    const size_t comma = line.find(',');
    if ((comma == line.npos) != (i + 1 == columns.size())) {
      return Wrong(fmt::format("wanted {}", kAzureHead));
    }
    columns[i] = line.substr(0, comma);
    line.remove_prefix(std::min(line.size(), columns[i].size() + 1));
  }
  const std::optional<Duration> at = AzureTime(columns[0]);
  if (!at) {
    return Wrong(fmt::format(
        "TIMESTAMP: wanted a time such as 2023-11-16 18:17:03.9799600, got \"{}\"", columns[0]));
  }
  request->at = *at;
  RETURN_IF_ERROR(ReadTokens(columns[1], "ContextTokens", &request->prompt_tokens));
  return ReadTokens(columns[2], "GeneratedTokens", &request->output_tokens);
}

absl::Status ReadLmcacheLine(const simdjson::dom::element& root, TraceRequest* request) {
  simdjson::dom::object object;
  if (root.get(object)) return Wrong("wanted a JSON object");
  uint64_t at_us = 0;
  // So that nanoseconds do not overflow.
  constexpr uint64_t kAtMax = 9'000'000'000'000'000;
  if (object["timestamp"].get(at_us) || at_us > kAtMax) {
    return Wrong("timestamp: wanted microseconds from 0 on");
  }
  request->at = std::chrono::microseconds(static_cast<int64_t>(at_us));
  std::string_view input;
  if (object["input"].get(input)) return Wrong("input: wanted a text");
  std::string_view output;
  if (object["output"].get(output)) return Wrong("output: wanted a text");
  std::string_view session;
  if (object["session_id"].get(session)) return Wrong("session_id: wanted a text");
  request->text = input;
  request->session = session;
  request->prompt_tokens = EstimatedTokens(input);
  request->output_tokens = EstimatedTokens(output);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<TraceRequest>> ReadAzureTrace(std::istream& in,
                                                         std::optional<uint64_t> count) {
  std::vector<TraceRequest> trace;
  bool first = true;
  std::optional<uint64_t> lines = count;
  if (lines && *lines < kTraceRequestsMax) ++*lines;  // for the head
  RETURN_IF_ERROR(ReadTraceLines(in, lines, [&](const std::string& line) -> absl::Status {
    if (std::exchange(first, false)) {
      if (line == kAzureHead) return absl::OkStatus();
      return Wrong(fmt::format("wanted the head {}", kAzureHead));
    }
    return ReadAzureLine(line, &trace.emplace_back());
  }));
  if (trace.empty()) return Wrong("trace: wanted at least one request");
  OrderTrace(&trace);
  return trace;
}

absl::StatusOr<std::vector<TraceRequest>> ReadLmcacheTrace(std::istream& in,
                                                           std::optional<uint64_t> count) {
  std::vector<TraceRequest> trace;
  simdjson::dom::parser parser;
  RETURN_IF_ERROR(ReadTraceLines(in, count, [&](const std::string& line) -> absl::Status {
    simdjson::dom::element root;
    if (parser.parse(line).get(root)) return Wrong("wanted a JSON object");
    return ReadLmcacheLine(root, &trace.emplace_back());
  }));
  OrderTrace(&trace);
  std::unordered_map<std::string_view, uint32_t> turns;
  for (TraceRequest& request : trace) request.turn = turns[request.session]++;
  return trace;
}

}  // namespace gw::bench
