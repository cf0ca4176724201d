// Endpoints whose metrics are older than the pool's limit rank behind all others: what is known of
// them may have been true once. Where nobody's metrics are fresh (no scraping, a Service) all stay.

#include <numeric>

#include "scheduling/plugins.h"

namespace gw {
namespace {

class FreshMetricsFilter final : public Filter {
 public:
  std::string_view name() const override { return "fresh-metrics"; }

  void Keep(const InferenceRequest& request, Candidates* candidates) const override {
    const std::span<const uint32_t> is_fresh = candidates->metrics_fresh();
    const uint32_t fresh = std::accumulate(is_fresh.begin(), is_fresh.end(), 0u);
    if (fresh == 0 || fresh == candidates->size()) return;
    candidates->RemoveIf([is_fresh](size_t i) { return is_fresh[i] == 0; });
  }
};

}  // namespace

std::unique_ptr<Filter> NewFreshMetricsFilter() { return std::make_unique<FreshMetricsFilter>(); }

}  // namespace gw
