#include "config/kubernetes/cluster_kinds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace gw::config {
namespace {

using ::testing::ElementsAre;

TEST(ClusterKinds, HaveTheNamesThatTheirCrdsHave) {
  std::map<std::string, std::vector<std::string>> versions;
  for (const ClusterKind& kind : ClusterKinds()) versions[kind.Name()] = kind.versions;
  EXPECT_EQ(versions.size(), 21u);
  EXPECT_THAT(versions["pods"], ElementsAre("v1"));
  EXPECT_THAT(versions["endpointslices.discovery.k8s.io"], ElementsAre("v1"));
  EXPECT_THAT(versions["gatewayclasses.gateway.networking.k8s.io"], ElementsAre("v1", "v1beta1"));
  EXPECT_THAT(versions["gateways.gateway.networking.k8s.io"], ElementsAre("v1", "v1beta1"));
  EXPECT_THAT(versions["backendtlspolicies.gateway.networking.k8s.io"],
              ElementsAre("v1", "v1alpha3"));
  EXPECT_THAT(versions["inferencepools.inference.networking.k8s.io"], ElementsAre("v1"));
  EXPECT_THAT(versions["inferencepools.inference.networking.x-k8s.io"], ElementsAre("v1alpha2"));
  EXPECT_THAT(versions["inferencetrafficpolicies.inferenceextension.alibabacloud.com"],
              ElementsAre("v1alpha1"));
  EXPECT_THAT(versions["modelreleases.penstock.dev"], ElementsAre("v1alpha1"));
}

TEST(ClusterKinds, AStableVersionGoesBeforeABetaAndThatBeforeAnAlpha) {
  const std::vector<std::string> newest_first = {
      "v2", "v1", "v2beta1", "v1beta10", "v1beta2", "v3alpha1", "v1alpha2", "v1alpha1", "other"};
  for (size_t i = 0; i < newest_first.size(); ++i) {
    for (size_t k = 0; k < newest_first.size(); ++k) {
      EXPECT_EQ(IsNewerVersion(newest_first[i], newest_first[k]), i < k)
          << newest_first[i] << " and " << newest_first[k];
    }
  }
}

}  // namespace
}  // namespace gw::config
