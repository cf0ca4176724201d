#include "translate/invalid.h"

#include <map>
#include <string>

#include "base/text.h"

namespace gw::internal {
namespace {

std::string StaleText(const api::StaleObject& stale) {
  return "since " + UtcText(stale.since_unix_s) + " the last good version is served: " + stale.why;
}

// The Gateway API has words of its own for a route that is served as it was.
void AddStale(const api::StaleObject& stale, std::vector<api::ParentStatus>* parents) {
  const bool is_route = stale.ref.kind == "HTTPRoute";
  for (api::ParentStatus& parent : *parents) {
    for (api::Condition& condition : parent.conditions) {
      condition.observed_generation = stale.generation;
    }
    SetVerdict(&parent.conditions, is_route ? "PartiallyInvalid" : "Stale",
               is_route ? Holds("UnsupportedValue", "Fall Back: " + StaleText(stale))
                        : Holds("Invalid", StaleText(stale)),
               stale.generation);
  }
}

// Of those that the kinds' specifications have.
const char* ReasonOf(const api::ObjectRef& ref) {
  if (ref.kind == "HTTPRoute") return "UnsupportedValue";
  if (ref.kind != "InferencePool") return "Invalid";
  return ref.group == api::kInferenceGroup ? "NotSupportedByParent" : "NotSupportedByGateway";
}

void AddRefused(const api::InvalidObject& object, const api::ParentRef& ref,
                const std::string& controller, api::ObjectStatus* status) {
  api::ParentStatus& parent = status->parents.emplace_back();
  parent.parent_ref = ref;
  parent.controller_name = controller;
  SetVerdict(&parent.conditions, "Accepted", Refused(ReasonOf(object.ref), Join(object.errors)),
             object.generation);
}

// Gateways that routes lead from to any of those.
std::map<api::ObjectKey, std::string> LeadingTo(const std::vector<api::GroupKey>& targets,
                                                const PoolLinks& links) {
  std::map<api::ObjectKey, std::string> controllers;
  for (const api::GroupKey& target : targets) {
    const auto found = links.find(target);
    if (found == links.end()) continue;
    for (const auto& [gateway, link] : found->second) {
      controllers.emplace(gateway, link.controller_name);
    }
  }
  return controllers;
}

void TellParents(const GatewayStates& gateways, const PoolLinks& links,
                 const api::InvalidObject& object, api::ObjectStatus* status) {
  std::vector<api::GroupKey> targets;
  if (object.ref.kind == "InferencePool") {
    targets.push_back({object.ref.group, object.ref.ns, object.ref.name});
  }
  for (const api::ForeignObject::Target& target : object.targets) {
    targets.push_back({target.group, target.ns, target.name});
    const auto gateway = gateways.find({target.ns, target.name});
    if (target.kind != "Gateway" || gateway == gateways.end()) continue;
    api::ParentRef ref = GatewayRef({target.ns, target.name});
    ref.section_name = target.section;
    AddRefused(object, ref, gateway->second.controller_name, status);
  }
  for (const auto& [gateway, controller] : LeadingTo(targets, links)) {
    AddRefused(object, GatewayRef(gateway), controller, status);
  }
}

}  // namespace

void WriteInvalid(Context& context, const GatewayStates& gateways, const PoolLinks& links) {
  for (const api::InvalidObject& object : context.resources.invalid) {
    // It may have the name of one that could be read, whose conditions are not its business.
    api::ObjectStatus& status = context.AddStatus(object.ref, object.source);
    SetVerdict(&status.conditions, "Accepted", Refused("Invalid", Join(object.errors)),
               object.generation);
    if (!context.options.only_controller) TellParents(gateways, links, object, &status);
  }
}

void WriteStale(Context& context) {
  for (const api::StaleObject& stale : context.resources.stale) {
    api::ObjectStatus& status = context.StatusOf(stale.ref, stale.source);
    SetVerdict(&status.conditions, "Stale",
               Holds(stale.source_lost ? "SourceLost" : "Invalid", StaleText(stale)),
               stale.generation);
    AddStale(context, stale.ref, &status.parents);
  }
}

void AddStale(const Context& context, const api::ObjectRef& ref,
              std::vector<api::ParentStatus>* parents) {
  if (context.options.only_controller) return;
  for (const api::StaleObject& stale : context.resources.stale) {
    if (stale.ref == ref) AddStale(stale, parents);
  }
}

}  // namespace gw::internal
