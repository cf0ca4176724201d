#include "cli/cluster_flags.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

TEST(ClusterFlags, OnAClusterTheKnownPickersServiceIsOursUnlessOthersAreNamed) {
  TranslateOptions options;
  ASSERT_TRUE(DecideAsOnACluster({}, &options).ok());
  EXPECT_FALSE(options.only_controller);
  EXPECT_EQ(options.missing_picker, MissingPicker::kBuiltInOfOldGroup);
  EXPECT_EQ(options.builtin_pickers, std::set<std::string>{"inference-gateway-ext-proc"});
  EXPECT_FALSE(options.shared_service);
  EXPECT_TRUE(options.address_pool.empty());
  options.builtin_pickers = {"mine"};
  ASSERT_TRUE(DecideAsOnACluster({}, &options).ok());
  EXPECT_EQ(options.builtin_pickers, std::set<std::string>{"mine"});
}

TEST(ClusterFlags, NameAServiceByItsNamespaceAndName) {
  TranslateOptions options;
  ASSERT_TRUE(DecideAsOnACluster({.service = "a-1/b-2"}, &options).ok());
  EXPECT_EQ(options.shared_service, (api::ObjectKey{"a-1", "b-2"}));
  for (const char* text :
       {"", "/", "a", "a/", "/b", "a/b/c", "A/b", "a/b ", "$(POD_NAMESPACE)/b"}) {
    EXPECT_EQ(ParseObjectName(text, "Service", "penstock-system/penstock").status().message(),
              "must be NAMESPACE/NAME of a Service, such as penstock-system/penstock, got \"" +
                  std::string(text) + "\"");
  }
}

TEST(ClusterFlags, NameTheDeploymentThatGatewaysAreMadeOf) {
  TranslateOptions options;
  ASSERT_TRUE(
      DecideAsOnACluster({.infrastructure = "managed", .managed_from = "a/b.c"}, &options).ok());
  EXPECT_EQ(options.managed_from, (api::ObjectKey{"a", "b.c"}));
  EXPECT_FALSE(options.only_gateway);
}

TEST(ClusterFlags, NameTheOneGatewayThatIsServed) {
  TranslateOptions options;
  ASSERT_TRUE(DecideAsOnACluster({.gateway = "shop/web.front", .service = "a/b"}, &options).ok());
  EXPECT_EQ(options.only_gateway, (api::ObjectKey{"shop", "web.front"}));
  EXPECT_EQ(options.shared_service, (api::ObjectKey{"a", "b"}));
  EXPECT_FALSE(options.managed_from);
}

TEST(ClusterFlags, OfManagedInfrastructureGoWithNoOthers) {
  const auto refused = [](const ClusterFlags& flags) {
    TranslateOptions options;
    return std::string(DecideAsOnACluster(flags, &options).message());
  };
  EXPECT_EQ(refused({.infrastructure = "managed"}),
            "--infrastructure managed requires --managed-from, the Deployment of this process");
  EXPECT_EQ(refused({.managed_from = "a/b"}), "--managed-from requires --infrastructure managed");
  const std::string why =
      " excludes --infrastructure managed, by which each Gateway is served "
      "elsewhere";
  EXPECT_EQ(refused({.infrastructure = "managed", .managed_from = "a/b", .service = "a/c"}),
            "--service" + why);
  EXPECT_EQ(
      refused(
          {.infrastructure = "managed", .managed_from = "a/b", .address_pools = {"10.0.0.0/30"}}),
      "--address-pool" + why);
  EXPECT_EQ(refused({.infrastructure = "managed", .managed_from = "a/b", .gateway = "a/c"}),
            "--gateway" + why);
}

TEST(ClusterFlags, AddressPoolsAreOneThatSharesNoAddress) {
  TranslateOptions options;
  ASSERT_TRUE(DecideAsOnACluster({.address_pools = {"10.0.0.0/30", "fd00::/126"}}, &options).ok());
  EXPECT_EQ(options.address_pool.size(), 5u);
  EXPECT_EQ(
      DecideAsOnACluster({.address_pools = {"10.0.0.0/24", "10.0.0.0/25"}}, &options).message(),
      "--address-pool: 10.0.0.0/24 and 10.0.0.0/25 have addresses in common");
}

}  // namespace
}  // namespace gw
