"""Replicas that accept and answer nothing: noticed, avoided, shown, back when they answer."""

import unittest

from harness import Gate, GatewayTest, chat_answer, eventually, pool_of

CHAT = "/v1/chat/completions"


class SilenceTest(GatewayTest):
    def start(self, hangs):
        """A gateway with two servers, the first of which answers what `hangs` tells once it is
        open."""
        self.gate = Gate("the hung server answers")

        def script(request, connection):
            if request.path == hangs and self.hung:
                self.gate.wait(60)
            if request.path == "/metrics":
                connection.server._answer_own(request, connection)
            else:
                chat_answer()(request, connection)

        self.hung = False
        self.servers = [self.model_server(script, name="hung"),
                        self.model_server(chat_answer(), name="well")]
        if hangs == "/metrics":
            self.servers[0].own_paths.discard("/metrics")
        gateway = self.gateway(pool_of(self.servers), arguments=("--silent-seconds", "1"))
        eventually(lambda: self.state(gateway) == "ready", "read")
        return gateway

    def state(self, gateway):
        return gateway.endpoints()["hung"]["state"]

    def chats(self):
        return len([r for r in self.servers[0].requests if r.path == CHAT])

    def test_a_server_whose_metrics_hang_is_avoided_and_comes_back(self):
        gateway = self.start("/metrics")
        self.hung = True
        eventually(lambda: self.state(gateway) in ("stale", "silent"), "old")
        eventually(lambda: self.state(gateway) == "silent", "silent")
        told = gateway.endpoints()["hung"]
        self.assertGreater(told["metrics_age_ms"], 1000)
        self.assertGreaterEqual(told["scrape_failures_in_row"], 3)
        self.assertGreaterEqual(told["silent_for_ms"], 0)
        gateway.wait_line("Endpoint silent, others are preferred", reason="metrics")
        gateway.wait_metric("penstock_silences_total", 1, reason="metrics")
        gateway.wait_metric("penstock_pool_endpoints", 1, state="silent")
        before = self.chats()
        for _ in range(10):
            self.assertEqual(gateway.chat().status, 200)
        self.assertEqual(self.chats(), before)
        self.hung = False
        self.gate.open()
        eventually(lambda: self.state(gateway) == "ready", "back")
        gateway.wait_line("Endpoint answers again", reason="metrics")

    def test_a_server_whose_requests_hang_is_avoided_and_comes_back(self):
        gateway = self.start(CHAT)
        self.hung = True
        # Whichever server gets them: once there is one that waits, the other is idler.
        waiting = [self.client(gateway)]
        waiting[0].request("POST", CHAT, body={"model": "m", "messages": []})

        def one_waits():
            if gateway.endpoints()["hung"]["in_flight"] > 0:
                return True
            waiting.append(self.client(gateway))
            waiting[-1].request("POST", CHAT, body={"model": "m", "messages": []})
            return False
        eventually(one_waits, "a request waits")
        # Then none is at the other one any more, so that it is the idler of the two.
        eventually(lambda: gateway.endpoints()["well"]["in_flight"] == 0, "the peer is idle")

        def silent():
            # The peer goes on answering. Nobody waits for that here: where this machine stalls, the
            # peer's metrics are old for a moment, and a request may go to the hung one after all.
            waiting.append(self.client(gateway))
            waiting[-1].request("POST", CHAT, body={"model": "m", "messages": []})
            return self.state(gateway) == "silent"
        eventually(silent, "silent")
        gateway.wait_line("Endpoint silent, others are preferred", reason="requests")
        self.hung = False
        before = self.chats()
        # Twice as many at once as there wait: by load alone some would go there.
        at_once = [self.client(gateway) for _ in range(2 * len(waiting) + 4)]
        for client in at_once:
            client.request("POST", CHAT, body={"model": "m", "messages": []})
        for client in at_once:
            self.assertEqual(client.read_response().status, 200)
        self.assertEqual(self.chats(), before)
        self.gate.open()
        for client in waiting:
            self.assertEqual(client.read_response().status, 200)
        eventually(lambda: self.state(gateway) == "ready", "back")
        gateway.wait_line("Endpoint answers again", reason="requests")


if __name__ == "__main__":
    unittest.main()
