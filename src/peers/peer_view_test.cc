// Gateways that tell each other their sums over a network that loses, delays, reorders and
// duplicates, and in parts; against what each of them really has.

#include "peers/peer_view.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "peers/outbox.h"
#include "pool/endpoint_hold.h"
#include "pool/health.h"

namespace gw::peers {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kGateways = 3;
constexpr size_t kEndpoints = 5;

std::string AddressOf(size_t endpoint) { return "10.0.0." + std::to_string(endpoint) + ":8000"; }

struct Gateway {
  Gateway()
      : index({.bytes_max = 2u << 20,
               .names_bytes_max = 1u << 18,
               .shards = 2,
               .endpoints_max = 64,
               .marks = true}) {}

  EndpointTable table;
  PrefixIndex index;
  std::vector<Endpoint> endpoints;
  Outbox outbox;
  std::vector<std::unique_ptr<PeerView>> views;  // of the others; its own is null
  std::deque<std::unique_ptr<EndpointHold>> holds;
};

struct Network {
  uint64_t lost = 0;        // of a hundred
  uint64_t duplicated = 0;  // of a hundred
  int64_t late_ms = 1;      // each at random up to that
};

class Peers : public ::testing::TestWithParam<uint64_t> {
 protected:
  Peers() {
    for (size_t i = 0; i < kGateways; ++i) Restart(i);
  }

  // What it knew is gone, and so are its requests.
  void Restart(size_t i) {
    // Whoever reads the old one's messages in flight reads another gateway's.
    std::erase_if(in_flight_, [&](const Packet& packet) { return packet.from == i; });
    auto fresh = std::make_unique<Gateway>();
    // Not all of them in the same order: numbers are each gateway's own.
    for (size_t e = 0; e < kEndpoints; ++e) {
      Endpoint endpoint;
      endpoint.address = AddressOf((e + i) % kEndpoints);
      endpoint.state = fresh->table.Get(endpoint.address);
      fresh->endpoints.push_back(std::move(endpoint));
    }
    std::vector<Outbox::Shared> shared;
    for (const Endpoint& each : fresh->endpoints) shared.push_back({each.address, each.state});
    fresh->outbox.SetEndpoints(std::move(shared));
    for (size_t other = 0; other < kGateways; ++other) {
      fresh->views.push_back(other == i ? nullptr
                                        : std::make_unique<PeerView>(fresh->table, fresh->index));
    }
    gateways_[i] = std::move(fresh);
    // A connection begins with nothing known.
    for (size_t other = 0; other < kGateways; ++other) {
      if (other == i || gateways_[other] == nullptr) continue;
      gateways_[other]->views[i] =
          std::make_unique<PeerView>(gateways_[other]->table, gateways_[other]->index);
    }
  }

  void SomeTraffic(Gateway& gateway) {
    if (random_.Below(2) == 0 && gateway.holds.size() < 30) {
      const Endpoint& endpoint = gateway.endpoints[random_.Below(kEndpoints)];
      auto& hold = gateway.holds.emplace_back(std::make_unique<EndpointHold>());
      const auto tokens = static_cast<int64_t>(random_.Below(5000));
      hold->Take(endpoint, {.uncached_tokens = tokens / 2, .tokens = tokens}, now_);
      return;
    }
    if (gateway.holds.empty()) return;
    const size_t i = random_.Below(gateway.holds.size());
    EndpointHold& hold = *gateway.holds[i];
    if (random_.Below(2) == 0)
      return hold.StartDecoding(static_cast<int64_t>(random_.Below(5000)), now_);
    hold.Release(now_);
    gateway.holds.erase(gateway.holds.begin() + static_cast<ptrdiff_t>(i));
  }

  void Tell() {
    const bool whole = now_ >= whole_at_;
    if (whole) whole_at_ = now_ + seconds(1);
    for (size_t from = 0; from < kGateways; ++from) {
      std::string bytes;
      if (whole) gateways_[from]->outbox.Whole(&bytes);
      gateways_[from]->outbox.TakeSums(now_, &bytes);
      if (bytes.empty()) MessageWriter(&bytes).Alive();
      for (size_t to = 0; to < kGateways; ++to) {
        if (to == from || apart_[from][to] || random_.Below(100) < network_.lost) continue;
        const int copies = random_.Below(100) < network_.duplicated ? 2 : 1;
        for (int i = 0; i < copies; ++i) {
          const auto late = static_cast<int64_t>(random_.Below(network_.late_ms * 1000 + 1));
          in_flight_.push_back({now_ + std::chrono::microseconds(late), from, to, bytes});
        }
      }
    }
  }

  void Hear() {
    for (size_t i = 0; i < in_flight_.size();) {
      if (in_flight_[i].at > now_) {
        ++i;
        continue;
      }
      const Packet packet = std::move(in_flight_[i]);
      in_flight_.erase(in_flight_.begin() + static_cast<ptrdiff_t>(i));
      std::string_view left = packet.bytes;
      while (!left.empty()) {
        Message message;
        bool is_whole = false;
        ASSERT_TRUE(TakeMessage(&left, &message, &is_whole).ok() && is_whole);
        ASSERT_TRUE(gateways_[packet.to]->views[packet.from]->Take(message, now_).ok());
      }
    }
  }

  void Run(Duration time, bool traffic) {
    for (const TimePoint end = now_ + time; now_ < end; now_ += milliseconds(5)) {
      for (const auto& gateway : gateways_) {
        if (traffic) SomeTraffic(*gateway);
      }
      Tell();
      Hear();
      for (const auto& gateway : gateways_) {
        for (const auto& view : gateway->views) {
          if (view != nullptr) view->Expire(now_);
        }
        for (const Endpoint& endpoint : gateway->endpoints) ExpectNothingNegative(*endpoint.state);
      }
    }
  }

  static void ExpectNothingNegative(const EndpointState& state) {
    const GatewaySums others = state.others.Load();
    ASSERT_GE(others.requests, 0);
    ASSERT_GE(others.prompts, 0);
    ASSERT_GE(others.pending_tokens, 0);
    ASSERT_GE(others.decoding_tokens, 0);
    ASSERT_GE(others.context_tokens, 0);
    ASSERT_GE(state.in_flight_requests.load(), others.requests);
    ASSERT_GE(state.pending_prompt_tokens.load(), others.pending_tokens);
    ASSERT_GE(state.busy.pending(), others.prompts);
  }

  GatewaySums OwnOf(size_t gateway, size_t endpoint) const {
    for (const Endpoint& each : gateways_[gateway]->endpoints) {
      if (each.address == AddressOf(endpoint)) return OwnSums(*each.state);
    }
    return {};
  }
  const EndpointState& StateOf(size_t gateway, size_t endpoint) const {
    return *gateways_[gateway]->table.Find(AddressOf(endpoint));
  }

  // Every gateway decides by the sum of those that it can hear.
  void ExpectAgreement() const {
    for (size_t e = 0; e < kEndpoints; ++e) {
      for (size_t i = 0; i < kGateways; ++i) {
        GatewaySums all;
        for (size_t other = 0; other < kGateways; ++other) {
          if (apart_[other][i]) continue;
          const GatewaySums own = OwnOf(other, e);
          all.requests += own.requests;
          all.prompts += own.prompts;
          all.pending_tokens += own.pending_tokens;
          all.decoding_tokens += own.decoding_tokens;
          all.context_tokens += own.context_tokens;
        }
        const EndpointState& state = StateOf(i, e);
        EXPECT_EQ(state.in_flight_requests.load(), all.requests) << "gateway " << i;
        EXPECT_EQ(state.busy.pending(), all.prompts) << "gateway " << i;
        EXPECT_EQ(state.pending_prompt_tokens.load(), all.pending_tokens) << "gateway " << i;
        EXPECT_EQ(state.decoding_context_tokens.load(), all.decoding_tokens) << "gateway " << i;
        EXPECT_EQ(state.context_tokens.load(), all.context_tokens) << "gateway " << i;
      }
    }
  }

  struct Packet {
    TimePoint at;
    size_t from;
    size_t to;
    std::string bytes;
  };

  Random random_{GetParam()};
  TimePoint now_ = TimePoint(seconds(100));
  TimePoint whole_at_{};
  Network network_;
  bool apart_[kGateways][kGateways] = {};
  std::vector<Packet> in_flight_;
  std::unique_ptr<Gateway> gateways_[kGateways];
};

TEST_P(Peers, AgreeWithinAMessageOnAGoodNetwork) {
  Run(seconds(2), true);
  Run(milliseconds(60), false);
  ExpectAgreement();
}

TEST_P(Peers, AgreeAfterASecondWhateverTheNetworkDid) {
  network_ = {.lost = 20, .duplicated = 20, .late_ms = 200};
  Run(seconds(5), true);
  network_ = {};
  Run(milliseconds(1300), false);
  ExpectAgreement();
}

TEST_P(Peers, APartitionLeavesEachSideAsGoodAsAlone) {
  Run(seconds(2), true);
  for (const size_t other : {0, 1}) apart_[2][other] = apart_[other][2] = true;
  Run(seconds(1), true);
  Run(milliseconds(100), false);
  ExpectAgreement();
  EXPECT_EQ(StateOf(2, 0).others.Load(), GatewaySums{});
  for (const size_t other : {0, 1}) apart_[2][other] = apart_[other][2] = false;
  Run(milliseconds(1300), false);
  ExpectAgreement();
}

TEST_P(Peers, ARestartTakesWhatTheOldOneHadWithIt) {
  network_ = {.lost = 5, .late_ms = 20};
  for (int i = 0; i < 4; ++i) {
    Run(milliseconds(700), true);
    Restart(random_.Below(kGateways));
  }
  network_ = {};
  Run(milliseconds(1300), false);
  ExpectAgreement();
}

TEST_P(Peers, EndpointsComeAndGo) {
  Run(seconds(1), true);
  Gateway& gateway = *gateways_[0];
  // It serves one endpoint less: what it has there ends, and nobody counts it any more.
  gateway.holds.clear();
  gateway.endpoints.pop_back();
  std::vector<Outbox::Shared> shared;
  for (const Endpoint& each : gateway.endpoints) shared.push_back({each.address, each.state});
  gateway.outbox.SetEndpoints(std::move(shared));
  Run(milliseconds(1300), false);
  const size_t gone = kEndpoints - 1;
  EXPECT_EQ(gateway.table.Find(AddressOf(gone)), nullptr);
  for (const size_t i : {1, 2}) {
    const GatewaySums other = OwnOf(3 - i, gone);
    EXPECT_EQ(StateOf(i, gone).others.Load().requests, other.requests);
  }
  // And it comes again.
  Endpoint& again = gateway.endpoints.emplace_back();
  again.address = AddressOf(gone);
  again.state = gateway.table.Get(again.address);
  shared.clear();
  for (const Endpoint& each : gateway.endpoints) shared.push_back({each.address, each.state});
  gateway.outbox.SetEndpoints(std::move(shared));
  Run(milliseconds(1300), false);
  ExpectAgreement();
}

INSTANTIATE_TEST_SUITE_P(Seeds, Peers, ::testing::Range(uint64_t{1}, uint64_t{9}));

// Hearsay costs standing and asks for a probe; it ejects nobody.
TEST_P(Peers, WhatOneHasEjectedTheOthersPreferLess) {
  Run(milliseconds(200), true);
  const std::string address = AddressOf(2);
  EndpointState& state = *gateways_[0]->table.Find(address);
  RecordFailure(state, now_, EndpointFailure::kConnectRefused);
  ASSERT_TRUE(IsEjected(state));
  Run(milliseconds(100), false);
  for (const size_t other : {1, 2}) {
    EndpointState& theirs = *gateways_[other]->table.Find(address);
    EXPECT_EQ(PenaltyOf(theirs, now_), kPenaltyOfHearsay);
    EXPECT_FALSE(IsEjected(theirs));
    EXPECT_TRUE(TakeDoubt(theirs));
  }
  gateways_[0]->table.Find(address)->ejected_until_ns = 0;
  Run(milliseconds(100), false);
  for (const size_t other : {1, 2}) EXPECT_EQ(PenaltyOf(StateOf(other, 2), now_), 0);
}

// A gateway links before it has read its objects, and what is told then is whole once a second.
TEST(PeerView, AnEndpointThatComesToUsLaterIsKnownFromTheNextWordOn) {
  Gateway gateway;
  PeerView view(gateway.table, gateway.index);
  const auto take = [&](const auto& write) {
    std::string bytes;
    {
      MessageWriter writer(&bytes);
      write(writer);
    }
    std::string_view left = bytes;
    Message message;
    bool whole = false;
    ASSERT_TRUE(TakeMessage(&left, &message, &whole).ok() && whole);
    EXPECT_TRUE(view.Take(message, TimePoint(seconds(1))).ok());
  };
  const auto tell_prompt = [&] {
    const uint64_t hashes[] = {11, 12, 13};
    take([&](MessageWriter& writer) { writer.Prefix({7, 64, {}, hashes}); });
  };
  take([](MessageWriter& writer) { writer.Whole(7, AddressOf(1), {.requests = 3}); });
  tell_prompt();
  EXPECT_EQ(view.prefixes(), 0u);
  for (int round = 0; round < 2; ++round) {
    // And goes, and another one comes to its address.
    const std::shared_ptr<EndpointState> state = gateway.table.Get(AddressOf(1));
    tell_prompt();
    EXPECT_EQ(view.prefixes(), static_cast<uint64_t>(round + 1));
    EXPECT_EQ(state->in_flight_requests, 0) << "not told since";
    take([](MessageWriter& writer) { writer.Sums(7, {.requests = 4}); });
    EXPECT_EQ(state->in_flight_requests, 4);
    EXPECT_EQ(view.Total().requests, 4);
  }
}

TEST(PeerView, WhatMakesNoSenseIsRefusedAndChangesNothingElse) {
  Gateway gateway;
  PeerView view(gateway.table, gateway.index);
  const TimePoint now(seconds(5));
  EXPECT_FALSE(view.Take({Kind::kSums, "\x01"}, now).ok());
  EXPECT_FALSE(view.Take({Kind::kPrefixes, "\x01\x40\x7f\x7f"}, now).ok());
  EXPECT_FALSE(view.Take({Kind::kHello, ""}, now).ok());
  EXPECT_TRUE(view.Take({Kind::kAlive, ""}, now).ok());
  EXPECT_EQ(view.Total(), GatewaySums{});
}

}  // namespace
}  // namespace gw::peers
