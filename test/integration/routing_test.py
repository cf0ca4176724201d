"""Where requests go: affinity, load, and the matching of HTTPRoutes, over the wire."""

import json
import pathlib
import unittest

from harness import (INFERENCE_GROUP, Gate, Gateway, GatewayTest, answer, chat_answer, chat_body,
                     chat_events, eventually, http_route, inference_model, inference_pool, pod,
                     pool_of, stream_answer)

CHAT = "/v1/chat/completions"
DATA = pathlib.Path(__file__).resolve().parents[1] / "data"


class RoutingTest(GatewayTest):
    def start(self, script, count, *objects, options=("--workers", "1"), **pool):
        self.servers = [self.model_server(script) for _ in range(count)]
        gateway = self.gateway(pool_of(self.servers, **pool) + list(objects), arguments=options)
        gateway.wait_scraped()
        return gateway

    def counts(self):
        return [len(server.requests) for server in self.servers]

    def ask(self, gateway, count, text="Hello", client=None):
        client = client or self.client(gateway)
        for _ in range(count):
            client.request("POST", CHAT, body=chat_body(text))
            self.assertEqual(client.read_response().status, 200)

    def hold(self, gateway, count, text="Hello"):
        """So many requests at once, none of which is answered yet."""
        for _ in range(count):
            client = self.client(gateway)
            client.request("POST", CHAT, body=chat_body(text))
        eventually(lambda: sum(self.counts()) == count, f"{count} requests dispatched")


class PrefixTest(RoutingTest):
    def test_the_rounds_of_a_conversation_land_on_one_pod(self):
        """The manifests' own check: two log lines with `Request Handled` and one pod's name."""
        model = inference_model("/models/Qwen3-32B", targets={"/models/Qwen3-32B": 100})
        usage = {"prompt_tokens": 100, "completion_tokens": 24, "total_tokens": 124}
        gateway = self.start(stream_answer(chat_events(["Hi"], "/models/Qwen3-32B", usage)), 5,
                             model, strategy="PREFIX_CACHE")
        rounds = [(DATA / f"round{i}.json").read_bytes() for i in (1, 2)]
        for body in rounds:
            response = gateway.post(CHAT, body)
            self.assertEqual(response.status, 200)
            self.assertEqual(response.events()[-1], "[DONE]")
        first, second = gateway.wait_handled(2)
        self.assertEqual(first["message"], "Request Handled")
        self.assertEqual(first["pod"], second["pod"])
        self.assertEqual(first["prefix_hit_blocks"], 0)
        self.assertGreater(second["prefix_hit_blocks"], 0)
        self.assertEqual(first["completion_tokens"], 24)
        server = next(s for s in self.servers if s.name == first["pod"])
        self.assertEqual([r.body for r in server.requests], rounds)

    def test_many_conversations_stay_where_they_began(self):
        gateway = self.start(chat_answer(), 4, strategy="PREFIX_CACHE",
                             options=())  # as many workers as cores share what they know
        places = {}
        for turn in range(3):
            for number in range(12):
                text = f"Conversation {number}: " + "what was said before. " * 20 + \
                    "And then something more was said. " * turn
                before = self.counts()
                self.ask(gateway, 1, text)
                place = [a - b for a, b in zip(self.counts(), before)].index(1)
                self.assertEqual(places.setdefault(number, place), place, (number, turn))
        self.assertGreater(len(set(places.values())), 1, "all on one replica")
        metrics = gateway.metrics()
        self.assertGreater(metrics.sum("penstock_prefix_hit_blocks_total"), 0)
        self.assertGreater(metrics.sum("penstock_prefix_blocks_total"),
                           metrics.sum("penstock_prefix_hit_blocks_total"))
        self.assertGreater(metrics.sum("penstock_prefix_index_bytes"), 0)

    def test_users_who_share_a_line_of_instructions_are_spread_and_each_stays(self):
        gateway = self.start(chat_answer(), 2, strategy="PREFIX_CACHE",
                             options=("--workers", "1", "--seed", "1"))
        line = "You are a helpful assistant of the shop. Answer in one short sentence, politely. "
        places = {}
        for turn in range(3):
            for number in range(10):
                before = self.counts()
                question = f"Question of user {number}: " + f"what is {number}? " * 20
                self.ask(gateway, 1, line + question + "And then? What else? " * 10 * turn)
                place = [a - b for a, b in zip(self.counts(), before)].index(1)
                self.assertEqual(places.setdefault(number, place), place, (number, turn))
        # Ten draws of a half: all on one replica once in 500 times, so the seed is fixed.
        self.assertEqual(set(places.values()), {0, 1}, places)

    def test_another_model_or_salt_is_another_prefix(self):
        gateway = self.start(chat_answer(), 2, strategy="PREFIX_CACHE")
        for fields in ({}, {"model": "other"}, {"cache_salt": "mine"}):
            body = chat_body("the same words " * 50)
            gateway.post(CHAT, {**body, **fields})
        self.assertEqual([l["prefix_hit_blocks"] for l in gateway.wait_handled(3)], [0, 0, 0])

    def test_a_hot_prefix_does_not_overload_one_replica(self):
        gate = Gate("answers")
        text = "A system prompt that everybody sends. " * 50

        def script(request, connection):
            if not warm:
                gate.wait()
            chat_answer()(request, connection)

        warm = [True]
        gateway = self.start(script, 4, strategy="PREFIX_CACHE")
        self.ask(gateway, 1, text)
        warm.clear()
        before = self.counts()
        for _ in range(40):
            client = self.client(gateway)
            client.request("POST", CHAT, body=chat_body(text))
        eventually(lambda: sum(self.counts()) == 41, "40 requests dispatched")
        counts = [a - b for a, b in zip(self.counts(), before)]
        gate.open()
        gateway.wait_handled(41)
        self.assertGreaterEqual(min(counts), 5, counts)
        self.assertLessEqual(max(counts), 18, counts)

    def test_default_does_not_look_at_prefixes(self):
        gateway = self.start(chat_answer(), 4, strategy="DEFAULT")
        self.ask(gateway, 60, "the same words " * 50)
        # 60 draws of 1/4: none stays empty (probability 1e-7).
        self.assertGreater(min(self.counts()), 0)
        self.assertEqual(gateway.wait_handled(1)[0]["prefix_blocks"], 0)


class LoadTest(RoutingTest):
    def test_a_long_queue_or_a_full_cache_is_avoided(self):
        for load in ({"waiting": 20}, {"kv_cache_usage": 0.9}, {"running": 40}):
            gateway = self.start(chat_answer(), 3)
            for field, value in load.items():
                setattr(self.servers[1], field, value)
            self._wait_seen(gateway, 1, load)
            self.ask(gateway, 30)
            counts = self.counts()
            self.assertEqual(counts[1], 0, load)
            self.assertTrue(counts[0] and counts[2], counts)
            # And comes back when the load is gone.
            for field in load:
                setattr(self.servers[1], field, 0)
            self._wait_seen(gateway, 1, {field: 0 for field in load})
            self.ask(gateway, 30)
            self.assertGreater(self.counts()[1], 0, load)

    def _wait_seen(self, gateway, index, load):
        names = {"kv_cache_usage": "kv_cache_utilization_ratio"}

        def seen():
            endpoint = gateway.endpoints()[self.servers[index].name]
            return all(abs(endpoint[names.get(k, k)] - v) < 0.001 for k, v in load.items())
        eventually(seen, f"{load} seen")

    def test_sglang_says_it_in_its_own_words(self):
        def page(queued, usage):
            labels = '{engine_type="unified",model_name="m",tp_rank="0"}'
            return (f"# TYPE sglang:num_running_reqs gauge\nsglang:num_running_reqs{labels} 3.0\n"
                    f"# TYPE sglang:num_queue_reqs gauge\nsglang:num_queue_reqs{labels} {queued}\n"
                    f"# TYPE sglang:token_usage gauge\nsglang:token_usage{labels} {usage}\n"
                    ).encode()

        self.servers = [self.model_server(chat_answer()) for _ in range(2)]
        self.servers[0].metrics_page = page(12.0, 0.5)
        self.servers[1].metrics_page = page(0.0, 0.25)
        gateway = self.gateway(pool_of(self.servers, runtime="sglang"))
        gateway.wait_scraped()
        endpoints = gateway.endpoints()
        self.assertEqual([(endpoints[s.name]["waiting"], endpoints[s.name]["running"],
                           endpoints[s.name]["kv_cache_utilization_ratio"],
                           endpoints[s.name]["runtime"]) for s in self.servers],
                         [(12, 3, 0.5, "sglang"), (0, 3, 0.25, "sglang")])
        self.ask(gateway, 20)
        self.assertEqual(self.counts(), [0, 20])

    def test_a_burst_between_two_scrapes_spreads(self):
        gate = Gate("answers")

        def script(request, connection):
            gate.wait()
            chat_answer()(request, connection)

        gateway = self.start(script, 4)
        self.hold(gateway, 20)
        self.assertEqual(self.counts(), [5, 5, 5, 5])
        self.assertEqual([e["in_flight"] for e in gateway.endpoints().values()], [5] * 4)
        gateway.wait_metric("penstock_requests_in_flight", 20)
        gate.open()
        gateway.wait_handled(20)

    def test_one_waiting_request_on_a_page_does_not_outweigh_what_was_sent_since(self):
        gate = Gate("answers")

        def script(request, connection):
            gate.wait()
            chat_answer()(request, connection)

        gateway = self.start(script, 2)
        self.servers[0].waiting = 1
        self._wait_seen(gateway, 0, {"waiting": 1})
        self.hold(gateway, 40)
        self.assertIn(self.counts()[0], range(18, 23), self.counts())
        gate.open()
        gateway.wait_handled(40)

    def test_a_server_without_metrics_ranks_last_and_is_still_used(self):
        silent = self.model_server(chat_answer())
        silent.own_paths.discard("/metrics")
        silent.script = lambda request, connection: (
            answer(404)(request, connection) if request.path == "/metrics"
            else chat_answer()(request, connection))
        self.servers = [silent, self.model_server(chat_answer())]
        gateway = self.gateway(pool_of(self.servers))
        eventually(lambda: gateway.endpoints()[self.servers[1].name]["metrics_age_ms"] is not None,
                   "scraped")
        chats = lambda server: [r for r in server.requests if r.path == CHAT]
        self.ask(gateway, 20)
        # One candidate is left as long as the other's metrics are fresh, whatever the machine does.
        lines = gateway.wait_handled(20)
        self.assertEqual({l["pod"] for l in lines if l["candidates"] == 1}, {self.servers[1].name})
        gateway.write("objects.yaml", pool_of([silent]))
        gateway.wait_metric("penstock_configuration_generation", 2)
        self.ask(gateway, 1)
        self.assertEqual(len(chats(silent)), 1)

    def test_pods_that_are_not_ready_get_nothing(self):
        self.servers = [self.model_server(chat_answer()) for _ in range(2)]
        gateway = self.gateway([http_route(), inference_pool(self.servers[0].port)] + [
            pod(s.name, s.address, port=s.port, ready=i == 1)
            for i, s in enumerate(self.servers)])
        self.ask(gateway, 20)
        self.assertEqual(self.counts(), [0, 20])


class SelectionTest(RoutingTest):
    def test_a_test_chooses_endpoints_by_a_header(self):
        name = "test-epp-endpoint-selection"
        gateway = self.start(chat_answer(), 3,
                             options=("--endpoint-selection-header", name))
        gateway.wait_line("Requests choose their endpoints by a header, which is for tests",
                          header=name)
        # Further tries keep to it: the only one that may be asked refuses.
        gone, *others = self.servers
        gone.refuse()
        refused = gateway.chat(headers=[(name, gone.address)])
        self.assertEqual((refused.status, refused.json()["error"]["code"]),
                         (503, "endpoints_unreachable"))
        for server in others:
            before = self.counts()
            for place in (server.address, f"{server.address}:{server.port}") * 4:
                self.assertEqual(gateway.chat(headers=[(name.title(), place)]).status, 200)
                self.assertEqual(server.requests[-1].get(name), place, "it is passed on")
            self.assertEqual([after - count for after, count in zip(self.counts(), before)],
                             [8 if each is server else 0 for each in self.servers])
        before = self.counts()
        nowhere = gateway.chat(headers=[(name, "192.0.2.1, 192.0.2.2:8000")])
        self.assertEqual((nowhere.status, nowhere.json()["error"]["code"]), (503, "no_endpoint"))
        self.assertEqual(self.counts(), before)
        self.assertEqual(gateway.chat(headers=[(name, "")]).status, 200)

    def test_a_response_tells_a_test_which_endpoint_it_is_from(self):
        name = "x-served"
        gateway = self.start(answer(200, b"{}", [(name, "forged")]), 3,
                             options=("--served-endpoint-header", name))
        gateway.wait_line("Responses tell clients the addresses of endpoints, which is for tests",
                          header=name)
        for _ in range(8):
            before = self.counts()
            told = gateway.chat().head.all(name)
            served, = [server for server, count in zip(self.servers, before)
                       if len(server.requests) > count]
            self.assertEqual(told, [f"{served.address}:{served.port}"])

    def test_a_header_that_has_no_name_is_refused_at_start(self):
        gateway = Gateway(self.addresses.take(), [], wait_ready=False,
                          arguments=("--endpoint-selection-header", "no name"))
        self.addCleanup(gateway.stop)
        self.assertNotEqual(gateway.wait_exit(), 0)
        self.assertIn("--endpoint-selection-header: must be the name of a header",
                      "\n".join(gateway.other_output))


class PoolsTest(GatewayTest):
    """Each rule leads to a pool of its own, whose one server answers with its name."""

    def pools(self, *names):
        self.by_name = {}
        objects = []
        for name in names:
            server = self.model_server(answer(200, name.encode()))
            self.by_name[name] = server
            objects += pool_of([server], name=name)[1:]
        return objects

    @staticmethod
    def to(*names, matches=None, weights=None, **fields):
        rule = {"backendRefs": [
            {"name": n, "kind": "InferencePool", "group": INFERENCE_GROUP,
             **({"weight": weights[i]} if weights else {})} for i, n in enumerate(names)], **fields}
        return {**rule, "matches": matches} if matches else rule

    @staticmethod
    def route(rules, name="inference-route", hostnames=None):
        route = http_route(name=name)
        route["spec"]["rules"] = rules
        if hostnames:
            route["spec"]["hostnames"] = hostnames
        return route


class MatchTest(PoolsTest):
    def assert_routed(self, gateway, cases):
        for method, target, headers, host, expected in cases:
            response = gateway.request(method, target, headers, host=host)
            got = response.body.decode() if response.status == 200 else response.status
            self.assertEqual(got, expected, (method, target, headers, host))

    def test_paths_headers_queries_and_methods(self):
        prefix = lambda value: {"path": {"type": "PathPrefix", "value": value}}
        gateway = self.gateway(self.pools("exact", "deep", "get", "header", "query", "rest") + [
            self.route([
                self.to("rest", matches=[prefix("/a")]),
                self.to("exact", matches=[{"path": {"type": "Exact", "value": "/a/b"}}]),
                self.to("deep", matches=[prefix("/a/b")]),
                self.to("get", matches=[{**prefix("/a"), "method": "GET"}]),
                self.to("header", matches=[{**prefix("/a"), "headers": [
                    {"name": "X-Tier", "value": "gold"}]}]),
                self.to("query", matches=[{**prefix("/q"), "queryParams": [
                    {"name": "v", "value": "2"}]}])])])
        self.assert_routed(gateway, [
            ("GET", "/a/b", [], "h", "exact"), ("GET", "/a/b/", [], "h", "deep"),
            ("GET", "/a/b/c?x", [], "h", "deep"), ("GET", "/a/bc", [], "h", "get"),
            ("PUT", "/a/bc", [], "h", "rest"), ("PUT", "/a", [], "h", "rest"),
            ("PUT", "/ab", [], "h", 404), ("PUT", "/a", [("x-tier", "gold")], "h", "header"),
            ("PUT", "/a", [("x-tier", "Gold")], "h", "rest"),
            ("GET", "/a", [("x-tier", "gold")], "h", "get"),
            ("PUT", "/q?v=2", [], "h", "query"), ("PUT", "/q?v=1&v=2", [], "h", 404),
            ("PUT", "/q?u=1&v=2", [], "h", "query"), ("PUT", "/q", [], "h", 404),
            ("PUT", "/", [], "h", 404)])

    def test_hostnames(self):
        gateway = self.gateway(self.pools("exact", "wild", "any") + [
            self.route([self.to("any")], "any"),
            self.route([self.to("wild")], "wild", ["*.example.test"]),
            self.route([self.to("exact")], "exact", ["a.example.test"])])
        self.assert_routed(gateway, [
            ("GET", "/", [], host, expected) for host, expected in (
                ("a.example.test", "exact"), ("A.Example.TEST:81", "exact"),
                ("b.example.test", "wild"), ("c.b.example.test", "wild"),
                ("example.test", "any"), ("other.test", "any"))])

    def test_weights(self):
        gateway = self.gateway(self.pools("one", "two", "never") + [
            self.route([self.to("one", "two", "never", weights=[3, 1, 0])])])
        client = self.client(gateway)
        for _ in range(200):
            client.request("GET", "/")
            self.assertEqual(client.read_response().status, 200)
        counts = {name: len(server.requests) for name, server in self.by_name.items()}
        self.assertEqual(counts["never"], 0)
        # 200 draws of 3/4: 150 +- 6.1; eight deviations never happen.
        self.assertTrue(100 < counts["one"] < 195, counts)

    def test_an_invalid_backend_ref_costs_its_share_only(self):
        gateway = self.gateway(self.pools("good") + [
            self.route([self.to("good", "missing", weights=[1, 1])])])
        client = self.client(gateway)
        statuses = []
        for _ in range(100):
            client.request("GET", "/")
            statuses.append(client.read_response().status)
        self.assertEqual(set(statuses), {200, 500})
        self.assertTrue(10 < statuses.count(500) < 90, statuses.count(500))

    def test_rules_that_lead_nowhere_are_500_and_hide_nothing(self):
        gateway = self.gateway(self.pools("good") + [
            self.route([self.to("missing", matches=[{"path": {"value": "/missing"}}]),
                        self.to("good", weights=[0], matches=[{"path": {"value": "/zero"}}]),
                        self.to("good", matches=[{"path": {"value": "/good"}}])])])
        for path in ("/missing", "/zero"):
            response = gateway.get(path)
            self.assertEqual((response.status, response.json()["error"]["code"]),
                             (500, "no_valid_destination"))
        self.assertEqual(gateway.get("/good").body, b"good")

    def test_what_is_not_built_is_500_and_never_served_without_it(self):
        gateway = self.gateway(self.pools("good") + [
            self.route([self.to("good", matches=[{"path": {"value": "/filtered"}}], filters=[
                {"type": "ExtensionRef",
                 "extensionRef": {"group": "example.org", "kind": "Filter", "name": "f"}}]),
                self.to("good", matches=[{"path": {"value": "/plain"}}])])])
        response = gateway.get("/filtered")
        self.assertEqual((response.status, response.json()["error"]["code"]),
                         (500, "route_not_supported"))
        self.assertEqual(gateway.get("/plain").body, b"good")


class ServiceTest(GatewayTest):
    def test_a_service_is_served_over_its_endpoint_slices(self):
        servers = [self.model_server(answer(200, b"web")) for _ in range(3)]
        for server in servers:
            server.own_paths = {"/health"}
        slices = [{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                   "metadata": {"name": f"web-{i}",
                                "labels": {"kubernetes.io/service-name": "web"}},
                   "addressType": "IPv4", "ports": [{"name": "http", "port": server.port}],
                   "endpoints": [{"addresses": [server.address],
                                  "conditions": {"ready": i != 2}}]}
                  for i, server in enumerate(servers)]
        gateway = self.gateway([http_route(path="/", backendRefs=[{"name": "web", "port": 80}]), {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8000}]}}, *slices])
        client = self.client(gateway)
        for i in range(30):
            # Whatever it is, it is not read: no model is asked for.
            client.request("POST", CHAT, body=b"not json %d" % i)
            self.assertEqual(client.read_response().body, b"web")
        client.request("GET", "/v1/models")
        self.assertEqual(client.read_response().body, b"web")
        counts = [len(s.requests) for s in servers]
        self.assertEqual((sum(counts), counts[2]), (31, 0))
        self.assertGreater(min(counts[:2]), 0)


if __name__ == "__main__":
    unittest.main()
