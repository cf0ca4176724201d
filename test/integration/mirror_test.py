"""RequestMirror filters of HTTPRoutes over the wire. Tests named HTTPRoute... repeat the cases of
those tests of the Gateway API's conformance suite."""

import unittest

from harness import (Gate, GatewayTest, answer, chat_answer, chat_body, chat_events, eventually,
                     hang, inference_model, pod, pool_of, refuse_with_reset, stream_answer)

CHAT = "/v1/chat/completions"


def service(name):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": [{"port": 80}]}}


def mirror(name, kind="Service", **fields):
    ref = {"name": name, "port": 80} if kind == "Service" else {
        "name": name, "kind": kind, "group": "inference.networking.x-k8s.io"}
    return {"type": "RequestMirror", "requestMirror": {"backendRef": ref, **fields}}


def route(*rules):
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": "inference-route"},
            "spec": {"parentRefs": [{"name": "inference-gateway"}], "rules": list(rules)}}


def rule(path, name, *filters, **backend):
    return {"matches": [{"path": {"type": "PathPrefix", "value": path}}],
            "backendRefs": [{"name": name, "port": 80, **backend}], "filters": list(filters)}


class MirrorCase(GatewayTest):
    def servers_of(self, **scripts):
        """A Service with one Pod each, by name."""
        self.servers = {name: self.model_server(script, name=name)
                        for name, script in scripts.items()}
        return [o for name, server in self.servers.items()
                for o in (service(name), pod(name, server.address, name, server.port))]

    def start(self, *rules, objects=(), arguments=(), **scripts):
        scripts = {"web": answer(200, b"served"), **scripts}
        self.gate = self.gateway([route(*rules), *self.servers_of(**scripts), *objects],
                                 arguments=arguments)
        return self.gate

    def wait_mirrored(self, count=1, **labels):
        self.gate.wait_metric("penstock_mirrored_requests_total", count, **labels)

    def asked(self, name):
        return self.servers[name].requests


class MirrorTest(MirrorCase):
    def test_HTTPRouteRequestMirror(self):
        edit = {"type": "RequestHeaderModifier", "requestHeaderModifier": {
            "set": [{"name": "X-Header-Set", "value": "set-overwrites-values"}],
            "add": [{"name": "X-Header-Add", "value": "header-val-1"}],
            "remove": ["X-Header-Remove"]}}
        self.start(rule("/mirror", "web", mirror("copy")),
                   rule("/mirror-and-modify-headers", "web", edit, mirror("copy")),
                   copy=answer(404, b"thrown away"))
        self.assertEqual(self.gate.get("/mirror?a=b").body, b"served")
        got = self.servers["copy"].wait_requests(1)[0]
        self.assertEqual((got.method, got.target), ("GET", "/mirror?a=b"))
        response = self.gate.request("POST", "/mirror-and-modify-headers",
                                     [("X-Header-Remove", "a"), ("X-Header-Set", "b")], b"body")
        self.assertEqual((response.status, response.body), (200, b"served"))
        got = self.servers["copy"].wait_requests(2)[1]
        self.assertEqual(got.body, b"body")
        original = self.asked("web")[1]
        self.assertEqual(got.get("x-header-set"), "set-overwrites-values")
        self.assertEqual(got.get("x-header-add"), "header-val-1")
        self.assertIsNone(got.get("x-header-remove"))
        self.assertEqual(got.get("x-request-id"), original.get("x-request-id"))
        self.assertEqual(got.get("host"), original.get("host"))
        self.wait_mirrored(2, route="default/inference-route", result="answered")

    def test_HTTPRouteRequestMultipleMirrors(self):
        self.start(rule("/multi-mirror", "web", mirror("one"), mirror("two")),
                   one=answer(200), two=answer(200))
        for i in range(20):
            self.assertEqual(self.gate.post("/multi-mirror", b"%d" % i).body, b"served")
        for name in ("one", "two"):
            self.servers[name].wait_requests(20)
            self.assertEqual(sorted(r.body for r in self.asked(name)),
                             sorted(b"%d" % i for i in range(20)))
        self.wait_mirrored(40, result="answered")

    def test_HTTPRouteRequestPercentageMirror(self):
        """The bounds are those of 400 draws: less than one run in a million leaves them."""
        self.start(rule("/percent-0", "web", mirror("none", percent=0)),
                   rule("/percent-25", "web", mirror("some", percent=25)),
                   rule("/fraction", "web", mirror("half", fraction={"numerator": 1,
                                                                   "denominator": 2})),
                   none=answer(200), some=answer(200), half=answer(200))
        client = self.client(self.gate)
        for path in ("/percent-0", "/percent-25", "/fraction"):
            for _ in range(400):
                client.request("GET", path)
                self.assertEqual(client.read_response().body, b"served")
        counts = {n: len(self.asked(n)) for n in ("none", "some", "half")}
        self.gate.wait_given_back()
        self.assertEqual(counts["none"], 0)
        self.assertTrue(55 <= counts["some"] <= 145, counts)
        self.assertTrue(150 <= counts["half"] <= 250, counts)

    def test_mirrors_of_a_backend_are_for_requests_to_it(self):
        rules = rule("/", "web", filters=[mirror("copy")])
        rules["backendRefs"].append({"name": "other", "port": 80})
        self.start(rules, copy=answer(200), other=answer(200, b"other"))
        for _ in range(40):
            self.gate.get("/")
        self.wait_mirrored(len(self.asked("web")), result="answered")
        self.assertLess(len(self.asked("web")), 40)

    def test_a_copy_to_a_pool_has_the_model_that_the_pool_serves(self):
        pool = self.model_server(chat_answer(), model="model-b")
        objects = [*pool_of([pool], name="shadow")[1:],
                   inference_model("model-a", "shadow", {"model-b": 1})]
        self.start(rule("/v1", "web", mirror("shadow", "InferencePool")), objects=objects)
        body = chat_body(model="model-a")
        self.assertEqual(self.gate.post(CHAT, body).body, b"served")
        self.assertEqual(self.asked("web")[0].json()["model"], "model-a")
        got = pool.wait_requests(1)[0]
        self.assertEqual(got.json(), {**body, "model": "model-b"})
        self.wait_mirrored(1, result="answered")
        self.assertEqual(self.gate.post(CHAT, chat_body(model="stranger")).body, b"served")
        self.wait_mirrored(1, result="no_model")
        self.assertEqual(self.gate.post(CHAT, b"no json").body, b"served")
        self.wait_mirrored(1, result="unreadable")
        self.assertEqual(len(pool.requests), 1)

    def test_a_mirror_that_does_not_resolve_is_told_and_the_rest_is_served(self):
        self.start(rule("/", "web", mirror("missing"), mirror("copy")), copy=answer(200))
        self.assertEqual(self.gate.get("/").body, b"served")
        self.servers["copy"].wait_requests(1)
        self.assertIn("missing", self.gate.admin("/get?kind=routes&output=describe").body.decode())


class MirrorFaultTest(MirrorCase):
    """Whatever becomes of copies, requests are answered as if there were none."""

    def assert_served(self, count=20):
        events = chat_events(["Hel", "lo"], "test-model")
        client = self.client(self.gate)
        for i in range(count):
            client.request("POST", CHAT, body=chat_body(f"question {i}", stream=True))
            response = client.read_response()
            self.assertEqual(response.status, 200)
            self.assertEqual(response.body, b"".join(events))
        self.assertEqual(len(self.asked("web")), count)

    def start_with(self, script, arguments=()):
        self.start(rule("/", "web", mirror("copy")), copy=script, arguments=arguments,
                   web=stream_answer(chat_events(["Hel", "lo"], "test-model")))

    def test_a_dead_mirror(self):
        self.start_with(answer(200))
        self.servers["copy"].refuse()
        self.assert_served()
        self.wait_mirrored(20, result="failed")

    def test_a_mirror_that_resets(self):
        self.start_with(refuse_with_reset())
        self.assert_served()
        self.wait_mirrored(20, result="failed")

    def test_a_hung_mirror_is_left_after_its_time(self):
        self.start_with(hang(), ["--timeout", "mirror_timeout=200ms"])
        self.assert_served()
        self.wait_mirrored(20, result="timeout")
        self.gate.wait_metric("penstock_limit_reached_total", 20, limit="mirror_timeout")

    def test_copies_under_way_are_limited(self):
        self.start_with(hang(), ["--limit", "mirrors=3", "--workers", "1"])
        self.assert_served()
        self.wait_mirrored(17, result="too_many")
        self.gate.wait_metric("penstock_limit_reached_total", 17, limit="mirrors")
        self.assertEqual(len(self.servers["copy"].wait_requests(3)), 3)
        self.servers["copy"].kill()
        self.wait_mirrored(3, result="failed")

    def test_bodies_of_copies_are_limited(self):
        self.start_with(answer(200), ["--limit", "mirror_bytes=100000", "--workers", "1"])
        self.assert_served(3)
        self.gate.post("/", b"x" * 100_001)
        self.wait_mirrored(1, result="too_large")
        self.wait_mirrored(3, result="answered")

    def test_a_mirror_that_never_stops_answering(self):
        def script(request, connection):
            connection.send_head(200, [("Transfer-Encoding", "chunked")])
            try:
                while True:
                    connection.send_chunk(b"x" * 65536)
            except OSError:
                pass
        self.start_with(script, ["--limit", "mirror_response_bytes=1000000"])
        self.assert_served(5)
        self.wait_mirrored(5, result="cut")

    def test_a_client_that_leaves_takes_no_copy_with_it(self):
        gate = Gate("answer of the copy")

        def script(request, connection):
            gate.wait()
            answer(200)(request, connection)
        self.start(rule("/", "web", mirror("copy")), web=hang(), copy=script)
        client = self.client(self.gate)
        body = b"y" * 300_000
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        got = self.servers["copy"].wait_requests(1)[0]
        client.close()
        self.gate.wait_handled(1)
        gate.open()
        self.wait_mirrored(1, result="answered")
        self.assertEqual(got.body, body)

    def test_a_mirror_may_be_removed_while_copies_are_under_way(self):
        gate = Gate("answer of the copy")

        def script(request, connection):
            gate.wait()
            answer(200, b"x" * 100_000)(request, connection)
        self.start(rule("/", "web", mirror("copy")), copy=script)
        self.assertEqual(self.gate.get("/").body, b"served")
        self.servers["copy"].wait_requests(1)
        web = self.servers["web"]
        self.gate.write("objects.yaml", [route(rule("/", "web")), service("web"),
                                         pod("web", web.address, "web", web.port)])

        def no_more():
            before = len(self.asked("copy"))
            self.gate.get("/")
            self.gate.wait_given_back()
            return len(self.asked("copy")) == before
        eventually(no_more, "the mirror is gone")
        gate.open()
        self.wait_mirrored(len(self.asked("copy")), result="answered")

    def test_the_gateway_ends_in_order_with_copies_under_way(self):
        self.start_with(hang())
        self.assert_served(5)
        self.gate.signal()
        self.assertEqual(self.gate.wait_exit(), 0)


if __name__ == "__main__":
    unittest.main()
