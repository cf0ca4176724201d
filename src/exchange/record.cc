// What remains of an exchange: counters, histograms, one line in the log, one record in the
// history.

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/log.h"
#include "exchange/exchange.h"

namespace gw {
namespace {

void CountTokens(const Usage& usage, ExchangeSeries* series) {
  if (usage.prompt_tokens > 0) series->prompt_tokens.Add(usage.prompt_tokens);
  if (usage.cached_tokens > 0) series->cached_tokens.Add(usage.cached_tokens);
  if (usage.completion_tokens > 0) series->completion_tokens.Add(usage.completion_tokens);
}

void FillScores(const Decision& decision, std::vector<std::pair<std::string_view, float>>* scores) {
  scores->clear();
  for (size_t i = 0; i < decision.scorer_count; ++i) {
    scores->emplace_back(decision.profile->scorers()[i].scorer->name(), decision.scores[i]);
  }
}

void FillLosers(const Decision& decision, RequestRecord* record) {
  static_assert(Decision::kLosersMax == std::tuple_size_v<decltype(record->losers)> &&
                Decision::kScorersMax == std::size(RequestRecord::Loser{}.scores));
  record->loser_count = decision.loser_count;
  for (size_t i = 0; i < decision.loser_count; ++i) {
    const Loser& loser = decision.losers[i];
    RequestRecord::Loser& told = record->losers[i];
    told.endpoint_name = loser.endpoint->name;
    told.endpoint = loser.endpoint->address;
    told.score = loser.score;
    told.in_flight_requests = loser.in_flight_requests;
    std::ranges::copy(loser.scores, told.scores);
  }
}

// What there is not is null in the log.
double OrNull(double value) { return value < 0 ? std::nan("") : value; }
double OrNull(int64_t value) { return OrNull(static_cast<double>(value)); }

}  // namespace

void LogRequest(const RequestRecord& record) {
  if (!LogEnabled(LogLevel::kInfo)) return;
  const LogField fields[] = {
      {"request_id", record.request_id},
      {"client", record.client},
      {"method", record.method},
      {"path", record.path},
      {"route", record.route},
      {"pool", record.pool},
      {"requested_model", record.requested_model},
      {"target_model", record.target_model},
      {"pod", record.endpoint_name},
      {"endpoint", record.endpoint},
      {"status", record.status},
      {"outcome", record.outcome},
      {"reason", record.reason},
      {"tries", record.tries},
      {"stream", record.stream},
      {"prefix_hit_blocks", record.prefix_hit_blocks},
      {"prefix_blocks", record.prefix_blocks},
      {"candidates", record.candidates},
      {"score", record.score},
      {"queue_ms", OrNull(record.queue_ms)},
      {"ttft_ms", OrNull(record.ttft_ms)},
      {"total_ms", record.total_ms},
      {"prompt_tokens", OrNull(record.prompt_tokens)},
      {"cached_tokens", OrNull(record.cached_tokens)},
      {"completion_tokens", OrNull(record.completion_tokens)},
      {"tokens_estimated", record.tokens_estimated},
      // Of disaggregated requests only.
      {"disaggregation", record.disaggregation},
      {"prefill_pod", record.prefill_name},
      {"prefill_endpoint", record.prefill_endpoint},
      {"failed_half", record.failed_half},
      {"prefill_status", record.prefill_status},
      {"recomputed", record.recomputed},
      {"prefill_ms", OrNull(record.prefill_ms)},
      {"transfer_ms", OrNull(record.transfer_ms)},
  };
  constexpr size_t kDisaggregatedOnly = 8;
  const size_t left_out = record.disaggregation.empty() ? kDisaggregatedOnly : 0;
  LogLine(LogLevel::kInfo, "Request Handled", fields, std::size(fields) - left_out);
}

void Exchange::End(Outcome outcome, int status, TimePoint now) {
  CHECK(active_);
  active_ = false;
  if (WasServed(outcome)) {
    LearnTokens();
    if (!pair_.active || pool_->disaggregation->decode_uses_prefix) RefreshPrefix(decision_);
  }
  ReleaseTry();
  if (pair_.leased) EndLease();
  if (pair_.active && saw_first_byte_ && outcome == Outcome::kComplete) {
    Phases().decode.Observe(ToSeconds(now - first_byte_));
  }
  if (outcome == Outcome::kRejected) env_.metrics.CountRejection(rejection_);
  if (series_ == nullptr) {
    // Never dispatched: no endpoint has said that there is such a model.
    series_ = env_.metrics.For(pool_ != nullptr ? std::string_view(pool_->pool.id) : "", "", "",
                               ExchangeMetrics::ModelName::kConfigured);
  }
  series_->CountRequest(status, outcome);
  series_->duration.Observe(ToSeconds(now - began_));
  if (request_.api != ApiKind::kOther) CountTokens(response_.reader().usage(), series_.get());
  if (const int64_t estimated = response_.estimated_tokens(); estimated > 0) {
    series_->completion_tokens.Add(static_cast<uint64_t>(estimated));
    series_->estimated_tokens.Add(static_cast<uint64_t>(estimated));
  }
  FillRecord(outcome, status, now);
  if (env_.log_request != nullptr) env_.log_request(*env_.record);
  env_.history.Put(&env_.record);
  response_.Drop();
  series_.reset();
  snapshot_.reset();
  head_ = nullptr;
  rule_ = nullptr;
  pool_ = nullptr;
  body_ = {};
  // The exchange lives as long as its connection: it keeps no memory that a client chose the size
  // of.
  constexpr size_t kKeptSaltBytes = 1024;
  if (request_.cache_salt.capacity() > kKeptSaltBytes) std::string().swap(request_.cache_salt);
  constexpr size_t kKeptBlocks = 512;
  if (request_.prefix_blocks.capacity() > kKeptBlocks) {
    std::vector<uint64_t>().swap(request_.prefix_blocks);
  }
  edit_.Begin({});
  pair_.Reset();
}

void Exchange::CountLimit(std::string_view limit) {
  env_.metrics.CountLimit(limit);
  notes_.Limit(limit);
}

void Exchange::FillPhases() {
  RequestRecord& record = *env_.record;
  const bool paired = pair_.decision.endpoint != nullptr;
  record.disaggregation = paired ? "prefill-decode" : pair_.alone ? "decode-only" : "";
  record.prefill_name.assign(paired ? std::string_view(pair_.decision.endpoint->name) : "");
  record.prefill_endpoint.assign(paired ? std::string_view(pair_.decision.endpoint->address) : "");
  record.failed_half = pair_.failed_half;
  record.prefill_status = pair_.prefill_status;
  record.recomputed = pair_.recomputed;
  const bool prefilled = paired && pair_.prefill == Pair::Prefill::kDone;
  record.prefill_candidates = pair_.decision.candidates;
  record.prefill_score = pair_.decision.score;
  FillScores(pair_.decision, &record.prefill_scores);
  if (paired) record.prefix_hit_blocks = pair_.decision.prefix_hit_blocks;
  record.prefill_ms = prefilled ? ToMillis(pair_.prefill_ended - pair_.dispatched) : -1;
  record.transfer_ms =
      prefilled && saw_first_byte_ ? ToMillis(first_byte_ - pair_.prefill_ended) : -1;
}

void Exchange::FillRecord(Outcome outcome, int status, TimePoint now) {
  RequestRecord& record = *env_.record;
  const Usage& usage = response_.reader().usage();
  const Endpoint* endpoint = decision_.endpoint;
  record.request_id = request_id_;
  record.client = client_ip_;
  record.method.assign(head_ != nullptr ? head_->method : "");
  record.host.assign(head_ != nullptr ? head_->authority : "");
  record.path.assign(target_.path);
  record.route.assign(rule_ != nullptr ? std::string_view(rule_->route) : "");
  record.pool.assign(pool_ != nullptr ? std::string_view(pool_->pool.id) : "");
  record.requested_model = request_.requested_model;
  record.target_model = request_.target_model;
  record.endpoint_name.assign(endpoint != nullptr ? std::string_view(endpoint->name) : "");
  record.endpoint.assign(endpoint != nullptr ? std::string_view(endpoint->address) : "");
  record.outcome = NameOf(outcome);
  record.reason = rejection_ == Rejection::kNone ? "" : InfoOf(rejection_).code;
  record.status = status;
  record.tries = tries_;
  record.stream = response_.event_stream();
  record.prefix_hit_blocks = decision_.prefix_hit_blocks;
  record.prefix_blocks = static_cast<uint32_t>(request_.prefix_blocks.size());
  record.candidates = decision_.candidates;
  record.score = decision_.score;
  record.queue_ms = tries_ > 0 ? ToMillis(dispatched_ - began_) : -1;
  record.ttft_ms = saw_first_byte_ ? ToMillis(first_byte_ - began_) : -1;
  record.total_ms = ToMillis(now - began_);
  record.ended = now;
  record.prompt_tokens = usage.prompt_tokens;
  record.cached_tokens = usage.cached_tokens;
  record.tokens_estimated = response_.estimated_tokens() > 0;
  record.completion_tokens =
      record.tokens_estimated ? response_.estimated_tokens() : usage.completion_tokens;
  FillPhases();
  FillScores(decision_, &record.scores);
  record.in_flight_requests = decision_.in_flight_requests;
  FillLosers(decision_, &record);
  notes_.Fill(began_, now, &record);
}

}  // namespace gw
