#include "translate/models.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "translate/releases.h"

namespace gw::internal {
namespace {

Criticality CriticalityOf(const api::InferenceModel& model) {
  using api::InferenceModel;
  switch (model.criticality.value_or(InferenceModel::Criticality::kStandard)) {
    case InferenceModel::Criticality::kCritical:
      return Criticality::kCritical;
    case InferenceModel::Criticality::kStandard:
      return Criticality::kStandard;
    case InferenceModel::Criticality::kSheddable:
      return Criticality::kSheddable;
  }
  return Criticality::kStandard;
}

ModelBinding BindingOf(const api::InferenceModel& model) {
  ModelBinding binding;
  binding.requested_model = model.model_name;
  binding.criticality = CriticalityOf(model);
  for (const api::TargetModel& target : model.target_models) {
    // All have a weight or none; without weights all are equally likely.
    binding.targets.push_back({target.name, static_cast<uint32_t>(target.weight.value_or(1))});
  }
  return binding;
}

Verdict PoolMissing(const Context& context, const api::InferenceModel& model) {
  const api::PoolRef& ref = model.pool_ref;
  std::string message = fmt::format(
      "spec.poolRef: InferencePool {}/{} of group {} {}", model.meta.ns, ref.name, ref.group,
      context.WhyMissing(ref.group, "InferencePool", model.meta.ns, ref.name));
  for (const char* group : {api::kInferenceGroup, api::kInferenceXGroup}) {
    if (ref.group != group && context.resources.FindPool(group, model.meta.ns, ref.name)) {
      message += fmt::format("; one of group {} does", group);
    }
  }
  message += model.meta.Where("spec.poolRef");
  // On a cluster the pool may still come.
  return context.options.only_controller ? Refused("PoolNotFound", message) : Pending(message);
}

// What only one InferenceModel can have.
std::string PlaceOf(const api::InferenceModel& model) {
  return fmt::format("model {} of InferencePool {}/{} {}", model.model_name, model.pool_ref.group,
                     model.meta.ns, model.pool_ref.name);
}

}  // namespace

ModelBindings ReadModels(Context& context) {
  std::vector<const api::InferenceModel*> models;
  for (const auto& [key, model] : context.resources.inference_models) models.push_back(&model);
  // The oldest keeps a name that several want, of equal ages the one that has it.
  std::stable_sort(models.begin(), models.end(), [&](const auto* a, const auto* b) {
    const auto rank = [&](const api::InferenceModel& model) {
      return std::make_pair(model.meta.creation_unix_s,
                            !context.Holds(PlaceOf(model), model.meta.name));
    };
    return rank(*a) < rank(*b);
  });

  ModelBindings bindings;
  std::map<std::pair<api::GroupKey, std::string>, std::string> holders;
  for (const api::InferenceModel* model : models) {
    const api::GroupKey pool{model->pool_ref.group, model->meta.ns, model->pool_ref.name};
    Verdict verdict = Holds("Accepted");
    if (context.resources.FindPool(pool.group, pool.ns, pool.name) == nullptr) {
      verdict = PoolMissing(context, *model);
    } else {
      const auto [holder, is_first] =
          holders.emplace(std::make_pair(pool, model->model_name), model->meta.name);
      if (is_first) {
        ModelBinding& binding = bindings[pool].emplace_back(BindingOf(*model));
        context.releases->ShareModel(context, model->meta.key(), &binding);
        context.holders[PlaceOf(*model)] = model->meta.name;
      } else {
        verdict = Refused(
            "ModelNameInUse",
            fmt::format("InferenceModel {} holds model name \"{}\" in this pool{}", holder->second,
                        model->model_name, model->meta.Where("spec.modelName")));
      }
    }
    api::ObjectStatus& status = context.StatusOf(RefOf(*model), model->meta.source);
    SetVerdict(&status.conditions, "Accepted", verdict, model->meta.generation);
  }
  return bindings;
}

}  // namespace gw::internal
