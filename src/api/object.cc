#include "api/object.h"

namespace gw::api {
namespace {

// The map of each kind, and the key an object has there.
void Put(const GatewayClass& o, ResourceSet* set) { set->gateway_classes[o.meta.name] = o; }
void Put(const Gateway& o, ResourceSet* set) { set->gateways[o.meta.key()] = o; }
void Put(const HttpRoute& o, ResourceSet* set) { set->http_routes[o.meta.key()] = o; }
void Put(const ReferenceGrant& o, ResourceSet* set) { set->reference_grants[o.meta.key()] = o; }
void Put(const InferencePool& o, ResourceSet* set) { set->inference_pools[o.group_key()] = o; }
void Put(const InferenceModel& o, ResourceSet* set) { set->inference_models[o.meta.key()] = o; }
void Put(const InferenceObjective& o, ResourceSet* set) {
  set->inference_objectives[{o.group, o.meta.ns, o.meta.name}] = o;
}
void Put(const InferenceModelRewrite& o, ResourceSet* set) {
  set->inference_model_rewrites[{o.group, o.meta.ns, o.meta.name}] = o;
}
void Put(const InferenceTrafficPolicy& o, ResourceSet* set) {
  set->traffic_policies[o.meta.key()] = o;
}
void Put(const Service& o, ResourceSet* set) { set->services[o.meta.key()] = o; }
void Put(const EndpointSlice& o, ResourceSet* set) { set->endpoint_slices[o.meta.key()] = o; }
void Put(const Pod& o, ResourceSet* set) { set->pods[o.meta.key()] = o; }
void Put(const Secret& o, ResourceSet* set) { set->secrets[o.meta.key()] = o; }
void Put(const Namespace& o, ResourceSet* set) { set->namespaces[o.meta.name] = o; }
void Put(const ForeignObject& o, ResourceSet* set) { set->foreign.push_back(o); }

}  // namespace

void Insert(const Object& object, ResourceSet* set) {
  std::visit([set](const auto& of_kind) { Put(of_kind, set); }, object);
}

}  // namespace gw::api
