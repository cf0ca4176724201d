// The costs of a rule for candidates by hand, for its tests.

#pragma once

#include <algorithm>
#include <vector>

#include "scheduling/plugins.h"
#include "scheduling/test_views.h"

namespace gw {

// What a rule reads of one candidate.
struct RuleCandidate {
  ViewOptions view;
  float running = 0;
  float decoding = 0;
  float context = 0;
  float cache = 0;
  float busy = 0;
  uint32_t hit_blocks = 0;  // 0: those of view.hit_tokens
};

class RuleBench {
 public:
  // Rows by term.
  std::vector<std::vector<float>> Costs(const Rule& rule, const std::vector<RuleCandidate>& all) {
    std::vector<EndpointView> views;
    Loads loads;
    for (const RuleCandidate& one : all) {
      views.push_back(View(one.view));
      views.back().slot = static_cast<uint32_t>(views.size() - 1);
      if (one.hit_blocks != 0) views.back().prefix_hit_blocks = one.hit_blocks;
      loads.running_requests.push_back(one.running);
      loads.decoding_tokens.push_back(one.decoding);
      loads.context_tokens.push_back(one.context);
      loads.cache_tokens.push_back(one.cache);
      loads.busy_seconds.push_back(one.busy);
    }
    const Candidates candidates(views);
    std::vector<float> rows(all.size() * rule.terms.size(), -1);
    std::vector<float> constants;
    for (const RuleConstant& constant : rule.constants) constants.push_back(constant.value);
    rule.cost({request, candidates, loads, memory, now, random, constants}, rows);
    std::vector<std::vector<float>> by_term;
    for (size_t t = 0; t < rule.terms.size(); ++t) {
      const auto from = rows.begin() + static_cast<std::ptrdiff_t>(t * all.size());
      by_term.emplace_back(from, from + static_cast<std::ptrdiff_t>(all.size()));
    }
    return by_term;
  }
  std::vector<double> Sums(const Rule& rule, const std::vector<RuleCandidate>& all) {
    std::vector<double> sums(all.size());
    for (const std::vector<float>& row : Costs(rule, all)) {
      for (size_t i = 0; i < row.size(); ++i) sums[i] += static_cast<double>(row[i]);
    }
    return sums;
  }

  InferenceRequest request;
  PoolMemory memory;
  TimePoint now{std::chrono::seconds(1000)};
  Random random{1};
};

inline const Rule& PublishedRule(std::string_view name) {
  const auto rules = PublishedRules();
  const auto found =
      std::find_if(rules.begin(), rules.end(), [&](const Rule& rule) { return rule.name == name; });
  CHECK(found != rules.end());
  return *found;
}

}  // namespace gw
