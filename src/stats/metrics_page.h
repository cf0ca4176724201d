// MetricsPage: the text of a metrics page, family by family, in either format.
//
//   MetricsPage page(MetricsFormat::kOpenMetrics);
//   page.Begin({"penstock_requests_total", "Requests.", "counter"});
//   page.Add("pool=\"a\"", uint64_t{3});
//   std::string text = page.Finish();

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "stats/exemplar.h"
#include "stats/exposition.h"

namespace gw {

class MetricsPage {
 public:
  struct Family {
    std::string_view name;
    std::string_view help;
    std::string_view type;  // "counter", "gauge", "histogram"
    // There is another family of this one's name without "_total".
    bool shares_name = false;
  };
  struct HistogramValue {
    std::span<const double> upper_bounds;
    std::span<const uint64_t> counts;  // one more, not cumulative
    double sum = 0;
    const Exemplars* exemplars = nullptr;
  };

  explicit MetricsPage(MetricsFormat format) : format_(format) {}

  void Begin(const Family& family);
  // Series of the family that was begun last. `labels`: what stands between the braces.
  void Add(std::string_view labels, uint64_t value);
  void Add(std::string_view labels, double value);
  void Add(std::string_view labels, const HistogramValue& value);
  // The whole page. Nothing follows.
  std::string Finish();

 private:
  void BeginSample(std::string_view suffix, std::string_view labels);
  void AppendBound(double bound);

  const MetricsFormat format_;
  std::string name_;
  std::string out_;
};

}  // namespace gw
