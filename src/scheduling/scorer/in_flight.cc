// Scores requests in flight: the signal that is true between two scrapes.
//
// Of a burst that arrives within one scrape interval every request sees the same queue depth and
// the same KV-cache use. Only this term moves, by one with each dispatch.
//
// What other gateways and direct clients have at an endpoint is known from the scrape alone:
// waiting plus running beyond our own in-flight requests at that time
// (EndpointState::foreign_requests). Our own requests are not taken from the scrape at all, so a
// request is never counted twice.

#include <algorithm>

#include "scheduling/load_curve.h"
#include "scheduling/plugins.h"

namespace gw {
namespace {

constexpr float kSlackRequests = 4;

class InFlightScorer final : public Scorer {
 public:
  std::string_view name() const override { return "in-flight"; }

  void Score(const InferenceRequest& request, const Candidates& candidates,
             std::span<float> scores) const override {
    const std::span<const int32_t> in_flight = candidates.in_flight_requests();
    const std::span<const float> foreign = candidates.foreign_requests();
    const std::span<const uint32_t> fresh = candidates.metrics_fresh();
    for (size_t i = 0; i < scores.size(); ++i) {
      const float own = static_cast<float>(std::max(0, in_flight[i]));
      const float all = own + std::max(0.0f, foreign[i]);
      scores[i] = fresh[i] != 0 ? all : own;
    }
    LoadScore(kSlackRequests, scores);
  }
};

}  // namespace

std::unique_ptr<Scorer> NewInFlightScorer() { return std::make_unique<InFlightScorer>(); }

}  // namespace gw
