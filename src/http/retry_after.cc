#include "http/retry_after.h"

#include <algorithm>
#include <charconv>

#include "absl/time/time.h"

namespace gw::http {
namespace {

// More than anybody waits, and far from what a Duration holds.
constexpr int64_t kSecondsMax = 1'000'000'000;

std::optional<int64_t> ParseSeconds(std::string_view value) {
  int64_t seconds = 0;
  const char* const end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, seconds);
  if (stop != end || value.empty() || value.front() == '-') return std::nullopt;
  if (error == std::errc::result_out_of_range) return kSecondsMax;
  return error == std::errc() ? std::optional(seconds) : std::nullopt;
}

// As it is sent today, and as RFC 850 and asctime() wrote it.
std::optional<int64_t> ParseDate(std::string_view value) {
  for (const char* const format :
       {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
    absl::Time time;
    if (absl::ParseTime(format, {value.data(), value.size()}, &time, nullptr)) {
      return absl::ToUnixSeconds(time);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Duration> ParseRetryAfter(std::string_view value, int64_t unix_now_s) {
  std::optional<int64_t> seconds = ParseSeconds(value);
  if (!seconds) {
    const std::optional<int64_t> date = ParseDate(value);
    if (!date) return std::nullopt;
    seconds = *date - unix_now_s;
  }
  return std::chrono::seconds(std::clamp<int64_t>(*seconds, 0, kSecondsMax));
}

}  // namespace gw::http
