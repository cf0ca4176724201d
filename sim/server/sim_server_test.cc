// The fleet: threads, addresses, faults ordered through another replica, stopping.

#include "sim/server/sim_server.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "sim/server/endpoint_objects.h"
#include "sim/server/replica_test_fixture.h"

namespace gw::sim {
namespace {

class SimServerTest : public testing::Test {
 protected:
  void Start(uint32_t replicas, int threads) {
    options_.models = {"m"};
    options_.spec = *FindServerSpec("instant");
    options_.replicas = replicas;
    options_.threads = threads;
    options_.listen = "127.0.0.1:0";
    absl::StatusOr<std::unique_ptr<SimServer>> server = SimServer::Start(options_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  // The connection is kept for the life of the test.
  TestClient& ClientOf(size_t replica) {
    clients_.push_back(std::make_unique<TestClient>(*loop_, server_->addresses()[replica]));
    return *clients_.back();
  }
  int Post(size_t replica, std::string_view path, std::string_view body) {
    TestClient& client = ClientOf(replica);
    client.Send("POST", path, body);
    client.WaitForEnd();
    return client.status;
  }

  SimOptions options_;
  std::unique_ptr<EventLoop> loop_ = *EventLoop::New();
  std::vector<std::unique_ptr<TestClient>> clients_;
  std::unique_ptr<SimServer> server_;
};

TEST_F(SimServerTest, EveryReplicaHasAnAddressAndStateOfItsOwn) {
  Start(4, 2);
  std::set<std::string> addresses;
  for (size_t i = 0; i < 4; ++i) {
    TestClient& client = ClientOf(i);
    for (size_t n = 0; n <= i; ++n) {
      client.Send("POST", "/v1/completions", R"({"prompt":"p"})");
      client.WaitForEnd();
      EXPECT_EQ(client.status, 200);
      addresses.insert(client.Header("x-sim-replica"));
      client.NextAnswer();
    }
    EXPECT_EQ(JsonAt(client.Get("/sim/state"), "/requests"), std::to_string(i + 1));
    EXPECT_EQ(JsonAt(client.Get("/sim/state"), "/name"), "sim-" + std::to_string(i));
  }
  EXPECT_EQ(addresses.size(), 4u);
}

TEST_F(SimServerTest, AReplicaThatIsDownIsRestoredThroughAnother) {
  Start(3, 2);
  EXPECT_EQ(Post(0, "/sim/fault", R"({"fault":"die","replica":1})"), 200);
  EXPECT_TRUE(ClientOf(1).refused());
  EXPECT_EQ(Post(0, "/sim/restore", R"({"replica":1})"), 200);
  EXPECT_EQ(Post(1, "/v1/completions", R"({"prompt":"p"})"), 200);
  EXPECT_EQ(Post(0, "/sim/fault", R"({"fault":"replica=2:error=500"})"), 200);
  EXPECT_EQ(Post(2, "/v1/completions", R"({"prompt":"p"})"), 500);
  EXPECT_EQ(Post(1, "/sim/fault", R"({"fault":"error=500","replica":"all"})"), 200);
  EXPECT_EQ(Post(0, "/v1/completions", R"({"prompt":"p"})"), 500);
  EXPECT_EQ(Post(0, "/sim/restore", R"({"replica":"all"})"), 200);
  EXPECT_EQ(Post(2, "/v1/completions", R"({"prompt":"p"})"), 200);
  EXPECT_EQ(Post(0, "/sim/fault", R"({"fault":"die","replica":9})"), 409);
}

TEST_F(SimServerTest, StopsCleanlyWithRequestsInFlight) {
  options_.faults.push_back(*ParseFaultOrder("replica=0:hang-after-headers"));
  Start(2, 2);
  TestClient& hanging = ClientOf(0);
  hanging.Send("POST", "/v1/completions", R"({"prompt":"p","stream":true})");
  hanging.WaitForHead();
  TestClient& idle = ClientOf(1);
  idle.Get("/health");
  server_->Stop(Duration{});
  hanging.WaitForClose();
  idle.WaitForClose();
  EXPECT_FALSE(hanging.message_done);
}

TEST_F(SimServerTest, SaysWhichAddressCannotBeHad) {
  Start(1, 1);
  SimOptions taken = options_;
  taken.listen = server_->addresses()[0].ToString();
  const absl::StatusOr<std::unique_ptr<SimServer>> second = SimServer::Start(taken);
  ASSERT_FALSE(second.ok());
  EXPECT_NE(std::string(second.status().message()).find(taken.listen), std::string::npos);
}

TEST_F(SimServerTest, AFaultForAReplicaThatIsNotThereIsAnError) {
  options_.faults.push_back(*ParseFaultOrder("replica=3:hang"));
  options_.replicas = 3;
  options_.spec = *FindServerSpec("instant");
  EXPECT_FALSE(SimServer::Start(options_).ok());
}

TEST(ReplicaAddress, CountsOnFromTheFirst) {
  EXPECT_EQ(ReplicaAddress("127.0.0.11:8000", 0)->ToString(), "127.0.0.11:8000");
  EXPECT_EQ(ReplicaAddress("127.0.0.11:8000", 2)->ToString(), "127.0.0.13:8000");
  EXPECT_EQ(ReplicaAddress("127.0.0.255:8000", 1)->ToString(), "127.0.1.0:8000");
  EXPECT_EQ(ReplicaAddress("127.0.0.1:0", 5)->ToString(), "127.0.0.1:0");
  EXPECT_FALSE(ReplicaAddress("[::1]:8000", 1).ok());
  EXPECT_FALSE(ReplicaAddress("localhost", 0).ok());
}

TEST(PodObjects, AreOnePodPerReplica) {
  SimOptions options;
  options.replicas = 2;
  options.name = "qwen";
  EXPECT_EQ(*PodObjects(options, "app=x,tier=\"a\""),
            R"(apiVersion: v1
kind: Pod
metadata:
  name: qwen-0
  annotations:
    penstock.dev/target-port: "8000"
  labels:
    app: "x"
    tier: "\"a\""
status:
  podIP: 127.0.0.11
---
apiVersion: v1
kind: Pod
metadata:
  name: qwen-1
  annotations:
    penstock.dev/target-port: "8000"
  labels:
    app: "x"
    tier: "\"a\""
status:
  podIP: 127.0.0.12
)");
  EXPECT_FALSE(PodObjects(options, "app").ok());
  EXPECT_FALSE(PodObjects(options, "=x").ok());
}

}  // namespace
}  // namespace gw::sim
