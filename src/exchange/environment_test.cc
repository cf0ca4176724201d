#include "exchange/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace gw {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Samples : public ::testing::Test {
 protected:
  Samples() {
    for (uint32_t slot = 0; slot < 3; ++slot) {
      Endpoint endpoint;
      endpoint.name = "e" + std::to_string(slot);
      endpoint.state = std::make_shared<EndpointState>(slot);
      pool_.endpoints.push_back(std::move(endpoint));
    }
  }

  std::vector<uint32_t> Take(const Eligible& eligible) {
    env_.TakeSample(pool_, request_, clock_.Now(), eligible);
    const auto slots = env_.candidates.slots();
    return {slots.begin(), slots.end()};
  }

  ManualClock clock_;
  PrefixIndex index_{PrefixIndex::Options{}};
  MetricRegistry registry_;
  ExchangeEnvironment env_{clock_, 1, index_, registry_};
  Pool pool_;
  InferenceRequest request_;
};

TEST_F(Samples, TheDecisionSeesWhatAdmissionSaw) {
  env_.SampleForDecision(pool_, request_, clock_.Now());
  pool_.endpoints[1].state->in_flight_requests = 7;
  EXPECT_THAT(Take({}), ElementsAre(0, 1, 2));
  EXPECT_EQ(env_.candidates.in_flight_requests()[1], 0);
  EXPECT_THAT(Take({}), ElementsAre(0, 1, 2));
  EXPECT_EQ(env_.candidates.in_flight_requests()[1], 7) << "used once";
}

TEST_F(Samples, WhatAdmissionSawIsKeptToWhoIsEligible) {
  const uint32_t excluded[] = {0};
  const uint32_t only[] = {0, 2, 9};
  env_.SampleForDecision(pool_, request_, clock_.Now());
  EXPECT_THAT(Take({.excluded = excluded, .only = only}), ElementsAre(2));
  EXPECT_THAT(Take({.excluded = excluded, .only = only}), ElementsAre(2)) << "of a new sample";
}

TEST_F(Samples, ASubsetWithoutAnEndpointOfThePoolLeavesNone) {
  const uint32_t only[] = {9};
  env_.SampleForDecision(pool_, request_, clock_.Now());
  EXPECT_THAT(Take({.only = only}), IsEmpty());
  EXPECT_THAT(Take({.only = only}), IsEmpty());
}

}  // namespace
}  // namespace gw
