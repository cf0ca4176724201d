// What one replica counts for its metrics page. One thread.

#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace gw::sim {

// The histograms of vLLM's page, in its order.
enum class Measure : uint8_t {
  kPromptTokens,
  kGenerationTokens,
  kIterationTokens,
  kMaxGenerationTokens,
  kParamN,
  kParamMaxTokens,
  kTtft,  // this and all below up to kDecode: seconds
  kItl,
  kTpot,
  kE2e,
  kQueue,
  kInference,
  kPrefill,
  kDecode,
  kPreemptions,
  kPrefillComputed,
  kHttpDuration,
  kCount,
};

class Distribution {
 public:
  explicit Distribution(std::span<const double> upper_bounds)
      : bounds_(upper_bounds), counts_(upper_bounds.size() + 1) {}
  void Observe(double value, uint64_t times = 1);

  std::span<const double> upper_bounds() const { return bounds_; }
  // One for each upper bound and one for what is above them all; not cumulative.
  std::span<const uint64_t> counts() const { return counts_; }
  uint64_t count() const { return count_; }
  double sum() const { return sum_; }

 private:
  std::span<const double> bounds_;
  std::vector<uint64_t> counts_;
  uint64_t count_ = 0;
  double sum_ = 0;
};

// How a request that reached the engine, or should have, ended.
enum class Ending : uint8_t {
  kStop,
  kLength,
  kAbort,       // the replica was stopped
  kClientLeft,  // closed or half-closed by the client
  kBroken,      // by a fault that was ordered
  kRefused,     // answered with an error status
  kError,       // KV that did not come, or a late error that was ordered
  kCount,
};
std::string_view NameOf(Ending ending);

struct ReplicaStats {
  ReplicaStats();

  void Observe(Measure measure, double value, uint64_t times = 1) {
    distributions[static_cast<size_t>(measure)].Observe(value, times);
  }
  const Distribution& of(Measure measure) const {
    return distributions[static_cast<size_t>(measure)];
  }
  void Count(Ending ending) { ++endings[static_cast<size_t>(ending)]; }
  uint64_t count(Ending ending) const { return endings[static_cast<size_t>(ending)]; }

  std::vector<Distribution> distributions;
  std::array<uint64_t, static_cast<size_t>(Ending::kCount)> endings{};
  uint64_t requests = 0;  // of the inference endpoints, whatever became of them
  uint64_t prompt_tokens = 0;
  uint64_t cached_prompt_tokens = 0;
  uint64_t received_prompt_tokens = 0;  // computed elsewhere
  uint64_t generation_tokens = 0;
  uint64_t kv_expired = 0;  // leases that ended before the blocks were fetched
  uint64_t kv_failed = 0;   // transfers
  uint64_t scrapes = 0;
};

}  // namespace gw::sim
