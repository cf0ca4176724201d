#include "sim/server/fault.h"

#include <gtest/gtest.h>

#include <string>

namespace gw::sim {
namespace {

TEST(ParseFaultOrder, TakesEveryFault) {
  const struct {
    const char* text;
    FaultKind kind;
    uint32_t number;
    int delay_ms;
  } cases[] = {
      {"refuse", FaultKind::kRefuse, 0, 0},
      {"die", FaultKind::kDie, 0, 0},
      {"hang", FaultKind::kHang, 0, 0},
      {"hang-after-headers", FaultKind::kHangAfterHeaders, 0, 0},
      {"error=503", FaultKind::kError, 503, 0},
      {"unhealthy", FaultKind::kUnhealthy, 0, 0},
      {"break-after=5", FaultKind::kBreakAfter, 5, 0},
      {"close-after=0", FaultKind::kCloseAfter, 0, 0},
      {"error-event-after=2", FaultKind::kErrorEventAfter, 2, 0},
      {"slow-metrics=200ms", FaultKind::kSlowMetrics, 0, 200},
      {"slow-metrics=2s", FaultKind::kSlowMetrics, 0, 2000},
      {"late-error=1s", FaultKind::kLateError, 0, 1000},
      {"no-transfer", FaultKind::kNoTransfer, 0, 0},
  };
  for (const auto& c : cases) {
    const absl::StatusOr<FaultOrder> order = ParseFaultOrder(c.text);
    ASSERT_TRUE(order.ok()) << order.status();
    EXPECT_EQ(order->fault.kind, c.kind) << c.text;
    EXPECT_EQ(order->fault.number, c.number) << c.text;
    EXPECT_EQ(order->fault.delay, std::chrono::milliseconds(c.delay_ms)) << c.text;
    EXPECT_FALSE(order->replica.has_value());
  }
}

TEST(ParseFaultOrder, MayNameOneReplica) {
  const absl::StatusOr<FaultOrder> order = ParseFaultOrder("replica=12:break-after=3");
  ASSERT_TRUE(order.ok());
  EXPECT_EQ(order->replica, 12u);
  EXPECT_EQ(order->fault.number, 3u);
}

TEST(ParseFaultOrder, SaysWhatIsWrong) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"", "is none of"},
      {"explode", "is none of refuse, die"},
      {"error", "wants a number"},
      {"error=200", "wants a status from 400 to 599"},
      {"break-after=x", "wants a number"},
      {"break-after=1x", "wants a number"},
      {"hang=3", "takes no value"},
      {"slow-metrics=5", "wants a time"},
      {"slow-metrics=5m", "wants a time"},
      {"late-error", "wants a time"},
      {"no-transfer=1", "takes no value"},
      {"replica=1", "replica=NUMBER:FAULT"},
      {"replica=x:hang", "replica=NUMBER:FAULT"},
  };
  for (const auto& c : cases) {
    const absl::StatusOr<FaultOrder> order = ParseFaultOrder(c.text);
    ASSERT_FALSE(order.ok()) << c.text;
    EXPECT_NE(std::string(order.status().message()).find(c.message), std::string::npos)
        << order.status();
  }
}

TEST(FaultState, SeveralFaultsHoldAtOnce) {
  FaultState state;
  state.Add(ParseFaultOrder("slow-metrics=1s")->fault);
  state.Add(ParseFaultOrder("break-after=4")->fault);
  EXPECT_EQ(state.metrics_delay, std::chrono::seconds(1));
  EXPECT_EQ(state.cut_after_tokens, 4u);
  EXPECT_EQ(state.cut, FaultState::Cut::kReset);
  EXPECT_FALSE(state.down);
  EXPECT_EQ(state.description, "slow-metrics break-after=4");
}

}  // namespace
}  // namespace gw::sim
