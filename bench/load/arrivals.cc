#include "bench/load/arrivals.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/numbers.h"
#include "base/check.h"
#include "base/status.h"

namespace gw::bench {
namespace {

constexpr Duration kEndless = Duration::max();
// Later ones never come: some 30 years, far from where a Duration ends.
constexpr double kSecondsMax = 1e9;
constexpr size_t kStepsMax = 10000;

absl::Status Wrong(std::string message) { return absl::InvalidArgumentError(std::move(message)); }

double SecondsOf(const RateStep& step) {
  return step.lasts == kEndless ? std::numeric_limits<double>::infinity() : ToSeconds(step.lasts);
}

// Requests that are expected in it.
double AreaOf(const RateStep& step) {
  const double mean = (step.from + step.to) / 2;
  return mean > 0 ? mean * SecondsOf(step) : 0;
}

// Marsaglia's polar method.
double Normal(Random& random) {
  for (;;) {
    const double x = 2 * random.Unit() - 1;
    const double y = 2 * random.Unit() - 1;
    const double square = x * x + y * y;
    if (square > 0 && square < 1) return x * std::sqrt(-2 * std::log(square) / square);
  }
}

// Of scale 1. Marsaglia and Tsang, "A simple method for generating gamma variables", 2000.
double Gamma(double shape, Random& random) {
  if (shape < 1) {
    return Gamma(shape + 1, random) * std::pow(1 - random.Unit(), 1 / shape);
  }
  const double d = shape - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = Normal(random);
    const double v = std::pow(1 + c * x, 3);
    if (v > 0 && std::log(1 - random.Unit()) < x * x / 2 + d - d * v + d * std::log(v)) {
      return d * v;
    }
  }
}

// Of mean 1.
double Gap(double burstiness, Random& random) {
  if (std::isinf(burstiness)) return 1;
  if (burstiness == 1) return -std::log(1 - random.Unit());
  return Gamma(burstiness, random) / burstiness;
}

absl::Status CheckLadder(const ArrivalOptions& options) {
  if (options.per_second || options.to_per_second) {
    return Wrong("--ladder: has its own rates, wanted no --rate beside it");
  }
  if (options.duration)
    return Wrong("--ladder: has its own length, wanted no --duration beside it");
  if (options.ladder.size() > kStepsMax) {
    return Wrong(fmt::format("--ladder: wanted at most {} steps", kStepsMax));
  }
  double expected = 0;
  for (const RateStep& step : options.ladder) {
    const bool rates = step.from >= 0 && step.to >= 0 && std::isfinite(step.from + step.to);
    if (!rates || step.lasts <= Duration{} || ToSeconds(step.lasts) > kSecondsMax / kStepsMax) {
      return Wrong("--ladder: wanted rates of 0 or more, each for a time above 0");
    }
    expected += AreaOf(step);
  }
  if (!(expected > 0)) return Wrong("--ladder: wanted a rate above 0");
  return absl::OkStatus();
}

absl::Status CheckRate(const ArrivalOptions& options) {
  if (!options.per_second) return Wrong("--rate: wanted a number above 0, or --ladder");
  const double rate = *options.per_second;
  if (options.to_per_second) {
    if (!options.duration) return Wrong("--rate-to: wanted the --duration in which it gets there");
    const double to = *options.to_per_second;
    if (!(rate >= 0) || std::isinf(rate)) return Wrong("--rate: wanted a number of 0 or more");
    if (!(to >= 0) || std::isinf(to)) return Wrong("--rate-to: wanted a number of 0 or more");
    if (rate == 0 && to == 0) return Wrong("--rate-to: wanted a number above 0");
    return absl::OkStatus();
  }
  if (!(rate > 0)) return Wrong("--rate: wanted a number above 0");
  if (std::isinf(rate) && !options.count) {
    return Wrong("--requests: wanted how many, as --rate has no limit");
  }
  if (!options.duration && !options.count) return Wrong("--duration: wanted a time, or --requests");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<RateStep>> ParseLadder(std::string_view text) {
  std::vector<RateStep> steps;
  for (bool more = true; more;) {
    const size_t end = text.find(',');
    const std::string_view item = text.substr(0, end);
    more = end != std::string_view::npos;
    if (more) text.remove_prefix(end + 1);
    const size_t by = item.find('x');
    double rate = 0;
    double seconds = 0;
    if (by == std::string_view::npos || !absl::SimpleAtod(std::string(item.substr(0, by)), &rate) ||
        !absl::SimpleAtod(std::string(item.substr(by + 1)), &seconds) || !(rate >= 0) ||
        std::isinf(rate) || !(seconds > 0) || seconds > kSecondsMax / kStepsMax) {
      return Wrong("--ladder " + std::string(item) +
                   ": wanted steps of a rate and seconds, such as 3x20,10x20");
    }
    steps.push_back({rate, rate, Duration(static_cast<int64_t>(seconds * 1e9))});
  }
  return steps;
}

absl::StatusOr<Arrivals> Arrivals::From(const ArrivalOptions& options) {
  if (!(options.burstiness > 0)) return Wrong("--burstiness: wanted a number above 0");
  if (options.count && *options.count == 0) return Wrong("--requests: wanted a number above 0");
  if (options.duration &&
      (*options.duration <= Duration{} || ToSeconds(*options.duration) > kSecondsMax)) {
    return Wrong("--duration: wanted a time above 0");
  }
  Arrivals arrivals;
  arrivals.burstiness_ = options.burstiness;
  arrivals.count_ = options.count;
  if (!options.ladder.empty()) {
    RETURN_IF_ERROR(CheckLadder(options));
    arrivals.steps_ = options.ladder;
  } else {
    RETURN_IF_ERROR(CheckRate(options));
    const double rate = *options.per_second;
    arrivals.steps_ = {
        {rate, options.to_per_second.value_or(rate), options.duration.value_or(kEndless)}};
  }
  return arrivals;
}

std::optional<Duration> Arrivals::length() const {
  Duration length{};
  for (const RateStep& step : steps_) {
    if (step.lasts == kEndless) return std::nullopt;
    length += step.lasts;
  }
  return length;
}

// With the rate a at a step's begin and slope k, x requests after t seconds:
//   x = a t + k t^2 / 2,  t = 2 x / (a + sqrt(a^2 + 2 k x))
// REQUIRES: places ascend from call to call
std::optional<double> Arrivals::TimeOf(double place) {
  for (; step_ < steps_.size(); ++step_) {
    const RateStep& step = steps_[step_];
    const double seconds = SecondsOf(step);
    const double area = AreaOf(step);
    const double x = place - step_place_;
    if (x < area) {
      if (x <= 0 || std::isinf(step.from)) return step_second_;
      const double slope = (step.to - step.from) / seconds;
      const double root = std::sqrt(std::max(0.0, step.from * step.from + 2 * slope * x));
      const double t = 2 * x / (step.from + root);
      if (t < seconds) return step_second_ + t;  // else it was rounded over the end
    }
    step_second_ += seconds;
    step_place_ += area;
  }
  return std::nullopt;
}

std::optional<Duration> Arrivals::Next(Random& random) {
  if (count_ && given_ >= *count_) return std::nullopt;
  // Evenly spaced ones begin at the start, so that 2/s for 10 s are 20.
  if (!std::isinf(burstiness_) || given_ > 0) place_ += Gap(burstiness_, random);
  const std::optional<double> seconds = TimeOf(place_);
  if (!seconds || *seconds > kSecondsMax) return std::nullopt;
  ++given_;
  return Duration(static_cast<int64_t>(*seconds * 1e9));
}

std::string Arrivals::Describe() const {
  std::string text;
  if (steps_.size() > 1) {
    double most = 0;
    for (const RateStep& step : steps_) most = std::max({most, step.from, step.to});
    text = fmt::format("{} steps of up to {:g}/s", steps_.size(), most);
  } else if (steps_[0].from != steps_[0].to) {
    text = fmt::format("{:g}/s to {:g}/s in {:g} s", steps_[0].from, steps_[0].to,
                       ToSeconds(steps_[0].lasts));
  } else if (std::isinf(steps_[0].from)) {
    text = "all at once";
  } else {
    text = fmt::format("{:g}/s", steps_[0].from);
  }
  if (std::isinf(burstiness_)) {
    text += ", even";
  } else if (burstiness_ != 1) {
    text += fmt::format(", burstiness {:g}", burstiness_);
  }
  return text;
}

}  // namespace gw::bench
