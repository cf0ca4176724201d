#include "pool/endpoint_hold.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <thread>
#include <vector>

#include "base/random.h"

namespace gw {
namespace {

class EndpointHoldTest : public testing::Test {
 protected:
  EndpointHoldTest() {
    endpoint_.address = "127.0.0.11:8000";
    endpoint_.state = table_.Get(endpoint_.address);
  }
  // In flight, awaited, prompt tokens, of these decoding, all context tokens, generated ones.
  std::array<int64_t, 6> Accounts() const {
    const EndpointState& state = *endpoint_.state;
    return {state.in_flight_requests,      state.awaiting_requests, state.pending_prompt_tokens,
            state.decoding_context_tokens, state.context_tokens,    state.generated_tokens};
  }

  ManualClock clock_;
  EndpointTable table_;
  Endpoint endpoint_;
};

using Is = std::array<int64_t, 6>;

TEST_F(EndpointHoldTest, ARequestMovesFromItsPromptToItsContext) {
  EndpointHold hold;
  EXPECT_FALSE(hold.held());
  hold.Take(endpoint_, {.uncached_tokens = 100, .tokens = 140}, clock_.Now());
  EXPECT_EQ(Accounts(), (Is{1, 1, 100, 0, 140, 0}));
  hold.Answered(std::chrono::milliseconds(3));
  hold.Answered(std::chrono::milliseconds(9));
  EXPECT_EQ(Accounts(), (Is{1, 0, 100, 0, 140, 0}));
  EXPECT_EQ(endpoint_.state->first_bytes.load(), 1u);
  hold.StartDecoding(150, clock_.Now());
  EXPECT_EQ(Accounts(), (Is{1, 0, 0, 150, 150, 0}));
  hold.StartDecoding(160, clock_.Now());
  EXPECT_EQ(Accounts(), (Is{1, 0, 0, 160, 160, 0}));
  hold.Generated(15);
  EXPECT_EQ(Accounts(), (Is{1, 0, 0, 160, 160, 0}));
  hold.Generated(18);
  EXPECT_EQ(Accounts(), (Is{1, 0, 0, 160, 160, 18}));
  hold.Generated(40);
  EXPECT_EQ(Accounts(), (Is{1, 0, 0, 160, 160, 40}));
  hold.Release(clock_.Now());
  EXPECT_EQ(Accounts(), Is{});
  hold.Release(clock_.Now());
  EXPECT_EQ(Accounts(), Is{});
  EXPECT_FALSE(hold.held());
}

TEST_F(EndpointHoldTest, TheEndpointIsBusyUntilThePromptIsDone) {
  const auto busy_s = [this] { return endpoint_.state->busy.SecondsAt(clock_.Now()); };
  EndpointHold decode;
  decode.Take(endpoint_, {.tokens = 9, .computed_here = false}, clock_.Now());
  clock_.Advance(std::chrono::seconds(20));
  EXPECT_EQ(busy_s(), 0) << "the prompt is another's";
  EndpointHold hold;
  hold.Take(endpoint_, {.uncached_tokens = 9, .tokens = 9}, clock_.Now());
  clock_.Advance(std::chrono::seconds(20));
  EXPECT_NEAR(busy_s(), 10 * (1 - std::exp(-1)), 1e-4);
  hold.StartDecoding(9, clock_.Now());
  clock_.Advance(std::chrono::seconds(20));
  EXPECT_NEAR(busy_s(), 10 * (1 - std::exp(-1)) * std::exp(-1), 1e-4);
}

TEST_F(EndpointHoldTest, WhateverEndsItEverythingIsGivenBack) {
  std::vector<std::thread> threads;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    threads.emplace_back([this, seed] {
      Random random(seed);
      ManualClock clock;
      for (int i = 0; i < 1000; ++i) {
        EndpointHold hold;
        const auto uncached = static_cast<int64_t>(random.Below(1000));
        hold.Take(endpoint_, {.uncached_tokens = uncached, .tokens = 1000}, clock.Now());
        if (random.Below(2) == 0) hold.Answered(Duration(1));
        if (random.Below(2) == 0) {
          hold.StartDecoding(static_cast<int64_t>(random.Below(1000)), clock.Now());
        }
        if (random.Below(2) == 0) hold.Generated(static_cast<int64_t>(random.Below(100)));
        clock.Advance(std::chrono::milliseconds(random.Below(3)));
        if (random.Below(2) == 0) hold.Release(clock.Now());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Accounts(), Is{});
  EXPECT_EQ(endpoint_.state->dispatched_requests.load(), 4000u);
  clock_.Advance(std::chrono::hours(1));
  EXPECT_NEAR(endpoint_.state->busy.SecondsAt(clock_.Now()), 0, 1e-4);
}

}  // namespace
}  // namespace gw
