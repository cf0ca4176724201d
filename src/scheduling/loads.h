// Loads: what rules read of candidates besides their sample (pool/candidates.h): a column per
// signal, one row per candidate. Sampled only where a rule decides, as it is another cache line of
// each endpoint.

#pragma once

#include <vector>

#include "base/clock.h"
#include "pool/candidates.h"

namespace gw {

class Loads {
 public:
  std::vector<float> running_requests;  // scraped
  // Own accounting: prompts that are being decoded, with what was generated of them; the same with
  // the prompts that are yet to be computed, whatever is cached of them.
  std::vector<float> decoding_tokens;
  std::vector<float> context_tokens;
  std::vector<float> cache_tokens;  // that its KV cache has room for; 0: not reported
  std::vector<float> busy_seconds;  // pool/busy_time.h

  // REQUIRES: every candidate has its endpoint
  void Sample(const Candidates& candidates, TimePoint now);

 private:
  std::vector<uint32_t> busy_shares_;  // BusyTime::Reading
  std::vector<uint32_t> busy_ticks_;
};

}  // namespace gw
