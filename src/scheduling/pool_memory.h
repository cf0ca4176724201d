// PoolMemory: what the rules of one pool learn from its requests as they come and go: how long its
// answers are, how fast it computes prompts. Shared by all workers, and kept when the configuration
// changes. Nothing here reads a clock: what it knows follows from the calls.

#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "pool/candidates.h"
#include "scheduling/prompt_speeds.h"

namespace gw {

// Thread-safe. Its lock is held for some tens of nanoseconds.
class PoolMemory {
 public:
  // Answers: before any has come, as if kOutputPriorCount of them had had kOutputPrior tokens. A
  // new one counts 1 / kOutputsKept at least, so that the mean follows some thousands of requests.
  static constexpr double kOutputPrior = 256;
  static constexpr double kOutputPriorCount = 8;
  static constexpr double kOutputsKept = 2000;
  // Models with a mean of their own. Others, whose names clients may have invented, have the
  // pool's.
  static constexpr size_t kModelsMax = 64;

  // Tokens of the last three minutes, for PrefillWindow.
  static constexpr Duration kWindowStep = std::chrono::seconds(10);
  static constexpr size_t kWindowSteps = 18;

  // A prompt was sent to the endpoint, which is not believed to hold so many tokens of it.
  void OnDispatch(const EndpointState& state, int64_t uncached_tokens, TimePoint now);
  // The first token of such a prompt came. Not of answers that come as a whole: their first byte is
  // their last.
  void OnFirstToken(const EndpointState& state, int64_t uncached_tokens, TimePoint dispatched,
                    TimePoint now);
  // A whole answer has come.
  void OnEnd(const EndpointState& state, std::string_view model, int64_t output_tokens,
             TimePoint now);

  // The mean of a model's answers.
  float OutputTokens(std::string_view model) const;
  // What the pool's endpoints compute of prompts (prompt_speeds.h).
  float prefill_tokens_per_second() const {
    return tokens_per_second_.load(std::memory_order_relaxed);
  }
  // For each candidate how long one token of a prompt takes.
  void FillSecondsPerToken(const Candidates& candidates, std::span<float> seconds) const;
  // Tokens that each candidate was sent to compute in the last three minutes, and generated.
  void FillWindows(const Candidates& candidates, TimePoint now, std::span<float> tokens) const;
  // 0, 1, 2, ...: whose turn it is among those whose first one has that slot. Both halves of a
  // split pool come here, in turn: counted together, each would meet every other number alone.
  uint64_t TakeTurn(uint32_t first_slot);

 private:
  struct Mean {
    double tokens = kOutputPrior;
    double count = kOutputPriorCount;

    void Learn(double observed);
  };
  struct Step {
    int64_t number = INT64_MIN;  // since the clock's beginning
    double tokens = 0;
  };
  // Of one endpoint, by its slot. Where the slot has passed to another address what is known of the
  // one before is old, and gone in minutes.
  struct OfEndpoint {
    std::array<Step, kWindowSteps> window{};
    uint64_t turns = 0;
  };

  OfEndpoint& Of(uint32_t slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void AddToWindow(OfEndpoint& of, int64_t tokens, TimePoint now);

  mutable Mutex mutex_;
  std::vector<OfEndpoint> endpoints_ ABSL_GUARDED_BY(mutex_);
  Mean outputs_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, Mean> outputs_by_model_ ABSL_GUARDED_BY(mutex_);
  PromptSpeeds speeds_ ABSL_GUARDED_BY(mutex_);
  std::atomic<float> tokens_per_second_{PromptSpeeds::kPrior};
  std::atomic<bool> mixed_{false};
};

// Those of all pools, by their ids. One lives as long as anybody holds it: a reload that keeps the
// pool keeps what it has learned. Thread-safe.
class PoolMemories {
 public:
  std::shared_ptr<PoolMemory> Get(const std::string& pool);

 private:
  Mutex mutex_;
  std::map<std::string, std::weak_ptr<PoolMemory>> memories_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace gw
