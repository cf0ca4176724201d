#include "api/managed.h"

#include <gtest/gtest.h>

#include <string>

#include "api/names.h"

namespace gw::api {
namespace {

TEST(ManagedName, HasNamespaceNameAndAHashThatStaysTheSameForEver) {
  EXPECT_EQ(ManagedName({"default", "web"}), "penstock-default-web-41d689bb");
}

TEST(ManagedName, OfTwoGatewaysIsNotTheSameBecauseTheirNamesReadAlike) {
  EXPECT_NE(ManagedName({"a", "b-c"}), ManagedName({"a-b", "c"}));
  EXPECT_NE(ManagedName({"a", "b.c"}), ManagedName({"a", "b-c"}));
}

TEST(ManagedName, IsADnsLabelHoweverLongTheGatewaysNameIs) {
  const std::string ns(63, 'n');
  for (size_t length = 1; length <= 253; ++length) {
    std::string name(length, 'a');
    for (size_t dot = 5; dot + 1 < length; dot += 7) name[dot] = dot % 2 == 0 ? '.' : '-';
    for (const std::string& space : {std::string("d"), ns}) {
      const std::string made = ManagedName({space, name});
      EXPECT_TRUE(IsDnsLabel(made)) << made;
      EXPECT_LE(made.size(), 63u);
    }
  }
  EXPECT_NE(ManagedName({ns, std::string(100, 'a')}), ManagedName({ns, std::string(101, 'a')}));
}

TEST(ManagedLabels, AreTheGatewaysOwn) {
  const StringMap labels = ManagedLabels({"shop", "web.front"});
  EXPECT_EQ(labels.at("gateway.networking.k8s.io/gateway-name"), "web.front");
  EXPECT_EQ(labels.at("penstock.dev/gateway-namespace"), "shop");
  EXPECT_EQ(labels.at("app.kubernetes.io/managed-by"), "penstock");
  EXPECT_EQ(labels.size(), 3u);
  EXPECT_TRUE(HasManagedLabels(labels));
}

TEST(ManagedLabels, AreValuesOfLabelsHoweverLongTheNameIs) {
  for (size_t length = 60; length <= 253; ++length) {
    const std::string name = std::string(54, 'x') + "." + std::string(length - 55, 'x');
    const std::string value = ManagedLabels({"shop", name}).at(kGatewayNameLabel);
    EXPECT_TRUE(IsLabelValue(value)) << value;
  }
  const std::string one = ManagedLabels({"a", std::string(64, 'x')}).at(kGatewayNameLabel);
  const std::string other = ManagedLabels({"a", std::string(65, 'x')}).at(kGatewayNameLabel);
  EXPECT_TRUE(IsLabelValue(one)) << one;
  EXPECT_NE(one, other);
}

TEST(HasManagedLabels, WantsAllOfThem) {
  const StringMap all = ManagedLabels({"shop", "web"});
  for (const auto& [key, value] : all) {
    StringMap labels = all;
    labels.erase(key);
    EXPECT_FALSE(HasManagedLabels(labels)) << key;
    labels[key] = "";
    EXPECT_FALSE(HasManagedLabels(labels)) << key;
  }
  StringMap helms = all;
  helms[kManagedByLabel] = "Helm";
  EXPECT_FALSE(HasManagedLabels(helms));
}

}  // namespace
}  // namespace gw::api
