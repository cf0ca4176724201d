// Strategies as they are written: a name, and constants that take the place of its own. Whoever
// names a strategy, an annotation or a flag, is read here.
//
//   COST    COST(busy=0.5, preempt=2)    PREFIX_CACHE(prefix-cache=5, pending-tokens=3)
//
// Constants of a rule are what it declares (rule.h); of a profile that scores they are the weights
// of its scorers, by their names. A scorer that it has not is added, one of weight 0 is left out.

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "scheduling/profile.h"
#include "scheduling/rule.h"

namespace gw {

// No constant is larger, and none is below 0.
inline constexpr float kRuleConstantMax = 1e9f;

// Without constants the one that ProfileNamed has; else a new one, whose name is the text. An error
// begins with "must be", or with what is wrong of which constant, and says which are known.
absl::StatusOr<std::shared_ptr<const Profile>> ReadStrategy(std::string_view text);

// What may be given of a strategy, with what it is otherwise; of one that scores every scorer, with
// the weight 0 of those that it has not. REQUIRES: one of StrategyNames()
std::vector<RuleConstant> ConstantsOf(std::string_view strategy);

// "COST(busy=1,preempt=2),random": at the commas outside of parentheses.
std::vector<std::string> SplitStrategies(std::string_view text);

}  // namespace gw
