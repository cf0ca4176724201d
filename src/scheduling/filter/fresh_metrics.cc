// Endpoints whose metrics are older than the pool's limit rank behind all others: what is known of
// them may have been true once. Where nobody's metrics are fresh (no scraping, a Service) all stay.

#include <algorithm>

#include "scheduling/plugins.h"

namespace gw {
namespace {

class FreshMetricsFilter final : public Filter {
 public:
  std::string_view name() const override { return "fresh-metrics"; }

  void Keep(const InferenceRequest& request, std::vector<EndpointView>* candidates) const override {
    const auto is_fresh = [](const EndpointView& view) { return view.metrics_fresh; };
    const auto fresh = std::count_if(candidates->begin(), candidates->end(), is_fresh);
    if (fresh == 0 || static_cast<size_t>(fresh) == candidates->size()) return;
    std::erase_if(*candidates, [](const EndpointView& view) { return !view.metrics_fresh; });
  }
};

}  // namespace

std::unique_ptr<Filter> NewFreshMetricsFilter() { return std::make_unique<FreshMetricsFilter>(); }

}  // namespace gw
