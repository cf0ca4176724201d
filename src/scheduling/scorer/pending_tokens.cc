// Scores prefill work that is still to be done: prompt tokens dispatched, net of what the endpoint
// is believed to hold, whose first token has not come. Counts requests by what they cost before the
// first token, where in-flight counts each as one.

#include <algorithm>

#include "scheduling/load_curve.h"
#include "scheduling/plugins.h"

namespace gw {
namespace {

constexpr float kSlackTokens = 8192;

class PendingTokensScorer final : public Scorer {
 public:
  std::string_view name() const override { return "pending-tokens"; }

  void Score(const InferenceRequest& request, const Candidates& candidates,
             std::span<float> scores) const override {
    const std::span<const int64_t> pending = candidates.pending_prompt_tokens();
    for (size_t i = 0; i < scores.size(); ++i) {
      scores[i] = static_cast<float>(std::max<int64_t>(0, pending[i]));
    }
    LoadScore(kSlackTokens, scores);
  }
};

}  // namespace

std::unique_ptr<Scorer> NewPendingTokensScorer() { return std::make_unique<PendingTokensScorer>(); }

}  // namespace gw
