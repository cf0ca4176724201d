// What the HTML reports are made of: a page that needs nothing else (its Content-Security-Policy
// forbids it), with tables and plots. Light or dark as the reader's machine is; fit to be printed.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/load/svg_plot.h"

namespace gw::bench {

// Up to the heading, which is `title`.
void AppendPageBegin(std::string* out, std::string_view title);
void AppendPageEnd(std::string* out);
// One of the lines of a <dl>; nothing of an empty text.
void AppendFact(std::string* out, std::string_view name, const std::string& text, bool is_code);
// `cell`: "th" or "td". Texts are escaped.
void AppendRow(std::string* out, std::string_view cell, const std::vector<std::string>& cells);
// As a figure with its title and, of several lines, their names. Nothing of an empty one.
void AppendPlot(std::string* out, const Plot& plot);
// A picture that is drawn, with its title; nothing of "".
void AppendFigure(std::string* out, std::string_view title, const std::string& svg);

// The share of values, in per cent, that are not above x, in ms; in points enough for an eye, the
// tail's included. REQUIRES: ascending
PlotLine Cumulative(const std::string& name, const std::vector<double>& sorted_s);

}  // namespace gw::bench
