#include "exchange/metrics.h"

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
  }
  return "unknown";
}

std::string_view NameOf(TryFailure failure) {
  switch (failure) {
    case TryFailure::kConnectRefused:
      return "connect_refused";
    case TryFailure::kConnectTimeout:
      return "connect_timeout";
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
    case TryFailure::kLocalResources:
      return "local_resources";
  }
  return "unknown";
}

namespace {

Labels PoolAndModel(std::string_view pool, std::string_view model) {
  return {{"pool", std::string(pool)}, {"model", std::string(model)}};
}

Counter& AddDecision(MetricRegistry& registry, std::string_view pool, const char* decision) {
  return registry.AddCounter("penstock_disaggregation_decisions_total",
                             "Requests to pools that serve disaggregated, by how they were sent.",
                             {{"pool", std::string(pool)}, {"decision", decision}});
}

Histogram& AddPhase(MetricRegistry& registry, std::string_view pool, const char* phase) {
  return registry.AddHistogram("penstock_phase_duration_seconds",
                               "Phases of disaggregated requests.", LatencyBuckets(),
                               {{"pool", std::string(pool)}, {"phase", phase}});
}

}  // namespace

ExchangeSeries::ExchangeSeries(MetricRegistry& registry, std::string_view pool,
                               std::string_view model)
    : in_flight(registry.AddGauge("penstock_requests_in_flight",
                                  "Requests dispatched to an endpoint and not finished.",
                                  {{"pool", std::string(pool)}})),
      duration(registry.AddHistogram("penstock_request_duration_seconds",
                                     "From the request's head to the end of its response.",
                                     LatencyBuckets(), PoolAndModel(pool, model))),
      ttft(
          registry.AddHistogram("penstock_time_to_first_token_seconds",
                                "From the request's head to the first byte of the response's body.",
                                LatencyBuckets(), PoolAndModel(pool, model))),
      inter_token(registry.AddHistogram("penstock_inter_token_latency_seconds",
                                        "Gaps between the pieces of a streamed response.",
                                        InterTokenBuckets(), PoolAndModel(pool, model))),
      prompt_tokens(registry.AddCounter("penstock_prompt_tokens_total",
                                        "Prompt tokens, as the model servers report them.",
                                        PoolAndModel(pool, model))),
      cached_tokens(registry.AddCounter(
          "penstock_cached_prompt_tokens_total",
          "Prompt tokens found in a prefix cache, as the model servers report them.",
          PoolAndModel(pool, model))),
      completion_tokens(registry.AddCounter("penstock_completion_tokens_total",
                                            "Generated tokens, as the model servers report them.",
                                            PoolAndModel(pool, model))),
      prefix_hit_blocks(
          registry.AddCounter("penstock_prefix_hit_blocks_total",
                              "Leading prompt blocks believed to be cached at the endpoint chosen.",
                              {{"pool", std::string(pool)}})),
      prefix_blocks(registry.AddCounter("penstock_prefix_blocks_total",
                                        "Prompt blocks of dispatched requests.",
                                        {{"pool", std::string(pool)}})),
      registry_(registry),
      labels_(PoolAndModel(pool, model)) {}

PhaseSeries::PhaseSeries(MetricRegistry& registry, std::string_view pool)
    : prefill(AddPhase(registry, pool, "prefill")),
      transfer(AddPhase(registry, pool, "transfer")),
      decode(AddPhase(registry, pool, "decode")),
      pairs(AddDecision(registry, pool, "prefill-decode")),
      alone(AddDecision(registry, pool, "decode-only")),
      recomputed(
          registry.AddCounter("penstock_prefill_recomputed_total",
                              "Disaggregated requests whose prefill half handed over no KV cache.",
                              {{"pool", std::string(pool)}})),
      bootstrap_timeouts(
          registry.AddCounter("penstock_bootstrap_timeouts_total",
                              "Pairs whose KV cache did not arrive at the decode half in time.",
                              {{"pool", std::string(pool)}})),
      leases_abandoned(registry.AddCounter(
          "penstock_kv_leases_abandoned_total",
          "KV caches that a prefill endpoint keeps until its lease ends, their decode half having "
          "failed or its client having left.",
          {{"pool", std::string(pool)}})),
      leases_expired(registry.AddCounter(
          "penstock_kv_leases_expired_total",
          "Decode halves whose first byte came after the lease of their KV cache had ended.",
          {{"pool", std::string(pool)}})) {}

void ExchangeSeries::CountRequest(int status, Outcome outcome) {
  const uint32_t key = static_cast<uint32_t>(status) << 8 | static_cast<uint32_t>(outcome);
  Counter*& counter = requests_[key];
  if (counter == nullptr) {
    Labels labels = labels_;
    labels.emplace_back("status", std::to_string(status));
    labels.emplace_back("outcome", std::string(NameOf(outcome)));
    counter =
        &registry_.AddCounter("penstock_requests_total",
                              "Requests ended, by the status sent and how they ended.", labels);
  }
  counter->Add();
}

ExchangeMetrics::ExchangeMetrics(MetricRegistry& registry) : registry_(registry) {}

ExchangeSeries& ExchangeMetrics::For(std::string_view pool, std::string_view model,
                                     ModelName from) {
  key_.assign(pool);
  key_ += '\n';
  key_ += model;
  auto it = series_.find(key_);
  if (it != series_.end()) return *it->second;
  if (from == ModelName::kUnproven && !registry_.HasOpenValue(pool, model)) {
    return For(pool, "", ModelName::kConfigured);
  }
  if (from == ModelName::kInvented && !registry_.AdmitsOpenValue(pool, model)) {
    CountLimit("model_label_values");
    return For(pool, "other", ModelName::kConfigured);
  }
  auto series = std::make_unique<ExchangeSeries>(registry_, pool, model);
  return *series_.emplace(key_, std::move(series)).first->second;
}

PhaseSeries& ExchangeMetrics::PhasesOf(std::string_view pool) {
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
  registry_
      .AddCounter("penstock_half_failures_total",
                  "Halves of disaggregated requests that failed, by half and reason.",
                  {{"pool", std::string(pool)},
                   {"half", std::string(half)},
                   {"reason", std::string(NameOf(reason))}})
      .Add();
}

void ExchangeMetrics::CountRetry(std::string_view pool, TryFailure failure) {
  registry_
      .AddCounter("penstock_retries_total", "Tries after the first, by what went wrong before.",
                  {{"pool", std::string(pool)}, {"reason", std::string(NameOf(failure))}})
      .Add();
}

void ExchangeMetrics::CountEjection(std::string_view pool) {
  registry_
      .AddCounter("penstock_ejections_total", "Endpoints taken out of use after failures.",
                  {{"pool", std::string(pool)}})
      .Add();
}

void ExchangeMetrics::CountRejection(Rejection rejection) {
  registry_
      .AddCounter("penstock_rejections_total",
                  "Requests that the gateway answered itself, by reason.",
                  {{"reason", std::string(InfoOf(rejection).code)}})
      .Add();
}

void ExchangeMetrics::CountLimit(std::string_view limit) {
  // The family that the data plane's limits are counted in.
  registry_
      .AddCounter("penstock_limit_reached_total", "How often a limit was reached, by its name.",
                  {{"limit", std::string(limit)}})
      .Add();
}

}  // namespace gw
