// SvgBars: shares as bars one below the other, as an SVG element like SvgPlot's.

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gw::bench {

struct Bar {
  std::string name;
  double share;  // 0 to 1
};

// A broken line stands at `even`. "" of no bars. Names are escaped, and cut where they are long.
std::string SvgBars(std::string_view title, const std::vector<Bar>& bars, double even);

}  // namespace gw::bench
