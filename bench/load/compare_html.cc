#include "bench/load/compare_html.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "bench/load/fleet_html.h"
#include "bench/load/report_page.h"
#include "bench/load/report_text.h"

namespace gw::bench {
namespace {

void AppendResults(std::string* out, std::span<const NamedResult> results) {
  *out += "<div class=\"wide\"><table class=\"texts\">\n";
  AppendRow(out, "th", {"", "asked", "started", "target", "workload", "measured by"});
  for (const NamedResult& named : results) {
    const Result& result = *named.result;
    AppendRow(out, "td",
              {named.name, fmt::format("{}", result.summary.all.requests), result.started,
               result.target, result.workload, result.tool});
  }
  *out += "</table></div>\n";
}

// A ratio as a mark on a line with 1 in its middle, and its interval as a bar: from a half to two,
// by the logarithm.
std::string RatioMark(const ComparedFigure& figure, size_t i) {
  constexpr double kHalf = 60;
  constexpr double kMost = 2;
  const double ratio = figure.ratios[i];
  if (std::isnan(ratio)) return "";
  const auto at = [](double value) {
    return kHalf + kHalf * std::clamp(std::log(value) / std::log(kMost), -1.0, 1.0);
  };
  const int verdict = VerdictOf(figure, i);
  const char* const colour = verdict > 0 ? "better" : verdict < 0 ? "worse" : "same";
  std::string out = fmt::format(
      "<svg class=\"mark {}\" viewBox=\"-4 0 128 14\" aria-hidden=\"true\">"
      "<path class=\"grid\" d=\"M0 7H120M60 1V13\"/>",
      colour);
  if (const std::optional<Interval>& interval = figure.intervals[i];
      interval && interval->low > 0) {
    out += fmt::format("<path d=\"M{:.1f} 7H{:.1f}\"/>", at(interval->low), at(interval->high));
  }
  return out + fmt::format("<circle cx=\"{:.1f}\" cy=\"7\" r=\"3.5\"/></svg>", at(ratio));
}

void AppendComparison(std::string* out, const Comparison& comparison) {
  *out += "<h2>Figures</h2>\n<div class=\"wide\"><table>\n<tr><th></th>";
  for (size_t i = 0; i < comparison.names.size(); ++i) {
    *out += fmt::format("<th{}>{}</th>", i == 0 ? "" : " class=\"over\" colspan=\"3\"",
                        HtmlEscaped(comparison.names[i]));
  }
  *out += "</tr>\n";
  for (const ComparedFigure& figure : comparison.figures) {
    if (std::ranges::all_of(figure.values, [](double value) { return std::isnan(value); })) {
      continue;
    }
    *out += fmt::format("<tr><td>{}</td><td>{}</td>", HtmlEscaped(figure.name),
                        FigureText(figure.values[0]));
    for (size_t i = 1; i < figure.values.size(); ++i) {
      *out += fmt::format("<td>{}</td><td class=\"ratio\">{}</td><td>{}</td>",
                          FigureText(figure.values[i]), RatioText(figure, i), RatioMark(figure, i));
    }
    *out += "</tr>\n";
  }
  *out += fmt::format(
      "</table></div>\n<p class=\"note\">Ratios are to {}. {} Marks stand between a half and two "
      "times as much.</p>\n",
      HtmlEscaped(comparison.names[0]), kIntervalNote);
}

// Where only figures were kept, what they say of the curve.
PlotLine FromFigures(const std::string& name, const Distribution& values) {
  PlotLine line{name + " (percentiles alone)", {}};
  const std::array<std::pair<double, double>, 5> known = {
      {{values.p50, 50}, {values.p90, 90}, {values.p95, 95}, {values.p99, 99}, {values.max, 100}}};
  for (const auto& [value, share] : known) {
    if (std::isfinite(value)) line.points.push_back({value * 1e3, share});
  }
  return line;
}

void AppendDistributions(std::string* out, std::span<const NamedResult> results) {
  *out += "<h2>Distribution</h2>\n";
  const size_t drawn = std::min(results.size(), kPlotLinesMax);
  if (drawn < results.size()) {
    *out += fmt::format("<p class=\"note\">Drawn are the first {} of {} results.</p>\n", drawn,
                        results.size());
  }
  *out += "<div class=\"plots\">\n";
  constexpr std::array kTitles = {"Time to first token", "Time per output token", "End to end"};
  constexpr std::array kFigures = {&Figures::ttft, &Figures::tpot, &Figures::e2e};
  const std::vector<LatencyValues> latencies = LatenciesOf(results.first(drawn));
  for (size_t i = 0; i < latencies.size(); ++i) {
    Plot plot{kTitles[i], latencies[i].name + ", ms", "% of requests, at most", true};
    for (size_t j = 0; j < drawn; ++j) {
      const std::vector<double>& values = latencies[i].values_s[j];
      plot.lines.push_back(
          values.empty() ? FromFigures(results[j].name, results[j].result->summary.all.*kFigures[i])
                         : Cumulative(results[j].name, values));
    }
    AppendPlot(out, plot);
  }
  *out += "</div>\n";
}

}  // namespace

std::string CompareHtml(std::span<const NamedResult> results, const Comparison& comparison) {
  std::string out;
  AppendPageBegin(&out, "Side by side");
  AppendResults(&out, results);
  AppendComparison(&out, comparison);
  AppendDistributions(&out, results);
  for (const NamedResult& named : results) {
    const FleetSeries& fleet = named.result->fleet;
    if (!fleet.empty()) AppendFleet(&out, fleet, "Endpoints of " + named.name);
  }
  AppendPageEnd(&out);
  return out;
}

}  // namespace gw::bench
