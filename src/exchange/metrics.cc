#include "exchange/metrics.h"

#include <set>

#include "exchange/mirrored.h"
#include "exchange/queue_metrics.h"
#include "exchange/session.h"
#include "flowcontrol/api_keys.h"

namespace gw {

std::string_view NameOf(Outcome outcome) {
  switch (outcome) {
    case Outcome::kComplete:
      return "complete";
    case Outcome::kRejected:
      return "rejected";
    case Outcome::kClientLeft:
      return "client_left";
    case Outcome::kUpstreamBroke:
      return "upstream_broke";
    case Outcome::kErrorEvent:
      return "error_event";
    case Outcome::kAborted:
      return "aborted";
    case Outcome::kTimedOut:
      return "timed_out";
    case Outcome::kEvicted:
      return "evicted";
  }
  return "unknown";
}

std::string_view NameOf(TryFailure failure) {
  switch (failure) {
    case TryFailure::kConnectRefused:
      return "connect_refused";
    case TryFailure::kConnectTimeout:
      return "connect_timeout";
    case TryFailure::kTlsHandshake:
      return "tls_handshake";
    case TryFailure::kUnreachable:
      return "unreachable";
    case TryFailure::kReset:
      return "reset";
    case TryFailure::kStaleConnection:
      return "stale_connection";
    case TryFailure::kBadResponse:
      return "bad_response";
    case TryFailure::kResponseTimeout:
      return "response_timeout";
    case TryFailure::kErrorStatus:
      return "error_status";
    case TryFailure::kBootstrapTimeout:
      return "bootstrap_timeout";
    case TryFailure::kPushedBack:
      return "pushed_back";
    case TryFailure::kLocalResources:
      return "local_resources";
  }
  return "unknown";
}

namespace {

// Models of one pool that are shown before they are asked for.
constexpr size_t kShownModelsMax = MetricRegistry::open_values_max;

Labels OfPool(std::string_view pool) { return {{"pool", std::string(pool)}}; }

Labels OfModel(std::string_view pool, std::string_view model, std::string_view target_model) {
  return {{"pool", std::string(pool)},
          {"model", std::string(model)},
          {"target_model", std::string(target_model)}};
}

std::shared_ptr<Counter> ShareDecision(MetricRegistry& registry, std::string_view pool,
                                       const char* decision) {
  return registry.ShareCounter("penstock_disaggregation_decisions_total",
                               "Requests to pools that serve disaggregated, by how they were sent.",
                               {{"pool", std::string(pool)}, {"decision", decision}});
}

std::shared_ptr<Histogram> SharePhase(MetricRegistry& registry, std::string_view pool,
                                      const char* phase) {
  return registry.ShareHistogram("penstock_phase_duration_seconds",
                                 "Phases of disaggregated requests.", LatencyBuckets(),
                                 {{"pool", std::string(pool)}, {"phase", phase}});
}

std::shared_ptr<Counter> ShareHalfFailure(MetricRegistry& registry, std::string_view pool,
                                          const char* half, TryFailure reason) {
  return registry.ShareCounter(
      "penstock_half_failures_total",
      "Halves of disaggregated requests that failed, by half and reason.",
      {{"pool", std::string(pool)}, {"half", half}, {"reason", std::string(NameOf(reason))}});
}

}  // namespace

ExchangeSeries::ExchangeSeries(MetricRegistry& registry, std::string_view pool,
                               std::string_view model, std::string_view target_model)
    : in_flight(Hold(registry.ShareGauge("penstock_requests_in_flight",
                                         "Requests dispatched to an endpoint and not finished.",
                                         OfPool(pool)))),
      duration(Hold(registry.ShareHistogram("penstock_request_duration_seconds",
                                            "From the request's head to the end of its response.",
                                            LatencyBuckets(), OfModel(pool, model, target_model)))),
      ttft(Hold(registry.ShareHistogram(
          "penstock_time_to_first_token_seconds",
          "From the request's head to the first byte of the response's body.", LatencyBuckets(),
          OfModel(pool, model, target_model)))),
      inter_token(Hold(registry.ShareHistogram(
          "penstock_inter_token_latency_seconds", "Gaps between the pieces of a streamed response.",
          InterTokenBuckets(), OfModel(pool, model, target_model)))),
      tpot(Hold(registry.ShareHistogram(
          "penstock_time_per_output_token_seconds",
          "From the first byte to the last of streamed responses, for each token after the first.",
          InterTokenBuckets(), OfModel(pool, model, target_model)))),
      prompt_tokens(Hold(registry.ShareCounter("penstock_prompt_tokens_total",
                                               "Prompt tokens, as the model servers report them.",
                                               OfModel(pool, model, target_model)))),
      cached_tokens(Hold(registry.ShareCounter(
          "penstock_cached_prompt_tokens_total",
          "Prompt tokens found in a prefix cache, as the model servers report them.",
          OfModel(pool, model, target_model)))),
      completion_tokens(Hold(registry.ShareCounter(
          "penstock_completion_tokens_total",
          "Generated tokens, as the model servers report them or by a stream's events.",
          OfModel(pool, model, target_model)))),
      estimated_tokens(Hold(registry.ShareCounter(
          "penstock_estimated_completion_tokens_total",
          "Generated tokens that are counted by the events of streams without usage.",
          OfModel(pool, model, target_model)))),
      prefix_hit_blocks(Hold(registry.ShareCounter(
          "penstock_prefix_hit_blocks_total",
          "Leading prompt blocks believed to be cached at the endpoint chosen.", OfPool(pool)))),
      prefix_blocks(Hold(registry.ShareCounter(
          "penstock_prefix_blocks_total", "Prompt blocks of dispatched requests.", OfPool(pool)))),
      registry_(registry),
      labels_(OfModel(pool, model, target_model)) {}

Counter& ExchangeSeries::RequestsOf(int status, Outcome outcome) {
  const uint32_t key = static_cast<uint32_t>(status) << 8 | static_cast<uint32_t>(outcome);
  Counter*& counter = requests_[key];
  if (counter == nullptr) {
    Labels labels = labels_;
    labels.emplace_back("status", std::to_string(status));
    labels.emplace_back("outcome", std::string(NameOf(outcome)));
    counter = &Hold(registry_.ShareCounter("penstock_requests_total",
                                           "Requests ended, by the status sent and how they ended.",
                                           labels));
  }
  return *counter;
}

TrySeries::TrySeries(MetricRegistry& registry, std::string_view pool)
    : ejections(Hold(registry.ShareCounter(
          "penstock_ejections_total", "Endpoints taken out of use after failures.", OfPool(pool)))),
      pushbacks(Hold(registry.ShareCounter(
          "penstock_endpoint_pushbacks_total",
          "Answers 429 and 503 of endpoints that have as many requests as they take.",
          OfPool(pool)))) {
  for (size_t i = 0; i < kTryFailures; ++i) {
    Labels labels = OfPool(pool);
    labels.emplace_back("reason", NameOf(static_cast<TryFailure>(i)));
    retries[i] = &Hold(registry.ShareCounter(
        "penstock_retries_total", "Tries after the first, by what went wrong before.", labels));
  }
  for (size_t i = 0; i < kFallbackReasons; ++i) {
    Labels labels = OfPool(pool);
    labels.emplace_back("reason", NameOf(static_cast<FallbackReason>(i)));
    fallbacks[i] = &Hold(
        registry.ShareCounter("penstock_fallbacks_total",
                              "Requests that the pool's fallback took over, by why.", labels));
  }
}

PhaseSeries::PhaseSeries(MetricRegistry& registry, std::string_view pool)
    : prefill(Hold(SharePhase(registry, pool, "prefill"))),
      transfer(Hold(SharePhase(registry, pool, "transfer"))),
      decode(Hold(SharePhase(registry, pool, "decode"))),
      pairs(Hold(ShareDecision(registry, pool, "prefill-decode"))),
      alone(Hold(ShareDecision(registry, pool, "decode-only"))),
      recomputed(Hold(registry.ShareCounter(
          "penstock_prefill_recomputed_total",
          "Disaggregated requests whose prefill half handed over no KV cache.", OfPool(pool)))),
      bootstrap_timeouts(Hold(registry.ShareCounter(
          "penstock_bootstrap_timeouts_total",
          "Pairs whose KV cache did not arrive at the decode half in time.", OfPool(pool)))),
      leases_abandoned(Hold(registry.ShareCounter(
          "penstock_kv_leases_abandoned_total",
          "KV caches that a prefill endpoint keeps until its lease ends, their decode half having "
          "failed or its client having left.",
          OfPool(pool)))),
      leases_expired(Hold(registry.ShareCounter(
          "penstock_kv_leases_expired_total",
          "Decode halves whose first byte came after the lease of their KV cache had ended.",
          OfPool(pool)))) {
  for (size_t i = 0; i < kTryFailures; ++i) {
    const auto reason = static_cast<TryFailure>(i);
    prefill_failures[i] = &Hold(ShareHalfFailure(registry, pool, "prefill", reason));
    decode_failures[i] = &Hold(ShareHalfFailure(registry, pool, "decode", reason));
  }
}

namespace {

Counter& OwnerRefusals(MetricRegistry& registry, const std::string& owner, const char* limit) {
  return registry.AddCounter("penstock_owner_refusals_total",
                             "Requests of an API key's owner that a rate limit refused.",
                             {{"owner", owner}, {"limit", limit}});
}

std::shared_ptr<Counter> ShareSession(MetricRegistry& registry, std::string_view pool,
                                      std::string_view result) {
  return registry.ShareCounter("penstock_sessions_total",
                               "Answers of rules with sessionPersistence, by what became of the "
                               "client's session.",
                               {{"pool", std::string(pool)}, {"result", std::string(result)}});
}

std::shared_ptr<Counter> ShareRule(MetricRegistry& registry, std::string_view route,
                                   std::string_view rule) {
  return registry.ShareCounter("penstock_rule_requests_total",
                               "Requests ended of the rules of routes that have a name.",
                               {{"route", std::string(route)}, {"rule", std::string(rule)}});
}

std::shared_ptr<Counter> ShareMirror(MetricRegistry& registry, std::string_view route,
                                     std::string_view result) {
  return registry.ShareCounter("penstock_mirrored_requests_total",
                               "Copies of requests that RequestMirror filters wanted, by what "
                               "became of them.",
                               {{"route", std::string(route)}, {"result", std::string(result)}});
}

void ShowMirrors(MetricRegistry& registry, const RouteRule& rule, const RouteFilters* filters) {
  if (filters == nullptr || filters->mirrors.empty()) return;
  for (size_t i = 0; i < kMirrorResults; ++i) {
    ShareMirror(registry, rule.route, NameOf(static_cast<MirrorResult>(i)));
  }
}

void ShowRule(MetricRegistry& registry, const Snapshot& snapshot, const RouteRule& rule) {
  if (rule.named) ShareRule(registry, rule.route, rule.label);
  ShowMirrors(registry, rule, rule.filters.get());
  for (const Destination& destination : rule.destinations) {
    ShowMirrors(registry, rule, destination.filters.get());
    if (destination.kind != Destination::Kind::kPool) continue;
    const std::string& pool = snapshot.pools[destination.pool]->pool.id;
    if (rule.session == nullptr) continue;
    for (std::string_view result : {Session::kBegun, Session::kHeld, Session::kMoved}) {
      ShareSession(registry, pool, result);
    }
  }
}

void ShowRules(MetricRegistry& registry, const Snapshot& snapshot) {
  std::set<const RouteRule*> shown;
  for (const ListenerEntry& listener : snapshot.listeners) {
    for (const RouteTable::Entry& entry : listener.routes->entries()) {
      if (shown.insert(entry.rule.get()).second) ShowRule(registry, snapshot, *entry.rule);
    }
  }
}

void ShowOwners(MetricRegistry& registry, const Snapshot& snapshot) {
  std::set<const ApiKeys*> shown;
  for (const ListenerEntry& listener : snapshot.listeners) {
    for (const RouteTable::Entry& entry : listener.routes->entries()) {
      const ApiKeys* const keys = entry.rule->api_keys.get();
      if (keys == nullptr || !shown.insert(keys).second) continue;
      keys->ForEachOwner([&](const KeyOwner& owner) { OwnerSeries(registry, owner.name); });
    }
  }
}

}  // namespace

OwnerSeries::OwnerSeries(MetricRegistry& registry, const std::string& owner)
    : requests(registry.AddCounter("penstock_owner_requests_total",
                                   "Requests with an API key, by its owner.", {{"owner", owner}})),
      refused_requests(OwnerRefusals(registry, owner, "requests_per_minute")),
      refused_tokens(OwnerRefusals(registry, owner, "tokens_per_minute")),
      tokens(registry.AddCounter("penstock_owner_tokens_total",
                                 "Tokens of prompts and completions, by the API key's owner.",
                                 {{"owner", owner}})) {}

void ShowSeries(MetricRegistry& registry, const Snapshot& snapshot) {
  ShowOwners(registry, snapshot);
  ShowRules(registry, snapshot);
  // Of requests that are answered before a pool is known.
  ExchangeSeries(registry, "", "", "");
  for (const auto& entry : snapshot.pools) {
    const std::string& pool = entry->pool.id;
    TrySeries(registry, pool);
    if (entry->disaggregation != nullptr) PhaseSeries(registry, pool);
    if (entry->queue != nullptr) QueueSeries(registry, pool, 0, "");
    if (entry->models.takes_any_name()) {
      ExchangeSeries(registry, pool, "", "").RequestsOf(200, Outcome::kComplete);
    }
    size_t shown = 0;
    for (const std::string& name : entry->models.names()) {
      if (shown++ == kShownModelsMax) break;
      const std::vector<TargetModel>& targets = entry->models.Find(name)->targets;
      if (targets.empty()) {
        ExchangeSeries(registry, pool, name, name).RequestsOf(200, Outcome::kComplete);
      }
      for (const TargetModel& target : targets) {
        ExchangeSeries(registry, pool, name, target.name).RequestsOf(200, Outcome::kComplete);
      }
    }
  }
}

ExchangeMetrics::ExchangeMetrics(MetricRegistry& registry) : registry_(registry) {
  for (size_t i = 0; i < RejectionCount(); ++i) {
    const auto rejection = static_cast<Rejection>(i);
    rejections_.push_back(
        rejection == Rejection::kNone
            ? nullptr
            : &registry_.AddCounter("penstock_rejections_total",
                                    "Requests that the gateway answered itself, by reason.",
                                    {{"reason", std::string(InfoOf(rejection).code)}}));
  }
  for (TryFailure failure : {TryFailure::kLocalResources, TryFailure::kUnreachable}) {
    OwnFailures(failure);
  }
}

void ExchangeMetrics::ForgetRemoved() {
  const uint64_t removals = registry_.removals();
  if (removals == removals_) return;
  removals_ = removals;
  series_.clear();
  tries_.clear();
  phases_.clear();
  queued_.clear();
  others_.clear();
}

template <typename Make>
Counter& ExchangeMetrics::OtherOf(char family, std::string_view a, std::string_view b, Make make) {
  ForgetRemoved();
  key_.assign(1, family);
  key_ += a;
  key_ += '\n';
  key_ += b;
  std::shared_ptr<Counter>& counter = others_[key_];
  if (counter == nullptr) counter = make(registry_, a, b);
  return *counter;
}

void ExchangeMetrics::CountSession(std::string_view pool, std::string_view result) {
  OtherOf('s', pool, result, ShareSession).Add();
}

void ExchangeMetrics::CountRule(std::string_view route, std::string_view rule) {
  OtherOf('r', route, rule, ShareRule).Add();
}

void ExchangeMetrics::CountMirror(std::string_view route, std::string_view result) {
  OtherOf('m', route, result, ShareMirror).Add();
}

std::shared_ptr<ExchangeSeries> ExchangeMetrics::For(std::string_view pool, std::string_view model,
                                                     std::string_view target_model,
                                                     ModelName from) {
  ForgetRemoved();
  // What a label does not show makes no series of its own: clients choose names, and how long.
  model = model.substr(0, MetricRegistry::label_value_bytes_max);
  target_model = target_model.substr(0, MetricRegistry::label_value_bytes_max);
  key_.assign(pool);
  key_ += '\n';
  key_ += model;
  key_ += '\n';
  key_ += target_model;
  auto it = series_.find(key_);
  if (it != series_.end()) return it->second;
  if (from == ModelName::kUnproven && !registry_.HasOpenValue(pool, model)) {
    return For(pool, "", "", ModelName::kConfigured);
  }
  if (from == ModelName::kInvented && !registry_.AdmitsOpenValue(pool, model)) {
    CountLimit("model_label_values");
    return For(pool, "other", "other", ModelName::kConfigured);
  }
  auto series = std::make_shared<ExchangeSeries>(registry_, pool, model, target_model);
  return series_.emplace(key_, std::move(series)).first->second;
}

TrySeries& ExchangeMetrics::TriesOf(std::string_view pool) {
  ForgetRemoved();
  key_.assign(pool);
  std::unique_ptr<TrySeries>& series = tries_[key_];
  if (series == nullptr) series = std::make_unique<TrySeries>(registry_, pool);
  return *series;
}

PhaseSeries& ExchangeMetrics::PhasesOf(std::string_view pool) {
  ForgetRemoved();
  key_.assign(pool);
  std::unique_ptr<PhaseSeries>& series = phases_[key_];
  if (series == nullptr) series = std::make_unique<PhaseSeries>(registry_, pool);
  return *series;
}

void ExchangeMetrics::CountDisaggregation(std::string_view pool, bool alone) {
  PhaseSeries& series = PhasesOf(pool);
  (alone ? series.alone : series.pairs).Add();
}

void ExchangeMetrics::CountHalfFailure(std::string_view pool, std::string_view half,
                                       TryFailure reason) {
  PhaseSeries& series = PhasesOf(pool);
  auto& failures = half == "prefill" ? series.prefill_failures : series.decode_failures;
  failures[static_cast<size_t>(reason)]->Add();
}

void ExchangeMetrics::CountRetry(std::string_view pool, TryFailure failure) {
  TriesOf(pool).retries[static_cast<size_t>(failure)]->Add();
}

void ExchangeMetrics::CountEjection(std::string_view pool) { TriesOf(pool).ejections.Add(); }

void ExchangeMetrics::CountPushback(std::string_view pool) { TriesOf(pool).pushbacks.Add(); }

void ExchangeMetrics::CountFallback(std::string_view pool, FallbackReason reason) {
  TriesOf(pool).fallbacks[static_cast<size_t>(reason)]->Add();
}

Counter& ExchangeMetrics::OwnFailures(TryFailure failure) {
  return registry_.AddCounter(
      "penstock_own_connect_failures_total",
      "Connections to endpoints that failed for a reason of the gateway's own machine.",
      {{"reason", std::string(NameOf(failure))}});
}

void ExchangeMetrics::CountRejection(Rejection rejection) {
  Counter* counter = rejections_[static_cast<size_t>(rejection)];
  if (counter != nullptr) counter->Add();
}

void ExchangeMetrics::CountOwner(std::string_view owner, Rejection refused, int64_t tokens) {
  auto found = owners_.find(owner);
  if (found == owners_.end()) {
    const std::string name(owner);
    found = owners_.emplace(name, OwnerSeries(registry_, name)).first;
  }
  const OwnerSeries& series = found->second;
  series.requests.Add();
  if (refused == Rejection::kRequestRate) series.refused_requests.Add();
  if (refused == Rejection::kTokenRate) series.refused_tokens.Add();
  if (tokens > 0) series.tokens.Add(static_cast<uint64_t>(tokens));
}

Counter& ExchangeMetrics::LimitOf(std::string_view limit) {
  const auto it = limits_.find(limit);
  if (it != limits_.end()) return *it->second;
  Counter& counter = registry_.AddCounter("penstock_limit_reached_total",
                                          "How often a limit was reached, by its name.",
                                          {{"limit", std::string(limit)}});
  return *limits_.emplace(limit, &counter).first->second;
}

}  // namespace gw
