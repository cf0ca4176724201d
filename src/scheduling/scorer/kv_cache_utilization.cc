// Scores the free share of the model server's KV cache: long contexts there slow every step down,
// and a full cache preempts.

#include <algorithm>

#include "scheduling/plugins.h"

namespace gw {
namespace {

class KvCacheUtilizationScorer final : public Scorer {
 public:
  std::string_view name() const override { return "kv-cache-utilization"; }

  void Score(const InferenceRequest& request, std::span<const EndpointView> candidates,
             std::span<float> scores) const override {
    for (size_t i = 0; i < candidates.size(); ++i) {
      const EndpointView& view = candidates[i];
      scores[i] = view.metrics_fresh
                      ? 1.0f - std::clamp(view.kv_cache_utilization_ratio, 0.0f, 1.0f)
                      : 0.5f;
    }
  }
};

}  // namespace

std::unique_ptr<Scorer> NewKvCacheUtilizationScorer() {
  return std::make_unique<KvCacheUtilizationScorer>();
}

}  // namespace gw
