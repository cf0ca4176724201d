"""What goes wrong between the gateway and the model servers, and what the client sees of it."""

import json
import threading
import unittest
from unittest import mock

from harness import (STREAM_HEADERS, Gate, GatewayTest, answer, chat_answer, chat_body, chat_events,
                     event, eventually, hang, http_route, inference_model, inference_pool, pod,
                     pool_of, refuse_with_reset, stream_answer)
from harness.client import Head
from harness.fake_server import Connection, Request

CHAT = "/v1/chat/completions"


def objects_of(servers, **rule):
    """pool_of with fields added to the route's rule."""
    return [http_route(**rule)] + pool_of(servers)[1:]


def on_nth(scripts, last):
    """The n-th request of each connection is answered by scripts[n], later ones by `last`."""
    seen = {}

    def script(request, connection):
        count = seen.get(connection, 0)
        seen[connection] = count + 1
        (scripts[count] if count < len(scripts) else last)(request, connection)
    return script


class FaultTest(GatewayTest):
    def start(self, *scripts, **rule):
        self.servers = [self.model_server(script) for script in scripts]
        gateway = self.gateway(objects_of(self.servers, **rule), arguments=("--workers", "1"))
        gateway.wait_scraped()
        return gateway

    def requests(self):
        return sum(len(server.requests) for server in self.servers)

    def serve_until(self, gateway, condition, client=None):
        """Chats, each answered 200, until condition(); returns how many it took."""
        client = client or self.client(gateway)
        for count in range(1, 200):
            client.request("POST", CHAT, body=chat_body())
            response = client.read_response()
            self.assertEqual(response.status, 200, response)
            self.assertTrue(response.complete)
            if condition():
                return count
        self.fail("it did not happen in 200 requests")

    def retries(self, gateway, reason):
        return gateway.metrics().sum("penstock_retries_total", reason=reason)


class RetryTest(FaultTest):
    def test_a_refused_connection_is_tried_elsewhere(self):
        gateway = self.start(chat_answer(), chat_answer())
        # Its metrics stay fresh: the scraper's connection is open already.
        self.servers[0].refuse()
        self.serve_until(gateway, lambda: self.retries(gateway, "connect_refused") > 0)
        twice = gateway.lines.wait(lambda lines: [l for l in lines if l.get("tries", 0) == 2],
                                   "a request that was tried twice")
        self.assertEqual((twice[0]["pod"], twice[0]["outcome"]), ("server-1", "complete"))
        self.assertEqual(len(self.servers[0].requests), 0)

    def test_a_reset_before_any_byte_is_tried_elsewhere(self):
        gateway = self.start(refuse_with_reset(), chat_answer())
        self.serve_until(gateway, lambda: self.retries(gateway, "reset") > 0)
        # Each request was sent in the same words to both.
        self.assertEqual(self.servers[0].requests[0].body, self.servers[1].requests[-1].body)

    def test_a_close_without_an_answer_is_tried_elsewhere(self):
        gateway = self.start(lambda request, connection: connection.close(), chat_answer())
        self.serve_until(gateway, lambda: self.retries(gateway, "reset") > 0)

    def test_the_head_of_a_stream_alone_commits_nothing(self):
        """vLLM sends it at once, while the request may wait in its queue for minutes."""
        for die in ("reset", "close"):
            def dies(request, connection):
                connection.send_head(200, (*STREAM_HEADERS, ("X-Died", "yes")))
                getattr(connection, die)()

            events = chat_events(["Hello"])
            gateway = self.start(dies, stream_answer(events))
            client = self.client(gateway)
            while self.retries(gateway, "reset") == 0:
                client.request("POST", CHAT, body=chat_body(stream=True))
                response = client.read_response()
                self.assertEqual(response.status, 200)
                self.assertIsNone(response.get("x-died"))
                self.assertEqual(response.body, b"".join(events))
                self.assertTrue(response.complete)

    def test_requests_that_wait_in_a_server_that_dies_are_served_by_another(self):
        """A whole queue of streams whose heads were sent, and the process is killed."""
        def waits(request, connection):
            connection.send_head(200, STREAM_HEADERS)
            hang()(request, connection)

        gateway = self.start(waits, waits)
        dying, other = self.servers
        for _ in range(12):
            client = self.client(gateway)
            client.request("POST", CHAT, body=chat_body(stream=True))
        eventually(lambda: self.requests() == 12, "12 requests waiting")
        waiting_there = len(other.requests)
        moved = 12 - waiting_there
        self.assertGreater(moved, 0)
        other.script = stream_answer(chat_events(["b"]))
        dying.kill()
        other.wait_requests(12)
        for line in gateway.wait_handled(moved):
            self.assertEqual((line["status"], line["pod"], line["outcome"], line["tries"]),
                             (200, other.name, "complete", 2))

    def test_a_stale_keep_alive_connection_is_not_the_endpoints_fault(self):
        gateway = self.start(on_nth([chat_answer()], lambda r, c: c.close()))
        client = self.client(gateway)
        for _ in range(10):
            self.serve_until(gateway, lambda: True, client)
        metrics = gateway.metrics()
        self.assertEqual(metrics.sum("penstock_retries_total", reason="stale_connection"), 9)
        self.assertEqual(metrics.sum("penstock_ejections_total"), 0)

    def start_with_idle_connections(self, count, servers=1):
        """Each server holds `count` connections of the gateway, kept alive; they die when used."""
        gate = Gate()

        def first_waits(request, connection):
            gate.wait()
            chat_answer()(request, connection)
        script = on_nth([first_waits], lambda r, c: c.reset())
        gateway = self.start(*[script] * servers)
        clients = [self.client(gateway) for _ in range(count * servers)]
        for client in clients:
            client.request("POST", CHAT, body=chat_body())
        eventually(lambda: self.requests() == len(clients), "all requests wait")
        gate.open()
        for client in clients:
            self.assertEqual(client.read_response().status, 200)
        # New connections work: theirs is the first request.
        return gateway

    def test_many_stale_connections_cost_one_try(self):
        gateway = self.start_with_idle_connections(4)
        self.assertEqual(gateway.chat().status, 200)
        self.assertEqual(self.retries(gateway, "stale_connection"), 1)
        self.assertEqual(sorted(l["tries"] for l in gateway.wait_handled(5)), [1, 1, 1, 1, 2])

    def test_stale_connections_at_every_endpoint_cost_no_request(self):
        for servers in (2, 3):
            gateway = self.start_with_idle_connections(2, servers)
            for _ in range(servers):
                self.assertEqual(gateway.chat().status, 200)

    def test_a_stale_connection_beside_a_dead_endpoint_costs_no_request(self):
        gateway = self.start_with_idle_connections(2, servers=2)
        self.servers[1].refuse()
        for _ in range(3):
            self.assertEqual(gateway.chat().status, 200)

    def test_an_endpoint_that_dies_of_its_work_is_not_called_stale(self):
        """It has had the request for long: the connection was no leftover."""
        late = threading.Event()

        def works_and_dies(request, connection):
            late.wait(1.2)  # beyond the time in which a close and a request may have crossed
            connection.reset()
        gateway = self.start(on_nth([chat_answer()], works_and_dies))
        client = self.client(gateway)
        self.serve_until(gateway, lambda: True, client)
        client.request("POST", CHAT, body=chat_body())
        self.assertEqual(client.read_response().status, 502)
        self.assertEqual(self.retries(gateway, "stale_connection"), 0)
        self.assertEqual(len(self.servers[0].requests), 2)

    def test_a_server_that_restarts_between_requests_is_used_again(self):
        gateway = self.start(chat_answer())
        client = self.client(gateway)
        for _ in range(3):
            self.serve_until(gateway, lambda: True, client)
            for connection in self.servers[0].connections:
                connection.close()
        self.serve_until(gateway, lambda: True, client)

    def test_at_most_two_more_tries_of_what_nobody_has_had(self):
        gateway = self.start(*[chat_answer()] * 4)
        for server in self.servers:
            server.refuse()  # the scraper's connections stay: nobody is known to be gone
        self.assertEqual(gateway.chat().status, 503)
        line = gateway.wait_handled(1)[0]
        self.assertEqual((line["tries"], line["outcome"], line["status"]), (3, "rejected", 503))

    def test_one_more_try_of_what_somebody_has_had(self):
        gateway = self.start(*[refuse_with_reset()] * 4)
        response = gateway.chat()
        self.assertEqual((response.status, response.json()["error"]["code"]),
                         (502, "upstream_failed"))
        self.assertEqual(self.requests(), 2)
        self.assertEqual(len({s.name for s in self.servers if s.requests}), 2, "one tried twice")
        line = gateway.wait_handled(1)[0]
        self.assertEqual((line["tries"], line["outcome"], line["status"]), (2, "rejected", 502))

    def test_a_pool_of_one_is_not_hammered(self):
        gateway = self.start(refuse_with_reset())
        self.assertEqual(gateway.chat().status, 502)
        self.assertLessEqual(self.requests(), 3)

    def test_nothing_is_tried_again_once_a_byte_was_sent(self):
        scripts = [stream_answer(chat_events(["Hi"])[:1], end="reset")] * 3
        gateway = self.start(*scripts)
        response = gateway.chat(stream=True)
        self.assertEqual(response.status, 200)
        self.assertFalse(response.complete)
        self.assertEqual(self.requests(), 1)

    def test_an_answer_is_not_tried_again_whatever_it_says(self):
        gateway = self.start(*[answer(500, b"broken")] * 3)
        self.assertEqual(gateway.chat().body, b"broken")
        self.assertEqual(self.requests(), 1)

    def test_a_large_body_is_sent_again_whole(self):
        gateway = self.start(refuse_with_reset(), chat_answer())
        text = "x" * 500_000
        client = self.client(gateway)
        while self.retries(gateway, "reset") == 0:
            client.request("POST", CHAT, body=chat_body(text))
            self.assertEqual(client.read_response().status, 200)
        self.assertEqual(self.servers[1].requests[-1].json()["messages"][0]["content"], text)

    def test_an_early_refusal_of_a_large_body_is_passed_on(self):
        """The model server answers and closes before it has read everything."""
        gateway = self.start(answer(200, b"{}"))
        server = self.servers[0]

        def refuse_early(connection):
            connection.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n"
                            b"Connection: close\r\n\r\nbig")
            connection.wait_closed()

        with self.reading_heads_only(server, refuse_early):
            response = gateway.post("/v1/t", b"x" * (20 << 20))
        self.assertEqual((response.status, response.body), (413, b"big"))

    @staticmethod
    def reading_heads_only(server, script):
        """While it lasts, bodies are not read before the answer is sent."""
        def read(connection):
            head = Head(connection._take_until(b"\r\n\r\n"))
            request = Request(head, b"", b"", connection)
            if request.path == "/v1/t":
                script(connection)
            return request
        return mock.patch.object(Connection, "_read_request", read)


class TimeoutTest(FaultTest):
    def test_a_request_timeout_is_504(self):
        gateway = self.start(hang(), timeouts={"request": "100ms"})
        response = gateway.chat()
        self.assertEqual((response.status, response.json()["error"]["code"]), (504, "timeout"))
        self.assertEqual(response.json()["error"]["type"], "timeout_error")
        connection = self.servers[0].wait_requests(1)[0].connection
        self.servers[0].connections.wait(lambda _: connection.closed_by_peer.is_set(), "closed")
        self.assertEqual(gateway.wait_handled(1)[0]["reason"], "timeout")
        self.assertEqual(gateway.metrics().sum("penstock_ejections_total"), 0)

    def test_a_timeout_of_the_endpoints_is_504(self):
        gateway = self.start(hang(), timeouts={"backendRequest": "100ms"})
        self.assertEqual(gateway.chat().status, 504)
        self.assertEqual(self.requests(), 1)

    def test_a_connection_lives_on_after_a_timeout(self):
        gateway = self.start(hang(), timeouts={"request": "100ms"})
        client = self.client(gateway)
        for _ in range(2):
            client.request("POST", CHAT, body=chat_body())
            self.assertEqual(client.read_response().status, 504)

    def test_a_request_timeout_cuts_a_stream(self):
        gateway = self.start(stream_answer(chat_events(["Hi"])[:1], end="hang"),
                             timeouts={"request": "300ms"})
        response = gateway.chat(stream=True)
        self.assertFalse(response.complete)
        self.assertIn("timeout", response.events()[-1])
        self.assertEqual(gateway.wait_handled(1)[0]["outcome"], "timed_out")

    def test_a_timeout_of_the_endpoints_runs_over_the_whole_answer(self):
        """Gateway API: from the request to an endpoint to the end of its answer."""
        gateway = self.start(stream_answer(chat_events(["a"])[:1], end="hang"),
                             timeouts={"backendRequest": "300ms"})
        response = gateway.chat(stream=True)
        self.assertFalse(response.complete)
        self.assertEqual(response.status, 200)
        self.assertEqual(json.loads(response.events()[-1])["error"]["code"], "timeout")
        self.assertEqual(gateway.wait_handled(1)[0]["outcome"], "timed_out")
        gateway.wait_metric("penstock_limit_reached_total", 1,
                            limit="route_backend_request_timeout")

    def test_a_request_timeout_ends_a_body_that_does_not_come(self):
        gateway = self.start(chat_answer(), timeouts={"request": "100ms"})
        client = self.client(gateway)
        client.send(b"POST /v1/t HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf")
        self.assertEqual(client.read_response().status, 504)
        self.assertEqual(self.requests(), 0)

    def test_no_timeout_cuts_a_request_that_is_in_time(self):
        gateway = self.start(chat_answer(), timeouts={"request": "0s"})
        self.assertEqual(gateway.chat().status, 200)
        gateway = self.start(chat_answer(), timeouts={"request": "1h", "backendRequest": "30m"})
        self.assertEqual(gateway.chat().status, 200)


class HealthTest(FaultTest):
    def test_an_endpoint_that_fails_is_ejected_and_comes_back(self):
        gateway = self.start(refuse_with_reset(), chat_answer())
        failing = self.servers[0]
        failing.healthy = False
        self.serve_until(gateway, lambda: gateway.endpoints()["server-0"]["ejected"])
        gateway.wait_metric("penstock_ejections_total", 1, pool="default/test-pool")
        gateway.wait_metric("penstock_pool_endpoints", 1, state="ejected")
        # While it is ejected it gets nothing.
        before = len(failing.requests)
        client = self.client(gateway)
        for _ in range(30):
            self.serve_until(gateway, lambda: True, client)
        self.assertEqual(len(failing.requests), before)
        # Probes go on failing until it is healthy; then it is used again.
        failing.probes.wait(lambda probes: [p for p in probes if p.path == "/health"], "a probe")
        failing.script = chat_answer()
        failing.healthy = True
        eventually(lambda: not gateway.endpoints()["server-0"]["ejected"], "back in use")
        gateway.wait_metric("penstock_pool_endpoints", 2, state="ready")
        gateway.wait_scraped()
        self.serve_until(gateway, lambda: len(failing.requests) > before, client)

    def test_a_server_that_is_gone_and_back_is_used_again(self):
        gateway = self.start(chat_answer(), chat_answer())
        self.servers[0].kill()
        eventually(lambda: gateway.endpoints()["server-0"]["ejected"], "ejected")
        self.servers[0].listen()
        eventually(lambda: not gateway.endpoints()["server-0"]["ejected"], "back in use")

    def test_the_last_endpoint_is_tried_although_it_is_ejected(self):
        gateway = self.start(refuse_with_reset())
        self.servers[0].healthy = False
        while not gateway.endpoints()["server-0"]["ejected"]:
            self.assertEqual(gateway.chat().status, 502)
        self.servers[0].script = chat_answer()
        self.assertEqual(gateway.chat().status, 200)

    def test_no_endpoint_is_503(self):
        self.servers = []
        gateway = self.gateway([http_route(), inference_pool(8000),
                                pod("server-0", self.addresses.take(), port=8000, ready=False)])
        response = gateway.chat()
        self.assertEqual((response.status, response.json()["error"]["code"]), (503, "no_endpoint"))
        self.assertGreater(int(response.get("retry-after")), 0)


class SaturationTest(FaultTest):
    def model(self, name, criticality):
        model = inference_model(name)
        model["spec"]["criticality"] = criticality
        return model

    def start_saturated(self, **load):
        self.servers = [self.model_server(chat_answer()) for _ in range(2)]
        for server in self.servers:
            for field, value in load.items():
                setattr(server, field, value)
        gateway = self.gateway(pool_of(self.servers) + [
            self.model(c.lower(), c) for c in ("Critical", "Standard", "Sheddable")])
        gateway.wait_scraped()
        return gateway

    def test_a_saturated_pool_serves_what_is_critical(self):
        for load in ({"waiting": 50}, {"kv_cache_usage": 0.95}):
            gateway = self.start_saturated(**load)
            for model in ("standard", "sheddable"):
                response = gateway.chat(model=model)
                self.assertEqual((response.status, response.json()["error"]["code"]),
                                 (429, "saturated"))
                self.assertEqual(response.json()["error"]["type"], "rate_limit_error")
                self.assertGreater(int(response.get("retry-after")), 0)
            self.assertEqual(gateway.chat(model="critical").status, 200)
            self.assertEqual(self.requests(), 1)
            gateway.wait_metric("penstock_rejections_total", 2, reason="saturated")

    def test_one_endpoint_with_room_is_enough(self):
        gateway = self.start_saturated(waiting=50)
        self.servers[1].waiting = 0
        eventually(lambda: gateway.endpoints()["server-1"]["waiting"] == 0, "scraped again")
        for model in ("critical", "standard", "sheddable"):
            self.assertEqual(gateway.chat(model=model).status, 200)
        # The one with room, whatever the criticality.
        self.assertEqual(len(self.servers[0].requests), 0)


class GivenBackTest(FaultTest):
    def test_whatever_happens_nothing_stays_held(self):
        """Every kind of end at once, many times. (Every other test ends with this check, too.)"""
        kinds = [chat_answer(), refuse_with_reset(), hang(), stream_answer(chat_events(["a"])),
                 stream_answer(chat_events(["a"])[:1], end="reset"), answer(500, b"no"),
                 stream_answer([event("x")], end="hang"), lambda r, c: c.close()]

        def script(request, connection):
            kinds[request.json()["seed"] % len(kinds)](request, connection)

        gateway = self.start(script, script, script, timeouts={"request": "700ms"})

        def one(seed):
            with gateway.connect() as client:
                client.request("POST", CHAT, body=chat_body(seed=seed, stream=seed % 2 == 0))
                if seed % 3 == 0:
                    client.reset()
                elif seed % 3 == 1:
                    client.read_response()

        threads = [threading.Thread(target=one, args=(seed,)) for seed in range(96)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        gateway.wait_handled(96)
        gateway.wait_given_back()
        gateway.wait_metric("penstock_requests_total", 96)


if __name__ == "__main__":
    unittest.main()
