#include "bench/load/log_trace.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <string>
#include <utility>

#include "api/names.h"
#include "base/status.h"
#include "bench/load/text_tokens.h"
#include "bench/load/trace_lines.h"

namespace gw::bench {
namespace {

constexpr double kCharsOfToken = 4;

absl::Status Wrong(const std::string& message) { return absl::InvalidArgumentError(message); }

// "2026-01-02T03:04:05.678901Z", since 1970.
std::optional<Duration> LogTime(std::string_view text) {
  const std::optional<int64_t> unix_s = api::ParseTime(text);
  // What Duration can hold is from 1678 to 2262.
  constexpr int64_t kUnixMax = 9'000'000'000;
  if (!unix_s || *unix_s < 0 || *unix_s > kUnixMax) return std::nullopt;
  int64_t nanos = 0;
  if (const size_t point = text.find('.'); point != text.npos) {
    int64_t unit = 100'000'000;
    for (const char c : text.substr(point + 1)) {
      if (c < '0' || c > '9') break;
      nanos += (c - '0') * unit;
      unit /= 10;
    }
  }
  return std::chrono::seconds(*unix_s) + Duration(nanos);
}

// Of a line of one request.
class LogLine {
 public:
  explicit LogLine(const simdjson::dom::object& object) : object_(object) {}

  bool Has(const char* field) const { return object_[field].error() == simdjson::SUCCESS; }
  std::string_view Text(const char* field) const {
    std::string_view text;
    return object_[field].get(text) ? std::string_view() : text;
  }
  // From 0 to `most`; nullopt: it is none, or null.
  std::optional<double> Number(const char* field, double most) const {
    double value = 0;
    if (object_[field].get(value) || !(value >= 0 && value <= most)) return std::nullopt;
    return value;
  }

 private:
  const simdjson::dom::object& object_;
};

absl::Status ReadArrival(const LogLine& line, Duration* at) {
  const std::optional<Duration> time = LogTime(line.Text("time"));
  if (!time) {
    return Wrong(fmt::format("time: wanted one such as 2026-01-02T03:04:05.678901Z, got \"{}\"",
                             line.Text("time")));
  }
  const std::optional<double> total_ms = line.Number("total_ms", kTraceSecondsMax * 1e3);
  if (!total_ms) return Wrong("total_ms: wanted milliseconds from 0 on");
  *at = *time - Duration(static_cast<int64_t>(*total_ms * 1e6));
  return absl::OkStatus();
}

absl::Status ReadNames(std::string_view text, std::vector<uint64_t>* names) {
  constexpr size_t kDigits = 16;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(','));
    uint64_t name = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), name, 16);
    if (word.size() != kDigits || error != std::errc() || end != word.data() + word.size()) {
      return Wrong(
          fmt::format("prompt_blocks: wanted words of 16 hexadecimal digits, got \"{}\"", word));
    }
    names->push_back(name);
    text.remove_prefix(word.size());
    if (text == ",") return Wrong("prompt_blocks: wanted a word behind the last comma");
    if (!text.empty()) text.remove_prefix(1);
  }
  return absl::OkStatus();
}

// Gathers the requests of one pool.
class LogReader {
 public:
  explicit LogReader(std::string_view pool) : pool_(pool), asked_for_(pool) {}

  absl::Status Take(const simdjson::dom::object& object) {
    const LogLine line(object);
    if (line.Text("message") != "Request Handled") return absl::OkStatus();
    ++handled_;
    // Whom it was asked of, whoever answered.
    const std::string_view from = line.Text("fell_back_from");
    const std::string_view pool = from.empty() ? line.Text("pool") : from;
    if (pool.empty()) return absl::OkStatus();
    const bool has_names = line.Has("prompt_blocks");
    if (has_names) {
      pools_.emplace(pool);
      if (pool_.empty()) pool_ = pool;
    }
    // What has no names is no inference request, or was not understood; but for those whose tokens
    // were counted.
    const bool lacks_names = !has_names && line.Number("prompt_tokens", kTokensMax);
    if (lacks_names) unnamed_.emplace(pool);
    if (pool != pool_) return absl::OkStatus();
    if (line.Has("sample_ratio")) {
      return Wrong(
          "sample_ratio: wanted a log of all requests, not of a sample: penstock serve "
          "--request-log all, and no ratio in a route's penstock.dev/log-requests");
    }
    if (lacks_names || unnamed_.contains(pool)) {
      return Wrong(
          fmt::format("prompt_blocks: {}, wanted them in each of the pool, as penstock "
                      "serve --log-prompt-blocks writes them",
                      lacks_names ? "this request has none" : "requests before have none"));
    }
    return has_names ? TakeRequest(line) : absl::OkStatus();
  }

  absl::StatusOr<LogTrace> Finish(std::optional<uint64_t> count) {
    if (pools_.empty()) {
      if (handled_ == 0) return Wrong("trace: wanted at least one line of a \"Request Handled\"");
      return Wrong(
          "trace: no request has prompt_blocks, wanted a log of penstock serve "
          "--log-prompt-blocks");
    }
    const std::string all = fmt::format("{}", fmt::join(pools_, ", "));
    if (asked_for_.empty() && pools_.size() > 1) {
      return Wrong("trace: of several pools, wanted the name of one: " + all);
    }
    if (!pools_.contains(pool_)) {
      return Wrong(fmt::format("trace: no request of pool \"{}\", wanted one of {}", pool_, all));
    }
    trace_.block_tokens = BlockTokens();
    OrderTrace(&trace_.requests);
    if (count && *count < trace_.requests.size()) {
      trace_.requests.erase(trace_.requests.begin() + static_cast<ptrdiff_t>(*count),
                            trace_.requests.end());
    }
    return std::move(trace_);
  }

 private:
  absl::Status TakeRequest(const LogLine& line) {
    TraceRequest request;
    RETURN_IF_ERROR(ReadArrival(line, &request.at));
    const std::optional<double> stretch = line.Number("prompt_block_tokens", kTokensMax);
    if (!stretch || *stretch < 1) return Wrong("prompt_block_tokens: wanted a number above 0");
    if (stretch_tokens_ == 0) stretch_tokens_ = *stretch;
    if (*stretch != stretch_tokens_) {
      return Wrong(fmt::format("prompt_block_tokens: wanted {} as in the lines before, got {}",
                               stretch_tokens_, *stretch));
    }
    const std::optional<double> chars = line.Number("prompt_chars", kTokensMax * kCharsOfToken);
    if (!chars) {
      return Wrong(
          fmt::format("prompt_chars: wanted a number from 0 to {}", kTokensMax * kCharsOfToken));
    }
    const std::optional<double> counted = line.Number("prompt_tokens", kTokensMax);
    if (counted && *counted > 0 && *chars > 0) {
      tokens_of_estimate_.push_back(*counted * kCharsOfToken / *chars);
    }
    // Nothing can be asked with an empty prompt, or for no token.
    request.prompt_tokens =
        std::max(1u, static_cast<uint32_t>(counted.value_or(*chars / kCharsOfToken)));
    const bool answered = line.Number("status", 399).has_value();
    const double output = line.Number("completion_tokens", kTokensMax).value_or(1);
    request.output_tokens = answered ? std::max(1u, static_cast<uint32_t>(output)) : 1;
    RETURN_IF_ERROR(ReadNames(line.Text("prompt_blocks"), &request.block_ids));
    trace_.requests.push_back(std::move(request));
    return absl::OkStatus();
  }

  uint32_t BlockTokens() {
    double ratio = 1;
    if (!tokens_of_estimate_.empty()) {
      const auto middle =
          tokens_of_estimate_.begin() + static_cast<ptrdiff_t>(tokens_of_estimate_.size() / 2);
      std::nth_element(tokens_of_estimate_.begin(), middle, tokens_of_estimate_.end());
      ratio = *middle;
    }
    const double tokens = std::round(stretch_tokens_ * ratio);
    return static_cast<uint32_t>(std::clamp<double>(tokens, 1, kTokensMax));
  }

  std::string pool_;  // whose requests are taken
  const std::string asked_for_;
  std::set<std::string, std::less<>> pools_;    // that have requests with names
  std::set<std::string, std::less<>> unnamed_;  // and with tokens alone
  uint64_t handled_ = 0;
  double stretch_tokens_ = 0;               // that one name stands for, as the gateway reckons
  std::vector<double> tokens_of_estimate_;  // counted ones / as the gateway reckons
  LogTrace trace_;
};

}  // namespace

absl::StatusOr<LogTrace> ReadLogTrace(std::istream& in, std::string_view pool,
                                      std::optional<uint64_t> count) {
  LogReader reader(pool);
  simdjson::dom::parser parser;
  RETURN_IF_ERROR(ReadTraceLines(in, std::nullopt, [&](const std::string& line) -> absl::Status {
    simdjson::dom::object object;
    if (parser.parse(line).get(object)) {
      return Wrong("wanted a JSON object: a log of penstock serve --log-format json, not of text");
    }
    return reader.Take(object);
  }));
  return reader.Finish(count);
}

}  // namespace gw::bench
