// Policies that others have published, as rules, to compare with: each from its formula, with its
// constants where no others are given. What a term is worth is said in the unit of the policy;
// where that is "the highest score" the cost is what is missing to it.

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

constexpr RuleConstant kExtension322[] = {{"prefix", 3, "weight of the share of the prompt held"},
                                          {"queue", 2, "weight of the queue's rank"},
                                          {"kv-cache", 2, "weight of the free KV cache"}};
constexpr RuleConstant kExtension111[] = {{"prefix", 1, "weight of the share of the prompt held"},
                                          {"queue", 1, "weight of the queue's rank"},
                                          {"kv-cache", 1, "weight of the free KV cache"}};

void InferenceExtension(const RuleInput& input, std::span<float> rows) {
  const Terms terms(input);
  const float prefix = input.constants[0];
  const float queue = input.constants[1];
  const float kv_cache = input.constants[2];
  const auto waiting = input.candidates.waiting_requests();
  const auto [least, most] = std::minmax_element(waiting.begin(), waiting.end());
  const float range = *most - *least;
  for (size_t i = 0; i < terms.size(); ++i) {
    RowOf(input, rows, 0)[i] = prefix * (1 - terms.Held(i));
    RowOf(input, rows, 1)[i] = range > 0 ? queue * (waiting[i] - *least) / range : 0;
    RowOf(input, rows, 2)[i] = kv_cache * input.candidates.kv_cache_utilization_ratios()[i];
  }
}

// llm-d, default of August 2026: among those that hold 80 % of the prompt, unless the least of
// their pending tokens exceeds that of the others by 286,720 (15,928 tokens/s for 18 s), else among
// all: the least Q + input (1 - p).
constexpr RuleConstant kBehind = {"behind", 286'720,
                                  "pending tokens above the others', up to which holders are kept"};
constexpr std::string_view kLlmdTerms[] = {"pending", "prompt", "outside"};
constexpr RuleConstant kLlmdConstants[] = {
    {"held", 0.8f, "share of the prompt, from which on one is a holder"}, kBehind};

void Llmd2026(const RuleInput& input, std::span<float> rows) {
  const Terms terms(input);
  for (size_t i = 0; i < terms.size(); ++i) {
    RowOf(input, rows, 0)[i] = terms.Pending(i);
    RowOf(input, rows, 1)[i] = terms.prompt() * (1 - terms.Held(i));
  }
  FillGate(terms, input.constants[0], true, input.constants[1], RowOf(input, rows, 2));
}

// SGLang's router, cache_aware: the fewest requests if the most are more than 32 and more than a
// tenth above the fewest; else the longest match if that is more than half of the prompt; else the
// fewest requests.
constexpr std::string_view kSglangTerms[] = {"match", "requests"};
constexpr RuleConstant kSglangConstants[] = {
    {"above", 32, "requests of the most above the fewest, beyond which the load is unbalanced"},
    {"ratio", 1.1f, "of the most to the fewest, beyond which it is"},
    {"held", 0.5f, "share of the prompt, beyond which the longest match is followed"}};

void SglangCacheAware(const RuleInput& input, std::span<float> rows) {
  const Terms terms(input);
  const auto [least, most] = terms.RangeOfRequests();
  const bool unbalanced = most - least > input.constants[0] && most > input.constants[1] * least;
  const bool by_match = !unbalanced && terms.MostHeld() > input.constants[2];
  for (size_t i = 0; i < terms.size(); ++i) {
    RowOf(input, rows, 0)[i] = by_match ? 1 - terms.Held(i) : 0;
    RowOf(input, rows, 1)[i] = by_match ? 0 : terms.Requests(i);
  }
}

// AIBrix, prefix-cache: the fewest requests if the most are more than 8 above them; else of those
// that hold any of the prompt and have at most a standard deviation more requests than the mean the
// highest percentage, then the fewest requests; else the fewest requests.
constexpr std::string_view kAibrixTerms[] = {"match", "requests", "outside"};
constexpr RuleConstant kAibrixConstants[] = {
    {"above", 8, "requests of the most above the fewest, beyond which matches are not followed"},
    {"deviations", 1, "standard deviations above the mean of the requests, that a match may have"}};

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
  const float most_wanted =
      mean + input.constants[1] * std::sqrt(std::max(0.0f, squares / count - mean * mean));
  const auto matches = [&](size_t i) {
    return terms.Held(i) > 0 && terms.Requests(i) <= most_wanted;
  };
  bool by_match = false;
  for (size_t i = 0; i < terms.size(); ++i)
    by_match |= most - least <= input.constants[0] && matches(i);
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
constexpr RuleConstant kDynamoConstants[] = {
    {"prefill", 1, "weight of blocks to be computed, beside those in use"}};

void Dynamo(const RuleInput& input, std::span<float> rows) {
  const Terms terms(input);
  for (size_t i = 0; i < terms.size(); ++i) {
    RowOf(input, rows, 0)[i] =
        input.constants[0] * (terms.Pending(i) + terms.Uncached(i)) / kDynamoBlock;
    RowOf(input, rows, 1)[i] = (input.loads.context_tokens[i] + terms.prompt()) / kDynamoBlock;
  }
}

// LMetric: (Q + n) (B + 1). "-gate": inside those that hold more than half of the prompt, within
// the same bound on their pending tokens as llm-d's.
constexpr std::string_view kLMetricTerms[] = {"work", "outside"};
constexpr RuleConstant kLMetricGateConstants[] = {
    {"held", 0.5f, "share of the prompt, beyond which one is a holder"}, kBehind};

void LMetric(const RuleInput& input, std::span<float> rows) {
  const Terms terms(input);
  for (size_t i = 0; i < terms.size(); ++i) {
    RowOf(input, rows, 0)[i] = (terms.Pending(i) + terms.Uncached(i)) * (terms.Requests(i) + 1);
  }
}

void LMetricGate(const RuleInput& input, std::span<float> rows) {
  LMetric(input, rows);
  FillGate(Terms(input), input.constants[0], false, input.constants[1], RowOf(input, rows, 1));
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
constexpr RuleConstant kPrebleConstants[] = {
    {"held", 0.5f, "share of the prompt, beyond which the best matches are followed"}};

void Preble(const RuleInput& input, std::span<float> rows) {
  const Terms terms(input);
  const float most = terms.MostHeld();
  const bool exploits = most > input.constants[0];
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
constexpr RuleConstant kTokenCostConstants[] = {
    {"evict", 2, "tokens for each new one"},
    {"stall", 0.3f, "tokens for each new one and request"},
    {"context", 0.2f, "tokens for each token in flight"},
    {"request", 200, "tokens for each request in flight"},
    {"preempt", 5, "tokens for each that has no room"},
    {"usable-cache", 0.92f, "share of the KV cache that fills without preemptions"}};

void TokenCost(const RuleInput& input, std::span<float> rows) {
  const Terms terms(input);
  const std::span<const float> weights = input.constants;
  const float output = input.memory.OutputTokens(input.request.target_model);
  for (size_t i = 0; i < terms.size(); ++i) {
    const float n = terms.Uncached(i);
    const float requests = terms.Requests(i);
    const float context = input.loads.context_tokens[i];
    const float cache = input.loads.cache_tokens[i];
    const float wanted = context + n + output * (requests + 1) - weights[5] * cache;
    RowOf(input, rows, 0)[i] = terms.Pending(i) + n;
    RowOf(input, rows, 1)[i] = weights[0] * n;
    RowOf(input, rows, 2)[i] = weights[1] * n * requests;
    RowOf(input, rows, 3)[i] = weights[2] * context + weights[3] * requests;
    RowOf(input, rows, 4)[i] = cache > 0 ? weights[4] * std::max(0.0f, wanted) : 0;
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
constexpr RuleConstant kVllmConstants[] = {
    {"waiting", 4, "weight of requests waiting, beside those running"}};

void VllmDataParallel(const RuleInput& input, std::span<float> rows) {
  const size_t count = input.candidates.size();
  for (size_t i = 0; i < count; ++i) {
    RowOf(input, rows, 0)[i] = input.constants[0] * input.candidates.waiting_requests()[i];
    RowOf(input, rows, 1)[i] = input.loads.running_requests[i];
  }
}

// Alibaba Cloud Model Studio's linear rule, as the LMetric paper gives it: a third each for the
// share of the prompt that is held, for few requests and for few tokens, beside the most.
constexpr std::string_view kBailianTerms[] = {"prefix", "requests", "tokens"};
constexpr RuleConstant kBailianConstants[] = {
    {"prefix", 0.33f, "weight of the share of the prompt held"},
    {"requests", 0.33f, "weight of few requests"},
    {"tokens", 0.33f, "weight of few tokens in flight"}};

void Bailian(const RuleInput& input, std::span<float> rows) {
  const Terms terms(input);
  const std::vector<float>& tokens = input.loads.context_tokens;
  const float most_requests = terms.RangeOfRequests().most;
  const float most_tokens = *std::max_element(tokens.begin(), tokens.end());
  for (size_t i = 0; i < terms.size(); ++i) {
    RowOf(input, rows, 0)[i] = input.constants[0] * (1 - terms.Held(i));
    RowOf(input, rows, 1)[i] =
        most_requests > 0 ? input.constants[1] * terms.Requests(i) / most_requests : 0;
    RowOf(input, rows, 2)[i] = most_tokens > 0 ? input.constants[2] * tokens[i] / most_tokens : 0;
  }
}

constexpr std::string_view kWorkTerm[] = {"work"};

constexpr Rule kPublished[] = {
    {"inference-extension-3-2-2", kExtensionTerms, kExtension322, true, InferenceExtension},
    {"inference-extension-1-1-1", kExtensionTerms, kExtension111, true, InferenceExtension},
    {"llm-d-2026", kLlmdTerms, kLlmdConstants, true, Llmd2026},
    {"sglang-cache-aware", kSglangTerms, kSglangConstants, true, SglangCacheAware},
    {"aibrix-prefix", kAibrixTerms, kAibrixConstants, true, AibrixPrefix},
    {"dynamo", kDynamoTerms, kDynamoConstants, true, Dynamo},
    {"lmetric", kWorkTerm, {}, true, LMetric},
    {"lmetric-gate", kLMetricTerms, kLMetricGateConstants, true, LMetricGate},
    {"lpwl", kLpwlTerms, {}, true, Lpwl},
    {"preble", kPrebleTerms, kPrebleConstants, true, Preble},
    {"token-cost", kTokenCostTerms, kTokenCostConstants, true, TokenCost},
    {"power-of-two", kPowerOfTwoTerms, {}, false, PowerOfTwo},
    {"least-request", kRequestsTerm, {}, false, LeastRequest},
    {"round-robin", kTurnTerm, {}, false, RoundRobin},
    {"random", kDrawTerm, {}, false, DrawAtRandom},
    {"vllm-dp", kVllmTerms, kVllmConstants, false, VllmDataParallel},
    {"bailian", kBailianTerms, kBailianConstants, true, Bailian},
};

}  // namespace

std::span<const Rule> PublishedRules() { return kPublished; }

}  // namespace gw
