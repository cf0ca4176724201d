// Scores the model server's own queue: requests that wait there for room in its batch.
//
// The inference extension scales waiting to the range between the shortest and the longest queue,
// so that one request in one queue, on a page that is a scrape interval old, is worth as much as a
// hundred, and more than everything sent since. Here a request of difference weighs a request:
// next to nothing in a burst, half the term where it is five, and the longer the queues the more it
// takes.

#include <algorithm>

#include "scheduling/load_curve.h"
#include "scheduling/plugins.h"

namespace gw {
namespace {

constexpr float kSlackRequests = 4;
constexpr float kUnknown = -1;

class QueueDepthScorer final : public Scorer {
 public:
  std::string_view name() const override { return "queue-depth"; }

  void Score(const InferenceRequest& request, const Candidates& candidates,
             std::span<float> scores) const override {
    const std::span<const float> waiting = candidates.waiting_requests();
    const std::span<const uint32_t> fresh = candidates.metrics_fresh();
    for (size_t i = 0; i < scores.size(); ++i) {
      const float known = std::max(0.0f, waiting[i]);
      scores[i] = fresh[i] != 0 ? known : kUnknown;
    }
    LoadScore(kSlackRequests, scores);
  }
};

}  // namespace

std::unique_ptr<Scorer> NewQueueDepthScorer() { return std::make_unique<QueueDepthScorer>(); }

}  // namespace gw
