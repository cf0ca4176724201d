// TestGateways: gateways in virtual time, each with the queue of one pool whose endpoints it has to
// itself, tenants that keep so many requests waiting there, and a topic that tells the others.

#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "flowcontrol/request_queues.h"
#include "peers/test_network.h"
#include "peers/topic.h"

namespace gw::peers {

constexpr char kPool[] = "default/qwen";

class TestGateway {
 public:
  using Terms = FairQueue::Terms;
  using MakeTopic =
      std::function<std::unique_ptr<Topic>(const RequestQueues& queues, Counter& limit)>;

  // Its pool runs so many requests at once.
  TestGateway(const Clock& clock, uint64_t seed, int64_t places, const MakeTopic& make)
      : clock_(clock), random_(seed), places_(places), queues_(clock), queue_(queues_.Get(kPool)) {
    topic_ = make(queues_, registry_.AddCounter("limit", ""));
    queue_->SetPool({}, [this](TimePoint, int64_t kept_free) { return room() - kept_free; });
  }
  // Ends what runs, and lets nobody go for it.
  ~TestGateway() {
    places_ = -1'000'000;
    queue_->Close();
  }

  // The tenant keeps so many requests waiting from now on, each of so many tokens and so long.
  void Load(const std::string& tenant, int waiting, int64_t tokens, Duration time,
            const Terms& terms = {}) {
    loads_[tenant].demand = {waiting, tokens, time, terms};
  }
  void set_places(int64_t places) {
    places_ = places;
    queue_->OnRoom();
  }

  // Ends what has run its time, and asks for what is to wait.
  void Advance() {
    for (auto running = running_.begin(); running != running_.end();) {
      if (running->ends_at > clock_.Now()) {
        ++running;
        continue;
      }
      Running ended = std::move(*running);
      running = running_.erase(running);
      --loads_[ended.tenant].in_flight;
      ended.grant.End(ended.tokens);
    }
    for (auto& [tenant, load] : loads_) {
      while (load.waiting < load.demand.waiting) Ask(tenant);
    }
  }

  Topic& topic() { return *topic_; }
  RequestQueue& queue() { return *queue_; }
  int64_t served(const std::string& tenant) { return loads_[tenant].served; }
  int64_t started(const std::string& tenant) { return loads_[tenant].started; }
  int64_t in_flight(const std::string& tenant) { return loads_[tenant].in_flight; }

 private:
  struct Demand {
    int waiting = 0;
    int64_t tokens = 0;
    Duration time{};
    Terms terms = {};
  };
  struct State {
    Demand demand;
    int waiting = 0;
    int64_t in_flight = 0;
    int64_t started = 0;
    int64_t served = 0;  // tokens
  };
  struct Running {
    std::string tenant;
    TimePoint ends_at;
    int64_t tokens;
    Grant grant;
  };

  int64_t room() const { return places_ - static_cast<int64_t>(running_.size()); }

  // As requests do it: at once if that is possible, else by waiting.
  void Ask(const std::string& tenant) {
    State& load = loads_[tenant];
    const FairQueue::Request request{.id = ++ids_,
                                     .priority = 0,
                                     .tenant = tenant,
                                     .terms = load.demand.terms,
                                     .tokens = load.demand.tokens,
                                     .bytes = 10};
    const auto room_now = [this](int64_t kept_free) { return room() - kept_free; };
    if (std::optional<Grant> grant = queue_->Pass(request, room_now)) {
      return Start(tenant, *std::move(grant));
    }
    ++load.waiting;
    queue_->Wait(request, [this, tenant](Grant grant) {
      --loads_[tenant].waiting;
      Start(tenant, std::move(grant));
    });
  }

  void Start(const std::string& tenant, Grant grant) {
    if (!grant.held()) return;
    State& load = loads_[tenant];
    const auto tokens = static_cast<int64_t>(
        load.demand.tokens / 2 + random_.Below(static_cast<uint64_t>(load.demand.tokens) + 1));
    ++load.in_flight;
    ++load.started;
    load.served += tokens;
    const Duration jitter(random_.Below(static_cast<uint64_t>(load.demand.time.count()) / 5 + 1));
    running_.push_back({tenant, clock_.Now() + load.demand.time + jitter, tokens, Grant()});
    running_.back().grant = std::move(grant);
    running_.back().grant.Dispatched();
  }

  const Clock& clock_;
  Random random_;
  int64_t places_;
  MetricRegistry registry_;
  RequestQueues queues_;
  std::shared_ptr<RequestQueue> queue_;
  std::unique_ptr<Topic> topic_;
  std::map<std::string, State> loads_;  // by tenant
  std::list<Running> running_;
  uint64_t ids_ = 0;
};

class TestGateways : public testing::Test {
 protected:
  static constexpr Duration kGather = std::chrono::milliseconds(5);

  virtual std::unique_ptr<Topic> Make(const RequestQueues& queues, Counter& limit) = 0;

  TestGateway& Add(int64_t places) {
    gateways_.push_back(std::make_unique<TestGateway>(
        clock_, gateways_.size() + 1, places,
        [this](const RequestQueues& queues, Counter& limit) { return Make(queues, limit); }));
    network_.Add(gateways_.back()->topic());
    return *gateways_.back();
  }
  // Steps of a millisecond; `look` after each.
  void Run(Duration time, const std::function<void()>& look = [] {}) {
    for (const TimePoint end = clock_.Now() + time; clock_.Now() < end;) {
      clock_.Advance(std::chrono::milliseconds(1));
      for (const auto& gateway : gateways_) {
        if (gateway != nullptr) gateway->Advance();
      }
      network_.Advance(clock_.Now());
      look();
    }
  }

  ManualClock clock_;
  TestNetwork network_{kGather, 11};
  std::vector<std::unique_ptr<TestGateway>> gateways_;
};

}  // namespace gw::peers
