#include "translate/unknown_fields.h"

#include <fmt/format.h>

namespace gw::internal {
namespace {

void Warn(Context& context, const api::ObjectRef& ref, const api::ObjectMeta& meta) {
  if (meta.unknown_fields.empty()) return;
  context.warnings.push_back(fmt::format("{}: it is served without fields that are not known: {}",
                                         ref.ToString(), fmt::join(meta.unknown_fields, ", ")));
}

template <typename Objects>
void WarnOfEach(Context& context, const Objects& objects) {
  for (const auto& [key, object] : objects) Warn(context, RefOf(object), object.meta);
}

}  // namespace

void WarnOfUnknownFields(Context& context) {
  const api::ResourceSet& all = context.resources;
  WarnOfEach(context, all.gateway_classes);
  WarnOfEach(context, all.gateways);
  WarnOfEach(context, all.http_routes);
  WarnOfEach(context, all.inference_pools);
  WarnOfEach(context, all.inference_models);
  WarnOfEach(context, all.inference_objectives);
  WarnOfEach(context, all.inference_model_rewrites);
  WarnOfEach(context, all.traffic_policies);
  WarnOfEach(context, all.backends);
  WarnOfEach(context, all.backend_tls_policies);
  WarnOfEach(context, all.model_releases);
  for (const auto& [key, grant] : all.reference_grants) {
    Warn(context, {api::kGatewayGroup, "v1", "ReferenceGrant", key.ns, key.name}, grant.meta);
  }
}

}  // namespace gw::internal
