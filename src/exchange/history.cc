#include "exchange/history.h"

#include <cstdio>

#include "base/log.h"

namespace gw {

void RequestHistory::Put(RequestRecord* record) {
  std::lock_guard lock(mutex_);
  std::swap(records_[next_], *record);
  next_ = (next_ + 1) % records_.size();
}

std::optional<RequestRecord> RequestHistory::Find(std::string_view request_id) const {
  std::lock_guard lock(mutex_);
  for (size_t back = 1; back <= records_.size(); ++back) {
    const RequestRecord& record = records_[(next_ + records_.size() - back) % records_.size()];
    if (!record.request_id.empty() && record.request_id == request_id) return record;
  }
  return std::nullopt;
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

}  // namespace

std::string ToJson(const RequestRecord& record) {
  JsonObject json;
  json.Text("request_id", record.request_id);
  json.Text("client", record.client);
  json.Text("method", record.method);
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
    json.Number("prefill_ms", record.prefill_ms);
    json.Number("transfer_ms", record.transfer_ms);
  }
  json.Integer("prefix_hit_blocks", record.prefix_hit_blocks);
  json.Integer("prefix_blocks", record.prefix_blocks);
  json.Integer("candidates", record.candidates);
  json.Number("score", record.score);
  json.Raw("scores", ScoresJson(record.scores));
  json.Number("queue_ms", record.queue_ms);
  json.Number("ttft_ms", record.ttft_ms);
  json.Number("total_ms", record.total_ms);
  json.Integer("prompt_tokens", record.prompt_tokens);
  json.Integer("cached_tokens", record.cached_tokens);
  json.Integer("completion_tokens", record.completion_tokens);
  json.Raw("tokens_estimated", record.tokens_estimated ? "true" : "false");
  return json.Take();
}

}  // namespace gw
