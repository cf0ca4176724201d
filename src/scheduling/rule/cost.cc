// "COST": the time in seconds that a request takes at each endpoint and costs the others there:
//
//   [(Q + n) + d n + a n B + O (0.35e-3 C + 0.5 B) + k max(0, KV + n + O (B + 1) - 0.92 cap)] / R
//     + u busy + seconds to load the adapter
//
//   Q   tokens sent there whose first token has not come, net of cached ones
//   n   tokens of this prompt that the endpoint does not hold
//   B   requests in flight there, pending ones included
//   C   prompt and generated tokens of those that are decoded, and Q
//   O   mean of output tokens, learned by pool and model (pool_memory.h)
//   KV  context of all that is in flight there, or what its metrics say with Q if that is less
//   cap tokens that its KV cache has room for; not reported: the term is 0
//   R   tokens per second that a prompt is computed at, learned by pool, and by endpoint where they
//       differ (prompt_speeds.h)
//
// In this order: its own wait and prompt; what its tokens evict and somebody computes again; how
// long it holds up those that are decoded there; how much they slow its own decoding down; those
// that are preempted for want of memory; how busy the endpoint was, which spreads what the others
// leave equal. The form is that of "token-cost" (published.cc); the constants are tuned in a
// simulation of several workloads.

#include <algorithm>

#include "base/check.h"
#include "scheduling/plugins.h"
#include "scheduling/rule/terms.h"

namespace gw {
namespace {

enum Constant : uint8_t {
  kEvict,
  kStall,
  kDecodeContext,
  kDecodeRequest,
  kPreempt,
  kUsableCache,
  kBusy
};
constexpr RuleConstant kConstants[] = {
    {"evict", 4, "d: prompt tokens for each new one, for what it evicts"},
    {"stall", 0.2f, "a: for each new one and request in flight, which it holds up"},
    {"decode-context", 0.35e-3f, "for each token to be generated and token of context there"},
    {"decode-request", 0.5f, "for each token to be generated and request in flight"},
    {"preempt", 3, "k: for each token that has no room"},
    {"usable-cache", 0.92f, "share of the KV cache that fills without preemptions"},
    {"busy", 1, "u: of the seconds of the last 10 that the endpoint was busy"},
};

constexpr std::string_view kTerms[] = {"wait",    "evict", "stall", "decode",
                                       "preempt", "busy",  "lora"};
enum Term : uint8_t { kWait, kEvicted, kStalled, kDecode, kPreempted, kBusyTerm, kLora };

float SecondsToLoad(LoraAffinity affinity) {
  switch (affinity) {
    case LoraAffinity::kNotLora:
    case LoraAffinity::kActive:
      return 0;
    case LoraAffinity::kRoom:
      return 0.3f;
    case LoraAffinity::kWaiting:
      return 0.6f;
    case LoraAffinity::kFull:
      return 2;  // until a slot comes free
  }
  CHECK(false);
}

// A model server reports adapters only once one was used: where any reports how it stands to this
// one, those that report nothing have all their room left. Nobody does if none is asked for.
void FillLora(std::span<const LoraAffinity> loras, std::span<float> row) {
  bool any_reports = false;
  for (const LoraAffinity lora : loras) any_reports |= lora != LoraAffinity::kNotLora;
  if (!any_reports) {
    std::fill(row.begin(), row.end(), 0.0f);
    return;
  }
  for (size_t i = 0; i < row.size(); ++i) {
    const bool silent = loras[i] == LoraAffinity::kNotLora;
    row[i] = SecondsToLoad(silent ? LoraAffinity::kRoom : loras[i]);
  }
}

// KV cache that is wanted beyond what there is, in tokens.
void FillPreempted(const RuleInput& input, float output, const float* pending,
                   const float* uncached, const float* requests, std::span<float> row) {
  const float* const context = input.loads.context_tokens.data();
  const float* const cache = input.loads.cache_tokens.data();
  const float* const used_ratio = input.candidates.kv_cache_utilization_ratios().data();
  const uint32_t* const fresh = input.candidates.metrics_fresh().data();
  const float usable = input.constants[kUsableCache];
  float* const preempt = row.data();
  for (size_t i = 0; i < row.size(); ++i) {
    const float own = context[i];
    const float room = cache[i];
    const float told = used_ratio[i] * room + pending[i];
    const float least = told < own ? told : own;
    const float held = fresh[i] != 0 ? least : own;
    const float wanted = held + uncached[i] + output * (requests[i] + 1) - usable * room;
    const float beyond = wanted > 0 ? wanted : 0.0f;
    preempt[i] = room > 0 ? beyond : 0.0f;
  }
}

// Several short loops: of one that reads and writes all these columns the compiler does not see
// that none overlaps another, and computes one candidate at a time.
void FillCosts(const RuleInput& input, std::span<float> rows) {
  const Terms terms(input);
  const float output = input.memory.OutputTokens(input.request.target_model);
  const size_t count = terms.size();
  float* const wait = RowOf(input, rows, kWait).data();
  float* const evict = RowOf(input, rows, kEvicted).data();
  float* const stall = RowOf(input, rows, kStalled).data();
  float* const decode = RowOf(input, rows, kDecode).data();
  float* const preempt = RowOf(input, rows, kPreempted).data();
  float* const busy = RowOf(input, rows, kBusyTerm).data();
  float* const token_s = RowOf(input, rows, kLora).data();  // R, until the row gets its own
  input.memory.FillSecondsPerToken(input.candidates, RowOf(input, rows, kLora));
  // What is there of ours, in rows that are free yet. What others have there (foreign_requests)
  // would be added here.
  float* const pending = wait;
  float* const uncached = evict;
  float* const requests = stall;
  for (size_t i = 0; i < count; ++i) pending[i] = terms.Pending(i);
  for (size_t i = 0; i < count; ++i) uncached[i] = terms.Uncached(i);
  for (size_t i = 0; i < count; ++i) requests[i] = terms.Requests(i);
  FillPreempted(input, output, pending, uncached, requests, RowOf(input, rows, kPreempted));
  const float* const decoding = input.loads.decoding_tokens.data();
  const float decode_context = output * input.constants[kDecodeContext];
  const float decode_request = output * input.constants[kDecodeRequest];
  const float beyond = input.constants[kPreempt];
  for (size_t i = 0; i < count; ++i) {
    const float tokens = decode_context * (decoding[i] + pending[i]) + decode_request * requests[i];
    decode[i] = tokens * token_s[i];
    preempt[i] *= beyond * token_s[i];
  }
  const float stalls = input.constants[kStall];
  const float evicts = input.constants[kEvict];
  for (size_t i = 0; i < count; ++i) {
    const float prompt = uncached[i] * token_s[i];
    wait[i] = pending[i] * token_s[i] + prompt;
    stall[i] = stalls * prompt * requests[i];
    evict[i] = evicts * prompt;
  }
  const float* const busy_seconds = input.loads.busy_seconds.data();
  const float weight = input.constants[kBusy];
  for (size_t i = 0; i < count; ++i) busy[i] = weight * busy_seconds[i];
  FillLora(input.candidates.loras(), RowOf(input, rows, kLora));
}

}  // namespace

const Rule& CostRule() {
  static constexpr Rule kRule = {"COST", kTerms, kConstants, true, FillCosts};
  return kRule;
}

}  // namespace gw
