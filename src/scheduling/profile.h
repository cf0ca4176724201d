// Profile: how one endpoint is chosen: filters, and behind them either weighted scorers and one
// picker, as the inference extension defines them, or a Rule (rule.h). Immutable after it is made;
// shared by all workers.

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
#include "scheduling/loads.h"
#include "scheduling/picker.h"
#include "scheduling/pool_memory.h"
#include "scheduling/rule.h"
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
  // What each term of the profile contributed to the chosen endpoint's score, in its order.
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

// What a decision is made with besides.
struct DecisionOptions {
  size_t next_max = 0;           // up to Decision::kNextMax
  TimePoint now{};               // of the sample
  PoolMemory* memory = nullptr;  // the pool's; a rule needs it
};

struct WeightedScorer {
  std::unique_ptr<Scorer> scorer;
  float weight = 1;
};

// Working memory of Schedule, one per worker, so that a decision allocates nothing.
struct SchedulingScratch {
  std::vector<float> scores;
  std::vector<float> totals;
  Loads loads;  // of a rule's candidates
};

class Profile {
 public:
  // The name of a rule's last term, which it need not know of: what failed lately at an endpoint.
  static constexpr std::string_view kFailuresTerm = "failures";

  Profile(std::string name, std::vector<std::unique_ptr<Filter>> filters,
          std::vector<WeightedScorer> scorers, std::unique_ptr<Picker> picker);
  // `rule` outlives it. Totals are costs with their signs turned, so that the highest is the best.
  // REQUIRES: as many constants as the rule has
  Profile(std::string name, std::vector<std::unique_ptr<Filter>> filters, const Rule& rule,
          std::vector<float> constants);

  const std::string& name() const { return name_; }
  std::span<const WeightedScorer> scorers() const { return scorers_; }  // empty with a rule
  const Rule* rule() const { return rule_; }                            // nullptr: scorers decide
  std::span<const std::string_view> terms() const { return terms_; }    // names, as in a Decision
  bool reads_prefix() const { return reads_prefix_; }

  // Consumes `candidates` (filters shorten it). REQUIRES: rule() == nullptr || options.memory
  Decision Schedule(const InferenceRequest& request, Candidates* candidates, Random& random,
                    SchedulingScratch* scratch, const DecisionOptions& options = {}) const;

 private:
  void AddScores(const InferenceRequest& request, const Candidates& candidates,
                 SchedulingScratch* scratch) const;
  void AddCosts(const RuleInput& input, SchedulingScratch* scratch) const;

  std::string name_;
  std::vector<std::unique_ptr<Filter>> filters_;
  std::vector<WeightedScorer> scorers_;
  std::unique_ptr<Picker> picker_;
  const Rule* rule_ = nullptr;
  std::vector<float> constants_;  // of the rule
  std::vector<std::string_view> terms_;
  bool reads_prefix_ = false;
};

}  // namespace gw
