// Scores the free share of the model server's KV cache: long contexts there slow every step down,
// and a full cache preempts.

#include <algorithm>

#include "scheduling/plugins.h"

namespace gw {
namespace {

class KvCacheUtilizationScorer final : public Scorer {
 public:
  std::string_view name() const override { return "kv-cache-utilization"; }

  void Score(const InferenceRequest& request, const Candidates& candidates,
             std::span<float> scores) const override {
    const std::span<const float> used = candidates.kv_cache_utilization_ratios();
    const std::span<const uint32_t> fresh = candidates.metrics_fresh();
    for (size_t i = 0; i < scores.size(); ++i) {
      const float unused = 1.0f - std::min(std::max(used[i], 0.0f), 1.0f);
      scores[i] = fresh[i] != 0 ? unused : 0.5f;
    }
  }
};

}  // namespace

std::unique_ptr<Scorer> NewKvCacheUtilizationScorer() {
  return std::make_unique<KvCacheUtilizationScorer>();
}

}  // namespace gw
