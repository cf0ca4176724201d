"""Endpoints beside each other: which one is not like the others?"""

from panels import (ENDPOINT, GREEN, POOL, RED, YELLOW, board, graph, mapping, mean, quantiles,
                    rate, row, steps, table, timeline)

EACH = "pod"


def each(metric):
    """Several gateways say the same of what endpoints report."""
    return f"max by ({EACH}) ({metric}{{@E}})"


def lines(text):
    return [(text, "{{pod}}")]


STATE = [
    timeline("Ready", each("penstock_endpoint_ready"), "{{pod}}",
             "When each endpoint was ready. What it is else, and why: `penstock get endpoints`.",
             mapping(("not ready", RED), ("ready", GREEN))),
    table("Now", "pod", [
        ("ready", each("penstock_endpoint_ready"), "bool_yes_no", steps(RED, (1, GREEN))),
        ("in flight", "sum by (pod) (penstock_endpoint_in_flight_requests{@E})", "none", None),
        ("running", each("penstock_endpoint_running_requests"), "none", None),
        ("waiting", each("penstock_endpoint_waiting_requests"), "none",
         steps("text", (5, YELLOW), (20, RED))),
        ("KV cache", each("penstock_endpoint_kv_cache_utilization_ratio"), "percentunit",
         steps("text", (0.8, YELLOW), (0.95, RED))),
        ("failures/s", rate("penstock_endpoint_failures_total", EACH, "@E"), "ops",
         steps("text", (0.01, RED))),
        ("metrics' age", each("penstock_endpoint_metrics_age_seconds"), "s",
         steps("text", (2, YELLOW), (10, RED))),
    ], "One line an endpoint."),
]

LOAD = [
    row("Load"),
    graph("Requests", lines(rate("penstock_endpoint_requests_total", EACH, "@E")), "reqps",
          "Dispatched to each, tries after the first among them. They need not be equal: requests "
          "go where they end soonest."),
    graph("In flight", lines("sum by (pod) (penstock_endpoint_in_flight_requests{@E})"), "none",
          "Dispatched by these gateways and not ended."),
    graph("Time to first byte, mean",
          lines(mean("penstock_endpoint_first_byte_seconds_total",
                     "penstock_endpoint_first_bytes_total", EACH, "@E")), "s",
          "From dispatch. An endpoint that is slower than its peers with no more to do has a "
          "slower GPU, or something else on it."),
    graph("Running there", lines(each("penstock_endpoint_running_requests")), "none",
          "As it reports: the size of its batch."),
    graph("Waiting there", lines(each("penstock_endpoint_waiting_requests")), "none",
          "As it reports. One waits while others do not: see `penstock explain --last`."),
    graph("KV cache in use", lines(each("penstock_endpoint_kv_cache_utilization_ratio")),
          "percentunit", "As it reports.", top=1, thresholds=steps(GREEN, (0.95, RED))),
    graph("Prompt tokens before their first byte",
          lines("sum by (pod) (penstock_endpoint_pending_prompt_tokens{@E})"), "none",
          "What is still to be computed there, less what is believed cached."),
    graph("Prefix hits",
          lines(mean("penstock_endpoint_prefix_hit_blocks_total",
                     "penstock_endpoint_prefix_blocks_total", EACH, "@E")), "percentunit",
          "Share of prompt blocks believed to be cached at the endpoint chosen.", top=1),
    graph("Failures", lines(rate("penstock_endpoint_failures_total", EACH, "@E")), "ops",
          "Refused connections, broken answers, 5xx, unanswered scrapes and probes: three in a row "
          "eject."),
]

WATCH = [
    row("How they are watched"),
    graph("Age of their metrics", lines(each("penstock_endpoint_metrics_age_seconds")), "s",
          "How old what is known of it is. All rise: the gateway is short of processor."),
    graph("Scrapes",
          [("sum(rate(penstock_scrapes_total{@G}[@R]))", "read"),
           ("sum(rate(penstock_scrapes_deferred_total{@G}[@R]))", "deferred"),
           (rate("penstock_scrape_failures_total", "reason", "@G"), "failed: {{reason}}"),
           ("sum(rate(penstock_scrape_refused_values_total{@G}[@R]))", "refused values"),
           ("sum(penstock_scrape_endpoints{@G})", "endpoints that are scraped")],
          "short", "Per second, of all pools. Deferred ones wait for --scrape-rate-max."),
    graph("Duration of scrapes", quantiles("penstock_scrape_duration_seconds", "@G"), "s",
          "From asking to having the page. Slow ones come from model servers that are short of "
          "processor."),
    graph("Probes",
          [(rate("penstock_probes_total", "result", "@G"), "{{result}}")], "ops",
          "Of endpoints that are ejected or in doubt; a success brings one back."),
    graph("Connections to endpoints",
          [(rate("penstock_endpoint_tls_handshakes_total", "result", "@G"), "TLS {{result}}"),
           ("sum(rate(penstock_endpoint_tls_sessions_resumed_total{@G}[@R]))", "TLS ok, resumed"),
           (rate("penstock_own_connect_failures_total", "reason", "@G"),
            "failed here: {{reason}}")], "ops",
          "`failed here` is this machine: descriptors, ports, routes, a firewall. TLS other than "
          "ok: certificates of model servers."),
    graph("Looked up hosts", [(rate("penstock_dns_lookups_total", "result", "@G"), "{{result}}")],
          "ops", "Of Backends that are named by host."),
]

ENDPOINTS_BOARD = board("endpoints", "Endpoints", "Each endpoint of a pool beside its peers.",
                        [POOL, ENDPOINT], STATE + LOAD + WATCH)
