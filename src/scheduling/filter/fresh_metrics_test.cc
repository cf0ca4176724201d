#include <gtest/gtest.h>

#include "scheduling/plugins.h"
#include "scheduling/test_views.h"

namespace gw {
namespace {

std::vector<float> Kept(std::vector<EndpointView> views) {
  NewFreshMetricsFilter()->Keep({}, &views);
  std::vector<float> waiting;
  for (const EndpointView& view : views) waiting.push_back(view.waiting_requests);
  return waiting;
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
