// ExchangeEnvironment: what the exchanges of one worker share.

#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "exchange/gate.h"
#include "exchange/history.h"
#include "exchange/metrics.h"
#include "exchange/observed.h"
#include "exchange/options.h"
#include "exchange/request_log.h"
#include "exchange/response_homes.h"
#include "exchange/spares.h"
#include "exchange/traced.h"
#include "exchange/tried.h"
#include "inference/parser.h"
#include "pool/heard_gateways.h"
#include "prefix/index.h"
#include "prefix/news.h"
#include "scheduling/profile.h"
#include "scheduling/sample.h"
#include "stats/metrics.h"

namespace gw {

// What admission saw of a pool, for the decision that follows it.
struct PoolSample {
  const Pool* pool = nullptr;  // nullptr: used up
  Candidates candidates;
};

// Outlives the exchanges. Used on the worker's thread.
struct ExchangeEnvironment {
  ExchangeEnvironment(const Clock& c, uint64_t seed, PrefixIndex& i, MetricRegistry& registry,
                      const ExchangeOptions& o = {})
      : options(o), clock(c), random(seed), index(i), metrics(registry), parser(o.json_depth_max) {}

  const ExchangeOptions options;
  // For wall time in log lines, and for how long a decision takes; steps are given their time.
  const Clock& clock;
  Random random;
  PrefixIndex& index;
  ExchangeMetrics metrics;
  InferenceParser parser;
  // Working memory of a decision.
  SchedulingScratch scratch;
  Candidates candidates;
  std::vector<PoolSample> samples;
  Spares<Tried> spare_tried{options.spare_requests_max};
  Spares<Observed> spare_observed{options.spare_requests_max};
  std::unique_ptr<RequestRecord> record = std::make_unique<RequestRecord>();
  RequestHistory history;
  // The field of a request by which tests choose its endpoints (asked.h); empty: there is none.
  std::string_view selection_field;
  // Of the names of prompts' blocks: who does not know it cannot make up prompts with equal ones.
  uint64_t prefix_key = 0;
  // Of what is inserted into the index, for other gateways; nullptr: there are none.
  PrefixNews* prefix_news = nullptr;
  // Whose sums decisions go by, too; nullptr: there are never any.
  const HeardGateways* heard = nullptr;
  // Of all workers; nullptr: responses are not followed.
  ResponseHomes* homes = nullptr;
  // Whom each request has to wait for before it is dispatched, and where it does; nullptr: nobody.
  Gate* gate = nullptr;
  WaitingRoom* room = nullptr;
  // Where the record of a request goes that has ended and is to have a line; nullptr: nowhere. Does
  // not block.
  void (*log_request)(const RequestRecord&, const LoggedAs&) = nullptr;
  LogShare log_share;                  // of the requests whose route does not say which have one
  bool log_prompt_blocks = false;      // with names of what their prompts begin with
  std::vector<uint64_t> named_blocks;  // working memory for these
  // How requests are parts of traces; nullptr: they are not, and what clients say of theirs passes
  // as any other field does.
  const Tracing* tracing = nullptr;

  // A sample of the pool that the decision which follows at once uses as well.
  const Candidates& SampleForDecision(const Pool& pool, const InferenceRequest& request,
                                      TimePoint now);
  // Into `candidates`: what SampleForDecision saw of the pool and is eligible, or a new sample.
  void TakeSample(const Pool& pool, const InferenceRequest& request, TimePoint now,
                  const Eligible& eligible);
  void ForgetSamples();  // once the decision is made
};

}  // namespace gw
