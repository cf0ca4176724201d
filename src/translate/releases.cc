#include "translate/releases.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "release/plan.h"
#include "release/split.h"
#include "translate/context.h"
#include "translate/pools.h"

namespace gw::internal {
namespace {

using Destination = api::ModelRelease::Destination;

// What only one release can have.
std::string PlaceOf(const ServedRelease& served) { return "release of " + served.about; }

std::string NameOf(const Destination& destination) {
  if (destination.kind.empty() || destination.kind == "InferencePool") return destination.name;
  return destination.kind + " " + destination.name;
}

release::ReleasePlan PlanOf(const api::ModelRelease& spec) {
  release::ReleasePlan plan;
  plan.name = spec.meta.ns + "/" + spec.meta.name;
  plan.stable = NameOf(spec.stable);
  plan.candidate = NameOf(spec.candidate);
  for (const api::ModelRelease::Step& step : spec.steps) {
    plan.steps.push_back({step.weight_percent, step.pause, step.samples_min});
  }
  plan.criteria = {spec.criteria.error_rate, spec.criteria.ttft, spec.criteria.tpot,
                   spec.criteria.finish_reasons};
  plan.false_alarm_rate = spec.false_alarm_rate;
  plan.on_breach = spec.on_breach == api::ModelRelease::OnBreach::kHold
                       ? release::OnBreach::kHold
                       : release::OnBreach::kRollBack;
  plan.paused = spec.paused;
  switch (spec.request) {
    case api::ModelRelease::Request::kNone:
      break;
    case api::ModelRelease::Request::kPromote:
      plan.request = release::Request::kPromote;
      break;
    case api::ModelRelease::Request::kAbort:
      plan.request = release::Request::kAbort;
      break;
  }
  return plan;
}

Verdict RefusedAt(const api::ModelRelease& spec, std::string reason, const std::string& field,
                  const std::string& message) {
  return Refused(std::move(reason),
                 fmt::format("{}: {}{}", field, message, spec.meta.Where(field)));
}

// On a cluster what is missing may still come.
Verdict Missing(const Context& context, const api::ModelRelease& spec, const std::string& field,
                const std::string& message) {
  Verdict refused = RefusedAt(spec, "TargetNotFound", field, message);
  return context.options.only_controller ? refused : Pending(refused.message);
}

// The rule that is meant; nullopt: `verdict` says why there is none.
std::optional<size_t> FindRule(const Context& context, const api::ModelRelease& spec,
                               const api::HttpRoute& route, Verdict* verdict) {
  if (spec.rule.empty()) {
    if (route.rules.size() == 1) return 0;
    *verdict = RefusedAt(spec, "Invalid", "spec.route.rule",
                         fmt::format("HTTPRoute {} has {} rules: the name of one is wanted, or its "
                                     "number from 0",
                                     spec.route, route.rules.size()));
    return std::nullopt;
  }
  for (size_t i = 0; i < route.rules.size(); ++i) {
    if (route.rules[i].name == spec.rule) return i;
  }
  for (size_t i = 0; i < route.rules.size(); ++i) {
    if (route.rules[i].name.empty() && std::to_string(i) == spec.rule) return i;
  }
  *verdict = Missing(context, spec, "spec.route.rule",
                     fmt::format("HTTPRoute {} has no rule \"{}\"", spec.route, spec.rule));
  return std::nullopt;
}

bool IsMeant(const Destination& destination, const api::BackendRef& ref, const std::string& ns) {
  return ref.ns == ns && ref.name == destination.name && ref.kind == destination.kind &&
         (!destination.group || *destination.group == ref.group);
}

// Of backendRefs or targets the one that fits; nullopt: `verdict` says why there is none.
template <typename Items, typename Fits>
std::optional<size_t> FindOne(const Context& context, const api::ModelRelease& spec,
                              const std::string& field, const std::string& name,
                              const std::string& where, const Items& items, Fits fits,
                              Verdict* verdict) {
  std::optional<size_t> found;
  for (size_t i = 0; i < items.size(); ++i) {
    if (!fits(items[i])) continue;
    if (found) {
      *verdict = RefusedAt(spec, "Invalid", field,
                           fmt::format("{} is there more than once in {}", name, where));
      return std::nullopt;
    }
    found = i;
  }
  if (!found) {
    *verdict = Missing(context, spec, field, fmt::format("{} is not in {}", name, where));
  }
  return found;
}

// Weights as they stand, in a rule or model.
int WeightOf(const api::BackendRef& ref) { return static_cast<int>(ref.weight); }
int WeightOf(const api::TargetModel& target) { return target.weight.value_or(1); }

// Finds both versions; a verdict that is not ok says why that cannot be.
template <typename Items, typename FitsOf>
Verdict FindVersions(const Context& context, const api::ModelRelease& spec, const Items& items,
                     const std::string& where, FitsOf fits_of, ServedRelease* served) {
  Verdict verdict = Holds("Accepted");
  const auto find = [&](const Destination& destination, const std::string& field) {
    return FindOne(context, spec, field, NameOf(destination), where, items, fits_of(destination),
                   &verdict);
  };
  const std::optional<size_t> stable = find(spec.stable, "spec.stable");
  if (!stable) return verdict;
  const std::optional<size_t> candidate = find(spec.candidate, "spec.candidate");
  if (!candidate) return verdict;
  served->stable = *stable;
  served->candidate = *candidate;
  if (WeightOf(items[*stable]) == 0 && WeightOf(items[*candidate]) == 0) {
    return RefusedAt(spec, "Invalid", "spec.stable",
                     fmt::format("{} and {} both have weight 0 in {}: there is nothing to share",
                                 served->plan.stable, served->plan.candidate, where));
  }
  return verdict;
}

Verdict FindInRoute(const Context& context, const api::ModelRelease& spec, ServedRelease* served) {
  served->key = {spec.meta.ns, spec.route};
  const auto route = context.resources.http_routes.find(served->key);
  if (route == context.resources.http_routes.end()) {
    return Missing(
        context, spec, "spec.route",
        fmt::format("HTTPRoute {}/{} {}", spec.meta.ns, spec.route,
                    context.WhyMissing(api::kGatewayGroup, "HTTPRoute", spec.meta.ns, spec.route)));
  }
  Verdict verdict;
  const std::optional<size_t> rule = FindRule(context, spec, route->second, &verdict);
  if (!rule) return verdict;
  const api::RouteRule& found = route->second.rules[*rule];
  served->rule = *rule;
  served->about = fmt::format("rule {} of HTTPRoute {}/{}",
                              found.name.empty() ? std::to_string(*rule) : found.name, spec.meta.ns,
                              spec.route);
  const auto fits_of = [&](const Destination& destination) {
    return [&](const api::BackendRef& ref) { return IsMeant(destination, ref, spec.meta.ns); };
  };
  return FindVersions(context, spec, found.backend_refs, "the backendRefs of " + served->about,
                      fits_of, served);
}

Verdict FindInModel(const Context& context, const api::ModelRelease& spec, ServedRelease* served) {
  served->subject = ServedRelease::Subject::kModel;
  served->key = {spec.meta.ns, spec.model};
  served->about = fmt::format("InferenceModel {}/{}", spec.meta.ns, spec.model);
  const auto model = context.resources.inference_models.find(served->key);
  if (model == context.resources.inference_models.end()) {
    return Missing(context, spec, "spec.model",
                   fmt::format("{} {}", served->about,
                               context.WhyMissing(api::kInferenceXGroup, "InferenceModel",
                                                  spec.meta.ns, spec.model)));
  }
  const auto fits_of = [](const Destination& destination) {
    return [&](const api::TargetModel& target) { return target.name == destination.name; };
  };
  return FindVersions(context, spec, model->second.target_models,
                      "the targetModels of " + served->about, fits_of, served);
}

}  // namespace

void ShareOut(size_t stable, size_t candidate, const release::Weights& weights,
              std::vector<uint32_t>* all) {
  constexpr uint64_t kMax = 1'000'000'000;
  constexpr uint64_t kFactorMax = 1'000'000;
  const uint64_t highest = *std::max_element(all->begin(), all->end());
  const uint64_t factor =
      std::clamp<uint64_t>(kMax / std::max<uint64_t>(1, highest), 1, kFactorMax);
  for (uint32_t& weight : *all) weight = static_cast<uint32_t>(weight * factor);
  const uint64_t both = uint64_t{(*all)[stable]} + (*all)[candidate];
  uint64_t part = static_cast<uint64_t>(
      std::llround(static_cast<double>(both) * weights.candidate_percent / 100));
  // A share is none only where none is asked for.
  if (weights.candidate_percent > 0) part = std::max<uint64_t>(part, 1);
  if (weights.candidate_percent < 100) part = std::min(part, both - 1);
  (*all)[candidate] = static_cast<uint32_t>(part);
  (*all)[stable] = static_cast<uint32_t>(both - part);
}

ReleaseSet::ReleaseSet(Context& context) {
  struct Candidate {
    const api::ModelRelease* spec;
    ServedRelease served;
    Verdict verdict;
    bool held = false;
  };
  std::vector<Candidate> all;
  for (const auto& [key, spec] : context.resources.model_releases) {
    Candidate& each = all.emplace_back(Candidate{&spec, {}, {}});
    each.verdict = Accept(context, spec, &each.served);
    each.held = context.Holds(PlaceOf(each.served), each.served.plan.name);
  }
  // Of equally old ones, as all of a file are, the one that has the place keeps it.
  std::ranges::stable_sort(all, [](const Candidate& a, const Candidate& b) {
    return std::make_pair(a.spec->meta.creation_unix_s, !a.held) <
           std::make_pair(b.spec->meta.creation_unix_s, !b.held);
  });
  for (Candidate& each : all) {
    if (each.verdict.ok()) each.verdict = FindPlace(*each.spec, each.served);
    SetVerdict(&context.StatusOf(RefOf(*each.spec), each.spec->meta.source).conditions, "Accepted",
               each.verdict, each.spec->meta.generation);
    if (!each.verdict.ok()) continue;
    context.holders[PlaceOf(each.served)] = each.served.plan.name;
    all_.push_back(std::move(each.served));
  }
}

Verdict ReleaseSet::Accept(const Context& context, const api::ModelRelease& spec,
                           ServedRelease* served) {
  served->plan = PlanOf(spec);
  served->generation = spec.meta.generation;
  served->status = spec.status;
  if (const absl::Status valid = release::Validate(served->plan); !valid.ok()) {
    const std::string message = "spec." + std::string(valid.message());
    return Refused("Invalid", message + spec.meta.Where(message.substr(0, message.find(':'))));
  }
  return spec.model.empty() ? FindInRoute(context, spec, served)
                            : FindInModel(context, spec, served);
}

// One release has it.
Verdict ReleaseSet::FindPlace(const api::ModelRelease& spec, const ServedRelease& served) const {
  for (const ServedRelease& other : all_) {
    if (other.about != served.about) continue;
    return RefusedAt(spec, "Conflicted", spec.model.empty() ? "spec.route" : "spec.model",
                     fmt::format("{} already has ModelRelease {}", served.about, other.plan.name));
  }
  return Holds("Accepted");
}

ServedRelease* ReleaseSet::Of(ServedRelease::Subject subject, const api::ObjectKey& key,
                              size_t rule) {
  const auto found = std::ranges::find_if(all_, [&](const ServedRelease& served) {
    return served.subject == subject && served.key == key && served.rule == rule;
  });
  return found == all_.end() ? nullptr : &*found;
}

namespace {

// What it has now; all of them are the stable version's before anybody has said so.
ReleaseInput InputOf(const Context& context, const ServedRelease& served) {
  if (context.options.releases == nullptr) return {};
  const auto input = context.options.releases->find(served.plan.name);
  return input == context.options.releases->end() ? ReleaseInput() : input->second;
}

std::shared_ptr<const release::Split> SplitOf(const ServedRelease& served,
                                              const ReleaseInput& input) {
  if (input.sink == nullptr) return nullptr;
  return std::make_shared<release::Split>(release::Split{
      served.plan.name, served.stable, served.candidate, input.weights.window, input.sink});
}

}  // namespace

void ReleaseSet::ShareRule(const Context& context, const PoolSet& pools,
                           const api::ObjectKey& route, size_t index, RouteRule* rule) {
  ServedRelease* const served = Of(ServedRelease::Subject::kRoute, route, index);
  if (served == nullptr) return;
  const ReleaseInput input = InputOf(context, *served);
  std::vector<uint32_t> weights;
  for (const gw::Destination& destination : rule->destinations) {
    weights.push_back(destination.weight);
  }
  ShareOut(served->stable, served->candidate, input.weights, &weights);
  rule->total_weight = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    rule->destinations[i].weight = weights[i];
    rule->total_weight += weights[i];
  }
  rule->release_split = SplitOf(*served, input);
  const auto pool_of = [&](size_t destination) {
    const gw::Destination& found = rule->destinations[destination];
    if (found.kind != gw::Destination::Kind::kPool) return std::string();
    return pools.recipe(found.pool).base.pool.id;
  };
  served->stable_pool = pool_of(served->stable);
  served->candidate_pool = pool_of(served->candidate);
}

void ReleaseSet::ShareModel(const Context& context, const api::ObjectKey& model,
                            ModelBinding* binding) {
  ServedRelease* const served = Of(ServedRelease::Subject::kModel, model, 0);
  if (served == nullptr) return;
  const ReleaseInput input = InputOf(context, *served);
  std::vector<uint32_t> weights;
  for (const TargetModel& target : binding->targets) weights.push_back(target.weight);
  ShareOut(served->stable, served->candidate, input.weights, &weights);
  for (size_t i = 0; i < weights.size(); ++i) binding->targets[i].weight = weights[i];
  binding->release_split = SplitOf(*served, input);
}

void ReleaseSet::FindPoolsOfModels(const Context& context, PoolSet& pools) {
  for (ServedRelease& served : all_) {
    if (served.subject != ServedRelease::Subject::kModel) continue;
    const api::InferenceModel& model = context.resources.inference_models.at(served.key);
    const api::PoolRef& ref = model.pool_ref;
    const api::InferencePool* pool = context.resources.FindPool(ref.group, model.meta.ns, ref.name);
    if (pool == nullptr) continue;
    served.stable_pool = pools.recipe(pools.IndexOf(*pool)).base.pool.id;
    served.candidate_pool = served.stable_pool;
  }
}

bool ReleaseSet::IsAbout(const api::ObjectKey& route) const {
  return std::ranges::any_of(all_, [&](const ServedRelease& served) {
    return served.subject == ServedRelease::Subject::kRoute && served.key == route;
  });
}

const ServedRelease* ReleaseSet::Find(const std::string& name) const {
  const auto found =
      std::ranges::find(all_, name, [](const ServedRelease& served) { return served.plan.name; });
  return found == all_.end() ? nullptr : &*found;
}

}  // namespace gw::internal
