#!/usr/bin/env python3
"""Each alert fires on what it is for, and stays quiet beside it: promtool in virtual time.

    make test-boards          # needs Debian's package prometheus, which it installs
"""

import pathlib
import subprocess
import sys
import tempfile
import unittest

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from queries import RULES, alerts, rules

STEP_S = 60
LENGTH = 130  # steps: what stands still for an hour is to be told
AT = "2h"


def steady(value):
    return f"{value}x{LENGTH}"


def rising(each_step):
    return f"0+{each_step}x{LENGTH}"


def gauge(name, value):
    return {name: steady(value)}


def counter(name, each_step):
    return {name: rising(each_step)}


REQUESTS = 'penstock_requests_total{pool="p", status="200", outcome="complete"}'
WELL = counter(REQUESTS, 30)  # one each second


def failed(status, outcome, each_step):
    return counter(f'penstock_requests_total{{pool="p", status="{status}", outcome="{outcome}"}}',
                   each_step)


def first_bytes(late, bound="10"):
    """A hundred answers each step, so many of them after more than 10 s (OpenMetrics: "10.0")."""
    name = "penstock_time_to_first_token_seconds"
    return {f'{name}_bucket{{pool="p", le="{bound}"}}': rising(100 - late),
            f'{name}_bucket{{pool="p", le="+Inf"}}': rising(100),
            f'{name}_count{{pool="p"}}': rising(100)}


def endpoints(**states):
    return {f'penstock_pool_endpoints{{instance="g", pool="p", state="{state}"}}': steady(count)
            for state, count in states.items()}


def phase(name):
    return gauge(f'penstock_release_phase{{release="r", phase="{name}"}}', 1)


EVERY_HOUR = "1600000000+0x60 1600003000+0x70"
OFTEN = f"1+1x{LENGTH}"
CERTIFICATE = 'penstock_certificate_expiry_timestamp_seconds{listener="l", from="s"}'
NOW_S = 2 * 3600
DAY_S = 86400
QUEUED = 'penstock_queue_requests_total{pool="p", priority="0", tenant="t", result="%s"}'
# Alert: labels that it has, series with which it fires, series with which it does not.
CASES = {
    "PenstockGatewayDown": ({"job": "penstock", "instance": "g"},
                            gauge('up{job="penstock", instance="g"}', 0),
                            gauge('up{job="penstock", instance="g"}', 1)),
    "PenstockNoGateway": ({},
                          gauge('up{job="another", instance="g"}', 1),
                          gauge('up{job="penstock", instance="g"}', 1)),
    "PenstockRestarts": ({"job": "penstock", "instance": "g"},
                         {'process_start_time_seconds{job="penstock", instance="g"}': OFTEN},
                         {'process_start_time_seconds{job="penstock", instance="g"}': EVERY_HOUR}),
    "PenstockConfigurationRejected": (
        {"instance": "g"}, gauge('penstock_configuration_rejected{instance="g"}', 1),
        gauge('penstock_configuration_rejected{instance="g"}', 0)),
    "PenstockCertificateEnds": ({"listener": "l", "from": "s"},
                                gauge(CERTIFICATE, NOW_S + 13 * DAY_S),
                                gauge(CERTIFICATE, NOW_S + 20 * DAY_S)),
    "PenstockCertificateEndsNow": ({"listener": "l", "from": "s"},
                                   gauge(CERTIFICATE, NOW_S + DAY_S),
                                   gauge(CERTIFICATE, NOW_S + 13 * DAY_S)),
    "PenstockOpenFiles": (
        {"job": "penstock", "instance": "g"},
        gauge('process_open_fds{job="penstock", instance="g"}', 900)
        | gauge('process_max_fds{job="penstock", instance="g"}', 1000),
        gauge('process_open_fds{job="penstock", instance="g"}', 700)
        | gauge('process_max_fds{job="penstock", instance="g"}', 1000)),
    "PenstockCannotAccept": (
        {"instance": "g", "reason": "EMFILE"},
        counter('penstock_accept_failures_total{instance="g", reason="EMFILE"}', 1),
        counter('penstock_accept_failures_total{instance="g", reason="EMFILE"}', 0)),
    "PenstockCannotConnect": (
        {"instance": "g", "reason": "unreachable"},
        counter('penstock_own_connect_failures_total{instance="g", reason="unreachable"}', 1),
        counter('penstock_own_connect_failures_total{instance="g", reason="unreachable"}', 0)),
    "PenstockLimitReached": (
        {"instance": "g", "limit": "held_bytes"},
        counter('penstock_limit_reached_total{instance="g", limit="held_bytes"}', 1),
        counter('penstock_limit_reached_total{instance="g", limit="model_label_values"}', 1)
        | counter('penstock_limit_reached_total{instance="g", limit="held_bytes"}', 0)),
    "PenstockLogLinesDropped": ({"instance": "g"},
                                counter('penstock_log_lines_dropped_total{instance="g"}', 1),
                                counter('penstock_log_lines_dropped_total{instance="g"}', 0)),
    "PenstockNoLeader": ({}, gauge('penstock_kube_leader{instance="g"}', 0)
                         | gauge('penstock_kube_leader{instance="h"}', 0),
                         gauge('penstock_kube_leader{instance="g"}', 0)
                         | gauge('penstock_kube_leader{instance="h"}', 1)),
    "PenstockStatusNotWritten": (
        {"result": "forbidden"},
        counter('penstock_kube_status_writes_total{result="forbidden"}', 1),
        counter('penstock_kube_status_writes_total{result="written"}', 1)),
    "PenstockHostsNotFound": (
        {"instance": "g", "result": "failed"},
        counter('penstock_dns_lookups_total{instance="g", result="failed"}', 1),
        counter('penstock_dns_lookups_total{instance="g", result="found"}', 1)),
    "PenstockErrors": ({"pool": "p"}, WELL | failed(503, "rejected", 3),
                       WELL | failed(503, "rejected", 1) | failed(429, "rejected", 30)),
    "PenstockTtftBurnsFast": ({"pool": "p"}, first_bytes(20), first_bytes(10)),
    "PenstockTtftBurns": ({"pool": "p"}, first_bytes(10, "10.0"), first_bytes(4, "10.0")),
    "PenstockPoolWithoutEndpoint": (
        {"pool": "p", "instance": "g"}, endpoints(ready=0, stale=0, ejected=2, silent=1),
        endpoints(ready=0, stale=1, ejected=2, silent=1)),
    "PenstockEndpointsEjected": ({"pool": "p", "instance": "g"},
                                 endpoints(ready=2, ejected=1, silent=0),
                                 endpoints(ready=9, ejected=1, silent=0)),
    "PenstockEndpointFails": (
        {"pool": "p", "pod": "e"},
        gauge('penstock_endpoint_ready{pool="p", pod="e"}', 0)
        | counter('penstock_endpoint_failures_total{pool="p", pod="e"}', 1),
        gauge('penstock_endpoint_ready{pool="p", pod="e"}', 0)
        | counter('penstock_endpoint_failures_total{pool="p", pod="e"}', 0)),
    "PenstockRetries": ({"pool": "p"},
                        WELL | counter('penstock_retries_total{pool="p", reason="reset"}', 6),
                        WELL | counter('penstock_retries_total{pool="p", reason="reset"}', 1)),
    "PenstockFallbackServes": (
        {"pool": "p", "reason": "saturated"},
        counter('penstock_fallbacks_total{pool="p", reason="saturated"}', 1),
        counter('penstock_fallbacks_total{pool="p", reason="saturated"}', 0)),
    "PenstockEndpointsStale": ({"pool": "p", "instance": "g"}, endpoints(ready=2, stale=1),
                               endpoints(ready=9, stale=1, unknown=1)),
    "PenstockScrapesFail": (
        {"instance": "g"},
        counter('penstock_scrape_failures_total{instance="g", reason="timeout"}', 10)
        | counter('penstock_scrapes_total{instance="g"}', 20),
        counter('penstock_scrape_failures_total{instance="g", reason="timeout"}', 1)
        | counter('penstock_scrapes_total{instance="g"}', 20)),
    "PenstockEndpointTlsFails": (
        {"instance": "g", "result": "bad_peer"},
        counter('penstock_endpoint_tls_handshakes_total{instance="g", result="bad_peer"}', 1),
        counter('penstock_endpoint_tls_handshakes_total{instance="g", result="closed"}', 1)),
    "PenstockQueueRefuses": ({"pool": "p", "priority": "0"},
                             counter(QUEUED % "expired", 10) | counter(QUEUED % "passed", 30),
                             counter(QUEUED % "expired", 1) | counter(QUEUED % "waited", 30)),
    "PenstockPoolSaturated": (
        {"pool": "p", "instance": "g"},
        gauge('penstock_queue_saturated{pool="p", instance="g"}', 1),
        {'penstock_queue_saturated{pool="p", instance="g"}': "1 1 1 1 1 0 " * 25}),
    "PenstockSheds": (
        {"instance": "g", "reason": "saturated"},
        counter('penstock_rejections_total{instance="g", reason="saturated"}', 1),
        counter('penstock_rejections_total{instance="g", reason="route_not_found"}', 1)),
    "PenstockBreakerOpen": (
        {"pool": "p", "limit": "max_requests"},
        counter('penstock_breaker_refused_requests_total{pool="p", route="", '
                'limit="max_requests"}', 1),
        counter('penstock_breaker_refused_requests_total{pool="p", route="", '
                'limit="max_requests"}', 0)),
    "PenstockKvLeasesAbandoned": (
        {"pool": "p"}, WELL | counter('penstock_kv_leases_abandoned_total{pool="p"}', 2),
        WELL | counter('penstock_kv_leases_abandoned_total{pool="p"}', 0)),
    "PenstockKvLeasesExpired": ({"pool": "p"},
                                counter('penstock_kv_leases_expired_total{pool="p"}', 1),
                                counter('penstock_kv_leases_expired_total{pool="p"}', 0)),
    "PenstockPrefillRecomputed": ({"pool": "p"},
                                  counter('penstock_prefill_recomputed_total{pool="p"}', 1),
                                  counter('penstock_prefill_recomputed_total{pool="p"}', 0)),
    "PenstockHalvesFail": (
        {"pool": "p", "half": "decode"},
        WELL | counter('penstock_half_failures_total{pool="p", half="decode", reason="reset"}', 3),
        WELL | counter('penstock_half_failures_total{pool="p", half="decode", reason="reset"}', 1)),
    "PenstockReleaseRolledBack": ({"release": "r"}, phase("RolledBack"), phase("Promoted")),
    "PenstockReleaseStopped": ({"release": "r", "phase": "Holding"}, phase("Holding"),
                               phase("Progressing")),
    "PenstockReleaseStateNotWritten": (
        {"instance": "g"},
        counter('penstock_release_state_write_failures_total{instance="g"}', 1),
        counter('penstock_release_state_write_failures_total{instance="g"}', 0)),
}


def unit_test(alert, labels, series, fires):
    name = alert["alert"]
    shown = {"alertname": name, "alertstate": "firing", **alert["labels"], **labels}
    text = ", ".join(f'{label}="{value}"' for label, value in shown.items())
    return {"interval": f"{STEP_S}s", "name": f"{name} {'fires' if fires else 'does not fire'}",
            "input_series": [{"series": each, "values": values}
                             for each, values in series.items()],
            "promql_expr_test": [{
                "expr": f'ALERTS{{alertname="{name}", alertstate="firing"}}', "eval_time": AT,
                "exp_samples": [{"labels": f"ALERTS{{{text}}}", "value": 1}] if fires else []}]}


class RulesTest(unittest.TestCase):
    def promtool(self, *arguments):
        done = subprocess.run(["promtool", *arguments], capture_output=True, text=True,
                              timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_promtool_takes_the_files(self):
        self.promtool("check", "rules", "--lint-fatal", str(RULES))
        self.promtool("check", "config", str(RULES.parent / "prometheus.yaml"))

    def test_each_alert_fires_and_does_not(self):
        """With what it needs of the other rules alone: all of them each time would take minutes."""
        recorded = [rule for rule in rules() if "record" in rule]
        by_name = {alert["alert"]: alert for alert in alerts()}
        self.assertEqual(sorted(by_name), sorted(CASES))
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for name, (labels, firing, quiet) in CASES.items():
                alert = by_name[name]
                needed = recorded if "pool:" in alert["expr"] else []
                written = pathlib.Path(folder) / f"{name}.rules.yaml"
                written.write_text(yaml.safe_dump({"groups": [
                    {"name": "needed", "rules": [*needed, alert]}]}))
                paths.append(pathlib.Path(folder) / f"{name}.test.yaml")
                paths[-1].write_text(yaml.safe_dump({
                    "rule_files": [str(written)], "evaluation_interval": f"{STEP_S}s",
                    "tests": [unit_test(alert, labels, firing, True),
                              unit_test(alert, labels, quiet, False)]}))
            self.promtool("test", "rules", *map(str, paths))


if __name__ == "__main__":
    unittest.main()
