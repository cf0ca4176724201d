// Prefers endpoints that have the adapter loaded, then those with room to load it, then those that
// will load it: the inference extension's values.
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
      return 0.8f;
    case LoraAffinity::kWaiting:
      return 0.6f;
    case LoraAffinity::kFull:
      return 0.0f;
  }
  CHECK(false);
}

class LoraAffinityScorer final : public Scorer {
 public:
  std::string_view name() const override { return "lora-affinity"; }

  void Score(const InferenceRequest& request, std::span<const EndpointView> candidates,
             std::span<float> scores) const override {
    const bool any_reports =
        std::any_of(candidates.begin(), candidates.end(),
                    [](const EndpointView& view) { return view.lora != LoraAffinity::kNotLora; });
    for (size_t i = 0; i < candidates.size(); ++i) {
      const bool silent = any_reports && candidates[i].lora == LoraAffinity::kNotLora;
      scores[i] = ScoreOf(silent ? LoraAffinity::kRoom : candidates[i].lora);
    }
  }
};

}  // namespace

std::unique_ptr<Scorer> NewLoraAffinityScorer() { return std::make_unique<LoraAffinityScorer>(); }

}  // namespace gw
