#include <gtest/gtest.h>

#include "scheduling/plugins.h"
#include "scheduling/test_views.h"

namespace gw {
namespace {

std::vector<float> Kept(const std::vector<EndpointView>& views) {
  Candidates candidates(views);
  NewFreshMetricsFilter()->Keep({}, &candidates);
  const auto waiting = candidates.waiting_requests();
  return {waiting.begin(), waiting.end()};
}

TEST(FreshMetricsFilter, KeepsTheFreshInTheirOrder) {
  EXPECT_EQ(Kept(Views({{.waiting = 1},
                        {.waiting = 2, .fresh = false},
                        {.waiting = 3},
                        {.waiting = 4, .fresh = false}})),
            (std::vector<float>{1, 3}));
}

TEST(FreshMetricsFilter, KeepsAllWhenNoneIsFresh) {
  EXPECT_EQ(Kept(Views({{.waiting = 1, .fresh = false}, {.waiting = 2, .fresh = false}})),
            (std::vector<float>{1, 2}));
}

}  // namespace
}  // namespace gw
