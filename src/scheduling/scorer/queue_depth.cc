// Scores the model server's own queue, as the inference extension publishes it.

#include <algorithm>

#include "scheduling/plugins.h"

namespace gw {
namespace {

class QueueDepthScorer final : public Scorer {
 public:
  std::string_view name() const override { return "queue-depth"; }

  void Score(const InferenceRequest& request, std::span<const EndpointView> candidates,
             std::span<float> scores) const override {
    float least = 0;
    float most = 0;
    bool any = false;
    for (const EndpointView& view : candidates) {
      if (!view.metrics_fresh) continue;
      least = any ? std::min(least, view.waiting_requests) : view.waiting_requests;
      most = any ? std::max(most, view.waiting_requests) : view.waiting_requests;
      any = true;
    }
    // score = (most - waiting) / (most - least)
    const float range = most - least;
    for (size_t i = 0; i < candidates.size(); ++i) {
      const EndpointView& view = candidates[i];
      if (!view.metrics_fresh) {
        scores[i] = 0.5f;
      } else {
        scores[i] = range > 0 ? (most - view.waiting_requests) / range : 1.0f;
      }
    }
  }
};

}  // namespace

std::unique_ptr<Scorer> NewQueueDepthScorer() { return std::make_unique<QueueDepthScorer>(); }

}  // namespace gw
