#include "translate/annotations.h"

#include <fmt/format.h>

#include "api/annotations.h"

namespace gw::internal {
namespace {

void Warn(Context& context, const api::ObjectRef& ref, const api::ObjectMeta& meta) {
  for (const auto& [key, value] : meta.annotations) {
    const std::string why = api::WhyUnknown(ref.kind, key);
    if (why.empty()) continue;
    context.warnings.push_back(fmt::format("{}: annotation {}: {}{}", ref.ToString(), key, why,
                                           meta.WhereAnnotation(key)));
  }
}

template <typename Objects>
void WarnOfEach(Context& context, const Objects& objects) {
  for (const auto& [key, object] : objects) Warn(context, RefOf(object), object.meta);
}

// Of kinds without conditions, which have no RefOf.
template <typename Objects>
void WarnOfEach(Context& context, const Objects& objects, const std::string& kind) {
  for (const auto& [key, object] : objects) {
    Warn(context, {"", "v1", kind, object.meta.ns, object.meta.name}, object.meta);
  }
}

}  // namespace

void WarnOfUnknownAnnotations(Context& context) {
  const api::ResourceSet& all = context.resources;
  WarnOfEach(context, all.gateway_classes);
  WarnOfEach(context, all.gateways);
  WarnOfEach(context, all.http_routes);
  WarnOfEach(context, all.reference_grants, "ReferenceGrant");
  WarnOfEach(context, all.inference_models);
  WarnOfEach(context, all.inference_objectives);
  WarnOfEach(context, all.inference_model_rewrites);
  WarnOfEach(context, all.model_releases);
  WarnOfEach(context, all.services, "Service");
  WarnOfEach(context, all.endpoint_slices, "EndpointSlice");
  WarnOfEach(context, all.secrets, "Secret");
  WarnOfEach(context, all.config_maps, "ConfigMap");
  WarnOfEach(context, all.namespaces, "Namespace");
  for (const api::ForeignObject& object : all.foreign) {
    Warn(context, {object.group, object.version, object.kind, object.meta.ns, object.meta.name},
         object.meta);
  }
}

}  // namespace gw::internal
