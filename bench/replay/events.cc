#include "bench/replay/events.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "api/names.h"
#include "base/status.h"

namespace gw::bench {
namespace {

using Kind = FleetEvent::Kind;
using Words = std::vector<std::string_view>;

constexpr double kSpeedMin = 1e-3;
constexpr double kSpeedMax = 1e3;

absl::Status Wrong(std::string message) { return absl::InvalidArgumentError(std::move(message)); }

Words WordsOf(std::string_view line) {
  Words words;
  line = line.substr(0, line.find('#'));
  for (size_t at = 0; at < line.size();) {
    const size_t begin = line.find_first_not_of(" \t\r", at);
    if (begin == line.npos) break;
    at = std::min(line.find_first_of(" \t\r", begin), line.size());
    words.push_back(line.substr(begin, at - begin));
  }
  return words;
}

std::optional<size_t> EngineOf(std::string_view text, size_t engines) {
  uint64_t number = 0;
  if (!absl::SimpleAtoi(absl::string_view(text.data(), text.size()), &number)) return std::nullopt;
  return number < engines ? std::optional<size_t>(number) : std::nullopt;
}

// "0-3,7"
absl::StatusOr<std::vector<size_t>> EnginesOf(std::string_view text, size_t engines) {
  std::vector<size_t> all;
  const std::string_view whole = text;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    const size_t dash = one.find('-');
    const auto first = EngineOf(one.substr(0, dash), engines);
    const auto last = dash == one.npos ? first : EngineOf(one.substr(dash + 1), engines);
    if (!first || !last || *last < *first) {
      return Wrong(
          fmt::format("wanted engines from 0 to {} such as 0-3,7, got \"{}\"", engines - 1, whole));
    }
    for (size_t engine = *first; engine <= *last; ++engine) all.push_back(engine);
  }
  return all;
}

absl::StatusOr<Duration> TimeIn(std::string_view text) {
  const std::optional<Duration> time = api::ParseDuration(text);
  if (time) return *time;
  return Wrong(fmt::format("wanted a time such as 90s or 5m, got \"{}\"", text));
}

absl::StatusOr<double> SpeedIn(std::string_view text) {
  double speed = 0;
  if (absl::SimpleAtod(absl::string_view(text.data(), text.size()), &speed) && speed >= kSpeedMin &&
      speed <= kSpeedMax) {
    return speed;
  }
  return Wrong(fmt::format("wanted a speed such as 0.5, got \"{}\"", text));
}

struct Action {
  std::string_view name;
  std::string_view value;  // what comes behind the engines; empty: nothing
};
constexpr Action kActions[] = {{"restart", "TIME"}, {"stop", ""},   {"start", ""},
                               {"slow", "SPEED"},   {"remove", ""}, {"add", ""}};

absl::Status ReadLine(const Words& words, size_t engines, std::vector<FleetEvent>* events) {
  ASSIGN_OR_RETURN(const Duration at, TimeIn(words[0]));
  const auto* const action = std::ranges::find_if(
      kActions, [&](const Action& known) { return words.size() > 1 && words[1] == known.name; });
  if (action == std::end(kActions)) {
    return Wrong("wanted TIME and one of restart, stop, start, slow, remove, add");
  }
  if (words.size() != (action->value.empty() ? 3u : 4u)) {
    return Wrong(fmt::format("wanted TIME {} ENGINES{}{}", action->name,
                             action->value.empty() ? "" : " ", action->value));
  }
  ASSIGN_OR_RETURN(const std::vector<size_t> of, EnginesOf(words[2], engines));
  Duration down{};
  double speed = 1;
  if (action->name == "restart") {
    ASSIGN_OR_RETURN(down, TimeIn(words[3]));
  }
  if (action->name == "slow") {
    ASSIGN_OR_RETURN(speed, SpeedIn(words[3]));
  }
  for (const size_t engine : of) {
    const auto add = [&](Duration when, Kind kind) {
      events->push_back({when, kind, engine, speed});
    };
    if (action->name == "restart" || action->name == "stop") add(at, Kind::kStop);
    if (action->name == "restart") add(at + down, Kind::kStart);
    if (action->name == "start") add(at, Kind::kStart);
    if (action->name == "slow") add(at, Kind::kSlow);
    if (action->name == "remove") add(at, Kind::kRemove);
    if (action->name == "add") add(at, Kind::kAdd);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<FleetEvent>> ReadFleetEvents(std::string_view script, size_t engines) {
  std::vector<FleetEvent> events;
  size_t number = 0;
  while (!script.empty()) {
    const std::string_view line = script.substr(0, script.find('\n'));
    script.remove_prefix(std::min(script.size(), line.size() + 1));
    ++number;
    const Words words = WordsOf(line);
    if (words.empty()) continue;
    if (const absl::Status status = ReadLine(words, engines, &events); !status.ok()) {
      return Wrong(fmt::format("events, line {}: {}", number, std::string(status.message())));
    }
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const FleetEvent& a, const FleetEvent& b) { return a.at < b.at; });
  return events;
}

}  // namespace gw::bench
