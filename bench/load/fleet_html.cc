#include "bench/load/fleet_html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "bench/load/report_page.h"
#include "bench/load/report_text.h"
#include "bench/load/summary.h"
#include "bench/load/svg_bars.h"

namespace gw::bench {
namespace {

constexpr size_t kBarsMax = 30;

const std::string& NameOf(const EndpointSeries& endpoint) {
  return endpoint.pod.empty() ? endpoint.endpoint : endpoint.pod;
}

PlotLine LineOf(std::string name, const FleetSeries& fleet, const std::vector<double>& values,
                double unit) {
  PlotLine line{std::move(name), {}};
  for (size_t i = 0; i < values.size(); ++i) {
    line.points.push_back({fleet.times_s[i], values[i] * unit});
  }
  return line;
}

// Many endpoints are a band: the most, the median and the least of them at each time.
std::vector<PlotLine> BandOf(const FleetSeries& fleet, std::vector<double> EndpointSeries::* column,
                             double unit) {
  std::vector<PlotLine> lines = {{"most", {}}, {"median", {}}, {"least", {}}};
  for (size_t i = 0; i < fleet.times_s.size(); ++i) {
    std::vector<double> values;
    for (const EndpointSeries& one : fleet.endpoints) {
      if (!one.has_series() || std::isnan((one.*column)[i])) continue;
      values.push_back((one.*column)[i]);
    }
    std::ranges::sort(values);
    const auto add = [&](size_t line, double share) {
      lines[line].points.push_back(
          {fleet.times_s[i],
           values.empty() ? Distribution::kNone : QuantileOfSorted(values, share) * unit});
    };
    add(0, 1);
    add(1, 0.5);
    add(2, 0);
  }
  return lines;
}

void AppendLoad(std::string* out, const FleetSeries& fleet, const char* title, const char* label,
                std::vector<double> EndpointSeries::* column, double unit = 1) {
  Plot plot{title, "seconds", label};
  const auto drawn =
      static_cast<size_t>(std::ranges::count_if(fleet.endpoints, &EndpointSeries::has_series));
  if (drawn > kPlotLinesMax) {
    plot.lines = BandOf(fleet, column, unit);
  } else {
    for (const EndpointSeries& one : fleet.endpoints) {
      if (one.has_series()) plot.lines.push_back(LineOf(NameOf(one), fleet, one.*column, unit));
    }
  }
  AppendPlot(out, plot);
}

std::vector<const EndpointSeries*> ByRequests(const FleetSeries& fleet) {
  std::vector<const EndpointSeries*> out;
  for (const EndpointSeries& one : fleet.endpoints) out.push_back(&one);
  std::ranges::stable_sort(out, std::ranges::greater(), &EndpointSeries::requests);
  return out;
}

void AppendShares(std::string* out, const FleetSeries& fleet) {
  const auto total = static_cast<double>(fleet.requests());
  if (total == 0) return;
  std::vector<Bar> bars;
  for (const EndpointSeries* one : ByRequests(fleet)) {
    if (bars.size() == kBarsMax) break;
    bars.push_back({NameOf(*one), static_cast<double>(one->requests) / total});
  }
  std::string title = "Share of the requests, beside an even one";
  if (bars.size() < fleet.endpoints.size()) {
    title += fmt::format(" ({} of {} endpoints)", bars.size(), fleet.endpoints.size());
  }
  AppendFigure(out, title, SvgBars(title, bars, 1 / static_cast<double>(fleet.endpoints.size())));
}

void AppendQueues(std::string* out, const FleetSeries& fleet) {
  std::vector<const QueueSeries*> queues;
  for (const QueueSeries& one : fleet.queues) queues.push_back(&one);
  const auto most = [](const QueueSeries* one) { return *std::ranges::max_element(one->waiting); };
  std::ranges::stable_sort(queues, std::ranges::greater(), most);
  if (queues.size() > kPlotLinesMax) queues.resize(kPlotLinesMax);
  Plot plot{"Waiting in the gateway's queues, by pool and priority", "seconds", "waiting"};
  for (const QueueSeries* one : queues) {
    plot.lines.push_back(
        LineOf(fmt::format("{} / {}", one->pool, one->priority), fleet, one->waiting, 1));
  }
  AppendPlot(out, plot);
}

}  // namespace

std::string SharesText(const FleetSeries& fleet) {
  const uint64_t total = fleet.requests();
  std::string text = fmt::format("{} endpoint{}, {} requests", fleet.endpoints.size(),
                                 fleet.endpoints.size() == 1 ? "" : "s", total);
  if (total == 0 || fleet.endpoints.empty()) return text;
  const EndpointSeries& most = *ByRequests(fleet)[0];
  return text + fmt::format("; the largest share is {:.1f} % ({}), an even one {:.1f} %",
                            100 * static_cast<double>(most.requests) / static_cast<double>(total),
                            NameOf(most), 100 / static_cast<double>(fleet.endpoints.size()));
}

void AppendFleet(std::string* out, const FleetSeries& fleet, std::string_view title) {
  *out += fmt::format("<h2>{}</h2>\n<p class=\"note\">{}.", HtmlEscaped(title),
                      HtmlEscaped(SharesText(fleet)));
  const auto drawn = std::ranges::count_if(fleet.endpoints, &EndpointSeries::has_series);
  if (drawn < std::ssize(fleet.endpoints)) {
    *out += fmt::format(" Load over time is that of {} of them.", drawn);
  }
  if (fleet.left_out) *out += " There were more endpoints or queues than are kept.";
  if (fleet.failed_reads > 0) {
    *out += fmt::format(" The admin port did not answer {} times ({}).", fleet.failed_reads,
                        HtmlEscaped(fleet.error));
  }
  *out += "</p>\n<div class=\"plots\">\n";
  AppendLoad(out, fleet, "Requests in flight, by endpoint", "in flight",
             &EndpointSeries::in_flight);
  AppendShares(out, fleet);
  AppendLoad(out, fleet, "Running at the model server, by endpoint", "running",
             &EndpointSeries::running);
  AppendLoad(out, fleet, "Waiting at the model server, by endpoint", "waiting",
             &EndpointSeries::waiting);
  AppendLoad(out, fleet, "KV cache in use, by endpoint", "% of the KV cache",
             &EndpointSeries::kv_cache_ratio, 100);
  AppendQueues(out, fleet);
  *out += "</div>\n";
}

}  // namespace gw::bench
