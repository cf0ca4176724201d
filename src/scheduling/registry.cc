#include "scheduling/registry.h"

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

std::shared_ptr<const Profile> MakeProfile(
    std::string name, std::initializer_list<std::string_view> filter_names,
    std::initializer_list<std::pair<std::string_view, float>> weights) {
  std::vector<std::unique_ptr<Filter>> filters;
  for (std::string_view filter : filter_names) filters.push_back(std::move(*NewFilter(filter)));
  std::vector<WeightedScorer> scorers;
  for (const auto& [scorer, weight] : weights) {
    scorers.push_back({std::move(*NewScorer(scorer)), weight});
  }
  return std::make_shared<const Profile>(std::move(name), std::move(filters), std::move(scorers),
                                         NewMaxScorePicker());
}

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
  static const std::shared_ptr<const Profile> by_default =
      MakeProfile("DEFAULT", {"fresh-metrics"},
                  {{"queue-depth", 2.0f},
                   {"kv-cache-utilization", 2.0f},
                   {"in-flight", 6.0f},
                   {"lora-affinity", 4.0f}});
  static const std::shared_ptr<const Profile> with_prefix =
      MakeProfile("PREFIX_CACHE", {"fresh-metrics"},
                  {{"queue-depth", 2.0f},
                   {"kv-cache-utilization", 2.0f},
                   {"in-flight", 6.0f},
                   {"lora-affinity", 4.0f},
                   {"prefix-cache", 3.0f}});
  return strategy == RoutingStrategy::kPrefixCache ? with_prefix : by_default;
}

namespace {

std::vector<std::shared_ptr<const Profile>> MakeStrategies() {
  std::vector<std::shared_ptr<const Profile>> all = {ProfileFor(RoutingStrategy::kDefault),
                                                     ProfileFor(RoutingStrategy::kPrefixCache)};
  const auto add = [&all](const Rule& rule) {
    std::vector<std::unique_ptr<Filter>> filters;
    filters.push_back(NewFreshMetricsFilter());
    all.push_back(
        std::make_shared<const Profile>(std::string(rule.name), std::move(filters), rule));
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
  static const std::shared_ptr<const Profile> load =
      MakeProfile("LOAD", {"fresh-metrics"}, {{"in-flight", 1.0f}});
  return load;
}

}  // namespace gw
