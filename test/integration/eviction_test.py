"""Requests in flight that are ended for others of a higher priority."""

import threading
import unittest

from harness import (INFERENCE_GROUP, STREAM_HEADERS, Gate, GatewayTest, PairTest, chat_answer,
                     chat_body, chat_events, eventually, http_route, inference_pool, pool_of,
                     role_pod, traffic_policy)
from harness.fake_server import SGLANG_PAGE

CHAT = "/v1/chat/completions"
ON = {"penstock.dev/queueing": "true", "penstock.dev/queue-evict-below": "0"}
WAITING = "penstock_queue_waiting_requests"
EVICTED = {"result": "evicted"}
FULL = 6  # requests that wait at a server which takes no more


def objectives():
    return [{"apiVersion": "llm-d.ai/v1alpha2", "kind": "InferenceObjective",
             "metadata": {"name": name},
             "spec": {"priority": priority,
                      "poolRef": {"group": INFERENCE_GROUP, "name": "test-pool"}}}
            for name, priority in (("critical", 10), ("sheddable", -1), ("batch", -2))]


def objective(name):
    return [("x-gateway-inference-objective", name)] if name else []


class EvictionTest(GatewayTest):
    """A server with some slots, which takes what it is asked from the message's first word."""

    def start(self, slots, annotations=None, **fields):
        self.slots = slots
        self.occupied = 0
        self.lock = threading.Lock()
        self.release = Gate()
        self.server = self.model_server(self.serve)
        self.occupy(0)
        self.objects = pool_of([self.server], annotations={**ON, **(annotations or {})})
        self.objects[0]["spec"]["rules"][0].update(fields)
        self.gate = self.gateway(self.objects + objectives(), arguments=("--workers", "4"))
        self.gate.wait_scraped(lambda endpoint: endpoint["waiting"] == max(0, FULL - slots))
        return self.gate

    def occupy(self, more):
        with self.lock:
            self.occupied += more
            self.server.waiting = max(0, FULL + self.occupied - self.slots)

    def serve(self, request, connection):
        what = request.json()["messages"][-1]["content"].split()[0]
        if what == "retried":
            connection.send_head(503, [("Content-Length", "0")])
            return
        self.occupy(1)
        try:
            if what == "stream":
                connection.send_head(200, STREAM_HEADERS)
                connection.send_chunk(b"".join(chat_events(["first"])[:2]))
                connection.wait_until(self.release.is_open)
                for event in chat_events(["first"])[2:]:
                    connection.send_chunk(event)
                connection.end_chunks()
            elif what == "half":
                connection.send_head(200, [("Content-Type", "application/json"),
                                           ("Content-Length", "4")])
                connection.send(b"{ ")
                connection.wait_until(self.release.is_open)
                connection.send(b" }")
            else:
                if what == "hold":
                    connection.wait_until(self.release.is_open)
                chat_answer()(request, connection)
        finally:
            self.occupy(-1)

    def send(self, text, priority=None, headers=(), **fields):
        """The client of a request, which is at the server, or waits, when this returns."""
        client = self.client(self.gate)
        before = len(self.server.requests) + self.gate.metrics().sum(WAITING)
        client.request("POST", CHAT, objective(priority) + list(headers),
                       body=chat_body(text, **fields))
        eventually(lambda: len(self.server.requests) + self.gate.metrics().sum(WAITING) > before,
                   f"{text} has come")
        return client

    def stream(self, name, priority="sheddable", **options):
        """One whose first event has come."""
        client = self.send(f"stream {name}", priority, stream=True, **options)
        client.read_final_head()
        client.take_until(b"first")
        return client

    def wait_full(self):
        self.gate.wait_scraped(lambda endpoint: endpoint["waiting"] == FULL)

    def evicted(self):
        return self.gate.metrics().sum("penstock_queue_requests_total", **EVICTED)

    def assert_nobody_ended(self):
        self.gate.wait_given_back()
        self.assertEqual(self.evicted(), 0)

    def assert_cut(self, client):
        rest = client.take_rest()
        self.assertIn(b'"code":"evicted"', rest)
        self.assertIn(b"one of a higher priority", rest)
        self.assertNotIn(b"[DONE]", rest)
        self.assertFalse(rest.endswith(b"0\r\n\r\n"), "it does not look complete")

    def assert_whole(self, client):
        self.assertIn(b"[DONE]", client.take_until(b"0\r\n\r\n"))


class StreamTest(EvictionTest):
    def test_exactly_one_is_ended_and_the_critical_one_is_served(self):
        gateway = self.start(3)
        older = [self.stream("a"), self.stream("b")]
        youngest = self.stream("c", headers=[("x-request-id", "the-youngest")])
        self.wait_full()
        critical = self.send("now", "critical")
        self.assert_cut(youngest)
        self.assertEqual(critical.read_response().status, 200)
        at_server = self.server.wait_requests(3)[2].connection
        self.server.connections.wait(lambda _: at_server.closed_by_peer.is_set(),
                                     "its connection is closed")
        line = gateway.wait_line("Request Handled", request_id="the-youngest")
        self.assertEqual((line["outcome"], line["reason"], line["queue_result"], line["status"]),
                         ("evicted", "evicted", "evicted", 200))
        self.assertEqual((line["evicted_for"], line["priority"]), (10, -1))
        text = gateway.admin("/explain?id=the-youngest").body.decode()
        self.assertIn("queue: evicted for priority 10, priority -1", text)
        self.release.open()
        for client in older:
            self.assert_whole(client)
        gateway.wait_metric("penstock_requests_total", 1, outcome="evicted")
        gateway.wait_metric("penstock_rejections_total", 1, reason="evicted")
        gateway.wait_metric("penstock_queue_requests_total", 1, **EVICTED)
        gateway.wait_metric("penstock_queue_requests_total", 1, result="waited", priority="10")
        self.assertEqual(gateway.metrics().sum("penstock_ejections_total"), 0)
        gateway.wait_given_back()

    def test_who_was_sent_nothing_goes_first(self):
        gateway = self.start(3)
        unsent = self.send("hold a", "sheddable")
        self.stream("b")
        self.stream("c")
        self.wait_full()
        critical = self.send("now", "critical")
        answer = unsent.read_response()
        self.assertEqual((answer.status, answer.json()["error"]["code"]), (429, "evicted"))
        self.assertGreaterEqual(int(answer.get("retry-after")), 1)
        self.assertEqual(critical.read_response().status, 200)
        line = gateway.wait_line("Request Handled", status=429)
        self.assertEqual((line["outcome"], line["reason"]), ("evicted", "evicted"))
        # The connection goes on.
        unsent.request("POST", CHAT, body=chat_body("now"))
        self.assertEqual(unsent.read_response().status, 200)
        gateway.wait_metric("penstock_queue_requests_total", 1, **EVICTED)

    def test_of_several_the_lowest_priority_goes(self):
        self.start(2)
        lowest = self.stream("a", "batch")
        self.stream("b", "sheddable")
        self.wait_full()
        critical = self.send("now", "critical")
        self.assert_cut(lowest)
        self.assertEqual(critical.read_response().status, 200)

    def test_a_stream_that_is_kept_alive_is_told_in_it(self):
        self.start(1, {"penstock.dev/stream-keepalive": "100ms"})
        unsent = self.send("hold a", "sheddable", stream=True)
        self.assertEqual(unsent.read_final_head().status, 200)
        unsent.take_until(b": keep-alive")
        self.wait_full()
        critical = self.send("now", "critical")
        self.assert_cut(unsent)
        self.assertEqual(critical.read_response().status, 200)

    def test_a_whole_answer_that_has_begun_is_not_cut(self):
        gateway = self.start(1)
        half = self.send("half a", "sheddable")
        half.read_final_head()
        half.take_until(b"{")
        self.wait_full()
        critical = self.send("now", "critical")
        gateway.wait_metric(WAITING, 1)
        self.release.open()
        half.take_until(b"}")
        self.assertEqual(critical.read_response().status, 200)
        self.assert_nobody_ended()

    def test_one_that_pauses_between_tries_is_not_ended(self):
        gateway = self.start(1, retry={"codes": [503], "attempts": 2, "backoff": "1h"})
        stream = self.stream("a")
        self.wait_full()
        self.occupy(-1)  # the next one may try
        pausing = self.send("retried", "sheddable")
        self.server.wait_requests(2)
        gateway.wait_scraped(lambda endpoint: endpoint["in_flight"] == 1)
        self.occupy(1)
        self.wait_full()
        critical = self.send("now", "critical")
        self.assert_cut(stream)
        self.assertEqual(critical.read_response().status, 200)
        pausing.close()
        gateway.wait_given_back()
        gateway.wait_metric("penstock_queue_requests_total", 1, **EVICTED)


class NobodyTest(EvictionTest):
    def test_who_could_end_others_is_not_ended(self):
        gateway = self.start(2)
        clients = [self.stream("a", None), self.stream("b", None)]
        self.wait_full()
        standard = self.send("now")
        critical = self.send("now", "critical")
        low = self.send("now", "sheddable")
        gateway.wait_metric(WAITING, 3)
        self.release.open()
        for client in clients:
            self.assert_whole(client)
        for client in (standard, critical, low):
            self.assertEqual(client.read_response().status, 200)
        self.assert_nobody_ended()

    def test_without_the_annotation_nobody_is(self):
        gateway = self.start(1)
        self.objects[1]["metadata"]["annotations"] = {"penstock.dev/queueing": "true"}
        stream = self.stream("a")
        self.wait_full()
        generation = gateway.metrics().sum("penstock_configuration_generation")
        gateway.write("objects.yaml", self.objects + objectives())
        gateway.wait_metric_at_least("penstock_configuration_generation", generation + 1)
        critical = self.send("now", "critical")
        gateway.wait_metric(WAITING, 1)
        self.release.open()
        self.assert_whole(stream)
        self.assertEqual(critical.read_response().status, 200)
        self.assert_nobody_ended()

    def test_a_wrong_annotation_is_said_by_name(self):
        for annotations, wanted in (
                ({**ON, "penstock.dev/queue-evict-below": "low"}, "must be a priority"),
                ({"penstock.dev/queue-evict-below": "0"}, "says something only beside")):
            server = self.model_server(chat_answer())
            gateway = self.gateway(pool_of([server], annotations=annotations))
            refused = gateway.post(CHAT, chat_body("a"))
            self.assertEqual(refused.status, 500, annotations)
            self.assertIn(wanted, refused.json()["error"]["message"], annotations)


class ManyTest(EvictionTest):
    def test_of_four_workers_no_more_are_ended_than_high_ones_waited(self):
        gateway = self.start(24)
        low = [self.stream(f"s{i}") if i % 2 else self.send(f"hold h{i}", "sheddable")
               for i in range(24)]
        self.wait_full()
        high = []
        for i in range(12):
            client = self.client(gateway)
            client.request("POST", CHAT, objective("critical"), body=chat_body(f"hold c{i}"))
            high.append(client)
        self.server.wait_requests(36)
        for client in low[18:]:
            client.close()
        self.release.open()
        for client in high:
            self.assertEqual(client.read_response().status, 200)
        for client in low[1:18:2]:  # of those that were sent nothing there were enough
            self.assert_whole(client)
        refused = sum(client.read_response().status == 429 for client in low[0:18:2])
        gateway.wait_given_back()
        self.assertGreater(refused, 0)
        self.assertLessEqual(refused, self.evicted())
        self.assertLessEqual(self.evicted(), 12)


class SplitTest(PairTest):
    runtime = "sglang"

    def test_both_halves_are_ended(self):
        def prefill(request, connection):
            if "low" in request.json()["messages"][-1]["content"]:
                connection.wait_closed()
            else:
                self.good_prefill()(request, connection)
        self.prefill = [self.model_server(prefill, name="prefill-0")]
        self.decode = [self.model_server(self.good_decode(), name="decode-0")]
        pool = inference_pool(self.prefill[0].port)
        pool["metadata"]["annotations"] = ON
        del pool["spec"]["extensionRef"]
        for server in self.prefill + self.decode:
            server.metrics_page = SGLANG_PAGE
        self.penstock = gateway = self.gateway(
            [http_route(), pool, traffic_policy(self.runtime), role_pod(self.prefill[0], "prefill"),
             role_pod(self.decode[0], "decode"), *objectives()], arguments=("--workers", "4"))
        gateway.wait_scraped()
        low = self.client(gateway)
        low.request("POST", CHAT, objective("sheddable"), body=chat_body("low", model="m"))
        self.prefill[0].wait_requests(1)
        self.decode[0].wait_requests(1)
        self.prefill[0].metrics_page = SGLANG_PAGE.replace(
            b'num_queue_reqs{model_name="test-model"} 0.0',
            b'num_queue_reqs{model_name="test-model"} 6.0')
        gateway.wait_scraped(lambda endpoint: endpoint["waiting"] == FULL or
                             endpoint["endpoint"] == self.decode[0].endpoint)
        critical = self.client(gateway)
        critical.request("POST", CHAT, objective("critical"), body=chat_body("high", model="m"))
        answer = low.read_response()
        self.assertEqual((answer.status, answer.json()["error"]["code"]), (429, "evicted"))
        for server in self.prefill + self.decode:
            self.assert_ended(server)
        self.assertEqual(critical.read_response().status, 200)
        self.assertEqual(self.half_failures("prefill") + self.half_failures("decode"), 0)
        self.assert_idle()


if __name__ == "__main__":
    unittest.main()
