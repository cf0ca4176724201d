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
  set_time("held_ms", record.held);
  out.Set("events", record.events);
  const auto set_tokens = [&](std::string_view name, int64_t tokens) {
    if (tokens >= 0) out.Set(name, tokens);
  };
  set_tokens("prompt_tokens", record.prompt_tokens);
  set_tokens("output_tokens", record.output_tokens);
  set_tokens("cached_tokens", record.cached_tokens);
  return out;
}

Document NumbersDocument(const std::vector<double>& values) {
  Document out = Document::List();
  for (const double value : values) out.Add(value);
  return out;
}

Document EndpointDocument(const EndpointSeries& endpoint, uint64_t requests) {
  Document out = Document::Map();
  out.Set("pool", endpoint.pool)
      .Set("pod", endpoint.pod)
      .Set("endpoint", endpoint.endpoint)
      .Set("requests", endpoint.requests);
  if (requests > 0) {
    out.Set("request_share",
            static_cast<double>(endpoint.requests) / static_cast<double>(requests));
  }
  if (!endpoint.has_series()) return out;
  out.Set("in_flight", NumbersDocument(endpoint.in_flight))
      .Set("waiting", NumbersDocument(endpoint.waiting))
      .Set("running", NumbersDocument(endpoint.running))
      .Set("kv_cache_utilization_ratio", NumbersDocument(endpoint.kv_cache_ratio));
  return out;
}

Document FleetDocument(const FleetSeries& fleet) {
  Document out = Document::Map();
  out.Set("failed_reads", fleet.failed_reads).SetText("error", fleet.error);
  out.Set("left_out", fleet.left_out).Set("times_s", NumbersDocument(fleet.times_s));
  Document endpoints = Document::List();
  for (const EndpointSeries& one : fleet.endpoints) {
    endpoints.Add(EndpointDocument(one, fleet.requests()));
  }
  Document queues = Document::List();
  for (const QueueSeries& one : fleet.queues) {
    queues.Add(Document::Map()
                   .Set("pool", one.pool)
                   .Set("priority", one.priority)
                   .Set("waiting", NumbersDocument(one.waiting)));
  }
  out.Set("endpoints", std::move(endpoints)).Set("queues", std::move(queues));
  return out;
}

// One more member behind those of the document, which is then closed again.
void AppendMember(std::string* json, std::string_view name, std::string_view value) {
  json->resize(json->rfind('\n', json->size() - 2));  // "\n}\n"
  *json += ",\n    \"";
  *json += name;
  *json += "\": ";
  *json += value;
  *json += "\n}\n";
}

// As text: a Document of a million requests would take a gigabyte.
void AppendRequests(std::string* json, const Result& result) {
  std::string list = "[";
  for (size_t i = 0; i < result.requests.size(); ++i) {
    const Record& record = result.requests[i];
    list += i == 0 ? "\n        " : ",\n        ";
    list += RequestDocument(record, result.groups[record.group]).ToCompactJson();
  }
  AppendMember(json, "requests", list + "\n    ]");
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
  Document figures = FiguresDocument(summary.all);
  figures.Set("gap", DistributionDocument(summary.gaps))
      .Set("lateness", DistributionDocument(summary.lateness));
  if (summary.held.count > 0) figures.Set("held", DistributionDocument(summary.held));
  out.Set("summary", std::move(figures));
  Document groups = Document::List();
  for (const auto& [group, figures] : summary.groups) {
    Document one = Document::Map();
    one.Set("tenant", group.tenant).Set("priority", group.priority);
    groups.Add(one.Merge(FiguresDocument(figures)));
  }
  out.Set("groups", groups);
  out.Set("errors", Counts(summary.errors));
  std::string json = out.ToJson();
  if (!result.fleet.empty()) {
    AppendMember(&json, "fleet", FleetDocument(result.fleet).ToCompactJson());
  }
  if (with_requests) AppendRequests(&json, result);
  return json;
}

std::string AbJson(std::span<const NamedResult> results, const Comparison& comparison, int pairs,
                   bool with_requests) {
  Document out = Document::Map();
  out.Set("version", kResultVersion).Set("tool", "penstock bench ab").Set("pairs", pairs);
  Document figures = Document::List();
  for (const ComparedFigure& figure : comparison.figures) {
    Document one = Document::Map();
    one.Set("name", figure.name).Set("less_is_better", figure.less_is_better);
    one.Set("values", NumbersDocument(figure.values)).Set("ratio", figure.ratios[1]);
    if (const std::optional<Interval>& interval = figure.intervals[1]) {
      one.Set("ratio_low", interval->low).Set("ratio_high", interval->high);
    }
    figures.Add(std::move(one));
  }
  out.Set("figures", std::move(figures));
  std::string json = out.ToJson();
  std::string list = "[";
  for (const NamedResult& named : results) {
    list += list.size() == 1 ? "\n" : ",\n";
    list += ResultJson(*named.result, with_requests);
    list.pop_back();
  }
  AppendMember(&json, "results", list + "\n    ]");
  return json;
}

}  // namespace gw::bench
