#include "translate/object_index.h"

#include <variant>

#include "base/check.h"

namespace gw::internal {
namespace {

const ObjectIndex::Names kNone;

std::string LabelKey(const std::string& ns, const std::string& label, const std::string& value) {
  // Neither of them can hold a zero.
  std::string key;
  key.reserve(ns.size() + label.size() + value.size() + 2);
  return key.append(ns).append(1, '\0').append(label).append(1, '\0').append(value);
}

}  // namespace

ObjectIndex::ObjectIndex(const api::ResourceSet& resources) {
  for (const auto& [key, pool] : resources.inference_pools) {
    AddSelection(pool.meta.ns, pool.selector);
  }
  for (const auto& [key, service] : resources.services) {
    AddSelection(service.meta.ns, service.selector);
  }
  for (const auto& [key, pod] : resources.pods) Add(pod);
  for (const auto& [key, slice] : resources.endpoint_slices) Add(slice);
}

void ObjectIndex::AddSelection(const std::string& ns, const api::StringMap& selector) {
  if (selector.empty()) return;  // selects nothing
  const auto [it, is_new] = selections_.try_emplace({ns, selector});
  if (!is_new) return;
  it->second.selector = &it->first.second;
  const auto& [label, value] = *selector.begin();
  by_label_[LabelKey(ns, label, value)].push_back(&it->second);
}

void ObjectIndex::Follow(const api::ObjectChange& change) {
  const auto of_kind = [&](const auto& object) {
    using Kind = std::decay_t<decltype(object)>;
    if constexpr (std::is_same_v<Kind, api::Pod> || std::is_same_v<Kind, api::EndpointSlice>) {
      if (change.before != nullptr) Remove(std::get<Kind>(*change.before));
      if (change.after != nullptr) Add(std::get<Kind>(*change.after));
    } else {
      CHECK(false);
    }
  };
  std::visit(of_kind, change.before != nullptr ? *change.before : *change.after);
}

const ObjectIndex::Names& ObjectIndex::PodsOf(const std::string& ns,
                                              const api::StringMap& selector) const {
  if (selector.empty()) return kNone;
  const auto it = selections_.find({ns, selector});
  CHECK(it != selections_.end());
  return it->second.pods;
}

const ObjectIndex::Names& ObjectIndex::SlicesOf(const std::string& ns,
                                                const std::string& service) const {
  const auto it = slices_.find({ns, service});
  return it == slices_.end() ? kNone : it->second;
}

bool ObjectIndex::IsNamedBy(const std::string& service, const api::ObjectKey& pod) const {
  const auto it = naming_.find(pod);
  return it != naming_.end() && it->second.contains(service);
}

template <typename Visit>
void ObjectIndex::ForEachSelection(const api::Pod& pod, Visit visit) {
  for (const auto& [label, value] : pod.meta.labels) {
    const auto it = by_label_.find(LabelKey(pod.meta.ns, label, value));
    if (it == by_label_.end()) continue;
    for (Selection* selection : it->second) {
      if (api::LabelsMatch(*selection->selector, pod.meta.labels)) visit(*selection);
    }
  }
}

void ObjectIndex::Add(const api::Pod& pod) {
  ForEachSelection(pod, [&](Selection& selection) {
    selection.pods.insert(selection.pods.end(), pod.meta.name);
  });
}

void ObjectIndex::Remove(const api::Pod& pod) {
  ForEachSelection(pod, [&](Selection& selection) { selection.pods.erase(pod.meta.name); });
}

void ObjectIndex::Add(const api::EndpointSlice& slice) {
  slices_[{slice.meta.ns, slice.service_name}].insert(slice.meta.name);
  for (const api::SliceEndpoint& endpoint : slice.endpoints) {
    if (!endpoint.pod_name.empty()) {
      ++naming_[{slice.meta.ns, endpoint.pod_name}][slice.service_name];
    }
  }
}

void ObjectIndex::Remove(const api::EndpointSlice& slice) {
  const auto slices = slices_.find({slice.meta.ns, slice.service_name});
  slices->second.erase(slice.meta.name);
  if (slices->second.empty()) slices_.erase(slices);
  for (const api::SliceEndpoint& endpoint : slice.endpoints) {
    if (endpoint.pod_name.empty()) continue;
    const auto services = naming_.find({slice.meta.ns, endpoint.pod_name});
    const auto service = services->second.find(slice.service_name);
    if (--service->second > 0) continue;
    services->second.erase(service);
    if (services->second.empty()) naming_.erase(services);
  }
}

}  // namespace gw::internal
