// Scores the work that an endpoint's KV cache is believed to save: tokens of the prompt that need
// not be computed there.
//
//   saved = max(0, hit - common)                    common = max(48, what every candidate holds)
//   score = saved / min(prompt, saved + 512)
//
// In tokens, because that is what load is paid in: of a long prompt, 2,000 tokens that are held are
// worth a longer wait however long the rest is. Of a short one it is the share that is saved: a
// conversation of a few lines is to stay where it is, too.
//
// What everybody holds saves nothing by choosing; it must not hide how much more one of them holds.
// And the first 48 tokens count for nothing, because the prompts of all users begin alike (a chat
// template, a line of instructions). Were that worth anything, whoever served the first would draw
// every request of an idle pool, and the others would never come to hold it.

#include <algorithm>

#include "scheduling/plugins.h"

namespace gw {
namespace {

constexpr float kFewTokens = 48;
constexpr float kRestTokensMax = 512;

class PrefixCacheScorer final : public Scorer {
 public:
  std::string_view name() const override { return "prefix-cache"; }

  void Score(const InferenceRequest& request, const Candidates& candidates,
             std::span<float> scores) const override {
    const std::span<const uint32_t> hits = candidates.prefix_hit_tokens();
    uint32_t least = hits[0];
    for (const uint32_t hit : hits) least = std::min(least, hit);
    const float common = std::max(kFewTokens, static_cast<float>(least));
    const auto prompt = static_cast<float>(request.prompt_tokens_estimate);
    for (size_t i = 0; i < scores.size(); ++i) {
      const auto hit = static_cast<float>(hits[i]);
      const float saved = hit - common;
      // The prompt's length is an estimate, the hit is counted.
      const float whole = std::min(std::max(prompt, hit), saved + kRestTokensMax);
      scores[i] = saved > 0 ? saved / whole : 0.0f;
    }
  }
};

}  // namespace

std::unique_ptr<Scorer> NewPrefixCacheScorer() { return std::make_unique<PrefixCacheScorer>(); }

}  // namespace gw
