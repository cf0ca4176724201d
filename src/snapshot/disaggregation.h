// Disaggregation: how a pool serves its requests in two halves. The prefill half computes the
// prompt on one endpoint, the decode half generates on another, and the KV cache goes from the one
// to the other directly.

#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "pool/pool.h"
#include "scheduling/profile.h"

namespace gw {

struct Disaggregation {
  // SGLang's own default for the port of its bootstrap server.
  static constexpr uint16_t kBootstrapPortDefault = 8998;
  // Of a pool with endpoints that do both: below this many tokens to compute, moving the KV cache
  // costs more than it saves. A guess between the extremes; the policy may say otherwise.
  static constexpr uint64_t kUncachedTokensMinDefault = 512;
  // How long vLLM's NIXL connector keeps blocks that nobody fetches.
  static constexpr Duration kLease = std::chrono::seconds(30);

  // Parts of the pool's endpoints, with its id; one that does both is in both. Of a runtime there
  // are decode endpoints only if they can be paired, or can do without.
  Pool decode;
  Pool whole;  // those that serve a request alone
  std::vector<std::pair<Runtime, Pool>> prefill;
  std::shared_ptr<const Profile> prefill_profile;
  std::shared_ptr<const Profile> decode_profile;
  bool prefill_uses_prefix = false;
  bool decode_uses_prefix = false;
  uint16_t bootstrap_port = kBootstrapPortDefault;
  // An endpoint that does both serves a request alone if fewer tokens of its prompt are uncached
  // there. 0: never.
  uint64_t uncached_tokens_min = 0;
  // From the dispatch of a pair until its KV cache has provably arrived.
  Duration bootstrap_timeout = std::chrono::seconds(300);

  // The endpoints whose KV cache an endpoint of that runtime can take over.
  const Pool* PrefillOf(Runtime runtime) const {
    for (const auto& [of, pool] : prefill) {
      if (of == runtime) return &pool;
    }
    return nullptr;
  }
};

}  // namespace gw
