#include "scheduling/profile.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "scheduling/best.h"

namespace gw {
namespace {

// Adds a scorer's weighted row to the totals. What is not a number scores nothing: one such term
// must not decide for all candidates.
void AddRow(float weight, std::span<float> row, std::span<float> totals) {
  for (size_t i = 0; i < row.size(); ++i) {
    const float most = std::min(row[i], 1.0f);
    row[i] = weight * (row[i] >= 0 ? most : 0.0f);
    totals[i] += row[i];
  }
}

// Whatever the scorers look at: what has failed lately is not made better by being idle for it.
void ApplyPenalties(std::span<const float> penalties, SchedulingScratch* scratch) {
  bool any = false;
  for (const float penalty : penalties) any |= penalty != 0;
  if (!any) return;
  const size_t count = penalties.size();
  for (size_t i = 0; i < count; ++i) {
    if (penalties[i] == 0) continue;
    scratch->totals[i] /= 1 + penalties[i];
    for (size_t at = i; at < scratch->scores.size(); at += count) {
      scratch->scores[at] /= 1 + penalties[i];
    }
  }
}

// Beyond it costs are all the same, so that no sum of them is without bounds.
constexpr float kCostMax = 1e30f;
// Sums of the same terms may differ in the last bits: of costs in whatever unit those are equal
// that differ by less than this share of them.
constexpr float kCostTie = 1e-6f;
// What failed at an endpoint lately makes it worse by its penalty times how much the candidates
// differ and a share of what the best of them costs, whatever the unit; where all of that is 0 by
// next to nothing, which tells it from its equals.
constexpr float kPenaltyOfCost = 0.25f;
constexpr float kPenaltyOfNothing = 1e-3f;

void AddCostRow(std::span<float> row, std::span<float> totals) {
  for (size_t i = 0; i < row.size(); ++i) {
    const float most = row[i] < kCostMax ? row[i] : kCostMax;
    row[i] = 0.0f - std::max(most, -kCostMax);
    totals[i] += row[i];
  }
}

// The penalties as a row of their own.
void AddPenaltyRow(std::span<const float> penalties, std::span<float> row,
                   std::span<float> totals) {
  std::fill(row.begin(), row.end(), 0.0f);
  bool any = false;
  for (const float penalty : penalties) any |= penalty != 0;
  if (!any) return;
  const float highest = HighestOf(totals);
  const float lowest = *std::min_element(totals.begin(), totals.end());
  const float unit = highest - lowest + kPenaltyOfCost * std::abs(highest) + kPenaltyOfNothing;
  for (size_t i = 0; i < row.size(); ++i) {
    row[i] = 0.0f - penalties[i] * unit;
    totals[i] += row[i];
  }
}

void FillLosers(const Candidates& candidates, size_t chosen, const SchedulingScratch& scratch,
                Decision* decision) {
  size_t best[Decision::kLosersMax];
  decision->loser_count = FindBest(scratch.totals, chosen, 0, best);
  for (size_t n = 0; n < decision->loser_count; ++n) {
    Loser& loser = decision->losers[n];
    loser.endpoint = candidates.endpoints()[best[n]];
    loser.score = scratch.totals[best[n]];
    loser.in_flight_requests = candidates.in_flight_requests()[best[n]];
    for (size_t s = 0; s < decision->scorer_count; ++s) {
      loser.scores[s] = scratch.scores[s * candidates.size() + best[n]];
    }
  }
}

// Equal ones in an order that is drawn: were it the pool's, all that an endpoint fails would go to
// the same other one.
void FillNext(const Candidates& candidates, size_t chosen, size_t next_max,
              const SchedulingScratch& scratch, Random& random, Decision* decision) {
  if (next_max == 0) return;
  CHECK(next_max <= Decision::kNextMax);
  size_t best[Decision::kNextMax];
  decision->next_count = FindBest(scratch.totals, chosen, random.Below(candidates.size()),
                                  std::span(best).first(next_max));
  for (size_t n = 0; n < decision->next_count; ++n) {
    decision->next[n] = candidates.endpoints()[best[n]];
  }
}

}  // namespace

Profile::Profile(std::string name, std::vector<std::unique_ptr<Filter>> filters,
                 std::vector<WeightedScorer> scorers, std::unique_ptr<Picker> picker)
    : name_(std::move(name)),
      filters_(std::move(filters)),
      scorers_(std::move(scorers)),
      picker_(std::move(picker)) {
  CHECK(picker_ != nullptr);
  CHECK(scorers_.size() <= Decision::kScorersMax);
  for (const WeightedScorer& weighted : scorers_) {
    terms_.push_back(weighted.scorer->name());
    reads_prefix_ |= weighted.scorer->name() == "prefix-cache";
  }
}

Profile::Profile(std::string name, std::vector<std::unique_ptr<Filter>> filters, const Rule& rule,
                 std::vector<float> constants)
    : name_(std::move(name)),
      filters_(std::move(filters)),
      rule_(&rule),
      constants_(std::move(constants)),
      terms_(rule.terms.begin(), rule.terms.end()),
      reads_prefix_(rule.reads_prefix) {
  static_assert(Rule::kTermsMax + 1 == Decision::kScorersMax);
  CHECK(rule.terms.size() <= Rule::kTermsMax);
  CHECK(constants_.size() == rule.constants.size());
  terms_.push_back(kFailuresTerm);
}

// One row of scores per scorer, so that the decision can say what each contributed.
void Profile::AddScores(const InferenceRequest& request, const Candidates& candidates,
                        SchedulingScratch* scratch) const {
  const size_t count = candidates.size();
  for (size_t s = 0; s < scorers_.size(); ++s) {
    const std::span<float> row(scratch->scores.data() + s * count, count);
    scorers_[s].scorer->Score(request, candidates, row);
    AddRow(scorers_[s].weight, row, scratch->totals);
  }
  ApplyPenalties(candidates.penalties(), scratch);
}

void Profile::AddCosts(const RuleInput& input, SchedulingScratch* scratch) const {
  const size_t count = input.candidates.size();
  const std::span<float> rows(scratch->scores);
  const size_t terms = rule_->terms.size();
  rule_->cost(input, rows.first(terms * count));
  for (size_t t = 0; t < terms; ++t) AddCostRow(rows.subspan(t * count, count), scratch->totals);
  AddPenaltyRow(input.candidates.penalties(), rows.subspan(terms * count, count), scratch->totals);
}

Decision Profile::Schedule(const InferenceRequest& request, Candidates* candidates, Random& random,
                           SchedulingScratch* scratch, const DecisionOptions& options) const {
  Decision decision;
  for (const auto& filter : filters_) {
    if (candidates->empty()) return decision;
    filter->Keep(request, candidates);
  }
  if (candidates->empty()) return decision;

  const size_t count = candidates->size();
  scratch->totals.assign(count, 0.0f);
  scratch->scores.resize(count * terms_.size());
  size_t chosen = 0;
  if (rule_ != nullptr) {
    CHECK(options.memory != nullptr);
    scratch->loads.Sample(*candidates, options.now);
    AddCosts(
        {request, *candidates, scratch->loads, *options.memory, options.now, random, constants_},
        scratch);
    const float tie = kCostTie * std::abs(HighestOf(scratch->totals));
    chosen = PickHighest(scratch->totals, tie, random);
  } else {
    AddScores(request, *candidates, scratch);
    chosen = picker_->Pick(scratch->totals, random);
  }
  decision.endpoint = candidates->endpoints()[chosen];
  decision.profile = this;
  decision.prefix_hit_blocks = candidates->prefix_hit_blocks()[chosen];
  decision.candidates = static_cast<uint32_t>(count);
  decision.score = scratch->totals[chosen];
  decision.scorer_count = terms_.size();
  for (size_t s = 0; s < terms_.size(); ++s) {
    decision.scores[s] = scratch->scores[s * count + chosen];
  }
  decision.in_flight_requests = candidates->in_flight_requests()[chosen];
  FillLosers(*candidates, chosen, *scratch, &decision);
  FillNext(*candidates, chosen, options.next_max, *scratch, random, &decision);
  return decision;
}

}  // namespace gw
