#include "cli/cluster_flags.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

TEST(ClusterFlags, OnAClusterTheKnownPickersServiceIsOursUnlessOthersAreNamed) {
  TranslateOptions options;
  DecideAsOnACluster(&options);
  EXPECT_FALSE(options.only_controller);
  EXPECT_EQ(options.missing_picker, MissingPicker::kBuiltInOfOldGroup);
  EXPECT_EQ(options.builtin_pickers, std::set<std::string>{"inference-gateway-ext-proc"});
  options.builtin_pickers = {"mine"};
  DecideAsOnACluster(&options);
  EXPECT_EQ(options.builtin_pickers, std::set<std::string>{"mine"});
}

}  // namespace
}  // namespace gw
