"""Retries, sessions and names of the rules of HTTPRoutes over the wire. Tests named HTTPRoute...
repeat the cases of those tests of the Gateway API's conformance suite."""

import collections
import threading
import unittest
import urllib.parse

from harness import GatewayTest, answer, eventually, hang, pod, refuse_with_reset


class RetrySimulation:
    """What the suite's backend does of a path /retry/...: fails `succeedAfter` times for each
    uuid, with `responseCode` or by closing, after `delayRetry` seconds, and then answers 200."""

    def __init__(self):
        self.lock = threading.Lock()
        self.seen = collections.Counter()

    def __call__(self, request, connection):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(request.target).query))
        with self.lock:
            self.seen[query["uuid"]] += 1
            fails = self.seen[query["uuid"]] <= int(query["succeedAfter"])
        if not fails:
            answer(200, b"served")(request, connection)
        elif query.get("hangs"):
            hang()(request, connection)
        elif "responseCode" in query:
            answer(int(query["responseCode"]), b"failed on purpose")(request, connection)
        else:
            refuse_with_reset()(request, connection)


def service(name="web", app=None):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": app or name}, "ports": [{"port": 80}]}}


def route(*rules, name="inference-route"):
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": name},
            "spec": {"parentRefs": [{"name": "inference-gateway"}], "rules": list(rules)}}


def rule(path, *services, **fields):
    """`services`: names, or pairs of a name and a weight."""
    refs = [{"name": s, "port": 80} if isinstance(s, str) else
            {"name": s[0], "port": 80, "weight": s[1]} for s in services]
    return {"matches": [{"path": {"type": "PathPrefix", "value": path}}],
            "backendRefs": refs, **fields}


class FeatureTest(GatewayTest):
    def servers_of(self, name, *scripts):
        """A Service and its Pods."""
        servers = [self.model_server(s, name=f"{name}-{i}") for i, s in enumerate(scripts)]
        return servers, [service(name)] + [pod(s.name, s.address, name, s.port) for s in servers]


class RetryTest(FeatureTest):
    def start(self, rules, *scripts):
        self.servers, objects = self.servers_of("web", *scripts)
        self.gate = self.gateway([route(*rules), *objects])
        return self.gate

    def simulate(self, path, **query):
        """Status, and how often the backend was asked."""
        query["uuid"] = str(len(self.simulation.seen))
        response = self.gate.get(path + "?" + urllib.parse.urlencode(query))
        return response.status, self.simulation.seen[query["uuid"]]

    def start_simulation(self, *rules):
        self.simulation = RetrySimulation()
        self.start(rules, self.simulation)

    def test_HTTPRouteRetry(self):
        three, everything = "/retry/code-500-attempts-3", "/retry/code-all-attempts-2"
        self.start_simulation(
            rule(three, "web", retry={"codes": [500], "attempts": 3}),
            rule(everything, "web", retry={"codes": [500, 502, 503, 504], "attempts": 2}))
        self.assertEqual(self.simulate(three, responseCode=500, succeedAfter=2), (200, 3))
        self.assertEqual(self.simulate(three, responseCode=500, succeedAfter=4), (500, 4))
        self.assertEqual(self.simulate(three, responseCode=503, succeedAfter=2), (503, 1))
        for code in (500, 502, 503, 504):
            with self.subTest(code=code):
                self.assertEqual(
                    self.simulate(everything, responseCode=code, succeedAfter=1), (200, 2))
                self.assertEqual(
                    self.simulate(everything, responseCode=code, succeedAfter=3), (code, 3))
        self.gate.wait_metric_at_least("penstock_retries_total", 1, reason="error_status")

    def test_HTTPRouteRetryWithTimeouts(self):
        tries, whole = "/retry/backend-request-timeout-200ms", "/retry/request-timeout-200ms"
        self.start_simulation(
            rule(tries, "web", retry={"attempts": 2}, timeouts={"backendRequest": "200ms"}),
            rule(whole, "web", retry={"codes": [500], "attempts": 5},
                 timeouts={"backendRequest": "2s", "request": "4s"}),
            rule("/retry/backing-off", "web", timeouts={"request": "300ms"},
                 retry={"codes": [500], "attempts": 5, "backoff": "1h"}))
        self.assertEqual(self.simulate(tries, hangs=1, succeedAfter=2), (200, 3))
        self.assertEqual(self.simulate(tries, hangs=1, succeedAfter=3), (504, 3))
        self.assertEqual(self.simulate(whole, responseCode=500, succeedAfter=4), (200, 5))
        # The time for the request ends the wait for another try.
        self.assertEqual(self.simulate("/retry/backing-off", responseCode=500, succeedAfter=1),
                         (504, 1))

    def test_HTTPRouteRetryConnectionError(self):
        self.start_simulation(rule("/retry", "web", retry={"attempts": 3}))
        self.assertEqual(self.simulate("/retry", succeedAfter=2), (200, 3))
        status, tries = self.simulate("/retry", succeedAfter=4)
        self.assertEqual((status, tries), (502, 4))

    def test_a_healthy_endpoint_answers_for_one_that_is_gone(self):
        self.start([rule("/", "web", retry={"attempts": 3})], answer(200, b"one"),
                   answer(200, b"two"))
        self.servers[0].kill()
        for _ in range(20):
            self.assertEqual(self.gate.get("/").body, b"two")

    def test_no_attempts_are_none(self):
        self.start_simulation(rule("/retry", "web", retry={"codes": [500], "attempts": 0}))
        self.assertEqual(self.simulate("/retry", responseCode=500, succeedAfter=1), (500, 1))

    def test_a_post_with_a_body_is_sent_again_whole(self):
        bodies = []

        def script(request, connection):
            bodies.append(request.body)
            answer(503 if len(bodies) < 3 else 200, b"x" * 100_000)(request, connection)
        self.start([rule("/", "web", retry={"codes": [503], "attempts": 2})], script)
        body = bytes(range(256)) * 1000
        response = self.gate.request("POST", "/", [], body)
        self.assertEqual((response.status, len(response.body)), (200, 100_000))
        self.assertEqual(bodies, [body] * 3)
        self.assertEqual(self.gate.wait_handled(1)[0]["tries"], 3)

    def test_a_post_that_may_have_been_executed_is_not_repeated(self):
        self.start([rule("/", "web", retry={"codes": [503], "attempts": 3})], refuse_with_reset())
        self.assertEqual(self.gate.request("POST", "/", [], b"once").status, 502)
        self.assertEqual(len(self.servers[0].requests), 1)

    def test_an_endless_answer_is_dropped_at_once(self):
        """Its body is not waited for: the connection is closed."""
        def script(request, connection):
            if len(self.servers[0].requests) > 1:
                answer(200, b"served")(request, connection)
                return
            connection.send_head(503, [("Transfer-Encoding", "chunked")])
            connection.send_chunk(b"and so on")
            connection.wait_closed()
        self.start([rule("/", "web", retry={"codes": [503]})], script)
        self.assertEqual(self.gate.get("/").body, b"served")

    def test_a_client_may_leave_while_it_waits_for_another_try(self):
        self.start([rule("/", "web", retry={"codes": [503], "backoff": "1h"})], answer(503))
        client = self.client(self.gate)
        client.request("GET", "/")
        self.servers[0].wait_requests(1)
        self.gate.wait_given_back()
        client.close()
        self.assertEqual(self.gate.wait_handled(1)[0]["outcome"], "client_left")
        self.assertEqual(len(self.servers[0].requests), 1)

    def test_another_endpoint_is_asked_first(self):
        self.start([rule("/", "web", retry={"codes": [503], "attempts": 1})],
                   answer(503, b"full"), answer(200, b"served"))
        for _ in range(20):
            self.assertEqual(self.gate.get("/").body, b"served")

    def test_a_rule_without_retry_passes_answers_on(self):
        self.start([rule("/", "web")], answer(503, b"full"), answer(200, b"served"))
        bodies = {self.gate.get("/").body for _ in range(30)}
        self.assertEqual(bodies, {b"full", b"served"})


class SessionTest(FeatureTest):
    COOKIE = {"sessionName": "sticky"}

    def start(self, *rules, count=4, names=("web",)):
        self.backends = {}
        objects = []
        for name in names:
            scripts = [answer(200, f"{name}-{i}".encode()) for i in range(count)]
            self.backends[name], more = self.servers_of(name, *scripts)
            objects += more
        self.objects = objects
        self.gate = self.gateway([route(*rules), *objects])
        return self.gate

    def begin(self, path="/", **options):
        """What the first answer sets, and who gave it."""
        response = self.gate.request("GET", path, **options)
        self.assertEqual(response.status, 200)
        return response.get("set-cookie"), response.body

    def come_back(self, cookie, path="/"):
        response = self.gate.get(path, [("Cookie", "a=b; " + cookie.split(";")[0])])
        self.assertEqual(response.status, 200)
        return response

    def test_HTTPRouteSessionPersistenceCookie(self):
        self.start(rule("/session", "web", sessionPersistence=self.COOKIE))
        cookie, body = self.begin("/session/first")
        self.assertRegex(cookie, r"^sticky=[0-9a-f]{50}; Path=/session; HttpOnly; SameSite=Strict$")
        for _ in range(50):
            response = self.come_back(cookie, "/session/again")
            self.assertEqual(response.body, body)
            self.assertIsNone(response.get("set-cookie"))
        self.gate.wait_metric("penstock_sessions_total", 50, result="held")
        self.assertGreater(len({self.begin("/session")[1] for _ in range(60)}), 1)

    def test_a_permanent_cookie_has_an_end(self):
        self.start(rule("/", "web", sessionPersistence={
            "absoluteTimeout": "5m", "cookieConfig": {"lifetimeType": "Permanent"}}))
        cookie, body = self.begin()
        self.assertRegex(cookie, r"^penstock-[0-9a-f]+=[0-9a-f]{50}; Path=/; Max-Age=300; ")
        self.assertEqual(self.come_back(cookie).body, body)

    def test_new_sessions_follow_the_weights_and_old_ones_stay(self):
        def rules(a, b):
            return rule("/", ("web", a), ("beta", b), sessionPersistence=self.COOKIE)
        self.start(rules(1, 1), names=("web", "beta"), count=3)
        sessions = [self.begin() for _ in range(40)]
        self.assertEqual({body[:3] for _, body in sessions}, {b"web", b"bet"})
        self.gate.write("objects.yaml", [route(rules(1, 0)), *self.objects])
        eventually(lambda: all(self.begin()[1].startswith(b"web") for _ in range(30)),
                   "new clients come to the other backend only")
        for cookie, body in sessions:
            self.assertEqual(self.come_back(cookie).body, body)

    def test_rules_do_not_share_sessions(self):
        self.start(rule("/a", "web", sessionPersistence=self.COOKIE),
                   rule("/b", "web", sessionPersistence=self.COOKIE), count=8)
        cookie, body = self.begin("/a")
        self.assertEqual(self.come_back(cookie, "/a").body, body)
        self.assertIsNotNone(self.come_back(cookie, "/b").get("set-cookie"))

    def test_another_gateway_knows_the_sessions(self):
        """And so does this one after it was started anew."""
        rules = rule("/", "web", sessionPersistence=self.COOKIE, name="chat")
        self.start(rules, count=8)
        cookie, body = self.begin()
        first, self.gate = self.gate, self.gateway([route(rules), *self.objects])
        for _ in range(10):
            self.assertEqual(self.come_back(cookie).body, body)
        self.assertIsNot(first, self.gate)

    def test_a_session_whose_endpoint_is_gone_is_moved(self):
        self.start(rule("/", "web", sessionPersistence=self.COOKIE))
        cookie, body = self.begin()
        gone = next(s for s in self.backends["web"] if s.name.encode() == body)
        gone.kill()
        response = self.come_back(cookie)
        self.assertNotEqual(response.body, body)
        self.assertEqual(self.come_back(response.get("set-cookie")).body, response.body)
        self.gate.wait_metric("penstock_sessions_total", 1, result="moved")

    def test_sessions_by_header(self):
        self.start(rule("/", "web", sessionPersistence={"type": "Header",
                                                        "sessionName": "X-Session"}))
        first = self.gate.get("/")
        token = first.get("x-session")
        self.assertRegex(token, "^[0-9a-f]{50}$")
        self.assertIsNone(first.get("set-cookie"))
        for _ in range(30):
            again = self.gate.get("/", [("x-session", token)])
            self.assertEqual((again.body, again.get("x-session")), (first.body, token))

    def test_a_stream_tells_its_session_too(self):
        self.start(rule("/", "web", sessionPersistence={"idleTimeout": "1h"}))
        cookie, _ = self.begin()
        self.assertIsNotNone(self.come_back(cookie).get("set-cookie"), "each use puts its end off")

    def test_what_no_session_is_begins_one(self):
        self.start(rule("/", "web", sessionPersistence=self.COOKIE))
        for value in ("", "x", "0" * 50, "127.0.0.1:80", "=" * 50, "é" * 25):
            response = self.come_back("sticky=" + value)
            self.assertIsNotNone(response.get("set-cookie"), value)


class NameTest(FeatureTest):
    def start(self, *rules):
        self.servers, objects = self.servers_of("web", answer(200, b"served"))
        self.gate = self.gateway([route(*rules), *objects])
        return self.gate

    def test_HTTPRouteNamedRule(self):
        self.start(rule("/named", "web", name="named-rule"), rule("/other", "web"))
        self.assertEqual(self.gate.get("/named").body, b"served")
        self.assertEqual(self.gate.get("/other").body, b"served")
        self.assertEqual([line["rule"] for line in self.gate.wait_handled(2)], ["named-rule", "1"])
        self.gate.wait_metric("penstock_rule_requests_total", 1, route="default/inference-route",
                              rule="named-rule")
        self.gate.wait_metric("penstock_rule_requests_total", 1)


if __name__ == "__main__":
    unittest.main()
