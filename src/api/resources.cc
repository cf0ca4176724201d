#include "api/resources.h"

namespace gw::api {
namespace {

template <class Map, class Key>
auto* Find(const Map& map, const Key& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

}  // namespace

std::vector<std::string> InvalidObject::Messages() const {
  std::vector<std::string> out;
  for (const std::string& error : errors) out.push_back(ref.ToString() + ": " + error);
  return out;
}

const Gateway* ResourceSet::FindGateway(const std::string& ns, const std::string& name) const {
  return Find(gateways, ObjectKey{ns, name});
}

const InferencePool* ResourceSet::FindPool(const std::string& group, const std::string& ns,
                                           const std::string& name) const {
  return Find(inference_pools, GroupKey{group, ns, name});
}

const Service* ResourceSet::FindService(const std::string& ns, const std::string& name) const {
  return Find(services, ObjectKey{ns, name});
}

StringMap ResourceSet::NamespaceLabels(const std::string& ns) const {
  const Namespace* object = Find(namespaces, ns);
  if (object != nullptr) return object->meta.labels;
  return {{"kubernetes.io/metadata.name", ns}};
}

bool ResourceSet::Granted(std::string_view from_group, std::string_view from_kind,
                          std::string_view from_ns, std::string_view to_group,
                          std::string_view to_kind, std::string_view to_ns,
                          std::string_view to_name) const {
  for (auto entry = reference_grants.lower_bound({std::string(to_ns), ""});
       entry != reference_grants.end() && entry->first.ns == to_ns; ++entry) {
    bool from_allowed = false;
    for (const ReferenceGrant::From& from : entry->second.from) {
      from_allowed |= from.group == from_group && from.kind == from_kind && from.ns == from_ns;
    }
    if (!from_allowed) continue;
    for (const ReferenceGrant::To& to : entry->second.to) {
      if (to.group == to_group && to.kind == to_kind && (to.name.empty() || to.name == to_name)) {
        return true;
      }
    }
  }
  return false;
}

size_t ResourceSet::object_count() const {
  return gateway_classes.size() + gateways.size() + http_routes.size() + reference_grants.size() +
         inference_pools.size() + inference_models.size() + inference_objectives.size() +
         inference_model_rewrites.size() + traffic_policies.size() + backends.size() +
         backend_tls_policies.size() + model_releases.size() + services.size() +
         endpoint_slices.size() + pods.size() + secrets.size() + config_maps.size() +
         namespaces.size() + foreign.size();
}

size_t ResourceSet::skipped_count() const {
  size_t count = 0;
  for (const auto& [kind, objects] : skipped) count += objects;
  return count;
}

}  // namespace gw::api
