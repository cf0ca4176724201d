#include "server/explain.h"

#include <fmt/format.h>

#include <cmath>
#include <span>

#include "base/escape.h"

namespace gw {
namespace {

using Scores = std::vector<std::pair<std::string_view, float>>;

std::string OrNone(const std::string& text) { return text.empty() ? "none" : text; }

// Points are told to the thousandth, costs, which are seconds and may be a few microseconds, by
// their digits.
std::string ScoreText(double score) {
  const bool small = score != 0 && std::abs(score) < 0.1;
  return small ? fmt::format("{:.3g}", score) : fmt::format("{:.3f}", score);
}

std::string ScoresText(const Scores& scores, double sum) {
  std::string out = fmt::format("score {}:", ScoreText(sum));
  for (const auto& [name, score] : scores) out += fmt::format(" {} {}", name, ScoreText(score));
  return out;
}

// How long it waited, and behind whom.
std::string QueueText(const RequestRecord& record) {
  if (record.queue_result.empty()) return "";
  std::string out = fmt::format("  queue: {}", record.queue_result);
  if (record.evicted_for) out += fmt::format(" for priority {}", *record.evicted_for);
  out += fmt::format(", priority {}", record.priority);
  if (!record.tenant.empty()) out += fmt::format(", tenant {}", record.tenant);
  if (record.queue_result == "passed") return out + '\n';
  return out + fmt::format(
                   ", {:.2f} ms behind {} of higher priority, {} of other tenants and {} of its "
                   "own\n",
                   record.queue_wait_ms, record.ahead_higher, record.ahead_others,
                   record.ahead_own);
}

std::string RequestText(const RequestRecord& record) {
  std::string out =
      fmt::format("request {}: status {}, {}", record.request_id,
                  record.status == 0 ? "none" : std::to_string(record.status), record.outcome);
  if (!record.reason.empty()) out += fmt::format(" ({})", record.reason);
  if (!record.limit.empty()) out += fmt::format(", limit {} reached", record.limit);
  out += '\n';
  if (!record.method.empty()) {
    out += fmt::format("  {} {} host {} from {} -> route {}{} -> pool {}\n", record.method,
                       record.path, OrNone(record.host), record.client, OrNone(record.route),
                       record.rule.empty() ? "" : " rule " + record.rule, OrNone(record.pool));
  }
  if (!record.fell_back_from.empty()) {
    out +=
        fmt::format("  in place of pool {}: {}\n", record.fell_back_from, record.fallback_reason);
  }
  out += QueueText(record);
  if (!record.session.empty()) out += fmt::format("  session {}\n", record.session);
  if (!record.release.empty()) out += "  release: " + Printable(record.release) + "\n";
  if (record.sticky) out += "  pool chosen by stickiness\n";
  if (!record.trace_id.empty()) {
    out += fmt::format("  trace {}{}\n", record.trace_id,
                       record.trace.sampled ? "" : ", which is not sampled");
  }
  if (!record.owner.empty()) out += fmt::format("  API key of {}\n", record.owner);
  if (!record.client_subject.empty()) {
    out += fmt::format("  client certificate of {}\n", record.client_subject);
  }
  if (!record.requested_model.empty()) {
    out += fmt::format("  model {}", record.requested_model);
    if (record.target_model != record.requested_model) {
      out += fmt::format(", sent on as {}", record.target_model);
    }
    out += '\n';
  }
  return out;
}

std::string TriesText(const RequestRecord& record) {
  std::string out;
  for (size_t i = 0; i < record.try_count; ++i) {
    const RequestRecord::Try& told = record.all_tries[i];
    out += fmt::format("  try {} at {:.2f} ms: {} ({})", i + 1, told.began_ms, told.endpoint_name,
                       told.endpoint);
    if (!told.prefill_name.empty()) out += fmt::format(", prefill at {}", told.prefill_name);
    out +=
        fmt::format(", {} in flight there, took {:.2f} ms", told.in_flight_requests, told.took_ms);
    if (!told.reason.empty()) out += fmt::format(", failed: {}", told.reason);
    if (!told.detail.empty()) out += fmt::format(" ({})", told.detail);
    out += '\n';
  }
  if (record.try_count == RequestRecord::kTriesMax)
    out += "  (of further tries the last is told)\n";
  return out;
}

// Whose requests the numbers in flight are, beside those of this gateway.
std::string PeersText(const RequestRecord& record) {
  if (record.peers_heard < 0) return "";
  if (record.peers_heard == 0) return "  peers: none heard\n";
  return fmt::format("  peers: {} heard, the oldest word {:.0f} ms old\n", record.peers_heard,
                     record.peers_oldest_ms);
}

// Why the last try went where it went.
std::string DecisionText(const RequestRecord& record) {
  std::string out = fmt::format("  chosen from {} candidate{}: {} ({}), {}\n", record.candidates,
                                record.candidates == 1 ? "" : "s", record.endpoint_name,
                                record.endpoint, ScoresText(record.scores, record.score));
  for (const RequestRecord::Loser& loser : std::span(record.losers).first(record.loser_count)) {
    Scores scores = record.scores;
    for (size_t i = 0; i < scores.size(); ++i) scores[i].second = loser.scores[i];
    out += fmt::format("    before {} ({}), {} in flight there, {}\n", loser.endpoint_name,
                       loser.endpoint, loser.in_flight_requests, ScoresText(scores, loser.score));
  }
  for (const auto& told : std::span(record.left_out).first(record.left_out_count)) {
    out += fmt::format("    not asked: {} ({}), pushed back:", told.endpoint_name, told.endpoint);
    if (told.allowed_requests > 0) {
      out += fmt::format(" {} of ours in flight there, {} allowed", told.in_flight_requests,
                         told.allowed_requests);
    }
    if (told.paused_ms > 0) {
      out += fmt::format("{} none wanted for {:.0f} ms", told.allowed_requests > 0 ? "," : "",
                         told.paused_ms);
    }
    out += '\n';
  }
  out += PeersText(record);
  if (record.disaggregation == "prefill-decode") {
    out += fmt::format("  prefill half at {} ({}), chosen from {}, {}\n", record.prefill_name,
                       record.prefill_endpoint, record.prefill_candidates,
                       ScoresText(record.prefill_scores, record.prefill_score));
  } else if (!record.disaggregation.empty()) {
    out += "  not split: that endpoint did both halves\n";
  }
  if (record.prefix_blocks > 0) {
    out += fmt::format("  {} of {} prompt blocks believed cached there\n", record.prefix_hit_blocks,
                       record.prefix_blocks);
  }
  if (!record.failed_half.empty()) out += fmt::format("  the {} half failed\n", record.failed_half);
  return out;
}

std::string TimesText(const RequestRecord& record) {
  std::string out = "  times:";
  const auto add = [&out](std::string_view stage, double ms) {
    if (ms >= 0) out += fmt::format(" {} {:.2f} ms,", stage, ms);
  };
  add("body", record.body_ms);
  add("dispatched", record.queue_ms);
  add("response", record.response_ms);
  add("first byte", record.ttft_ms);
  out += fmt::format(" end {:.2f} ms, from the request's first byte on\n", record.total_ms);
  if (record.prefill_status != 0) {
    out += fmt::format("  prefill answered {}", record.prefill_status);
    if (record.prefill_ms >= 0) out += fmt::format(" after {:.2f} ms", record.prefill_ms);
    if (record.transfer_ms >= 0) {
      out += fmt::format(", decode's first byte {:.2f} ms later", record.transfer_ms);
    }
    out += '\n';
  }
  return out;
}

std::string TokensText(const RequestRecord& record) {
  if (record.prompt_tokens < 0 && record.completion_tokens < 0) return "";
  std::string out = "  tokens:";
  if (record.prompt_tokens >= 0) out += fmt::format(" prompt {}", record.prompt_tokens);
  if (record.cached_tokens >= 0) out += fmt::format(" (cached {})", record.cached_tokens);
  if (record.completion_tokens >= 0) {
    out += fmt::format("{} completion {}", record.prompt_tokens >= 0 ? "," : "",
                       record.completion_tokens);
  }
  if (record.tokens_estimated) out += ", about: counted by the stream's events";
  return out + '\n';
}

}  // namespace

std::string ExplainText(const RequestRecord& as_it_came) {
  RequestRecord record = as_it_came;
  // Each of these may hold what a client has sent: none of it is a line of ours, or a command to
  // the terminal that shows it.
  for (std::string* text :
       {&record.request_id, &record.client, &record.owner, &record.tenant, &record.client_subject,
        &record.method, &record.path, &record.host, &record.route, &record.rule, &record.pool,
        &record.fell_back_from, &record.requested_model, &record.target_model}) {
    *text = Printable(*text);
  }
  std::string out = RequestText(record) + TriesText(record);
  if (!record.endpoint_name.empty()) out += DecisionText(record);
  return out + TimesText(record) + TokensText(record);
}

namespace {

// Below 0: there is none.
Document OrNull(double value) { return value < 0 ? Document() : Document(value); }
Document OrNull(int64_t value) { return value < 0 ? Document() : Document(value); }

Document ScoresDocument(const Scores& names, const auto& score_of) {
  Document out = Document::Map();
  for (size_t i = 0; i < names.size(); ++i) out.Set(names[i].first, Document(score_of(i)));
  return out;
}

Document ScoresDocument(const Scores& scores) {
  return ScoresDocument(scores, [&](size_t i) { return double{scores[i].second}; });
}

Document LosersDocument(const RequestRecord& record) {
  Document out = Document::List();
  for (const RequestRecord::Loser& loser : std::span(record.losers).first(record.loser_count)) {
    out.Add(Document::Map()
                .Set("pod", loser.endpoint_name)
                .Set("endpoint", loser.endpoint)
                .Set("score", double{loser.score})
                .Set("scores", ScoresDocument(record.scores,
                                              [&](size_t i) { return double{loser.scores[i]}; }))
                .Set("own_in_flight", loser.in_flight_requests));
  }
  return out;
}

Document LeftOutDocument(const RequestRecord& record) {
  Document out = Document::List();
  for (const auto& told : std::span(record.left_out).first(record.left_out_count)) {
    out.Add(Document::Map()
                .Set("pod", told.endpoint_name)
                .Set("endpoint", told.endpoint)
                .Set("own_in_flight", told.in_flight_requests)
                .Set("allowed", told.allowed_requests)
                .Set("paused_ms", told.paused_ms));
  }
  return out;
}

Document TriesDocument(const RequestRecord& record) {
  Document out = Document::List();
  for (const RequestRecord::Try& told : std::span(record.all_tries).first(record.try_count)) {
    out.Add(Document::Map()
                .Set("pod", told.endpoint_name)
                .Set("endpoint", told.endpoint)
                .SetText("prefill_pod", told.prefill_name)
                .Set("score", double{told.score})
                .Set("own_in_flight", told.in_flight_requests)
                .Set("reason", told.reason)
                .SetText("detail", told.detail)
                .Set("began_ms", told.began_ms)
                .Set("took_ms", told.took_ms));
  }
  return out;
}

void SetPair(const RequestRecord& record, Document* out) {
  out->Set("disaggregation", record.disaggregation)
      .Set("prefill_pod", record.prefill_name)
      .Set("prefill_endpoint", record.prefill_endpoint)
      .Set("failed_half", record.failed_half)
      .Set("prefill_status", record.prefill_status)
      .Set("recomputed", record.recomputed)
      .Set("prefill_candidates", record.prefill_candidates)
      .Set("prefill_score", double{record.prefill_score})
      .Set("prefill_scores", ScoresDocument(record.prefill_scores))
      .Set("prefill_ms", OrNull(record.prefill_ms))
      .Set("transfer_ms", OrNull(record.transfer_ms));
}

}  // namespace

Document ExplainDocument(const RequestRecord& record) {
  Document out = Document::Map();
  out.Set("request_id", record.request_id)
      .Set("client", record.client)
      .Set("client_subject", record.client_subject)
      .Set("owner", record.owner)
      .Set("method", record.method)
      .Set("host", record.host)
      .Set("path", record.path)
      .Set("route", record.route)
      .Set("rule", record.rule)
      .Set("pool", record.pool)
      .Set("fell_back_from", record.fell_back_from)
      .Set("fallback_reason", record.fallback_reason)
      .Set("requested_model", record.requested_model)
      .Set("target_model", record.target_model)
      .Set("pod", record.endpoint_name)
      .Set("endpoint", record.endpoint)
      .Set("status", record.status)
      .Set("outcome", record.outcome)
      .Set("reason", record.reason)
      .Set("tries", record.tries)
      .Set("stream", record.stream);
  if (!record.disaggregation.empty()) SetPair(record, &out);
  return out.Set("prefix_hit_blocks", record.prefix_hit_blocks)
      .Set("prefix_blocks", record.prefix_blocks)
      .Set("candidates", record.candidates)
      .Set("score", double{record.score})
      .Set("scores", ScoresDocument(record.scores))
      .Set("body_ms", OrNull(record.body_ms))
      .Set("queue_ms", OrNull(record.queue_ms))
      .Set("response_ms", OrNull(record.response_ms))
      .Set("ttft_ms", OrNull(record.ttft_ms))
      .Set("total_ms", record.total_ms)
      .Set("prompt_tokens", OrNull(record.prompt_tokens))
      .Set("cached_tokens", OrNull(record.cached_tokens))
      .Set("completion_tokens", OrNull(record.completion_tokens))
      .Set("tokens_estimated", record.tokens_estimated)
      .Set("own_in_flight", record.in_flight_requests)
      .Set("peers_heard", OrNull(int64_t{record.peers_heard}))
      .Set("peers_oldest_ms", OrNull(record.peers_oldest_ms))
      .Set("limit", record.limit)
      .Set("session", record.session)
      .Set("queue_result", record.queue_result)
      .Set("priority", record.priority)
      .Set("tenant", record.tenant)
      .Set("evicted_for", record.evicted_for ? Document(int64_t{*record.evicted_for}) : Document())
      .Set("queue_wait_ms", OrNull(record.queue_result.empty() ? -1 : record.queue_wait_ms))
      .Set("ahead_higher", static_cast<uint64_t>(record.ahead_higher))
      .Set("ahead_others", static_cast<uint64_t>(record.ahead_others))
      .Set("ahead_own", static_cast<uint64_t>(record.ahead_own))
      .Set("release", record.release)
      .Set("sticky", record.sticky)
      .SetText("trace_id", record.trace_id)
      .Set("losers", LosersDocument(record))
      .Set("pushed_back", LeftOutDocument(record))
      .Set("all_tries", TriesDocument(record));
}

}  // namespace gw
