#include "translate/address_pool.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

AddressPool PoolOf(const std::vector<std::string>& networks) {
  absl::StatusOr<AddressPool> pool = AddressPool::Parse(networks);
  EXPECT_TRUE(pool.ok()) << pool.status();
  return pool.ok() ? *pool : AddressPool();
}

std::string AllOf(const AddressPool& pool) {
  std::string out;
  for (uint64_t i = 0; i < pool.size(); ++i) out += (i > 0 ? " " : "") + pool.At(i);
  return out;
}

TEST(AddressPool, HasNeitherTheNetworksOwnAddressNorTheBroadcasts) {
  const AddressPool pool = PoolOf({"10.0.0.4/30"});
  EXPECT_EQ(AllOf(pool), "10.0.0.5 10.0.0.6");
  for (const char* ip : {"10.0.0.5", "10.0.0.6"}) EXPECT_TRUE(pool.Holds(ip)) << ip;
  for (const char* ip :
       {"10.0.0.3", "10.0.0.4", "10.0.0.7", "10.0.0.8", "::", "::a00:5", "", "x"}) {
    EXPECT_FALSE(pool.Holds(ip)) << ip;
  }
}

TEST(AddressPool, OfOneOrTwoAddressesHasThemAll) {
  EXPECT_EQ(AllOf(PoolOf({"10.0.0.4/31"})), "10.0.0.4 10.0.0.5");
  EXPECT_EQ(AllOf(PoolOf({"10.0.0.4/32"})), "10.0.0.4");
  EXPECT_EQ(AllOf(PoolOf({"fd00::4/127"})), "fd00::4 fd00::5");
  EXPECT_EQ(AllOf(PoolOf({"fd00::4/128"})), "fd00::4");
}

TEST(AddressPool, OfIpv6HasAllButTheRoutersAddress) {
  EXPECT_EQ(AllOf(PoolOf({"fd00::fffc/126"})), "fd00::fffd fd00::fffe fd00::ffff");
  for (const char* text : {"fd00:1::/64", "fd00:1::/48", "fd00:1::/32"}) {
    const AddressPool pool = PoolOf({text});
    EXPECT_GE(pool.size(), UINT64_MAX - 2);
    EXPECT_EQ(pool.At(0), "fd00:1::1");
    EXPECT_EQ(pool.At(0x1'0000), "fd00:1::1:1");
    EXPECT_TRUE(pool.Holds("fd00:1::1:1"));
    EXPECT_TRUE(pool.Holds(pool.At(pool.size() - 1)));
    EXPECT_FALSE(pool.Holds("fd00:1::"));
    EXPECT_FALSE(pool.Holds("fd00:0:1::1"));
  }
  EXPECT_TRUE(PoolOf({"fd00:1::/32"}).Holds("fd00:1:2::1"));
}

TEST(AddressPool, OfSeveralNetworksHasThoseOfOneAfterTheOther) {
  const AddressPool pool = PoolOf({"10.0.1.0/30", "fd00::/126", "10.0.0.0/32"});
  EXPECT_EQ(AllOf(pool), "10.0.1.1 10.0.1.2 fd00::1 fd00::2 fd00::3 10.0.0.0");
  EXPECT_EQ(pool.ToString(), "10.0.1.0/30,fd00::/126,10.0.0.0/32");
  EXPECT_EQ(PoolOf({"fd00::/64", "fd01::/64"}).size(), UINT64_MAX);
  EXPECT_EQ(PoolOf({"0.0.0.0/0"}).size(), 0xffff'fffeu);
  EXPECT_TRUE(PoolOf({}).empty());
}

TEST(AddressPool, OfWhatIsNoNetworkThereIsNone) {
  const auto error = [](const std::vector<std::string>& networks) {
    return std::string(AddressPool::Parse(networks).status().message());
  };
  for (const char* text :
       {"", "/", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/ 8",
        "10.0.0.0/8x", "10.0.0/8", "pool/8", "fd00::/129", "10.0.0.0/8/8"}) {
    EXPECT_EQ(error({text}), "must be a network such as 10.246.0.0/16 or fd00::/64, got \"" +
                                 std::string(text) + "\"");
  }
  EXPECT_EQ(error({"10.0.0.5/30"}), "must be a network, 10.0.0.5/30 is an address in 10.0.0.4/30");
  EXPECT_EQ(error({"fd00::1:2/64"}), "must be a network, fd00::1:2/64 is an address in fd00::/64");
  EXPECT_EQ(error({"10.0.0.0/24", "fd00::/64", "10.0.0.128/25"}),
            "10.0.0.0/24 and 10.0.0.128/25 have addresses in common");
  EXPECT_EQ(error({"fd00::/64", "fd00::/64"}), "fd00::/64 and fd00::/64 have addresses in common");
  EXPECT_EQ(error({"0.0.0.0/0", "::/0"}), "");
}

}  // namespace
}  // namespace gw
