// PrefillHalf: one half of a disaggregated request in virtual time, as vLLM's KV connectors do it:
// computes the prompt and one token elsewhere, and keeps the blocks until they are fetched.

#pragma once

#include <cstdint>
#include <vector>

#include "bench/virtual/replica.h"

namespace gw::bench {

class PrefillHalf final : private ReplicaCaller {
 public:
  class Owner {
   public:
    virtual void OnPrefilled() = 0;
    virtual void OnPrefillBroken() = 0;  // its server has died

   protected:
    ~Owner() = default;
  };

  explicit PrefillHalf(Owner& owner) : owner_(owner) {}

  // False: the server has no room for it, and never will have. REQUIRES: replica.up(); the one
  // before is released
  bool Send(VirtualReplica& replica, uint64_t id, uint32_t prompt_tokens,
            std::vector<uint64_t> block_names);
  // The blocks are there to be fetched; false once their server has died.
  bool holds_blocks() const;
  uint32_t cached_tokens() const { return cached_tokens_; }  // of its prompt, found there
  // Nobody wants it or its blocks any more. Of none: nothing.
  void Release();

 private:
  void OnScheduled(uint32_t cached_tokens) override { cached_tokens_ = cached_tokens; }
  void OnToken(uint32_t) override {}
  void OnFinished() override;
  void OnBroken() override;

  Owner& owner_;
  VirtualReplica* replica_ = nullptr;  // that computes it, or holds its blocks
  uint64_t id_ = 0;
  bool done_ = false;
  uint32_t cached_tokens_ = 0;
  double process_start_s_ = 0;
};

}  // namespace gw::bench
