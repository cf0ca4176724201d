#include "bench/load/svg_bars.h"

#include <fmt/format.h>

#include <algorithm>

#include "bench/load/svg_plot.h"

namespace gw::bench {
namespace {

constexpr double kWidth = 640;
constexpr double kLeft = 210;
constexpr double kRight = 64;  // for the number
constexpr double kRow = 20;
constexpr double kTop = 6;
constexpr size_t kNameMax = 32;

// Its end tells Pods of one deployment apart.
std::string NameText(const std::string& name) {
  return HtmlEscaped(name.size() <= kNameMax ? name
                                             : ".." + name.substr(name.size() - (kNameMax - 2)));
}

}  // namespace

std::string SvgBars(std::string_view title, const std::vector<Bar>& bars, double even) {
  if (bars.empty()) return "";
  double most = even;
  for (const Bar& bar : bars) most = std::max(most, bar.share);
  if (most <= 0) most = 1;
  const double height = kTop * 2 + kRow * static_cast<double>(bars.size());
  const auto width_of = [&](double share) { return share / most * (kWidth - kLeft - kRight); };
  std::string out =
      fmt::format("<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">\n", kWidth,
                  height, HtmlEscaped(title));
  double top = kTop;
  for (const Bar& bar : bars) {
    out += fmt::format("<text x=\"{:.0f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", kLeft - 8,
                       top + 14, NameText(bar.name));
    out += fmt::format(
        "<rect class=\"bar\" x=\"{:.0f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.0f}\">"
        "<title>{}</title></rect>",
        kLeft, top + 3, width_of(bar.share), kRow - 6, HtmlEscaped(bar.name));
    out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">{:.1f} %</text>\n",
                       kLeft + width_of(bar.share) + 6, top + 14, bar.share * 100);
    top += kRow;
  }
  out += fmt::format("<path class=\"even\" d=\"M{:.1f} {:.0f}V{:.0f}\"/>", kLeft + width_of(even),
                     kTop, height - kTop);
  return out + "</svg>\n";
}

}  // namespace gw::bench
