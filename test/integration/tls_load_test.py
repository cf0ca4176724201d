"""HTTPS listeners under load, and under clients that mean no good."""

import os
import random
import resource
import select
import socket
import ssl
import threading
import unittest

from harness import (Client, Gate, TlsTest, answer, chat_body, chat_events, eventually,
                     stream_answer)
from harness.client_hello import HANDSHAKE, answer_to, extension, real_hello, record

NAME = "a.example.com"
SEED = 20261129


class LoadTest(TlsTest):
    def serve_one(self, **options):
        self.listeners = [self.listener("https", None, "a")]
        return self.serve(self.listeners, [self.issued("first", NAME, name="a")], **options)

    def open_silent(self, gateway, count):
        """Connections to the HTTPS port that say nothing."""
        opened = []
        for _ in range(count):
            opened.append(socket.create_connection((gateway.address, self.tls_port)))
            self.addCleanup(opened[-1].close)
        return opened

    def expect_served(self, gateway, context=None):
        """New clients of both ports get their answers."""
        context = context or self.context()
        for _ in range(5):
            client = self.connect(gateway, NAME, context=context)
            client.request("GET", "/v1/t")
            self.assertEqual(client.read_response().body, b"hello")
            client.close()
            self.assertEqual(gateway.get("/v1/t").body, b"hello")

    def handshakes(self, gateway, result):
        return gateway.metrics().sum("penstock_tls_handshakes_total", result=result)

    def descriptors(self, gateway):
        return len(os.listdir(f"/proc/{gateway.process.pid}/fd"))

    def resident_kib(self, gateway):
        with open(f"/proc/{gateway.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


class RenewalTest(LoadTest):
    SWAPS = 20

    def test_certificates_are_replaced_under_load(self):
        """No handshake and no request fails, and each is shown a certificate that was in force."""
        self.swapped = [Gate(f"swap {i}") for i in range(self.SWAPS + 1)]
        gateway = self.serve_one(script=self.answer_or_stream, arguments=["--workers", "2"])
        renewed = [self.issued(f"renewed-{i}", NAME, name="a", key=("rsa:2048", "ec")[i % 5 > 0])
                   for i in range(self.SWAPS)]
        names = ["first"] + [f"renewed-{i}" for i in range(self.SWAPS)]
        self.seen, self.written, self.over = 0, 0, threading.Event()
        self.failures, self.done = [], {"kept": 0, "new": 0}
        stream = self.connect(gateway, NAME)
        stream.request("GET", "/v1/stream")
        self.assertEqual(stream.read_final_head().status, 200)
        threads = [threading.Thread(target=self.guarded, args=(work, gateway, names))
                   for work in (self.keep_asking, self.keep_coming) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for i, secret in enumerate(renewed, 1):
                self.written = i
                gateway.write("gateway.yaml",
                              self.objects(self.listeners, [secret], gateway.port))
                eventually(lambda: self.failures or self.seen >= i, f"certificate {i} is shown")
                self.swapped[i].open()
        finally:
            self.over.set()
            for thread in threads:
                thread.join()
        self.assertEqual(self.failures, [])
        self.assertEqual(stream.read_chunks(), b"".join(b"%d;" % i for i in range(self.SWAPS + 1)))
        self.assertGreater(min(self.done.values()), self.SWAPS, self.done)
        metrics = gateway.metrics()
        self.assertEqual(metrics.sum("penstock_tls_handshakes_total") -
                         metrics.sum("penstock_tls_handshakes_total", result="ok"),
                         metrics.sum("penstock_tls_handshakes_total", result="closed"))

    def answer_or_stream(self, request, connection):
        if request.target != "/v1/stream":
            return answer(200, b"hello")(request, connection)
        connection.send_head(200, [("Content-Type", "text/event-stream"),
                                   ("Transfer-Encoding", "chunked")])
        self.swapped[0].open()
        for i, gate in enumerate(self.swapped):
            gate.wait(60)
            connection.send_chunk(b"%d;" % i)
        return connection.end_chunks()

    def guarded(self, work, gateway, names):
        try:
            work(gateway, names)
        except Exception as e:  # pylint: disable=broad-except
            self.failures.append(repr(e))

    def ask(self, client, how):
        client.request("GET", "/v1/t", host=NAME)
        response = client.read_response()
        if (response.status, response.body, response.complete) != (200, b"hello", True):
            raise AssertionError(response)
        self.done[how] += 1

    def keep_asking(self, gateway, _):
        with self.connect(gateway, NAME) as client:
            while not self.over.is_set():
                self.ask(client, "kept")

    def keep_coming(self, gateway, names):
        while not self.over.is_set():
            # Workers take up a configuration one after the other.
            oldest = max(0, self.seen - 1)
            with self.connect(gateway, NAME) as client:
                shown = names.index(self.subject(client))
                if not oldest <= shown <= self.written:
                    raise AssertionError(f"{names[shown]} between {oldest} and {self.written}")
                self.seen = max(self.seen, shown)
                self.ask(client, "new")


class HalfOpenTest(LoadTest):
    COUNT = 1000

    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < 3 * self.COUNT:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 3 * self.COUNT), hard))

    def test_a_thousand_handshakes_that_never_go_on(self):
        """They displace each other, others are served, and what they held is given back."""
        gateway = self.serve_one(
            arguments=["--workers", "1", "--limit", "tls_handshakes=400",
                       "--timeout", "tls_handshake_timeout=600s"])
        context = self.context()
        self.expect_served(gateway, context)
        self.opened_before = self.descriptors(gateway)
        closed = self.handshakes(gateway, "closed")
        hello = real_hello(NAME)
        resident = []
        for round_number in range(1, 4):
            silent = self.open_silent(gateway, self.COUNT // 2)
            begun = self.open_silent(gateway, self.COUNT // 2)
            for each in begun:
                each.sendall(hello[:100])
            gateway.wait_metric("penstock_tls_handshakes_total", round_number * (self.COUNT - 400),
                                result="displaced")
            # Those that came first went first; the last ones have nothing to say of it yet.
            for each in silent:
                self.assertEqual(each.recv(1), b"")
            self.assertEqual(select.select(begun[-400:], [], [], 0)[0], [])
            for each in silent + begun:
                each.close()
            closed += 400
            gateway.wait_metric("penstock_tls_handshakes_total", closed, result="closed")
            self.expect_served(gateway, context)
            eventually(lambda: self.descriptors(gateway) <= self.opened_before + 8,
                       f"of {self.opened_before} descriptors no more are left")
            resident.append(self.resident_kib(gateway))
        # Each of the thousand had 16 KiB of buffer at most: what is kept of a round would be seen.
        self.assertLess(resident[2] - resident[0], 8 << 10, resident)

    def test_others_are_served_while_they_are_there(self):
        gateway = self.serve_one(arguments=["--workers", "1", "--limit", "tls_handshakes=400",
                                            "--timeout", "tls_handshake_timeout=600s"])
        kept = self.connect(gateway, NAME)
        silent = self.open_silent(gateway, self.COUNT)
        gateway.wait_metric("penstock_tls_handshakes_total", self.COUNT - 400, result="displaced")
        self.expect_served(gateway)
        kept.request("GET", "/v1/t")
        self.assertEqual(kept.read_response().body, b"hello")
        # One that waits, and was not displaced, can still go on.
        late = silent[-1]
        late = self.context().wrap_socket(late, server_hostname=NAME)
        late.sendall(b"GET /v1/t HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        self.assertIn(b"200 OK", late.recv(4096))
        late.close()

    def test_who_trickles_is_timed_out(self):
        gateway = self.serve_one(arguments=["--timeout", "tls_handshake_timeout=1s"])
        slow = self.open_silent(gateway, 20)
        hello = real_hello(NAME)
        ended = set()
        for at in range(len(hello) - 1):
            for each in set(slow) - ended:
                try:
                    each.send(hello[at:at + 1])
                except OSError:
                    ended.add(each)
            # The time between two bytes, at most: an end is noticed at once.
            for each in select.select(list(set(slow) - ended) or [gateway.process.stdout], [], [],
                                      0.05)[0]:
                ended.add(each)
            if len(ended) == len(slow):
                break
        self.assertEqual(len(ended), len(slow), "bytes that come do not put off the end")
        gateway.wait_metric("penstock_tls_handshakes_total", 20, result="timeout")
        gateway.wait_metric("penstock_limit_reached_total", 20, limit="tls_handshake_timeout")
        self.expect_served(gateway)

    def test_connections_that_end_in_the_midst(self):
        gateway = self.serve_one(arguments=["--workers", "1"])
        self.expect_served(gateway)
        before = self.descriptors(gateway)
        hello = real_hello(NAME)
        chance = random.Random(SEED)
        for i in range(200):
            client = Client(gateway.address, self.tls_port)
            client.send(hello[:chance.randrange(len(hello) + 1)])
            if i % 3 == 0:
                client.shut_write()
                client.wait_closed()
                client.close()
            elif i % 3 == 1:
                client.reset()
            else:
                client.close()
        eventually(lambda: self.descriptors(gateway) <= before + 8, "descriptors given back")
        self.expect_served(gateway)


class HelloTest(LoadTest):
    """ClientHellos as no client makes them."""

    def test_a_hello_in_single_bytes_is_a_hello(self):
        gateway = self.serve_one()
        client = Client(gateway.address, self.tls_port)
        self.addCleanup(client.close)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.context().wrap_bio(incoming, outgoing, server_hostname=NAME)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    client.send(bytes((byte,)))
                client.read_some()
                incoming.write(client.take(len(client._buffer)))
        tls.write(b"GET /v1/t HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        for byte in outgoing.read():
            client.send(bytes((byte,)))
        incoming.write(client.take_rest())
        self.assertIn(b"hello", tls.read(4096))

    def test_records_of_one_byte(self):
        """RFC 8446 5.1: a hello may be cut into records as one likes."""
        gateway = self.serve_one()
        body = real_hello(NAME)[5:]
        cut = b"".join(record(body[i:i + 1]) for i in range(len(body)))
        self.assertEqual(answer_to(gateway.address, self.tls_port, cut)[0], HANDSHAKE)

    def test_garbage(self):
        gateway = self.serve_one()
        chance = random.Random(SEED)
        before = self.handshakes(gateway, "ok")
        for _ in range(100):
            kind, _ = self.said_before_the_end(gateway, chance.randbytes(chance.randrange(6, 600)))
            self.assertNotEqual(kind, HANDSHAKE)
        self.assertEqual(self.handshakes(gateway, "ok"), before)
        self.expect_served(gateway)

    def said_before_the_end(self, gateway, data):
        """As answer_to(), for what may be the beginning of more: the end of the client is told."""
        client = Client(gateway.address, self.tls_port)
        self.addCleanup(client.close)
        try:
            client.send(data)
            client.shut_write()
        except OSError:
            pass  # refused already
        got = client.take_rest()
        client.close()
        return (got[0], got[5:]) if got else (None, b"")

    def test_hellos_with_a_few_wrong_bytes(self):
        gateway = self.serve_one()
        chance = random.Random(SEED)
        hello = real_hello(NAME)
        for _ in range(300):
            wrong = bytearray(hello)
            for _ in range(chance.randrange(1, 4)):
                # Behind the header of the record: that one is the garbage test's.
                wrong[chance.randrange(5, len(wrong))] = chance.randrange(256)
            self.said_before_the_end(gateway, bytes(wrong))
        self.expect_served(gateway)

    def test_huge_hellos(self):
        gateway = self.serve_one(arguments=["--workers", "1"])
        self.expect_served(gateway)
        resident = self.resident_kib(gateway)
        fill = bytes(16 << 10)
        endless = b"\1" + (0xFFFFFF).to_bytes(3, "big") + fill[4:]
        long_record = b"\x16\x03\x01\xff\xff" + bytes(0xFFFF)
        empties = record(b"") * 1000
        for _ in range(20):
            for data in (record(endless) + record(fill) * 100, long_record, empties):
                kind, _ = self.said_before_the_end(gateway, data)
                self.assertNotEqual(kind, HANDSHAKE)
        self.assertLess(self.resident_kib(gateway) - resident, 8 << 10)
        self.expect_served(gateway)

    def test_a_long_hello_that_is_one(self):
        """Post-quantum key shares and long tickets make them of several records."""
        gateway = self.serve_one()
        body = real_hello(NAME)[5:]
        extensions_at = self.extensions_at(body)
        extensions = body[extensions_at + 2:] + extension(0x0A0A, bytes(30 << 10))
        longer = body[4:extensions_at] + len(extensions).to_bytes(2, "big") + extensions
        message = b"\1" + len(longer).to_bytes(3, "big") + longer
        data = b"".join(record(message[i:i + 16000]) for i in range(0, len(message), 16000))
        self.assertEqual(answer_to(gateway.address, self.tls_port, data)[0], HANDSHAKE)

    def extensions_at(self, body):
        at = 4 + 2 + 32
        at += 1 + body[at]
        at += 2 + int.from_bytes(body[at:at + 2], "big")
        return at + 1 + body[at]

    def test_plain_http_is_refused_in_order(self):
        """No reset overtakes what is said, and no request goes on to a model server."""
        gateway = self.serve_one()
        bodies = (b"", b"x" * 100, b"x" * 60000)
        for body in bodies:
            client = Client(gateway.address, self.tls_port)
            self.addCleanup(client.close)
            client.send(b"POST /v1/t HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" %
                        (len(body), body))
            client.wait_closed()
            client.close()
        gateway.wait_metric("penstock_tls_handshakes_total", len(bodies), result="not_tls")
        self.assertEqual(list(self.server.requests), [])

    def test_tls_at_the_plain_port(self):
        gateway = self.serve_one()
        client = Client(gateway.address, gateway.port)
        self.addCleanup(client.close)
        client.send(real_hello(NAME))
        self.assertTrue(client.wait_closed().startswith(b"HTTP/1.1 400"))
        self.expect_served(gateway)


class StreamTest(LoadTest):
    def test_a_stream_goes_on_while_others_shake_hands(self):
        events = chat_events([f"word {i} " for i in range(200)])
        gateway = self.serve_one(script=stream_answer(events), arguments=["--workers", "1"])
        over = threading.Event()

        def come():
            while not over.is_set():
                self.connect(gateway, NAME).close()
        thread = threading.Thread(target=come)
        thread.start()
        try:
            for _ in range(5):
                client = self.connect(gateway, NAME)
                client.request("GET", "/v1/stream")
                self.assertEqual(client.read_response().body, b"".join(events))
        finally:
            over.set()
            thread.join()

    def test_a_goodbye_ends_a_stream_though_the_connection_stays(self):
        """Who ends TLS and waits for us to close (RFC 8446 6.1) has left as much as others."""
        for behind in (b"", b"GET /v1/t HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /v1/t HTTP/1.1\r\nHo"):
            left = Gate("the model server is left")

            def stream(_, connection):
                connection.send_head(200, [("Content-Type", "text/event-stream"),
                                           ("Transfer-Encoding", "chunked")])
                connection.send_chunk(b"data: a\n\n")
                connection.wait_closed()
                left.open()
            gateway = self.serve_one(script=stream)
            context = self.context()
            context.check_hostname = False
            client = Client(gateway.address, self.tls_port, tls=context)
            self.addCleanup(client.close)
            client.request("POST", "/v1/chat/completions", body=chat_body(stream=True))
            client.read_head()
            client.read_chunk()
            client.send(behind)
            client._socket.say_end()
            left.wait()
            self.assertEqual(gateway.wait_handled(1)[0]["outcome"], "client_left")


if __name__ == "__main__":
    unittest.main()
