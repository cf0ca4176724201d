// Makers of the plug-ins, one file each under scorer/, filter/ and picker/, and the rules of rule/:
// the registry's list.

#pragma once

#include <memory>
#include <span>

#include "scheduling/filter.h"
#include "scheduling/picker.h"
#include "scheduling/rule.h"
#include "scheduling/scorer.h"

namespace gw {

// "queue-depth": LoadScore (load_curve.h) of requests waiting at the model server, slack 4. Waiting
// is as scraped; what was dispatched since the scrape is in-flight's business, so that no request
// counts in two terms before the model server reports it. Without fresh metrics: 0.5.
std::unique_ptr<Scorer> NewQueueDepthScorer();

// "kv-cache-utilization": 1 - used share of the KV cache. Without fresh metrics: 0.5.
std::unique_ptr<Scorer> NewKvCacheUtilizationScorer();

// "in-flight": LoadScore of requests in flight, slack 4. The load is our own count,
// exact and immediate, plus what others had there at the last scrape if that is fresh.
std::unique_ptr<Scorer> NewInFlightScorer();

// "pending-tokens": LoadScore of prompt tokens dispatched whose first token has not come, slack
// 8192.
std::unique_ptr<Scorer> NewPendingTokensScorer();

// "prefix-cache": saved / min(prompt, saved + 512), all in tokens; `saved` is what the candidate is
// believed to hold of the prompt beyond 48 and beyond what every candidate holds.
std::unique_ptr<Scorer> NewPrefixCacheScorer();

// "lora-affinity": adapter active 1, room for it 0.5, waiting to be loaded 0.25, no room 0. 1 for
// all when the request asks for no adapter.
std::unique_ptr<Scorer> NewLoraAffinityScorer();

// "fresh-metrics": keeps the candidates whose metrics are fresh; all of them if none are. A
// preference.
std::unique_ptr<Filter> NewFreshMetricsFilter();

// "max-score": the highest score; among those within 1e-5 of it, one at random.
std::unique_ptr<Picker> NewMaxScorePicker();

// "COST": seconds (rule/cost.cc).
const Rule& CostRule();

// Policies of other gateways and of papers (rule/published.cc).
std::span<const Rule> PublishedRules();

}  // namespace gw
