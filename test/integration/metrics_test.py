"""The metrics page against docs/metrics.md, and what comes and goes on it."""

import pathlib
import re
import tempfile
import unittest

from harness import (GatewayTest, KubeApi, PairTest, chat_answer, chat_events, eventually,
                     free_port, gateway_objects, http_route, inference_model, inference_pool,
                     pool_of, stream_answer)

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
OF_CLUSTERS = "penstock_kube_"
ROW = re.compile(r"^\| `((?:penstock|process)_\w+)` \| (\w+) \| ([\w, ]*)\| ")


def documented():
    """{family: (type, labels)} of the tables."""
    families = {}
    for line in DOCS.read_text().splitlines():
        if match := ROW.match(line):
            name, kind, labels = match.groups()
            families[name] = (kind, {label.strip() for label in labels.split(",")} - {""})
    return families


def shown(page):
    """The same of a page; of a family without a sample the labels are None."""
    labels = {}
    for name, of_sample, _ in page.samples:
        if page.types.get(name) is None:
            name = re.sub(r"_(bucket|sum|count)$", "", name)
        labels.setdefault(name, set()).update(set(of_sample) - {"le"})
    return {name: (kind, labels.get(name)) for name, kind in page.types.items()}


class DocumentedTest(PairTest):
    runtime = "vllm"

    def test_the_page_has_what_is_documented_and_nothing_else(self):
        # A pool that serves disaggregated has the families that others have, too.
        gateway = self.start([self.good_prefill()], [self.good_decode()])
        gateway.wait_scraped()
        # And API keys, rules with names, sessions and mirrors, and a pool that learns.
        keyed = http_route("test-pool", "/keyed", "keyed", sessionPersistence={})
        keyed["spec"]["rules"][0]["name"] = "named"
        keyed["spec"]["rules"][0]["filters"] = [{"type": "RequestMirror", "requestMirror": {
            "backendRef": keyed["spec"]["rules"][0]["backendRefs"][0]}}]
        keyed["metadata"]["annotations"] = {"penstock.dev/api-keys": "app=keys"}
        queued = inference_pool(1, "queued", annotations={
            "penstock.dev/queueing": "true", "penstock.dev/max-requests": "9",
            "penstock.dev/routing-strategy": "COST"})
        refs = keyed["spec"]["rules"][0]["backendRefs"]
        refs.append({**refs[0], "name": "queued", "weight": 0})
        release = {"apiVersion": "penstock.dev/v1alpha1", "kind": "ModelRelease",
                   "metadata": {"name": "release"},
                   "spec": {"route": {"name": "keyed"}, "stable": {"name": "test-pool"},
                            "candidate": {"name": "queued"},
                            "steps": [{"weight": 5, "pause": "1h"}]}}
        gateway.write("keyed.yaml", [keyed, queued, release, {
            "apiVersion": "v1", "kind": "Secret", "stringData": {"alice": "sk-a"},
            "metadata": {"name": "keys", "labels": {"app": "keys"}}}])
        eventually(lambda: "penstock_owner_requests_total" in gateway.metrics().types,
                   "owners are shown")
        page = shown(gateway.metrics())
        docs = {name: row for name, row in documented().items() if not name.startswith(OF_CLUSTERS)}
        self.assertGreater(len(docs), 40)
        self.assertEqual(sorted(set(docs) - set(page)), [], "documented, not shown")
        self.assertEqual(sorted(set(page) - set(docs)), [], "shown, not documented")
        # Of a certificate that is served; tls_test.py has them.
        self.assertEqual(page.pop("penstock_certificate_expiry_timestamp_seconds")[0], "gauge")
        for name, (kind, labels) in page.items():
            with self.subTest(name):
                # At 0 before anything happens: an alert on a missing series never fires.
                self.assertIsNotNone(labels, "no sample")
                self.assertEqual((kind, labels), docs[name])

    def test_a_gateway_on_a_cluster_has_some_more(self):
        api = KubeApi(self.addresses.take())
        self.addCleanup(api.stop)
        with tempfile.TemporaryDirectory() as folder:
            port = free_port(api.address)
            api.apply(*gateway_objects(port))
            gateway = self.gateway([], port=port, kubeconfig=api.kubeconfig(folder))
            page = shown(gateway.metrics())
        self.assertEqual({name: row for name, row in page.items() if name.startswith(OF_CLUSTERS)},
                         {name: row for name, row in documented().items()
                          if name.startswith(OF_CLUSTERS)})

    def test_every_reason_that_is_shown_is_documented(self):
        text = DOCS.read_text()
        configuration = (DOCS.parent / "configuration.md").read_text()
        gateway = self.start([self.good_prefill()], [self.good_decode()])
        values = {(name, label, value) for name, labels, _ in gateway.metrics().samples
                  for label, value in labels.items()
                  if label in ("reason", "limit", "result", "state", "outcome", "value", "half")}
        for name, label, value in sorted(values):
            with self.subTest(name, **{label: value}):
                if name == "penstock_rejections_total":
                    continue  # the code of the error that the client gets
                where = configuration if label == "limit" else text
                self.assertIn(f"`{value}`", where)


    def test_the_number_of_gateways_is_shown(self):
        gateway = self.gateway(pool_of([self.model_server(chat_answer())]),
                               arguments=("--gateways", "3"))
        gateway.wait_metric("penstock_gateways", 3)

    def test_every_limit_that_the_program_counts_is_shown_at_0(self):
        counted = set()
        for path in (DOCS.parents[1] / "src").rglob("*.cc"):
            if not path.name.endswith("_test.cc"):
                counted |= set(re.findall(r'(?:CountLimit|on_limit_)\("(\w+)"\)', path.read_text()))
        gateway = self.start([self.good_prefill()], [self.good_decode()])
        shown_limits = {labels["limit"] for name, labels, _ in gateway.metrics().samples
                        if name == "penstock_limit_reached_total"}
        self.assertGreater(len(counted), 10)
        self.assertEqual(sorted(counted - shown_limits), [])


class ComeAndGoTest(GatewayTest):
    def test_the_series_of_a_pool_that_is_gone_are_gone(self):
        a, b = (self.model_server(chat_answer(), name=name) for name in "ab")
        objects = pool_of([a], "pool-a") + [inference_model("m", "pool-a")]
        other = [o for o in pool_of([b], "pool-b") if o["kind"] != "HTTPRoute"]
        gateway = self.gateway(objects + other + [
            http_route("pool-b", "/b", name="b")])
        gateway.wait_metric("penstock_requests_total", 0, pool="default/pool-a", model="m",
                            status="200", outcome="complete")
        self.assertIn("default/pool-a", gateway.metrics().text)
        self.assertEqual(gateway.chat(model="m").status, 200)
        gateway.wait_metric("penstock_requests_total", 1, pool="default/pool-a", model="m",
                            target_model="m", status="200")
        gateway.write("objects.yaml", other + [http_route("pool-b", "/", name="b")])
        eventually(lambda: "pool-a" not in gateway.metrics().text, "pool-a gone")
        self.assertEqual(gateway.chat(model="m").status, 200)
        gateway.wait_metric("penstock_requests_total", 1, pool="default/pool-b", status="200")
        gateway.write("objects.yaml", objects)
        # It is another pool of that name: counted from nothing, and counted.
        gateway.wait_metric("penstock_pool_endpoints", 1, pool="default/pool-a")
        eventually(lambda: gateway.chat(model="m").status == 200 and gateway.metrics().sum(
            "penstock_requests_total", pool="default/pool-a", outcome="complete") > 0, "counted")

    def test_requests_are_told_apart_by_their_target_and_their_endpoint(self):
        server = self.model_server(chat_answer())
        gateway = self.gateway(pool_of([server]) + [
            inference_model("both", targets={"left": 1, "right": 1})])
        for _ in range(30):
            self.assertEqual(gateway.chat(model="both").status, 200)
        gateway.wait_metric("penstock_requests_total", 30, model="both", status="200")
        for target in ("left", "right"):
            gateway.wait_metric_at_least("penstock_requests_total", 1, model="both",
                                         target_model=target)
        gateway.wait_metric("penstock_endpoint_requests_total", 30, pod=server.name)
        gateway.wait_metric("penstock_endpoint_first_bytes_total", 30,
                            endpoint=f"{server.address}:{server.port}")


class WhatBoardsShowTest(GatewayTest):
    """Of one answer each: what test/boards only asks for some number of."""

    def test_a_stream_of_several_tokens_has_a_time_for_each(self):
        streams = stream_answer(chat_events(["a", "b", "c"]))
        server = self.model_server(
            lambda request, connection: (streams if request.json().get("stream")
                                         else chat_answer())(request, connection))
        gateway = self.gateway(pool_of([server]))
        self.assertEqual(gateway.chat(model="m").status, 200)
        self.assertEqual(gateway.chat(model="m", stream=True).status, 200)
        gateway.wait_metric("penstock_requests_total", 2, model="m", outcome="complete")
        # The one that was no stream has none.
        gateway.wait_metric("penstock_time_per_output_token_seconds_count", 1, model="m")

    def test_a_pool_routed_by_cost_has_what_it_has_learned(self):
        server = self.model_server(stream_answer(chat_events(["a", "b", "c", "d"])))
        gateway = self.gateway(pool_of([server], annotations={
            "penstock.dev/routing-strategy": "COST"}))
        gateway.wait_metric("penstock_pool_answer_tokens", 256, pool="default/test-pool")
        gateway.wait_metric("penstock_pool_prompt_tokens_per_second", 10000)
        for _ in range(4):
            self.assertEqual(gateway.chat("word " * 2000, stream=True).status, 200)
        # As if eight answers had had 256: four of about four tokens make it 172.
        eventually(lambda: 165 < gateway.metrics().sum("penstock_pool_answer_tokens") < 180,
                   "answers are learned")

        # First tokens within 2 ms of each other are of one step, which the next one ends.
        def speed_after_one_more():
            gateway.chat("word " * 2000, stream=True)
            return gateway.metrics().sum("penstock_pool_prompt_tokens_per_second")
        eventually(lambda: speed_after_one_more() != 10000, "the speed is learned")

    def test_an_endpoint_has_its_state_its_failures_and_its_hits(self):
        server = self.model_server(chat_answer())
        gateway = self.gateway(pool_of([server], strategy="PREFIX_CACHE"))
        gateway.wait_metric("penstock_endpoint_ready", 1, pod=server.name)
        for _ in range(2):
            self.assertEqual(gateway.chat("What was said before. " * 40).status, 200)
        page = gateway.metrics()
        blocks = page.sum("penstock_endpoint_prefix_blocks_total", pod=server.name)
        self.assertGreater(blocks, 2)
        self.assertEqual(page.sum("penstock_endpoint_prefix_hit_blocks_total", pod=server.name),
                         blocks / 2)
        self.assertEqual(page.sum("penstock_endpoint_failures_total", pod=server.name), 0)
        server.close()
        self.assertEqual(gateway.chat().status, 503)
        gateway.wait_metric_at_least("penstock_endpoint_failures_total", 1, pod=server.name)
        gateway.wait_metric("penstock_endpoint_ready", 0, pod=server.name)


class OutOfRangeTest(GatewayTest):
    def test_a_value_that_cannot_be_is_refused_counted_and_never_shown(self):
        servers = [self.model_server(chat_answer()) for _ in range(2)]
        servers[0].metrics_page = (b"vllm:num_requests_waiting 1e39\nvllm:num_requests_running 1\n"
                                   b"vllm:kv_cache_usage_perc -inf\n")
        gateway = self.gateway(pool_of(servers))
        eventually(lambda: gateway.metrics().sum("penstock_scrape_refused_values_total",
                                                 value="waiting_requests") > 1, "counted")
        gateway.wait_metric_at_least("penstock_scrape_refused_values_total", 1,
                                     value="kv_cache_utilization_ratio")
        endpoints = gateway.endpoints()
        self.assertIsNone(endpoints[servers[0].name]["waiting"])
        self.assertEqual(endpoints[servers[0].name]["state"], "unknown")
        eventually(lambda: gateway.endpoints()[servers[1].name]["state"] == "ready", "read")
        # One whose load is not known ranks behind the other.
        for _ in range(10):
            self.assertEqual(gateway.chat().status, 200)
        self.assertEqual(len([r for r in servers[0].requests if r.method == "POST"]), 0)


if __name__ == "__main__":
    unittest.main()
