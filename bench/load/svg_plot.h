// SvgPlot: lines over two axes as an SVG element that stands inside an HTML page. Colours are
// classes (c0 to c6) which the page's style gives a meaning, so that they follow its theme; sizes
// are those of the element's own coordinates and scale with the page.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace gw::bench {

// Lines that colours can still tell apart.
inline constexpr size_t kPlotLinesMax = 7;

struct PlotPoint {
  double x;
  double y;  // NaN: the line is interrupted
};

struct PlotLine {
  std::string name;  // shown when the pointer rests on it
  std::vector<PlotPoint> points;
};

struct Plot {
  std::string title;  // for those who hear the page
  std::string x_label;
  std::string y_label;
  bool x_logarithmic = false;  // points without x > 0 are left out
  std::vector<PlotLine> lines = {};
};

// "" if no line has a point. Names are escaped.
// REQUIRES: at most kPlotLinesMax lines
std::string SvgPlot(const Plot& plot);

// `text` as text or as an attribute's value in double quotes; control characters as base/escape.h
// writes them.
std::string HtmlEscaped(std::string_view text);

// The least of 1, 2, 5, 10, 20, .. and of their tenths that is not below `value`.
// REQUIRES: value > 0
double NiceStep(double value);

}  // namespace gw::bench
