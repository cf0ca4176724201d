// How long one iteration of a model server takes, as a function of what is in its batch.
//
//   T = h + hseq*S + max(w0 + w1*tok + wsat*(1 - exp(-tok/nsat)), c0 + c*tok) + kv*ctx + at*qk
//
//   S    sequences in the batch          ctx  context tokens of the decoding sequences
//   tok  tokens computed                 qk   sum over prefill chunks of n * (computed + n/2)
//
// The CPU's share and kernel launches; then what takes longer, reading the weights (of a mixture of
// experts more of them the more tokens there are) or computing; then reading the KV cache, and the
// attention of prefill. Constants are in server_spec.cc.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "base/clock.h"

namespace gw::sim {

// What one iteration computes.
struct BatchShape {
  uint32_t sequences = 0;
  uint32_t tokens = 0;
  uint64_t decode_context_tokens = 0;
  double prefill_attention = 0;  // qk above
};

struct StepTimer {
  double h_us = 0;
  double hseq_us = 0;
  double w0_us = 0;
  double w1_us = 0;  // per token
  double wsat_us = 0;
  double nsat = 1;  // tokens
  double c0_us = 0;
  double c_us = 0;   // per token
  double kv_ns = 0;  // per context token
  double at_ns = 0;  // per unit of qk

  Duration Of(const BatchShape& batch) const {
    const double tokens = batch.tokens;
    const double weights =
        w0_us + w1_us * tokens + (wsat_us > 0 ? wsat_us * (1 - std::exp(-tokens / nsat)) : 0);
    const double compute = c0_us + c_us * tokens;
    const double us = h_us + hseq_us * batch.sequences + std::max(weights, compute);
    const double ns =
        kv_ns * static_cast<double>(batch.decode_context_tokens) + at_ns * batch.prefill_attention;
    return Duration(static_cast<int64_t>(us * 1e3 + ns));
  }
};

}  // namespace gw::sim
