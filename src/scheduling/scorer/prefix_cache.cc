// Scores the share of the prompt that an endpoint is believed to hold in its KV cache already.
//
// The share and not the length: the first blocks of many prompts are the same (a chat template, a
// system prompt), and whoever holds them would otherwise draw every request.

#include <algorithm>

#include "scheduling/plugins.h"

namespace gw {
namespace {

class PrefixCacheScorer final : public Scorer {
 public:
  std::string_view name() const override { return "prefix-cache"; }

  void Score(const InferenceRequest& request, std::span<const EndpointView> candidates,
             std::span<float> scores) const override {
    const float blocks = static_cast<float>(request.prefix_blocks.size());
    for (size_t i = 0; i < candidates.size(); ++i) {
      const float hit = static_cast<float>(candidates[i].prefix_hit_blocks);
      scores[i] = blocks > 0 ? std::min(hit, blocks) / blocks : 0.0f;
    }
  }
};

}  // namespace

std::unique_ptr<Scorer> NewPrefixCacheScorer() { return std::make_unique<PrefixCacheScorer>(); }

}  // namespace gw
