// Picks the highest score. Sums of the same terms may differ in the last bits, and equal endpoints
// must share the load, so whatever is within kTie of the best is a tie, and chance decides among
// ties.

#include "scheduling/best.h"
#include "scheduling/plugins.h"

namespace gw {
namespace {

constexpr float kTie = 1e-5f;

class MaxScorePicker final : public Picker {
 public:
  std::string_view name() const override { return "max-score"; }

  size_t Pick(std::span<const float> scores, Random& random) const override {
    const float least = HighestOf(scores) - kTie;
    uint32_t ties = 0;
    for (const float score : scores) ties += score >= least ? 1 : 0;
    uint64_t skip = ties > 1 ? random.Below(ties) : 0;
    for (size_t i = 0; i < scores.size(); ++i) {
      if (scores[i] >= least && skip-- == 0) return i;
    }
    return 0;  // only if a score is not a number
  }
};

}  // namespace

std::unique_ptr<Picker> NewMaxScorePicker() { return std::make_unique<MaxScorePicker>(); }

}  // namespace gw
