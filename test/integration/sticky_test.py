"""Clients that stay with their version of what serves them (penstock.dev/sticky)."""

import json
import subprocess
import tempfile
import unittest

from harness import (DEADLINE_S, INFERENCE_GROUP, GatewayTest, KubeApi, answer, chat_body,
                     eventually, free_port, gateway_objects, http_route, inference_model,
                     inference_pool, penstock, pod)

STICKY = "penstock.dev/sticky"
VERSIONS = ("v1", "v2")


def versions_route(v1, v2, sticky=None):
    """A route to the InferencePools of two versions by these weights."""
    made = http_route()
    rule = made["spec"]["rules"][0]
    rule["name"] = "chat"
    rule["backendRefs"] = [{"group": INFERENCE_GROUP, "kind": "InferencePool", "name": name,
                            "weight": weight} for name, weight in zip(VERSIONS, (v1, v2))]
    if sticky is not None:
        made["metadata"]["annotations"] = {STICKY: sticky}
    return made


class StickyTest(GatewayTest):
    def start(self, route, *more):
        """`self.objects` are all but the route."""
        self.objects = list(more)
        for name in VERSIONS:
            server = self.model_server(answer(200, name.encode()), name=f"{name}-0")
            self.objects += [inference_pool(server.port, name),
                             pod(server.name, server.address, name, server.port)]
        self.gate = self.gateway([route, *self.objects])
        return self.gate

    def served(self, count, fields_of):
        """By which version each of so many requests was served, on one connection."""
        client = self.client(self.gate)
        by = []
        for i in range(count):
            client.request("GET", "/v1/thing", fields_of(i))
            response = client.read_response()
            self.assertEqual(response.status, 200)
            by.append(response.body.decode())
        return by

    def users(self, count):
        return self.served(count, lambda i: [("X-User-Id", f"user-{i}")])


class HeaderTest(StickyTest):
    def test_a_value_stays_and_the_shares_are_the_weights(self):
        self.start(versions_route(90, 10, "header:X-User-Id"))
        first = self.users(1000)
        # 100 expected, standard deviation 9.5; the same users each time.
        self.assertTrue(50 < first.count("v2") < 150, first.count("v2"))
        self.assertEqual(self.users(1000), first)
        self.gate.wait_metric("penstock_requests_total", 2 * first.count("v2"), pool="default/v2")

    def test_while_a_canary_grows_nobody_leaves_it(self):
        self.start(versions_route(95, 5, "header:x-user-id"))
        before = self.users(400)
        self.assertIn("v2", before)
        for generation, (v1, v2) in enumerate(((80, 20), (50, 50), (0, 100)), start=2):
            self.gate.write("objects.yaml", [versions_route(v1, v2, "header:x-user-id"),
                                             *self.objects])
            self.gate.wait_metric("penstock_configuration_generation", generation)
            after = self.users(400)
            self.assertGreater(after.count("v2"), before.count("v2"))
            for was, now in zip(before, after):
                self.assertTrue(was == "v1" or now == "v2")
            before = after
        self.assertEqual(set(before), {"v2"})

    def test_another_gateway_agrees(self):
        route = versions_route(50, 50, "header:x-user-id")
        self.start(route)
        first = self.users(200)
        self.assertEqual(set(first), set(VERSIONS))
        # Also where the list has another order, and other workers.
        route["spec"]["rules"][0]["backendRefs"].reverse()
        self.gate = self.gateway([route, *self.objects], arguments=("--workers", "2"))
        self.assertEqual(self.users(200), first)

    def test_without_the_field_or_the_annotation_chance_chooses(self):
        self.start(versions_route(50, 50, "header:x-user-id"))
        self.assertEqual(set(self.served(100, lambda _: [])), set(VERSIONS))
        self.gate.write("objects.yaml", [versions_route(50, 50), *self.objects])
        self.gate.wait_metric("penstock_configuration_generation", 2)
        same = self.served(100, lambda _: [("x-user-id", "user-1")])
        self.assertEqual(set(same), set(VERSIONS))

    def test_explain_tells_it(self):
        self.start(versions_route(50, 50, "header:x-user-id"))
        self.gate.get("/v1/thing", [("x-user-id", "ann"), ("x-request-id", "sticks")])
        self.gate.wait_handled(1)
        told = self.gate.admin("/explain?id=sticks").body.decode()
        self.assertIn("pool chosen by stickiness", told)

    def test_targets_of_a_model_stay_too(self):
        targets = inference_model("m", pool="v1", targets={"m-old": 50, "m-new": 50})
        self.start(versions_route(100, 0, "header:x-user-id"), targets)
        server = next(s for s in self._servers if s.name == "v1-0")

        def target_of(i):
            self.gate.post("/v1/chat/completions", chat_body("hi", "m"),
                           [("x-user-id", f"user-{i}")])
            return json.loads(server.requests[-1].body)["model"]
        first = [target_of(i) for i in range(40)]
        self.assertEqual(set(first), {"m-old", "m-new"})
        self.assertEqual([target_of(i) for i in range(40)], first)


class CookieTest(StickyTest):
    def begin(self):
        response = self.gate.get("/v1/thing")
        self.assertEqual(response.status, 200)
        return response.get("set-cookie"), response.body.decode()

    def test_who_has_none_is_given_one(self):
        self.start(versions_route(50, 50, "cookie:version"))
        by = set()
        for _ in range(30):
            cookie, body = self.begin()
            secure = "; Secure" if self.gate.tls is not None else ""
            self.assertRegex(
                cookie, "^version=[0-9a-f]{32}; Path=/; HttpOnly; SameSite=Lax" + secure + "$")
            by.add(body)
            fields = [("Cookie", "a=b; " + cookie.split(";")[0])]
            for _ in range(5):
                again = self.gate.get("/v1/thing", fields)
                self.assertEqual(again.body.decode(), body)
                self.assertIsNone(again.get("set-cookie"))
        self.assertEqual(by, set(VERSIONS))

    def test_new_clients_are_shared_by_the_weights(self):
        self.start(versions_route(90, 10, "cookie:version"))
        count = self.served(1000, lambda _: []).count("v2")
        self.assertTrue(50 < count < 150, count)  # five standard deviations

    def test_an_applications_cookies_stay(self):
        self.start(versions_route(1, 0, "cookie:version"))
        server = next(s for s in self._servers if s.name == "v1-0")
        server.script = answer(200, b"v1", [("Set-Cookie", "app=1")])
        response = self.gate.get("/v1/thing")
        cookies = response.head.all("set-cookie")
        self.assertEqual(cookies[0], "app=1")
        self.assertTrue(cookies[1].startswith("version="))
        self.assertEqual(len(cookies), 2)

    def test_sessions_of_the_rule_go_before(self):
        route = versions_route(50, 50, "cookie:version")
        route["spec"]["rules"][0]["sessionPersistence"] = {"sessionName": "token"}
        self.start(route)
        response = self.gate.get("/v1/thing")
        cookies = {c.split("=")[0]: c.split(";")[0] for c in response.head.all("set-cookie")}
        self.assertEqual(set(cookies), {"token", "version"})
        for i in range(30):
            fields = [("Cookie", f"{cookies['token']}; version=other-{i}")]
            self.assertEqual(self.gate.get("/v1/thing", fields).body, response.body)


class WrongValueTest(StickyTest):
    WANTED = 'must be "header:NAME", "cookie:NAME" or "session", got '

    def test_check_names_object_field_and_what_was_wanted(self):
        for value in ("", "user", "header:", "cookie:a b", "header:host", "session:x", "Header:x"):
            with self.subTest(value):
                text = "\n---\n".join(json.dumps(o) for o in (
                    gateway_objects(80) + [versions_route(1, 1, value)]))
                done = subprocess.run([penstock(), "check", "-"], input=text, text=True,
                                      capture_output=True, timeout=DEADLINE_S, check=False)
                self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                self.assertIn(f'HTTPRoute default/inference-route: '
                              f'metadata.annotations["{STICKY}"]: {self.WANTED}"{value}"',
                              done.stdout + done.stderr)

    def test_an_edit_to_one_is_refused_and_told(self):
        self.start(versions_route(50, 50, "header:x-user-id"))
        first = self.users(100)
        self.gate.write("objects.yaml", [versions_route(0, 100, "by-user"), *self.objects])
        self.gate.wait_metric("penstock_configuration_stale_objects", 1)
        shown = self.gate.admin("/get?kind=routes&output=describe").body.decode()
        self.assertIn(self.WANTED + '"by-user"', " ".join(shown.split()))
        self.assertEqual(self.users(100), first)

    def test_on_a_cluster_the_status_tells_it(self):
        api = KubeApi(self.addresses.take())
        self.addCleanup(api.stop)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        port = free_port(api.address)
        api.apply(*gateway_objects(port), versions_route(1, 1, "by-user"), inference_pool(8000))
        self.gateway([], port=port, kubeconfig=api.kubeconfig(folder.name))

        def told():
            status = api.get("HTTPRoute", "inference-route").get("status", {})
            return self.WANTED + '"by-user"' in " ".join(
                c["message"] for p in status.get("parents", []) for c in p["conditions"])
        eventually(told, "a condition of the route says what is wrong")


if __name__ == "__main__":
    unittest.main()
