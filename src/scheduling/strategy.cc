#include "scheduling/strategy.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "absl/strings/numbers.h"
#include "base/check.h"
#include "base/suggest.h"
#include "scheduling/registry.h"

namespace gw {
namespace {

constexpr std::string_view kWeight = "weight";

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string Joined(std::span<const std::string_view> names) {
  std::string text;
  for (const std::string_view name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

absl::Status Wrong(std::string message) { return absl::InvalidArgumentError(std::move(message)); }

// "busy=0.5" among the constants that there are: sets its value.
absl::Status ReadConstant(std::string_view strategy, std::string_view text,
                          std::vector<RuleConstant>* constants, std::vector<bool>* given) {
  const size_t equals = text.find('=');
  if (equals == text.npos) {
    return Wrong(fmt::format("{}: wanted constants such as NAME=NUMBER, got \"{}\"", strategy,
                             Trimmed(text)));
  }
  const std::string_view name = Trimmed(text.substr(0, equals));
  const std::string_view number = Trimmed(text.substr(equals + 1));
  std::vector<std::string_view> known;
  for (const RuleConstant& constant : *constants) known.push_back(constant.name);
  const auto found = std::ranges::find(known, name);
  if (known.empty()) return Wrong(fmt::format("{} has no constants, got \"{}\"", strategy, name));
  if (found == known.end()) {
    return Wrong(fmt::format("{} has no constant \"{}\", known are {}{}", strategy, name,
                             Joined(known), DidYouMean(name, known)));
  }
  const auto at = static_cast<size_t>(found - known.begin());
  if ((*given)[at]) return Wrong(fmt::format("{}: {} is given twice", strategy, name));
  (*given)[at] = true;
  float value = 0;
  // NaN is in no range.
  if (!absl::SimpleAtof(absl::string_view(number.data(), number.size()), &value) ||
      !(value >= 0 && value <= kRuleConstantMax)) {
    return Wrong(fmt::format("{}: {}: wanted a number from 0 to {:g}, got \"{}\"", strategy, name,
                             kRuleConstantMax, number));
  }
  (*constants)[at].value = value;
  return absl::OkStatus();
}

}  // namespace

std::vector<RuleConstant> ConstantsOf(std::string_view strategy) {
  const std::shared_ptr<const Profile> profile = ProfileNamed(strategy);
  CHECK(profile != nullptr);
  if (const Rule* const rule = profile->rule(); rule != nullptr) {
    return {rule->constants.begin(), rule->constants.end()};
  }
  std::vector<RuleConstant> weights;
  for (const std::string_view name : ScorerNames()) weights.push_back({name, 0, kWeight});
  for (const WeightedScorer& weighted : profile->scorers()) {
    std::ranges::find(weights, weighted.scorer->name(), &RuleConstant::name)->value =
        weighted.weight;
  }
  return weights;
}

absl::StatusOr<std::shared_ptr<const Profile>> ReadStrategy(std::string_view text) {
  text = Trimmed(text);
  const size_t open = text.find('(');
  const std::string_view name = Trimmed(text.substr(0, open));
  std::shared_ptr<const Profile> plain = ProfileNamed(name);
  if (plain == nullptr) {
    const std::span<const std::string_view> names = StrategyNames();
    return Wrong(fmt::format("must be one of {}, got \"{}\"{}", Joined(names), name,
                             DidYouMean(name, names)));
  }
  if (open == text.npos) return plain;
  if (!text.ends_with(')')) {
    return Wrong(fmt::format("must be such as {}(NAME=NUMBER,...), got \"{}\"", name, text));
  }
  std::vector<RuleConstant> constants = ConstantsOf(name);
  std::vector<bool> given(constants.size());
  std::string_view rest = text.substr(open + 1, text.size() - open - 2);
  while (true) {
    const size_t comma = rest.find(',');
    RETURN_IF_ERROR(ReadConstant(name, rest.substr(0, comma), &constants, &given));
    if (comma == rest.npos) break;
    rest.remove_prefix(comma + 1);
  }
  return ProfileWith(*plain, std::string(text), constants);
}

std::vector<std::string> SplitStrategies(std::string_view text) {
  std::vector<std::string> strategies;
  int depth = 0;
  size_t from = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    depth += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
    if (text[i] != ',' || depth > 0) continue;
    strategies.emplace_back(Trimmed(text.substr(from, i - from)));
    from = i + 1;
  }
  strategies.emplace_back(Trimmed(text.substr(from)));
  return strategies;
}

}  // namespace gw
