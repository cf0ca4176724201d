#include "translate/queue_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "api/annotations.h"
#include "api/names.h"
#include "base/check.h"
#include "translate/annotation_values.h"

namespace gw::internal {
namespace {

constexpr std::string_view kAnnotations[] = {
    api::kQueueingAnnotation,        api::kQueueRequestsMaxAnnotation,
    api::kQueueBytesMaxAnnotation,   api::kQueueTimeoutAnnotation,
    api::kQueueSharesAnnotation,     api::kQueueWithoutEndpointsAnnotation,
    api::kQueueEvictBelowAnnotation, api::kQueueReservedAnnotation,
    api::kMaxWaitingAnnotation,
};

constexpr size_t kRequestsMaxMax = 10'000'000;
constexpr size_t kBytesMaxMax = size_t{1} << 40;
constexpr int64_t kReservedMax = 1'000'000;
constexpr Duration kTimeoutMin = std::chrono::milliseconds(1);
constexpr Duration kTimeoutMax = std::chrono::hours(24);

template <typename Number>
bool ReadAll(std::string_view text, Number* number) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *number);
  return error == std::errc() && stop == end;
}

// These return what is wrong with the value, "" if nothing is.

// "268435456" or, as Kubernetes writes it, "256Mi".
std::string ReadBytesMax(const std::string& value, size_t* target) {
  std::string_view digits = value;
  size_t unit = 1;
  for (const auto& [suffix, bytes] :
       {std::pair{"Ki", size_t{1} << 10}, {"Mi", size_t{1} << 20}, {"Gi", size_t{1} << 30}}) {
    if (!digits.ends_with(suffix)) continue;
    digits.remove_suffix(2);
    unit = bytes;
    break;
  }
  size_t number = 0;
  if (ReadAll(digits, &number) && number >= 1 && number <= kBytesMaxMax / unit) {
    *target = number * unit;
    return "";
  }
  return fmt::format(
      "must be a number of bytes, such as 268435456 or 256Mi, of at most 1024Gi, "
      "got \"{}\"",
      value);
}

std::string ReadTimeout(const std::string& value, Duration* target) {
  const std::optional<Duration> timeout = api::ParseDuration(value);
  if (timeout && *timeout >= kTimeoutMin && *timeout <= kTimeoutMax) {
    *target = *timeout;
    return "";
  }
  return fmt::format("must be a duration of 1ms to 24h, such as 60s, got \"{}\"", value);
}

// "-1=0.1,0=0.2": of priorities, none of them twice.
template <typename Number>
bool ParsePairs(std::string_view text, std::map<int, Number>* numbers) {
  while (true) {
    const size_t comma = text.find(',');
    const std::string_view pair = text.substr(0, comma);
    const size_t equals = pair.find('=');
    int priority = 0;
    Number number = 0;
    if (equals == pair.npos || !ReadAll(pair.substr(0, equals), &priority) ||
        !ReadAll(pair.substr(equals + 1), &number) || !numbers->emplace(priority, number).second) {
      return false;
    }
    if (comma == text.npos) return true;
    text.remove_prefix(comma + 1);
  }
}

std::string ReadShares(const std::string& value, std::map<int, double>* target) {
  std::map<int, double> shares;
  bool right = ParsePairs(value, &shares);
  double sum = 0;
  for (const auto& [priority, share] : shares) {
    sum += share;
    right = right && share > 0 && sum < 1;  // also false of what is no number
  }
  if (right) {
    *target = std::move(shares);
    return "";
  }
  return fmt::format(
      "must be smallest shares of priorities, each above 0 and together below 1, "
      "such as \"-1=0.1\" or \"-1=0.1,0=0.2\", got \"{}\"",
      value);
}

std::string ReadReserved(const std::string& value, std::map<int, int64_t>* target) {
  std::map<int, int64_t> reserved;
  bool right = ParsePairs(value, &reserved);
  for (const auto& [priority, places] : reserved) {
    right = right && places >= 1 && places <= kReservedMax;
  }
  if (right) {
    *target = std::move(reserved);
    return "";
  }
  return fmt::format(
      "must be places of each endpoint for a priority and those above it, 1 to {}, such as "
      "\"1=4\" or \"1=4,2=2\", got \"{}\"",
      kReservedMax, value);
}

std::string ReadWaitingMax(const std::string& value, std::optional<int64_t>* target) {
  size_t most = 0;
  std::string error = ReadNumber(value, 0, api::kMaxRequestsMax, &most);
  if (error.empty()) *target = static_cast<int64_t>(most);
  return error;
}

std::string ReadPriority(const std::string& value, std::optional<int>* target) {
  int priority = 0;
  if (ReadAll(value, &priority)) {
    *target = priority;
    return "";
  }
  return fmt::format("must be a priority, a whole number such as 0, got \"{}\"", value);
}

std::string ReadOne(const std::string& key, const std::string& value, bool* on,
                    QueueSettings* settings, QueueOptions* options) {
  if (key == api::kQueueingAnnotation) return ReadBool(value, on);
  if (key == api::kMaxWaitingAnnotation) return ReadWaitingMax(value, &settings->waiting_max);
  if (key == api::kQueueRequestsMaxAnnotation)
    return ReadNumber(value, 1, kRequestsMaxMax, &options->requests_max);
  if (key == api::kQueueBytesMaxAnnotation) return ReadBytesMax(value, &options->bytes_max);
  if (key == api::kQueueTimeoutAnnotation) return ReadTimeout(value, &options->timeout);
  if (key == api::kQueueSharesAnnotation) return ReadShares(value, &options->shares);
  if (key == api::kQueueReservedAnnotation) return ReadReserved(value, &options->reserved);
  if (key == api::kQueueEvictBelowAnnotation) return ReadPriority(value, &options->evict_below);
  CHECK(key == api::kQueueWithoutEndpointsAnnotation);
  return ReadBool(value, &options->waits_without_endpoints);
}

}  // namespace

bool IsQueueAnnotation(std::string_view key) {
  return std::find(std::begin(kAnnotations), std::end(kAnnotations), key) != std::end(kAnnotations);
}

QueueSettings ReadQueueSettings(const api::InferencePool& pool) {
  QueueSettings settings;
  QueueOptions options;
  bool on = false;
  const api::StringMap& annotations = pool.meta.annotations;
  const bool says = annotations.contains(api::kQueueingAnnotation);
  for (const auto& [key, value] : annotations) {
    if (!IsQueueAnnotation(key)) continue;
    std::string error = ReadOne(key, value, &on, &settings, &options);
    // Somebody believes that requests wait. With "false" it is known that they do not.
    if (error.empty() && !says) {
      error = fmt::format("says something only beside {}: \"true\"", api::kQueueingAnnotation);
    }
    if (!error.empty()) settings.errors.emplace_back(key, std::move(error));
  }
  if (on) {
    settings.options = std::move(options);
  } else {
    settings.waiting_max.reset();  // nobody waits
  }
  return settings;
}

}  // namespace gw::internal
