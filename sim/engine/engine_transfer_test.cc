// Requests whose KV comes from outside, and requests whose blocks are held for somebody else.

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "base/random.h"
#include "sim/engine/engine.h"

namespace gw::sim {
namespace {

// A step takes one microsecond for each token in it; blocks of 4 tokens.
ServerSpec TestSpec(uint32_t kv_blocks) {
  return {.name = "test",
          .timer = {.c_us = 1},
          .block_tokens = 4,
          .kv_blocks = kv_blocks,
          .sequences_max = 8,
          .batch_tokens_max = 16};
}

EngineRequest Request(uint64_t id, uint32_t prompt_tokens, uint32_t output_tokens) {
  return {
      .id = id, .prompt_tokens = prompt_tokens, .output_tokens = output_tokens, .block_names = {}};
}

EngineRequest FromOutside(uint64_t id, uint32_t prompt_tokens, uint32_t output_tokens) {
  EngineRequest request = Request(id, prompt_tokens, output_tokens);
  request.kv_from_outside = true;
  return request;
}

EngineRequest Holding(uint64_t id, uint32_t prompt_tokens) {
  EngineRequest request = Request(id, prompt_tokens, 1);
  request.holds_blocks = true;
  return request;
}

// Runs one step and writes its events as text: "1 scheduled(8) 1 token(1)".
std::string Step(Engine& engine) {
  std::vector<EngineEvent> events;
  engine.BeginStep();
  engine.EndStep(&events);
  engine.CheckConsistent();
  std::string text;
  for (const EngineEvent& event : events) {
    static const char* const kNames[] = {"scheduled", "preempted", "token", "finished",
                                         "receiving"};
    if (!text.empty()) text += ' ';
    text += std::to_string(event.id) + " " + kNames[static_cast<int>(event.kind)] + "(" +
            std::to_string(event.tokens) + ")";
  }
  return text;
}

TEST(EngineTransfer, KvFromOutsideIsWaitedForWithBlocksAndWithoutComputing) {
  Engine engine(TestSpec(100));
  ASSERT_TRUE(engine.Submit(FromOutside(1, 20, 2)));
  ASSERT_TRUE(engine.busy());
  EXPECT_EQ(engine.BeginStep(), Duration{});
  std::vector<EngineEvent> events;
  engine.EndStep(&events);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].kind, EngineEvent::Kind::kReceiving);
  EXPECT_EQ(engine.used_blocks(), 5u);
  EXPECT_EQ(engine.running(), 0u);
  EXPECT_EQ(engine.waiting(), 1u);
  EXPECT_EQ(engine.deferred(), 1u);
  EXPECT_FALSE(engine.busy());
  engine.CheckConsistent();

  EXPECT_TRUE(engine.KvArrived(1));
  EXPECT_FALSE(engine.KvArrived(1));
  ASSERT_TRUE(engine.busy());
  // The last token of the prompt is computed here: something must be, to say what follows.
  EXPECT_EQ(Step(engine), "1 scheduled(0) 1 token(1)");
  EXPECT_EQ(engine.batch().tokens, 1u);
  EXPECT_EQ(Step(engine), "1 token(2) 1 finished(2)");
  EXPECT_EQ(engine.counters().received_tokens, 19u);
  EXPECT_EQ(engine.counters().prefill_tokens, 1u);
  EXPECT_EQ(engine.used_blocks(), 0u);
}

TEST(EngineTransfer, WhatCameFromOutsideIsFoundByOthers) {
  Engine engine(TestSpec(100));
  EngineRequest first = FromOutside(1, 20, 1);
  first.block_names = {1, 2, 3, 4};
  engine.Submit(first);
  Step(engine);
  engine.KvArrived(1);
  Step(engine);
  EngineRequest second = FromOutside(2, 20, 1);
  second.block_names = {1, 2, 3, 4};
  engine.Submit(second);
  EXPECT_EQ(Step(engine), "2 receiving(16)");
  engine.KvArrived(2);
  EXPECT_EQ(Step(engine), "2 scheduled(16) 2 token(1) 2 finished(1)");
  EXPECT_EQ(engine.counters().received_tokens, 19u + 3u);
}

TEST(EngineTransfer, OthersPassByWhileKvIsOnItsWay) {
  Engine engine(TestSpec(100));
  engine.Submit(FromOutside(1, 20, 1));
  engine.Submit(Request(2, 8, 2));
  EXPECT_EQ(Step(engine), "1 receiving(0) 2 scheduled(0) 2 token(1)");
  EXPECT_EQ(Step(engine), "2 token(2) 2 finished(2)");
  EXPECT_FALSE(engine.busy());
  engine.KvArrived(1);
  EXPECT_EQ(Step(engine), "1 scheduled(0) 1 token(1) 1 finished(1)");
}

TEST(EngineTransfer, APreemptedOneComputesItsPromptAgain) {
  Engine engine(TestSpec(8));
  engine.Submit(FromOutside(1, 12, 8));
  EXPECT_EQ(Step(engine), "1 receiving(0)");
  engine.KvArrived(1);
  engine.Submit(FromOutside(2, 12, 8));
  EXPECT_EQ(Step(engine), "1 scheduled(0) 2 receiving(0) 1 token(1)");
  engine.KvArrived(2);
  EXPECT_EQ(Step(engine), "2 scheduled(0) 1 token(2) 2 token(1)");
  std::string all;
  while (engine.busy()) all += Step(engine) + " ";
  EXPECT_NE(all.find("2 preempted"), std::string::npos) << all;
  EXPECT_NE(all.find("1 finished"), std::string::npos) << all;
  EXPECT_NE(all.find("2 finished"), std::string::npos) << all;
  EXPECT_EQ(engine.counters().received_tokens, 22u);
  EXPECT_EQ(engine.used_blocks(), 0u);
}

TEST(EngineTransfer, HeldBlocksStayUntilTheyAreReleased) {
  Engine engine(TestSpec(100));
  engine.Submit(Holding(1, 10));
  EXPECT_EQ(Step(engine), "1 scheduled(0) 1 token(1) 1 finished(1)");
  EXPECT_EQ(engine.running(), 0u);
  EXPECT_EQ(engine.held(), 1u);
  EXPECT_EQ(engine.used_blocks(), 3u);
  EXPECT_EQ(engine.HeldBlocks(1).size(), 3u);
  EXPECT_FALSE(engine.busy());
  EXPECT_FALSE(engine.Cancel(1)) << "it has finished";
  EXPECT_FALSE(engine.ResetPrefixCache());
  EXPECT_TRUE(engine.ReleaseHeld(1));
  EXPECT_FALSE(engine.ReleaseHeld(1));
  EXPECT_TRUE(engine.HeldBlocks(1).empty());
  EXPECT_EQ(engine.used_blocks(), 0u);
  engine.CheckConsistent();
}

TEST(EngineTransfer, WhatWaitsForHeldBlocksGoesOnWhenTheyAreReleased) {
  Engine engine(TestSpec(4));
  engine.Submit(Holding(1, 16));
  engine.Submit(Request(2, 8, 1));
  EXPECT_EQ(Step(engine), "1 scheduled(0) 1 token(1) 1 finished(1)");
  EXPECT_EQ(Step(engine), "");
  EXPECT_FALSE(engine.busy());
  EXPECT_EQ(engine.waiting(), 1u);
  engine.ReleaseHeld(1);
  ASSERT_TRUE(engine.busy());
  EXPECT_EQ(Step(engine), "2 scheduled(0) 2 token(1) 2 finished(1)");
}

TEST(EngineTransfer, OneThatHeldBlocksKeepFromGoingOnDoesNotTryInVain) {
  Engine engine(TestSpec(4));
  engine.Submit(Holding(1, 8));
  engine.Submit(Request(2, 8, 5));
  EXPECT_EQ(Step(engine), "1 scheduled(0) 2 scheduled(0) 1 token(1) 1 finished(1) 2 token(1)");
  EXPECT_EQ(Step(engine), "2 preempted(0)");
  EXPECT_FALSE(engine.busy());
  engine.ReleaseHeld(1);
  EXPECT_EQ(Step(engine), "2 scheduled(8) 2 token(2)");
}

TEST(EngineTransfer, CancellingGivesBlocksBackAtEveryStage) {
  Engine engine(TestSpec(10));
  std::vector<EngineEvent> events;
  // In the queue, while its KV is on its way, when it has come, in its first step, while it holds.
  for (int stage = 0; stage < 5; ++stage) {
    SCOPED_TRACE(stage);
    engine.Submit(FromOutside(1, 20, 8));
    if (stage > 0) Step(engine);
    if (stage > 1) engine.KvArrived(1);
    if (stage > 2) engine.BeginStep();
    EXPECT_TRUE(engine.Cancel(1));
    if (stage > 2) {
      engine.CheckConsistent();
      engine.EndStep(&events);
    }
    engine.CheckConsistent();
    EXPECT_EQ(engine.used_blocks(), 0u);
    EXPECT_EQ(engine.waiting(), 0u);
    EXPECT_FALSE(engine.KvArrived(1));
  }
  engine.Submit(Holding(2, 8));
  engine.BeginStep();
  engine.Cancel(2);
  engine.EndStep(&events);
  engine.CheckConsistent();
  EXPECT_EQ(engine.held(), 0u);
  EXPECT_EQ(engine.used_blocks(), 0u);
}

TEST(EngineTransfer, UnderRandomLoadNoBlockLeaksAndNothingIsForgotten) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Engine engine(TestSpec(static_cast<uint32_t>(20 + random.Below(40))));
    std::vector<uint64_t> known;  // submitted, and not ended as far as this test has heard
    std::vector<uint64_t> receiving;
    std::vector<uint64_t> holding;
    uint64_t next_id = 1;
    const auto take = [&](std::vector<uint64_t>& ids) {
      std::swap(ids[random.Below(ids.size())], ids.back());
      const uint64_t id = ids.back();
      ids.pop_back();
      return id;
    };
    for (int round = 0; round < 1500; ++round) {
      const bool filling = round < 1000;
      if (filling && random.Below(3) == 0) {
        EngineRequest request = Request(next_id, static_cast<uint32_t>(1 + random.Below(30)),
                                        static_cast<uint32_t>(1 + random.Below(20)));
        request.kv_from_outside = random.Below(3) == 0;
        request.holds_blocks = random.Below(3) == 0;
        if (engine.Submit(request)) known.push_back(next_id);
        ++next_id;
      }
      if (filling && !known.empty() && random.Below(8) == 0) engine.Cancel(take(known));
      if (!receiving.empty() && random.Below(2) == 0) engine.KvArrived(take(receiving));
      if (!holding.empty() && random.Below(2) == 0) {
        EXPECT_TRUE(engine.ReleaseHeld(take(holding)));
      }
      if (engine.in_step() || !engine.busy()) continue;
      engine.BeginStep();
      if (!known.empty() && random.Below(10) == 0) engine.Cancel(take(known));
      std::vector<EngineEvent> events;
      engine.EndStep(&events);
      engine.CheckConsistent();
      for (const EngineEvent& event : events) {
        if (event.kind == EngineEvent::Kind::kReceiving) receiving.push_back(event.id);
        if (event.kind != EngineEvent::Kind::kFinished) continue;
        std::erase(known, event.id);
        if (!engine.HeldBlocks(event.id).empty()) holding.push_back(event.id);
      }
    }
    EXPECT_FALSE(engine.busy());
    EXPECT_EQ(engine.waiting() + engine.running() + engine.held(), 0u);
    EXPECT_EQ(engine.used_blocks(), 0u);
  }
}

TEST(KvTransferTime, IsTheHandshakeAndTheBytesOverTheBandwidth) {
  ServerSpec spec = TestSpec(1);
  spec.kv_token_bytes = 100'000;
  spec.kv_handshake = std::chrono::milliseconds(5);
  EXPECT_EQ(KvTransferTime(spec, 1000, 1e9), std::chrono::milliseconds(105));
  EXPECT_EQ(KvTransferTime(*FindServerSpec("instant"), 1000, 25e9), Duration{});
  EXPECT_EQ(FindServerSpec("q32h100")->kv_token_bytes, 131072u);
}

}  // namespace
}  // namespace gw::sim
