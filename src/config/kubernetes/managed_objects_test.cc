#include "config/kubernetes/managed_objects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "config/kubernetes/test_managed.h"
#include "kube/json_node.h"
#include "kube/node_edit.h"

namespace gw::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Made(const std::string& own, const api::ManagedGateway& gateway) {
  const auto made = MakeDeployment(kube::JsonOf(own), gateway, "gateways");
  return made.ok() ? kube::ToJson(*made) : std::string(made.status().message());
}
std::vector<std::string> ArgumentsOf(const std::string& own_args) {
  const auto made =
      MakeDeployment(kube::JsonOf(OwnDeployment(own_args)), ManagedWeb({80}), "gateways");
  const api::Node* pod = kube::MapAt(kube::MapAt(kube::MapAt(&*made, "spec"), "template"), "spec");
  std::vector<std::string> out;
  for (const api::Node& each : kube::ItemsAt(&kube::ItemsAt(pod, "containers")[1], "args")) {
    out.push_back(each.text);
  }
  return out;
}

TEST(MakeDeployment, IsThisGatewaysOwnButForNamesLabelsAndFlags) {
  api::ManagedGateway gateway = ManagedWeb({80, 443});
  gateway.infrastructure.labels = {{"team", "a"}, {"app.kubernetes.io/managed-by", "me"}};
  gateway.infrastructure.annotations = {{"example.com/cost", "7"}, {"prometheus.io/port", "1"}};
  const std::string labels =
      R"({"app.kubernetes.io/managed-by":"penstock",)"
      R"("gateway.networking.k8s.io/gateway-name":"web","penstock.dev/gateway-namespace":"shop",)"
      R"("team":"a"})";
  const std::string selector =
      R"({"app.kubernetes.io/managed-by":"penstock",)"
      R"("gateway.networking.k8s.io/gateway-name":"web","penstock.dev/gateway-namespace":"shop"})";
  EXPECT_EQ(Made(OwnDeployment(), gateway),
            absl::StrCat(
                R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"labels":)", labels,
                R"(,"annotations":{"example.com/cost":"7","prometheus.io/port":"1"},)"
                R"("name":"penstock-shop-web-)",
                kWebHash,
                R"(","namespace":"gateways"},)"
                R"("spec":{"strategy":{"type":"RollingUpdate"},"revisionHistoryLimit":10,)"
                R"("selector":{"matchLabels":)",
                selector,
                R"(},"template":{"metadata":{"labels":{"app.kubernetes.io/managed-by":"penstock",)"
                R"("gateway.networking.k8s.io/gateway-name":"web","mesh":"on",)"
                R"("penstock.dev/gateway-namespace":"shop","team":"a"},)"
                R"("annotations":{"example.com/cost":"7","prometheus.io/port":"1"}},)"
                R"("spec":{"serviceAccountName":"penstock","topologySpreadConstraints":)"
                R"([{"maxSkew":1,"labelSelector":{"matchLabels":)",
                selector,
                R"(}}],"containers":[{"name":"sidecar","image":"s:1"},)"
                R"({"name":"penstock","image":"penstock:1","args":["serve","--kubernetes",)"
                R"("--workers=2","--gateway=shop/web",)"
                R"("--service=gateways/penstock-shop-web-)",
                kWebHash, R"(","--write-status=false"]}]}}}})"));
}

TEST(MakeDeployment, LeavesOutEveryFlagThatIsTheControllersOwnInBothForms) {
  EXPECT_THAT(ArgumentsOf(R"("serve","--lease","a/b","--infrastructure","managed",)"
                          R"("--managed-from","g/own","--write-status=true","--log-level","debug",)"
                          R"("--address-pool=10.0.0.0/8","--service=a/b","--gateway","x/y",)"
                          R"("--metrics-token")"),
              ElementsAre("serve", "--log-level", "debug", "--metrics-token", "--gateway=shop/web",
                          absl::StrCat("--service=gateways/penstock-shop-web-", kWebHash),
                          "--write-status=false"));
}

TEST(MakeDeployment, DoesNotTakeAFlagForTheValueOfTheOneBeforeIt) {
  EXPECT_THAT(ArgumentsOf(R"("serve","--managed-from=g/own","--infrastructure","--kubernetes")"),
              testing::Contains("--kubernetes"));
}

TEST(MakeDeployment, OfADeploymentThatIsNotThisGatewaysSaysSo) {
  EXPECT_EQ(Made(OwnDeployment(R"("serve","--kubernetes")"), ManagedWeb({80})),
            "no container of this gateway's own Deployment has the flag --managed-from");
  EXPECT_EQ(Made("{}", ManagedWeb({80})),
            "no container of this gateway's own Deployment has the flag --managed-from");
}

TEST(MakeDeployment, MakesNoPodsThatTheControllersDeploymentSelects) {
  api::ManagedGateway gateway = ManagedWeb({80});
  gateway.infrastructure.labels = {{"app", "penstock"}};
  EXPECT_THAT(Made(OwnDeployment(), gateway), HasSubstr("spec.infrastructure.labels: all those"));
  gateway.infrastructure.labels = {{"app", "another"}};
  EXPECT_THAT(Made(OwnDeployment(), gateway), HasSubstr(R"("app":"another")"));
}

TEST(MakeService, HasAPortForEachOfTheListeners) {
  api::ManagedGateway gateway = ManagedWeb({80, 443});
  gateway.infrastructure.service_type = "NodePort";
  gateway.infrastructure.annotations = {{"lb.example.com/class", "internal"}};
  const std::string labels =
      R"({"app.kubernetes.io/managed-by":"penstock",)"
      R"("gateway.networking.k8s.io/gateway-name":"web","penstock.dev/gateway-namespace":"shop"})";
  EXPECT_EQ(
      kube::ToJson(MakeService(gateway, "gateways")),
      absl::StrCat(R"({"apiVersion":"v1","kind":"Service","metadata":{"labels":)", labels,
                   R"(,"annotations":{"lb.example.com/class":"internal"},)"
                   R"("name":"penstock-shop-web-)",
                   kWebHash,
                   R"(","namespace":"gateways"},)"
                   R"("spec":{"type":"NodePort","selector":)",
                   labels,
                   R"(,"ports":[{"name":"port-80","port":80,"protocol":"TCP","targetPort":80},)"
                   R"({"name":"port-443","port":443,"protocol":"TCP","targetPort":443}]}})"));
}

TEST(WasMade, KnowsWhatIsMadeHereWhateverTheNameOfTheGateway) {
  const std::string letters(253, 'x');
  for (const std::string& name :
       {std::string("web"), std::string("a.b"), letters, letters.substr(0, 63),
        letters.substr(0, 53) + "." + letters.substr(0, 30), "a" + std::string(70, '-') + "b"}) {
    for (const std::string& ns : {std::string("shop"), letters.substr(0, 63)}) {
      api::ManagedGateway gateway{{ns, name}, {80}, {}};
      api::Node made = MakeService(gateway, "gateways");
      EXPECT_TRUE(WasMade(made)) << ns << "/" << name;
      kube::MergePatch(kube::JsonOf(R"({"metadata":{"name":"penstock-copy"}})"), &made);
      EXPECT_FALSE(WasMade(made)) << ns << "/" << name;
    }
  }
  EXPECT_FALSE(WasMade(kube::JsonOf("{}")));
}

TEST(ViewOf, IsTheWishWhereTheObjectHasAllOfIt) {
  const auto view = [](const char* object, const char* wish) {
    return ViewOf(kube::JsonOf(object), kube::JsonOf(wish));
  };
  EXPECT_EQ(view(R"({"b":{"c":1,"d":2},"x":9,"l":[{"n":"a","more":1}]})",
                 R"({"l":[{"n":"a"}],"b":{"c":1}})"),
            R"({"l":[{"n":"a"}],"b":{"c":1}})");
  EXPECT_EQ(view(R"({"a":2})", R"({"a":1,"b":1})"), R"({"a":2})");
  EXPECT_EQ(view(R"({"l":[1,2]})", R"({"l":[1]})"), R"({"l":[1,2]})") << "one is too many";
  EXPECT_EQ(view(R"({"a":{"b":1}})", R"({"a":"b"})"), R"({"a":{"b":1}})");
  EXPECT_EQ(view(R"({"a":"1"})", R"({"a":1})"), R"({"a":"1"})");
}

}  // namespace
}  // namespace gw::config
