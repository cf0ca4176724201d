#include "exchange/response_homes.h"

#include <gtest/gtest.h>

#include <string>

namespace gw {
namespace {

TEST(ResponseHomes, KnowsWhereAResponseWasMadeForAsLongAsThatIsThere) {
  ResponseHomes homes;
  auto endpoint = std::make_shared<EndpointState>(1);
  homes.Put("resp_1", endpoint);
  EXPECT_EQ(homes.Find("resp_1"), endpoint);
  EXPECT_EQ(homes.Find("resp_2"), nullptr);
  endpoint.reset();
  EXPECT_EQ(homes.Find("resp_1"), nullptr);
}

TEST(ResponseHomes, ForgetsTheOldestFirst) {
  ResponseHomes homes(100);
  const auto endpoint = std::make_shared<EndpointState>(1);
  for (int i = 0; i < 1000; ++i) {
    homes.Put(std::to_string(i), endpoint);
    for (int back = 0; back < 50 && back <= i; ++back) {
      ASSERT_NE(homes.Find(std::to_string(i - back)), nullptr) << i << " " << back;
    }
    if (i >= 100) ASSERT_EQ(homes.Find(std::to_string(i - 100)), nullptr) << i;
  }
}

}  // namespace
}  // namespace gw
