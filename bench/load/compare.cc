#include "bench/load/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "base/check.h"
#include "base/escape.h"
#include "bench/load/report_text.h"

namespace gw::bench {
namespace {

constexpr int kResamples = 1000;
constexpr double kOutside = 0.025;  // at either end of an interval
constexpr std::array<double, 3> kShares = {0.5, 0.9, 0.99};

using Values = std::vector<double>;

// Of a sorted sample, with ranks as QuantileOfSorted has them.
class Resampler {
 public:
  explicit Resampler(Values values) : sorted_(std::move(values)) {
    std::ranges::sort(sorted_);
    if (sorted_.size() <= kBootstrapMax) return;
    Values thin(kBootstrapMax);
    for (size_t i = 0; i < thin.size(); ++i) thin[i] = sorted_[i * sorted_.size() / thin.size()];
    sorted_ = std::move(thin);
  }

  // How often each value was drawn says as much as the sorted resample would, without sorting.
  Values Draw(std::span<const double> shares, Random& random) {
    const size_t size = sorted_.size();
    upto_.assign(size, 0);
    for (size_t i = 0; i < size; ++i) ++upto_[random.Below(size)];
    double sum = 0;
    uint32_t drawn = 0;
    for (size_t i = 0; i < size; ++i) {
      sum += sorted_[i] * upto_[i];
      drawn += upto_[i];
      upto_[i] = drawn;
    }
    Values out;
    for (const double share : shares) out.push_back(Quantile(share));
    out.push_back(sum / static_cast<double>(size));
    return out;
  }

 private:
  double Quantile(double share) const {
    const double rank = share * static_cast<double>(sorted_.size() - 1);
    const double low = At(std::floor(rank));
    return low + (At(std::ceil(rank)) - low) * (rank - std::floor(rank));
  }
  double At(double rank) const {
    const auto found = std::ranges::upper_bound(upto_, static_cast<uint32_t>(rank));
    return sorted_[static_cast<size_t>(found - upto_.begin())];
  }

  Values sorted_;
  std::vector<uint32_t> upto_;  // how many were drawn of each value and all below
};

// A latency of requests: its distribution among figures, and its value in one record.
struct Latency {
  const char* name;
  Distribution Figures::* distribution;
  bool (*has)(const Record&);
  Duration (Record::*value)() const;
};

bool IsOk(const Record& record) { return record.ok(); }
bool HasOutput(const Record& record) { return record.ok() && record.has_output(); }

constexpr std::array<Latency, 3> kLatencies = {
    Latency{"TTFT", &Figures::ttft, &HasOutput, &Record::ttft},
    Latency{"TPOT", &Figures::tpot,
            [](const Record& record) { return HasOutput(record) && record.output_tokens > 1; },
            &Record::tpot},
    Latency{"E2E", &Figures::e2e, &IsOk, &Record::e2e},
};

Values ValuesOf(const Result& result, const Latency& latency) {
  Values out;
  for (const Record& record : result.requests) {
    if (latency.has(record)) out.push_back(ToSeconds((record.*latency.value)()));
  }
  return out;
}

ComparedFigure& AddFigure(Comparison* out, std::string name, bool less_is_better,
                          std::span<const NamedResult> results,
                          const std::function<double(const Result&)>& read) {
  ComparedFigure figure{.name = std::move(name), .less_is_better = less_is_better};
  for (const NamedResult& named : results) {
    const double value = read(*named.result);
    const double base = figure.values.empty() ? value : figure.values[0];
    figure.values.push_back(value);
    figure.ratios.push_back(base > 0 && value > 0 ? value / base : Distribution::kNone);
  }
  figure.intervals.resize(results.size());
  out->figures.push_back(std::move(figure));
  return out->figures.back();
}

void AddLatency(Comparison* out, const Latency& latency, std::span<const NamedResult> results,
                Random& random) {
  const auto add = [&](std::string_view which, double Distribution::* value) {
    AddFigure(out, fmt::format("{} {}, ms", latency.name, which), true, results,
              [&](const Result& result) {
                return (result.summary.all.*latency.distribution).*value * 1e3;
              });
  };
  const size_t first = out->figures.size();
  // The order of BootstrapRatios' intervals.
  add("p50", &Distribution::p50);
  add("p90", &Distribution::p90);
  add("p99", &Distribution::p99);
  add("mean", &Distribution::mean);
  const Values base = ValuesOf(*results[0].result, latency);
  if (base.empty()) return;
  for (size_t i = 1; i < results.size(); ++i) {
    const Values with = ValuesOf(*results[i].result, latency);
    if (with.empty()) continue;
    const std::vector<Interval> intervals = BootstrapRatios(base, with, kShares, random);
    for (size_t j = 0; j < intervals.size(); ++j) {
      if (std::isnan(out->figures[first + j].ratios[i])) continue;
      out->figures[first + j].intervals[i] = intervals[j];
    }
  }
}

}  // namespace

std::vector<Interval> BootstrapRatios(std::vector<double> base, std::vector<double> with,
                                      std::span<const double> shares, Random& random) {
  CHECK(!base.empty() && !with.empty());
  Resampler base_sampler(std::move(base));
  Resampler with_sampler(std::move(with));
  std::vector<Values> ratios(shares.size() + 1);
  for (int i = 0; i < kResamples; ++i) {
    const Values below = base_sampler.Draw(shares, random);
    const Values above = with_sampler.Draw(shares, random);
    for (size_t j = 0; j < ratios.size(); ++j) {
      // A quantile of zero has no ratio; those that have one say what there is to say.
      if (below[j] > 0) ratios[j].push_back(above[j] / below[j]);
    }
  }
  std::vector<Interval> out;
  for (Values& values : ratios) {
    std::ranges::sort(values);
    out.push_back(values.empty() ? Interval{Distribution::kNone, Distribution::kNone}
                                 : Interval{QuantileOfSorted(values, kOutside),
                                            QuantileOfSorted(values, 1 - kOutside)});
  }
  return out;
}

Comparison Compare(std::span<const NamedResult> results, Random& random) {
  CHECK(results.size() >= 2);
  Comparison out;
  for (const NamedResult& named : results) out.names.push_back(named.name);
  const auto add = [&](const char* name, bool less_is_better, auto read) {
    AddFigure(&out, name, less_is_better, results,
              [&](const Result& result) { return static_cast<double>(read(result.summary)); });
  };
  add("requests asked", false, [](const Summary& s) { return s.all.requests; });
  add("failed", true, [](const Summary& s) { return s.all.requests - s.all.completed; });
  add("requests/s", false, [](const Summary& s) { return s.all.requests_per_second; });
  add("prompt tokens/s", false, [](const Summary& s) { return s.all.prompt_tokens_per_second; });
  add("output tokens/s", false, [](const Summary& s) { return s.all.output_tokens_per_second; });
  add("goodput, requests/s", false,
      [](const Summary& s) { return s.all.goodput_per_second.value_or(Distribution::kNone); });
  add("good share", false,
      [](const Summary& s) { return s.all.good_share.value_or(Distribution::kNone); });
  add("cached share", false,
      [](const Summary& s) { return s.all.cached_share.value_or(Distribution::kNone); });
  for (const Latency& latency : kLatencies) AddLatency(&out, latency, results, random);
  add("event gap p99, ms", true, [](const Summary& s) { return s.gaps.p99 * 1e3; });
  add("sent too late p99, ms", true, [](const Summary& s) { return s.lateness.p99 * 1e3; });
  return out;
}

std::vector<LatencyValues> LatenciesOf(std::span<const NamedResult> results) {
  std::vector<LatencyValues> out;
  for (const Latency& latency : kLatencies) {
    LatencyValues& values = out.emplace_back(LatencyValues{latency.name, {}});
    for (const NamedResult& named : results) {
      values.values_s.push_back(ValuesOf(*named.result, latency));
      std::ranges::sort(values.values_s.back());
    }
  }
  return out;
}

std::string RatioText(const ComparedFigure& figure, size_t i) {
  if (std::isnan(figure.ratios[i])) return "";
  std::string out = fmt::format("x{:.3f}", figure.ratios[i]);
  if (const std::optional<Interval>& interval = figure.intervals[i]) {
    out += fmt::format(" [{:.3f}, {:.3f}]{}", interval->low, interval->high,
                       VerdictOf(figure, i) != 0 ? "*" : " ");
  }
  return out;
}

int VerdictOf(const ComparedFigure& figure, size_t i) {
  const std::optional<Interval>& interval = figure.intervals[i];
  if (!interval || !(interval->low > 1 || interval->high < 1)) return 0;
  return (interval->high < 1) == figure.less_is_better ? 1 : -1;
}

std::string ComparisonText(const Comparison& comparison) {
  constexpr size_t kNameWidth = 23;
  constexpr size_t kValueWidth = 11;
  constexpr size_t kRatioWidth = 26;
  std::string out = fmt::format("{:<{}}", "", kNameWidth);
  bool apart = false;
  for (size_t i = 0; i < comparison.names.size(); ++i) {
    std::string name = Printable(comparison.names[i]);
    const size_t width = i == 0 ? kValueWidth : kValueWidth + kRatioWidth;
    // Its end tells files apart, of which all are in one folder.
    if (name.size() >= width) name = ".." + name.substr(name.size() - (width - 3));
    out += i == 0 ? fmt::format("{:>{}}", name, width) : fmt::format("  {:<{}}", name, width);
  }
  out += '\n';
  for (const ComparedFigure& figure : comparison.figures) {
    if (std::ranges::all_of(figure.values, [](double value) { return std::isnan(value); }))
      continue;
    std::string line = fmt::format("{:<{}}{:>{}}", figure.name, kNameWidth,
                                   FigureText(figure.values[0]), kValueWidth);
    for (size_t i = 1; i < figure.values.size(); ++i) {
      const std::string ratio = RatioText(figure, i);
      apart = apart || ratio.ends_with('*');
      line += fmt::format("{:>{}}  {:<{}}", FigureText(figure.values[i]), kValueWidth, ratio,
                          kRatioWidth);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
  if (apart) out += fmt::format("\n{}\n", kIntervalNote);
  return out;
}

}  // namespace gw::bench
