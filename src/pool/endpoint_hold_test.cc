#include "pool/endpoint_hold.h"

#include <gtest/gtest.h>

#include <array>
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
  // In flight, awaited, prompt tokens, context tokens.
  std::array<int64_t, 4> Accounts() const {
    const EndpointState& state = *endpoint_.state;
    return {state.in_flight_requests, state.awaiting_requests, state.pending_prompt_tokens,
            state.decoding_context_tokens};
  }

  EndpointTable table_;
  Endpoint endpoint_;
};

using Is = std::array<int64_t, 4>;

TEST_F(EndpointHoldTest, ARequestMovesFromItsPromptToItsContext) {
  EndpointHold hold;
  EXPECT_FALSE(hold.held());
  hold.Take(endpoint_, 100);
  EXPECT_EQ(Accounts(), (Is{1, 1, 100, 0}));
  hold.Answered(std::chrono::milliseconds(3));
  hold.Answered(std::chrono::milliseconds(9));
  EXPECT_EQ(Accounts(), (Is{1, 0, 100, 0}));
  EXPECT_EQ(endpoint_.state->first_bytes.load(), 1u);
  hold.StartDecoding(150);
  EXPECT_EQ(Accounts(), (Is{1, 0, 0, 150}));
  hold.StartDecoding(160);
  EXPECT_EQ(Accounts(), (Is{1, 0, 0, 160}));
  hold.Release();
  EXPECT_EQ(Accounts(), (Is{0, 0, 0, 0}));
  hold.Release();
  EXPECT_EQ(Accounts(), (Is{0, 0, 0, 0}));
  EXPECT_FALSE(hold.held());
}

TEST_F(EndpointHoldTest, WhateverEndsItEverythingIsGivenBack) {
  std::vector<std::thread> threads;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    threads.emplace_back([this, seed] {
      Random random(seed);
      for (int i = 0; i < 1000; ++i) {
        EndpointHold hold;
        hold.Take(endpoint_, static_cast<int64_t>(random.Below(1000)));
        if (random.Below(2) == 0) hold.Answered(Duration(1));
        if (random.Below(2) == 0) hold.StartDecoding(static_cast<int64_t>(random.Below(1000)));
        if (random.Below(2) == 0) hold.Release();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Accounts(), (Is{0, 0, 0, 0}));
  EXPECT_EQ(endpoint_.state->dispatched_requests.load(), 4000u);
}

}  // namespace
}  // namespace gw
