// A prefill and a decode replica, joined over loopback, in time that the test moves.

#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "sim/server/replica_test_fixture.h"

namespace gw::sim {

// Two replicas on one loop; replica_ of the fixture is the prefill one.
class TransferTest : public ReplicaTest {
 protected:
  // A transfer takes 20 ms.
  static SimOptions PairOptions(Runtime runtime) {
    SimOptions options = TestOptions();
    options.runtime = runtime;
    options.spec.kv_handshake = std::chrono::milliseconds(20);
    options.kv_port = 0;
    options.bootstrap_port = 0;
    return options;
  }
  void StartPair(Runtime runtime) { StartPair(PairOptions(runtime)); }
  void StartPair(const SimOptions& options) {
    decode_options_ = options;
    decode_options_.role = Role::kDecode;
    SimOptions prefill = options;
    prefill.role = Role::kPrefill;
    Start(prefill);
    decode_ = std::make_unique<Replica>(*loop_, decode_options_, 1,
                                        *SocketAddress::Parse("127.0.0.1:0"), nullptr);
    ASSERT_TRUE(decode_->Listen().ok());
  }

  TestClient DecodeClient() { return TestClient(*loop_, decode_->address()); }
  // `more` are further members, each with a comma before it.
  void SendChat(TestClient& client, std::string_view more) {
    client.Send("POST", "/v1/chat/completions",
                Concat({R"({"model":"m","messages":[{"role":"user","content":)",
                        R"("one two three four five six seven eight"}])", more, "}"}),
                "x-request-id: r1\r\n");
  }
  std::string StateOf(const Replica& replica, std::string_view pointer) {
    TestClient client(*loop_, replica.address());
    return JsonAt(client.Get("/sim/state"), pointer);
  }
  std::string Metric(const Replica& replica, std::string_view name_and_labels) {
    TestClient client(*loop_, replica.address());
    const std::string page = client.Get("/metrics");
    const size_t at = page.find(Concat({"\n", name_and_labels, " "}));
    if (at == std::string::npos) return "none";
    const size_t value = at + name_and_labels.size() + 2;
    return page.substr(value, page.find('\n', value) - value);
  }
  void Order(const Replica& replica, std::string_view fault) {
    TestClient client(*loop_, replica.address());
    client.Send("POST", "/sim/fault", Concat({R"({"fault":")", fault, "\"}"}));
    client.WaitForEnd();
    EXPECT_EQ(client.status, 200) << client.body;
  }
  void WaitFor(const Replica& replica, std::string_view pointer, std::string_view value) {
    const TimePoint deadline = RealClock().Now() + std::chrono::seconds(20);
    while (StateOf(replica, pointer) != value) {
      ASSERT_LT(RealClock().Now(), deadline) << pointer << " is " << StateOf(replica, pointer);
      Pass(std::chrono::milliseconds(1));
    }
  }
  // Nothing is in flight, and every block has been given back.
  void ExpectIdle(const Replica& replica) {
    for (const char* what : {"/in_flight", "/running", "/waiting", "/receiving", "/held",
                             "/bootstrapping", "/kv_cache_used_blocks"}) {
      EXPECT_EQ(StateOf(replica, what), "0") << what;
    }
  }
  void WaitUntilIdle(const Replica& replica) {
    WaitFor(replica, "/kv_cache_used_blocks", "0");
    ExpectIdle(replica);
  }

  SimOptions decode_options_;
  std::unique_ptr<Replica> decode_;
};

}  // namespace gw::sim
