// What the prefix index learns of requests as they go through the exchange, and what that decides.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "exchange/exchange.h"
#include "exchange/test_snapshot.h"
#include "http/h1_parser.h"
#include "scheduling/registry.h"

namespace gw {
namespace {

using Blocks = std::vector<uint64_t>;

std::string Text(char c, size_t blocks) { return std::string(blocks * 64, c); }

class PrefixLearning : public testing::Test {
 protected:
  static constexpr uint16_t kPort = 8080;

  // A route to a pool of two endpoints.
  PrefixLearning() {
    auto entry = std::make_shared<PoolEntry>();
    entry->pool.id = "default/qwen";
    for (const char* address : {"127.0.0.11:8000", "127.0.0.12:8000"}) {
      Endpoint endpoint;
      endpoint.name = endpoint.address = address;
      endpoint.state = table_.Get(address);
      entry->pool.endpoints.push_back(endpoint);
    }
    entry->profile = ProfileFor(RoutingStrategy::kPrefixCache);
    entry->load_profile = LoadProfile();
    entry->uses_prefix = true;
    pool_ = entry;
    snapshot_ = SnapshotOf(entry, {kPort});
  }

  // Sends a prompt; the slot that it is dispatched to.
  uint32_t Send(const std::string& prompt) {
    text_ = "POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n";
    parser_.Reset();
    CHECK(parser_.Next(text_).event == http::H1Event::kHead);
    exchange_.Begin(snapshot_, {kPort}, "127.0.0.1", clock_.Now());
    CHECK(exchange_.OnRequestHead(parser_.head()).kind == Step::Kind::kReadBody);
    body_ = R"({"model":"m","prompt":")" + prompt + R"("})";
    body_.reserve(body_.size() + InferenceParser::kPadding);
    CHECK(exchange_.OnRequestBody(body_, clock_.Now()).kind == Step::Kind::kForward);
    return Slot();
  }
  uint32_t Slot() const { return exchange_.endpoint().state->slot; }
  void Answer(int status) {
    http::ResponseHead head;
    head.status = status;
    head.headers.Add("content-type", "application/json");
    EXPECT_EQ(exchange_.OnResponseHead(head, clock_.Now()).kind, Step::Kind::kContinue);
  }
  void Complete() {
    Answer(200);
    exchange_.OnResponseBody("{}", clock_.Now());
    exchange_.OnResponseEnd(clock_.Now());
    exchange_.End(exchange_.OutcomeOfEnd(), 200, clock_.Now());
  }
  // Sends it, completes it, and forgets it.
  Blocks BlocksOf(const std::string& prompt) {
    Send(prompt);
    Blocks blocks = exchange_.request().prefix_blocks;
    Complete();
    Forget();
    return blocks;
  }
  void Forget() {
    for (const Endpoint& endpoint : pool_->pool.endpoints) {
      index_.RemoveEndpoint(endpoint.state->slot);
    }
  }
  uint32_t Held(const Blocks& blocks, uint32_t slot) {
    uint32_t hit = 0;
    index_.Match(blocks, {&slot, 1}, {&hit, 1});
    return hit;
  }

  ManualClock clock_;
  PrefixIndex index_{PrefixIndex::Options{}};
  MetricRegistry registry_;
  ExchangeEnvironment environment_{clock_, 1, index_, registry_};
  EndpointTable table_;
  std::shared_ptr<const PoolEntry> pool_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::string text_, body_;
  http::RequestParser parser_;
  Exchange exchange_{environment_};
};

// How a request ends that has been dispatched: the status of the answer's head (0: none came),
// whether a byte of its body came, and the outcome.
struct Ending {
  int status;
  bool first_byte;
  Outcome outcome;
  bool served;
};

TEST_F(PrefixLearning, WhatWasServedIsHeldAgainFromItsEndOn) {
  const Blocks blocks = BlocksOf(Text('a', 40));
  for (const Ending& ending :
       {Ending{200, true, Outcome::kComplete, true}, Ending{200, true, Outcome::kClientLeft, true},
        Ending{200, true, Outcome::kTimedOut, true},
        Ending{200, false, Outcome::kClientLeft, false},
        Ending{0, false, Outcome::kClientLeft, false}, Ending{0, false, Outcome::kRejected, false},
        Ending{200, true, Outcome::kUpstreamBroke, false},
        Ending{200, true, Outcome::kErrorEvent, false}, Ending{200, true, Outcome::kAborted, false},
        Ending{400, true, Outcome::kComplete, false},
        Ending{500, true, Outcome::kComplete, false}}) {
    const uint32_t slot = Send(Text('a', 40));
    EXPECT_EQ(Held(blocks, slot), 40u) << "from its dispatch on";
    Forget();
    if (ending.status != 0) Answer(ending.status);
    if (ending.first_byte) exchange_.OnResponseBody("{}", clock_.Now());
    exchange_.End(ending.outcome, ending.status, clock_.Now());
    EXPECT_EQ(Held(blocks, slot), ending.served ? 40u : 0u)
        << ending.status << " " << NameOf(ending.outcome);
    EXPECT_EQ(Held(blocks, 1 - slot), 0u);
    Forget();
  }
}

TEST_F(PrefixLearning, LongPromptsAreToldApartBehindTheirFirst256Blocks) {
  const std::string common = Text('a', 300);
  const Blocks first = BlocksOf(common + Text('b', 300));
  const Blocks second = BlocksOf(common + Text('c', 300));
  ASSERT_EQ(first.size(), 600u);
  index_.Insert(first, 0);
  index_.Insert(second, 1);
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(Send(common + Text('b', 300) + Text('x', i)), 0u);
    Complete();
    EXPECT_EQ(Send(common + Text('c', 300) + Text('y', i)), 1u);
    Complete();
  }
}

TEST_F(PrefixLearning, APromptOfAMillionTokensIsLearnedWholeAndItsMemoryGivenBack) {
  const std::string prompt = Text('a', 62'000) + Text('b', 500);
  const uint32_t slot = Send(prompt);
  const Blocks blocks = exchange_.request().prefix_blocks;
  ASSERT_EQ(blocks.size(), 62'500u);
  Complete();
  EXPECT_EQ(Held(blocks, slot), 62'500u);
  EXPECT_LE(exchange_.request().prefix_blocks.capacity(), 512u);
  const std::string other = Text('a', 62'000) + Text('c', 500);
  Send(other);
  EXPECT_EQ(Slot(), slot);
  EXPECT_EQ(environment_.candidates.prefix_hit_blocks()[slot], 62'000u);
  Complete();
}

// Of prompts sent one after the other, the blocks that either endpoint is believed to hold.
uint32_t SumHeld(PrefixIndex& index, const std::vector<Blocks>& prompts, uint32_t slot) {
  uint32_t sum = 0;
  for (const Blocks& prompt : prompts) {
    uint32_t hit = 0;
    index.Match(prompt, {&slot, 1}, {&hit, 1});
    sum += hit;
  }
  return sum;
}

TEST_F(PrefixLearning, OfAnEndpointNoMoreIsBelievedThanItReportsToHold) {
  for (const Endpoint& endpoint : pool_->pool.endpoints) {
    endpoint.state->cache_block_tokens = 16;
    endpoint.state->cache_blocks = 100;  // 1,600 tokens, 6,400 characters, 100 blocks of 64
  }
  std::vector<Blocks> prompts;
  const auto send = [&](char first, char last, const std::string& usage) {
    for (char c = first; c <= last; ++c) {
      Send(Text(c, 30));
      prompts.push_back(exchange_.request().prefix_blocks);
      Answer(200);
      exchange_.OnResponseBody(usage, clock_.Now());
      exchange_.OnResponseEnd(clock_.Now());
      exchange_.End(exchange_.OutcomeOfEnd(), 200, clock_.Now());
    }
  };
  send('a', 'z', "{}");
  for (const uint32_t slot : {0, 1}) {
    EXPECT_LE(SumHeld(index_, prompts, slot), 100u);
    EXPECT_GE(SumHeld(index_, prompts, slot), 60u);
  }
  // Prompts turn out to have a token for every two characters: there is room for half of them.
  for (int i = 0; i < 20; ++i) {
    send('A', 'Z', R"({"usage":{"prompt_tokens":960,"completion_tokens":1}})");
    prompts.resize(26);
  }
  send('A', 'Z', "{}");
  prompts.erase(prompts.begin(), prompts.begin() + 26);
  for (const uint32_t slot : {0, 1}) {
    EXPECT_LE(SumHeld(index_, prompts, slot), 53u);
    EXPECT_GE(SumHeld(index_, prompts, slot), 30u);
  }
}

}  // namespace
}  // namespace gw
