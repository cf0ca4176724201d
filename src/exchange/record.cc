// What remains of an exchange: counters, histograms, a line in the log, one record in the history.

#include <algorithm>

#include "base/check.h"
#include "exchange/exchange.h"
#include "exchange/request_log.h"

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
    scores->emplace_back(decision.profile->terms()[i], decision.scores[i]);
  }
}

void FillLosers(const Decision& decision, RequestRecord* record) {
  static_assert(Decision::kLosersMax == std::tuple_size_v<decltype(record->losers)> &&
                Decision::kScorersMax == std::extent_v<decltype(RequestRecord::Loser::scores)>);
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

// Of both halves of a pair.
void FillLeftOut(const LeftOuts& decode, const LeftOuts& prefill, RequestRecord* record) {
  static_assert(LeftOuts::kMax == std::tuple_size_v<decltype(record->left_out)>);
  LeftOuts all = decode;
  for (size_t i = 0; i < prefill.count; ++i) all.Add(prefill.first[i]);
  record->left_out_count = all.count;
  for (size_t i = 0; i < all.count; ++i) {
    const LeftOut& left_out = all.first[i];
    RequestRecord::LeftOut& told = record->left_out[i];
    told.endpoint_name = left_out.endpoint->name;
    told.endpoint = left_out.endpoint->address;
    told.in_flight_requests = left_out.in_flight_requests;
    told.allowed_requests = left_out.allowed_requests;
    told.paused_ms = ToMillis(left_out.paused_for);
  }
}

}  // namespace

void Exchange::End(Outcome outcome, int status, TimePoint now) {
  CHECK(active_);
  active_ = false;
  LeaveGate(now);
  if (WasServed(outcome)) {
    LearnTokens();
    const bool pair = tried_->pair.active;
    if (!pair || routed_.pool()->disaggregation->decode_uses_prefix) {
      RefreshPrefix(tried_->decision);
    }
  }
  LearnEnd(outcome, now);
  ReleaseTry(now);
  EndTurn(outcome);
  counted_.End();
  if (tried_->pair.leased) EndLease();
  if (tried_->pair.active && observed_->saw_first_byte && outcome == Outcome::kComplete) {
    Phases().decode.Observe(ToSeconds(now - observed_->first_byte));
  }
  if (outcome == Outcome::kRejected || outcome == Outcome::kEvicted) {
    env_.metrics.CountRejection(rejection_);
  }
  if (observed_->series == nullptr) {
    // Never dispatched: no endpoint has said that there is such a model.
    observed_->series =
        env_.metrics.For(routed_.pool_id(), "", "", ExchangeMetrics::ModelName::kConfigured);
  }
  observed_->series->CountRequest(status, outcome);
  observed_->series->duration.Observe(ToSeconds(now - asked_.began), ExemplarNow());
  if (parsed_.request.api != ApiKind::kOther) {
    CountTokens(observed_->response.reader().usage(), observed_->series.get());
    const std::optional<double> tpot_s = observed_->TpotSeconds();
    if (tpot_s && outcome == Outcome::kComplete) {
      observed_->series->tpot.Observe(*tpot_s, ExemplarNow());
    }
  }
  if (const int64_t estimated = observed_->response.estimated_tokens(); estimated > 0) {
    observed_->series->completion_tokens.Add(static_cast<uint64_t>(estimated));
    observed_->series->estimated_tokens.Add(static_cast<uint64_t>(estimated));
  }
  LeaveSample(outcome, status);
  FillRecord(outcome, status, now);
  if (const RouteRule* rule = routed_.rule(); rule != nullptr && rule->named) {
    env_.metrics.CountRule(rule->route, rule->label);
  }
  const int64_t used = authorized_.checked() ? UsedTokens(outcome) : 0;
  const std::string owner = authorized_.owner();
  authorized_.End(used, now);
  if (!owner.empty()) env_.metrics.CountOwner(owner, rejection_, used);
  if (env_.log_request != nullptr) {
    auto line = LineOf(*env_.record, outcome, routed_.rule(), env_.log_share);
    if (line && parsed_.names.stretch_chars > 0) line->prompt = &parsed_.names;
    if (line) env_.log_request(*env_.record, *line);
  }
  if (env_.record->trace.sampled) {
    env_.tracing->sink.Take(*env_.record, std::move(parsed_.messages));
  }
  env_.history.Put(&env_.record);
  observed_.GiveBack();
  home_.reset();
  routed_.End();
  asked_.head = nullptr;
  // The exchange lives as long as its connection: it keeps no memory that a client chose the size
  // of.
  parsed_.Reset();
  released_.Reset();
  tried_.GiveBack();
}

// What is charged to the key's owner. A client that leaves before the first byte has had its prompt
// computed; of a later one what was generated until then counts.
int64_t Exchange::UsedTokens(Outcome outcome) const {
  if (tried_->count == 0 || observed_->status >= 400) return 0;
  const auto asked = static_cast<int64_t>(
      parsed_.request.api == ApiKind::kOther ? 0 : parsed_.request.prompt_tokens_estimate);
  if (!observed_->saw_first_byte) return outcome == Outcome::kClientLeft ? asked : 0;
  const Usage& usage = observed_->response.reader().usage();
  const int64_t estimated = observed_->response.estimated_tokens();
  const int64_t prompt = usage.prompt_tokens >= 0 ? usage.prompt_tokens : asked;
  return prompt + (estimated > 0 ? estimated : std::max<int64_t>(0, usage.completion_tokens));
}

void Exchange::CountLimit(std::string_view limit) {
  env_.metrics.CountLimit(limit);
  limit_ = limit;
}

void Exchange::FillPhases() {
  RequestRecord& record = *env_.record;
  const bool paired = tried_->pair.decision.endpoint != nullptr;
  record.disaggregation = paired ? "prefill-decode" : tried_->pair.alone ? "decode-only" : "";
  record.prefill_name.assign(paired ? std::string_view(tried_->pair.decision.endpoint->name) : "");
  record.prefill_endpoint.assign(paired ? std::string_view(tried_->pair.decision.endpoint->address)
                                        : "");
  record.failed_half = tried_->pair.failed_half;
  record.prefill_status = tried_->pair.prefill_status;
  record.recomputed = tried_->pair.recomputed;
  const bool prefilled = paired && tried_->pair.prefill == Pair::Prefill::kDone;
  record.prefill_candidates = tried_->pair.decision.candidates;
  record.prefill_score = tried_->pair.decision.score;
  FillScores(tried_->pair.decision, &record.prefill_scores);
  if (paired) record.prefix_hit_blocks = tried_->pair.decision.prefix_hit_blocks;
  record.prefill_ms =
      prefilled ? ToMillis(tried_->pair.prefill_ended - tried_->pair.dispatched) : -1;
  record.transfer_ms = prefilled && observed_->saw_first_byte
                           ? ToMillis(observed_->first_byte - tried_->pair.prefill_ended)
                           : -1;
}

void Exchange::FillQueue() {
  RequestRecord& record = *env_.record;
  record.queue_result = NameOf(queued_.result);
  record.tenant = queued_.tenant;
  record.priority = queued_.priority;
  record.queue_wait_ms = ToMillis(queued_.waited);
  record.ahead_higher = queued_.ahead.higher;
  record.ahead_others = queued_.ahead.others;
  record.ahead_own = queued_.ahead.own;
  record.evicted_for = queued_.evicted_for;
}

void Exchange::FillRecord(Outcome outcome, int status, TimePoint now) {
  RequestRecord& record = *env_.record;
  const Usage& usage = observed_->response.reader().usage();
  const Endpoint* endpoint = tried_->decision.endpoint;
  record.request_id = asked_.request_id;
  record.client = asked_.client_ip;
  record.owner = authorized_.owner();
  record.client_subject = asked_.client_subject;
  record.method.assign(asked_.head != nullptr ? asked_.head->method : "");
  record.host.assign(asked_.head != nullptr ? asked_.head->authority : "");
  record.path.assign(asked_.target.path);
  record.route.assign(routed_.rule() != nullptr ? std::string_view(routed_.rule()->route) : "");
  record.rule.assign(routed_.rule() != nullptr ? std::string_view(routed_.rule()->label) : "");
  record.session = session_.result;
  record.release = released_.Text();
  record.sticky = routed_.chosen_by_value();
  record.pool.assign(routed_.pool_id());
  const PoolEntry* const from = tried_->fell_back_from;
  record.fell_back_from.assign(from != nullptr ? std::string_view(from->pool.id) : "");
  record.fallback_reason = from != nullptr ? NameOf(tried_->fallback_reason) : "";
  record.requested_model = parsed_.request.requested_model;
  record.target_model = parsed_.request.target_model;
  record.endpoint_name.assign(endpoint != nullptr ? std::string_view(endpoint->name) : "");
  record.endpoint.assign(endpoint != nullptr ? std::string_view(endpoint->address) : "");
  record.outcome = NameOf(outcome);
  record.reason = rejection_ == Rejection::kNone ? "" : InfoOf(rejection_).code;
  record.status = status;
  record.limit = limit_;
  record.tries = tried_->count;
  record.stream = observed_->response.event_stream();
  record.prefix_hit_blocks = tried_->decision.prefix_hit_blocks;
  record.prefix_blocks = static_cast<uint32_t>(parsed_.request.prefix_blocks.size());
  record.candidates = tried_->decision.candidates;
  record.score = tried_->decision.score;
  record.decision_us = tried_->deciding ? static_cast<double>(tried_->deciding->count()) / 1e3 : -1;
  record.body_ms = parsed_.came == TimePoint() ? -1 : ToMillis(parsed_.came - asked_.began);
  record.queue_ms = tried_->count > 0 ? ToMillis(tried_->dispatched - asked_.began) : -1;
  record.ttft_ms = observed_->saw_first_byte ? ToMillis(observed_->first_byte - asked_.began) : -1;
  const bool is_read = parsed_.request.api != ApiKind::kOther;
  record.tpot_ms = is_read ? observed_->TpotSeconds().value_or(-1) * 1e3 : -1;
  record.total_ms = ToMillis(now - asked_.began);
  record.ended = now;
  record.prompt_tokens = usage.prompt_tokens;
  record.cached_tokens = usage.cached_tokens;
  record.tokens_estimated = observed_->response.estimated_tokens() > 0;
  record.completion_tokens =
      record.tokens_estimated ? observed_->response.estimated_tokens() : usage.completion_tokens;
  FillQueue();
  FillTrace();
  FillPhases();
  FillScores(tried_->decision, &record.scores);
  record.in_flight_requests = tried_->decision.in_flight_requests;
  record.peers_heard = tried_->heard ? tried_->heard->count : -1;
  record.peers_oldest_ms = record.peers_heard > 0 ? ToMillis(tried_->heard->oldest) : -1;
  FillLosers(tried_->decision, &record);
  FillLeftOut(tried_->decision.left_out, tried_->pair.decision.left_out, &record);
  tried_->notes.Fill(asked_.began, now, &record);
}

}  // namespace gw
