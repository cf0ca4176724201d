"""Circuit breakers: how many requests of a pool or a route are at the gateway at once."""

import json
import unittest

from harness import (INFERENCE_GROUP, Gate, GatewayTest, answer, chat_answer, chat_body, eventually,
                     http_route, inference_pool, pod, pool_of)
from harness.dns import FakeDns

CHAT = "/v1/chat/completions"
MAX_REQUESTS = "penstock.dev/max-requests"
MAX_WAITING = "penstock.dev/max-waiting"
QUEUEING = {"penstock.dev/queueing": "true"}
HERE = "penstock_breaker_requests"
HERE_MAX = "penstock_breaker_requests_max"
REFUSED = "penstock_breaker_refused_requests_total"
REJECTED = "penstock_rejections_total"
POOL = {"pool": "default/test-pool", "limit": "max_requests"}
ROUTE = {"route": "default/inference-route", "limit": "max_requests"}


class BreakerTest(GatewayTest):
    """Its model servers answer nothing until `opened` is open."""

    def setUp(self):
        super().setUp()
        self.opened = Gate()
        self.addCleanup(self.opened.open)

    def later(self, script=None):
        def wait(request, connection):
            self.opened.wait()
            (script or chat_answer())(request, connection)
        return self.model_server(wait)

    def objects(self, servers, pool=None, route=None):
        made = pool_of(servers, annotations=pool)
        if route:
            made[0]["metadata"]["annotations"] = route
        return made

    def start(self, servers, pool=None, route=None, objects=(), arguments=()):
        self.gate = self.gateway(self.objects(servers, pool, route) + list(objects),
                                 arguments=("--workers", "4", *arguments))
        return self.gate

    def send(self, path=CHAT):
        """A request whose answer nobody has read yet."""
        client = self.client(self.gate)
        client.request("POST", path, [("Content-Type", "application/json")],
                       json.dumps(chat_body("hi")).encode())
        return client

    def codes(self, clients):
        """How many were answered with what: {status or code of the refusal: count}."""
        counts = {}
        for client in clients:
            response = client.read_response()
            what = response.status if response.status == 200 else response.json()["error"]["code"]
            if response.status != 200:
                self.assertEqual(response.status, 503)
                self.assertIsNone(response.get("retry-after"))
            counts[what] = counts.get(what, 0) + 1
        return counts

    def refuse(self, code="max_requests", path=CHAT):
        """The message of one that is refused."""
        response = self.gate.post(path, chat_body("hi"))
        self.assertEqual((response.status, response.json()["error"]["code"]), (503, code))
        return response.json()["error"]["message"]


class PoolTest(BreakerTest):
    def test_of_many_at_once_so_many_come_through_and_the_others_are_503(self):
        servers = [self.later(), self.later()]
        gateway = self.start(servers, {MAX_REQUESTS: "7"})
        clients = [self.send() for _ in range(60)]
        gateway.wait_metric(REJECTED, 53, reason="max_requests")
        gateway.wait_metric(HERE, 7, **POOL)
        gateway.wait_metric(REFUSED, 53, **POOL)
        gateway.wait_metric("penstock_limit_reached_total", 53, limit="max_requests")
        eventually(lambda: sum(len(server.requests) for server in servers) == 7, "those are there")
        self.opened.open()
        self.assertEqual(self.codes(clients), {200: 7, "max_requests": 53})
        self.assertEqual(sum(len(server.requests) for server in servers), 7)
        gateway.wait_metric(HERE, 0, **POOL)
        self.assertEqual(self.codes([self.send() for _ in range(7)]), {200: 7})

    def test_who_is_refused_is_told_by_what(self):
        gateway = self.start([self.later()], {MAX_REQUESTS: "1"})
        self.send()
        gateway.wait_metric(HERE, 1, **POOL)
        self.assertIn("of the pool", self.refuse())
        line = gateway.wait_line("Request Handled", status=503)
        self.assertEqual((line["reason"], line["pool"]), ("max_requests", "default/test-pool"))

    def test_a_client_that_leaves_gives_its_place_back(self):
        server = self.later()
        gateway = self.start([server], {MAX_REQUESTS: "2"})
        gone, stays = self.send(), self.send()
        server.wait_requests(2)
        self.refuse()
        gone.close()
        gateway.wait_metric(HERE, 1, **POOL)
        last = self.send()
        server.wait_requests(3)
        self.refuse()
        self.opened.open()
        self.assertEqual(self.codes([stays, last]), {200: 2})
        gateway.wait_metric(HERE, 0, **POOL)

    def test_an_edit_keeps_those_that_are_here(self):
        server = self.later()
        gateway = self.start([server], {MAX_REQUESTS: "2"})
        clients = [self.send(), self.send()]
        server.wait_requests(2)
        for limit in ("3", "1", "3"):
            gateway.write("objects.yaml", self.objects([server], {MAX_REQUESTS: limit}))
            gateway.wait_metric(HERE_MAX, int(limit), **POOL)
            self.assertEqual(gateway.metrics().sum(HERE, **POOL), 2)
            if limit == "1":
                self.refuse()
        clients.append(self.send())
        server.wait_requests(3)
        self.refuse()
        # Without the limit, and with it again, while those are here that it counted.
        gateway.write("objects.yaml", self.objects([server]))
        gateway.wait_metric(HERE_MAX, 0)
        clients.append(self.send())
        server.wait_requests(4)
        gateway.write("objects.yaml", self.objects([server], {MAX_REQUESTS: "4"}))
        gateway.wait_metric(HERE_MAX, 4, **POOL)
        self.assertEqual(gateway.metrics().sum(HERE, **POOL), 3)
        self.opened.open()
        self.assertEqual(self.codes(clients), {200: 4})
        gateway.wait_metric(HERE, 0, **POOL)

    def test_further_tries_count_once_and_those_that_fail_leave_nothing(self):
        server = self.later()
        dead = self.model_server(chat_answer())
        gateway = self.start([dead, server], {MAX_REQUESTS: "3"})
        dead.kill()
        clients = [self.send() for _ in range(3)]
        server.wait_requests(3)
        self.assertEqual(gateway.metrics().sum(HERE, **POOL), 3)
        self.refuse()
        self.opened.open()
        self.assertEqual(self.codes(clients), {200: 3})
        server.kill()
        for _ in range(5):
            self.assertGreaterEqual(gateway.chat().status, 502)
        gateway.wait_metric(HERE, 0, **POOL)

    def test_what_is_beyond_it_goes_to_the_fallback_if_there_is_one(self):
        far = self.model_server(chat_answer("far"))
        dns = FakeDns(self.addresses.take(), {"models.example.com": [far.address]})
        self.addCleanup(dns.close)
        backend = {"apiVersion": "penstock.dev/v1alpha1", "kind": "Backend",
                   "metadata": {"name": "far"},
                   "spec": {"host": "models.example.com", "port": far.port}}
        near = self.later()
        gateway = self.start([near], {MAX_REQUESTS: "2", "penstock.dev/fallback": "far"},
                             objects=[backend], arguments=("--dns-servers", dns.address))
        clients = [self.send(), self.send()]
        near.wait_requests(2)
        for _ in range(3):
            self.assertEqual(gateway.chat().status, 200)
        self.assertEqual((len(near.requests), len(far.requests)), (2, 3))
        gateway.wait_metric("penstock_fallbacks_total", 3, reason="max_requests")
        self.assertEqual(gateway.metrics().sum(HERE, **POOL), 2)
        self.opened.open()
        self.assertEqual(self.codes(clients), {200: 2})
        gateway.wait_metric(HERE, 0, **POOL)


class RouteTest(BreakerTest):
    def test_it_holds_over_all_pools_that_the_route_leads_to(self):
        servers = {name: self.later() for name in ("one", "two")}
        route = http_route("one")
        route["metadata"]["annotations"] = {MAX_REQUESTS: "5"}
        route["spec"]["rules"][0]["backendRefs"].append(
            {"name": "two", "kind": "InferencePool", "group": INFERENCE_GROUP})
        objects = [route]
        for name, server in servers.items():
            objects += [inference_pool(server.port, name), pod(server.name, server.address, name)]
        self.gate = self.gateway(objects, arguments=("--workers", "4"))
        clients = [self.send() for _ in range(40)]
        self.gate.wait_metric(REJECTED, 35, reason="max_requests")
        eventually(lambda: sum(len(s.requests) for s in servers.values()) == 5, "those are there")
        self.assertEqual(self.gate.metrics().sum(HERE, **ROUTE), 5)
        self.assertIn("of the route", self.refuse())
        self.opened.open()
        self.assertEqual(self.codes(clients), {200: 5, "max_requests": 35})
        self.gate.wait_metric(HERE, 0, **ROUTE)

    def test_rules_to_services_count_with_the_others(self):
        server = self.later()
        web = self.later(answer(200, b"{}"))
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
                   "spec": {"selector": {"app": "web"},
                            "ports": [{"port": 80, "targetPort": web.port}]}}
        objects = self.objects([server], route={MAX_REQUESTS: "2"})
        objects[0]["spec"]["rules"].append({
            "matches": [{"path": {"type": "PathPrefix", "value": "/web"}}],
            "backendRefs": [{"name": "web", "port": 80}]})
        self.gate = self.gateway(objects + [service, pod("web-0", web.address, "web")],
                                 arguments=("--workers", "4"))
        clients = [self.send(), self.send("/web/thing")]
        server.wait_requests(1)
        web.wait_requests(1)
        self.refuse()
        self.refuse(path="/web/thing")
        self.opened.open()
        self.assertEqual(self.codes(clients), {200: 2})
        self.gate.wait_metric(HERE, 0, **ROUTE)

    def test_an_edit_of_the_route_keeps_those_that_are_here(self):
        server = self.later()
        gateway = self.start([server], route={MAX_REQUESTS: "2"})
        clients = [self.send(), self.send()]
        server.wait_requests(2)
        gateway.write("objects.yaml", self.objects([server], route={MAX_REQUESTS: "3"}))
        gateway.wait_metric(HERE_MAX, 3, **ROUTE)
        clients.append(self.send())
        server.wait_requests(3)
        self.refuse()
        self.opened.open()
        self.assertEqual(self.codes(clients), {200: 3})
        gateway.wait_metric(HERE, 0, **ROUTE)


class WaitingTest(BreakerTest):
    WAITING = {"limit": "max_waiting"}

    def start_full(self, pool=None, route=None):
        self.server = self.later()
        self.server.waiting = 50
        self.start([self.server], {**QUEUEING, **(pool or {})}, route)
        self.gate.wait_scraped(lambda endpoint: endpoint["waiting"] == 50)
        return self.gate

    def let_go(self):
        self.server.waiting = 0
        self.opened.open()

    def test_so_many_wait_and_the_others_are_503(self):
        for annotations in ({"pool": {MAX_WAITING: "3"}}, {"route": {MAX_WAITING: "3"}}):
            with self.subTest(annotations):
                self.opened = Gate()
                gateway = self.start_full(**annotations)
                clients = [self.send() for _ in range(40)]
                gateway.wait_metric(REJECTED, 37, reason="max_waiting")
                gateway.wait_metric("penstock_queue_waiting_requests", 3)
                gateway.wait_metric(HERE, 3, **self.WAITING)
                gateway.wait_metric("penstock_queue_requests_total", 37, result="full")
                self.let_go()
                self.assertEqual(self.codes(clients), {200: 3, "max_waiting": 37})
                gateway.wait_metric(HERE, 0, **self.WAITING)

    def test_none_waits_where_none_may(self):
        gateway = self.start_full({MAX_WAITING: "0"})
        self.assertIn("of the pool", self.refuse("max_waiting"))
        self.let_go()
        gateway.wait_scraped(lambda endpoint: endpoint["waiting"] == 0)
        self.assertEqual(gateway.chat().status, 200)

    def test_those_that_wait_are_among_the_requests(self):
        gateway = self.start_full({MAX_REQUESTS: "4"})
        clients = [self.send() for _ in range(4)]
        gateway.wait_metric("penstock_queue_waiting_requests", 4)
        self.refuse()
        clients.pop().close()
        gateway.wait_metric(HERE, 3, **POOL)
        clients.append(self.send())
        gateway.wait_metric("penstock_queue_waiting_requests", 4)
        self.let_go()
        self.assertEqual(self.codes(clients), {200: 4})
        gateway.wait_metric(HERE, 0, **POOL)

    def test_who_gives_up_waiting_gives_the_place_back(self):
        gateway = self.start_full({MAX_WAITING: "1", "penstock.dev/queue-timeout": "40ms"})
        for _ in range(3):
            refused = gateway.chat()
            self.assertEqual(refused.json()["error"]["code"], "queue_timeout")
        gateway.wait_metric(HERE, 0, **self.WAITING)

    def test_a_limit_of_those_that_wait_says_something_only_where_some_do(self):
        server = self.later()
        gateway = self.start([server], {MAX_WAITING: "1"})
        refused = gateway.chat()
        self.assertEqual(refused.status, 500)
        self.assertIn(f"annotation {MAX_WAITING}: says something only beside",
                      refused.json()["error"]["message"])
        gateway = self.start([server], route={MAX_WAITING: "1"})
        gateway.lines.wait(lambda lines: any("has no effect, as no pool" in json.dumps(line)
                                             for line in lines), "the warning")


if __name__ == "__main__":
    unittest.main()
