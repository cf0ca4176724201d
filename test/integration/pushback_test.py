"""Model servers that answer 429 or 503 as they have as many requests as they take."""

import subprocess
import threading
import unittest

from harness import (GatewayTest, answer, chat_answer, eventually, exchange, free_port, http_route,
                     inference_pool, pod, pool_of)
from harness.gateway import penstock

CHAT = "/v1/chat/completions"
PUSHBACKS = "penstock_endpoint_pushbacks_total"
LIMITED = "penstock_pool_limited_endpoints"


class SimulatedTest(GatewayTest):
    """Three simulated replicas, of which the first takes no more than one request."""

    def fleet(self, replicas, *arguments):
        pods = []
        for i in range(replicas):
            address = self.addresses.take()
            port = free_port(address)
            process = subprocess.Popen(
                [penstock(), "sim", "--model", "m", "--name", f"sim-{i}", "--listen",
                 f"{address}:{port}", *arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.addCleanup(self.end, process)
            process.stdout.readline()  # it listens
            pods.append(pod(f"sim-{i}", address, port=port))
            self.replicas.append((address, port))
        return pods

    @staticmethod
    def end(process):
        process.kill()
        process.wait()
        process.stdout.close()

    def start(self, annotations=None):
        self.replicas = []
        pods = self.fleet(3, "--speed", "5")
        pool = inference_pool(self.replicas[0][1], annotations=annotations)
        self.gate = self.gateway([http_route(), pool] + pods, arguments=("--workers", "2"))
        self.gate.wait_scraped()
        self.order("/sim/fault", b'{"fault":"busy-beyond=1"}')

    def order(self, path, body=b"{}"):
        self.assertEqual(exchange(*self.replicas[0], "POST", path, body=body).status, 200)

    def load(self, clients, each):
        statuses = []

        def run():
            for _ in range(each):
                statuses.append(self.gate.chat(model="m", max_tokens=20).status)
        threads = [threading.Thread(target=run) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return statuses

    def requests(self):
        return [self.gate.endpoints()[f"sim-{i}"]["requests"] for i in range(3)]

    def judge_less_and_recovery(self):
        self.assertEqual(set(self.load(9, 20)), {200})
        self.gate.wait_metric_at_least(PUSHBACKS, 1)
        self.gate.wait_metric(LIMITED, 1)
        first, *others = self.requests()
        self.assertLess(first, min(others) / 2)
        told = self.gate.endpoints()["sim-0"]
        self.assertEqual((told["state"], told["failures_in_row"]), ("ready", 0))
        self.assertGreaterEqual(told["allowed"], 1)
        self.assertEqual(self.gate.metrics().sum("penstock_ejections_total"), 0)
        self.order("/sim/restore")
        eventually(lambda: set(self.load(9, 5)) == {200} and
                   self.gate.metrics().sum(LIMITED) == 0, "it has its share again")

    def test_the_others_have_what_it_refuses_and_it_recovers(self):
        self.start()
        self.judge_less_and_recovery()

    def test_the_same_with_a_queue(self):
        self.start({"penstock.dev/queueing": "true"})
        self.judge_less_and_recovery()


class PushbackTest(GatewayTest):
    def start(self, *scripts, annotations=None):
        self.servers = [self.model_server(script) for script in scripts]
        self.gate = self.gateway(pool_of(self.servers, annotations=annotations),
                                 arguments=("--workers", "1"))
        self.gate.wait_scraped()

    def test_a_refusal_that_nobody_else_can_have_is_passed_on_with_its_retry_after(self):
        for status in (429, 503):
            self.start(answer(status, b"busy", [("Retry-After", "7")]))
            response = self.gate.chat()
            self.assertEqual((response.status, response.body, response.get("retry-after")),
                             (status, b"busy", "7"))
            self.gate.wait_metric(PUSHBACKS, 1)
            told = self.gate.endpoints()["server-" + str(len(self._servers) - 1)]
            self.assertEqual((told["ejected"], told["allowed"]), (False, 1))
            self.assertTrue(0 < told["paused_for_ms"] <= 7000)

    def test_while_it_pauses_it_is_not_asked_and_explain_says_so(self):
        self.start(answer(429, b"busy", [("Retry-After", "60")]), chat_answer())
        eventually(lambda: self.gate.chat().status == 200 and self.servers[0].requests, "asked")
        for i in range(10):
            self.assertEqual(self.gate.chat(headers=[("x-request-id", f"r{i}")]).status, 200)
        self.assertEqual(len(self.servers[0].requests), 1)
        self.gate.wait_metric("penstock_retries_total", 1, reason="pushed_back")
        self.gate.wait_line("Request Handled", request_id="r9")
        text = self.gate.admin("/explain?id=r9").body.decode()
        self.assertIn(f"not asked: server-0 ({self.servers[0].endpoint}), pushed back: 0 of ours "
                      "in flight there, 1 allowed, none wanted for ", text)

    def test_with_a_queue_requests_wait_until_it_wants_some_again(self):
        def refuse_the_first(request, connection):
            busy = len(self.servers[0].requests) == 1
            script = answer(429, b"busy", [("Retry-After", "1")]) if busy else chat_answer()
            script(request, connection)
        self.start(refuse_the_first, annotations={"penstock.dev/queueing": "true"})
        self.assertEqual(self.gate.chat().status, 429)
        self.assertEqual(self.gate.chat().status, 200)
        self.gate.wait_metric("penstock_queue_requests_total", 1, result="waited")
        self.assertEqual(len(self.servers[0].requests), 2)


if __name__ == "__main__":
    unittest.main()
