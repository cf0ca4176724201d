"""Queues, tenants and API keys: who waits, who is refused, who gets what."""

from panels import (GREEN, POOL, RED, YELLOW, board, graph, mapping, quantiles, rate, row, stat,
                    steps, timeline)

CAME = 'penstock_queue_requests_total'
REFUSED = '@P, result=~"full|expired"'
REFUSED_SHARE = (f"sum by (priority) (rate({CAME}{{{REFUSED}}}[@R])) / "
                 f"sum by (priority) (rate({CAME}{{@P}}[@R]))")

QUEUES = [
    stat("Waiting", "sum(penstock_queue_waiting_requests{@P})", "none",
         "Requests that wait in the gateways, of the pools chosen.", width=6),
    stat("Refused", f"sum(rate({CAME}{{{REFUSED}}}[@R])) / sum(rate({CAME}{{@P}}[@R]))",
         "percentunit", "Share that found the queue full, or waited too long.",
         steps(GREEN, (0.01, YELLOW), (0.05, RED)), width=6, decimals=1),
    stat("Wait p95", quantiles("penstock_queue_wait_seconds")[1][0], "s",
         "Those too that need not wait.", width=6, decimals=2),
    stat("Bytes that wait", "sum(penstock_queue_waiting_bytes{@P})", "bytes",
         "Bodies of requests that wait; limited by penstock.dev/queue-bytes-max.", width=6),
    timeline("Saturated", "max by (pool) (penstock_queue_saturated{@P})", "{{pool}}",
             "When a pool took no more. All day: it is too small for its load, or the limits of "
             "saturation are too low.", mapping(("has room", GREEN), ("saturated", RED)), height=6),
    row("By priority"),
    graph("Waiting", [("sum by (priority) (penstock_queue_waiting_requests{@P})",
                       "priority {{priority}}")], "none",
          "Lower ones wait while higher ones go: that is what priorities are for.", stacked=True),
    graph("Wait", quantiles("penstock_queue_wait_seconds", by="priority"), "s",
          "It ends at penstock.dev/queue-timeout."),
    graph("Refused", [(REFUSED_SHARE, "priority {{priority}}")], "percentunit",
          "Share that was answered 429 `queue_full` or `queue_timeout`.",
          thresholds=steps(GREEN, (0.05, RED))),
    graph("What became of them",
          [(rate(CAME, "result"), "{{result}}")], "reqps",
          "`passed`: there was room. `evicted`: ended for one of a higher priority. `cancelled`: "
          "their clients left.", stacked=True, width=12),
    graph("Refused by the gateway for load",
          [(rate("penstock_rejections_total", "reason",
                 '@G, reason=~"saturated|queue_full|queue_timeout|max_requests|max_waiting|evicted'
                 '|too_many_bytes_held"'), "{{reason}}")], "reqps",
          "Of all pools, those without a queue, too: `saturated` is what may be shed there.",
          width=12),
    row("By tenant"),
    graph("Waiting", [("sum by (tenant) (penstock_queue_waiting_requests{@P})", "{{tenant}}")],
          "none", "One tenant's burst waits; it is not to make others wait.", stacked=True),
    graph("Served", [(rate(CAME, "tenant", '@P, result=~"passed|waited"'), "{{tenant}}")], "reqps",
          "Requests. Shares are equal in tokens, not in requests.", stacked=True),
    graph("Refused", [(rate(CAME, "tenant", REFUSED), "{{tenant}}")], "reqps",
          "Found the queue full, or waited as long as they may.", stacked=True),
    row("Owners of API keys"),
    graph("Requests", [(rate("penstock_owner_requests_total", "owner", "@G"), "{{owner}}")],
          "reqps", "By owner, refused ones among them.", stacked=True),
    graph("Tokens", [(rate("penstock_owner_tokens_total", "owner", "@G"), "{{owner}}")], "short",
          "Tokens per second that each is charged.", stacked=True),
    graph("Refused by their limits",
          [(rate("penstock_owner_refusals_total", "owner, limit", "@G"), "{{owner}} {{limit}}")],
          "reqps", "Their Secret grants no more."),
    row("Circuit breakers"),
    graph("Refused",
          [(rate("penstock_breaker_refused_requests_total", "pool, route, limit", "@G"),
            "{{pool}}{{route}} {{limit}}")], "reqps",
          "Answered 503, or served by the pool's fallback.", width=12),
    graph("Fallbacks",
          [(rate("penstock_fallbacks_total", "pool, reason"), "{{pool}} {{reason}}")], "reqps",
          "Requests that another pool or provider served, as this one could not.", width=12),
]

QUEUES_BOARD = board("queues", "Queues and tenants",
                     "Who waits, who is refused, and who gets how much.", [POOL], QUEUES)
