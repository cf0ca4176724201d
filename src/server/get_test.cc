#include "server/get.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pool/health.h"

namespace gw {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

// A pool "default/qwen" of three Pods, one of which is not ready, and a pool nothing routes to.
class GetTest : public ::testing::Test {
 protected:
  GetTest() {
    auto entry = std::make_shared<PoolEntry>();
    entry->pool.ns = "default";
    entry->pool.name = "qwen";
    entry->pool.id = "default/qwen";
    for (const char* name : {"a", "b"}) {
      Endpoint endpoint;
      endpoint.ns = "default";
      endpoint.name = name;
      endpoint.address = std::string("127.0.0.") + (*name == 'a' ? "11" : "12") + ":8000";
      endpoint.state = table_.Get(endpoint.address);
      endpoint.state->scraped_at_ns = Now();
      entry->pool.endpoints.push_back(endpoint);
    }
    pool_ = entry;
    snapshot_.pools.push_back(entry);
    for (const char* name : {"a", "b", "c"}) {
      api::Pod pod;
      pod.meta.name = name;
      pod.ip = "127.0.0.1";
      pod.ready = *name != 'c';
      resources_.pods[{"default", name}] = pod;
    }
    for (const char* name : {"idle", "qwen"}) {
      api::ObjectStatus status;
      status.source = {"pool.yaml", 3};
      api::ParentStatus parent;
      parent.parent_ref.kind = "Gateway";
      parent.parent_ref.name = "gw";
      api::Condition accepted;
      accepted.type = accepted.reason = "Accepted";
      accepted.status = api::ConditionStatus::kTrue;
      parent.conditions = {accepted};
      status.parents = {parent};
      status_.emplace(
          api::ObjectRef{"inference.networking.k8s.io", "v1", "InferencePool", "default", name},
          status);
    }
  }

  EndpointState& StateOf(size_t i) { return *pool_->pool.endpoints[i].state; }
  int64_t Now() const { return clock_.Now().time_since_epoch().count(); }
  AdminResponse Get(std::string_view query) {
    return AnswerGet({snapshot_, resources_, status_, releases_, clock_.Now()}, query);
  }

  ManualClock clock_;
  EndpointTable table_;
  std::shared_ptr<const PoolEntry> pool_;
  Snapshot snapshot_;
  api::ResourceSet resources_;
  api::StatusSet status_;
  std::vector<ReleaseView> releases_;
};

TEST_F(GetTest, PoolsAreATable) {
  StateOf(0).in_flight_requests = 2;
  StateOf(0).waiting_requests = 3;
  RecordFailure(StateOf(1), clock_.Now(), EndpointFailure::kConnectRefused);
  const std::string text = Get("kind=pools").body;
  EXPECT_THAT(text, MatchesRegex("NAMESPACE +NAME +RUNTIME +STRATEGY +READY +IN-FLIGHT +WAITING "
                                 "+RUNNING +ACCEPTED +MESSAGE\n"
                                 "default +idle +- +- +- +- +- +- +True +-\n"
                                 "default +qwen +vllm +- +1/2 +2 +3 +0 +True +-\n"));
  EXPECT_THAT(Get("kind=pools&output=wide").body, HasSubstr("pool.yaml:3"));
}

TEST_F(GetTest, OneIsAskedForByItsName) {
  EXPECT_THAT(Get("kind=pool&name=qwen").body, Not(HasSubstr("idle")));
  EXPECT_THAT(Get("kind=endpoints&name=127.0.0.12:8000").body, Not(HasSubstr("127.0.0.11")));
  EXPECT_EQ(Get("kind=pods&namespace=elsewhere").body, "");
  const AdminResponse none = Get("kind=pool&name=llama");
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(
      none.body,
      "Error from server (NotFound): inferencepools.inference.networking.k8s.io \"llama\" not "
      "found\n");
  EXPECT_EQ(Get("kind=po&name=z").body, "Error from server (NotFound): pods \"z\" not found\n");
}

TEST_F(GetTest, AKindThatThereIsNotIsRefusedWithThoseThatThereAre) {
  const AdminResponse none = Get("kind=podz");
  EXPECT_EQ(none.status, 404);
  EXPECT_THAT(none.body, StartsWith("error: the server doesn't have a resource type \"podz\""));
  EXPECT_THAT(none.body, HasSubstr(", did you mean \"pods\"? It has all, gatewayclasses, "));
  EXPECT_THAT(none.body, HasSubstr("policies, releases, pods, endpoints, queues and peers\n"));
  EXPECT_THAT(Get("kind=endpiont").body, HasSubstr("did you mean \"Endpoint\"?"));
  EXPECT_THAT(Get("kind=httprout").body, HasSubstr("did you mean \"HTTPRoute\"?"));
  EXPECT_THAT(Get("kind=deployments").body, HasSubstr("\"deployments\". It has all, "));
  EXPECT_EQ(Get("kind=pods&output=xml").status, 400);
}

TEST_F(GetTest, PodsAreToldAlsoWhereTheyServeNothing) {
  EXPECT_THAT(Get("kind=pods").body,
              MatchesRegex("NAMESPACE +NAME +READY +STATUS +IP +POOLS +STATE\n"
                           "default +a +1/1 +Running +127.0.0.1 +default/qwen +ready\n"
                           "default +b +1/1 +Running +127.0.0.1 +default/qwen +ready\n"
                           "default +c +0/1 +Running +127.0.0.1 +<none> +-\n"));
}

TEST_F(GetTest, AnEndpointSaysWhatIsWrongWithIt) {
  const auto state = [&] {
    const std::string text = Get("kind=endpoints&name=a").body;
    return text.substr(text.find_last_of(' ') + 1);
  };
  EXPECT_EQ(state(), "ready\n");
  clock_.Advance(std::chrono::seconds(3));
  EXPECT_EQ(state(), "stale\n") << "the age of what is shown is beyond the limit";
  StateOf(0).silence = Silence::kMetrics;
  EXPECT_EQ(state(), "silent\n");
  RecordFailure(StateOf(0), clock_.Now(), EndpointFailure::kConnectRefused);
  EXPECT_EQ(state(), "ejected\n");
  EXPECT_THAT(Get("kind=endpoints&name=a").body, HasSubstr(" 1.0s "));
}

TEST_F(GetTest, WhatAnEndpointNeverSaidIsAbsent) {
  StateOf(0).scraped_at_ns = 0;
  EXPECT_THAT(Get("kind=endpoints&name=a").body,
              MatchesRegex("POOL +POD +ENDPOINT +ROLE +IN-FLIGHT +PENDING +WAITING +RUNNING +KV "
                           "+AGE-MS +FAILURES +EJECTED +ALLOWED +PAUSED +STATE\n"
                           "default/qwen +a +127.0.0.11:8000 +both +0 +0 +- +- +- +- +0 +- "
                           "+- +- +unknown\n"));
  EXPECT_THAT(Get("kind=endpoints&name=a&output=json").body, HasSubstr("\"metrics_age_ms\": null"));
}

TEST_F(GetTest, DocumentsAreOneObjectOrAList) {
  const std::string list = Get("kind=pools&output=json").body;
  EXPECT_THAT(list, HasSubstr("\"kind\": \"List\""));
  const std::string one = Get("kind=pools&name=qwen&output=yaml").body;
  EXPECT_THAT(one, StartsWith("apiVersion: inference.networking.k8s.io/v1\nkind: InferencePool\n"));
  EXPECT_THAT(one, HasSubstr("    readyEndpoints: 2\n"));
}

TEST_F(GetTest, ConditionsAreDescribed) {
  EXPECT_THAT(Get("").body, HasSubstr("InferencePool default/qwen (pool.yaml:3)\n"));
  const std::string one = Get("kind=pool&name=qwen&output=describe").body;
  EXPECT_THAT(one, StartsWith("InferencePool default/qwen (pool.yaml:3)\n"));
  EXPECT_THAT(one, Not(HasSubstr("idle")));
}

// The pool with a queue that has no room until a test says otherwise.
class GetQueueTest : public GetTest {
 protected:
  GetQueueTest() {
    auto entry = std::make_shared<PoolEntry>(*pool_);
    entry->queueing.emplace();
    entry->queueing->shares = {{-1, 0.1}};
    entry->queueing->reserved = {{0, 2}};
    entry->queue = queue_;
    entry->breaker = breakers_.Get("qwen", {.waiting_max = 70});
    snapshot_.pools[0] = entry;
    queue_->SetPool(*entry->queueing,
                    [this](TimePoint, int64_t kept_free) { return room_ - kept_free; });
  }
  // Its turns end before what they are counted in.
  ~GetQueueTest() override { room_ = 0; }
  void Wait(uint64_t id, int priority, std::string_view tenant, size_t bytes,
            FairQueue::Terms terms = {}) {
    const FairQueue::Request request{.id = id,
                                     .priority = priority,
                                     .tenant = tenant,
                                     .terms = terms,
                                     .tokens = 10,
                                     .bytes = bytes};
    ASSERT_EQ(queue_->Wait(request, [this](Grant grant) { turns_.push_back(std::move(grant)); }),
              FairQueue::Refused::kNo);
  }

  int64_t room_ = 0;
  Breakers breakers_;
  std::shared_ptr<RequestQueue> queue_ = std::make_shared<RequestQueue>(clock_);
  std::vector<Grant> turns_;
};

TEST_F(GetQueueTest, AQueueIsToldByPriorityAndTenant) {
  EXPECT_THAT(Get("kind=queues").body,
              MatchesRegex("POOL +PRIORITY +TENANT +WAITING +BYTES +OLDEST +IN-FLIGHT +TOKENS "
                           "+SERVED +STATE\n"
                           "default/qwen +- +- +0 +0 +- +0 +0 +- +saturated\n"));
  room_ = 1;
  Wait(1, 0, "team-a", 100, {.requests_max = 1});
  turns_[0].Dispatched();
  room_ = 0;
  Wait(2, 0, "team-a", 100, {.requests_max = 1});
  clock_.Advance(std::chrono::seconds(2));
  Wait(3, 0, "team-a", 50, {.requests_max = 1});
  Wait(4, 7, "", 30);
  EXPECT_THAT(Get("kind=queue").body,
              MatchesRegex(".*\ndefault/qwen +7 +<none> +1 +30 +0.0s +0 +0 +0 +saturated\n"
                           "default/qwen +0 +team-a +2 +150 +2.0s +1 +10 +10 +ceiling\n"));
  room_ = 2;
  Wait(5, -1, "team-b", 30);
  EXPECT_THAT(Get("kind=queues&name=qwen").body, HasSubstr("reserved\n"));
  room_ = 0;
  EXPECT_THAT(Get("kind=queues&output=wide").body,
              MatchesRegex(".* ROOM +REQUESTS-MAX +BYTES-MAX +WAITING-MAX +TIMEOUT +STATE\n.* 0 "
                           "+1000 +268435456 +70 +60.0s +saturated\n.*\n"));
  EXPECT_THAT(Get("kind=queues&watch=true").body, Not(HasSubstr("OLDEST")));
  EXPECT_EQ(Get("kind=queues&namespace=other").body, "");
  EXPECT_EQ(Get("kind=queues&name=none").status, 404);
}

TEST_F(GetQueueTest, ADocumentHasAPoolsQueueAsAWhole) {
  Wait(1, -1, "team-a", 100);
  Wait(2, -1, "team-b", 20);
  clock_.Advance(std::chrono::milliseconds(1500));
  const std::string yaml = Get("kind=queues&name=qwen&output=yaml").body;
  EXPECT_EQ(yaml, R"(pool: default/qwen
saturated: true
room: 0
waiting: 2
waiting_bytes: 120
limits:
  requests: 1000
  bytes: 268435456
  timeout_ms: 60000
  without_endpoints: false
  reserved:
    "0": 2
  evict_below: null
  max_waiting: 70
priorities:
- priority: -1
  share: 0.1
  waiting: 2
  waiting_bytes: 120
  tenants:
  - tenant: team-a
    waiting: 1
    waiting_bytes: 100
    oldest_wait_ms: 1500
    in_flight_requests: 0
    in_flight_tokens: 0
    at_ceiling: false
    served_tokens: 0
  - tenant: team-b
    waiting: 1
    waiting_bytes: 20
    oldest_wait_ms: 1500
    in_flight_requests: 0
    in_flight_tokens: 0
    at_ceiling: false
    served_tokens: 0
)");
  EXPECT_THAT(Get("kind=queues&output=json").body, HasSubstr("\"kind\": \"List\""));
  EXPECT_EQ(Get("kind=queues&name=qwen&output=describe").body, yaml);
}

TEST_F(GetTest, APoolWithoutAQueueIsNotAmongThem) { EXPECT_EQ(Get("kind=queues").body, ""); }

TEST_F(GetTest, WhatMovesByItselfIsNotWatched) {
  EXPECT_THAT(Get("kind=endpoints&watch=true").body, Not(HasSubstr("AGE-MS")));
}

}  // namespace
}  // namespace gw
