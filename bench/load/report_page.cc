#include "bench/load/report_page.h"

#include <fmt/format.h>

#include "bench/load/summary.h"

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
th:first-child,td:first-child{text-align:left;padding-left:0;max-width:30rem;
overflow-wrap:break-word}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,34rem),1fr));gap:1.5rem}
figure{margin:0;break-inside:avoid}figcaption{font-weight:600}svg{width:100%;height:auto}
.names{display:flex;flex-wrap:wrap;gap:.1rem 1rem;margin:0;padding:0;list-style:none;font-size:.9em}
.names svg{width:1.5em;height:.7em;vertical-align:middle;margin-right:.4em}
text{fill:var(--soft);font:12px system-ui,sans-serif}.grid{stroke:var(--rule);fill:none}
.bar{fill:var(--c0);stroke:none}.even{stroke:var(--soft);stroke-dasharray:4 3;fill:none}
.line{fill:none;stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round}
.c0{stroke:var(--c0)}.c1{stroke:var(--c1)}.c2{stroke:var(--c2)}.c3{stroke:var(--c3)}
.c4{stroke:var(--c4)}.c5{stroke:var(--c5)}.c6{stroke:var(--c6)}
.mark{width:8rem;height:.9rem;vertical-align:middle;stroke-width:2.5}.ratio{white-space:nowrap}
.better{stroke:var(--c2);fill:var(--c2)}.worse{stroke:var(--c1);fill:var(--c1)}
.same{stroke:var(--soft);fill:var(--soft)}.mark .grid{stroke-width:1}
.texts th,.texts td{text-align:left}
th.over{text-align:left}
@media print{body{margin:0;max-width:none;font-size:11px}
h2,.note{break-after:avoid}.wide{overflow:visible}th,td{padding:.1rem .4rem;font-size:9px}
.plots{grid-template-columns:1fr 1fr}}
)";

}  // namespace

void AppendPageBegin(std::string* out, std::string_view title) {
  *out +=
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" "
      "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n";
  *out += fmt::format("<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<h1>{}</h1>\n",
                      HtmlEscaped(title), kStyle, HtmlEscaped(title));
}

void AppendPageEnd(std::string* out) { *out += "</body>\n</html>\n"; }

void AppendFact(std::string* out, std::string_view name, const std::string& text, bool is_code) {
  if (text.empty()) return;
  *out += fmt::format("<dt>{}</dt><dd>{}{}{}</dd>\n", name, is_code ? "<code>" : "",
                      HtmlEscaped(text), is_code ? "</code>" : "");
}

void AppendRow(std::string* out, std::string_view cell, const std::vector<std::string>& cells) {
  *out += "<tr>";
  for (const std::string& text : cells) {
    *out += fmt::format("<{0}>{1}</{0}>", cell, HtmlEscaped(text));
  }
  *out += "</tr>\n";
}

void AppendPlot(std::string* out, const Plot& plot) {
  const std::string svg = SvgPlot(plot);
  if (svg.empty()) return;
  *out += fmt::format("<figure><figcaption>{}</figcaption>\n", HtmlEscaped(plot.title));
  if (plot.lines.size() > 1) {
    *out += "<ul class=\"names\">";
    for (size_t i = 0; i < plot.lines.size(); ++i) {
      *out += fmt::format(
          "<li><svg viewBox=\"0 0 20 8\" aria-hidden=\"true\"><path class=\"line c{}\" "
          "d=\"M2 4H18\"/></svg>{}</li>",
          i, HtmlEscaped(plot.lines[i].name));
    }
    *out += "</ul>\n";
  }
  *out += svg + "</figure>\n";
}

void AppendFigure(std::string* out, std::string_view title, const std::string& svg) {
  if (svg.empty()) return;
  *out +=
      fmt::format("<figure><figcaption>{}</figcaption>\n{}</figure>\n", HtmlEscaped(title), svg);
}

PlotLine Cumulative(const std::string& name, const std::vector<double>& sorted_s) {
  constexpr int kSteps = 200;
  PlotLine line{name, {}};
  if (sorted_s.empty()) return line;
  const auto add = [&](double share) {
    line.points.push_back({QuantileOfSorted(sorted_s, share) * 1e3, share * 100});
  };
  for (int i = 0; i < kSteps; ++i) add(static_cast<double>(i) / kSteps);
  for (const double share : {0.9975, 0.999, 1.0}) add(share);
  return line;
}

}  // namespace gw::bench
