#include "bench/load/run_series.h"

#include <algorithm>
#include <cmath>

#include "bench/load/report_text.h"
#include "bench/load/svg_plot.h"

namespace gw::bench {
namespace {

struct Bins {
  double width_s = 1;
  double span_s = 0;
  size_t count = 1;

  size_t Of(double time_s) const {
    return static_cast<size_t>(std::clamp(time_s / width_s, 0.0, static_cast<double>(count) - 1));
  }
  double begin(size_t bin) const { return static_cast<double>(bin) * width_s; }
  // The last one ends with the run.
  double end(size_t bin) const { return std::min(begin(bin + 1), span_s); }
};

Bins BinsOf(const Result& result) {
  Bins out;
  for (const Record& record : result.requests) {
    out.span_s = std::max({out.span_s, ToSeconds(record.ended), ToSeconds(record.due)});
  }
  if (out.span_s <= 0) return out;
  out.width_s = NiceStep(out.span_s / static_cast<double>(RunSeries::kBinsMax));
  out.count = static_cast<size_t>(std::ceil(out.span_s / out.width_s - 1e-9));
  out.count = std::clamp<size_t>(out.count, 1, RunSeries::kBinsMax);
  return out;
}

// `amount`, evenly between two times.
void Spread(const Bins& bins, double from_s, double to_s, double amount,
            std::vector<double>* values) {
  const size_t first = bins.Of(from_s);
  const size_t last = bins.Of(to_s);
  if (first >= last) {
    (*values)[first] += amount;
    return;
  }
  for (size_t bin = first; bin <= last; ++bin) {
    const double part = std::min(to_s, bins.end(bin)) - std::max(from_s, bins.begin(bin));
    if (part > 0) (*values)[bin] += amount * part / (to_s - from_s);
  }
}

// Gathers a GroupSeries.
class Gathering {
 public:
  Gathering(const Bins& bins, std::string name) : bins_(bins), ttfts_ms_(bins.count) {
    out_.name = std::move(name);
    out_.requests_per_s.resize(bins.count);
    out_.output_tokens_per_s.resize(bins.count);
    out_.in_flight.resize(bins.count);
  }

  void Add(const Record& record) {
    ++out_.requests;
    const double ended_s = ToSeconds(record.ended);
    if (record.sent != Duration(0) && record.ended > record.sent) {
      const double sent_s = ToSeconds(record.sent);
      Spread(bins_, sent_s, ended_s, ended_s - sent_s, &out_.in_flight);
    }
    if (!record.ok()) return;
    out_.requests_per_s[bins_.Of(ended_s)] += 1;
    if (!record.has_output()) return;
    ttfts_ms_[bins_.Of(ToSeconds(record.due))].push_back(ToMillis(record.ttft()));
    out_.ttfts_s.push_back(ToSeconds(record.ttft()));
    if (record.output_tokens > 1) out_.tpots_s.push_back(ToSeconds(record.tpot()));
    Spread(bins_, ToSeconds(record.first), ended_s,
           static_cast<double>(std::max<int64_t>(record.output_tokens, 0)),
           &out_.output_tokens_per_s);
  }

  GroupSeries Finish() {
    for (size_t bin = 0; bin < bins_.count; ++bin) {
      const double length_s = bins_.end(bin) - bins_.begin(bin);
      for (std::vector<double>* values :
           {&out_.requests_per_s, &out_.output_tokens_per_s, &out_.in_flight}) {
        (*values)[bin] = length_s > 0 ? (*values)[bin] / length_s : Distribution::kNone;
      }
      const Distribution ttft = DistributionOf(std::move(ttfts_ms_[bin]));
      out_.ttft_p50_ms.push_back(ttft.p50);
      out_.ttft_p90_ms.push_back(ttft.p90);
      out_.ttft_p99_ms.push_back(ttft.p99);
    }
    std::ranges::sort(out_.ttfts_s);
    std::ranges::sort(out_.tpots_s);
    return std::move(out_);
  }

 private:
  Bins bins_;
  GroupSeries out_;
  std::vector<std::vector<double>> ttfts_ms_;  // of each bin
};

}  // namespace

RunSeries SeriesOf(const Result& result, size_t groups_max) {
  const Bins bins = BinsOf(result);
  RunSeries out;
  out.bin_s = bins.width_s;
  for (size_t bin = 0; bin < bins.count; ++bin) {
    out.mids_s.push_back((bins.begin(bin) + std::max(bins.begin(bin), bins.end(bin))) / 2);
  }
  std::vector<uint64_t> counts(result.groups.size());
  for (const Record& record : result.requests) ++counts[record.group];
  std::vector<size_t> groups;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) groups.push_back(i);
  }
  out.groups = groups.size();
  std::ranges::stable_sort(groups, [&](size_t a, size_t b) { return counts[a] > counts[b]; });
  if (groups.size() > groups_max) groups.resize(groups_max);
  const bool one = out.groups < 2;
  std::vector<Gathering> gathered;
  std::vector<int> place(result.groups.size(), one ? 0 : -1);
  if (one) gathered.emplace_back(bins, "all");
  for (const size_t group : groups) {
    if (one) break;
    place[group] = static_cast<int>(gathered.size());
    gathered.emplace_back(bins, GroupText(result.groups[group]));
  }
  for (const Record& record : result.requests) {
    const int at = place[record.group];
    if (at >= 0) gathered[static_cast<size_t>(at)].Add(record);
  }
  for (Gathering& gathering : gathered) out.series.push_back(gathering.Finish());
  std::ranges::sort(out.series, {}, &GroupSeries::name);
  return out;
}

}  // namespace gw::bench
