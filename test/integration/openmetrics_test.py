"""The metrics page in OpenMetrics: its grammar, exemplars, and the names of other gateways."""

import re
import subprocess
import tempfile
import time
import unittest

from harness import (DEADLINE_S, Collector, GatewayTest, PairTest, chat_answer, exchange,
                     free_port, penstock, pool_of)

PROMETHEUS = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
              "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
ESCAPED = r'(?:[^"\\\n]|\\["\\n])*'
LABEL = re.compile(rf'([a-zA-Z_][a-zA-Z0-9_]*)="({ESCAPED})"(?:,(?!\}})|(?=\}}))')
NUMBER = r"(?:[-+]?[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?|[-+]Inf|NaN)"
LABELS = rf'\{{((?:[a-zA-Z_][a-zA-Z0-9_]*="{ESCAPED}",?)+)\}}'
SAMPLE = re.compile(rf"({NAME})(?:{LABELS})? ({NUMBER})"
                    rf"(?: # {LABELS} ({NUMBER}) ([0-9]+(?:\.[0-9]+)?))?\Z")
SUFFIXES = {"counter": ["_total", "_created"], "gauge": [""], "unknown": [""],
            "histogram": ["_bucket", "_sum", "_count", "_created"]}


def labels_of(text):
    found = LABEL.findall((text or "") + "}")
    assert len(found) == len({name for name, _ in found}), text
    return dict(found)


class OpenMetrics:
    """A page that is read strictly: whatever the format forbids fails an assertion."""

    def __init__(self, text):
        assert text.endswith("\n# EOF\n") and text.count("# EOF") == 1, text[-80:]
        self.types = {}
        self.helps = set()
        self.samples = {}  # {(name, labels sorted): number}
        self.exemplars = []  # (name, labels, labels of the exemplar, value, time)
        family = None
        for line in text[:-len("# EOF\n")].splitlines():
            if match := re.fullmatch(rf"# (HELP|TYPE) ({NAME}) (.*)", line):
                what, name, rest = match.groups()
                if what == "HELP":
                    assert name not in self.helps, f"twice: {line}"
                    assert re.fullmatch(ESCAPED, rest), line
                    self.helps.add(name)
                else:
                    assert name not in self.types and rest in SUFFIXES, line
                    self.types[name] = rest
                family = name
            else:
                self._read_sample(family, line)
        taken = {}
        for name, kind in self.types.items():
            for sample in {name, *(name + suffix for suffix in SUFFIXES[kind])}:
                assert taken.setdefault(sample, name) == name, f"{sample}: {taken[sample]}, {name}"
        self._check_histograms()

    def _read_sample(self, family, line):
        match = SAMPLE.match(line)
        assert match, f"not a sample: {line!r}"
        name, labels, number, exemplar, value, at = match.groups()
        kind = self.types[family]
        suffix = name.removeprefix(family)
        assert name.startswith(family) and suffix in SUFFIXES[kind], f"not of {family}: {line!r}"
        key = (name, tuple(sorted(labels_of(labels).items())))
        assert key not in self.samples, f"twice: {line!r}"
        self.samples[key] = float(number)
        if kind in ("counter", "histogram"):
            assert float(number) >= 0, line
        if exemplar is not None:
            assert suffix in ("_bucket", "_total"), line
            of = labels_of(exemplar)
            assert sum(len(k) + len(v) for k, v in of.items()) <= 128, line
            self.exemplars.append((name, dict(key[1]), of, float(value), float(at)))
            if suffix == "_bucket":
                assert float(value) <= float(dict(key[1])["le"]), line

    def _check_histograms(self):
        """Bounds ascend and are written one way, counts do not fall, and end in what is counted."""
        series = {}
        for (name, labels), number in self.samples.items():
            if self.types.get(name.removesuffix("_bucket")) == "histogram":
                bound = dict(labels)["le"]
                assert re.fullmatch(r"[0-9]+\.[0-9]+|[0-9.]+e[-+][0-9]+|\+Inf", bound), bound
                rest = tuple(pair for pair in labels if pair[0] != "le")
                series.setdefault((name, rest), []).append((float(bound), number))
        for (name, labels), buckets in series.items():
            assert buckets == sorted(buckets) and buckets[-1][0] == float("inf"), (name, labels)
            assert [n for _, n in buckets] == sorted(n for _, n in buckets), (name, labels)
            stem = name.removesuffix("_bucket")
            assert self.samples[(stem + "_count", labels)] == buckets[-1][1], (name, labels)
            assert (stem + "_sum", labels) in self.samples, (name, labels)

    def of(self, name):
        """{labels: number} of one name."""
        return {labels: number for (n, labels), number in self.samples.items() if n == name}


def page_of(gateway, accept=PROMETHEUS):
    response = exchange(gateway.address, gateway.admin_port, "GET", "/metrics",
                        headers=[("accept", accept)])
    assert response.status == 200
    return response


class FormatTest(PairTest):
    runtime = "vllm"

    def test_who_prefers_it_gets_a_page_without_a_fault(self):
        gateway = self.start([self.good_prefill()], [self.good_decode()], arguments=(
            "--metrics-names", "llm-d,v0.5.1"))
        gateway.wait_scraped()
        gateway.chat(model='of "quotes" and \\ strokes')
        response = page_of(gateway)
        self.assertEqual(response.get("content-type"),
                         "application/openmetrics-text; version=1.0.0; charset=utf-8")
        page = OpenMetrics(response.body.decode())
        self.assertEqual(page.types["penstock_requests"], "counter")
        self.assertEqual(page.types["llm_d_epp_request"], "counter")
        self.assertEqual(page.types["inference_model_request"], "counter")
        # A gauge and a counter of one name: both are there.
        self.assertEqual(page.types["penstock_downstream_connections"], "gauge")
        self.assertEqual(page.types["penstock_downstream_connections_total"], "unknown")
        # It has the samples that the other one has.
        text = gateway.metrics()
        self.assertEqual({name for name, _ in page.samples}, set(text.names()))

    def test_everybody_else_gets_text(self):
        gateway = self.start([self.good_prefill()], [self.good_decode()])
        for accept in ("*/*", "text/plain", "application/openmetrics-text;q=0.1,text/plain"):
            response = page_of(gateway, accept)
            self.assertEqual(response.get("content-type"),
                             "text/plain; version=0.0.4; charset=utf-8")
            self.assertNotIn(b"# EOF", response.body)
        self.assertEqual(gateway.admin("/metrics").get("content-type"),
                         "text/plain; version=0.0.4; charset=utf-8")


class ExemplarTest(GatewayTest):
    def start(self):
        address = self.addresses.take()
        collector = Collector(address, free_port(address))
        self.addCleanup(self._end_server, collector)
        return self.gateway(pool_of([self.model_server(chat_answer())]),
                            arguments=("--traces", collector.url, "--trace-ratio", "0"))

    def test_a_bucket_names_the_trace_of_its_last_sampled_request(self):
        gateway = self.start()
        before = time.time()
        self.assertEqual(gateway.chat().status, 200)  # not sampled
        gateway.wait_metric("penstock_request_duration_seconds_count", 1)
        self.assertEqual(OpenMetrics(page_of(gateway).body.decode()).exemplars, [])
        gateway.chat(headers=[("traceparent", f"00-{TRACE}-{CALLER}-01")])
        gateway.wait_metric("penstock_request_duration_seconds_count", 2)
        exemplars = OpenMetrics(page_of(gateway).body.decode()).exemplars
        self.assertEqual(sorted(name for name, *_ in exemplars),
                         ["penstock_request_duration_seconds_bucket",
                          "penstock_time_to_first_token_seconds_bucket"])
        for _, labels, of, value, at in exemplars:
            self.assertEqual(labels["pool"], "default/test-pool")
            self.assertEqual(set(of), {"trace_id", "span_id"})
            self.assertEqual(of["trace_id"], TRACE)
            self.assertRegex(of["span_id"], r"^[0-9a-f]{16}$")
            self.assertNotEqual(of["span_id"], CALLER)
            self.assertGreater(value, 0)
            self.assertTrue(before - 1 <= at <= time.time() + 1, at)
        self.assertNotIn("trace_id", gateway.metrics().text)


class OtherNamesTest(GatewayTest):
    def test_the_same_numbers_under_their_names(self):
        server = self.model_server(chat_answer())
        gateway = self.gateway(pool_of([server]), arguments=("--metrics-names", "llm-d,v0.5.1"))
        gateway.wait_scraped()
        for _ in range(3):
            self.assertEqual(gateway.chat().status, 200)
        gateway.wait_metric("penstock_requests_total", 3, status="200")
        page = gateway.metrics()
        model = {"model_name": "test-model", "target_model_name": "test-model"}
        for theirs in ("llm_d_epp_request_total", "inference_model_request_total"):
            self.assertEqual(page.sum(theirs, **model), 3)
        for ours, theirs in (
                ("penstock_request_duration_seconds", "llm_d_epp_request_duration_seconds"),
                ("penstock_request_duration_seconds", "inference_model_request_duration_seconds"),
                ("penstock_time_to_first_token_seconds", "llm_d_epp_request_ttft_seconds")):
            self.assertEqual(page.types[theirs], "histogram")
            for suffix in ("_sum", "_count"):
                self.assertEqual(page.sum(theirs + suffix, **model),
                                 page.sum(ours + suffix, model="test-model"))
            for le in ("0.001", "1", "+Inf"):
                self.assertEqual(page.sum(theirs + "_bucket", le=le, **model),
                                 page.sum(ours + "_bucket", le=le, model="test-model"))
        waiting = page.sum("penstock_endpoint_waiting_requests")
        for theirs, label, value in (
                ("llm_d_epp_ready_endpoints", None, 1),
                ("inference_pool_ready_pods", None, 1),
                ("inference_pool_average_queue_size", None, waiting),
                ("inference_pool_per_pod_queue_size", "model_server_pod", waiting),
                ("llm_d_epp_per_endpoint_queue_size", "model_server_endpoint", waiting)):
            labels = {"name": "test-pool", **({label: server.name} if label else {})}
            self.assertEqual([sample for sample in page.samples if sample[0] == theirs],
                             [(theirs, labels, value)])

    def test_are_not_there_unless_they_are_asked_for(self):
        gateway = self.gateway(pool_of([self.model_server(chat_answer())]))
        self.assertEqual([name for name in gateway.metrics().types
                          if not name.startswith(("penstock_", "process_"))], [])

    def test_an_unknown_word_is_an_error_that_lists_them(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([penstock(), "serve", folder, "--metrics-names", "llmd"],
                                  capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn('--metrics-names: must be a list of llm-d, v0.5.1, got "llmd"', done.stderr)


if __name__ == "__main__":
    unittest.main()
