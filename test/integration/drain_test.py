"""SIGTERM: nothing new, what is in flight finishes, then the end."""

import json
import os
import signal
import threading
import unittest

from harness import (Ended, Gate, Gateway, GatewayTest, chat_answer, chat_body, chat_events,
                     eventually, hang, pool_of, stream_answer)

CHAT = "/v1/chat/completions"
DRAINING = "Draining: no new connections, requests in flight finish"
SHUTTING_DOWN = "Shutting down: not ready any more, requests are served until the drain"


class Traffic:
    """Clients that go on until nobody listens any more, or a request is lost."""

    def __init__(self, gateway, keep_alive, threads=8):
        self.gateway, self.keep_alive = gateway, keep_alive
        self.lost, self.answered = [], []
        self._threads = [threading.Thread(target=self._ask_on) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _ask_on(self):
        while True:
            try:
                client = self.gateway.connect()
            except (ConnectionRefusedError, ConnectionResetError):
                return
            try:
                while True:
                    client.request("POST", CHAT, body=chat_body())
                    response = client.read_response()
                    self.answered.append(response.status)
                    if not self.keep_alive or response.get("connection") == "close":
                        break
            except (Ended, OSError) as error:
                self.lost.append(repr(error))
            client.close()

    def join(self):
        for thread in self._threads:
            thread.join()


class DrainTest(GatewayTest):
    def start(self, script, **options):
        self.server = self.model_server(script)
        return self.gateway(pool_of([self.server]), **options)

    def stream(self, gateway):
        """A client that has read the head of a stream."""
        client = self.client(gateway)
        client.request("POST", CHAT, body=chat_body(stream=True))
        client.read_final_head()
        return client

    def wait_draining(self, gateway):
        gateway.wait_line(DRAINING)

    def wait_refusing(self, gateway):
        def refused():
            try:
                client = gateway.connect()
            except (ConnectionRefusedError, ConnectionResetError):
                return True
            client.close()
            return False
        eventually(refused, "new connections refused")

    def test_an_idle_gateway_ends_at_once(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            gateway = self.start(chat_answer())
            gateway.chat()
            gateway.signal(number)
            self.assertEqual(gateway.wait_exit(), 0)
            self.assertEqual(len(gateway.handled()), 1, "the last log line is missing")

    def test_idle_connections_are_closed(self):
        gateway = self.start(chat_answer())
        used, fresh = self.client(gateway), self.client(gateway)
        used.request("POST", CHAT, body=chat_body())
        self.assertEqual(used.read_response().status, 200)
        gateway.signal()
        self.assertEqual(used.wait_closed(), b"")
        self.assertEqual(fresh.wait_closed(), b"")
        self.assertEqual(gateway.wait_exit(), 0)

    def test_no_request_is_lost(self):
        """Clients that go on until nobody listens any more get an answer to each request."""
        for keep_alive in (True, False):
            gateway = self.start(chat_answer())
            traffic = Traffic(gateway, keep_alive)
            eventually(lambda: len(traffic.answered) > 200, "requests")
            gateway.signal()
            self.assertEqual(gateway.wait_exit(), 0)
            traffic.join()
            self.assertEqual((traffic.lost, set(traffic.answered)), ([], {200}))

    def test_a_stream_in_flight_finishes(self):
        events = chat_events(["a", "b"])
        gate = Gate("rest of the stream")
        gateway = self.start(stream_answer(events, {1: gate}))
        client = self.stream(gateway)
        self.assertEqual(client.read_chunk(), events[0])
        gateway.signal()
        self.wait_draining(gateway)
        self.wait_refusing(gateway)
        ready = gateway.admin("/readyz")
        self.assertEqual((ready.status, ready.body), (503, b"draining\n"))
        self.assertIsNone(gateway.process.poll())
        gate.open()
        self.assertEqual(client.read_chunks(), b"".join(events[1:]))
        self.assertEqual(client.wait_closed(), b"")
        self.assertEqual(gateway.wait_exit(), 0)
        self.assertEqual(gateway.handled()[0]["outcome"], "complete")

    def test_requests_under_way_are_answered_and_told_to_close(self):
        gate = Gate("answer")

        def script(request, connection):
            gate.wait()
            chat_answer()(request, connection)

        gateway = self.start(script)
        waiting, half = self.client(gateway), self.client(gateway)
        waiting.request("POST", CHAT, body=chat_body())
        body = b'{"model":"test-model","messages":[]}'
        half.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s"
                  % (len(body), body[:15]))
        self.server.wait_requests(1)
        gateway.wait_metric("penstock_downstream_connections", 2)
        gateway.signal()
        self.wait_refusing(gateway)
        half.send(body[15:])
        self.server.wait_requests(2)
        gate.open()
        for client in (waiting, half):
            response = client.read_response()
            self.assertEqual((response.status, response.get("connection")), (200, "close"))
            self.assertEqual(client.wait_closed(), b"")
        self.assertEqual(gateway.wait_exit(), 0)

    def wait_not_ready(self, gateway):
        gateway.wait_line(SHUTTING_DOWN)
        ready = gateway.admin("/readyz")
        self.assertEqual((ready.status, ready.body), (503, b"draining\n"))

    def test_until_the_drain_everything_is_served_and_followed_but_it_is_not_ready(self):
        events = chat_events(["a", "b"])
        gate = Gate("rest of the stream")
        gateway = self.start(stream_answer(events, {1: gate}),
                             arguments=("--shutdown-delay", "1h"))
        streaming, idle = self.stream(gateway), self.client(gateway)
        self.assertEqual(streaming.read_chunk(), events[0])
        gateway.signal()
        self.wait_not_ready(gateway)
        self.assertEqual(gateway.wait_line(SHUTTING_DOWN)["delay_s"], 3600)
        # Endpoints go and come, as a rollout has them.
        other = self.model_server(chat_answer())
        gateway.write("objects.yaml", pool_of([other]))
        eventually(lambda: set(gateway.endpoints()) == {other.name}, "the change is served")
        self.assertEqual(gateway.chat().status, 200)
        idle.request("POST", CHAT, body=chat_body())
        response = idle.read_response()
        self.assertEqual((response.status, response.get("connection")), (200, None))
        gateway.signal(signal.SIGHUP)
        gateway.wait_line("SIGHUP: the configuration was read", changed=False)
        gate.open()
        self.assertEqual(streaming.read_chunks(), b"".join(events[1:]))
        # A second signal ends all of it.
        gateway.signal()
        self.assertEqual(gateway.wait_exit(), 1)
        self.assertTrue(gateway.wait_line("Drain ended early, what was in flight is broken off")
                        ["second_signal"])

    def test_the_drain_follows_the_delay_and_no_request_is_lost(self):
        gateway = self.start(chat_answer(), arguments=("--shutdown-delay", "300ms"))
        traffic = Traffic(gateway, keep_alive=False)
        eventually(lambda: len(traffic.answered) > 50, "requests")
        gateway.signal()
        self.wait_refusing(gateway)
        self.assertEqual(gateway.wait_exit(), 0)
        traffic.join()
        self.assertEqual((traffic.lost, set(traffic.answered)), ([], {200}))
        order = [l["message"] for l in gateway.lines if l["message"] in (SHUTTING_DOWN, DRAINING)]
        self.assertEqual(order, [SHUTTING_DOWN, DRAINING])

    def test_where_another_gateway_has_taken_over_the_drain_does_not_wait(self):
        old = self.start(chat_answer(), arguments=("--shutdown-delay", "1h"))
        new = Gateway(old.address, pool_of([self.server]), port=old.port,
                      admin_port=old.admin_port, arguments=("--takeover",), wait_ready=False)
        self.addCleanup(new.stop)
        new.wait_line("Listening", ports=1)
        old.signal()
        self.assertEqual(old.wait_exit(), 0)
        self.assertNotIn(SHUTTING_DOWN, [l["message"] for l in old.lines])

    def test_a_second_signal_ends_at_once(self):
        events = chat_events(["a"])
        gateway = self.start(stream_answer(events[:1], end="hang"))
        client = self.stream(gateway)
        self.assertEqual(client.read_chunk(), events[0])
        gateway.signal()
        self.wait_draining(gateway)
        gateway.signal()
        self.assertNotEqual(gateway.wait_exit(), 0)
        with self.assertRaises(Ended):  # no clean end of the stream
            client.read_chunks()

    def test_a_drain_has_a_limit(self):
        gateway = self.start(hang(), arguments=("--drain-seconds", "1"))
        client = self.client(gateway)
        client.request("POST", CHAT, body=chat_body())
        connection = self.server.wait_requests(1)[0].connection
        gateway.signal()
        self.assertNotEqual(gateway.wait_exit(), 0)
        self.assertGreaterEqual(gateway.process.returncode, 0, "killed by a signal")
        self.server.connections.wait(lambda _: connection.closed_by_peer.is_set(), "closed")
        client.wait_closed()

    def test_a_stream_at_the_end_of_the_drain_gets_an_error_event(self):
        events = chat_events(["a"])
        gateway = self.start(stream_answer(events[:1], end="hang"),
                             arguments=("--drain-seconds", "1"))
        client = self.stream(gateway)
        self.assertEqual(client.read_chunk(), events[0])
        gateway.signal()
        last = client.read_chunk()
        self.assertEqual(json.loads(last.removeprefix(b"data: "))["error"]["code"],
                         "shutting_down")
        with self.assertRaises(Ended):  # no clean end of the stream
            client.read_chunk()
        self.assertNotEqual(gateway.wait_exit(), 0)

    def test_who_waits_at_the_end_of_the_drain_is_told(self):
        gateway = self.start(hang(), arguments=("--drain-seconds", "1"))
        client = self.client(gateway)
        client.request("POST", CHAT, body=chat_body())
        self.server.wait_requests(1)
        gateway.signal()
        response = client.read_response()
        self.assertEqual((response.status, response.get("connection")), (503, "close"))
        self.assertEqual(response.json()["error"]["code"], "shutting_down")
        gateway.wait_exit()

    def full_pipe(self):
        """The writing end of a pipe that nobody reads and that takes nothing more."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        os.set_blocking(writing, False)
        try:
            while True:
                os.write(writing, b"x" * 4096)
        except BlockingIOError:
            pass
        os.set_blocking(writing, True)
        return writing

    def test_a_log_that_nobody_reads_does_not_hold_the_end(self):
        gateway = self.start(chat_answer(), stderr=self.full_pipe())
        self.assertEqual(gateway.chat().status, 200)
        gateway.signal()
        self.assertEqual(gateway.wait_exit(), 0)

    def test_a_second_signal_ends_at_once_whatever_the_log_does(self):
        gateway = self.start(hang(), stderr=self.full_pipe())
        client = self.client(gateway)
        client.request("POST", CHAT, body=chat_body())
        self.server.wait_requests(1)
        gateway.signal()
        self.wait_refusing(gateway)
        gateway.signal()
        self.assertEqual(gateway.wait_exit(), 1)

    def test_a_stream_that_the_client_leaves_does_not_hold_the_drain(self):
        gateway = self.start(stream_answer(chat_events(["a"])[:1], end="hang"))
        client = self.stream(gateway)
        gateway.signal()
        self.wait_draining(gateway)
        client.close()
        self.assertEqual(gateway.wait_exit(), 0)

    def test_a_slow_reader_gets_its_answer_to_the_end(self):
        size = 12 << 20
        sent = Gate("all sent")

        def script(request, connection):
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            connection.send(b"x" * size)
            sent.open()

        gateway = self.start(script)
        client = self.client(gateway, receive_buffer=4096)
        client.request("POST", CHAT, body=chat_body())
        client.read_final_head()
        gateway.signal()
        self.wait_refusing(gateway)
        self.assertTrue(client.take(size) == b"x" * size)
        sent.wait()
        self.assertEqual(client.wait_closed(), b"")
        self.assertEqual(gateway.wait_exit(), 0)


if __name__ == "__main__":
    unittest.main()
