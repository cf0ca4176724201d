// Policies that others have published, as rules, to compare with: each from its formula, with its
// constants. What a term is worth is said in the unit of the policy; where that is "the highest
// score" the cost is what is missing to it.

#include <cmath>

#include "scheduling/plugins.h"
#include "scheduling/rule/terms.h"

namespace gw {
namespace {

// Tells equal ones apart by their requests in flight, where the first term counts whole things.
constexpr float kTieOfRequest = 1e-3f;

// Inference Extension, the scorers prefix-cache, queue and kv-cache-utilization of its default
// plug-ins, with the weights of the name. The queue is scored by its place between the shortest and
// the longest, 1 if all are as long.
constexpr std::string_view kExtensionTerms[] = {"prefix", "queue", "kv-cache"};

template <int kPrefix, int kQueue, int kCache>
void InferenceExtension(const RuleInput& input, std::span<float> rows) {
  const Terms terms(input);
  const auto waiting = input.candidates.waiting_requests();
  const auto [least, most] = std::minmax_element(waiting.begin(), waiting.end());
  const float range = *most - *least;
  for (size_t i = 0; i < terms.size(); ++i) {
    RowOf(input, rows, 0)[i] = kPrefix * (1 - terms.Held(i));
    RowOf(input, rows, 1)[i] = range > 0 ? kQueue * (waiting[i] - *least) / range : 0;
    RowOf(input, rows, 2)[i] = kCache * input.candidates.kv_cache_utilization_ratios()[i];
  }
}

// llm-d, default of August 2026: among those that hold 80 % of the prompt, unless the least of
// their pending tokens exceeds that of the others by 286,720 (15,928 tokens/s for 18 s), else among
// all: the least Q + input (1 - p).
constexpr float kGateTokens = 286'720;
constexpr std::string_view kLlmdTerms[] = {"pending", "prompt", "outside"};

void Llmd2026(const RuleInput& input, std::span<float> rows) {
  const Terms terms(input);
  for (size_t i = 0; i < terms.size(); ++i) {
    RowOf(input, rows, 0)[i] = terms.Pending(i);
    RowOf(input, rows, 1)[i] = terms.prompt() * (1 - terms.Held(i));
  }
  FillGate(terms, 0.8f, true, kGateTokens, RowOf(input, rows, 2));
}

// SGLang's router, cache_aware: the fewest requests if the most are more than 32 and more than a
// tenth above the fewest; else the longest match if that is more than half of the prompt; else the
// fewest requests.
constexpr std::string_view kSglangTerms[] = {"match", "requests"};

void SglangCacheAware(const RuleInput& input, std::span<float> rows) {
  const Terms terms(input);
  const auto [least, most] = terms.RangeOfRequests();
  const bool unbalanced = most - least > 32 && most > 1.1f * least;
  const bool by_match = !unbalanced && terms.MostHeld() > 0.5f;
  for (size_t i = 0; i < terms.size(); ++i) {
    RowOf(input, rows, 0)[i] = by_match ? 1 - terms.Held(i) : 0;
    RowOf(input, rows, 1)[i] = by_match ? 0 : terms.Requests(i);
  }
}

// AIBrix, prefix-cache: the fewest requests if the most are more than 8 above them; else of those
// that hold any of the prompt and have at most a standard deviation more requests than the mean the
// highest percentage, then the fewest requests; else the fewest requests.
constexpr std::string_view kAibrixTerms[] = {"match", "requests", "outside"};

void AibrixPrefix(const RuleInput& input, std::span<float> rows) {
  const Terms terms(input);
  const auto count = static_cast<float>(terms.size());
  const auto [least, most] = terms.RangeOfRequests();
  float sum = 0;
  float squares = 0;
  for (size_t i = 0; i < terms.size(); ++i) {
    sum += terms.Requests(i);
    squares += terms.Requests(i) * terms.Requests(i);
  }
  const float mean = sum / count;
  const float most_wanted = mean + std::sqrt(std::max(0.0f, squares / count - mean * mean));
  const auto matches = [&](size_t i) {
    return terms.Held(i) > 0 && terms.Requests(i) <= most_wanted;
  };
  bool by_match = false;
  for (size_t i = 0; i < terms.size(); ++i) by_match |= most - least <= 8 && matches(i);
  for (size_t i = 0; i < terms.size(); ++i) {
    const bool in = by_match && matches(i);
    RowOf(input, rows, 0)[i] = in ? 100 - std::floor(100 * terms.Held(i)) : 0;
    RowOf(input, rows, 1)[i] = (by_match ? kTieOfRequest : 1) * terms.Requests(i);
    RowOf(input, rows, 2)[i] = by_match && !in ? kOutside : 0;
  }
  if (by_match) SubtractLeast(RowOf(input, rows, 0));
}

// NVIDIA Dynamo, the KV router at its weight 1 and temperature 0: blocks that are yet to be
// computed, this prompt's with them, and blocks that are in use with it. Blocks that requests share
// count for each of them here.
constexpr float kDynamoBlock = 16;
constexpr std::string_view kDynamoTerms[] = {"prefill-blocks", "decode-blocks"};

void Dynamo(const RuleInput& input, std::span<float> rows) {
  const Terms terms(input);
  for (size_t i = 0; i < terms.size(); ++i) {
    RowOf(input, rows, 0)[i] = (terms.Pending(i) + terms.Uncached(i)) / kDynamoBlock;
    RowOf(input, rows, 1)[i] = (input.loads.context_tokens[i] + terms.prompt()) / kDynamoBlock;
  }
}

// LMetric: (Q + n) (B + 1). "-gate": inside those that hold more than half of the prompt, within
// the same bound on their pending tokens as llm-d's.
constexpr std::string_view kLMetricTerms[] = {"work", "outside"};

void LMetric(const RuleInput& input, std::span<float> rows) {
  const Terms terms(input);
  for (size_t i = 0; i < terms.size(); ++i) {
    RowOf(input, rows, 0)[i] = (terms.Pending(i) + terms.Uncached(i)) * (terms.Requests(i) + 1);
  }
}

void LMetricGate(const RuleInput& input, std::span<float> rows) {
  LMetric(input, rows);
  FillGate(Terms(input), 0.5f, false, kGateTokens, RowOf(input, rows, 1));
}

// LPWL, least prefill work left: Q + n, then the fewest requests.
constexpr std::string_view kLpwlTerms[] = {"work", "requests"};

void Lpwl(const RuleInput& input, std::span<float> rows) {
  const Terms terms(input);
  for (size_t i = 0; i < terms.size(); ++i) {
    RowOf(input, rows, 0)[i] = terms.Pending(i) + terms.Uncached(i);
    RowOf(input, rows, 1)[i] = kTieOfRequest * terms.Requests(i);
  }
  SubtractLeast(RowOf(input, rows, 0));
}

// Preble, E2: if some candidate holds more than half of the prompt, of those that hold the most the
// least load; else the least of load, eviction and prompt. Load: tokens of the last three minutes,
// computed and generated. Eviction: this prompt's tokens as far as the cache is full, in place of
// its own look through the tree. Without its rebalancing and its replication of hot prefixes.
constexpr std::string_view kPrebleTerms[] = {"window", "evict", "prompt", "outside"};

void Preble(const RuleInput& input, std::span<float> rows) {
  const Terms terms(input);
  const float most = terms.MostHeld();
  const bool exploits = most > 0.5f;
  input.memory.FillWindows(input.candidates, input.now, RowOf(input, rows, 0));
  for (size_t i = 0; i < terms.size(); ++i) {
    const float full = input.candidates.kv_cache_utilization_ratios()[i];
    RowOf(input, rows, 1)[i] = exploits ? 0 : terms.Uncached(i) * full;
    RowOf(input, rows, 2)[i] = exploits ? 0 : terms.Uncached(i);
    RowOf(input, rows, 3)[i] = exploits && terms.Held(i) < most ? kOutside : 0;
  }
}

// Token-equivalent cost, from the study that COST is tuned from, in prompt tokens:
// (Q + n) + 2 n + 0.3 n B + 0.2 C + 200 B + 5 max(0, KV + n + O (B + 1) - 0.92 cap).
constexpr std::string_view kTokenCostTerms[] = {"wait", "evict", "stall", "decode", "preempt"};

void TokenCost(const RuleInput& input, std::span<float> rows) {
  const Terms terms(input);
  const float output = input.memory.OutputTokens(input.request.target_model);
  for (size_t i = 0; i < terms.size(); ++i) {
    const float n = terms.Uncached(i);
    const float requests = terms.Requests(i);
    const float context = input.loads.context_tokens[i];
    const float cache = input.loads.cache_tokens[i];
    const float wanted = context + n + output * (requests + 1) - 0.92f * cache;
    RowOf(input, rows, 0)[i] = terms.Pending(i) + n;
    RowOf(input, rows, 1)[i] = 2 * n;
    RowOf(input, rows, 2)[i] = 0.3f * n * requests;
    RowOf(input, rows, 3)[i] = 0.2f * context + 200 * requests;
    RowOf(input, rows, 4)[i] = cache > 0 ? 5 * std::max(0.0f, wanted) : 0;
  }
}

// The better of two that are drawn, by requests in flight (Mitzenmacher, 2001).
constexpr std::string_view kPowerOfTwoTerms[] = {"requests", "outside"};

void PowerOfTwo(const RuleInput& input, std::span<float> rows) {
  const Terms terms(input);
  const size_t count = terms.size();
  const size_t first = input.random.Below(count);
  const size_t second = count == 1 ? 0 : (first + 1 + input.random.Below(count - 1)) % count;
  for (size_t i = 0; i < count; ++i) {
    RowOf(input, rows, 0)[i] = terms.Requests(i);
    RowOf(input, rows, 1)[i] = i == first || i == second ? 0 : kOutside;
  }
}

constexpr std::string_view kRequestsTerm[] = {"requests"};

void LeastRequest(const RuleInput& input, std::span<float> rows) {
  const Terms terms(input);
  for (size_t i = 0; i < terms.size(); ++i) rows[i] = terms.Requests(i);
}

// One after the other, in the pool's order.
constexpr std::string_view kTurnTerm[] = {"turns"};

void RoundRobin(const RuleInput& input, std::span<float> rows) {
  const size_t count = input.candidates.size();
  const size_t turn = input.memory.TakeTurn(input.candidates.slots()[0]) % count;
  for (size_t i = 0; i < count; ++i) rows[i] = static_cast<float>((i + count - turn) % count);
}

constexpr std::string_view kDrawTerm[] = {"draw"};

void DrawAtRandom(const RuleInput& input, std::span<float> rows) {
  for (float& cost : rows) cost = static_cast<float>(input.random.Unit());
}

// vLLM's balancing of data-parallel engines: 4 waiting + running, as scraped.
constexpr std::string_view kVllmTerms[] = {"waiting", "running"};

void VllmDataParallel(const RuleInput& input, std::span<float> rows) {
  const size_t count = input.candidates.size();
  for (size_t i = 0; i < count; ++i) {
    RowOf(input, rows, 0)[i] = 4 * input.candidates.waiting_requests()[i];
    RowOf(input, rows, 1)[i] = input.loads.running_requests[i];
  }
}

// Alibaba Cloud Model Studio's linear rule, as the LMetric paper gives it: a third each for the
// share of the prompt that is held, for few requests and for few tokens, beside the most.
constexpr std::string_view kBailianTerms[] = {"prefix", "requests", "tokens"};

void Bailian(const RuleInput& input, std::span<float> rows) {
  constexpr float kThird = 0.33f;
  const Terms terms(input);
  const std::vector<float>& tokens = input.loads.context_tokens;
  const float most_requests = terms.RangeOfRequests().most;
  const float most_tokens = *std::max_element(tokens.begin(), tokens.end());
  for (size_t i = 0; i < terms.size(); ++i) {
    RowOf(input, rows, 0)[i] = kThird * (1 - terms.Held(i));
    RowOf(input, rows, 1)[i] = most_requests > 0 ? kThird * terms.Requests(i) / most_requests : 0;
    RowOf(input, rows, 2)[i] = most_tokens > 0 ? kThird * tokens[i] / most_tokens : 0;
  }
}

constexpr std::string_view kWorkTerm[] = {"work"};

constexpr Rule kPublished[] = {
    {"inference-extension-3-2-2", kExtensionTerms, true, InferenceExtension<3, 2, 2>},
    {"inference-extension-1-1-1", kExtensionTerms, true, InferenceExtension<1, 1, 1>},
    {"llm-d-2026", kLlmdTerms, true, Llmd2026},
    {"sglang-cache-aware", kSglangTerms, true, SglangCacheAware},
    {"aibrix-prefix", kAibrixTerms, true, AibrixPrefix},
    {"dynamo", kDynamoTerms, true, Dynamo},
    {"lmetric", kWorkTerm, true, LMetric},
    {"lmetric-gate", kLMetricTerms, true, LMetricGate},
    {"lpwl", kLpwlTerms, true, Lpwl},
    {"preble", kPrebleTerms, true, Preble},
    {"token-cost", kTokenCostTerms, true, TokenCost},
    {"power-of-two", kPowerOfTwoTerms, false, PowerOfTwo},
    {"least-request", kRequestsTerm, false, LeastRequest},
    {"round-robin", kTurnTerm, false, RoundRobin},
    {"random", kDrawTerm, false, DrawAtRandom},
    {"vllm-dp", kVllmTerms, false, VllmDataParallel},
    {"bailian", kBailianTerms, true, Bailian},
};

}  // namespace

std::span<const Rule> PublishedRules() { return kPublished; }

}  // namespace gw
