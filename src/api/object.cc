#include "api/object.h"

#include <algorithm>
#include <tuple>

namespace gw::api {
namespace {

// The map of each kind, and the key an object has there.
auto& MapOf(const GatewayClass&, ResourceSet* set) { return set->gateway_classes; }
auto& MapOf(const Gateway&, ResourceSet* set) { return set->gateways; }
auto& MapOf(const HttpRoute&, ResourceSet* set) { return set->http_routes; }
auto& MapOf(const ReferenceGrant&, ResourceSet* set) { return set->reference_grants; }
auto& MapOf(const InferencePool&, ResourceSet* set) { return set->inference_pools; }
auto& MapOf(const InferenceModel&, ResourceSet* set) { return set->inference_models; }
auto& MapOf(const InferenceObjective&, ResourceSet* set) { return set->inference_objectives; }
auto& MapOf(const InferenceModelRewrite&, ResourceSet* set) {
  return set->inference_model_rewrites;
}
auto& MapOf(const InferenceTrafficPolicy&, ResourceSet* set) { return set->traffic_policies; }
auto& MapOf(const Backend&, ResourceSet* set) { return set->backends; }
auto& MapOf(const BackendTlsPolicy&, ResourceSet* set) { return set->backend_tls_policies; }
auto& MapOf(const ModelRelease&, ResourceSet* set) { return set->model_releases; }
auto& MapOf(const Service&, ResourceSet* set) { return set->services; }
auto& MapOf(const EndpointSlice&, ResourceSet* set) { return set->endpoint_slices; }
auto& MapOf(const Pod&, ResourceSet* set) { return set->pods; }
auto& MapOf(const Secret&, ResourceSet* set) { return set->secrets; }
auto& MapOf(const ConfigMap&, ResourceSet* set) { return set->config_maps; }
auto& MapOf(const Namespace&, ResourceSet* set) { return set->namespaces; }

std::string KeyOf(const GatewayClass& o) { return o.meta.name; }
std::string KeyOf(const Namespace& o) { return o.meta.name; }
GroupKey KeyOf(const InferencePool& o) { return o.group_key(); }
GroupKey KeyOf(const InferenceObjective& o) { return {o.group, o.meta.ns, o.meta.name}; }
GroupKey KeyOf(const InferenceModelRewrite& o) { return {o.group, o.meta.ns, o.meta.name}; }
ObjectKey KeyOf(const auto& o) { return o.meta.key(); }

void Put(const auto& o, ResourceSet* set) { MapOf(o, set)[KeyOf(o)] = o; }
void Take(const auto& o, ResourceSet* set) { MapOf(o, set).erase(KeyOf(o)); }

// Foreign objects are of many kinds and few: a list in the order of their names.
auto NameOf(const ForeignObject& o) { return std::tie(o.kind, o.group, o.meta.ns, o.meta.name); }

auto PlaceOf(const ForeignObject& o, ResourceSet* set) {
  return std::lower_bound(
      set->foreign.begin(), set->foreign.end(), o,
      [](const ForeignObject& a, const ForeignObject& b) { return NameOf(a) < NameOf(b); });
}

void Take(const ForeignObject& o, ResourceSet* set) {
  const auto place = PlaceOf(o, set);
  if (place != set->foreign.end() && NameOf(*place) == NameOf(o)) set->foreign.erase(place);
}

void Put(const ForeignObject& o, ResourceSet* set) {
  Take(o, set);
  set->foreign.insert(PlaceOf(o, set), o);
}

}  // namespace

void Insert(const Object& object, ResourceSet* set) {
  std::visit([set](const auto& of_kind) { Put(of_kind, set); }, object);
}

void Erase(const Object& object, ResourceSet* set) {
  std::visit([set](const auto& of_kind) { Take(of_kind, set); }, object);
}

}  // namespace gw::api
