"""Requests that wait in the gateway while their pool is saturated."""

import json
import subprocess
import threading
import unittest

from harness import (INFERENCE_GROUP, Gate, GatewayTest, chat_answer, chat_body, eventually,
                     penstock, pool_of)

CHAT = "/v1/chat/completions"
ON = {"penstock.dev/queueing": "true"}
WAITING = "penstock_queue_waiting_requests"


class QueueTest(GatewayTest):
    def start(self, annotations=None, more=(), script=None, route=None, timeouts=None):
        self.server = self.model_server(script or chat_answer())
        self.server.waiting = 50  # saturated until a test says otherwise
        objects = pool_of([self.server], annotations={**ON, **(annotations or {})})
        if route:
            objects[0]["metadata"]["annotations"] = route
        if timeouts:
            objects[0]["spec"]["rules"][0]["timeouts"] = timeouts
        self.gate = self.gateway(objects + list(more), arguments=("--workers", "4"))
        self.gate.wait_scraped(lambda endpoint: endpoint["waiting"] == 50)
        self.answers = {}
        self.threads = []
        return self.gate

    def send(self, name, headers=()):
        """Sends a chat whose answer comes into self.answers[name]; it waits when this returns."""
        waiting = self.gate.metrics().sum(WAITING)

        def ask():
            self.answers[name] = self.gate.post(CHAT, chat_body(name), list(headers))
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        self.threads.append(thread)
        self.gate.wait_metric(WAITING, waiting + 1)

    def let_go(self):
        self.server.waiting = 0
        for thread in self.threads:
            thread.join(30)

    def order(self):
        return [request.json()["messages"][-1]["content"] for request in self.server.requests]


class WaitTest(QueueTest):
    def test_it_waits_and_goes_when_a_page_says_that_there_is_room(self):
        gateway = self.start()
        self.send("a", [("x-gateway-inference-fairness-id", "team")])
        self.assertEqual(len(self.server.requests), 0)
        self.assertEqual(gateway.metrics().sum("penstock_queue_saturated"), 1)
        self.let_go()
        self.assertEqual(self.answers["a"].status, 200)
        line = gateway.wait_line("Request Handled", queue_result="waited", tenant="team")
        self.assertEqual(line["priority"], 0)
        self.assertGreater(line["queue_wait_ms"], 0)
        gateway.wait_metric("penstock_queue_requests_total", 1, result="waited", tenant="team")
        gateway.wait_metric(WAITING, 0)

    def test_without_the_annotation_nothing_waits(self):
        gateway = self.start({"penstock.dev/queueing": "false"})
        self.assertEqual(gateway.post(CHAT, chat_body("a")).status, 200)
        self.assertNotIn("penstock_queue_requests_total", gateway.metrics().text)

    def test_after_its_time_it_is_429_and_told_when_to_come_again(self):
        gateway = self.start({"penstock.dev/queue-timeout": "50ms"})
        refused = gateway.post(CHAT, chat_body("a"))
        self.assertEqual(refused.status, 429)
        self.assertEqual(refused.json()["error"]["code"], "queue_timeout")
        self.assertGreaterEqual(int(refused.get("retry-after")), 1)
        gateway.wait_metric("penstock_queue_requests_total", 1, result="expired")
        gateway.wait_metric("penstock_limit_reached_total", 1, limit="queue_timeout")
        self.assertEqual(len(self.server.requests), 0)

    def test_the_client_may_wait_shorter(self):
        gateway = self.start()
        for value in ("0", "40"):
            refused = gateway.post(CHAT, chat_body("a"), [("x-penstock-queue-timeout-ms", value)])
            self.assertEqual((refused.status, refused.json()["error"]["code"]),
                             (429, "queue_timeout"))
        wrong = gateway.post(CHAT, chat_body("a"), [("x-penstock-queue-timeout-ms", "soon")])
        self.assertEqual(wrong.status, 400)
        self.assertIn("x-penstock-queue-timeout-ms", wrong.json()["error"]["message"])

    def test_more_than_may_wait_are_refused_at_once(self):
        gateway = self.start({"penstock.dev/queue-requests-max": "2"})
        self.send("a")
        self.send("b")
        refused = gateway.post(CHAT, chat_body("c"))
        self.assertEqual((refused.status, refused.json()["error"]["code"]), (429, "queue_full"))
        gateway.wait_metric("penstock_limit_reached_total", 1, limit="queue_requests")
        self.let_go()
        self.assertEqual([self.answers[name].status for name in "ab"], [200, 200])

    def test_a_client_that_leaves_takes_its_request_along(self):
        gateway = self.start()
        client = self.client(gateway)
        client.request("POST", CHAT, [("Content-Type", "application/json")],
                       json.dumps(chat_body("gone")).encode())
        gateway.wait_metric(WAITING, 1)
        client.close()
        gateway.wait_metric(WAITING, 0)
        gateway.wait_metric("penstock_queue_requests_total", 1, result="cancelled")
        self.send("b")
        self.let_go()
        self.assertEqual(self.order(), ["b"])


class OrderTest(QueueTest):
    def objectives(self):
        """Of both groups."""
        return [{"apiVersion": f"{group}/v1alpha2", "kind": "InferenceObjective",
                 "metadata": {"name": name},
                 "spec": {"priority": priority,
                          "poolRef": {"group": INFERENCE_GROUP, "name": "test-pool"}}}
                for name, priority, group in (("high", 10, "llm-d.ai"),
                                              ("low", -10, "inference.networking.x-k8s.io"))]

    def test_strictly_by_priority_and_in_turn_between_tenants(self):
        gateway = self.start(more=self.objectives())

        def ask(name, objective=None, tenant=None):
            headers = []
            if objective:
                headers.append(("x-gateway-inference-objective", objective))
            if tenant:
                headers.append(("x-llm-d-inference-fairness-id", tenant))
            self.send(name, headers)

        ask("low", "low")
        for i in range(3):
            ask(f"a{i}", tenant="a")
        ask("b0", tenant="b")
        ask("high", "high")
        self.server.waiting = 5  # room for one
        for thread in self.threads:
            thread.join(30)
        self.assertTrue(all(a.status == 200 for a in self.answers.values()), self.answers)
        order = self.order()
        # A page that was asked for just behind a dispatch makes room for another one, and two on
        # their way may change places.
        self.assertLessEqual(order.index("high"), 1, order)
        self.assertGreaterEqual(order.index("low"), len(order) - 2, order)
        self.assertLessEqual(order.index("b0"), 3, order)
        self.assertLess(order.index("a0"), order.index("a2"), order)
        gateway.wait_metric("penstock_queue_requests_total", 1, result="waited", priority="10")

    def test_explain_says_how_long_it_waited_and_behind_whom(self):
        gateway = self.start()
        self.send("a", [("x-llm-d-inference-fairness-id", "a")])
        self.send("b", [("x-llm-d-inference-fairness-id", "b"), ("x-request-id", "the-second")])
        self.let_go()
        gateway.wait_line("Request Handled", request_id="the-second")
        text = gateway.admin("/explain?id=the-second").body.decode()
        self.assertIn("queue: waited, priority 0, tenant b, ", text)
        self.assertIn("behind 0 of higher priority, 1 of other tenants and 0 of its own", text)


    def test_a_tenant_has_no_more_in_flight_than_its_secret_says(self):
        opened = Gate()

        def later(request, connection):
            opened.wait()
            chat_answer()(request, connection)
        secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"alice": "sk-a"},
                  "metadata": {"name": "alice", "labels": {"app": "keys"}, "annotations": {
                      "penstock.dev/concurrent-requests": "1", "penstock.dev/queue-weight": "2"}}}
        other = {"apiVersion": "v1", "kind": "Secret", "stringData": {"bob": "sk-b"},
                 "metadata": {"name": "bob", "labels": {"app": "keys"}}}
        gateway = self.start(script=later, more=[secret, other],
                             route={"penstock.dev/api-keys": "app=keys"})
        self.server.waiting = 0
        gateway.wait_scraped(lambda endpoint: endpoint["waiting"] == 0)
        alice, bob = ([("Authorization", f"Bearer sk-{name}")] for name in "ab")
        clients = [self.client(gateway) for _ in range(3)]
        for client, key, name in zip(clients, (alice, alice, bob), ("a0", "a1", "b0")):
            client.request("POST", CHAT, key, json.dumps(chat_body(name)).encode())
            if name == "a0":
                eventually(lambda: self.order() == ["a0"], "the first is at the server")
            if name == "a1":
                gateway.wait_metric(WAITING, 1, tenant="alice")
        eventually(lambda: self.order() == ["a0", "b0"], "the other tenant does not wait")
        opened.open()
        for client in clients:
            self.assertEqual(client.read_response().status, 200)
        self.assertEqual(self.order(), ["a0", "b0", "a1"])


class GetTest(QueueTest):
    def get(self, *arguments):
        admin = f"{self.gate.address}:{self.gate.admin_port}"
        done = subprocess.run([penstock(), "get", *arguments, "--admin", admin],
                              capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_queues_are_told_by_priority_and_tenant(self):
        self.start({"penstock.dev/queue-timeout": "50s", "penstock.dev/max-waiting": "9"})
        for name, tenant in (("a", "team-a"), ("b", "team-a"), ("c", "team-b")):
            self.send(name, [("x-llm-d-inference-fairness-id", tenant)])
        lines = self.get("queues").splitlines()
        self.assertEqual(lines[0].split(), ["POOL", "PRIORITY", "TENANT", "WAITING", "BYTES",
                                            "OLDEST", "IN-FLIGHT", "TOKENS", "SERVED", "STATE"])
        told = [line.split() for line in lines[1:]]
        self.assertEqual([row[:4] + row[-1:] for row in told],
                         [["default/test-pool", "0", "team-a", "2", "saturated"],
                          ["default/test-pool", "0", "team-b", "1", "saturated"]])
        queue = json.loads(self.get("queue", "test-pool", "-o", "json"))
        self.assertTrue(queue["saturated"])
        self.assertEqual((queue["waiting"], queue["room"]), (3, 0))
        self.assertEqual((queue["limits"]["timeout_ms"], queue["limits"]["max_waiting"]),
                         (50000, 9))
        (priority,) = queue["priorities"]
        self.assertEqual([(t["tenant"], t["waiting"]) for t in priority["tenants"]],
                         [("team-a", 2), ("team-b", 1)])
        self.assertEqual(sum(t["waiting_bytes"] for t in priority["tenants"]),
                         queue["waiting_bytes"])
        self.assertGreater(priority["tenants"][0]["oldest_wait_ms"], 0)
        self.assertIn("pool: default/test-pool\n", self.get("queues", "-o", "yaml"))
        self.let_go()
        self.gate.wait_metric(WAITING, 0)
        eventually(lambda: self.get("queues").splitlines()[1].split() ==
                   ["default/test-pool", "-", "-", "0", "0", "-", "0", "0", "-", "room"],
                   "nothing waits or is in flight")


class LimitTest(QueueTest):
    def test_bodies_that_wait_are_limited_by_bytes(self):
        gateway = self.start({"penstock.dev/queue-bytes-max": "1Ki"})
        refused = gateway.post(CHAT, chat_body("x" * 2000))
        self.assertEqual((refused.status, refused.json()["error"]["code"]), (429, "queue_full"))
        self.assertIn("queue_bytes", refused.json()["error"]["message"])
        gateway.wait_metric("penstock_limit_reached_total", 1, limit="queue_bytes")

    def test_too_long_a_name_is_no_tenant(self):
        gateway = self.start()
        self.send("a", [("x-llm-d-inference-fairness-id", "t" * 129)])
        self.let_go()
        gateway.wait_line("Request Handled", queue_result="waited", tenant="")
        gateway.wait_metric("penstock_limit_reached_total", 1, limit="fairness_id_bytes")

    def test_the_rules_own_time_ends_the_wait_as_well(self):
        gateway = self.start(timeouts={"request": "60ms"})
        refused = gateway.post(CHAT, chat_body("a"))
        self.assertEqual((refused.status, refused.json()["error"]["code"]), (429, "queue_timeout"))


class ChangeTest(QueueTest):
    def test_who_waits_goes_to_an_endpoint_that_came_meanwhile(self):
        gateway = self.start()
        self.send("a")
        other = self.model_server(chat_answer("other"), name="other-0")
        objects = pool_of([self.server, other], annotations=ON)
        gateway.write("objects.yaml", objects)
        for thread in self.threads:
            thread.join(30)
        self.assertEqual(self.answers["a"].status, 200)
        self.assertIn("other", self.answers["a"].body.decode())

    def test_a_pool_that_stops_queueing_lets_them_go(self):
        gateway = self.start()
        self.send("a")
        objects = pool_of([self.server])
        gateway.write("objects.yaml", objects)
        for thread in self.threads:
            thread.join(30)
        self.assertEqual(self.answers["a"].status, 200)

    def test_with_no_endpoint_they_wait_if_the_pool_says_so(self):
        gateway = self.start({"penstock.dev/queue-without-endpoints": "true"})
        somebody = pool_of([self.server], annotations={
            **ON, "penstock.dev/queue-without-endpoints": "true"})
        nobody = [each for each in somebody if each["kind"] != "Pod"]
        gateway.write("objects.yaml", nobody)
        eventually(lambda: not gateway.endpoints(), "the pool is empty")
        self.send("a")
        self.server.waiting = 0
        gateway.write("objects.yaml", somebody)
        for thread in self.threads:
            thread.join(30)
        self.assertEqual(self.answers["a"].status, 200)


class ManyTest(QueueTest):
    def test_clients_of_four_workers_who_leave_or_stay_are_each_answered_once(self):
        gateway = self.start({"penstock.dev/queue-requests-max": "1000"})
        clients = []
        for i in range(120):
            client = self.client(gateway)
            client.request("POST", CHAT, [("Content-Type", "application/json")],
                           json.dumps(chat_body(f"n{i}")).encode())
            clients.append(client)
        gateway.wait_metric(WAITING, 120)
        for client in clients[::3]:
            client.close()
        gateway.wait_metric(WAITING, 80)
        self.server.waiting = 0
        staying = [i for i in range(120) if i % 3]
        for i in staying:
            self.assertEqual(clients[i].read_response().status, 200, i)
        self.assertEqual(sorted(self.order()), sorted(f"n{i}" for i in staying))
        gateway.wait_metric("penstock_queue_requests_total", 40, result="cancelled")
        gateway.wait_metric("penstock_queue_requests_total", 80, result="waited")
        gateway.wait_given_back()


class SettingsTest(QueueTest):
    def test_a_wrong_annotation_is_said_by_name(self):
        for annotations, wanted in (
                ({**ON, "penstock.dev/queue-timeout": "soon"}, "must be a duration of 1ms to 24h"),
                ({**ON, "penstock.dev/queue-shares": "-1=1.5"}, "together below 1"),
                ({**ON, "penstock.dev/queue-bytes-max": "1 GB"}, "must be a number of bytes"),
                ({"penstock.dev/queueing": "yes"}, 'must be "true" or "false"'),
                ({"penstock.dev/queue-timeout": "5s"}, "says something only beside")):
            server = self.model_server(chat_answer())
            gateway = self.gateway(pool_of([server], annotations=annotations))
            refused = gateway.post(CHAT, chat_body("a"))
            self.assertEqual(refused.status, 500, annotations)
            self.assertIn(wanted, refused.json()["error"]["message"], annotations)


if __name__ == "__main__":
    unittest.main()
