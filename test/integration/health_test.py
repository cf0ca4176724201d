"""Replicas that fail at once and so look idle: what they draw, when they are out of use, and how
they come back."""

import threading
import unittest

from harness import (GatewayTest, answer, chat_answer, eventually, http_route, pod, pool_of,
                     refuse_with_reset)


def garbage(request, connection):
    connection.send(b"\x00\x01 this is no HTTP\r\n\r\n")
    connection.close()


def byte_then_close(request, connection):
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    b"Content-Length: 100\r\n\r\n{")
    connection.close()


class HealthTest(GatewayTest):
    def start(self, *scripts, **rule):
        self.servers = [self.model_server(script) for script in scripts]
        objects = [http_route(**rule)] + pool_of(self.servers)[1:]
        gateway = self.gateway(objects, arguments=("--workers", "1"))
        gateway.wait_scraped()
        return gateway

    def load(self, gateway, clients, each):
        """The statuses of clients * each chats; "cut" where the answer did not end."""
        statuses = []

        def run():
            for _ in range(each):
                response = gateway.chat()
                statuses.append(response.status if response.complete else "cut")
        threads = [threading.Thread(target=run) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return statuses

    def black_hole(self, script):
        """One of three fails at once, the others take their time and never have nothing to do."""
        slow = threading.Event()

        def works(request, connection):
            slow.wait(0.02)
            chat_answer()(request, connection)
        gateway = self.start(script, works, works)
        statuses = self.load(gateway, 6, 40)
        drawn = len(self.servers[0].requests)
        self.assertTrue(0 < drawn < 24, f"{drawn} of {len(statuses)}")
        return [s for s in statuses if s != 200], gateway

    def test_a_replica_that_answers_garbage_draws_little_and_costs_nobody_an_answer(self):
        lost, gateway = self.black_hole(garbage)
        self.assertEqual(lost, [])
        gateway.wait_metric_at_least("penstock_retries_total", 1, reason="bad_response")

    def test_a_replica_that_takes_requests_over_kept_connections_and_closes_costs_no_answer(self):
        fails = threading.Event()

        def takes_and_closes(request, connection):
            if fails.is_set():
                connection.close()
            else:
                chat_answer()(request, connection)
        gateway = self.start(takes_and_closes, chat_answer())
        self.assertEqual(self.load(gateway, 4, 10), [200] * 40)
        fails.set()
        self.assertEqual(self.load(gateway, 4, 10), [200] * 40)

    def test_a_replica_that_answers_500_draws_little(self):
        self.assertEqual(set(self.black_hole(answer(500, b"{}"))[0]), {500})

    def test_a_replica_that_sends_a_byte_and_closes_draws_little(self):
        self.assertEqual(set(self.black_hole(byte_then_close)[0]), {"cut"})

    def test_three_failures_in_a_row_take_it_out_and_a_success_on_trial_brings_it_back(self):
        for script, reason in ((garbage, "bad_answer"), (answer(500, b"{}"), "error_status"),
                               (byte_then_close, "no_answer")):
            gateway = self.start(script)  # alone, so that it is asked all the same
            ejected = lambda: gateway.endpoints()[self.servers[0].name]["ejected"]
            for _ in range(3):
                self.assertFalse(ejected())
                gateway.chat()
            line = gateway.wait_line("Endpoint ejected")
            self.assertEqual((line["pool"], line["reason"]), ("default/test-pool", reason))
            gateway.chat()
            self.assertEqual(len(self.servers[0].requests), 4)
            self.servers[0].script = chat_answer()
            eventually(lambda: not ejected(), "back in use")
            self.assertEqual(gateway.chat().status, 200)
            gateway.wait_metric("penstock_ejections_total", 1)

    def test_one_failure_of_a_replica_that_is_not_healthy_takes_it_out(self):
        gateway = self.start(garbage, chat_answer())
        self.servers[0].healthy = False
        eventually(lambda: gateway.chat() and gateway.endpoints()["server-0"]["ejected"], "ejected")
        self.assertEqual(gateway.wait_line("Endpoint ejected")["reason"], "probe_failed")
        self.assertEqual(len(self.servers[0].requests), 1)

    def test_a_full_queue_costs_share_but_neither_an_answer_nor_the_place(self):
        gateway = self.start(answer(503, b"busy"), chat_answer(), chat_answer())
        self.assertEqual(set(self.load(gateway, 2, 50)), {200})
        self.assertTrue(0 < len(self.servers[0].requests) < 20)
        self.servers[0].probes.wait(lambda probes: [p for p in probes if p.path == "/health"],
                                    "it is asked how it is")
        self.assertFalse(gateway.endpoints()["server-0"]["ejected"])

    def test_a_full_queue_of_a_server_that_is_not_healthy_takes_it_out(self):
        gateway = self.start(answer(503, b"busy"), chat_answer())
        self.servers[0].healthy = False
        eventually(lambda: gateway.chat() and gateway.endpoints()["server-0"]["ejected"], "ejected")
        self.assertEqual(gateway.wait_line("Endpoint ejected")["reason"], "probe_failed")

    def test_a_pool_whose_every_replica_fails_is_still_asked(self):
        gateway = self.start(answer(500, b"{}"), answer(500, b"{}"))
        self.assertEqual(self.load(gateway, 2, 10), [500] * 20)


class RepeatTest(GatewayTest):
    """What was sent whole may have been executed."""

    def start_service(self, *scripts):
        """A route to a Service with one endpoint for each script."""
        self.servers = [self.model_server(script) for script in scripts]
        for server in self.servers:
            server.own_paths = {"/health"}
        slices = [{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                   "metadata": {"name": server.name,
                                "labels": {"kubernetes.io/service-name": "web"}},
                   "addressType": "IPv4", "ports": [{"name": "http", "port": server.port}],
                   "endpoints": [{"addresses": [server.address]}]} for server in self.servers]
        return self.gateway([http_route(path="/", backendRefs=[{"name": "web", "port": 80}]), {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8000}]}}, *slices],
            arguments=("--workers", "1"))

    def requests(self):
        return sum(len(server.requests) for server in self.servers)

    def start_pool(self, *scripts):
        self.servers = [self.model_server(script) for script in scripts]
        gateway = self.gateway(pool_of(self.servers), arguments=("--workers", "1"))
        gateway.wait_scraped()
        return gateway

    def test_a_poisonous_prompt_is_tried_on_two_replicas_at_most(self):
        def head_cut(request, connection):
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Le")
            connection.close()
        for script in (refuse_with_reset(), garbage, head_cut, lambda r, c: c.close()):
            gateway = self.start_pool(*[script] * 5)
            response = gateway.chat()
            self.assertEqual(response.status, 502)
            self.assertEqual(self.requests(), 2)
            gateway.wait_metric("penstock_limit_reached_total", 1, limit="repeats")

    def test_the_same_over_connections_that_are_kept(self):
        def dies_of_poison(request, connection):
            if b"POISON" in request.body:
                connection.close()
            else:
                chat_answer()(request, connection)
        gateway = self.start_pool(*[dies_of_poison] * 3)
        for _ in range(12):
            self.assertEqual(gateway.chat().status, 200)
        before = self.requests()
        self.assertEqual(gateway.chat("POISON").status, 502)
        self.assertEqual(self.requests() - before, 2)

    def test_a_post_to_a_service_is_sent_once(self):
        for method, script in (("POST", refuse_with_reset()), ("POST", garbage),
                               ("PATCH", lambda r, c: c.close())):
            gateway = self.start_service(*[script] * 3)
            self.assertEqual(gateway.request(method, "/orders", body=b"{}").status, 502)
            self.assertEqual(self.requests(), 1)

    def test_a_post_to_a_service_is_sent_once_over_a_kept_connection(self):
        def closes_after(request, connection):
            if request.path == "/orders":
                connection.close()
            else:
                answer(200, b"ok")(request, connection)
        gateway = self.start_service(*[closes_after] * 3)
        for _ in range(6):
            self.assertEqual(gateway.get("/warm").status, 200)
        before = self.requests()
        self.assertEqual(gateway.post("/orders", b"{}").status, 502)
        self.assertEqual(self.requests() - before, 1)

    def test_a_post_to_a_service_does_not_meet_a_connection_that_was_closed(self):
        gateway = self.start_service(answer(200, b"ok"))
        for _ in range(20):
            self.assertEqual(gateway.post("/orders", b"{}").status, 200)
            for connection in self.servers[0].connections:
                connection.close()
        self.assertEqual(gateway.metrics().sum("penstock_retries_total"), 0)

    def test_what_is_idempotent_is_tried_at_other_backends(self):
        for method in ("GET", "PUT", "DELETE"):
            gateway = self.start_service(*[refuse_with_reset()] * 3)
            self.assertEqual(gateway.request(method, "/orders/1").status, 502)
            self.assertEqual(self.requests(), 3)

    def test_a_post_that_was_not_sent_is_tried_at_other_backends(self):
        gateway = self.start_service(*[answer(200, b"ok")] * 2)
        self.servers[0].kill()
        for _ in range(6):
            self.assertEqual(gateway.post("/orders", b"{}").status, 200)


class UnreachableTest(GatewayTest):
    def test_a_dead_pool_is_503_from_the_first_call_on(self):
        servers = [self.model_server(chat_answer()) for _ in range(3)]
        gateway = self.gateway(pool_of(servers))
        for server in servers:
            server.kill()
        for _ in range(3):
            response = gateway.chat()
            self.assertEqual((response.status, response.json()["error"]["code"]),
                             (503, "endpoints_unreachable"))
            self.assertGreater(int(response.get("retry-after")), 0)
        response = gateway.post("/v1/messages", {"model": "test-model", "max_tokens": 1,
                                                 "messages": [{"role": "user", "content": "a"}]})
        self.assertEqual((response.status, response.json()["error"]["type"]),
                         (503, "overloaded_error"))

    def test_readyz_says_that_every_pool_is_empty_and_a_flag_makes_it_unready(self):
        for flag, status in ((None, 200), ("false", 503)):
            server = self.model_server(chat_answer())
            arguments = ("--ready-without-endpoints", flag) if flag else ()
            gateway = self.gateway(pool_of([server]), arguments=arguments)
            text = b"no pool has a usable endpoint"
            self.assertNotIn(text, gateway.admin("/readyz").body)
            server.kill()
            ready = eventually(lambda: text in (r := gateway.admin("/readyz")).body and r, "said")
            self.assertEqual(ready.status, status)

    def test_no_way_to_an_endpoint_is_not_held_against_it(self):
        server = self.model_server(chat_answer())
        server.metrics_page = b"none\n"  # neither has fresh metrics: they are equals
        nowhere = "127.255.255.255"  # the loopback's broadcast address: ENETUNREACH
        gateway = self.gateway(pool_of([server]) + [pod("nowhere", nowhere, port=server.port)],
                               arguments=("--workers", "1"))
        for _ in range(40):
            self.assertEqual(gateway.chat().status, 200)
        gateway.wait_line(
            "No connection to an endpoint, for want of something of the gateway's own",
            endpoint=f"{nowhere}:{server.port}")
        self.assertFalse(gateway.endpoints()["nowhere"]["ejected"])
        metrics = gateway.metrics()
        self.assertGreater(metrics.sum("penstock_retries_total", reason="unreachable"), 0)
        self.assertGreater(metrics.sum("penstock_own_connect_failures_total",
                                       reason="unreachable"), 0)
        self.assertEqual(metrics.sum("penstock_ejections_total"), 0)


if __name__ == "__main__":
    unittest.main()
