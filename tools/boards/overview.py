"""Everything on one page: where to look first, and where to look next."""

from panels import (GREEN, POOL, RED, YELLOW, board, error_ratio, graph, quantiles, rate, row, stat,
                    steps, table)

ERROR_STEPS = steps(GREEN, (0.01, YELLOW), (0.05, RED))
READY_STEPS = steps(RED, (0.5, YELLOW), (0.9, GREEN))
READY = ('sum by (pool) (penstock_pool_endpoints{@P, state="ready"}) / '
         'sum by (pool) (penstock_pool_endpoints{@P})')
TTFT = "penstock_time_to_first_token_seconds"
TO_POOL = {"title": "The pool", "targetBlank": False,
           "url": "/d/penstock-pool?var-pool=${__data.fields.pool}&${datasource:queryparam}"
                  "&${__url_time_range}"}

FIRST = [
    stat("Gateways", "count(penstock_build_info{@G})", "none",
         "Gateways that are scraped. Fewer than you run: look at Prometheus' targets."),
    stat("Requests", "sum(rate(penstock_requests_total{@P}[@R]))", "reqps",
         "Requests that ended, whoever answered them.", decimals=1),
    stat("Errors", error_ratio(), "percentunit",
         "Share of requests that ended with 5xx or broke off. Refusals with 429 are not among "
         "them: see the board of queues.", ERROR_STEPS, decimals=2),
    stat("TTFT p95", quantiles(TTFT)[1][0], "s",
         "From a request's head to the first byte of its answer. Of answers that are no streams "
         "that is the whole time.", decimals=2),
    stat("Ready endpoints", 'sum(penstock_pool_endpoints{@P, state="ready"}) / '
         "sum(penstock_pool_endpoints{@P})", "percentunit",
         "Share of endpoints against which nothing speaks. The others are on the board of "
         "endpoints.", READY_STEPS, decimals=0),
    stat("Alerts", 'count(ALERTS{alertname=~"Penstock.+", alertstate="firing"}) or vector(0)',
         "none", "Alerts of penstock.rules.yaml that fire now. What to do is in docs/runbooks.md.",
         steps(GREEN, (1, RED))),
]

TRAFFIC = [
    row("Traffic"),
    graph("Requests by pool", [(rate("penstock_requests_total", "pool"), "{{pool}}")], "reqps",
          "Who gets how much. Without a pool: refused before one was known.", stacked=True),
    graph("Requests by status", [(rate("penstock_requests_total", "status"), "{{status}}")],
          "reqps", "What clients were told; 0 is nothing, as they had left.", stacked=True),
    graph("Answered by the gateway itself",
          [(rate("penstock_rejections_total", "reason", "@G") + " > 0", "{{reason}}")], "reqps",
          "Requests that got no answer of a model server, by the code of the error. 429 is load, "
          "404 and 401 are clients, 502 to 504 are endpoints."),
    graph("Time to first token", quantiles(TTFT), "s",
          "What users wait for. If p99 alone is high: long prompts, or single endpoints."),
    graph("Time per output token", quantiles("penstock_time_per_output_token_seconds"), "s",
          "How fast streams run, prompt excluded. It rises with the size of the model servers' "
          "batches."),
    graph("Request duration", quantiles("penstock_request_duration_seconds"), "s",
          "From head to end. It goes with the length of answers, so read it beside the tokens."),
    graph("Tokens", [("sum(rate(penstock_prompt_tokens_total{@P}[@R]))", "prompt"),
                     ("sum(rate(penstock_cached_prompt_tokens_total{@P}[@R]))", "prompt, cached"),
                     ("sum(rate(penstock_completion_tokens_total{@P}[@R]))", "completion")],
          "short", "Tokens per second as model servers report them: what the fleet does. Cached "
          "ones cost nearly nothing."),
    graph("In flight", [("sum by (pool) (penstock_requests_in_flight{@P})", "{{pool}}")], "none",
          "Dispatched and not ended. It grows before times do.", stacked=True),
    graph("TTFT objective: budget burnt in an hour",
          [("max by (pool) (pool:penstock_ttft_slow:ratio_rate1h{pool=~\"$pool\"}) / 0.01",
            "{{pool}}")], "none",
          "1: as many requests had no first byte within 10 s as may (1 %). From 14 on somebody is "
          "paged. Needs the recording rules of deploy/prometheus.",
          thresholds=steps(GREEN, (1, YELLOW), (14.4, RED))),
]

POOLS = [
    row("Pools"),
    table("Pools", "pool", [
        ("requests/s", rate("penstock_requests_total", "pool"), "reqps", None),
        ("errors", error_ratio("pool"), "percentunit", ERROR_STEPS),
        ("TTFT p95", f"histogram_quantile(0.95, {rate(TTFT + '_bucket', 'pool, le')})", "s", None),
        ("in flight", "sum by (pool) (penstock_requests_in_flight{@P})", "none", None),
        ("ready", READY, "percentunit", READY_STEPS),
        ("completion tokens/s", rate("penstock_completion_tokens_total", "pool"), "short", None),
    ], "One line a pool; its name leads to its board.", TO_POOL),
]

GATEWAYS = [
    row("Gateways"),
    graph("Processor", [("rate(process_cpu_seconds_total{@G}[@R])", "{{instance}}")], "short",
          "Cores in use. Near as many as --workers, the gateway itself makes requests wait."),
    graph("Memory", [("process_resident_memory_bytes{@G}", "{{instance}}"),
                     ("penstock_held_bytes{@G}", "{{instance}} held for requests"),
                     ("penstock_prefix_index_bytes{@G}", "{{instance}} prefix index")], "bytes",
          "Held bytes end at the limit held_bytes, the prefix index at --prefix-index-mb."),
    graph("Open files", [("process_open_fds{@G} / process_max_fds{@G}", "{{instance}}")],
          "percentunit", "Share of the descriptors that it may have. At 1 no client is accepted.",
          top=1, thresholds=steps(GREEN, (0.8, RED))),
    graph("Client connections",
          [("sum by (instance) (penstock_downstream_connections{@G})", "{{instance}} open"),
           (rate("penstock_downstream_connections_total", "instance", "@G"),
            "{{instance}} new per second")], "short",
          "Many new ones beside few requests: clients do not keep theirs alive."),
    graph("TLS handshakes with clients",
          [(rate("penstock_tls_handshakes_total", "result", "@G") + " > 0", "{{result}}"),
           ("sum(rate(penstock_tls_sessions_resumed_total{@G}[@R]))", "ok, resumed")], "ops",
          "By what became of them. `refused`: mostly clients that do not trust the certificate."),
    graph("Time to the certificates' end",
          [("min by (listener) (penstock_certificate_expiry_timestamp_seconds{@G}) - time()",
            "{{listener}}")], "s", "By listener. Two weeks before, an alert comes.",
          thresholds=steps(RED, (14 * 86400, GREEN))),
    graph("Configuration that is not served",
          [("max by (instance) (penstock_configuration_rejected{@G})", "{{instance}} rejected"),
           ("max by (instance) (penstock_configuration_stale_objects{@G})",
            "{{instance}} objects at their last good version")], "none",
          "Above 0 some edit is not served: `penstock get all` says which and why."),
    graph("Limits reached",
          [("sum by (limit) (increase(penstock_limit_reached_total{@G}[@R])) > 0", "{{limit}}")],
          "none", "By the limit's name, as docs/configuration.md has them, with what comes of it."),
    graph("Not seen",
          [("sum(rate(penstock_log_lines_dropped_total{@G}[@R]))", "log lines dropped per second"),
           ("max(penstock_endpoint_series_left_out{@G})", "endpoints without series")], "short",
          "What neither the log nor these boards show."),
    graph("Statuses written",
          [(rate("penstock_kube_status_writes_total", "result", "@G"), "{{result}}"),
           ("sum(penstock_kube_leader{@G})", "gateways that lead")], "short",
          "On a cluster: one gateway writes what became of the objects. None leads: they are old."),
    graph("Answers of mirrors, rules and sessions",
          [(rate("penstock_rule_requests_total", "route, rule", "@G"), "{{route}} {{rule}}"),
           (rate("penstock_mirrored_requests_total", "route, result", "@G") + " > 0",
            "mirror of {{route}}: {{result}}"),
           (rate("penstock_sessions_total", "pool, result"), "session in {{pool}}: {{result}}")],
          "reqps", "Of rules of HTTPRoutes that have a name, mirror requests, or keep sessions."),
    graph("Traces",
          [(rate("penstock_trace_spans_total", "result", "@G"), "spans {{result}}"),
           (rate("penstock_trace_exports_total", "result", "@G"), "posts {{result}}")], "ops",
          "Spans and how they went to the collector. Other than `exported`: they are lost."),
    graph("Other gateways",
          [("sum by (instance, state) (penstock_peers{@G})", "{{instance}} {{state}}")], "none",
          "Of each gateway: those that it shares with what it knows, and that are silent."),
    graph("Told to other gateways",
          [(rate("penstock_peer_sent_bytes_total", "what", "@G"), "{{what}}"),
           ("sum(rate(penstock_peer_received_bytes_total{@G}[@R]))", "heard")], "Bps",
          "Sums, tenants, releases, news of prefix indexes, and whole ones to gateways that are "
          "new."),
    graph("Other gateways: lost",
          [(rate("penstock_peer_dropped_total", "what", "@G"), "not told: {{what}}"),
           (rate("penstock_peer_refused_total", "reason", "@G"), "refused: {{reason}}"),
           ("sum(rate(penstock_peer_expired_total{@G}[@R]))", "silent"),
           ("sum(rate(penstock_peer_prefixes_total{@G}[@R]))", "prompts heard of")], "ops",
          "What did not get through, beside what did."),
]

OVERVIEW = board("overview", "Overview",
                 "All gateways and pools: traffic, errors, times, and what the gateways themselves "
                 "need.", [POOL], FIRST + TRAFFIC + POOLS + GATEWAYS)
