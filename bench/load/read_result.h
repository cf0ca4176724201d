// How ReadResult takes a parsed document apart; one function for each tool that wrote it. Includes
// simdjson's heavy header: for read_result*.cc alone.
//
// What is missing, or of another type than it should be, is read as not measured: a result is for
// comparing what there is.

#pragma once

#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "bench/load/result.h"

namespace gw::bench::internal {

using Element = simdjson::dom::element;

inline std::optional<Element> MemberOf(Element from, std::string_view name) {
  Element out;
  if (from[name].get(out) != simdjson::SUCCESS || out.is_null()) return std::nullopt;
  return out;
}

// NaN without that member, or where it is no number; so are those that no run comes to.
inline double NumberOf(Element from, std::string_view name) {
  double out = Distribution::kNone;
  if (from[name].get(out) != simdjson::SUCCESS || std::abs(out) >= 1e15) return Distribution::kNone;
  return out;
}

inline std::string TextOf(Element from, std::string_view name) {
  std::string_view out;
  return from[name].get(out) == simdjson::SUCCESS ? std::string(out) : "";
}

// Whole numbers, of whatever form they were written in; `fallback` where there is none.
inline int64_t CountOf(Element from, std::string_view name, int64_t fallback = 0) {
  const double number = NumberOf(from, name);
  return std::isnan(number) ? fallback : std::llround(number);
}
// Of what cannot be negative; at most `most`.
inline uint64_t UnsignedOf(Element from, std::string_view name,
                           uint64_t most = std::numeric_limits<uint64_t>::max()) {
  const int64_t count = CountOf(from, name);
  return count < 0 ? 0 : std::min(static_cast<uint64_t>(count), most);
}

// Zero of what is no number; thirty years at most.
inline Duration FromMillis(double ms) {
  if (std::isnan(ms)) return {};
  return Duration(std::llround(std::clamp(ms, -1e12, 1e12) * 1e6));
}

inline Duration FromSeconds(double seconds) { return FromMillis(seconds * 1e3); }

inline std::optional<simdjson::dom::array> ListOf(Element from, std::string_view name) {
  simdjson::dom::array out;
  if (from[name].get(out) != simdjson::SUCCESS) return std::nullopt;
  return out;
}

// Where `figures` has none of a distribution's numbers, those that its requests give.
void FillFrom(const Figures& computed, Figures* figures);

absl::StatusOr<Result> ReadOurs(Element root);
absl::StatusOr<Result> ReadVllm(Element root);
absl::StatusOr<Result> ReadGuidellm(Element root);

}  // namespace gw::bench::internal
