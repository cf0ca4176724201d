// The sample of a pool that one decision is made on.

#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "inference/request.h"
#include "pool/candidates.h"
#include "pool/pool.h"

namespace gw {

// Which endpoints of a pool may be chosen, by their slots.
struct Eligible {
  std::span<const uint32_t> excluded = {};  // already tried by this request
  // Nothing but these, sorted. Where the pool has none of them, no endpoint is chosen.
  std::optional<std::span<const uint32_t>> only = std::nullopt;

  bool Has(uint32_t slot) const {
    if (only && !std::binary_search(only->begin(), only->end(), slot)) return false;
    return std::find(excluded.begin(), excluded.end(), slot) == excluded.end();
  }
};

// What Eligible::only wants, of addresses such as "10.0.0.7:8000", or "10.0.0.7", which is every
// port there; those that are not of the pool are left out.
std::vector<uint32_t> SlotsOf(const Pool& pool, std::span<const std::string_view> addresses);

// Samples the eligible endpoints of a pool, once, for one decision. Ejected and silent ones, and
// those that have all that their trial or their share allows, are left out unless nothing else is
// left (pool/health.h, pool/pushback.h); a subset is judged by itself there, as if it were the
// pool. Prefix hits are left 0: the caller fills them from the index.
void SampleEndpoints(const Pool& pool, const InferenceRequest& request, TimePoint now,
                     const Eligible& eligible, Candidates* candidates);

}  // namespace gw
