#!/usr/bin/env python3
"""Every query of every board and rule has data, where a real Prometheus reads gateways to which
all of it happens.

    make test-boards          # needs Debian's package prometheus, which it installs
"""

import math
import pathlib
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

from harness import Deadline, eventually, exchange, free_port

from fleet import FleetTest
from prometheus import Prometheus
from queries import alerts, asked, boards, rules, selectors, substituted, variables

DATA_WITHIN_S = 75
# What promtool says of names that is meant as it is. The names of its own kind are users' and stay.
LINT_ALLOWED = set()


class BoardsTest(FleetTest):
    def setUp(self):
        super().setUp()
        address = self.addresses.take()
        self.prometheus = Prometheus(self.scratch(), address, free_port(address), self.targets)
        self.addCleanup(self.prometheus.stop)
        eventually(lambda: self.prometheus.values("up") == [1] * len(self.targets),
                   "all gateways are scraped", DATA_WITHIN_S)
        self.begin_release()

    def test_every_query_has_data_and_every_rule_is_in_order(self):
        self.wait_for_data(self.queries())
        self.check_rules()
        self.check_page()

    def queries(self):
        """{query: where it stands}, with the values that variables have."""
        found = {}
        for name, board in boards().items():
            values = {}
            for variable, metric, label in variables(board):
                values[variable] = self.wait_values(substituted(metric, values), label)
            for where, query in asked(board):
                found[substituted(query, values)] = f"{name}: {where}"
                found[substituted(query, dict.fromkeys(values, ()))] = f"{name}: {where}, of all"
        for rule in rules():
            if "record" in rule:
                found[rule["expr"]] = found[rule["record"]] = rule["record"]
        # Alerts need not fire here (rules_test.py has them do that), but what they read is there.
        for alert in alerts():
            self.assertTrue(selectors(alert["expr"]), alert)
            for selector in selectors(alert["expr"]):
                found[selector] = alert["alert"]
        self.assertGreater(len(found), 150)
        return found

    def wait_values(self, metric, label):
        return eventually(lambda: self.prometheus.label_values(metric, label),
                          f"{metric} has values of {label}", DATA_WITHIN_S)

    def wait_for_data(self, queries):
        """Each has had a number at some time: what is shown when it happens may be over."""
        missing = dict(queries)

        def ask():
            for query in list(missing):
                if any(math.isfinite(value) for value in self.prometheus.values(query)):
                    del missing[query]
            return not missing
        try:
            eventually(ask, "every query has data", DATA_WITHIN_S)
        except Deadline:
            self.fail("without data:\n" + "\n".join(
                f"{where}\n    {query}" for query, where in missing.items()))

    def check_rules(self):
        loaded = [rule for group in self.prometheus.ask("rules")["groups"]
                  for rule in group["rules"]]
        self.assertEqual(len(loaded), len(rules()))
        for rule in loaded:
            with self.subTest(rule=rule["name"]):
                self.assertEqual((rule["health"], rule.get("lastError")), ("ok", None))
        # It was rolled back, as its candidate answers nothing.
        eventually(lambda: 1 in self.prometheus.values(
            'ALERTS{alertname="PenstockReleaseRolledBack", alertstate="firing"}'),
            "the alert of a release that is rolled back fires", DATA_WITHIN_S)

    def check_page(self):
        for target in self.targets:
            host, _, port = target.partition(":")
            page = exchange(host, int(port), "GET", "/metrics").body
            done = subprocess.run(["promtool", "check", "metrics"], input=page, timeout=60,
                                  capture_output=True, check=False)
            said = set(done.stderr.decode().splitlines())
            self.assertEqual(said - LINT_ALLOWED, set(), target)


if __name__ == "__main__":
    unittest.main()
