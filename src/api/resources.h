// ResourceSet: all objects a configuration consists of, whatever its source.

#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "api/backend.h"
#include "api/backend_tls.h"
#include "api/core.h"
#include "api/foreign.h"
#include "api/gateway.h"
#include "api/inference.h"
#include "api/meta.h"
#include "api/release.h"
#include "api/route.h"

namespace gw::api {

// An object of one of our kinds that breaks the rules of its kind. It is not in the maps below.
// Of several objects with one name the first is kept and the others stand here: status of an
// invalid object may meet the status of a valid one under the same ObjectRef.
struct InvalidObject {
  ObjectRef ref;  // `name` is empty if the object has none
  int64_t generation = 1;
  SourceRef source;
  std::vector<std::string> errors;  // "spec.targetPortNumber: must be 1..65535, got 0 (a.yaml:7)"
  // Of a BackendTLSPolicy: what must not be served without it. Of an HTTPRoute: its parents.
  std::vector<ForeignObject::Target> targets = {};

  // "InferencePool default/qwen: spec.targetPortNumber: must be 1..65535, got 0 (a.yaml:7)"
  std::vector<std::string> Messages() const;

  bool operator==(const InvalidObject&) const = default;
};

// An object whose newest version cannot be served, so that an older one is in the maps below.
struct StaleObject {
  ObjectRef ref;
  int64_t generation = 1;
  SourceRef source;          // of the version that is served
  int64_t since_unix_s = 0;  // when the first version came that cannot be served
  std::string why;           // what is wrong with the newest
  bool source_lost = false;  // its file cannot be read, as every object of that file says

  bool operator==(const StaleObject&) const = default;
};

// Plain data: built once by a configuration source, then only read.
struct ResourceSet {
  std::map<std::string, GatewayClass> gateway_classes;
  std::map<ObjectKey, Gateway> gateways;
  std::map<ObjectKey, HttpRoute> http_routes;
  std::map<ObjectKey, ReferenceGrant> reference_grants;
  std::map<GroupKey, InferencePool> inference_pools;
  std::map<ObjectKey, InferenceModel> inference_models;
  std::map<GroupKey, InferenceObjective> inference_objectives;
  std::map<GroupKey, InferenceModelRewrite> inference_model_rewrites;
  std::map<ObjectKey, InferenceTrafficPolicy> traffic_policies;
  std::map<ObjectKey, Backend> backends;
  std::map<ObjectKey, BackendTlsPolicy> backend_tls_policies;
  std::map<ObjectKey, ModelRelease> model_releases;
  std::map<ObjectKey, Service> services;
  std::map<ObjectKey, EndpointSlice> endpoint_slices;
  std::map<ObjectKey, Pod> pods;
  std::map<ObjectKey, Secret> secrets;
  std::map<ObjectKey, ConfigMap> config_maps;
  std::map<std::string, Namespace> namespaces;
  std::vector<ForeignObject> foreign;  // of kinds that are not served, in the order of their names

  std::vector<InvalidObject> invalid;
  std::vector<StaleObject> stale;
  // Objects of kinds that are not ours: "apps/v1 Deployment" -> how many.
  std::map<std::string, int> skipped;

  // Null if there is none.
  const Gateway* FindGateway(const std::string& ns, const std::string& name) const;
  const InferencePool* FindPool(const std::string& group, const std::string& ns,
                                const std::string& name) const;
  const Service* FindService(const std::string& ns, const std::string& name) const;

  // Labels of a namespace. One without a Namespace object has only kubernetes.io/metadata.name, as
  // every namespace of a cluster has.
  StringMap NamespaceLabels(const std::string& ns) const;
  // True if a ReferenceGrant in `to_ns` lets `from_kind` of `from_ns` refer to `to_kind` `to_name`.
  bool Granted(std::string_view from_group, std::string_view from_kind, std::string_view from_ns,
               std::string_view to_group, std::string_view to_kind, std::string_view to_ns,
               std::string_view to_name) const;
  size_t object_count() const;   // valid ones
  size_t skipped_count() const;  // of all kinds that are not ours
};

}  // namespace gw::api
