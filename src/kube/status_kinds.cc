#include "kube/status_kinds.h"

#include "api/meta.h"

namespace gw::kube {
namespace {

using Form = StatusKind::Form;

constexpr std::string_view kAccepted[] = {"Accepted", "Stale"};
constexpr std::string_view kGatewayTypes[] = {"Accepted", "Programmed", "ResolvedRefs",
                                              "InsecureFrontendValidationMode", "Stale"};
constexpr std::string_view kListenerTypes[] = {"Accepted", "Programmed", "ResolvedRefs",
                                               "Conflicted", "OverlappingTLSConfig"};
constexpr std::string_view kRouteTypes[] = {"Accepted", "ResolvedRefs", "PartiallyInvalid"};
constexpr std::string_view kResolvedTypes[] = {"Accepted", "ResolvedRefs", "Stale"};
constexpr std::string_view kHostTypes[] = {"Accepted", "ResolvedRefs", "HostResolved", "Stale"};

constexpr StatusKind kKinds[] = {
    {api::kGatewayGroup, "GatewayClass", Form::kClass, kAccepted},
    {api::kGatewayGroup, "Gateway", Form::kGateway, kGatewayTypes},
    {api::kGatewayGroup,
     "HTTPRoute",
     Form::kParents,
     kRouteTypes,
     {.list = "parents", .ref = "parentRef", .entries_max = 32}},
    // If the list is full, nobody may add to it (gateway-api, PolicyStatus.ancestors).
    {api::kGatewayGroup,
     "BackendTLSPolicy",
     Form::kParents,
     kResolvedTypes,
     {.list = "ancestors", .ref = "ancestorRef", .entries_max = 16, .always_namespace = true}},
    // api/v1/inferencepool_types.go: controllerName is there since v1.1 and optional.
    {api::kInferenceGroup,
     "InferencePool",
     Form::kParents,
     kResolvedTypes,
     {.list = "parents",
      .ref = "parentRef",
      .entries_max = 32,
      .may_lack_controller = true,
      .always_namespace = true}},
    // apix/v1alpha2/inferencepool_types.go: the list of parents is called "parent".
    {api::kInferenceXGroup,
     "InferencePool",
     Form::kParents,
     kResolvedTypes,
     {.list = "parent",
      .ref = "parentRef",
      .entries_max = 32,
      .names_controller = false,
      .may_lack_controller = true,
      .always_namespace = true,
      .restores_default = true}},
    {api::kInferenceXGroup, "InferenceModel", Form::kConditions, kAccepted},
    {api::kInferenceXGroup, "InferenceObjective", Form::kConditions, kAccepted},
    {api::kInferenceXGroup, "InferenceModelRewrite", Form::kConditions, kAccepted},
    {api::kLlmdGroup, "InferenceObjective", Form::kConditions, kAccepted},
    {api::kLlmdGroup, "InferenceModelRewrite", Form::kConditions, kAccepted},
    {api::kTrafficPolicyGroup, "InferenceTrafficPolicy", Form::kConditions, kAccepted},
    {api::kPenstockGroup, "Backend", Form::kConditions, kHostTypes},
    {api::kPenstockGroup, "ModelRelease", Form::kConditions, kAccepted},
};

}  // namespace

const StatusKind* FindStatusKind(std::string_view group, std::string_view kind) {
  for (const StatusKind& known : kKinds) {
    if (known.group == group && known.kind == kind) return &known;
  }
  return nullptr;
}

ConditionTypes ListenerTypes() { return kListenerTypes; }

}  // namespace gw::kube
