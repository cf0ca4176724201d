#include "sim/engine/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "sim/engine/virtual_run.h"

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

std::vector<uint64_t> Names(uint64_t from, size_t count) {
  std::vector<uint64_t> names(count);
  std::iota(names.begin(), names.end(), from);
  return names;
}

// Runs one step and writes its events as text: "1 scheduled(8) 1 token(1)".
std::string Step(Engine& engine) {
  std::vector<EngineEvent> events;
  engine.BeginStep();
  engine.EndStep(&events);
  engine.CheckConsistent();
  std::string text;
  for (const EngineEvent& event : events) {
    static const char* const kNames[] = {" scheduled", " preempted", " token", " finished"};
    if (!text.empty()) text += ' ';
    text += std::to_string(event.id) + kNames[static_cast<int>(event.kind)];
    if (event.kind == EngineEvent::Kind::kScheduled || event.kind == EngineEvent::Kind::kToken) {
      text += "(" + std::to_string(event.tokens) + ")";
    }
  }
  return text;
}

TEST(Engine, ComputesAPromptInChunksOfTheBudgetAndThenOneTokenAStep) {
  Engine engine(TestSpec(100));
  ASSERT_TRUE(engine.Submit({.id = 1, .prompt_tokens = 20, .output_tokens = 3, .block_names = {}}));
  EXPECT_EQ(Step(engine), "1 scheduled(0)");
  EXPECT_EQ(engine.batch().tokens, 16u);
  EXPECT_EQ(Step(engine), "1 token(1)");
  EXPECT_EQ(engine.batch().tokens, 4u);
  EXPECT_EQ(engine.batch().prefill_attention, 4 * (16 + 2.0));
  EXPECT_EQ(Step(engine), "1 token(2)");
  EXPECT_EQ(engine.batch().tokens, 1u);
  EXPECT_EQ(engine.batch().decode_context_tokens, 21u);
  EXPECT_EQ(Step(engine), "1 token(3) 1 finished");
  EXPECT_FALSE(engine.busy());
  EXPECT_EQ(engine.kv_utilization_ratio(), 0.0);
}

TEST(Engine, AStepTakesWhatTheTimerSays) {
  Engine engine(TestSpec(100));
  engine.Submit({.id = 1, .prompt_tokens = 10, .output_tokens = 1, .block_names = {}});
  EXPECT_EQ(engine.BeginStep(), std::chrono::microseconds(10));
}

TEST(StepTimer, AddsItsTermsAndTakesTheLongerOfWeightsAndCompute) {
  const StepTimer timer = {.h_us = 1,
                           .hseq_us = 2,
                           .w0_us = 100,
                           .w1_us = 1,
                           .wsat_us = 50,
                           .nsat = 10,
                           .c0_us = 10,
                           .c_us = 4,
                           .kv_ns = 3,
                           .at_ns = 5};
  // 1 + 2*3 + max(100 + 10 + 50*(1 - 1/e), 50) us + 3*1000 + 5*200 ns
  EXPECT_EQ(
      timer.Of(
          {.sequences = 3, .tokens = 10, .decode_context_tokens = 1000, .prefill_attention = 200}),
      Duration(152606));
  // 1 + 2 + max(300 + 50, 810) us
  EXPECT_EQ(timer.Of({.sequences = 1, .tokens = 200}), Duration(813000));
}

TEST(Engine, RunningOnesComeBeforeWaitingOnesInTheBudget) {
  Engine engine(TestSpec(100));
  engine.Submit({.id = 1, .prompt_tokens = 8, .output_tokens = 9, .block_names = {}});
  Step(engine);
  engine.Submit({.id = 2, .prompt_tokens = 40, .output_tokens = 1, .block_names = {}});
  EXPECT_EQ(Step(engine), "2 scheduled(0) 1 token(2)");
  EXPECT_EQ(engine.batch().tokens, 16u);
  EXPECT_EQ(engine.batch().sequences, 2u);
  EXPECT_EQ(Step(engine), "1 token(3)");
  EXPECT_EQ(Step(engine), "1 token(4) 2 token(1) 2 finished");
}

TEST(Engine, NoMoreThanTheLimitRunAtOnce) {
  ServerSpec spec = TestSpec(100);
  spec.sequences_max = 2;
  Engine engine(spec);
  for (uint64_t id = 1; id <= 3; ++id) {
    engine.Submit(
        {.id = id, .prompt_tokens = 1, .output_tokens = id == 1 ? 1u : 5u, .block_names = {}});
  }
  EXPECT_EQ(Step(engine), "1 scheduled(0) 2 scheduled(0) 1 token(1) 1 finished 2 token(1)");
  EXPECT_EQ(engine.waiting(), 1u);
  EXPECT_EQ(Step(engine), "3 scheduled(0) 2 token(2) 3 token(1)");
}

TEST(Engine, WhatIsCachedIsNotComputed) {
  Engine engine(TestSpec(100));
  engine.Submit({.id = 1, .prompt_tokens = 10, .output_tokens = 1, .block_names = Names(1, 2)});
  Step(engine);
  engine.Submit({.id = 2, .prompt_tokens = 14, .output_tokens = 1, .block_names = Names(1, 3)});
  EXPECT_EQ(Step(engine), "2 scheduled(8) 2 token(1) 2 finished");
  EXPECT_EQ(engine.batch().tokens, 6u);
  EXPECT_EQ(engine.counters().prefix_queries_tokens, 24u);
  EXPECT_EQ(engine.counters().prefix_hits_tokens, 8u);
}

TEST(Engine, AtLeastOneTokenOfAPromptIsComputed) {
  Engine engine(TestSpec(100));
  engine.Submit({.id = 1, .prompt_tokens = 8, .output_tokens = 1, .block_names = Names(1, 2)});
  Step(engine);
  // All 8 tokens are cached; (8 - 1) / 4 = 1 block counts.
  engine.Submit({.id = 2, .prompt_tokens = 8, .output_tokens = 1, .block_names = Names(1, 2)});
  EXPECT_EQ(Step(engine), "2 scheduled(4) 2 token(1) 2 finished");
  engine.Submit({.id = 3, .prompt_tokens = 9, .output_tokens = 1, .block_names = Names(1, 2)});
  EXPECT_EQ(Step(engine), "3 scheduled(8) 3 token(1) 3 finished");
}

TEST(Engine, OutputIsCachedForTheNextTurn) {
  Engine engine(TestSpec(100));
  engine.Submit({.id = 1, .prompt_tokens = 4, .output_tokens = 9, .block_names = Names(1, 3)});
  while (engine.busy()) Step(engine);
  engine.Submit({.id = 2, .prompt_tokens = 16, .output_tokens = 1, .block_names = Names(1, 3)});
  EXPECT_EQ(Step(engine), "2 scheduled(12) 2 token(1) 2 finished");
}

TEST(Engine, RequestsAdmittedTogetherShareAPrefix) {
  Engine engine(TestSpec(100));
  engine.Submit({.id = 1, .prompt_tokens = 9, .output_tokens = 1, .block_names = Names(1, 2)});
  engine.Submit({.id = 2, .prompt_tokens = 9, .output_tokens = 1, .block_names = Names(1, 2)});
  EXPECT_EQ(Step(engine),
            "1 scheduled(0) 2 scheduled(8) 1 token(1) 1 finished 2 token(1) 2 finished");
}

TEST(Engine, TheHeadOfTheQueueIsNotPassedBy) {
  Engine engine(TestSpec(6));
  engine.Submit({.id = 1, .prompt_tokens = 12, .output_tokens = 3, .block_names = {}});
  Step(engine);  // holds 3 of 6 blocks
  engine.Submit({.id = 2, .prompt_tokens = 16, .output_tokens = 1, .block_names = {}});
  engine.Submit({.id = 3, .prompt_tokens = 1, .output_tokens = 1, .block_names = {}});
  EXPECT_EQ(Step(engine), "1 token(2)");  // 2 needs 4 blocks, there are 2; 3 waits behind it
  EXPECT_EQ(engine.waiting(), 2u);
  EXPECT_EQ(Step(engine), "1 token(3) 1 finished");
  EXPECT_EQ(Step(engine), "2 scheduled(0) 2 token(1) 2 finished");
  EXPECT_EQ(Step(engine), "3 scheduled(0) 3 token(1) 3 finished");
}

TEST(Engine, CachedBlocksThatAreFreeCountAsUsedByTheirFinder) {
  Engine engine(TestSpec(4));
  engine.Submit({.id = 1, .prompt_tokens = 8, .output_tokens = 1, .block_names = Names(1, 2)});
  Step(engine);
  engine.Submit({.id = 2, .prompt_tokens = 4, .output_tokens = 6, .block_names = {}});
  Step(engine);
  // 1 free without name, 2 named and free: the 3rd and 4th block of request 3 do not fit.
  engine.Submit({.id = 3, .prompt_tokens = 14, .output_tokens = 1, .block_names = Names(1, 3)});
  EXPECT_EQ(Step(engine), "2 token(2)");
  EXPECT_EQ(engine.waiting(), 1u);
}

TEST(Engine, TheLastOneIsPreemptedAndComesBackFirst) {
  Engine engine(TestSpec(4));
  engine.Submit({.id = 1, .prompt_tokens = 7, .output_tokens = 5, .block_names = {}});
  engine.Submit({.id = 2, .prompt_tokens = 7, .output_tokens = 3, .block_names = {}});
  engine.Submit({.id = 3, .prompt_tokens = 1, .output_tokens = 1, .block_names = {}});
  Step(engine);
  EXPECT_EQ(engine.waiting(), 1u);
  EXPECT_EQ(Step(engine), "1 token(2) 2 token(2)");
  // 1 needs a third block.
  EXPECT_EQ(Step(engine), "2 preempted 1 token(3)");
  EXPECT_EQ(engine.counters().preemptions, 1u);
  EXPECT_EQ(engine.running(), 1u);
  EXPECT_EQ(engine.waiting(), 2u);
  // Its 9 tokens need three blocks, one is left: the next in the queue waits behind it.
  EXPECT_EQ(Step(engine), "1 token(4)");
  EXPECT_EQ(Step(engine), "1 token(5) 1 finished");
  // One of its own blocks is still cached, and what it had generated is not generated again.
  EXPECT_EQ(Step(engine),
            "2 scheduled(4) 3 scheduled(0) 2 token(3) 2 finished 3 token(1) 3 finished");
}

TEST(Engine, ASequenceAloneIsNeverPreempted) {
  Engine engine(TestSpec(4));
  ASSERT_TRUE(engine.Submit({.id = 1, .prompt_tokens = 1, .output_tokens = 16, .block_names = {}}));
  while (engine.busy()) Step(engine);
  EXPECT_EQ(engine.counters().preemptions, 0u);
  EXPECT_EQ(engine.counters().finished, 1u);
}

TEST(Engine, WhatCanNeverRunIsRefused) {
  Engine engine(TestSpec(4));
  EXPECT_FALSE(engine.Submit({.id = 1, .prompt_tokens = 0, .output_tokens = 1, .block_names = {}}));
  EXPECT_FALSE(engine.Submit({.id = 1, .prompt_tokens = 1, .output_tokens = 0, .block_names = {}}));
  EXPECT_FALSE(
      engine.Submit({.id = 1, .prompt_tokens = 17, .output_tokens = 1, .block_names = {}}));
  EXPECT_FALSE(engine.Submit({.id = 1, .prompt_tokens = 9, .output_tokens = 9, .block_names = {}}));
  EXPECT_TRUE(engine.Submit({.id = 1, .prompt_tokens = 16, .output_tokens = 1, .block_names = {}}));
  EXPECT_EQ(engine.counters().refused, 4u);
}

TEST(Engine, ACancelledRequestGivesBackWhatItHeld) {
  Engine engine(TestSpec(100));
  for (uint64_t id = 1; id <= 3; ++id) {
    engine.Submit({.id = id, .prompt_tokens = 8, .output_tokens = 5, .block_names = {}});
  }
  EXPECT_TRUE(engine.Cancel(3));  // waiting
  Step(engine);
  EXPECT_TRUE(engine.Cancel(1));  // running
  EXPECT_FALSE(engine.Cancel(1));
  engine.BeginStep();
  EXPECT_TRUE(engine.Cancel(2));  // within a step
  EXPECT_EQ(engine.running(), 0u);
  engine.Submit({.id = 2, .prompt_tokens = 1, .output_tokens = 1, .block_names = {}});
  std::vector<EngineEvent> events;
  engine.EndStep(&events);
  EXPECT_TRUE(events.empty());
  EXPECT_EQ(engine.kv_utilization_ratio(), 0.0);
  EXPECT_EQ(Step(engine), "2 scheduled(0) 2 token(1) 2 finished");
  EXPECT_EQ(engine.counters().cancelled, 3u);
}

// What the events told of one request.
struct Story {
  uint32_t wanted = 0;
  uint32_t tokens = 0;
  bool running = false;
  bool ended = false;
};

void Follow(const std::vector<EngineEvent>& events, std::map<uint64_t, Story>* stories) {
  for (const EngineEvent& event : events) {
    Story& story = stories->at(event.id);
    ASSERT_FALSE(story.ended);
    switch (event.kind) {
      case EngineEvent::Kind::kScheduled:
        ASSERT_FALSE(story.running);
        story.running = true;
        break;
      case EngineEvent::Kind::kPreempted:
        ASSERT_TRUE(story.running);
        story.running = false;
        break;
      case EngineEvent::Kind::kToken:
        ASSERT_TRUE(story.running);
        ASSERT_EQ(event.tokens, ++story.tokens);
        break;
      case EngineEvent::Kind::kFinished:
        ASSERT_EQ(story.tokens, story.wanted);
        story.ended = true;
        break;
      case EngineEvent::Kind::kReceiving:
        ASSERT_FALSE(story.running);
        break;
    }
  }
}

TEST(Engine, UnderRandomLoadEveryRequestEndsOnceAndNoBlockLeaks) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Engine engine(TestSpec(static_cast<uint32_t>(20 + random.Below(40))));
    std::map<uint64_t, Story> stories;
    uint64_t next_id = 1;
    for (int round = 0; round < 1500; ++round) {
      const bool filling = round < 1200;
      if (filling && random.Below(3) == 0) {
        const auto prompt = static_cast<uint32_t>(1 + random.Below(40));
        const auto output = static_cast<uint32_t>(1 + random.Below(30));
        const uint64_t group = random.Below(4) * 1000;
        ASSERT_TRUE(engine.Submit({.id = next_id,
                                   .prompt_tokens = prompt,
                                   .output_tokens = output,
                                   .block_names = Names(group, random.Below(15))}));
        stories[next_id++].wanted = output;
      }
      const uint64_t victim = 1 + random.Below(next_id);
      const bool cancel = random.Below(20) == 0;
      const bool within = random.Below(2) == 0;
      if (cancel && !within && engine.Cancel(victim)) stories[victim].ended = true;
      if (!engine.busy()) continue;
      engine.BeginStep();
      if (cancel && within && engine.Cancel(victim)) stories[victim].ended = true;
      std::vector<EngineEvent> events;
      engine.EndStep(&events);
      Follow(events, &stories);
      engine.CheckConsistent();
    }
    std::vector<EngineEvent> events;
    while (engine.busy()) {
      engine.BeginStep();
      engine.EndStep(&events);
    }
    Follow(events, &stories);
    for (const auto& [id, story] : stories) EXPECT_TRUE(story.ended) << id;
    EXPECT_EQ(engine.kv_utilization_ratio(), 0.0);
    EXPECT_EQ(engine.counters().finished + engine.counters().cancelled, stories.size());
    engine.CheckConsistent();
  }
}

TEST(Engine, TheSameRequestsGiveTheSameTimes) {
  const auto run = [] {
    Random random(7);
    std::vector<TimedRequest> requests;
    for (uint64_t id = 0; id < 100; ++id) {
      requests.push_back({std::chrono::microseconds(id * 20),
                          {.id = id,
                           .prompt_tokens = static_cast<uint32_t>(1 + random.Below(60)),
                           .output_tokens = static_cast<uint32_t>(1 + random.Below(20)),
                           .block_names = {}}});
    }
    Engine engine(TestSpec(40));
    std::vector<int64_t> times;
    for (const RequestTimes& t : RunInVirtualTime(engine, requests)) {
      times.push_back(t.last_token.count());
    }
    return times;
  };
  EXPECT_EQ(run(), run());
}

TEST(ServerSpec, PresetsAreFoundByName) {
  for (const std::string& name : ServerSpecNames()) {
    const auto spec = FindServerSpec(name);
    ASSERT_TRUE(spec.has_value());
    EXPECT_EQ(spec->name, name);
    EXPECT_GT(spec->kv_blocks, 0u);
  }
  EXPECT_FALSE(FindServerSpec("no-such").has_value());
  EXPECT_EQ(FindServerSpec("instant")->timer.Of({.sequences = 9, .tokens = 999}), Duration(0));
}

}  // namespace
}  // namespace gw::sim
