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

// The colours are Okabe and Ito's, which readers who see few colours tell apart; darker or lighter
// by theme for contrast.
constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--text:#1b1f24;--soft:#59636e;--ground:#fff;--rule:#d5dae0;
--c0:#0072b2;--c1:#c44e00;--c2:#00805c;--c3:#a8417f;--c4:#8a6d00;--c5:#2a8fd0;--c6:#444}
@media (prefers-color-scheme:dark){:root{--text:#e6e9ed;--soft:#9aa4af;--ground:#14171a;
--rule:#343b43;--c0:#56b4e9;--c1:#f08a3c;--c2:#2fc49a;--c3:#df8fc0;--c4:#f0e442;--c5:#7fa6ff;
--c6:#c8c8c8}}
body{margin:2rem auto;max-width:84rem;padding:0 1rem;background:var(--ground);color:var(--text);
font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.5rem;margin:0 0 .5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}
code{font-family:ui-monospace,monospace;font-size:.9em;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:0}
dt,.note,th{color:var(--soft);font-weight:normal}dd{margin:0;overflow-wrap:anywhere}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .8rem;text-align:right;border-bottom:1px solid var(--rule)}
th:first-child,td:first-child{text-align:left;padding-left:0;max-width:30rem;overflow-wrap:anywhere}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,34rem),1fr));gap:1.5rem}
figure{margin:0;break-inside:avoid}figcaption{font-weight:600}svg{width:100%;height:auto}
.names{display:flex;flex-wrap:wrap;gap:.1rem 1rem;margin:0;padding:0;list-style:none;font-size:.9em}
.names svg{width:1.5em;height:.7em;vertical-align:middle;margin-right:.4em}
text{fill:var(--soft);font:12px system-ui,sans-serif}.grid{stroke:var(--rule);fill:none}
.line{fill:none;stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round}
.c0{stroke:var(--c0)}.c1{stroke:var(--c1)}.c2{stroke:var(--c2)}.c3{stroke:var(--c3)}
.c4{stroke:var(--c4)}.c5{stroke:var(--c5)}.c6{stroke:var(--c6)}
@media print{body{margin:0;max-width:none;font-size:11px}
.plots{grid-template-columns:1fr 1fr}}
)";

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
