#include "telemetry/request_spans.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <span>
#include <string>

namespace gw {
namespace {

// What the conventions call it; empty: it is nothing of generative AI.
std::string_view OperationOf(ApiKind api) {
  switch (api) {
    case ApiKind::kChatCompletions:
    case ApiKind::kResponses:
    case ApiKind::kMessages:
      return "chat";
    case ApiKind::kCompletions:
      return "text_completion";
    case ApiKind::kEmbeddings:
      return "embeddings";
    case ApiKind::kModels:
    case ApiKind::kOther:
      break;
  }
  return "";
}

// As a name of spans must not be made of what clients think of, the path of an API that is known.
std::string_view PathOf(ApiKind api) {
  switch (api) {
    case ApiKind::kChatCompletions:
      return " /v1/chat/completions";
    case ApiKind::kCompletions:
      return " /v1/completions";
    case ApiKind::kEmbeddings:
      return " /v1/embeddings";
    case ApiKind::kResponses:
      return " /v1/responses";
    case ApiKind::kMessages:
      return " /v1/messages";
    case ApiKind::kModels:
      return " /v1/models";
    case ApiKind::kOther:
      break;
  }
  return "";
}

// Methods that are no words of HTTP are a client's own, and stand in the attribute only.
std::string_view MethodOf(std::string_view method) {
  for (const std::string_view known :
       {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"}) {
    if (method == known) return method;
  }
  return "HTTP";
}

using Try = RequestRecord::Try;

class Spans {
 public:
  Spans(const RequestRecord& record, const PromptMessages* prompt, int64_t unix_offset_ns,
        Random& random, OtlpSpans* out)
      : record_(record),
        prompt_(prompt),
        random_(random),
        out_(*out),
        end_ns_(record.ended.time_since_epoch().count() + unix_offset_ns),
        begin_ns_(end_ns_ - Nanos(record.total_ms)) {}

  void Append() {
    Root();
    if (record_.body_ms >= 0) Parse();
    if (record_.queue_began_ms >= 0) Queue();
    const auto tries = std::span(record_.all_tries).first(record_.try_count);
    for (size_t i = 0; i < tries.size(); ++i) {
      if (i > 0) BackOff(tries[i - 1], tries[i]);
      if (i + 1 == tries.size()) Decision(tries[i]);
      Tried(tries[i], i);
    }
  }

 private:
  // Rounded: two sums of milliseconds that mean the same moment must not be a nanosecond apart.
  static int64_t Nanos(double ms) { return std::llround(ms * 1e6); }
  int64_t At(double ms) const { return std::clamp(begin_ns_ + Nanos(ms), begin_ns_, end_ns_); }

  void Begin(std::string_view name, double from_ms, double to_ms, SpanKind kind, SpanId span) {
    const int64_t from = At(from_ms);
    out_.Begin({.trace = record_.trace.trace,
                .span = span,
                .parent = record_.trace.span,
                .name = name,
                .kind = kind,
                .begin_ns = from,
                .end_ns = std::max(from, At(to_ms))});
  }
  void Begin(std::string_view name, double from_ms, double to_ms) {
    Begin(name, from_ms, to_ms, SpanKind::kInternal, NewSpanId(random_));
  }
  void Address(std::string_view address);
  void Root();
  void Inference();
  void Outcome();
  void Parse();
  void Queue();
  void Decision(const Try& last);
  void BackOff(const Try& before, const Try& next);
  void Tried(const Try& tried, size_t index);
  void Prefill(const Try& tried, size_t index);
  std::string ErrorOf(const Try& tried) const;
  void EndTry(const Try& tried, size_t index, std::string_view error);

  const RequestRecord& record_;
  const PromptMessages* const prompt_;
  Random& random_;
  OtlpSpans& out_;
  const int64_t end_ns_;
  const int64_t begin_ns_;
};

void Spans::Address(std::string_view address) {
  const size_t colon = address.rfind(':');
  std::string_view host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  out_.Text("server.address", host);
  int64_t port = 0;
  if (colon == address.npos) return;
  std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
  if (port > 0) out_.Integer("server.port", port);
}

void Spans::Root() {
  std::string name(MethodOf(record_.method));
  name += PathOf(record_.api);
  out_.Begin({.trace = record_.trace.trace,
              .span = record_.trace.span,
              .parent = record_.parent_span,
              .name = name,
              .kind = SpanKind::kServer,
              .begin_ns = begin_ns_,
              .end_ns = end_ns_});
  out_.Text("http.request.method", record_.method);
  out_.Text("url.scheme", record_.tls ? "https" : "http");
  out_.Text("url.path", record_.path);
  out_.Text("client.address", record_.client);
  Address(record_.host);
  if (record_.status != 0) out_.Integer("http.response.status_code", record_.status);
  Inference();
  out_.Text("penstock.request_id", record_.request_id);
  out_.Text("penstock.route", record_.route);
  out_.Text("penstock.rule", record_.rule);
  out_.Text("penstock.pool", record_.pool);
  out_.Text("penstock.fell_back_from", record_.fell_back_from);
  out_.Text("penstock.fallback_reason", record_.fallback_reason);
  out_.Text("penstock.owner", record_.owner);
  out_.Text("penstock.session", record_.session);
  out_.Text("penstock.release", record_.release);
  out_.Text("penstock.disaggregation", record_.disaggregation);
  out_.Text("penstock.limit", record_.limit);
  out_.Bool("penstock.stream", record_.stream);
  out_.Integer("penstock.tries", record_.tries);
  if (!record_.queue_result.empty()) {
    out_.Text("penstock.queue_result", record_.queue_result);
    out_.Text("penstock.tenant", record_.tenant);
    out_.Integer("penstock.priority", record_.priority);
  }
  Outcome();
  if (record_.ttft_ms >= 0) out_.Event("first_token", At(record_.ttft_ms));
  out_.End();
}

void Spans::Inference() {
  const std::string_view operation = OperationOf(record_.api);
  if (operation.empty()) return;
  out_.Text("gen_ai.operation.name", operation);
  out_.Text("gen_ai.provider.name", record_.runtime);
  out_.Text("gen_ai.request.model", record_.requested_model);
  const bool served = record_.try_count > 0 && record_.status >= 200 && record_.status <= 299;
  if (served) out_.Text("gen_ai.response.model", record_.target_model);
  if (record_.prompt_tokens >= 0) {
    out_.Integer("gen_ai.usage.input_tokens", record_.prompt_tokens);
  }
  if (record_.completion_tokens >= 0) {
    out_.Integer("gen_ai.usage.output_tokens", record_.completion_tokens);
  }
  if (record_.cached_tokens >= 0) {
    out_.Integer("gen_ai.usage.cache_read.input_tokens", record_.cached_tokens);
  }
  if (record_.tokens_estimated) out_.Bool("penstock.tokens_estimated", true);
  if (prompt_ == nullptr) return;
  out_.Text("gen_ai.input.messages", prompt_->messages);
  out_.Text("gen_ai.system_instructions", prompt_->system);
  if (prompt_->cut_bytes > 0) {
    out_.Integer("penstock.prompt_cut_bytes", static_cast<int64_t>(prompt_->cut_bytes));
  }
}

// A client that left, or that asked for what there is not, is no failure of the server.
void Spans::Outcome() {
  out_.Text("penstock.outcome", record_.outcome);
  out_.Text("penstock.reason", record_.reason);
  const bool cut = record_.outcome != "complete" && record_.outcome != "rejected" &&
                   record_.outcome != "client_left";
  if (record_.status < 500 && !cut) return;
  const std::string status = std::to_string(record_.status);
  out_.Text("error.type", !record_.reason.empty() ? record_.reason
                          : cut                   ? record_.outcome
                                                  : std::string_view(status));
  out_.Fail("");
}

void Spans::Parse() {
  Begin("parse", 0, record_.body_ms);
  out_.Integer("penstock.prefix_blocks", record_.prefix_blocks);
  out_.End();
}

void Spans::Queue() {
  Begin("queue", record_.queue_began_ms, record_.queue_began_ms + record_.queue_wait_ms);
  out_.Text("penstock.queue_result", record_.queue_result);
  out_.Text("penstock.tenant", record_.tenant);
  out_.Integer("penstock.priority", record_.priority);
  out_.Integer("penstock.ahead_higher", static_cast<int64_t>(record_.ahead_higher));
  out_.Integer("penstock.ahead_others", static_cast<int64_t>(record_.ahead_others));
  out_.Integer("penstock.ahead_own", static_cast<int64_t>(record_.ahead_own));
  const bool lost = record_.queue_result == "expired" || record_.queue_result == "full";
  if (lost) {
    out_.Text("error.type", record_.queue_result);
    out_.Fail("");
  }
  out_.End();
}

// Which was made in no time that the loop's clock would show: it is read once in a turn.
void Spans::Decision(const Try& last) {
  Begin("decision", last.began_ms, last.began_ms);
  out_.Text("penstock.pod", record_.endpoint_name);
  out_.Text("penstock.endpoint", record_.endpoint);
  out_.Number("penstock.score", record_.score);
  out_.Number("penstock.decision_us", record_.decision_us);
  out_.Integer("penstock.candidates", record_.candidates);
  out_.Integer("penstock.prefix_hit_blocks", record_.prefix_hit_blocks);
  out_.Integer("penstock.prefix_blocks", record_.prefix_blocks);
  for (const auto& [scorer, score] : record_.scores) {
    out_.Number(std::string("penstock.score.").append(scorer), double{score});
  }
  if (record_.disaggregation == "prefill-decode") {
    out_.Text("penstock.prefill_pod", record_.prefill_name);
    out_.Number("penstock.prefill_score", record_.prefill_score);
    out_.Integer("penstock.prefill_candidates", record_.prefill_candidates);
  }
  out_.End();
}

bool HasPause(const Try& before, const Try& next) {
  return next.began_ms > before.began_ms + before.took_ms;
}

void Spans::BackOff(const Try& before, const Try& next) {
  if (!HasPause(before, next)) return;
  Begin("back-off", before.began_ms + before.took_ms, next.began_ms);
  out_.End();
}

void Spans::Tried(const Try& tried, size_t index) {
  if (tried.prefill_span != 0) Prefill(tried, index);
  if (tried.decode_began_ms < 0) return;
  Begin(tried.prefill_span != 0 ? "decode" : "try", tried.decode_began_ms,
        tried.began_ms + tried.took_ms, SpanKind::kClient, tried.span);
  Address(tried.endpoint);
  out_.Text("penstock.pod", tried.endpoint_name);
  const bool answered = tried.reason.empty() && record_.response_ms >= 0;
  if (answered) {
    // With its tries over it is that answer which the client got.
    if (record_.status != 0) out_.Integer("http.response.status_code", record_.status);
    out_.Event("response_head", At(record_.response_ms));
    if (record_.ttft_ms >= 0) out_.Event("first_token", At(record_.ttft_ms));
  }
  EndTry(tried, index, ErrorOf(tried));
}

// Of the try, or of a pair's decode half; empty: it has not failed.
std::string Spans::ErrorOf(const Try& tried) const {
  if (!tried.reason.empty()) return tried.prefill_failed ? "" : std::string(tried.reason);
  if (record_.response_ms >= 0 && record_.status >= 400) return std::to_string(record_.status);
  if (record_.outcome == "upstream_broke" || record_.outcome == "timed_out") {
    return std::string(record_.outcome);
  }
  return record_.outcome == "rejected" ? std::string(record_.reason) : "";
}

void Spans::Prefill(const Try& tried, size_t index) {
  Begin("prefill", tried.began_ms, tried.prefill_ended_ms, SpanKind::kClient, tried.prefill_span);
  Address(tried.prefill_endpoint);
  out_.Text("penstock.pod", tried.prefill_name);
  const bool is_last = index + 1 == record_.try_count;
  if (is_last && record_.prefill_status != 0) {
    out_.Integer("http.response.status_code", record_.prefill_status);
  }
  EndTry(tried, index, tried.prefill_failed ? tried.reason : std::string_view());
}

void Spans::EndTry(const Try& tried, size_t index, std::string_view error) {
  out_.Text("http.request.method", record_.method);
  if (!OperationOf(record_.api).empty()) out_.Text("penstock.target_model", record_.target_model);
  out_.Integer("penstock.try", static_cast<int64_t>(index) + 1);
  out_.Number("penstock.score", double{tried.score});
  out_.Integer("penstock.in_flight_requests", tried.in_flight_requests);
  if (!error.empty()) {
    out_.Text("error.type", error);
    out_.Fail(error == tried.reason ? tried.detail : "");
  }
  out_.End();
}

}  // namespace

size_t SpanCount(const RequestRecord& record) {
  size_t count = 1;
  if (record.body_ms >= 0) ++count;
  if (record.queue_began_ms >= 0) ++count;
  const auto tries = std::span(record.all_tries).first(record.try_count);
  for (size_t i = 0; i < tries.size(); ++i) {
    if (i > 0 && HasPause(tries[i - 1], tries[i])) ++count;
    if (i + 1 == tries.size()) ++count;
    if (tries[i].prefill_span != 0) ++count;
    if (tries[i].decode_began_ms >= 0) ++count;
  }
  return count;
}

void AppendSpans(const RequestRecord& record, const PromptMessages* prompt, int64_t unix_offset_ns,
                 Random& random, OtlpSpans* out) {
  Spans(record, prompt, unix_offset_ns, random, out).Append();
}

}  // namespace gw
