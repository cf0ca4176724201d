#include "exchange/history.h"

#include <cstdio>

#include "base/log.h"

namespace gw {

void RequestHistory::Put(std::unique_ptr<RequestRecord>* record) {
  {
    std::lock_guard lock(mutex_);
    std::swap(records_[next_], *record);
    next_ = (next_ + 1) % records_.size();
  }
  if (*record == nullptr) *record = std::make_unique<RequestRecord>();
}

template <typename Wanted>
std::optional<RequestRecord> RequestHistory::Newest(Wanted wanted) const {
  std::lock_guard lock(mutex_);
  for (size_t back = 1; back <= records_.size(); ++back) {
    const auto& record = records_[(next_ + records_.size() - back) % records_.size()];
    if (record == nullptr) break;
    if (wanted(*record)) return *record;
  }
  return std::nullopt;
}

std::optional<RequestRecord> RequestHistory::Find(std::string_view request_id) const {
  return Newest([&](const RequestRecord& record) { return record.request_id == request_id; });
}

std::optional<RequestRecord> RequestHistory::FindLast(std::string_view pool) const {
  return Newest([&](const RequestRecord& record) { return pool.empty() || record.pool == pool; });
}

namespace {

class JsonObject {
 public:
  void Text(std::string_view name, std::string_view value) {
    Name(name);
    out_ += '"';
    AppendJsonEscaped(&out_, value);
    out_ += '"';
  }
  void Integer(std::string_view name, int64_t value) {
    Name(name);
    out_ += std::to_string(value);
  }
  void Number(std::string_view name, double value) {
    Name(name);
    char text[32];
    std::snprintf(text, sizeof(text), "%.3f", value);
    out_ += text;
  }
  // Below 0: there is none.
  void Millis(std::string_view name, double value) {
    value < 0 ? Raw(name, "null") : Number(name, value);
  }
  void Count(std::string_view name, int64_t value) {
    value < 0 ? Raw(name, "null") : Integer(name, value);
  }
  void Raw(std::string_view name, std::string_view value) {
    Name(name);
    out_ += value;
  }
  std::string Take() { return std::move(out_ += '}'); }

 private:
  void Name(std::string_view name) {
    out_ += out_.empty() ? '{' : ',';
    out_ += '"';
    out_ += name;
    out_ += "\":";
  }
  std::string out_;
};

std::string ScoresJson(const std::vector<std::pair<std::string_view, float>>& scores) {
  JsonObject json;
  for (const auto& [name, score] : scores) json.Number(name, score);
  return scores.empty() ? "{}" : json.Take();
}

std::string LosersJson(const RequestRecord& record) {
  std::string out = "[";
  for (size_t i = 0; i < record.loser_count; ++i) {
    const RequestRecord::Loser& loser = record.losers[i];
    JsonObject scores;
    for (size_t s = 0; s < record.scores.size(); ++s) {
      scores.Number(record.scores[s].first, loser.scores[s]);
    }
    JsonObject json;
    json.Text("pod", loser.endpoint_name);
    json.Text("endpoint", loser.endpoint);
    json.Number("score", loser.score);
    json.Raw("scores", record.scores.empty() ? "{}" : scores.Take());
    json.Integer("own_in_flight", loser.in_flight_requests);
    out += (i > 0 ? "," : "") + json.Take();
  }
  return out + "]";
}

std::string TriesJson(const RequestRecord& record) {
  std::string out = "[";
  for (size_t i = 0; i < record.try_count; ++i) {
    const RequestRecord::Try& told = record.all_tries[i];
    JsonObject json;
    json.Text("pod", told.endpoint_name);
    json.Text("endpoint", told.endpoint);
    if (!told.prefill_name.empty()) json.Text("prefill_pod", told.prefill_name);
    json.Number("score", told.score);
    json.Integer("own_in_flight", told.in_flight_requests);
    json.Text("reason", told.reason);
    json.Number("began_ms", told.began_ms);
    json.Number("took_ms", told.took_ms);
    out += (i > 0 ? "," : "") + json.Take();
  }
  return out + "]";
}

}  // namespace

std::string ToJson(const RequestRecord& record) {
  JsonObject json;
  json.Text("request_id", record.request_id);
  json.Text("client", record.client);
  json.Text("method", record.method);
  json.Text("host", record.host);
  json.Text("path", record.path);
  json.Text("route", record.route);
  json.Text("pool", record.pool);
  json.Text("requested_model", record.requested_model);
  json.Text("target_model", record.target_model);
  json.Text("pod", record.endpoint_name);
  json.Text("endpoint", record.endpoint);
  json.Integer("status", record.status);
  json.Text("outcome", record.outcome);
  json.Text("reason", record.reason);
  json.Integer("tries", record.tries);
  json.Raw("stream", record.stream ? "true" : "false");
  if (!record.disaggregation.empty()) {
    json.Text("disaggregation", record.disaggregation);
    json.Text("prefill_pod", record.prefill_name);
    json.Text("prefill_endpoint", record.prefill_endpoint);
    json.Text("failed_half", record.failed_half);
    json.Integer("prefill_status", record.prefill_status);
    json.Raw("recomputed", record.recomputed ? "true" : "false");
    json.Integer("prefill_candidates", record.prefill_candidates);
    json.Number("prefill_score", record.prefill_score);
    json.Raw("prefill_scores", ScoresJson(record.prefill_scores));
    json.Millis("prefill_ms", record.prefill_ms);
    json.Millis("transfer_ms", record.transfer_ms);
  }
  json.Integer("prefix_hit_blocks", record.prefix_hit_blocks);
  json.Integer("prefix_blocks", record.prefix_blocks);
  json.Integer("candidates", record.candidates);
  json.Number("score", record.score);
  json.Raw("scores", ScoresJson(record.scores));
  json.Millis("body_ms", record.body_ms);
  json.Millis("queue_ms", record.queue_ms);
  json.Millis("response_ms", record.response_ms);
  json.Millis("ttft_ms", record.ttft_ms);
  json.Number("total_ms", record.total_ms);
  json.Count("prompt_tokens", record.prompt_tokens);
  json.Count("cached_tokens", record.cached_tokens);
  json.Count("completion_tokens", record.completion_tokens);
  json.Integer("own_in_flight", record.in_flight_requests);
  json.Text("limit", record.limit);
  json.Raw("losers", LosersJson(record));
  json.Raw("all_tries", TriesJson(record));
  return json.Take();
}

}  // namespace gw
