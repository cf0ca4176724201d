// ExchangeEnvironment: what the exchanges of one worker share.

#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "exchange/history.h"
#include "exchange/metrics.h"
#include "inference/parser.h"
#include "prefix/index.h"
#include "scheduling/profile.h"
#include "stats/metrics.h"

namespace gw {

// Outlives the exchanges. Used on the worker's thread.
struct ExchangeEnvironment {
  ExchangeEnvironment(const Clock& c, uint64_t seed, PrefixIndex& i, MetricRegistry& registry)
      : clock(c), random(seed), index(i), metrics(registry) {}

  const Clock& clock;  // wall time for log lines only; steps are given their time
  Random random;
  PrefixIndex& index;
  ExchangeMetrics metrics;
  InferenceParser parser;
  // Working memory of a decision.
  SchedulingScratch scratch;
  std::vector<EndpointView> views;
  std::vector<uint32_t> slots;
  std::vector<uint32_t> hits;
  std::unique_ptr<RequestRecord> record = std::make_unique<RequestRecord>();
  RequestHistory history;
  bool log_requests = true;
};

}  // namespace gw
