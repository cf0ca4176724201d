#include "server/process_metrics.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gw {
namespace {

using testing::ContainsRegex;

TEST(ProcessMetrics, TheStartStandsBehindTheNameWhateverThatHolds) {
  EXPECT_EQ(StartTicks("7 (a) b 1 (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21\n"),
            4711u);
  EXPECT_EQ(StartTicks("7 (penstock) S 1 2 3"), std::nullopt);
  EXPECT_EQ(StartTicks(""), std::nullopt);
}

TEST(ProcessMetrics, TheMachinesStartIsALineOfItsOwn) {
  EXPECT_EQ(BootTime("cpu  1 2 3\nctxt 5\nbtime 1795912773\nprocesses 9\n"), 1795912773u);
  EXPECT_EQ(BootTime("cpu  1 2 3\n"), std::nullopt);
}

TEST(ProcessMetrics, AllAreOnThePage) {
  MetricRegistry registry;
  RegisterProcessMetrics(registry);
  const std::string page = registry.Render();
  for (const char* name : {"process_cpu_seconds_total", "process_resident_memory_bytes",
                           "process_virtual_memory_bytes", "process_open_fds", "process_max_fds",
                           "process_start_time_seconds"}) {
    EXPECT_THAT(page, ContainsRegex(std::string("\n") + name + " [0-9.e+]+\n")) << name;
  }
}

}  // namespace
}  // namespace gw
