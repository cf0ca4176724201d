// Scores the work that an endpoint's KV cache is believed to save: tokens of the prompt that need
// not be computed there.
//
//   saved = max(0, hit - 48)        score = saved / (saved + 192)
//
// In tokens, because that is what load is paid in: 2,000 tokens that need not be computed are worth
// a longer wait whatever else the prompt holds, and a hit of the whole of a short prompt is not. A
// share of the prompt says the opposite twice.
//
// The first 48 tokens count for nothing. Prompts of all users begin alike (a chat template, one
// line of instructions); were that worth anything, whoever served the first would draw every
// request of an idle pool, and the others' caches would stay empty. What is held of a user's own
// rounds is soon longer.

#include <algorithm>

#include "scheduling/plugins.h"

namespace gw {
namespace {

constexpr float kFewTokens = 48;
// Saves half of what the term can give: about what one request more in flight costs an idle pool.
constexpr float kHalfTokens = 192;

class PrefixCacheScorer final : public Scorer {
 public:
  std::string_view name() const override { return "prefix-cache"; }

  void Score(const InferenceRequest& request, std::span<const EndpointView> candidates,
             std::span<float> scores) const override {
    for (size_t i = 0; i < candidates.size(); ++i) {
      const float hit = static_cast<float>(candidates[i].prefix_hit_tokens);
      const float saved = std::max(0.0f, hit - kFewTokens);
      scores[i] = saved / (saved + kHalfTokens);
    }
  }
};

}  // namespace

std::unique_ptr<Scorer> NewPrefixCacheScorer() { return std::make_unique<PrefixCacheScorer>(); }

}  // namespace gw
