// Prefers endpoints that have the adapter loaded, then those with room to load it, then those that
// will load it, then those whose slots are taken by other adapters: the inference extension's
// order, but not its values (1, 0.8, 0.6, 0). They leave a fifth of the term between an adapter
// that is there and one that is to be loaded: where that fifth outweighs one request in flight (a
// weight of 6), an endpoint without a slot gets none at any load of the others. Ours make it half.
//
// A model server reports adapters only once one was used. So where any candidate reports how it
// stands to the adapter, those that report nothing have all their room left.

#include <algorithm>

#include "base/check.h"
#include "scheduling/plugins.h"

namespace gw {
namespace {

float ScoreOf(LoraAffinity affinity) {
  switch (affinity) {
    case LoraAffinity::kNotLora:
    case LoraAffinity::kActive:
      return 1.0f;
    case LoraAffinity::kRoom:
      return 0.5f;
    case LoraAffinity::kWaiting:
      return 0.25f;
    case LoraAffinity::kFull:
      return 0.0f;
  }
  CHECK(false);
}

class LoraAffinityScorer final : public Scorer {
 public:
  std::string_view name() const override { return "lora-affinity"; }

  void Score(const InferenceRequest& request, const Candidates& candidates,
             std::span<float> scores) const override {
    const std::span<const LoraAffinity> loras = candidates.loras();
    bool any_reports = false;
    for (const LoraAffinity lora : loras) any_reports |= lora != LoraAffinity::kNotLora;
    if (!any_reports) {
      std::fill(scores.begin(), scores.end(), ScoreOf(LoraAffinity::kNotLora));
      return;
    }
    for (size_t i = 0; i < scores.size(); ++i) {
      const bool silent = loras[i] == LoraAffinity::kNotLora;
      scores[i] = ScoreOf(silent ? LoraAffinity::kRoom : loras[i]);
    }
  }
};

}  // namespace

std::unique_ptr<Scorer> NewLoraAffinityScorer() { return std::make_unique<LoraAffinityScorer>(); }

}  // namespace gw
