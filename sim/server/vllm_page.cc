#include <algorithm>
#include <string>

#include "sim/server/metrics_page.h"
#include "sim/server/text.h"
#include "stats/exposition.h"

namespace gw::sim::internal {
namespace {

struct HistogramFamily {
  Measure measure;
  std::string_view name;
  std::string_view help;
};

constexpr HistogramFamily kHistograms[] = {
    {Measure::kPromptTokens, "vllm:request_prompt_tokens", "Number of prefill tokens processed."},
    {Measure::kGenerationTokens, "vllm:request_generation_tokens",
     "Number of generation tokens processed."},
    {Measure::kIterationTokens, "vllm:iteration_tokens_total",
     "Histogram of number of tokens per engine_step."},
    {Measure::kMaxGenerationTokens, "vllm:request_max_num_generation_tokens",
     "Histogram of maximum number of requested generation tokens."},
    {Measure::kParamN, "vllm:request_params_n", "Histogram of the n request parameter."},
    {Measure::kParamMaxTokens, "vllm:request_params_max_tokens",
     "Histogram of the max_tokens request parameter."},
    {Measure::kTtft, "vllm:time_to_first_token_seconds",
     "Histogram of time to first token in seconds."},
    {Measure::kItl, "vllm:inter_token_latency_seconds",
     "Histogram of inter-token latency in seconds."},
    {Measure::kTpot, "vllm:request_time_per_output_token_seconds",
     "Histogram of time_per_output_token_seconds per request."},
    {Measure::kE2e, "vllm:e2e_request_latency_seconds",
     "Histogram of e2e request latency in seconds."},
    {Measure::kQueue, "vllm:request_queue_time_seconds",
     "Histogram of time spent in WAITING phase for request."},
    {Measure::kInference, "vllm:request_inference_time_seconds",
     "Histogram of time spent in RUNNING phase for request."},
    {Measure::kPrefill, "vllm:request_prefill_time_seconds",
     "Histogram of time spent in PREFILL phase for request."},
    {Measure::kDecode, "vllm:request_decode_time_seconds",
     "Histogram of time spent in DECODE phase for request."},
    {Measure::kPreemptions, "vllm:request_num_preemptions",
     "Histogram of the number of times a request was preempted."},
    {Measure::kPrefillComputed, "vllm:request_prefill_kv_computed_tokens",
     "Histogram of new KV tokens computed during prefill (excluding cached tokens)."},
};

void AppendProcessFamilies(std::string* out, double started) {
  PageWriter page(out, {}, {}, started);
  constexpr std::string_view kCollected = "python_gc_objects_collected_total";
  page.Family(kCollected, "counter", "Objects collected during gc");
  page.Value(kCollected, 15572, "generation=\"0\"");
  page.Value(kCollected, 2438, "generation=\"1\"");
  page.Value(kCollected, 502, "generation=\"2\"");
  page.Family("python_info", "gauge", "Python platform information");
  page.Value("python_info", 1,
             "implementation=\"CPython\",major=\"3\",minor=\"12\",patchlevel=\"1\","
             "version=\"3.12.1\"");
  page.Gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.",
             started);
}

// Those of the NIXL connector that tell of failures.
void AppendNixl(PageWriter& page, const ReplicaStats& stats) {
  page.Counter("vllm:nixl_num_failed_transfers_total",
               "Number of failed NIXL KV Cache transfers, including handshake and notification "
               "failures. NOTE: KV expiry is tracked separately in vllm:nixl_num_kv_expired_reqs.",
               static_cast<double>(stats.kv_failed));
  page.Counter("vllm:nixl_num_kv_expired_reqs_total",
               "Number of requests that had their KV expire. NOTE: This metric is tracked on the P "
               "instance.",
               static_cast<double>(stats.kv_expired));
}

void AppendGauges(PageWriter& page, const MetricsInput& in) {
  page.Gauge("vllm:num_requests_running", "Number of requests in model execution batches.",
             in.engine.running());
  page.Gauge("vllm:num_requests_waiting", "Number of requests waiting to be processed.",
             in.engine.waiting());
  constexpr std::string_view kByReason = "vllm:num_requests_waiting_by_reason";
  page.Family(kByReason, "gauge",
              "Number of waiting requests by reason. Reason labels: 'capacity' = waiting for "
              "scheduling capacity; 'deferred' = deferred by transient constraints.");
  page.Value(kByReason, in.engine.waiting() - in.engine.deferred(), {}, "reason=\"capacity\"");
  page.Value(kByReason, in.engine.deferred(), {}, "reason=\"deferred\"");
  constexpr std::string_view kSleep = "vllm:engine_sleep_state";
  page.Family(kSleep, "gauge", "Engine sleep state; awake = 0 means engine is sleeping.");
  page.Value(kSleep, 1, {}, "sleep_state=\"awake\"");
  page.Value(kSleep, 0, {}, "sleep_state=\"weights_offloaded\"");
  page.Value(kSleep, 0, {}, "sleep_state=\"discard_all\"");
  page.Gauge("vllm:kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.",
             in.engine.kv_utilization_ratio());
}

void AppendCounters(PageWriter& page, const MetricsInput& in) {
  const EngineCounters& engine = in.engine.counters();
  const auto number = [](uint64_t n) { return static_cast<double>(n); };
  const uint64_t cached = in.stats.cached_prompt_tokens;
  const uint64_t received = in.stats.received_prompt_tokens;
  page.Counter("vllm:prefix_cache_queries_total",
               "Prefix cache queries, in terms of number of queried tokens.",
               number(engine.prefix_queries_tokens));
  page.Counter("vllm:prefix_cache_hits_total",
               "Prefix cache hits, in terms of number of cached tokens.",
               number(engine.prefix_hits_tokens));
  page.Counter("vllm:external_prefix_cache_queries_total",
               "External prefix cache queries from KV connector cross-instance cache sharing, in "
               "terms of number of queried tokens.",
               in.role == Role::kBoth ? 0 : number(in.stats.prompt_tokens - cached));
  page.Counter(
      "vllm:external_prefix_cache_hits_total",
      "External prefix cache hits from KV connector cross-instance cache sharing, in terms "
      "of number of cached tokens.",
      number(received));
  page.Counter("vllm:mm_cache_queries_total",
               "Multi-modal cache queries, in terms of number of queried items.", 0);
  page.Counter("vllm:mm_cache_hits_total",
               "Multi-modal cache hits, in terms of number of cached items.", 0);
  page.Counter("vllm:num_preemptions_total", "Cumulative number of preemption from the engine.",
               number(engine.preemptions));
  page.Counter("vllm:prompt_tokens_total", "Number of prefill tokens processed.",
               number(in.stats.prompt_tokens));
  constexpr std::string_view kBySource = "vllm:prompt_tokens_by_source_total";
  page.Family(kBySource, "counter", "Number of prompt tokens by source.");
  page.Value(kBySource, number(in.stats.prompt_tokens - cached - received), {},
             "source=\"local_compute\"");
  page.Value(kBySource, number(cached), {}, "source=\"local_cache_hit\"");
  page.Value(kBySource, number(received), {}, "source=\"external_kv_transfer\"");
  page.Counter("vllm:prompt_tokens_cached_total",
               "Number of cached prompt tokens (local + external).", number(cached + received));
  page.Counter("vllm:generation_tokens_total", "Number of generation tokens processed.",
               number(in.stats.generation_tokens));
}

void AppendEndings(PageWriter& page, const ReplicaStats& stats) {
  constexpr std::string_view kSuccess = "vllm:request_success_total";
  const struct {
    std::string_view label;
    uint64_t count;
  } reasons[] = {
      {"finished_reason=\"stop\"", stats.count(Ending::kStop)},
      {"finished_reason=\"length\"", stats.count(Ending::kLength)},
      {"finished_reason=\"abort\"", stats.count(Ending::kAbort) + stats.count(Ending::kClientLeft) +
                                        stats.count(Ending::kBroken)},
      {"finished_reason=\"error\"", stats.count(Ending::kError)},
      {"finished_reason=\"repetition\"", 0},
  };
  page.Family(kSuccess, "counter", "Count of successfully processed requests.");
  for (const auto& r : reasons) page.Value(kSuccess, static_cast<double>(r.count), r.label);
}

void AppendLora(PageWriter& page, const MetricsInput& in) {
  if (in.loras_max == 0 || in.lora_states.empty()) return;
  constexpr std::string_view kLora = "vllm:lora_requests_info";
  page.Family(kLora, "gauge", "Running stats on lora requests.");
  for (const MetricsInput::LoraState& state : in.lora_states) {
    std::string labels =
        Concat({"max_lora=\"", Digits(in.loras_max), "\",running_lora_adapters=\""});
    AppendEscapedLabelValue(&labels, state.running);
    labels += "\",waiting_lora_adapters=\"";
    AppendEscapedLabelValue(&labels, state.waiting);
    labels += '"';
    page.Value(kLora, state.unix_s, labels);
  }
}

void AppendCacheConfig(PageWriter& page, const ServerSpec& spec) {
  constexpr std::string_view kConfig = "vllm:cache_config_info";
  page.Family(kConfig, "gauge", "Information of the LLMEngine CacheConfig");
  const Digits block(spec.block_tokens);
  page.Value(
      kConfig, 1,
      Concat({"_block_size_resolved=\"True\",block_size=\"", block,
              "\",cache_dtype=\"auto\",enable_prefix_caching=\"True\",engine=\"0\","
              "gpu_memory_utilization=\"0.9\",is_attention_free=\"False\",kv_cache_size_tokens=\"",
              Digits(uint64_t{spec.kv_blocks} * spec.block_tokens),
              "\",num_cpu_blocks=\"None\",num_gpu_blocks=\"", Digits(spec.kv_blocks),
              "\",num_gpu_blocks_override=\"None\",prefix_caching_hash_algo=\"sha256\","
              "sliding_window=\"None\",user_specified_block_size=\"False\""}));
}

}  // namespace

void AppendVllmPage(const MetricsInput& in, std::string* out) {
  AppendProcessFamilies(out, in.started_unix_s);
  std::string model = "model_name=\"";
  AppendEscapedLabelValue(&model, in.model);
  model += '"';
  PageWriter page(out, "engine=\"0\"", model, in.started_unix_s);
  if (in.role != Role::kBoth) AppendNixl(page, in.stats);
  AppendGauges(page, in);
  AppendCounters(page, in);
  AppendEndings(page, in.stats);
  for (const HistogramFamily& family : kHistograms) {
    page.Histogram(family.name, family.help, in.stats.of(family.measure));
  }
  PageWriter plain(out, {}, {}, in.started_unix_s);
  AppendLora(plain, in);
  AppendCacheConfig(plain, in.engine.spec());
  plain.Histogram("http_request_duration_highr_seconds",
                  "Latency with many buckets but no API specific labels. Made for more accurate "
                  "percentile calculations.",
                  in.stats.of(Measure::kHttpDuration));
}

}  // namespace gw::sim::internal
