"""Simulated replicas of both runtimes in one split pool, with faults coming and going while clients
ask and leave. Whatever happened: each request has ended, nothing is held anywhere, and the pool
serves again."""

import json
import random
import signal
import subprocess
import threading
import unittest

from harness import (Client, Ended, GatewayTest, eventually, exchange, free_port, http_route,
                     inference_pool, pod, traffic_policy)
from harness.disaggregation import CHAT, ROLE_LABEL
from harness.gateway import penstock

MODEL = "m"
SEED = 7
CLIENTS = 12
REQUESTS = 150  # of each client
FAULTS = ("refuse", "die", "hang", "hang-after-headers", "error=500", "error=503",
          "late-error=20ms", "break-after=0", "break-after=2", "close-after=1",
          "error-event-after=0", "error-event-after=1", "no-transfer")


class Fleet:
    """One simulated replica for each role of a runtime."""

    def __init__(self, test, runtime):
        self.pods = []
        self.replicas = []
        for role in ("prefill", "decode"):
            for i in range(2):
                address = test.addresses.take()
                port = free_port(address)
                process = subprocess.Popen(
                    [penstock(), "sim", "--runtime", runtime, "--role", role, "--model", MODEL,
                     "--preset", "instant", "--listen", f"{address}:{port}", "--bootstrap-port",
                     "34000"],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                test.addCleanup(self.end, process)
                process.stdout.readline()  # it listens
                made = pod(f"{runtime}-{role}-{i}", address, port=port)
                made["metadata"]["labels"] |= {ROLE_LABEL: role, "llm-d.ai/engine-type": runtime}
                self.pods.append(made)
                self.replicas.append((address, port))

    @staticmethod
    def end(process):
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()


class ChaosTest(GatewayTest):
    def setUp(self):
        fleets = [Fleet(self, "vllm"), Fleet(self, "sglang")]
        self.replicas = [replica for fleet in fleets for replica in fleet.replicas]
        policy = traffic_policy("sglang", annotations={"penstock.dev/bootstrap-timeout": "100ms"})
        pool = inference_pool(self.replicas[0][1])
        self.penstock = self.gateway(
            [http_route(), pool, policy] + [p for fleet in fleets for p in fleet.pods],
            arguments=("--workers", "2"))

    def order(self, replica, path, body):
        """A replica that is down is asked through another one of its process: here there is none,
        so an order that nobody takes is left."""
        try:
            exchange(*replica, "POST", path, body=body)
        except (OSError, Ended):
            pass

    def ask(self, chance):
        """One request, read to its end or left."""
        stream = chance.random() < 0.6
        body = {"model": MODEL, "stream": stream, "max_tokens": chance.randrange(1, 6),
                "messages": [{"role": "user", "content": "x" * chance.randrange(1, 4000)}]}
        if chance.random() < 0.1:
            body["n"] = 2
        with Client(self.penstock.address, self.penstock.port) as client:
            client.request("POST", CHAT, body=body)
            if chance.random() < 0.15:
                return "left"
            response = client.read_response()
        if stream and response.status == 200 and response.complete:
            self.assertEqual(response.events()[-1], "[DONE]")
        if response.status != 200:
            self.assertIn("message", json.dumps(response.json()))
        return response.status if response.complete else "broken"

    def test_nothing_is_lost_or_held(self):
        endings = []
        done = threading.Event()

        def client(seed):
            chance = random.Random(seed)
            for _ in range(REQUESTS):
                endings.append(self.ask(chance))

        def break_things():
            chance = random.Random(SEED)
            while not done.is_set():
                fault = chance.choice(FAULTS)
                self.order(chance.choice(self.replicas), "/sim/fault",
                           {"fault": fault, "for_ms": chance.randrange(20, 200)})
                done.wait(0.01)  # the pace of the faults, not something waited for

        breaker = threading.Thread(target=break_things)
        clients = [threading.Thread(target=client, args=(SEED + i,)) for i in range(CLIENTS)]
        for thread in [breaker, *clients]:
            thread.start()
        for thread in clients:
            thread.join()
        done.set()
        breaker.join()
        self.assertEqual(len(endings), CLIENTS * REQUESTS)
        self.assertGreater(endings.count(200), 0)
        self.penstock.wait_given_back()
        self.assertEqual(len(self.penstock.wait_handled(CLIENTS * REQUESTS)), CLIENTS * REQUESTS)
        for replica in self.replicas:
            # Faults end by themselves; a replica that was down listens again.
            eventually(lambda r=replica: self.is_idle(r), f"{replica} idle")
        eventually(lambda: self.ask(random.Random(3)) in (200, "left"), "served again")

    def is_idle(self, replica):
        try:
            state = exchange(*replica, "GET", "/sim/state").json()
        except (OSError, Ended):
            return False
        counts = ("in_flight", "receiving", "bootstrapping")
        return all(state[count] == 0 for count in counts)


if __name__ == "__main__":
    unittest.main()
