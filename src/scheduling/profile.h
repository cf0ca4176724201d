// Profile: filters, weighted scorers and one picker, as the inference extension defines them.
// Immutable after it is made; shared by all workers.

#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "inference/request.h"
#include "pool/candidates.h"
#include "scheduling/filter.h"
#include "scheduling/picker.h"
#include "scheduling/sample.h"
#include "scheduling/scorer.h"

namespace gw {

class Profile;

// A candidate that was not chosen.
struct Loser {
  static constexpr size_t kScorersMax = 8;
  const Endpoint* endpoint = nullptr;
  float score = 0;
  float scores[kScorersMax] = {};
  int32_t in_flight_requests = 0;
};

// Which endpoint, and why. `endpoint` is nullptr if no candidate is left.
struct Decision {
  const Endpoint* endpoint = nullptr;
  const Profile* profile = nullptr;  // that made it
  uint32_t prefix_hit_blocks = 0;
  uint32_t candidates = 0;
  float score = 0;
  // The chosen endpoint's weighted score of each scorer, in the profile's order.
  static constexpr size_t kScorersMax = Loser::kScorersMax;
  float scores[kScorersMax] = {};
  size_t scorer_count = 0;
  int32_t in_flight_requests = 0;  // of our own at the chosen endpoint, before this one
  // The best that were not chosen, best first.
  static constexpr size_t kLosersMax = 3;
  std::array<Loser, kLosersMax> losers = {};
  size_t loser_count = 0;
  // The next best in order, if they were asked for: whom to try when the chosen one fails.
  static constexpr size_t kNextMax = 8;
  std::array<const Endpoint*, kNextMax> next = {};
  size_t next_count = 0;
  LeftOuts left_out = {};  // set by who took the sample
};

struct DecisionOptions {
  size_t next_max = 0;  // up to Decision::kNextMax
};

struct WeightedScorer {
  std::unique_ptr<Scorer> scorer;
  float weight = 1;
};

// Working memory of Schedule, one per worker, so that a decision allocates nothing.
struct SchedulingScratch {
  std::vector<float> scores;
  std::vector<float> totals;
};

class Profile {
 public:
  Profile(std::string name, std::vector<std::unique_ptr<Filter>> filters,
          std::vector<WeightedScorer> scorers, std::unique_ptr<Picker> picker);

  const std::string& name() const { return name_; }
  std::span<const WeightedScorer> scorers() const { return scorers_; }

  // Consumes `candidates` (filters shorten it).
  Decision Schedule(const InferenceRequest& request, Candidates* candidates, Random& random,
                    SchedulingScratch* scratch, const DecisionOptions& options = {}) const;

 private:
  std::string name_;
  std::vector<std::unique_ptr<Filter>> filters_;
  std::vector<WeightedScorer> scorers_;
  std::unique_ptr<Picker> picker_;
};

}  // namespace gw
