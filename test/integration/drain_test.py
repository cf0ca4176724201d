"""SIGTERM: nothing new, what is in flight finishes, then the end."""

import json
import os
import signal
import threading
import unittest

from harness import (Ended, Gate, GatewayTest, chat_answer, chat_body, chat_events,
                     eventually, hang, pool_of, stream_answer)

CHAT = "/v1/chat/completions"


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
        gateway.wait_line("Draining: no new connections, requests in flight finish")

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
            lost, answered = [], []

            def ask_on():
                while True:
                    try:
                        client = gateway.connect()
                    except (ConnectionRefusedError, ConnectionResetError):
                        return
                    try:
                        while True:
                            client.request("POST", CHAT, body=chat_body())
                            response = client.read_response()
                            answered.append(response.status)
                            if not keep_alive or response.get("connection") == "close":
                                break
                    except (Ended, OSError) as error:
                        lost.append(repr(error))
                    client.close()

            threads = [threading.Thread(target=ask_on) for _ in range(8)]
            for thread in threads:
                thread.start()
            eventually(lambda: len(answered) > 200, "requests")
            gateway.signal()
            self.assertEqual(gateway.wait_exit(), 0)
            for thread in threads:
                thread.join()
            self.assertEqual(lost, [])
            self.assertEqual(set(answered), {200})

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
