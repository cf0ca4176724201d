"""Connections as such: time-outs beside data, keep-alive probes, dates, the admin port's places."""

import email.utils
import pathlib
import signal
import time
import unittest

from harness import (DEADLINE_S, Client, Gate, GatewayTest, answer, chat_answer, chat_body,
                     eventually, hang, pool_of)

CHAT = "/v1/chat/completions"


class StoppedProcessTest(GatewayTest):
    def test_answers_that_came_while_the_process_stood_still_are_delivered(self):
        """SIGSTOP stands for a container's freezer, a moved machine, a debugger."""
        gate = Gate("answers")
        answers = 300  # more than the loop is told of at once

        def late(request, connection):
            gate.wait(5 * DEADLINE_S)
            answer(200, b"{}")(request, connection)

        server = self.model_server(late)
        gateway = self.gateway(pool_of([server]), arguments=(
            "--workers", "1", "--timeout", "response_headers_timeout=8s"))
        clients = [self.client(gateway) for _ in range(answers)]
        for client in clients:
            client.request("GET", "/v1/t")
        server.wait_requests(answers)
        begun = time.monotonic()
        gateway.signal(signal.SIGSTOP)
        gate.open()
        # All answers lie in the gateway's sockets, and all time-outs are over.
        eventually(lambda: self.unread_by(server) >= answers, "answers in the sockets")
        eventually(lambda: time.monotonic() > begun + 9, "the time-outs are over")
        gateway.signal(signal.SIGCONT)
        self.assertEqual([c.read_response().status for c in clients], [200] * answers)

    @staticmethod
    def unread_by(server):
        """How many sockets towards the server have bytes that nobody has read."""
        count = 0
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            to_server = int(fields[2].split(":")[1], 16) == server.port
            count += to_server and int(fields[4].split(":")[1], 16) > 0
        return count


class KeepAliveProbesTest(GatewayTest):
    def timers(self, port, side):
        """What the kernel waits for on the gateway's sockets of that local or remote port."""
        found = []
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[1 if side == "local" else 2].split(":")[1], 16) == port and \
                    fields[3] == "01":
                found.append(fields[5].split(":")[0])
        return found

    def test_silent_clients_and_endpoints_are_asked_whether_they_are_there(self):
        server = self.model_server(hang())
        gateway = self.gateway(pool_of([server]))
        client = self.client(gateway)
        client.request("POST", CHAT, body=chat_body())
        server.wait_requests(1)
        keep_alive = "02"  # the kernel's word for that timer
        eventually(lambda: keep_alive in self.timers(gateway.port, "local"), "client probed")
        eventually(lambda: keep_alive in self.timers(server.port, "remote"), "endpoint probed")
        client.close()

    def test_it_can_be_switched_off(self):
        server = self.model_server(chat_answer())
        gateway = self.gateway(pool_of([server]), arguments=("--timeout", "tcp_keep_alive=0s"))
        client = self.client(gateway)
        client.request("POST", CHAT, body=chat_body())
        self.assertEqual(client.read_response().status, 200)
        self.assertNotIn("02", self.timers(gateway.port, "local"))


class DateTest(GatewayTest):
    def assert_now(self, response):
        date = email.utils.parsedate_to_datetime(response.get("date"))
        self.assertLess(abs(date.timestamp() - time.time()), 100)

    def test_answers_of_the_gateway_are_dated_and_those_of_replicas_keep_their_date(self):
        date = "Sun, 06 Nov 1994 08:49:37 GMT"
        server = self.model_server(answer(200, b"{}", [("Date", date)]))
        gateway = self.gateway(pool_of([server]))
        self.assertEqual(gateway.get("/v1/t").get("date"), date)
        self.assert_now(gateway.post(CHAT, b"no JSON"))
        self.assert_now(gateway.get("/v1/models"))
        self.assert_now(gateway.admin("/readyz"))
        self.assert_now(gateway.admin("/nowhere"))


class AdminPlacesTest(GatewayTest):
    def test_idle_connections_do_not_lock_others_out(self):
        gateway = self.gateway(pool_of([self.model_server(chat_answer())]))
        held = [Client(gateway.address, gateway.admin_port) for _ in range(200)]
        for client in held:
            self.addCleanup(client.close)
        for path in ("/readyz", "/healthz", "/metrics"):
            self.assertEqual(gateway.admin(path).status, 200)
        self.assertEqual(held[0].wait_closed(), b"")
        closed = gateway.metrics().sum("penstock_limit_reached_total", limit="admin_connections")
        self.assertGreaterEqual(closed, 200 - 64)
        # The newest are still there.
        held[-1].request("GET", "/healthz")
        self.assertEqual(held[-1].read_response().status, 200)

    def test_what_is_sent_after_the_last_answer_is_limited_and_counted(self):
        gateway = self.gateway(pool_of([self.model_server(chat_answer())]),
                               arguments=("--limit", "admin_linger_bytes=64KiB"))
        with Client(gateway.address, gateway.admin_port) as client:
            client.send(b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n")
            self.assertEqual(client.read_response().status, 413)
            try:
                client.send(bytes(10_000_000))
            except OSError:
                pass  # it was cut off
        gateway.wait_metric("penstock_limit_reached_total", 1, limit="admin_linger_bytes")


if __name__ == "__main__":
    unittest.main()
