#include "bench/replay/report_html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "bench/load/fleet_html.h"
#include "bench/load/report_page.h"
#include "bench/load/report_text.h"

namespace gw::bench {
namespace {

// Policies in their order, with the series of each.
using ByPolicy = std::vector<std::pair<std::string, std::vector<const StudySeries*>>>;

ByPolicy PoliciesOf(const StudyResult& result) {
  ByPolicy policies;
  for (const StudySeries& one : result.series) {
    if (policies.empty() || policies.back().first != one.policy) {
      policies.push_back({one.policy, {}});
    }
    policies.back().second.push_back(&one);
  }
  return policies;
}

void AppendHead(std::string* out, const StudyResult& result) {
  AppendPageBegin(out, result.title.workload + " on " + result.title.engines);
  *out += "<dl>\n";
  AppendFact(out, "command", result.title.command, true);
  AppendFact(out, "started", result.title.started, false);
  AppendFact(out, "settings", result.title.settings, false);
  if (result.interrupted) AppendFact(out, "interrupted", "not all was done", false);
  AppendFact(out, "good", ObjectivesText(result.objectives), false);
  *out += "</dl>\n";
}

void AppendCapacities(std::string* out, const StudyResult& result) {
  if (!result.found_capacity) return;
  *out += fmt::format(
      "<h2>Capacity</h2>\n<p class=\"note\">The load, in {}, at which {:.0f} % of the requests are "
      "good; where several seeds were replayed, with 95 % confidence intervals over them.</p>\n"
      "<div class=\"wide\"><table>\n",
      UnitOf(result.axis), kGoodShare * 100);
  const std::vector<std::vector<std::string>> rows = CapacityRows(result);
  for (size_t i = 0; i < rows.size(); ++i) AppendRow(out, i == 0 ? "th" : "td", rows[i]);
  *out += "</table></div>\n";
}

using ValueOf = double (*)(const StudyPoint&);

// Of each policy a line: at each load the mean of its seeds.
void AppendOverLoad(std::string* out, const StudyResult& result, const char* title,
                    const char* label, ValueOf value) {
  Plot plot{title, std::string(UnitOf(result.axis)), label};
  for (const auto& [policy, series] : PoliciesOf(result)) {
    if (plot.lines.size() == kPlotLinesMax) break;
    std::map<double, std::vector<double>> by_load;
    for (const StudySeries* one : series) {
      for (const StudyPoint& point : one->points) {
        if (const double at = value(point); !std::isnan(at)) by_load[point.load].push_back(at);
      }
    }
    PlotLine line{policy, {}};
    for (const auto& [load, values] : by_load) line.points.push_back({load, MeanOf(values).mean});
    plot.lines.push_back(std::move(line));
  }
  AppendPlot(out, plot);
}

void AppendPlots(std::string* out, const StudyResult& result) {
  *out += "<h2>Over the load</h2>\n";
  if (const size_t policies = PoliciesOf(result).size(); policies > kPlotLinesMax) {
    *out += fmt::format("<p class=\"note\">Drawn are the first {} of {} policies.</p>\n",
                        kPlotLinesMax, policies);
  }
  *out += "<div class=\"plots\">\n";
  const auto add = [&](const char* title, const char* label, ValueOf value) {
    AppendOverLoad(out, result, title, label, value);
  };
  add("Goodput", "% of requests that are good",
      [](const StudyPoint& point) { return point.good_share() * 100; });
  add("Time to first token, mean", "TTFT, s",
      [](const StudyPoint& point) { return point.summary.all.ttft.mean; });
  add("Time to first token, p99", "TTFT p99, s",
      [](const StudyPoint& point) { return point.summary.all.ttft.p99; });
  add("Time per output token, mean", "TPOT, ms",
      [](const StudyPoint& point) { return point.summary.all.tpot.mean * 1e3; });
  add("Time per output token, p99", "TPOT p99, ms",
      [](const StudyPoint& point) { return point.summary.all.tpot.p99 * 1e3; });
  add("Prompt tokens found in the caches", "%",
      [](const StudyPoint& point) { return point.summary.all.cached_share.value_or(0) * 100; });
  add("Largest share of the requests of one engine", "%",
      [](const StudyPoint& point) { return point.largest_share * 100; });
  *out += "</div>\n";
}

void AppendPoints(std::string* out, const StudyResult& result) {
  *out += "<h2>Every replay</h2>\n<div class=\"wide\"><table>\n";
  const std::vector<std::vector<std::string>> rows = PointRows(result);
  for (size_t i = 0; i < rows.size(); ++i) AppendRow(out, i == 0 ? "th" : "td", rows[i]);
  *out += "</table></div>\n";
}

// Of each policy the first seed's run at the highest load that all of them have; a search has no
// such load, and its last point below the capacity is shown.
const StudyPoint* ShownOf(const StudySeries& series) {
  const StudyPoint* shown = nullptr;
  for (const StudyPoint& point : series.points) {
    if (shown == nullptr || !series.capacity || point.load <= *series.capacity) shown = &point;
  }
  return shown;
}

void AppendFleets(std::string* out, const StudyResult& result) {
  for (const auto& [policy, series] : PoliciesOf(result)) {
    const StudyPoint* const point = ShownOf(*series[0]);
    if (point == nullptr || point->fleet.empty()) continue;
    *out += fmt::format("<h2>{}, seed {}, {:.4g} {}</h2>\n", HtmlEscaped(policy), series[0]->seed,
                        point->load, UnitOf(result.axis));
    AppendFleet(out, point->fleet);
  }
}

}  // namespace

std::string StudyHtml(const StudyResult& result) {
  std::string out;
  AppendHead(&out, result);
  AppendCapacities(&out, result);
  AppendPlots(&out, result);
  AppendPoints(&out, result);
  AppendFleets(&out, result);
  AppendPageEnd(&out);
  return out;
}

}  // namespace gw::bench
