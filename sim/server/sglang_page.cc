#include <string>

#include "sim/server/metrics_page.h"
#include "sim/server/text.h"
#include "stats/exposition.h"

namespace gw::sim::internal {
namespace {

void AppendGauges(PageWriter& page, const MetricsInput& in) {
  const ServerSpec& spec = in.engine.spec();
  const double capacity = static_cast<double>(uint64_t{spec.kv_blocks} * spec.block_tokens);
  const double usage = in.engine.kv_utilization_ratio();
  const double queried = static_cast<double>(in.engine.counters().prefix_queries_tokens);
  const double hits = static_cast<double>(in.engine.counters().prefix_hits_tokens);
  page.Gauge("sglang:num_running_reqs", "The number of running requests.", in.engine.running());
  page.Gauge("sglang:num_used_tokens", "The number of used tokens.", usage * capacity);
  page.Gauge("sglang:token_usage", "The token usage.", usage);
  page.Gauge("sglang:full_token_usage", "The token usage of full attention layers.", usage);
  // Requests of a decode server wait for blocks and for their KV in queues of their own.
  page.Gauge("sglang:num_queue_reqs", "The number of requests in the waiting queue.",
             in.role == Role::kDecode ? 0 : in.engine.waiting());
  page.Gauge("sglang:num_grammar_queue_reqs",
             "The number of requests in the grammar waiting queue.", 0);
  page.Gauge("sglang:cache_hit_rate", "The prefix cache hit rate.",
             queried > 0 ? hits / queried : 0);
  page.Gauge("sglang:max_total_num_tokens", "Maximum total number of tokens in the KV cache pool.",
             capacity);
  page.Gauge("sglang:page_size", "Tokens of one page of the KV cache.", spec.block_tokens);
  page.Gauge("sglang:num_pages", "Pages of the KV cache.", spec.kv_blocks);
  page.Gauge("sglang:num_retracted_reqs", "The number of retracted requests.", 0);
  page.Gauge("sglang:is_cuda_graph", "Whether the batch is using CUDA graph.", 1);
}

// Of disaggregated serving.
void AppendQueues(PageWriter& page, const MetricsInput& in) {
  if (in.role == Role::kPrefill) {
    page.Gauge("sglang:num_prefill_bootstrap_queue_reqs",
               "The number of requests in the prefill bootstrap queue.",
               static_cast<double>(in.bootstrapping));
    page.Gauge("sglang:num_prefill_inflight_queue_reqs",
               "The number of requests in the prefill inflight queue.", in.engine.held());
  } else if (in.role == Role::kDecode) {
    page.Gauge("sglang:num_decode_prealloc_queue_reqs",
               "The number of requests in the decode prealloc queue.",
               in.engine.waiting() - in.engine.deferred());
    page.Gauge("sglang:num_decode_transfer_queue_reqs",
               "The number of requests in the decode transfer queue.", in.engine.deferred());
  }
}

void AppendCounters(PageWriter& page, const MetricsInput& in) {
  const auto number = [](uint64_t n) { return static_cast<double>(n); };
  const ReplicaStats& stats = in.stats;
  page.Counter("sglang:prompt_tokens_total", "Number of prefill tokens processed.",
               number(stats.prompt_tokens));
  page.Counter("sglang:generation_tokens_total", "Number of generation tokens processed.",
               number(stats.generation_tokens));
  page.Counter("sglang:cached_tokens_total", "Number of cached prompt tokens.",
               number(stats.cached_prompt_tokens));
  page.Counter("sglang:num_requests_total", "Number of requests processed.",
               number(stats.count(Ending::kStop) + stats.count(Ending::kLength)));
  page.Counter("sglang:num_aborted_requests_total", "Number of requests aborted.",
               number(stats.count(Ending::kAbort) + stats.count(Ending::kClientLeft) +
                      stats.count(Ending::kBroken)));
  page.Counter("sglang:num_retracted_requests_total", "Number of retracted requests.",
               number(in.engine.counters().preemptions));
}

}  // namespace

void AppendSglangPage(const MetricsInput& in, std::string* out) {
  std::string model = "model_name=\"";
  AppendEscapedLabelValue(&model, in.model);
  model += "\",moe_ep_rank=\"0\",pp_rank=\"0\",tp_rank=\"0\"";
  const std::string_view engine_type = in.role == Role::kPrefill  ? "engine_type=\"prefill\""
                                       : in.role == Role::kDecode ? "engine_type=\"decode\""
                                                                  : "engine_type=\"unified\"";
  PageWriter page(out, engine_type, model, in.started_unix_s);
  AppendGauges(page, in);
  AppendQueues(page, in);
  AppendCounters(page, in);
  page.Histogram("sglang:time_to_first_token_seconds",
                 "Histogram of time to first token in seconds.", in.stats.of(Measure::kTtft));
  page.Histogram("sglang:inter_token_latency_seconds",
                 "Histogram of inter-token latency in seconds.", in.stats.of(Measure::kItl));
  page.Histogram("sglang:e2e_request_latency_seconds",
                 "Histogram of End-to-end request latency in seconds.", in.stats.of(Measure::kE2e));
  page.Histogram("sglang:queue_time_seconds", "Histogram of queueing time in seconds.",
                 in.stats.of(Measure::kQueue));
  page.Histogram("sglang:prompt_tokens_histogram", "Histogram of prompt token length.",
                 in.stats.of(Measure::kPromptTokens));
  page.Histogram("sglang:generation_tokens_histogram", "Histogram of generation token length.",
                 in.stats.of(Measure::kGenerationTokens));
  const ServerSpec& spec = in.engine.spec();
  page.Family("sglang:cache_config_info", "gauge", "Information of the KV cache's configuration.");
  page.Value("sglang:cache_config_info", 1, {},
             Concat({"page_size=\"", Digits(spec.block_tokens), "\",num_pages=\"",
                     Digits(spec.kv_blocks), "\""}));
}

}  // namespace gw::sim::internal
