#include "bench/load/svg_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "base/escape.h"
#include "bench/load/report_text.h"

namespace gw::bench {
namespace {

constexpr double kWidth = 640;
constexpr double kHeight = 300;
constexpr double kLeft = 66;
constexpr double kRight = 16;
constexpr double kTop = 12;
constexpr double kBottom = 46;
constexpr double kTicksMax = 6;

// Where values stand along one axis.
struct Axis {
  double low;
  double high;
  double from;  // coordinate of low
  double to;
  bool logarithmic = false;

  double At(double value) const {
    const double share =
        logarithmic ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
    return from + share * (to - from);
  }
  std::vector<double> Ticks() const {
    std::vector<double> out;
    if (logarithmic) {
      // Beyond three decades 2 and 5 would stand too close.
      const bool fine = high / low < 1000;
      for (double decade = std::pow(10, std::floor(std::log10(low))); decade <= high;
           decade *= 10) {
        for (const double digit : {1.0, 2.0, 5.0}) {
          const double tick = decade * digit;
          if ((fine || digit == 1) && tick >= low * 0.999 && tick <= high * 1.001) {
            out.push_back(tick);
          }
        }
      }
      if (out.size() >= 3) return out;
      out.clear();  // so short an axis is nearly linear
    }
    const double step = NiceStep((high - low) / kTicksMax);
    for (double i = std::ceil(low / step); i * step <= high + step * 1e-6; ++i) {
      out.push_back(i * step);
    }
    return out;
  }
};

bool Shown(const Plot& plot, const PlotPoint& point) {
  return std::isfinite(point.x) && std::isfinite(point.y) && (!plot.x_logarithmic || point.x > 0);
}

// FigureText's three digits, without zeros that say nothing on an axis.
std::string TickText(double value) {
  std::string text = FigureText(value);
  if (text.find('.') == std::string::npos) return text;
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

void AppendAxes(std::string* out, const Plot& plot, const Axis& x, const Axis& y) {
  for (const double tick : y.Ticks()) {
    const double at = y.At(tick);
    *out += fmt::format("<path class=\"grid\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>", x.from, at, x.to);
    *out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
                        x.from - 8, at + 4, TickText(tick));
  }
  for (const double tick : x.Ticks()) {
    const double at = x.At(tick);
    *out += fmt::format("<path class=\"grid\" d=\"M{:.1f} {:.1f}V{:.1f}\"/>", at, y.from, y.to);
    *out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", at,
                        y.from + 18, TickText(tick));
  }
  *out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
                      (x.from + x.to) / 2, kHeight - 6, HtmlEscaped(plot.x_label));
  *out += fmt::format(
      "<text transform=\"translate(14 {:.1f}) rotate(-90)\" text-anchor=\"middle\">"
      "{}</text>\n",
      (y.from + y.to) / 2, HtmlEscaped(plot.y_label));
}

void AppendLine(std::string* out, const Plot& plot, size_t index, const Axis& x, const Axis& y) {
  const PlotLine& line = plot.lines[index];
  std::string path;
  bool broken = true;
  for (const PlotPoint& point : line.points) {
    if (!Shown(plot, point)) {
      broken = true;
      continue;
    }
    path += fmt::format("{}{:.1f} {:.1f}", broken ? 'M' : 'L', x.At(point.x), y.At(point.y));
    // A line of no length: with round ends, a point between two gaps is a dot.
    if (broken) path += "h0";
    broken = false;
  }
  *out += fmt::format("<path class=\"line c{}\" d=\"{}\"><title>{}</title></path>\n", index, path,
                      HtmlEscaped(line.name));
}

}  // namespace

double NiceStep(double value) {
  CHECK(value > 0);
  const double decade = std::pow(10, std::floor(std::log10(value)));
  for (const double digit : {1.0, 2.0, 5.0}) {
    if (decade * digit >= value * (1 - 1e-9)) return decade * digit;
  }
  return decade * 10;
}

std::string HtmlEscaped(std::string_view text) {
  std::string out;
  for (const char c : Printable(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string SvgPlot(const Plot& plot) {
  CHECK(plot.lines.size() <= kPlotLinesMax);
  double x_low = std::numeric_limits<double>::infinity();
  double x_high = -x_low;
  double y_high = 0;  // y axes begin with zero: a difference looks as large as it is
  bool empty = true;
  for (const PlotLine& line : plot.lines) {
    for (const PlotPoint& point : line.points) {
      // Where a line is interrupted counts as well: plots of one run have one axis of time.
      if (!std::isfinite(point.x) || (plot.x_logarithmic && point.x <= 0)) continue;
      x_low = std::min(x_low, point.x);
      x_high = std::max(x_high, point.x);
      if (!Shown(plot, point)) continue;
      y_high = std::max(y_high, point.y);
      empty = false;
    }
  }
  if (empty) return "";
  if (!plot.x_logarithmic) x_low = std::min(x_low, 0.0);
  if (x_high <= x_low) x_high = x_low > 0 ? x_low * 2 : x_low + 1;
  if (y_high <= 0) y_high = 1;
  const double y_step = NiceStep(y_high / kTicksMax);
  const Axis x{x_low, x_high, kLeft, kWidth - kRight, plot.x_logarithmic};
  const Axis y{0, std::ceil(y_high / y_step - 1e-9) * y_step, kHeight - kBottom, kTop};
  std::string out =
      fmt::format("<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">\n", kWidth,
                  kHeight, HtmlEscaped(plot.title));
  AppendAxes(&out, plot, x, y);
  for (size_t i = 0; i < plot.lines.size(); ++i) AppendLine(&out, plot, i, x, y);
  return out + "</svg>\n";
}

}  // namespace gw::bench
