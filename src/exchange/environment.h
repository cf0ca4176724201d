// ExchangeEnvironment: what the exchanges of one worker share.

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "exchange/gate.h"
#include "exchange/history.h"
#include "exchange/metrics.h"
#include "exchange/options.h"
#include "inference/parser.h"
#include "prefix/index.h"
#include "scheduling/profile.h"
#include "stats/metrics.h"

namespace gw {

// What admission saw of a pool, for the decision that follows it.
struct PoolSample {
  const Pool* pool = nullptr;  // nullptr: used up
  std::vector<EndpointView> views;
};

// Outlives the exchanges. Used on the worker's thread.
struct ExchangeEnvironment {
  ExchangeEnvironment(const Clock& c, uint64_t seed, PrefixIndex& i, MetricRegistry& registry,
                      const ExchangeOptions& o = {})
      : options(o), clock(c), random(seed), index(i), metrics(registry), parser(o.json_depth_max) {}

  const ExchangeOptions options;
  const Clock& clock;  // wall time for log lines only; steps are given their time
  Random random;
  PrefixIndex& index;
  ExchangeMetrics metrics;
  InferenceParser parser;
  // Working memory of a decision.
  SchedulingScratch scratch;
  std::vector<EndpointView> views;
  std::vector<PoolSample> samples;
  std::vector<uint32_t> slots;
  std::vector<uint32_t> hits;
  std::unique_ptr<RequestRecord> record = std::make_unique<RequestRecord>();
  RequestHistory history;
  // Whom each request has to wait for before it is dispatched, and where it does; nullptr: nobody.
  Gate* gate = nullptr;
  WaitingRoom* room = nullptr;
  // Where the record of a request goes that has ended; nullptr: nowhere. Does not block.
  void (*log_request)(const RequestRecord&) = nullptr;

  // A sample of the pool that the decision which follows at once uses as well.
  const std::vector<EndpointView>& SampleForDecision(const Pool& pool,
                                                     const InferenceRequest& request,
                                                     TimePoint now);
  // Into `views`: what SampleForDecision saw of the pool, without `excluded`, or a new sample.
  void TakeSample(const Pool& pool, const InferenceRequest& request, TimePoint now,
                  std::span<const uint32_t> excluded);
  void ForgetSamples();  // once the decision is made
};

}  // namespace gw
