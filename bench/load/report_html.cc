#include "bench/load/report_html.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "bench/load/fleet_html.h"
#include "bench/load/report_page.h"
#include "bench/load/report_text.h"
#include "bench/load/run_series.h"

namespace gw::bench {
namespace {

void AppendHead(std::string* out, const Result& result) {
  AppendPageBegin(out, result.workload.empty() ? result.tool : result.workload);
  *out += "<dl>\n";
  AppendFact(out, "target", result.target, true);
  AppendFact(out, "command", result.command, true);
  AppendFact(out, "started", result.started, false);
  AppendFact(out, "measured by", result.tool, false);
  AppendFact(out, "length", FigureText(result.summary.seconds) + " s", false);
  if (result.summary.warm_up > 0) {
    AppendFact(out, "left out", fmt::format("{} requests, to warm up", result.summary.warm_up),
               false);
  }
  *out += "</dl>\n";
}

void AppendLatencies(std::string* out, const Summary& summary) {
  *out += "<h2>Latency, ms</h2>\n<div class=\"wide\"><table>\n";
  AppendRow(out, "th", {"", "mean", "p50", "p90", "p95", "p99", "max"});
  const auto add = [&](std::string_view name, const Distribution& values) {
    if (values.count == 0) return;
    std::vector<std::string> cells = {std::string(name)};
    for (const double value :
         {values.mean, values.p50, values.p90, values.p95, values.p99, values.max}) {
      cells.push_back(FigureText(value * 1e3));
    }
    AppendRow(out, "td", cells);
  };
  add("time to first token (TTFT)", summary.all.ttft);
  add("time per output token (TPOT)", summary.all.tpot);
  add("between two events", summary.gaps);
  add("end to end (E2E)", summary.all.e2e);
  add("sent later than due", summary.lateness);
  add("waited for a place", summary.held);
  *out += "</table></div>\n";
  if (summary.held.count > 0) {
    *out +=
        "<p class=\"note\">Latencies count from when a request was due: what it waited for a "
        "place (--in-flight-max) is in them.</p>\n";
  }
}

void AppendFigures(std::string* out, const Summary& summary) {
  const bool good = summary.all.good_share.has_value();
  *out += "<h2>Requests</h2>\n<div class=\"wide\"><table>\n";
  std::vector<std::string> head = {
      "",         "asked",           "completed",    "failed", "requests/s",   "prompt tokens/s",
      "cached %", "output tokens/s", "TTFT p50, ms", "p99",    "TPOT p50, ms", "p99"};
  if (good) head.insert(head.end(), {"goodput/s", "good %"});
  AppendRow(out, "th", head);
  const auto add = [&](const std::string& name, const Figures& figures) {
    std::vector<std::string> cells = {name,
                                      fmt::format("{}", figures.requests),
                                      fmt::format("{}", figures.completed),
                                      fmt::format("{}", figures.requests - figures.completed),
                                      FigureText(figures.requests_per_second),
                                      FigureText(figures.prompt_tokens_per_second)};
    const auto percent = [](const std::optional<double>& share) {
      return share ? fmt::format("{:.1f}", *share * 100) : "-";
    };
    cells.push_back(percent(figures.cached_share));
    cells.push_back(FigureText(figures.output_tokens_per_second));
    for (const Distribution* values : {&figures.ttft, &figures.tpot}) {
      cells.push_back(FigureText(values->p50 * 1e3));
      cells.push_back(FigureText(values->p99 * 1e3));
    }
    if (good) {
      cells.push_back(FigureText(figures.goodput_per_second.value_or(Distribution::kNone)));
      cells.push_back(percent(figures.good_share));
    }
    AppendRow(out, "td", cells);
  };
  add("all", summary.all);
  for (const auto& [group, figures] : summary.groups) add(GroupText(group), figures);
  *out += "</table></div>\n";
}

void AppendErrors(std::string* out, const Summary& summary) {
  if (summary.errors.empty()) return;
  *out += "<h2>Failed</h2>\n<div class=\"wide\"><table>\n";
  for (const auto& [error, count] : summary.errors) {
    AppendRow(out, "td", {error, fmt::format("{}", count)});
  }
  *out += "</table></div>\n";
}

void AppendDistributions(std::string* out, const RunSeries& run) {
  const auto add = [&](const char* title, const char* label,
                       std::vector<double> GroupSeries::* values) {
    Plot plot{title, label, "% of requests, at most", true};
    for (const GroupSeries& series : run.series) {
      plot.lines.push_back(Cumulative(series.name, series.*values));
    }
    AppendPlot(out, plot);
  };
  add("Time to first token", "TTFT, ms", &GroupSeries::ttfts_s);
  add("Time per output token", "TPOT, ms", &GroupSeries::tpots_s);
}

void AppendOverTime(std::string* out, const RunSeries& run) {
  const auto line = [&](const std::string& name, const std::vector<double>& values) {
    PlotLine one{name, {}};
    for (size_t i = 0; i < values.size(); ++i) one.points.push_back({run.mids_s[i], values[i]});
    return one;
  };
  const auto add = [&](const char* title, const char* label,
                       std::vector<double> GroupSeries::* values) {
    Plot plot{title, "seconds", label};
    for (const GroupSeries& series : run.series) {
      plot.lines.push_back(line(series.name, series.*values));
    }
    AppendPlot(out, plot);
  };
  if (run.series.size() == 1) {
    const GroupSeries& all = run.series[0];
    AppendPlot(out, {"Time to first token, by when requests were due",
                     "seconds",
                     "TTFT, ms",
                     false,
                     {line("p50", all.ttft_p50_ms), line("p90", all.ttft_p90_ms),
                      line("p99", all.ttft_p99_ms)}});
  } else {
    add("Median time to first token, by when requests were due", "TTFT p50, ms",
        &GroupSeries::ttft_p50_ms);
    add("p99 of the time to first token, by when requests were due", "TTFT p99, ms",
        &GroupSeries::ttft_p99_ms);
  }
  add("Requests that completed", "requests/s", &GroupSeries::requests_per_s);
  add("Output", "output tokens/s", &GroupSeries::output_tokens_per_s);
  add("Requests in flight", "in flight", &GroupSeries::in_flight);
}

void AppendPlots(std::string* out, const Result& result) {
  if (result.requests.empty()) {
    *out += "<p class=\"note\">Without its requests a result has no plots.</p>\n";
    return;
  }
  const RunSeries run = SeriesOf(result, kPlotLinesMax);
  *out += "<h2>Distribution</h2>\n";
  if (run.groups > run.series.size()) {
    *out += fmt::format("<p class=\"note\">Drawn are the {} largest of {} groups.</p>\n",
                        run.series.size(), run.groups);
  }
  *out += "<div class=\"plots\">\n";
  AppendDistributions(out, run);
  *out += fmt::format(
      "</div>\n<h2>Over time</h2>\n<p class=\"note\">One point for {} s.</p>\n"
      "<div class=\"plots\">\n",
      run.bin_s);
  AppendOverTime(out, run);
  *out += "</div>\n";
}

}  // namespace

std::string ReportHtml(const Result& result) {
  std::string out;
  AppendHead(&out, result);
  AppendFigures(&out, result.summary);
  AppendLatencies(&out, result.summary);
  AppendErrors(&out, result.summary);
  AppendPlots(&out, result);
  if (!result.fleet.empty()) AppendFleet(&out, result.fleet);
  AppendPageEnd(&out);
  return out;
}

}  // namespace gw::bench
