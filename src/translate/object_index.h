// ObjectIndex: what translating looks up among thousands of objects: the Pods that a selector
// selects, the EndpointSlices of a Service, the Services whose slices name a Pod.

#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "api/object.h"
#include "api/resources.h"

namespace gw::internal {

// A value: it holds names and no object. One thread.
class ObjectIndex {
 public:
  using Names = std::set<std::string>;

  explicit ObjectIndex(const api::ResourceSet& resources);
  ObjectIndex(const ObjectIndex&) = delete;  // it points into itself
  ObjectIndex& operator=(const ObjectIndex&) = delete;

  // Follows changes of Pods and EndpointSlices. REQUIRES: the change is of no other kind
  void Follow(const api::ObjectChange& change);

  // Names of the Pods in `ns`. REQUIRES: an InferencePool or Service of `ns` has that selector
  const Names& PodsOf(const std::string& ns, const api::StringMap& selector) const;
  // Names of the slices in the Service's namespace.
  const Names& SlicesOf(const std::string& ns, const std::string& service) const;
  // Whether a slice of that Service of the Pod's namespace names it.
  bool IsNamedBy(const std::string& service, const api::ObjectKey& pod) const;

 private:
  struct Selection {
    const api::StringMap* selector = nullptr;  // the key under which it stands
    Names pods;
  };
  using Selections = std::map<std::pair<std::string, api::StringMap>, Selection>;

  void AddSelection(const std::string& ns, const api::StringMap& selector);
  template <typename Visit>
  void ForEachSelection(const api::Pod& pod, Visit visit);
  void Add(const api::Pod& pod);
  void Remove(const api::Pod& pod);
  void Add(const api::EndpointSlice& slice);
  void Remove(const api::EndpointSlice& slice);

  Selections selections_;
  // By namespace and the selector's first label: of a Pod's selections one label is always this.
  absl::flat_hash_map<std::string, std::vector<Selection*>> by_label_;
  std::map<api::ObjectKey, Names> slices_;  // by Service
  // By Pod: Services, each with the number of slices' endpoints that name the Pod.
  std::map<api::ObjectKey, std::map<std::string, int>> naming_;
};

}  // namespace gw::internal
