#include "bench/replay/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "bench/load/report_text.h"
#include "server/document.h"

namespace gw::bench {
namespace {

// Two-sided 95 % of Student's t, by degrees of freedom from 1 on; beyond, the normal's.
double StudentT(size_t freedom) {
  constexpr double kTable[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                               2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
                               2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
                               2.060,  2.056, 2.052, 2.048, 2.045};
  return freedom <= std::size(kTable) ? kTable[freedom - 1] : 1.96;
}

std::string TimeText(double seconds) {
  if (std::isnan(seconds)) return "-";
  return seconds < 1 ? fmt::format("{:.0f} ms", seconds * 1e3) : fmt::format("{:.2f} s", seconds);
}

std::string ShareText(double share) { return fmt::format("{:.1f} %", share * 100); }

std::string MeanText(const SeedMean& mean) {
  if (!mean.reach) return fmt::format("{:.4g}", mean.mean);
  return fmt::format("{:.4g} +-{:.2g}", mean.mean, *mean.reach);
}

std::string RatioTextOf(const PairedRatio& ratio) {
  if (!ratio.low) return fmt::format("x{:.3f}", ratio.ratio);
  return fmt::format("x{:.3f} [{:.3f}, {:.3f}]{}", ratio.ratio, *ratio.low, *ratio.high,
                     ratio.verdict() != 0 ? "*" : "");
}

using Rows = std::vector<std::vector<std::string>>;

// The first column to the left, the others to the right.
std::string TableText(const Rows& rows) {
  std::vector<size_t> widths(rows[0].size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      text += i == 0 ? fmt::format("{:<{}}", row[i], widths[i])
                     : fmt::format("  {:>{}}", row[i], widths[i]);
    }
    text += '\n';
  }
  return text;
}

Document TimesDocument(const Distribution& values) {
  Document out = Document::Map();
  out.Set("mean_ms", values.mean * 1e3).Set("p50_ms", values.p50 * 1e3);
  out.Set("p90_ms", values.p90 * 1e3).Set("p99_ms", values.p99 * 1e3);
  return out;
}

Document PointDocument(const StudyPoint& point) {
  const Figures& all = point.summary.all;
  Document out = Document::Map();
  out.Set("load", point.load).Set("requests", all.requests).Set("completed", all.completed);
  out.Set("good_share", all.good_share.value_or(NAN));
  out.Set("ttft", TimesDocument(all.ttft)).Set("tpot", TimesDocument(all.tpot));
  out.Set("e2e", TimesDocument(all.e2e)).Set("gaps", TimesDocument(point.summary.gaps));
  out.Set("output_tokens_per_s", all.output_tokens_per_second);
  out.Set("cached_share", all.cached_share.value_or(0));
  out.Set("largest_share", point.largest_share).Set("imbalance", point.imbalance);
  out.Set("preemptions", point.preemptions).Set("took_s", point.took_s);
  return out;
}

}  // namespace

std::string ObjectivesText(const Objectives& objectives) {
  std::vector<std::string> parts;
  const auto add = [&](const char* name, const std::optional<Duration>& most) {
    if (most) parts.push_back(fmt::format("{} {}", name, TimeText(ToSeconds(*most))));
  };
  add("TTFT", objectives.ttft);
  add("TPOT", objectives.tpot);
  add("E2E", objectives.e2e);
  return fmt::format("{}", fmt::join(parts, ", "));
}

Rows PointRows(const StudyResult& result) {
  Rows rows = {{"policy", "seed", std::string(UnitOf(result.axis)), "good", "TTFT mean", "p50",
                "p99", "TPOT mean", "p99", "cached", "largest", "failed"}};
  for (const StudySeries& one : result.series) {
    for (const StudyPoint& point : one.points) {
      const Figures& all = point.summary.all;
      rows.push_back({one.policy, std::to_string(one.seed), fmt::format("{:.4g}", point.load),
                      all.good_share ? ShareText(*all.good_share) : "-", TimeText(all.ttft.mean),
                      TimeText(all.ttft.p50), TimeText(all.ttft.p99), TimeText(all.tpot.mean),
                      TimeText(all.tpot.p99), ShareText(all.cached_share.value_or(0)),
                      ShareText(point.largest_share),
                      std::to_string(all.requests - all.completed)});
    }
  }
  return rows;
}

Rows CapacityRows(const StudyResult& result) {
  Rows rows = {
      {"policy", fmt::format("capacity, {}", UnitOf(result.axis)), "by seed", "to the best"}};
  for (const PolicyCapacity& one : CapacitiesOf(result)) {
    std::vector<std::string> seeds;
    for (const double value : one.by_seed) seeds.push_back(fmt::format("{:.4g}", value));
    rows.push_back({one.policy, one.by_seed.empty() ? "-" : MeanText(one.mean),
                    fmt::format("{}", fmt::join(seeds, " / ")),
                    one.to_best ? RatioTextOf(*one.to_best) : ""});
  }
  return rows;
}

SeedMean MeanOf(const std::vector<double>& values) {
  SeedMean out{.count = values.size()};
  if (values.empty()) return out;
  for (const double value : values) out.mean += value / static_cast<double>(values.size());
  if (values.size() < 2) return out;
  double squares = 0;
  for (const double value : values) squares += (value - out.mean) * (value - out.mean);
  const auto count = static_cast<double>(values.size());
  out.reach = StudentT(values.size() - 1) * std::sqrt(squares / (count - 1) / count);
  return out;
}

PairedRatio RatioOf(const std::vector<double>& values, const std::vector<double>& base) {
  CHECK(values.size() == base.size() && !values.empty());
  std::vector<double> logs;
  for (size_t i = 0; i < values.size(); ++i) logs.push_back(std::log(values[i] / base[i]));
  const SeedMean mean = MeanOf(logs);
  PairedRatio out{.ratio = std::exp(mean.mean)};
  if (mean.reach) {
    out.low = std::exp(mean.mean - *mean.reach);
    out.high = std::exp(mean.mean + *mean.reach);
  }
  return out;
}

std::vector<PolicyCapacity> CapacitiesOf(const StudyResult& result) {
  std::vector<PolicyCapacity> all;
  for (const StudySeries& one : result.series) {
    if (all.empty() || all.back().policy != one.policy) all.push_back({.policy = one.policy});
    if (!one.capacity) continue;
    all.back().by_seed.push_back(*one.capacity);
    all.back().seeds.push_back(one.seed);
  }
  const PolicyCapacity* best = nullptr;
  for (PolicyCapacity& one : all) {
    one.mean = MeanOf(one.by_seed);
    if (one.by_seed.empty()) continue;
    if (best == nullptr || one.mean.mean > best->mean.mean) best = &one;
  }
  for (PolicyCapacity& one : all) {
    if (&one == best || one.by_seed.empty()) continue;
    // A seed without a capacity leaves nothing to pair.
    if (one.seeds == best->seeds) {
      one.to_best = RatioOf(one.by_seed, best->by_seed);
    }
  }
  return all;
}

std::string StudyText(const StudyResult& result) {
  std::string text =
      fmt::format("{} on {} ({}); good: {}\n\n", result.title.workload, result.title.engines,
                  result.title.settings, ObjectivesText(result.objectives));
  text += TableText(PointRows(result));
  if (result.interrupted) text += "\nInterrupted: not all was done that was asked for.\n";
  if (result.found_capacity) {
    text += fmt::format("\nCapacity: where {:.0f} % of the requests are good\n", kGoodShare * 100);
    text += TableText(CapacityRows(result));
    text += "[ ]: 95 % confidence interval of the ratio over seeds; *: without 1.\n";
  }
  return text;
}

std::string StudyJson(const StudyResult& result) {
  Document out = Document::Map();
  out.Set("tool", "penstock replay").Set("command", result.title.command);
  out.Set("started", result.title.started).Set("workload", result.title.workload);
  out.Set("engines", result.title.engines).Set("settings", result.title.settings);
  out.Set("load_unit", UnitOf(result.axis));
  if (result.interrupted) out.Set("interrupted", true);
  Document records = Document::List();
  for (const StudySeries& one : result.series) {
    Document record = Document::Map();
    record.Set("policy", one.policy).Set("seed", one.seed);
    if (one.capacity) record.Set("goodput90_capacity", *one.capacity);
    Document points = Document::List();
    for (const StudyPoint& point : one.points) points.Add(PointDocument(point));
    records.Add(std::move(record.Set("points", std::move(points))));
  }
  return out.Set("records", std::move(records)).ToJson();
}

}  // namespace gw::bench
