#include "translate/foreign.h"

#include <fmt/format.h>

#include <algorithm>

namespace gw::internal {
namespace {

using Effect = api::ForeignObject::Effect;

bool Names(const api::ForeignObject::Target& target, std::string_view group, std::string_view kind,
           const api::ObjectMeta& meta, std::string_view section) {
  return target.group == group && target.kind == kind && target.ns == meta.ns &&
         (target.name.empty() || target.name == meta.name) &&
         (target.section.empty() || section.empty() || target.section == section) &&
         api::LabelsMatch(target.labels, meta.labels);
}

std::string NameOf(const api::ForeignObject::Target& target) {
  const std::string name = target.name.empty() ? "every " + target.kind
                                               : target.kind + " " + target.ns + "/" + target.name;
  return target.section.empty() ? name : name + " (" + target.section + ")";
}

std::string TargetsText(const api::ForeignObject& object) {
  std::vector<std::string> names;
  for (const api::ForeignObject::Target& target : object.targets) names.push_back(NameOf(target));
  return fmt::format("{}", fmt::join(names, ", "));
}

template <class Map>
bool AnyNamed(const Map& objects, const api::ForeignObject::Target& target, std::string_view group,
              std::string_view kind) {
  return std::any_of(objects.begin(), objects.end(), [&](const auto& entry) {
    return Names(target, group, kind, entry.second.meta, "");
  });
}

bool TargetExists(const Context& context, const api::ForeignObject& object) {
  const api::ResourceSet& all = context.resources;
  return std::any_of(
      object.targets.begin(), object.targets.end(), [&](const api::ForeignObject::Target& target) {
        return AnyNamed(all.gateways, target, api::kGatewayGroup, "Gateway") ||
               AnyNamed(all.http_routes, target, api::kGatewayGroup, "HTTPRoute") ||
               AnyNamed(all.inference_pools, target, target.group, "InferencePool") ||
               AnyNamed(all.services, target, "", "Service");
      });
}

}  // namespace

std::string ForeignText(const Context& context, std::string_view group, std::string_view kind,
                        const api::ObjectMeta& meta, std::string_view section) {
  std::vector<std::string> texts;
  for (const api::ForeignObject& object : context.resources.foreign) {
    if (object.effect != Effect::kChanges) continue;
    const bool named =
        std::any_of(object.targets.begin(), object.targets.end(),
                    [&](const auto& target) { return Names(target, group, kind, meta, section); });
    if (!named) continue;
    texts.push_back(fmt::format("{} {} is not supported yet ({})", object.kind, object.meta.name,
                                object.meta.source.ToString()));
  }
  return Join(texts);
}

void WriteForeign(Context& context) {
  for (const api::ForeignObject& object : context.resources.foreign) {
    const api::ObjectRef ref{object.group, object.version, object.kind, object.meta.ns,
                             object.meta.name};
    const std::string targets = TargetsText(object);
    if (object.effect == Effect::kObserves ||
        (object.effect == Effect::kChanges && !TargetExists(context, object))) {
      context.warnings.push_back(
          fmt::format("{} ({}): is not supported and has no effect here on {}", ref.ToString(),
                      object.meta.source.ToString(), targets));
      continue;
    }
    const std::string message =
        object.effect == Effect::kAttaches
            ? fmt::format("kind {} is not supported yet: nothing of {} takes it", object.kind,
                          targets)
            : fmt::format(
                  "kind {} is not supported yet: requests to {} are answered 500, as they "
                  "must not be served without it",
                  object.kind, targets);
    SetVerdict(&context.StatusOf(ref, object.meta.source).conditions, "Accepted",
               Refused("Unsupported", message), object.meta.generation);
  }
}

}  // namespace gw::internal
