// Meshes on loopback, all in one loop: whom they link with, what they agree on, whom they refuse.

#include "peers/mesh.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/stream.h"
#include "peers/greeting.h"
#include "peers/private_streams.h"
#include "pool/endpoint_hold.h"

namespace gw::peers {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr char kSecret[] = "a secret of the tests, long enough";
constexpr char kAddress[] = "10.0.0.1:8000";

// Tells one number each time that it was said, and all numbers in a whole.
class Numbers final : public Topic {
 public:
  static constexpr size_t kFloodBytes = size_t{60} << 10;

  explicit Numbers(uint8_t kind) : kind_(static_cast<Kind>(kind)) {}
  void Say(char number) { new_ += number; }
  Kind kind() const override { return kind_; }
  void Tell(TimePoint /*now*/, bool whole, MessageWriter* out) override {
    for (int i = 0; i < floods; ++i) out->Entry(kind_, std::string(kFloodBytes, '.'));
    for (const char number : std::exchange(new_, {})) {
      out->Entry(kind_, std::string(1, number));
      all_ += number;
    }
    if (whole && !all_.empty()) out->Entry(kind_, "all:" + all_);
  }
  absl::Status Take(uint64_t peer, std::string_view payload, TimePoint /*now*/) override {
    if (payload.starts_with('x')) return absl::InvalidArgumentError("there is no x");
    if (!payload.starts_with('.')) heard[peer] += payload;
    return absl::OkStatus();
  }
  void Forget(uint64_t peer, TimePoint /*now*/) override { heard.erase(peer); }

  std::string Heard() const {
    std::string text;
    for (const auto& [peer, each] : heard) text += each;
    return text;
  }
  std::map<uint64_t, std::string> heard;
  int floods = 0;  // so many long entries are told each time

 private:
  const Kind kind_;
  std::string new_;
  std::string all_;
};

struct Node {
  Node(EventLoop& loop, const std::string& name, const std::string& secret, uint64_t seed,
       uint8_t topic = kOptionalKinds, size_t peers_max = 64)
      : numbers(topic),
        index({.bytes_max = 2u << 20,
               .names_bytes_max = 1u << 18,
               .shards = 2,
               .endpoints_max = 64,
               .marks = true}) {
    news.push_back(std::make_unique<PrefixNews>(1 << 12));
    endpoint.address = kAddress;
    endpoint.state = table.Get(kAddress);
    PeerOptions options{
        .listen = "127.0.0.1:0", .secret = secret, .name = name, .peers_max = peers_max};
    const std::vector<CountedTopic> topics = {
        {numbers, metrics.sent_prefixes, metrics.dropped_prefixes}};
    auto made = Mesh::New(loop, {table, index, news, topics, &heard}, metrics, options, seed);
    EXPECT_TRUE(made.ok()) << made.status();
    mesh = *std::move(made);
    mesh->SetEndpoints({{kAddress, endpoint.state}});
  }

  int linked() const {
    int count = 0;
    for (const PeerRow& row : mesh->Rows()) count += row.state == "linked" ? 1 : 0;
    return count;
  }

  MetricRegistry registry;
  PeerMetrics metrics{registry};
  EndpointTable table;
  PrefixIndex index;
  std::vector<std::unique_ptr<PrefixNews>> news;
  HeardGateways heard;
  Endpoint endpoint;
  Numbers numbers;
  std::unique_ptr<Mesh> mesh;
};

// Who knows the secret and says what a test says: of another version, or one that hangs.
class Stranger final : private StreamObserver {
 public:
  Stranger(EventLoop& loop, const SocketAddress& address) {
    auto made = PrivateStreams::New(loop, {.listen = "127.0.0.1:0", .secret = kSecret}, metrics_,
                                    [](std::unique_ptr<Stream>) {});
    EXPECT_TRUE(made.ok()) << made.status();
    streams_ = *std::move(made);
    attempt_ = streams_->Dial(address, [this](absl::StatusOr<std::unique_ptr<Stream>> stream) {
      EXPECT_TRUE(stream.ok()) << stream.status();
      stream_ = *std::move(stream);
      stream_->set_observer(this);
    });
  }

  bool connected() const { return stream_ != nullptr; }
  void Greet(const Greeting& greeting) {
    std::string text;
    WriteGreeting(greeting, &text);
    const iovec part{text.data(), text.size()};
    EXPECT_EQ(stream_->Write({&part, 1}).bytes, text.size());
  }
  // From then on; before that nothing is taken.
  void Read() {
    reads_ = true;
    OnReadable();
  }
  const std::string& received() const { return received_; }

 private:
  void OnReadable() override {
    std::array<char, 16384> buffer;
    while (reads_) {
      const IoResult result = stream_->Read(buffer);
      received_.append(buffer.data(), result.bytes);
      if (result.state != IoState::kOk) return;
    }
  }
  void OnWritable() override {}

  MetricRegistry registry_;
  PeerMetrics metrics_{registry_};
  std::unique_ptr<PrivateStreams> streams_;
  std::unique_ptr<PrivateStreams::Attempt> attempt_;
  std::unique_ptr<Stream> stream_;
  bool reads_ = false;
  std::string received_;
};

class Meshes : public ::testing::Test {
 protected:
  Meshes() : loop_(*EventLoop::New()) {}

  Node& Add(const std::string& secret = kSecret, uint8_t topic = kOptionalKinds,
            size_t peers_max = 64) {
    const auto number = nodes_.size();
    nodes_.push_back(std::make_unique<Node>(*loop_, "gateway-" + std::to_string(number), secret,
                                            number + 1, topic, peers_max));
    return *nodes_.back();
  }
  // Each is given all, itself too.
  void Introduce() {
    std::vector<SocketAddress> all;
    for (const auto& node : nodes_) all.push_back(node->mesh->local());
    for (const auto& node : nodes_) node->mesh->SetAddresses(all);
  }
  void RunUntil(const std::function<bool()>& condition) {
    const TimePoint deadline = RealClock().Now() + seconds(20);
    while (!condition()) {
      ASSERT_LT(RealClock().Now(), deadline) << "the condition was not met in time";
      loop_->RunOnce(milliseconds(20));
    }
  }
  // Why it has no peer at the one address that it dials.
  static std::string ErrorOf(const Node& node) {
    const std::vector<PeerRow> rows = node.mesh->Rows();
    return rows.empty() ? "" : rows[0].error;
  }
  bool AllLinked() const {
    for (const auto& node : nodes_) {
      if (node->linked() != static_cast<int>(nodes_.size()) - 1) return false;
    }
    return true;
  }

  std::unique_ptr<EventLoop> loop_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

TEST_F(Meshes, AllLinkWithAllOverOneConnectionEach) {
  for (int i = 0; i < 4; ++i) Add();
  Introduce();
  RunUntil([&] { return AllLinked(); });
  // No connection too many comes and goes: what each knows stays as it is for a while.
  const TimePoint end = RealClock().Now() + milliseconds(300);
  while (RealClock().Now() < end) {
    loop_->RunOnce(milliseconds(20));
    ASSERT_TRUE(AllLinked());
  }
  for (const auto& node : nodes_) {
    EXPECT_EQ(node->metrics.linked.value(), 3);
    EXPECT_EQ(node->metrics.refused_handshake.value(), 0u);
    EXPECT_EQ(node->metrics.refused_message.value(), 0u);
    EXPECT_EQ(node->mesh->Rows().size(), 3u) << "not itself";
  }
}

TEST_F(Meshes, ARequestAtOneCountsAtTheOthersUntilItEnds) {
  for (int i = 0; i < 3; ++i) Add();
  Introduce();
  RunUntil([&] { return AllLinked(); });
  EndpointHold hold;
  hold.Take(nodes_[0]->endpoint, {.uncached_tokens = 700, .tokens = 1000}, loop_->now());
  for (const int other : {1, 2}) {
    const EndpointState& state = *nodes_[other]->endpoint.state;
    RunUntil([&] { return state.pending_prompt_tokens.load() == 700; });
    EXPECT_EQ(state.in_flight_requests.load(), 1);
    EXPECT_EQ(state.busy.pending(), 1);
    EXPECT_EQ(OwnSums(state), GatewaySums{});
  }
  hold.Release(loop_->now());
  for (const int other : {1, 2}) {
    const EndpointState& state = *nodes_[other]->endpoint.state;
    RunUntil([&] { return state.in_flight_requests.load() == 0; });
    EXPECT_EQ(state.others.Load(), GatewaySums{});
  }
}

TEST_F(Meshes, ATopicIsToldToAllAndAsAWholeToWhoComes) {
  Node& teller = Add();
  Node& other = Add();
  Node& knows_not = Add(kSecret, kOptionalKinds + 1);
  Introduce();
  RunUntil([&] { return AllLinked(); });
  teller.numbers.Say('1');
  RunUntil([&] { return other.numbers.Heard().starts_with("1"); });
  Node& late = Add();
  Introduce();
  RunUntil([&] { return late.numbers.Heard().starts_with("all:1"); });
  teller.numbers.Say('2');
  RunUntil([&] { return late.numbers.Heard().find('2') != std::string::npos; });
  EXPECT_EQ(knows_not.numbers.Heard(), "");
  EXPECT_EQ(knows_not.linked(), 3) << "what it does not know is no reason to part";
  teller.mesh.reset();
  RunUntil([&] { return other.numbers.Heard().empty() && late.numbers.Heard().empty(); });
}

TEST_F(Meshes, WhoTellsNonsenseOfATopicIsCutOff) {
  Node& teller = Add();
  Node& other = Add();
  Introduce();
  RunUntil([&] { return AllLinked(); });
  teller.numbers.Say('x');
  RunUntil([&] { return other.metrics.refused_message.value() == 1; });
  EXPECT_EQ(other.mesh->Rows()[0].error, "there is no x");
}

TEST_F(Meshes, APromptThatOneSentIsKnownToTheOthers) {
  Node& teller = Add();
  Node& hearer = Add();
  Introduce();
  RunUntil([&] { return AllLinked(); });
  std::vector<uint64_t> hashes;
  for (uint64_t i = 1; i <= 100; ++i) hashes.push_back(i * 0x9E3779B97F4A7C15);
  const uint32_t slot = hearer.endpoint.state->slot;
  uint32_t hit = 0;
  RunUntil([&] {
    // Again and again, as the peer may not have heard of the endpoint yet.
    teller.news[0]->Put(teller.endpoint.state->slot, 64, hashes, 0);
    loop_->RunOnce(milliseconds(20));
    hearer.index.Match(hashes, {&slot, 1}, {&hit, 1});
    return hit == hashes.size();
  });
  EXPECT_GT(hearer.metrics.prefixes.value(), 0u);
}

TEST_F(Meshes, ANewOneBeginsWithTheIndexOfAPeer) {
  Node& old = Add();
  const uint32_t old_slot = old.endpoint.state->slot;
  std::vector<std::vector<uint64_t>> prompts;
  for (uint64_t p = 1; p <= 50; ++p) {
    std::vector<uint64_t>& hashes = prompts.emplace_back();
    for (uint64_t i = 1; i <= 400; ++i) hashes.push_back((p << 32 | i) * 0x9E3779B97F4A7C15);
    old.index.Insert(hashes, old_slot);
  }
  Node& fresh = Add();
  // Another slot than the old one's for the same address.
  fresh.endpoint.state = nullptr;
  fresh.mesh->SetEndpoints({});
  const auto other = fresh.table.Get("10.0.0.9:8000");
  fresh.endpoint.state = fresh.table.Get(kAddress);
  fresh.mesh->SetEndpoints({{kAddress, fresh.endpoint.state}});
  const uint32_t slot = fresh.endpoint.state->slot;
  Introduce();
  RunUntil([&] {
    for (const std::vector<uint64_t>& hashes : prompts) {
      uint32_t hit = 0;
      fresh.index.Match(hashes, {&slot, 1}, {&hit, 1});
      if (hit != hashes.size()) return false;
    }
    return true;
  });
  EXPECT_GT(old.metrics.sent_index.value(), 80'000u);
}

TEST_F(Meshes, WhoDiesTakesItsRequestsWithIt) {
  for (int i = 0; i < 3; ++i) Add();
  Introduce();
  RunUntil([&] { return AllLinked(); });
  EndpointHold hold;
  hold.Take(nodes_[0]->endpoint, {.uncached_tokens = 700, .tokens = 1000}, loop_->now());
  const EndpointState& state = *nodes_[1]->endpoint.state;
  RunUntil([&] { return state.in_flight_requests.load() == 1; });
  nodes_[0]->mesh.reset();
  RunUntil([&] { return state.in_flight_requests.load() == 0; });
  EXPECT_EQ(nodes_[1]->linked(), 1);
  EXPECT_EQ(nodes_[2]->linked(), 1);
  hold.Release(loop_->now());
}

TEST_F(Meshes, WhoDoesNotKnowTheSecretIsRefused) {
  Node& a = Add();
  Node& b = Add();
  Node& stranger = Add("another secret, just as long");
  Introduce();
  RunUntil([&] {
    return a.linked() == 1 && b.linked() == 1 && a.metrics.refused_handshake.value() > 0 &&
           b.metrics.refused_handshake.value() > 0;
  });
  EXPECT_EQ(stranger.linked(), 0);
  // It is told why by whoever it dials.
  RunUntil([&] {
    for (const PeerRow& row : stranger.mesh->Rows()) {
      if (row.error.find("bad_peer") != std::string::npos) return true;
    }
    return false;
  });
}

// What a plain connection sends, or does not.
TEST_F(Meshes, WhoSpeaksSomethingElseGetsNoFurther) {
  Node& node = Add();
  std::unique_ptr<Stream> stream;
  const auto connector = Connector::New(
      *loop_, node.mesh->local(), seconds(5),
      [&](absl::StatusOr<std::unique_ptr<Stream>> made) { stream = *std::move(made); });
  RunUntil([&] { return stream != nullptr; });
  std::string text = "GET / HTTP/1.1\r\n\r\n";
  const iovec part{text.data(), text.size()};
  stream->Write({&part, 1});
  RunUntil([&] { return node.metrics.refused_handshake.value() == 1; });
  EXPECT_TRUE(node.mesh->Rows().empty());
}

TEST_F(Meshes, WhoSpeaksAnotherVersionIsToldSo) {
  Node& node = Add();
  Node& other = Add();
  Introduce();
  RunUntil([&] { return AllLinked(); });
  Stranger newer(*loop_, node.mesh->local());
  RunUntil([&] { return newer.connected(); });
  newer.Greet({.version = Greeting::kVersion + 1, .id = 77, .name = "newer"});
  newer.Read();
  RunUntil(
      [&] { return newer.received().find("it speaks version 2 and not 1") != std::string::npos; });
  EXPECT_EQ(node.metrics.refused_version.value(), 1u);
  EXPECT_EQ(node.metrics.refused_message.value(), 0u);
  EXPECT_EQ(node.linked(), 1);
  EXPECT_EQ(other.linked(), 1);
}

TEST_F(Meshes, OnePeerTooManyIsRefusedAndTheOthersStay) {
  Node& node = Add(kSecret, kOptionalKinds, /*peers_max=*/1);
  Node& first = Add();
  Introduce();
  RunUntil([&] { return AllLinked(); });
  EXPECT_EQ(node.metrics.peers_limit.value(), 0u);
  Node& second = Add();
  second.mesh->SetAddresses({node.mesh->local()});
  RunUntil([&] { return node.metrics.peers_limit.value() > 0; });
  RunUntil([&] { return ErrorOf(second).find("more than 1 peers") != std::string::npos; });
  EXPECT_EQ(second.linked(), 0);
  EXPECT_EQ(node.linked(), 1);
  first.numbers.Say('1');
  RunUntil([&] { return node.numbers.Heard().starts_with("1"); });
}

TEST_F(Meshes, WhatAPeerDoesNotTakeIsDroppedAndTheOthersAreTold) {
  Node& node = Add();
  Node& other = Add();
  Introduce();
  RunUntil([&] { return AllLinked(); });
  Stranger hangs(*loop_, node.mesh->local());
  RunUntil([&] { return hangs.connected(); });
  hangs.Greet({.id = 77, .name = "hangs"});
  RunUntil([&] { return node.linked() == 2; });
  node.numbers.floods = 8;
  RunUntil([&] { return node.metrics.waiting_limit.value() > 0; });
  node.numbers.floods = 0;
  EXPECT_GT(node.metrics.dropped_prefixes.value(), 0u) << "that counter is the topic's here";
  node.numbers.Say('1');
  RunUntil([&] { return other.numbers.Heard().find('1') != std::string::npos; });
  // It is told all anew when it takes it again.
  hangs.Read();
  RunUntil([&] { return hangs.received().find("all:1") != std::string::npos; });
  EXPECT_EQ(node.metrics.refused_message.value(), 0u);
}

TEST_F(Meshes, SaysHowManyAreHeardAndSinceWhen) {
  Node& node = Add();
  EXPECT_EQ(node.heard.At(loop_->now()).count, 0);
  Add();
  Add();
  Introduce();
  RunUntil([&] { return AllLinked() && node.heard.At(loop_->now()).count == 2; });
  nodes_.pop_back();
  RunUntil([&] { return node.heard.At(loop_->now()).count == 1; });
  const TimePoint later = loop_->now() + seconds(3);
  EXPECT_GE(node.heard.At(later).oldest, seconds(3)) << "nobody has spoken since";
  EXPECT_EQ(node.heard.At(TimePoint{}).oldest, Duration(0));
}

// Of two that dial each other one has made the connection; at the other it is from some port.
TEST_F(Meshes, ShowsTheAddressThatIsDialledWhoeverHasMadeTheConnection) {
  for (int i = 0; i < 3; ++i) Add();
  std::set<std::string> dialled;
  for (const auto& node : nodes_) dialled.insert(node->mesh->local().ToString());
  const auto shown = [&](const Node& node) {
    const std::vector<PeerRow> rows = node.mesh->Rows();
    return std::count_if(rows.begin(), rows.end(),
                         [&](const PeerRow& row) { return dialled.contains(row.address); });
  };
  Introduce();
  RunUntil([&] {
    return std::all_of(nodes_.begin(), nodes_.end(),
                       [&](const auto& node) { return node->linked() == 2 && shown(*node) == 2; });
  });
  // Whom it does not dial it knows by their connections alone.
  Node& passive = Add();
  for (const auto& node : nodes_) node->mesh->SetAddresses({passive.mesh->local()});
  passive.mesh->SetAddresses({});
  RunUntil([&] { return passive.linked() == 3; });
  EXPECT_EQ(shown(passive), 0);
}

TEST_F(Meshes, AShortSecretIsRefusedAtTheStart) {
  MetricRegistry registry;
  PeerMetrics metrics(registry);
  EndpointTable table;
  PrefixIndex index({.bytes_max = 1u << 20, .shards = 2, .endpoints_max = 16, .marks = true});
  const auto made = Mesh::New(*loop_, {table, index, {}}, metrics,
                              {.listen = "127.0.0.1:0", .secret = "short"}, 1);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.status().message(), "a secret of 5 bytes: at least 16 are wanted");
}

TEST_F(Meshes, OneThatComesBackIsLinkedAgain) {
  Node& a = Add();
  Add();
  Introduce();
  RunUntil([&] { return AllLinked(); });
  const SocketAddress address = a.mesh->local();
  nodes_[1] = nullptr;
  RunUntil([&] { return a.linked() == 0; });
  nodes_.pop_back();
  Node& again = Add();
  again.mesh->SetAddresses({address});
  RunUntil([&] { return a.linked() == 1 && again.linked() == 1; });
}

}  // namespace
}  // namespace gw::peers
