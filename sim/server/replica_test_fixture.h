// A simulated replica on the loop of the test, in time that the test moves.

#pragma once

#include <gtest/gtest.h>
#include <simdjson.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "net/event_loop.h"
#include "sim/server/replica.h"
#include "sim/server/test_client.h"

namespace gw::sim {

// The number, text or truth value at a JSON pointer, as text; "" if there is none.
inline std::string JsonAt(std::string_view json, std::string_view pointer) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  simdjson::dom::element value;
  if (parser.parse(simdjson::padded_string(json)).get(root)) return "not JSON";
  if (root.at_pointer(pointer).get(value)) return "";
  std::string_view text;
  if (!value.get(text)) return std::string(text);
  return simdjson::minify(value);
}

class ReplicaTest : public testing::Test {
 protected:
  // A step takes a millisecond of the test's time.
  static SimOptions TestOptions() {
    SimOptions options;
    options.models = {"m", "alias"};
    options.listen = "127.0.0.1:0";
    options.spec = {.name = "test",
                    .timer = {.h_us = 1000},
                    .block_tokens = 4,
                    .kv_blocks = 4096,
                    .sequences_max = 2,
                    .batch_tokens_max = 8192};
    return options;
  }

  void Start() { Start(TestOptions()); }
  void Start(const SimOptions& options) {
    options_ = options;
    replica_ = std::make_unique<Replica>(*loop_, options_, 0,
                                         *SocketAddress::Parse(options_.listen), nullptr);
    const absl::Status listening = replica_->Listen();
    ASSERT_TRUE(listening.ok()) << listening;
  }

  TestClient NewClient() { return TestClient(*loop_, replica_->address()); }
  // Lets that much time pass, a millisecond at a time.
  void Pass(Duration time) {
    for (; time > Duration{}; time -= std::chrono::milliseconds(1)) {
      clock_.Advance(std::chrono::milliseconds(1));
      loop_->RunOnce({});
      loop_->RunOnce({});
    }
  }
  // Moves time on until the answer is complete.
  void Finish(TestClient& client) {
    const TimePoint deadline = RealClock().Now() + std::chrono::seconds(20);
    while (!client.message_done && !client.ended) {
      ASSERT_LT(RealClock().Now(), deadline);
      Pass(std::chrono::milliseconds(1));
    }
  }
  // A member of GET /sim/state.
  std::string State(std::string_view pointer) {
    TestClient client = NewClient();
    return JsonAt(client.Get("/sim/state"), pointer);
  }
  void WaitForState(std::string_view pointer, std::string_view value) {
    TestClient client = NewClient();
    RunLoopUntil(*loop_, [&] { return JsonAt(client.Get("/sim/state"), pointer) == value; });
  }

  ManualClock clock_;
  std::unique_ptr<EventLoop> loop_ = *EventLoop::New(clock_);
  SimOptions options_;
  std::unique_ptr<Replica> replica_;
};

}  // namespace gw::sim
