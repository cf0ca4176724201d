"""One pool, or some: requests, times, tokens, endpoints, prefill and decode if they are apart."""

from overview import ERROR_STEPS, READY_STEPS, TTFT
from panels import (POOL, board, error_ratio, graph, heatmap, mean, quantiles, rate, row, stat)

FIRST = [
    stat("Requests", "sum(rate(penstock_requests_total{@P}[@R]))", "reqps",
         "Requests of the pool that ended.", decimals=1),
    stat("Errors", error_ratio(), "percentunit", "Share that ended with 5xx or broke off.",
         ERROR_STEPS, decimals=2),
    stat("TTFT p95", quantiles(TTFT)[1][0], "s", "From a request's head to its first byte.",
         decimals=2),
    stat("TPOT p50", quantiles("penstock_time_per_output_token_seconds")[0][0], "s",
         "What each further token of a stream takes.", decimals=3),
    stat("In flight", "sum(penstock_requests_in_flight{@P})", "none",
         "Dispatched to an endpoint and not ended."),
    stat("Ready endpoints", 'sum(penstock_pool_endpoints{@P, state="ready"}) / '
         "sum(penstock_pool_endpoints{@P})", "percentunit", "The others are shown below, by why.",
         READY_STEPS, decimals=0),
]

REQUESTS = [
    row("Requests"),
    graph("By status", [(rate("penstock_requests_total", "status"), "{{status}}")], "reqps",
          "What clients were told.", stacked=True),
    graph("By outcome", [(rate("penstock_requests_total", "outcome"), "{{outcome}}")], "reqps",
          "How they ended. `upstream_broke` and `error_event` are model servers that failed inside "
          "an answer; `client_left` are users who gave up, often as it took too long.",
          stacked=True),
    graph("By model", [(rate("penstock_requests_total", "model, target_model"),
                        "{{model}} → {{target_model}}")], "reqps",
          "What was asked for, and what was sent on."),
    graph("Errors", [(error_ratio("pool"), "{{pool}}")], "percentunit",
          "Share that ended with 5xx or broke off.", thresholds=ERROR_STEPS),
    graph("Tries after the first",
          [(rate("penstock_retries_total", "reason") + " > 0", "{{reason}}")], "ops",
          "Requests that a client did not see fail, as another endpoint answered; by what went "
          "wrong before. Rising: endpoints are dying, or are full (`pushed_back`)."),
    graph("Endpoints that went wrong",
          [(rate("penstock_ejections_total", "pool"), "{{pool}} ejected"),
           (rate("penstock_silences_total", "pool, reason"), "{{pool}} silent: {{reason}}"),
           (rate("penstock_endpoint_pushbacks_total", "pool"), "{{pool}} pushed back"),
           (rate("penstock_fallbacks_total", "pool"), "{{pool}} fell back")], "ops",
          "Ejected after failures, silent while others answer, answers 429 and 503 of model "
          "servers, and requests that the fallback served."),
]

TIMES = [
    row("Times"),
    graph("Time to first token", quantiles(TTFT), "s",
          "Queue, prompt and network together. The queue's part is on the board of queues."),
    heatmap("Time to first token: how many took how long",
            f"sum by (le) (increase({TTFT}_bucket{{@P}}[@R]))", "s",
            "Two clouds are two kinds of requests: cached and uncached prompts, or good and slow "
            "endpoints."),
    graph("Time to first token by pool",
          [(f"histogram_quantile(0.95, {rate(TTFT + '_bucket', 'pool, le')})", "p95 {{pool}}")],
          "s", "Pools beside each other."),
    graph("Time per output token", quantiles("penstock_time_per_output_token_seconds"), "s",
          "Of each stream: (last byte - first byte) / (tokens - 1)."),
    graph("Gaps between the pieces of streams",
          quantiles("penstock_inter_token_latency_seconds"), "s",
          "p99 far above p50: streams that stop for a moment, as prompts of others are computed or "
          "requests preempted."),
    graph("Request duration", quantiles("penstock_request_duration_seconds"), "s",
          "From head to end."),
]

TOKENS = [
    row("Tokens and prefix caches"),
    graph("Tokens", [("sum(rate(penstock_prompt_tokens_total{@P}[@R]))", "prompt"),
                     ("sum(rate(penstock_cached_prompt_tokens_total{@P}[@R]))", "prompt, cached"),
                     ("sum(rate(penstock_completion_tokens_total{@P}[@R]))", "completion"),
                     ("sum(rate(penstock_estimated_completion_tokens_total{@P}[@R]))",
                      "completion, estimated")], "short",
          "Tokens per second. Estimated ones are events of streams that report no usage."),
    graph("Tokens of a request",
          [(mean("penstock_prompt_tokens_total", "penstock_time_to_first_token_seconds_count",
                 "pool"), "{{pool}} prompt"),
           (mean("penstock_completion_tokens_total", "penstock_time_to_first_token_seconds_count",
                 "pool"), "{{pool}} completion")], "none",
          "Means, of requests that were answered. Times change and nothing fails: look here."),
    graph("Prefix cache",
          [(mean("penstock_prefix_hit_blocks_total", "penstock_prefix_blocks_total", "pool"),
            "{{pool}} believed"),
           (mean("penstock_cached_prompt_tokens_total", "penstock_prompt_tokens_total", "pool"),
            "{{pool}} reported")], "percentunit",
          "Share of prompts found cached: believed when the endpoint was chosen, and as model "
          "servers report. Believed far above reported: caches are smaller than thought.", top=1),
]

ENDPOINTS = [
    row("Endpoints"),
    graph("By state", [("sum by (state) (max by (pool, state) (penstock_pool_endpoints{@P}))",
                        "{{state}}")], "none",
          "`stale` and `unknown`: their metrics are not read. `ejected` and `silent`: they get no "
          "requests. `penstock get endpoints` names them.", stacked=True),
    graph("Requests at the model servers",
          [("sum(max by (pod) (penstock_endpoint_running_requests{@P}))", "running"),
           ("sum(max by (pod) (penstock_endpoint_waiting_requests{@P}))", "waiting"),
           ("sum(penstock_endpoint_in_flight_requests{@P})", "in flight, ours")], "none",
          "As they report. Waiting ones there cannot be moved any more; a queue in the gateway can "
          "hold them (docs/queueing.md)."),
    graph("KV cache in use",
          [("avg(penstock_endpoint_kv_cache_utilization_ratio{@P})", "mean"),
           ("max(penstock_endpoint_kv_cache_utilization_ratio{@P})", "fullest"),
           ("min(penstock_endpoint_kv_cache_utilization_ratio{@P})", "emptiest")], "percentunit",
          "Near 1 model servers preempt: they compute requests again. Fullest far from emptiest: "
          "long requests, or one prefix for all.", top=1),
    graph("Limited endpoints",
          [("max by (pool) (penstock_pool_limited_endpoints{@P})", "{{pool}}")], "none",
          "Endpoints that get less, or nothing for a while, since they answered 429 or 503."),
    graph("Learned: speed of prompts",
          [("max by (pool, instance) (penstock_pool_prompt_tokens_per_second{@P})",
            "{{pool}} {{instance}}")], "none",
          "Tokens of prompts that an endpoint computes in a second, which COST reckons with."),
    graph("Learned: length of answers",
          [("max by (pool, instance) (penstock_pool_answer_tokens{@P})",
            "{{pool}} {{instance}}")], "none",
          "Mean tokens of answers, which COST reckons with."),
    graph("Circuit breakers",
          [("sum by (pool, route, limit) (penstock_breaker_requests{@G})",
            "{{pool}}{{route}} {{limit}}"),
           ("max by (pool, route, limit) (penstock_breaker_requests_max{@G})",
            "{{pool}}{{route}} {{limit}}: the limit")], "none",
          "What counts for penstock.dev/max-requests and max-waiting, and the limit of each "
          "gateway."),
    graph("Index of prefixes",
          [("sum by (instance) (penstock_prefix_index_blocks{@G})", "{{instance}} blocks"),
           (rate("penstock_prefix_index_evicted_blocks_total", "instance", "@G"),
            "{{instance}} evicted per second")], "short",
          "Evictions all the time and few hits: give it more by --prefix-index-mb."),
]

PHASES = "penstock_phase_duration_seconds"
HALVES = [
    row("Prefill and decode apart"),
    graph("How requests were sent",
          [(rate("penstock_disaggregation_decisions_total", "decision"), "{{decision}}")], "reqps",
          "`decode-only`: one endpoint does both, as no prefill endpoint could be asked or it was "
          "not worth it."),
    graph("Phases, p95",
          [(f"histogram_quantile(0.95, {rate(PHASES + '_bucket', 'phase, le')})", "{{phase}}")],
          "s",
          "Which half needs more endpoints: prefill, decode, or the network between them "
          "(`transfer`)."),
    graph("Halves that failed, KV caches that were lost",
          [(rate("penstock_half_failures_total", "half, reason") + " > 0", "{{half}}: {{reason}}"),
           (rate("penstock_bootstrap_timeouts_total", "pool"), "{{pool}} bootstrap timed out"),
           (rate("penstock_prefill_recomputed_total", "pool"), "{{pool}} prefill recomputed"),
           (rate("penstock_kv_leases_abandoned_total", "pool"), "{{pool}} lease abandoned"),
           (rate("penstock_kv_leases_expired_total", "pool"), "{{pool}} lease expired")], "ops",
          "Abandoned KV caches fill prefill endpoints for 30 s each. Recomputed: prefill servers "
          "without a KV connector do work for nobody."),
]

POOL_BOARD = board("pool", "Pool", "What a pool's requests come to, and why.", [POOL],
                   FIRST + REQUESTS + TIMES + TOKENS + ENDPOINTS + HALVES)
