// What classes with handles of series are made of.

#pragma once

#include <memory>
#include <utility>
#include <vector>

namespace gw {

// Keeps handles of series that may leave the page before those who count with them are done.
class SeriesHolder {
 protected:
  template <typename Metric>
  Metric& Hold(std::shared_ptr<Metric> metric) {
    Metric& held = *metric;
    held_.push_back(std::move(metric));
    return held;
  }

 private:
  std::vector<std::shared_ptr<const void>> held_;
};

}  // namespace gw
