// ClusterKind: a kind of objects that is read from an API server, by the names that servers, CRDs
// and RBAC have for it. Values; any thread.

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gw::config {

struct ClusterKind {
  std::string group;  // empty: the core group
  std::string kind;
  std::string plural;                 // "httproutes"
  std::vector<std::string> versions;  // that are understood, the newest first

  std::string Name() const;  // "pods", "httproutes.gateway.networking.k8s.io"
  std::string ApiVersion(std::string_view version) const;
  // Every server has it, in its one version.
  bool built_in() const { return group.empty() || group == "discovery.k8s.io"; }
};

// All that api::Parser reads. The same kind of two groups is two kinds: both are served.
std::vector<ClusterKind> ClusterKinds();

// As Kubernetes makes plurals: "gatewayclasses", "backendtlspolicies", "pods".
std::string PluralOf(std::string_view kind);
// Whether version `a` is to be preferred: v2 to v1, v1 to v1beta2, that to v1beta1 and v1alpha1.
bool IsNewerVersion(std::string_view a, std::string_view b);

}  // namespace gw::config
