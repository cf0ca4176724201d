#include "cli/dataplane_flags.h"

#include <array>
#include <charconv>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/suggest.h"

namespace gw {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr uint64_t kBytesMax = uint64_t{4} << 30;
constexpr uint64_t kCountMax = 1 << 20;
constexpr uint64_t kMillisMax = milliseconds(hours(24)).count();

struct Limit {
  std::string_view name;
  size_t& (*field)(DataplaneOptions&);
  bool is_bytes;
  uint64_t count_max = kCountMax;  // of what is no bytes
};

constexpr std::array kLimits = {
    Limit{"request_head_bytes",
          [](DataplaneOptions& o) -> size_t& { return o.request_head.head_bytes_max; }, true},
    Limit{"request_head_fields",
          [](DataplaneOptions& o) -> size_t& { return o.request_head.header_count_max; }, false},
    Limit{"request_target_bytes",
          [](DataplaneOptions& o) -> size_t& { return o.request_head.target_bytes_max; }, true},
    Limit{"response_head_bytes",
          [](DataplaneOptions& o) -> size_t& { return o.response_head.head_bytes_max; }, true},
    Limit{"response_head_fields",
          [](DataplaneOptions& o) -> size_t& { return o.response_head.header_count_max; }, false},
    Limit{"request_body_bytes",
          [](DataplaneOptions& o) -> size_t& { return o.request_body_bytes_max; }, true},
    Limit{"request_body_ratio",
          [](DataplaneOptions& o) -> size_t& { return o.request_body_ratio_max; }, false},
    Limit{"json_depth", [](DataplaneOptions& o) -> size_t& { return o.exchange.json_depth_max; },
          false, kJsonDepthMax},
    Limit{"held_bytes", [](DataplaneOptions& o) -> size_t& { return o.held_bytes_max; }, true},
    Limit{"body_bytes_per_second",
          [](DataplaneOptions& o) -> size_t& { return o.body_bytes_per_second_min; }, true},
    Limit{"pipelined_bytes", [](DataplaneOptions& o) -> size_t& { return o.pipelined_bytes_max; },
          true},
    Limit{"spare_body_bytes", [](DataplaneOptions& o) -> size_t& { return o.spare_body_bytes_max; },
          true},
    Limit{"spare_requests",
          [](DataplaneOptions& o) -> size_t& { return o.exchange.spare_requests_max; }, false},
    Limit{"downstream_connections",
          [](DataplaneOptions& o) -> size_t& { return o.downstream_connections_max; }, false},
    Limit{"tls_handshakes", [](DataplaneOptions& o) -> size_t& { return o.tls_handshakes_max; },
          false},
    Limit{"admin_connections",
          [](DataplaneOptions& o) -> size_t& { return o.admin_connections_max; }, false},
    Limit{"admin_feed_readers",
          [](DataplaneOptions& o) -> size_t& { return o.admin_feed_readers_max; }, false},
    Limit{"admin_linger_bytes",
          [](DataplaneOptions& o) -> size_t& { return o.admin_linger_bytes_max; }, true},
    Limit{"idle_upstream_connections",
          [](DataplaneOptions& o) -> size_t& { return o.idle_upstream_connections_max; }, false},
    Limit{"model_list_bytes", [](DataplaneOptions& o) -> size_t& { return o.model_list_bytes_max; },
          true},
    Limit{"model_list_cache_entries",
          [](DataplaneOptions& o) -> size_t& { return o.model_list_cache_entries_max; }, false},
    Limit{"model_list_cache_bytes",
          [](DataplaneOptions& o) -> size_t& { return o.model_list_cache_bytes_max; }, true},
    Limit{"prefill_response_bytes",
          [](DataplaneOptions& o) -> size_t& { return o.prefill_response_bytes_max; }, true},
    Limit{"held_response_bytes",
          [](DataplaneOptions& o) -> size_t& { return o.held_response_bytes_max; }, true},
    Limit{"mirrors", [](DataplaneOptions& o) -> size_t& { return o.mirrors_max; }, false},
    Limit{"mirror_bytes", [](DataplaneOptions& o) -> size_t& { return o.mirror_bytes_max; }, true},
    Limit{"mirror_response_bytes",
          [](DataplaneOptions& o) -> size_t& { return o.mirror_response_bytes_max; }, true},
    Limit{"trace_queue", [](DataplaneOptions& o) -> size_t& { return o.trace_queue_max; }, false},
    Limit{"trace_queue_bytes",
          [](DataplaneOptions& o) -> size_t& { return o.trace_queue_bytes_max; }, true},
    Limit{"trace_prompt_bytes",
          [](DataplaneOptions& o) -> size_t& { return o.trace_prompt_bytes_max; }, true},
    Limit{"reads_per_turn", [](DataplaneOptions& o) -> size_t& { return o.reads_per_turn_max; },
          false},
    Limit{"linger_bytes", [](DataplaneOptions& o) -> size_t& { return o.linger_bytes_max; }, true},
};

struct Timeout {
  std::string_view name;
  Duration DataplaneOptions::* field;
  bool may_be_zero = false;
};

constexpr std::array kTimeouts = {
    Timeout{"connect_timeout", &DataplaneOptions::connect_timeout},
    Timeout{"response_headers_timeout", &DataplaneOptions::response_headers_timeout},
    Timeout{"stream_idle_timeout", &DataplaneOptions::stream_idle_timeout},
    Timeout{"client_header_timeout", &DataplaneOptions::client_header_timeout},
    Timeout{"tls_handshake_timeout", &DataplaneOptions::tls_handshake_timeout},
    Timeout{"client_body_timeout", &DataplaneOptions::client_body_timeout},
    Timeout{"client_write_timeout", &DataplaneOptions::client_write_timeout},
    Timeout{"keep_alive_timeout", &DataplaneOptions::keep_alive_timeout},
    Timeout{"drain_idle_grace", &DataplaneOptions::drain_idle_grace, true},
    Timeout{"upstream_keep_alive_timeout", &DataplaneOptions::upstream_keep_alive_timeout},
    Timeout{"prefill_error_timeout", &DataplaneOptions::prefill_error_timeout},
    Timeout{"tcp_keep_alive", &DataplaneOptions::tcp_keep_alive, true},
    Timeout{"mirror_timeout", &DataplaneOptions::mirror_timeout},
    Timeout{"trace_export_timeout", &DataplaneOptions::trace_export_timeout},
    Timeout{"trace_retry_timeout", &DataplaneOptions::trace_retry_timeout},
    Timeout{"trace_flush_timeout", &DataplaneOptions::trace_flush_timeout, true},
    Timeout{"linger_timeout", &DataplaneOptions::linger_timeout},
    Timeout{"shutdown_delay", &DataplaneOptions::shutdown_delay, true},
    Timeout{"drain_timeout", &DataplaneOptions::drain_timeout, true},
    Timeout{"model_list_timeout", &DataplaneOptions::model_list_timeout},
    Timeout{"model_list_cache_time", &DataplaneOptions::model_list_cache_time, true},
};

constexpr std::array kFileLimitTable = std::to_array(config::kFileLimits);

// Every field has a name here, but for the target that a response has not.
static_assert(sizeof(DataplaneOptions) == 8 * (kLimits.size() + 1 + kTimeouts.size()),
              "name the new field above, and in docs/configuration.md");

// A number and its unit, one of `units`; nullopt for anything else, also if it is above `max`.
struct Unit {
  std::string_view name;
  uint64_t factor;
};
std::optional<uint64_t> ReadNumber(std::string_view text, std::initializer_list<Unit> units,
                                   uint64_t max) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  for (const Unit& unit : units) {
    if (text != unit.name) continue;
    if (number > max / unit.factor) return std::nullopt;
    return number * unit.factor;
  }
  return std::nullopt;
}

std::string BytesText(uint64_t bytes) {
  for (const auto& [unit, shift] : {std::pair{"MiB", 20}, {"KiB", 10}}) {
    if (bytes >> shift << shift == bytes && bytes > 0) return absl::StrCat(bytes >> shift, unit);
  }
  return absl::StrCat(bytes);
}

std::string TimeText(Duration time) {
  const auto millis = std::chrono::duration_cast<milliseconds>(time).count();
  return millis % 1000 == 0 ? absl::StrCat(millis / 1000, "s") : absl::StrCat(millis, "ms");
}

// The entry of `table` that the assignment names, and the value in `*value`.
template <typename Table>
absl::StatusOr<typename Table::const_pointer> Find(const Table& table, std::string_view assignment,
                                                   std::string_view* value) {
  const size_t equals = assignment.find('=');
  const std::string_view name = assignment.substr(0, equals);
  for (const auto& entry : table) {
    if (entry.name != name) continue;
    *value = equals == std::string_view::npos ? "" : assignment.substr(equals + 1);
    return &entry;
  }
  std::string known;
  for (const auto& entry : table) {
    if (!known.empty()) known += ", ";
    known += entry.name;
  }
  std::vector<std::string_view> names;
  for (const auto& entry : table) names.emplace_back(entry.name);
  return absl::InvalidArgumentError("unknown name \"" + std::string(name) + "\": wanted one of " +
                                    known + DidYouMean(name, names));
}

absl::Status BadValue(std::string_view name, std::string_view wanted, std::string_view got) {
  std::string message(name);
  message.append(": must be ").append(wanted).append(", got \"").append(got).append("\"");
  return absl::InvalidArgumentError(message);
}

void AppendNames(const std::vector<NamedDefault>& known, std::string* text) {
  constexpr size_t kColumns = 80;
  std::string line = " ";
  for (size_t i = 0; i < known.size(); ++i) {
    const std::string word = known[i].name + (i + 1 < known.size() ? "," : "");
    if (line.size() + 1 + word.size() > kColumns) {
      absl::StrAppend(text, line, "\n");
      line = " ";
    }
    absl::StrAppend(&line, " ", word);
  }
  absl::StrAppend(text, line, "\n");
}

}  // namespace

bool IsFileLimit(std::string_view assignment) { return assignment.starts_with("config_"); }

absl::Status SetFileLimit(std::string_view assignment, config::FileLimits* limits) {
  std::string_view text;
  ASSIGN_OR_RETURN(const config::NamedFileLimit* limit, Find(kFileLimitTable, assignment, &text));
  const auto value =
      ReadNumber(text, {{"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}}, kBytesMax);
  if (!value || *value == 0) return BadValue(limit->name, "a number from 1, or bytes", text);
  limits->*limit->field = *value;
  return absl::OkStatus();
}

absl::Status SetLimit(std::string_view assignment, DataplaneOptions* options) {
  std::string_view text;
  ASSIGN_OR_RETURN(const Limit* limit, Find(kLimits, assignment, &text));
  const std::optional<uint64_t> value =
      limit->is_bytes
          ? ReadNumber(text, {{"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}},
                       kBytesMax)
          : ReadNumber(text, {{"", 1}}, limit->count_max);
  if (!value || *value == 0) {
    return BadValue(limit->name,
                    limit->is_bytes ? "bytes from 1 to 4GiB, such as 65536 or 64KiB"
                                    : absl::StrCat("a number from 1 to ", limit->count_max),
                    text);
  }
  limit->field(*options) = *value;
  return absl::OkStatus();
}

absl::Status SetTimeout(std::string_view assignment, DataplaneOptions* options) {
  std::string_view text;
  ASSIGN_OR_RETURN(const Timeout* timeout, Find(kTimeouts, assignment, &text));
  const std::optional<uint64_t> value =
      ReadNumber(text, {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}}, kMillisMax);
  if (!value || (*value == 0 && !timeout->may_be_zero)) {
    return BadValue(timeout->name,
                    timeout->may_be_zero ? "a time from 0s to 24h, such as 500ms, 10s or 5m"
                                         : "a time from 1ms to 24h, such as 500ms, 10s or 5m",
                    text);
  }
  options->*timeout->field = milliseconds(*value);
  return absl::OkStatus();
}

std::vector<NamedDefault> KnownLimits() {
  DataplaneOptions defaults;
  std::vector<NamedDefault> known;
  for (const Limit& limit : kLimits) {
    const size_t value = limit.field(defaults);
    known.push_back(
        {std::string(limit.name), limit.is_bytes ? BytesText(value) : absl::StrCat(value)});
  }
  return known;
}

std::vector<NamedDefault> KnownFileLimits() {
  const config::FileLimits defaults;
  std::vector<NamedDefault> known;
  for (const config::NamedFileLimit& limit : config::kFileLimits) {
    const size_t value = defaults.*limit.field;
    known.push_back({limit.name, limit.is_bytes ? BytesText(value) : absl::StrCat(value)});
  }
  return known;
}

std::vector<NamedDefault> KnownTimeouts() {
  const DataplaneOptions defaults;
  std::vector<NamedDefault> known;
  for (const Timeout& timeout : kTimeouts) {
    known.push_back({std::string(timeout.name), TimeText(defaults.*timeout.field)});
  }
  return known;
}

std::string DataplaneFlagsHelp() {
  std::string text = "Names for --limit:\n";
  std::vector<NamedDefault> limits = KnownLimits();
  for (NamedDefault& limit : KnownFileLimits()) limits.push_back(std::move(limit));
  AppendNames(limits, &text);
  text += "Names for --timeout:\n";
  AppendNames(KnownTimeouts(), &text);
  return text;
}

}  // namespace gw
