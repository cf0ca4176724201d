#include "server/feed/totals.h"

#include <algorithm>
#include <functional>
#include <set>

#include "server/series.h"

namespace gw {
namespace {

// A series may have been removed and made again, and then counts from 0.
uint64_t Grown(uint64_t now, uint64_t before) { return now >= before ? now - before : now; }

bool IsError(const Labels& labels) {
  static const auto* const cut_off = new std::set<std::string, std::less<>>{
      "upstream_broke", "error_event", "aborted", "timed_out", "evicted"};
  const std::string_view status = LabelOf(labels, "status");
  return status == "429" || status.starts_with('5') ||
         cut_off->contains(LabelOf(labels, "outcome"));
}

constexpr uint64_t PoolTotals::* kCounts[] = {
    &PoolTotals::requests,      &PoolTotals::errors,           &PoolTotals::rejected,
    &PoolTotals::prompt_tokens, &PoolTotals::cached_tokens,    &PoolTotals::completion_tokens,
    &PoolTotals::prefix_blocks, &PoolTotals::prefix_hit_blocks};

HistogramValue Difference(const HistogramValue& now, const HistogramValue& before) {
  HistogramValue out = now;
  for (size_t i = 0; i < before.counts.size() && i < now.counts.size(); ++i) {
    out.counts[i] = Grown(now.counts[i], before.counts[i]);
  }
  return out;
}

PoolTotals Difference(const PoolTotals& now, const PoolTotals& before) {
  PoolTotals out;
  for (const auto member : kCounts) out.*member = Grown(now.*member, before.*member);
  out.ttft_s = Difference(now.ttft_s, before.ttft_s);
  out.tpot_s = Difference(now.tpot_s, before.tpot_s);
  return out;
}

EndpointTotals TotalsOf(const EndpointState& state) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  return {state.dispatched_requests.load(kRelaxed), state.prefix_blocks.load(kRelaxed),
          state.prefix_hit_blocks.load(kRelaxed)};
}

}  // namespace

std::optional<double> QuantileOf(const HistogramValue& value, double q) {
  uint64_t all = 0;
  for (const uint64_t count : value.counts) all += count;
  if (all == 0) return std::nullopt;
  const double rank = q * static_cast<double>(all);
  double below = 0;
  for (size_t i = 0; i < value.upper_bounds.size(); ++i) {
    const auto here = static_cast<double>(value.counts[i]);
    if (below + here >= rank && here > 0) {
      const double lower = i == 0 ? 0 : value.upper_bounds[i - 1];
      return lower + (value.upper_bounds[i] - lower) * (rank - below) / here;
    }
    below += here;
  }
  return value.upper_bounds.back();
}

void PoolTotals::Add(const PoolTotals& other) {
  for (const auto member : kCounts) this->*member += other.*member;
  AddTo(other.ttft_s, &ttft_s);
  AddTo(other.tpot_s, &tpot_s);
}

Totals ReadTotals(const MetricRegistry& metrics) {
  Totals totals;
  const auto of = [&totals](const Labels& labels) -> PoolTotals& {
    const std::string_view pool = LabelOf(labels, "pool");
    const auto it = totals.find(pool);
    return it != totals.end() ? it->second : totals[std::string(pool)];
  };
  metrics.VisitCounters("penstock_requests_total",
                        [&](const Labels& labels, const Counter& counter) {
                          const uint64_t count = counter.value();
                          PoolTotals& pool = of(labels);
                          pool.requests += count;
                          if (IsError(labels)) pool.errors += count;
                          if (LabelOf(labels, "outcome") == "rejected") pool.rejected += count;
                        });
  const auto sum = [&](std::string_view name, uint64_t PoolTotals::* member) {
    metrics.VisitCounters(name, [&](const Labels& labels, const Counter& counter) {
      of(labels).*member += counter.value();
    });
  };
  sum("penstock_prompt_tokens_total", &PoolTotals::prompt_tokens);
  sum("penstock_cached_prompt_tokens_total", &PoolTotals::cached_tokens);
  sum("penstock_completion_tokens_total", &PoolTotals::completion_tokens);
  sum("penstock_prefix_blocks_total", &PoolTotals::prefix_blocks);
  sum("penstock_prefix_hit_blocks_total", &PoolTotals::prefix_hit_blocks);
  const auto buckets = [&](std::string_view name, HistogramValue PoolTotals::* member) {
    metrics.VisitHistograms(name, [&](const Labels& labels, const Histogram& histogram) {
      AddTo(histogram, &(of(labels).*member));
    });
  };
  buckets("penstock_time_to_first_token_seconds", &PoolTotals::ttft_s);
  buckets("penstock_time_per_output_token_seconds", &PoolTotals::tpot_s);
  return totals;
}

void TotalsWindow::Add(TimePoint now, const MetricRegistry& metrics, const Snapshot& snapshot) {
  Sample sample{.at = now, .totals = ReadTotals(metrics), .endpoints = {}};
  for (const auto& entry : snapshot.pools) {
    for (const Endpoint& endpoint : entry->pool.endpoints) {
      sample.endpoints.try_emplace(endpoint.state.get(), TotalsOf(*endpoint.state));
    }
  }
  samples_.push_back(std::move(sample));
  while (samples_.size() > 2 && now - samples_[1].at >= kLength) samples_.pop_front();
}

double TotalsWindow::seconds() const {
  return samples_.empty() ? 0 : ToSeconds(samples_.back().at - samples_.front().at);
}

PoolTotals TotalsWindow::Of(std::string_view pool) const {
  const auto find = [pool](const Sample& sample) -> const PoolTotals& {
    static const auto* const none = new PoolTotals();
    const auto it = sample.totals.find(pool);
    return it == sample.totals.end() ? *none : it->second;
  };
  if (samples_.empty()) return {};
  return Difference(find(samples_.back()), find(samples_.front()));
}

PoolTotals TotalsWindow::OfAll() const {
  // Not the difference of sums: a pool that is gone takes its counts with it.
  PoolTotals sum;
  if (samples_.empty()) return sum;
  for (const auto& [pool, totals] : samples_.back().totals) sum.Add(Of(pool));
  return sum;
}

EndpointTotals TotalsWindow::Of(const EndpointState& state) const {
  if (samples_.empty()) return {};
  const auto find = [&state](const Sample& sample) {
    const auto it = sample.endpoints.find(&state);
    return it == sample.endpoints.end() ? EndpointTotals() : it->second;
  };
  const EndpointTotals now = find(samples_.back());
  const EndpointTotals before = find(samples_.front());
  return {Grown(now.requests, before.requests), Grown(now.prefix_blocks, before.prefix_blocks),
          Grown(now.prefix_hit_blocks, before.prefix_hit_blocks)};
}

double TotalsWindow::Rate(uint64_t count) const {
  const double length = seconds();
  return length <= 0 ? 0 : static_cast<double>(count) / length;
}

}  // namespace gw
