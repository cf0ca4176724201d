#include "bench/load/summary.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"

namespace gw::bench {
namespace {

// Gathers what Figures are made of.
struct Gathering {
  Figures figures;
  std::vector<double> ttfts_s;
  std::vector<double> tpots_s;
  std::vector<double> e2es_s;
  int64_t cached_tokens = 0;
  int64_t cached_of_tokens = 0;  // prompts of requests whose server said how many were cached
  bool cached_known = false;
  uint64_t good = 0;

  void Add(const Record& record, const Objectives& objectives) {
    ++figures.requests;
    if (!record.ok()) {
      ++figures.ended[std::string(NameOf(record.end))];
      return;
    }
    ++figures.completed;
    figures.prompt_tokens += std::max<int64_t>(record.prompt_tokens, 0);
    figures.output_tokens += std::max<int64_t>(record.output_tokens, 0);
    if (record.cached_tokens >= 0) {
      cached_known = true;
      cached_tokens += record.cached_tokens;
      cached_of_tokens += std::max<int64_t>(record.prompt_tokens, 0);
    }
    if (record.has_output()) ttfts_s.push_back(ToSeconds(record.ttft()));
    if (record.has_output() && record.output_tokens > 1) {
      tpots_s.push_back(ToSeconds(record.tpot()));
    }
    e2es_s.push_back(ToSeconds(record.e2e()));
    if (objectives.KeptBy(record)) ++good;
  }

  Figures Finish(double seconds, bool with_objectives) {
    const auto rate = [&](auto count) {
      return seconds > 0 ? static_cast<double>(count) / seconds : 0;
    };
    figures.requests_per_second = rate(figures.completed);
    figures.prompt_tokens_per_second = rate(figures.prompt_tokens);
    figures.output_tokens_per_second = rate(figures.output_tokens);
    if (cached_known) {
      figures.cached_share = cached_of_tokens > 0 ? static_cast<double>(cached_tokens) /
                                                        static_cast<double>(cached_of_tokens)
                                                  : 0;
    }
    figures.ttft = DistributionOf(std::move(ttfts_s));
    figures.tpot = DistributionOf(std::move(tpots_s));
    figures.e2e = DistributionOf(std::move(e2es_s));
    if (with_objectives && figures.requests > 0) {
      figures.good_share = static_cast<double>(good) / static_cast<double>(figures.requests);
      figures.goodput_per_second = rate(good);
    }
    return std::move(figures);
  }
};

double SecondsOf(const RunRecords& run) {
  if (run.warm_up == 0 || run.records.empty()) return ToSeconds(run.length);
  Duration begin = run.length;
  for (const Record& record : run.records) begin = std::min(begin, record.due);
  return ToSeconds(run.length - begin);
}

Distribution HeldOf(const RunRecords& run) {
  std::vector<double> held_s;
  bool some = false;
  for (const Record& record : run.records) {
    some = some || record.held > Duration(0);
    held_s.push_back(ToSeconds(record.held));
  }
  return some ? DistributionOf(std::move(held_s)) : Distribution{};
}

}  // namespace

bool Objectives::KeptBy(const Record& record) const {
  if (!record.ok()) return false;
  if (ttft && (!record.has_output() || record.ttft() > *ttft)) return false;
  if (tpot && record.tpot() > *tpot) return false;
  return !e2e || record.e2e() <= *e2e;
}

double QuantileOfSorted(const std::vector<double>& sorted, double share) {
  CHECK(!sorted.empty() && share >= 0 && share <= 1);
  const double rank = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(rank);
  if (below + 1 >= sorted.size()) return sorted.back();
  return sorted[below] + (sorted[below + 1] - sorted[below]) * (rank - std::floor(rank));
}

Distribution DistributionOf(std::vector<double> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  const auto count = static_cast<double>(values.size());
  return {.mean = std::accumulate(values.begin(), values.end(), 0.0) / count,
          .p50 = QuantileOfSorted(values, 0.5),
          .p90 = QuantileOfSorted(values, 0.9),
          .p95 = QuantileOfSorted(values, 0.95),
          .p99 = QuantileOfSorted(values, 0.99),
          .max = values.back(),
          .count = values.size()};
}

Distribution DistributionOf(const Histogram& histogram) {
  if (histogram.count() == 0) return {};
  return {.mean = ToSeconds(histogram.mean()),
          .p50 = ToSeconds(histogram.Quantile(0.5)),
          .p90 = ToSeconds(histogram.Quantile(0.9)),
          .p95 = ToSeconds(histogram.Quantile(0.95)),
          .p99 = ToSeconds(histogram.Quantile(0.99)),
          .max = ToSeconds(histogram.max()),
          .count = histogram.count()};
}

Summary Summarize(const RunRecords& run, const Objectives& objectives) {
  Gathering all;
  std::vector<Gathering> groups(run.groups.size());
  for (const Record& record : run.records) {
    CHECK(record.group < groups.size());
    all.Add(record, objectives);
    groups[record.group].Add(record, objectives);
  }
  Summary summary;
  summary.seconds = SecondsOf(run);
  summary.all = all.Finish(summary.seconds, objectives.any());
  for (size_t i = 0; i < groups.size(); ++i) {
    if (groups[i].figures.requests == 0) continue;
    summary.groups.emplace_back(run.groups[i], groups[i].Finish(summary.seconds, objectives.any()));
  }
  if (summary.groups.size() < 2) summary.groups.clear();
  summary.gaps = DistributionOf(run.gaps);
  summary.lateness = DistributionOf(run.lateness);
  summary.held = HeldOf(run);
  summary.errors = run.errors;
  summary.warm_up = run.warm_up;
  return summary;
}

}  // namespace gw::bench
