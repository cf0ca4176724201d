// How each kind is read. Internal to api: parse.cc calls these.

#pragma once

#include <string>
#include <utility>
#include <vector>

#include "api/reader.h"
#include "api/resources.h"

namespace gw::api {

// An object whose metadata has been read already.
struct ObjectInput {
  MapReader& top;
  ObjectMeta meta;
  std::string group;
  std::string version;
  Problems& problems;
  bool of_cluster = false;  // an API server holds it
};

// Each reads `top` to its end and returns the object; if problems were added it is not to be used.
GatewayClass ReadGatewayClass(ObjectInput& in);
Gateway ReadGateway(ObjectInput& in);
ReferenceGrant ReadReferenceGrant(ObjectInput& in);
HttpRoute ReadHttpRoute(ObjectInput& in);
InferencePool ReadInferencePool(ObjectInput& in);
InferenceModel ReadInferenceModel(ObjectInput& in);
InferenceObjective ReadInferenceObjective(ObjectInput& in);
InferenceModelRewrite ReadInferenceModelRewrite(ObjectInput& in);
InferenceTrafficPolicy ReadInferenceTrafficPolicy(ObjectInput& in);
Backend ReadBackend(ObjectInput& in);
BackendTlsPolicy ReadBackendTlsPolicy(ObjectInput& in);
ModelRelease ReadModelRelease(ObjectInput& in);
Service ReadService(ObjectInput& in);
EndpointSlice ReadEndpointSlice(ObjectInput& in);
Pod ReadPod(ObjectInput& in);
Secret ReadSecret(ObjectInput& in);
ConfigMap ReadConfigMap(ObjectInput& in);
Namespace ReadNamespace(ObjectInput& in);

// metadata. `namespaced`: whether the kind has namespaces.
ObjectMeta ReadMeta(const Value& metadata, bool namespaced, const SourceRef& source);

// Records a field that is present and valid but not honoured.
inline void NoteUnsupported(const Value& field, int index, std::vector<Unsupported>* out) {
  if (!field.present()) return;
  const std::string where = field.where();
  std::string message = "is not supported yet";
  if (!where.empty()) message += " (" + where + ")";
  out->push_back({field.path(), index, std::move(message)});
}

// A text field; absent, `out` keeps its default.
inline void ReadInto(const Value& field, std::string* out) {
  if (field.present()) *out = field.Text(0, 1u << 16);
}

}  // namespace gw::api
