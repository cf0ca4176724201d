// What the tests of a Gateway's own Deployment and Service share: the Deployment that they are made
// of, and a Gateway.

#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "api/managed.h"
#include "kube/test_api_objects.h"

namespace gw::config {

inline constexpr char kWebHash[] = "eb78a544";

inline constexpr char kOwnArguments[] =
    R"("serve","--kubernetes","--infrastructure=managed",)"
    R"("--managed-from=$(POD_NAMESPACE)/own","--lease=$(POD_NAMESPACE)/own","--workers=2")";

// "own" of namespace "gateways", with a container beside the gateway's.
inline std::string OwnDeployment(const std::string& arguments = kOwnArguments,
                                 const std::string& image = "penstock:1") {
  return absl::StrCat(
      R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"own",)"
      R"("namespace":"gateways","resourceVersion":"1","labels":{"chart":"c"}},"spec":{)"
      R"("replicas":2,"revisionHistoryLimit":10,"strategy":{"type":"RollingUpdate"},)"
      R"("selector":{"matchLabels":{"app":"penstock"}},"template":{"metadata":{)"
      R"("creationTimestamp":null,"labels":{"app":"penstock","mesh":"on"},"annotations":{)"
      R"("prometheus.io/port":"9909","kubectl.kubernetes.io/restartedAt":"now"}},"spec":{)"
      R"("serviceAccountName":"penstock","topologySpreadConstraints":[{"maxSkew":1,)"
      R"("labelSelector":{"matchLabels":{"app":"penstock"}}}],"containers":[)"
      R"({"name":"sidecar","image":"s:1"},{"name":"penstock","image":")",
      image, R"(","args":[)", arguments, "]}]}}}}");
}

inline api::ManagedGateway ManagedWeb(std::vector<uint16_t> ports) {
  return {{"shop", "web"}, std::move(ports), {}};
}

}  // namespace gw::config
