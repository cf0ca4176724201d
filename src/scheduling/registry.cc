#include "scheduling/registry.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "fmt/format.h"
#include "scheduling/plugins.h"

namespace gw {
namespace {

template <typename Plugin>
struct Entry {
  std::string_view name;
  std::unique_ptr<Plugin> (*make)();
};

constexpr Entry<Scorer> kScorers[] = {
    {"queue-depth", NewQueueDepthScorer},   {"kv-cache-utilization", NewKvCacheUtilizationScorer},
    {"in-flight", NewInFlightScorer},       {"pending-tokens", NewPendingTokensScorer},
    {"prefix-cache", NewPrefixCacheScorer}, {"lora-affinity", NewLoraAffinityScorer},
};
constexpr Entry<Filter> kFilters[] = {
    {"fresh-metrics", NewFreshMetricsFilter},
};
constexpr Entry<Picker> kPickers[] = {
    {"max-score", NewMaxScorePicker},
};

template <typename Plugin, size_t kSize>
std::vector<std::string_view> NamesOf(const Entry<Plugin> (&entries)[kSize]) {
  std::vector<std::string_view> names;
  for (const Entry<Plugin>& entry : entries) names.push_back(entry.name);
  return names;
}

template <typename Plugin, size_t kSize>
absl::StatusOr<std::unique_ptr<Plugin>> Make(std::string_view kind, std::string_view name,
                                             const Entry<Plugin> (&entries)[kSize]) {
  for (const Entry<Plugin>& entry : entries) {
    if (entry.name == name) return entry.make();
  }
  std::string message = fmt::format("no {} \"{}\"; known:", kind, name);
  for (const Entry<Plugin>& entry : entries) message.append(" ").append(entry.name);
  return absl::NotFoundError(message);
}

std::vector<std::unique_ptr<Filter>> FreshMetrics() {
  std::vector<std::unique_ptr<Filter>> filters;
  filters.push_back(NewFreshMetricsFilter());
  return filters;
}

using Weight = std::pair<std::string_view, float>;

std::shared_ptr<const Profile> MakeProfile(std::string name, std::span<const Weight> weights) {
  std::vector<WeightedScorer> scorers;
  for (const auto& [scorer, weight] : weights) {
    scorers.push_back({std::move(*NewScorer(scorer)), weight});
  }
  return std::make_shared<const Profile>(std::move(name), FreshMetrics(), std::move(scorers),
                                         NewMaxScorePicker());
}

std::shared_ptr<const Profile> MakeProfile(std::string name, const Rule& rule,
                                           std::span<const RuleConstant> constants) {
  std::vector<float> values;
  for (const RuleConstant& constant : constants) values.push_back(constant.value);
  return std::make_shared<const Profile>(std::move(name), FreshMetrics(), rule, std::move(values));
}

constexpr Weight kDefaultWeights[] = {{"queue-depth", 2.0f},
                                      {"kv-cache-utilization", 2.0f},
                                      {"in-flight", 6.0f},
                                      {"lora-affinity", 4.0f}};
constexpr Weight kPrefixCacheWeights[] = {{"queue-depth", 2.0f},
                                          {"kv-cache-utilization", 2.0f},
                                          {"in-flight", 6.0f},
                                          {"lora-affinity", 4.0f},
                                          {"prefix-cache", 3.0f}};
constexpr Weight kLoadWeights[] = {{"in-flight", 1.0f}};

}  // namespace

absl::StatusOr<std::unique_ptr<Scorer>> NewScorer(std::string_view name) {
  return Make("scorer", name, kScorers);
}
absl::StatusOr<std::unique_ptr<Filter>> NewFilter(std::string_view name) {
  return Make("filter", name, kFilters);
}
absl::StatusOr<std::unique_ptr<Picker>> NewPicker(std::string_view name) {
  return Make("picker", name, kPickers);
}

std::span<const std::string_view> ScorerNames() {
  static const std::vector<std::string_view> names = NamesOf(kScorers);
  return names;
}
std::span<const std::string_view> FilterNames() {
  static const std::vector<std::string_view> names = NamesOf(kFilters);
  return names;
}
std::span<const std::string_view> PickerNames() {
  static const std::vector<std::string_view> names = NamesOf(kPickers);
  return names;
}

std::shared_ptr<const Profile> ProfileFor(RoutingStrategy strategy) {
  static const auto by_default = MakeProfile("DEFAULT", kDefaultWeights);
  static const auto with_prefix = MakeProfile("PREFIX_CACHE", kPrefixCacheWeights);
  return strategy == RoutingStrategy::kPrefixCache ? with_prefix : by_default;
}

namespace {

std::vector<std::shared_ptr<const Profile>> MakeStrategies() {
  std::vector<std::shared_ptr<const Profile>> all = {ProfileFor(RoutingStrategy::kDefault),
                                                     ProfileFor(RoutingStrategy::kPrefixCache)};
  const auto add = [&all](const Rule& rule) {
    all.push_back(MakeProfile(std::string(rule.name), rule, rule.constants));
  };
  add(CostRule());
  for (const Rule& rule : PublishedRules()) add(rule);
  return all;
}

const std::vector<std::shared_ptr<const Profile>>& Strategies() {
  static const std::vector<std::shared_ptr<const Profile>> all = MakeStrategies();
  return all;
}

}  // namespace

std::shared_ptr<const Profile> ProfileNamed(std::string_view strategy) {
  for (const auto& profile : Strategies()) {
    if (profile->name() == strategy) return profile;
  }
  return nullptr;
}

std::span<const std::string_view> StrategyNames() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const auto& profile : Strategies()) all.emplace_back(profile->name());
    return all;
  }();
  return names;
}

std::shared_ptr<const Profile> LoadProfile() {
  static const auto load = MakeProfile("LOAD", kLoadWeights);
  return load;
}

// Scorers that the strategy has first, in its order: sums of the same weights are the same to the
// last bit.
std::shared_ptr<const Profile> ProfileWith(const Profile& strategy, std::string name,
                                           std::span<const RuleConstant> constants) {
  if (strategy.rule() != nullptr) return MakeProfile(std::move(name), *strategy.rule(), constants);
  std::vector<Weight> weights;
  const auto add = [&](const RuleConstant& constant) {
    if (constant.value != 0) weights.emplace_back(constant.name, constant.value);
  };
  const auto has = [&](std::string_view scorer) {
    return std::ranges::find(strategy.terms(), scorer) != strategy.terms().end();
  };
  for (const std::string_view scorer : strategy.terms()) {
    add(*std::ranges::find(constants, scorer, &RuleConstant::name));
  }
  for (const RuleConstant& constant : constants) {
    if (!has(constant.name)) add(constant);
  }
  return MakeProfile(std::move(name), weights);
}

}  // namespace gw
