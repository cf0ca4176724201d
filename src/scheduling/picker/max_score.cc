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
    return PickHighest(scores, kTie, random);
  }
};

}  // namespace

std::unique_ptr<Picker> NewMaxScorePicker() { return std::make_unique<MaxScorePicker>(); }

}  // namespace gw
