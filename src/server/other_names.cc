#include "server/other_names.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/escape.h"
#include "server/series.h"

namespace gw {
namespace {

// "qwen" of "default/qwen". nullopt: no InferencePool ("service default/web:80", none at all).
std::optional<std::string> PoolName(const Labels& ours) {
  const std::string_view id = LabelOf(ours, "pool");
  const size_t slash = id.find('/');
  if (slash == id.npos || id.find(' ') != id.npos) return std::nullopt;
  return std::string(id.substr(slash + 1));
}

// Their labels of a series of ours. nullopt: it is none of theirs. Series with the same ones are
// taken together.
using Relabel = std::optional<Labels> (*)(const Labels& ours);

std::optional<Labels> None(const Labels&) { return Labels(); }

std::optional<Labels> NoneOfPool(const Labels& ours) {
  if (!PoolName(ours)) return std::nullopt;
  return Labels();
}

std::optional<Labels> Model(const Labels& ours) {
  if (!PoolName(ours)) return std::nullopt;
  return Labels{{"model_name", std::string(LabelOf(ours, "model"))},
                {"target_model_name", std::string(LabelOf(ours, "target_model"))}};
}

template <bool v0_5_1>
std::optional<Labels> Error(const Labels& ours) {
  std::optional<Labels> labels = Model(ours);
  const auto code = ErrorCodeOf(LabelOf(ours, "status"), LabelOf(ours, "outcome"), v0_5_1);
  if (!labels || !code) return std::nullopt;
  labels->emplace_back("error_code", *code);
  return labels;
}

std::optional<Labels> Name(const Labels& ours) {
  std::optional<std::string> name = PoolName(ours);
  if (!name) return std::nullopt;
  return Labels{{"name", *std::move(name)}};
}

std::optional<Labels> OfEndpoint(const Labels& ours, const char* label) {
  std::optional<Labels> labels = Name(ours);
  if (labels) labels->emplace_back(label, LabelOf(ours, "pod"));
  return labels;
}
std::optional<Labels> NameAndEndpoint(const Labels& ours) {
  return OfEndpoint(ours, "model_server_endpoint");
}
std::optional<Labels> NameAndServer(const Labels& ours) {
  return OfEndpoint(ours, "model_server_pod");
}

std::optional<Labels> Queue(const Labels& ours) {
  std::optional<std::string> name = PoolName(ours);
  if (!name) return std::nullopt;
  Labels labels = {{"inference_pool", *std::move(name)}};
  for (const auto& [from, to] : {std::pair("priority", "priority"), {"tenant", "fairness_id"}}) {
    const auto has = [&name = from](const auto& label) { return label.first == name; };
    if (std::ranges::any_of(ours, has)) labels.emplace_back(to, LabelOf(ours, from));
  }
  return labels;
}

std::optional<Labels> QueueOutcome(const Labels& ours) {
  // What was evicted here had been dispatched before.
  constexpr std::pair<std::string_view, std::string_view> kOutcomes[] = {
      {"passed", "Dispatched"},  {"waited", "Dispatched"},
      {"evicted", "Dispatched"}, {"full", "RejectedCapacity"},
      {"expired", "EvictedTTL"}, {"cancelled", "EvictedContextCancelled"},
  };
  for (const auto& [result, outcome] : kOutcomes) {
    if (result == LabelOf(ours, "result")) return Labels{{"outcome", std::string(outcome)}};
  }
  return std::nullopt;
}

std::optional<Labels> Decision(const Labels& ours) {
  return Labels{{"decision_type", std::string(LabelOf(ours, "decision"))}};
}

std::optional<Labels> Build(const Labels& ours) {
  return Labels{{"commit", std::string(LabelOf(ours, "commit"))},
                {"build_ref", std::string(LabelOf(ours, "version"))}};
}

enum class How : uint8_t { kCounter, kGauge, kMean, kDeviation, kHistogram };

struct OtherFamily {
  const char* name;
  How how;
  const char* from;
  Relabel relabel;
};

constexpr OtherFamily kLlmD[] = {
    {"llm_d_epp_request_total", How::kCounter, "penstock_requests_total", Model},
    {"llm_d_epp_request_error_total", How::kCounter, "penstock_requests_total", Error<false>},
    {"llm_d_epp_request_duration_seconds", How::kHistogram, "penstock_request_duration_seconds",
     Model},
    {"llm_d_epp_request_ttft_seconds", How::kHistogram, "penstock_time_to_first_token_seconds",
     Model},
    {"llm_d_epp_request_streaming_itl_seconds", How::kHistogram,
     "penstock_inter_token_latency_seconds", Model},
    {"llm_d_epp_request_streaming_tpot_seconds", How::kHistogram,
     "penstock_time_per_output_token_seconds", Model},
    {"llm_d_epp_request_running", How::kGauge, "penstock_requests_in_flight", NoneOfPool},
    {"llm_d_epp_average_kv_cache_utilization", How::kMean,
     "penstock_endpoint_kv_cache_utilization_ratio", Name},
    {"llm_d_epp_average_queue_size", How::kMean, "penstock_endpoint_waiting_requests", Name},
    {"llm_d_epp_average_running_requests", How::kMean, "penstock_endpoint_running_requests", Name},
    {"llm_d_epp_std_dev_kv_cache_utilization", How::kDeviation,
     "penstock_endpoint_kv_cache_utilization_ratio", Name},
    {"llm_d_epp_std_dev_queue_size", How::kDeviation, "penstock_endpoint_waiting_requests", Name},
    {"llm_d_epp_std_dev_running_requests", How::kDeviation, "penstock_endpoint_running_requests",
     Name},
    {"llm_d_epp_ready_endpoints", How::kGauge, "penstock_pool_endpoints", Name},
    {"llm_d_epp_per_endpoint_queue_size", How::kGauge, "penstock_endpoint_waiting_requests",
     NameAndEndpoint},
    {"llm_d_epp_info", How::kGauge, "penstock_build_info", Build},
    {"llm_d_epp_prefix_indexer_size", How::kGauge, "penstock_prefix_index_blocks", None},
    {"llm_d_epp_disagg_decision_total", How::kCounter, "penstock_disaggregation_decisions_total",
     Decision},
    {"llm_d_epp_datalayer_poll_errors_total", How::kCounter, "penstock_scrape_failures_total",
     None},
    {"llm_d_epp_flow_control_request_queue_duration_seconds", How::kHistogram,
     "penstock_queue_wait_seconds", Queue},
    {"llm_d_epp_flow_control_queue_size", How::kGauge, "penstock_queue_waiting_requests", Queue},
    {"llm_d_epp_flow_control_queue_bytes", How::kGauge, "penstock_queue_waiting_bytes", Queue},
    {"llm_d_epp_flow_control_requests_total", How::kCounter, "penstock_queue_requests_total",
     QueueOutcome},
};

constexpr OtherFamily kV051[] = {
    {"inference_model_request_total", How::kCounter, "penstock_requests_total", Model},
    {"inference_model_request_error_total", How::kCounter, "penstock_requests_total", Error<true>},
    {"inference_model_request_duration_seconds", How::kHistogram,
     "penstock_request_duration_seconds", Model},
    {"inference_model_running_requests", How::kGauge, "penstock_requests_in_flight", NoneOfPool},
    {"inference_pool_average_kv_cache_utilization", How::kMean,
     "penstock_endpoint_kv_cache_utilization_ratio", Name},
    {"inference_pool_average_queue_size", How::kMean, "penstock_endpoint_waiting_requests", Name},
    {"inference_pool_ready_pods", How::kGauge, "penstock_pool_endpoints", Name},
    {"inference_pool_per_pod_queue_size", How::kGauge, "penstock_endpoint_waiting_requests",
     NameAndServer},
    {"inference_extension_prefix_indexer_size", How::kGauge, "penstock_prefix_index_blocks", None},
    {"inference_extension_info", How::kGauge, "penstock_build_info", Build},
};

struct Moments {
  double sum = 0;
  double squares = 0;
  double count = 0;
};

// From n numbers: mean = s1 / n, deviation = sqrt(s2 / n - mean^2), of which rounding must not make
// the root of something negative.
double NumberOf(How how, const Moments& moments) {
  const double mean = moments.sum / moments.count;
  if (how == How::kMean) return mean;
  if (how == How::kDeviation) {
    return std::sqrt(std::max(0.0, moments.squares / moments.count - mean * mean));
  }
  return moments.sum;
}

void TellNumbers(const MetricRegistry& metrics, const OtherFamily& family,
                 const MetricRegistry::Sink& sink) {
  std::map<Labels, Moments> all;
  metrics.VisitNumbers(family.from, [&](const Labels& ours, double value) {
    const std::optional<Labels> theirs = family.relabel(ours);
    if (!theirs) return;
    Moments& moments = all[*theirs];
    moments.sum += value;
    moments.squares += value * value;
    moments.count += 1;
  });
  for (const auto& [labels, moments] : all) sink(labels, NumberOf(family.how, moments));
}

void TellHistograms(const MetricRegistry& metrics, const OtherFamily& family,
                    const MetricRegistry::HistogramSink& sink) {
  std::map<Labels, HistogramValue> all;
  metrics.VisitHistograms(family.from, [&](const Labels& ours, const Histogram& histogram) {
    const std::optional<Labels> theirs = family.relabel(ours);
    if (theirs) AddTo(histogram, &all[*theirs]);
  });
  for (const auto& [labels, value] : all) sink(labels, value);
}

void Register(MetricRegistry& metrics, const OtherFamily& family) {
  const std::string from = family.from;
  if (family.how == How::kHistogram) {
    metrics.AddHistogramCallback(
        family.name, "What " + from + " says.",
        [&metrics, &family](const auto& sink) { TellHistograms(metrics, family, sink); });
    return;
  }
  const std::string what = family.how == How::kMean        ? "Mean of "
                           : family.how == How::kDeviation ? "Standard deviation of "
                                                           : "Sum of ";
  metrics.AddCallback(
      family.name, what + from + ".", family.how == How::kCounter ? "counter" : "gauge",
      [&metrics, &family](const auto& sink) { TellNumbers(metrics, family, sink); });
}

}  // namespace

std::optional<std::string_view> ErrorCodeOf(std::string_view status, std::string_view outcome,
                                            bool v0_5_1) {
  const std::string_view exhausted =
      v0_5_1 ? "InferencePoolResourceExhausted" : "ResourceExhausted";
  if (outcome == "client_left") return std::nullopt;
  if (outcome == "evicted") return exhausted;
  if (outcome == "complete") {
    if (status < "400") return std::nullopt;
    return "ModelServerError";
  }
  if (outcome != "rejected" || status == "502" || status == "504") return "ModelServerError";
  if (status == "429") return exhausted;
  if (status == "503") return "ServiceUnavailable";
  if (status >= "500") return "Internal";
  if (!v0_5_1) {
    if (status == "401") return "Unauthorized";
    if (status == "403") return "Forbidden";
    if (status == "404") return "NotFound";
    if (status == "412") return "PreconditionFailed";
  }
  return "BadRequest";
}

absl::StatusOr<OtherNames> OtherNamesFrom(std::string_view list) {
  OtherNames names;
  while (true) {
    const size_t comma = std::min(list.find(','), list.size());
    const std::string_view word = list.substr(0, comma);
    if (word == "llm-d") {
      names.llm_d = true;
    } else if (word == "v0.5.1") {
      names.v0_5_1 = true;
    } else {
      return absl::InvalidArgumentError("must be a list of llm-d, v0.5.1, got \"" +
                                        Printable(std::string(word)) + "\"");
    }
    if (comma == list.size()) return names;
    list.remove_prefix(comma + 1);
  }
}

void RegisterOtherNames(MetricRegistry& metrics, const OtherNames& names) {
  if (names.llm_d) {
    for (const OtherFamily& family : kLlmD) Register(metrics, family);
  }
  if (names.v0_5_1) {
    for (const OtherFamily& family : kV051) Register(metrics, family);
  }
}

}  // namespace gw
