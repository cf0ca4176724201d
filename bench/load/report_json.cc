#include "bench/load/report_json.h"

#include <optional>

#include "server/document.h"

namespace gw::bench {
namespace {

Document DistributionDocument(const Distribution& values) {
  Document out = Document::Map();
  out.Set("count", values.count);
  const auto set = [&](std::string_view name, double seconds) { out.Set(name, seconds * 1e3); };
  set("mean_ms", values.mean);
  set("p50_ms", values.p50);
  set("p90_ms", values.p90);
  set("p95_ms", values.p95);
  set("p99_ms", values.p99);
  set("max_ms", values.max);
  return out;
}

Document Counts(const std::map<std::string, uint64_t>& counts) {
  Document out = Document::Map();
  for (const auto& [name, count] : counts) out.Set(name, count);
  return out;
}

Document FiguresDocument(const Figures& figures) {
  Document out = Document::Map();
  out.Set("requests", figures.requests);
  out.Set("completed", figures.completed);
  out.Set("ended", Counts(figures.ended));
  out.Set("requests_per_s", figures.requests_per_second);
  out.Set("prompt_tokens_per_s", figures.prompt_tokens_per_second);
  out.Set("output_tokens_per_s", figures.output_tokens_per_second);
  out.Set("prompt_tokens", figures.prompt_tokens);
  out.Set("output_tokens", figures.output_tokens);
  if (figures.cached_share) out.Set("cached_share", *figures.cached_share);
  if (figures.good_share) out.Set("good_share", *figures.good_share);
  if (figures.goodput_per_second) out.Set("goodput_per_s", *figures.goodput_per_second);
  out.Set("ttft", DistributionDocument(figures.ttft));
  out.Set("tpot", DistributionDocument(figures.tpot));
  out.Set("e2e", DistributionDocument(figures.e2e));
  return out;
}

Document ObjectivesDocument(const Objectives& objectives) {
  Document out = Document::Map();
  if (objectives.ttft) out.Set("ttft_ms", ToMillis(*objectives.ttft));
  if (objectives.tpot) out.Set("tpot_ms", ToMillis(*objectives.tpot));
  if (objectives.e2e) out.Set("e2e_ms", ToMillis(*objectives.e2e));
  return out;
}

Document RequestDocument(const Record& record, const RecordGroup& group) {
  Document out = Document::Map();
  out.SetText("tenant", group.tenant).SetText("priority", group.priority);
  if (record.session > 0) out.Set("session", record.session).Set("turn", record.turn);
  out.Set("end", NameOf(record.end));
  if (record.status != 0) out.Set("status", record.status);
  out.Set("due_ms", ToMillis(record.due));
  const auto set_time = [&](std::string_view name, Duration time) {
    if (time != Duration(0)) out.Set(name, ToMillis(time));
  };
  set_time("sent_ms", record.sent);
  set_time("first_ms", record.first);
  set_time("last_ms", record.last);
  set_time("ended_ms", record.ended);
  // What follows from the times, for those who read one line only.
  if (record.has_output()) out.Set("ttft_ms", ToMillis(record.ttft()));
  if (record.tpot() != Duration(0)) out.Set("tpot_ms", ToMillis(record.tpot()));
  out.Set("e2e_ms", ToMillis(record.e2e()));
  set_time("gap_max_ms", record.gap_max);
  out.Set("events", record.events);
  const auto set_tokens = [&](std::string_view name, int64_t tokens) {
    if (tokens >= 0) out.Set(name, tokens);
  };
  set_tokens("prompt_tokens", record.prompt_tokens);
  set_tokens("output_tokens", record.output_tokens);
  set_tokens("cached_tokens", record.cached_tokens);
  return out;
}

// Behind the members of the document, which is then closed again: a Document of a million requests
// would take a gigabyte.
void AppendRequests(std::string* json, const Result& result) {
  json->resize(json->rfind('\n', json->size() - 2));  // "\n}\n"
  *json += ",\n    \"requests\": [";
  for (size_t i = 0; i < result.requests.size(); ++i) {
    const Record& record = result.requests[i];
    *json += i == 0 ? "\n        " : ",\n        ";
    *json += RequestDocument(record, result.groups[record.group]).ToCompactJson();
  }
  *json += "\n    ]\n}\n";
}

}  // namespace

std::string ResultJson(const Result& result, bool with_requests) {
  const Summary& summary = result.summary;
  Document out = Document::Map();
  out.Set("version", kResultVersion);
  out.Set("tool", result.tool);
  out.SetText("started", result.started);
  out.SetText("command", result.command);
  out.SetText("target", result.target);
  out.SetText("workload", result.workload);
  out.Set("seconds", summary.seconds);
  out.Set("warm_up_requests", summary.warm_up);
  if (result.objectives.any()) out.Set("objectives", ObjectivesDocument(result.objectives));
  out.Set("summary", FiguresDocument(summary.all)
                         .Set("gap", DistributionDocument(summary.gaps))
                         .Set("lateness", DistributionDocument(summary.lateness)));
  Document groups = Document::List();
  for (const auto& [group, figures] : summary.groups) {
    Document one = Document::Map();
    one.Set("tenant", group.tenant).Set("priority", group.priority);
    groups.Add(one.Merge(FiguresDocument(figures)));
  }
  out.Set("groups", groups);
  out.Set("errors", Counts(summary.errors));
  std::string json = out.ToJson();
  if (with_requests) AppendRequests(&json, result);
  return json;
}

}  // namespace gw::bench
