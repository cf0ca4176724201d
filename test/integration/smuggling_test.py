"""Requests that two HTTP parsers may read differently (test/data/smuggling.txt): what of them
reaches a model server, byte for byte, and that no answer goes to the wrong request.
"""

import pathlib
import re
import threading
import unittest

from harness import Client, Ended, GatewayTest, answer, http_route, pool_of

TABLE = pathlib.Path(__file__).resolve().parents[1] / "data" / "smuggling.txt"
SERVICE_PORT = 80
# Sent behind each vector: may be answered, or the connection may end before it; an answer that was
# meant for something else never takes its place.
FOLLOW_UP = b"GET /v1/follow-up HTTP/1.1\r\nHost: gw.test\r\n\r\n"


class Vector:
    def __init__(self, line):
        name, self.verdict, requests, bodies, data = line.split("\t")
        self.name = name
        self.requests = int(requests)
        self.bodies = self._bytes(bodies)
        self.data = self._bytes(data)
        self.harmless = self.verdict == "harmless"
        # The request lines that a harmless vector holds, in origin form.
        self.lines = []
        if self.harmless:
            found = re.findall(rb"(?:^|\r\n|\})([A-Z]+) (?:http://[^/]*)?(/v1/\S*) HTTP/1",
                               self.data)
            self.lines = [b"%s %s HTTP/1.1" % match for match in found][:self.requests]

    @staticmethod
    def _bytes(field):
        return field.encode().decode("unicode_escape").encode("latin-1")


def vectors():
    lines = TABLE.read_text(encoding="ascii").split("\n")
    return [Vector(line) for line in lines if line and not line.startswith("#")]


def split_requests(data):
    """The requests in bytes that a strict and simple server would find, or ValueError."""
    found = []
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        if not end:
            raise ValueError(f"no end of head: {head!r}")
        lines = head.split(b"\r\n")
        if not re.fullmatch(rb"[A-Z]+ /[!-~]* HTTP/1\.1", lines[0]):
            raise ValueError(f"request line {lines[0]!r}")
        length = 0
        names = []
        for line in lines[1:]:
            match = re.fullmatch(
                rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([^\x00-\x08\x0a-\x1f\x7f]*)", line)
            if not match or match[2] != match[2].strip(b" \t"):
                raise ValueError(f"field {line!r}")
            names.append(match[1].lower())
            if names[-1] == b"content-length":
                if not match[2].isdigit():
                    raise ValueError(f"field {line!r}")
                length = int(match[2])
        for name in (b"content-length", b"host"):
            if names.count(name) > 1:
                raise ValueError(f"{name!r} given twice")
        if b"host" not in names:
            raise ValueError("no host")
        for name in (b"transfer-encoding", b"connection", b"te", b"trailer", b"upgrade", b"expect"):
            if name in names:
                raise ValueError(f"{name!r} passed on")
        if len(data) < length:
            raise ValueError("body cut short")
        found.append((lines[0], data[:length]))
        data = data[length:]
    return found


class SmugglingTest(GatewayTest):
    def setUp(self):
        # A Service: every body is passed on as it is, whatever the path, so that the vectors are
        # judged as HTTP alone.
        def script(request, connection):
            answer(200, f"answer to {request.method} {request.target}".encode())(
                request, connection)

        self.server = self.model_server(script)
        self.server.own_paths = {"/health"}
        self.gateway_ = self.gateway([
            http_route(backendRefs=[{"name": "web", "port": SERVICE_PORT}]),
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
             "spec": {"selector": {"app": "web"},
                      "ports": [{"port": SERVICE_PORT, "targetPort": self.server.port}]}},
            {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
             "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
             "addressType": "IPv4", "ports": [{"port": self.server.port}],
             "endpoints": [{"addresses": [self.server.address]}]}])

    def run_vector(self, vector, follow_up):
        """Answers as (status, body) until the connection ended or has answered everything."""
        client = Client(self.gateway_.address, self.gateway_.port)
        responses = []
        try:
            try:
                client.send(vector.data + (FOLLOW_UP if follow_up else b""))
            except OSError:
                pass
            expected = vector.requests + follow_up if vector.harmless else 1
            try:
                for _ in range(expected):
                    response = client.read_response()
                    self.assertTrue(response.complete, vector.name)
                    responses.append(response)
            except Ended:
                pass
            if not vector.harmless:
                responses_end = client.wait_closed()
                self.assertEqual(responses_end, b"", f"{vector.name}: more than the refusal came")
        finally:
            client.close()
        return responses

    def check(self, vector, follow_up):
        before = len(self.server.requests)
        responses = self.run_vector(vector, follow_up)
        requests = list(self.server.requests)[before:]
        raw = b"".join(r.raw for r in requests)
        if not vector.harmless:
            self.assertEqual(requests, [], vector.name)
            # Bytes that were malformed enough to be refused may be cut off without an answer, but
            # the gateway says why.
            self.assertEqual(len(responses), 1, vector.name)
            self.assertTrue(400 <= responses[0].status < 600, responses[0])
            self.assertEqual(responses[0].get("connection"), "close", vector.name)
            self.assertIn("error", responses[0].json(), vector.name)
            return
        found = split_requests(raw)
        lines = vector.lines + ([FOLLOW_UP.split(b"\r\n")[0]] if follow_up else [])
        self.assertEqual([line for line, _ in found], lines)
        self.assertEqual(b"".join(body for _, body in found), vector.bodies)
        self.assertEqual([r.status for r in responses], [200] * len(lines))
        self.assertEqual([r.body for r in responses],
                         [b"answer to " + line.removesuffix(b" HTTP/1.1") for line in lines])

    def assert_only_whole_requests_reached_the_server(self):
        """Every byte that any connection carried belongs to a request that was meant."""
        for data in self.server.bytes_received():
            for line, _ in split_requests(data):
                self.assertNotIn(b"smuggled", line)

    def test_the_table_is_what_it_promises(self):
        table = vectors()
        self.assertGreaterEqual(len(table), 40)
        self.assertEqual(len({v.name for v in table}), len(table))
        for vector in table:
            self.assertEqual(len(vector.lines), vector.requests, vector.name)

    def test_every_vector_alone(self):
        for vector in vectors():
            with self.subTest(vector.name):
                self.check(vector, follow_up=False)
        self.assert_only_whole_requests_reached_the_server()

    def test_every_vector_with_a_request_behind_it(self):
        for vector in vectors():
            with self.subTest(vector.name):
                self.check(vector, follow_up=True)
        self.assert_only_whole_requests_reached_the_server()

    def test_nobody_gets_an_answer_that_was_meant_for_another(self):
        """Victims on kept connections, while attackers send the whole table beside them."""
        done = threading.Event()
        wrong = []

        def victim(number):
            with Client(self.gateway_.address, self.gateway_.port) as client:
                i = 0
                while not done.is_set():
                    target = f"/v1/victim/{number}/{i}"
                    client.request("GET", target)
                    body = client.read_response().body
                    if body != f"answer to GET {target}".encode():
                        wrong.append((target, body))
                        return
                    i += 1

        victims = [threading.Thread(target=victim, args=(n,)) for n in range(3)]
        for thread in victims:
            thread.start()
        try:
            for vector in vectors():
                self.run_vector(vector, follow_up=True)
        finally:
            done.set()
            for thread in victims:
                thread.join()
        self.assertEqual(wrong, [])
        self.assert_only_whole_requests_reached_the_server()

    def test_cut_anywhere_the_verdict_stays(self):
        """The table's most telling vectors, sent in two pieces cut at every byte."""
        for vector in vectors():
            if vector.name not in ("cl_then_te", "te_xchunked", "chunk_data_too_long",
                                   "chunked_then_pipelined", "te_behind_bare_cr"):
                continue
            for cut in range(1, len(vector.data), 3):
                before = len(self.server.requests)
                with Client(self.gateway_.address, self.gateway_.port) as client:
                    try:
                        client.send(vector.data[:cut])
                        client.send(vector.data[cut:])
                    except OSError:
                        pass
                    if vector.harmless:
                        for line in vector.lines:
                            self.assertEqual(client.read_response().body,
                                             b"answer to " + line.removesuffix(b" HTTP/1.1"))
                    else:
                        self.assertGreaterEqual(client.read_response().status, 400)
                        self.assertEqual(client.wait_closed(), b"")
                self.assertEqual(len(self.server.requests) - before, vector.requests,
                                 f"{vector.name} cut at {cut}")


class ResponseSmugglingTest(GatewayTest):
    """The same from the other side: answers of a model server that can be read in two ways."""

    BAD = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
           b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
           b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
           b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nhi",
           b"HTTP/1.1 200 OK\r\n X: folded\r\nContent-Length: 2\r\n\r\nhi",
           b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", b"garbage\r\n\r\n",
           b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
           b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"]

    def test_answers_that_are_not_http_are_502(self):
        def script(request, connection):
            connection.send(self.BAD[int(request.path.rpartition("/")[2])])
            connection.wait_closed()

        server = self.model_server(script)
        gateway = self.gateway(pool_of([server]))
        for i, bad in enumerate(self.BAD):
            response = gateway.get(f"/v1/{i}")
            self.assertEqual(response.status, 502, bad)
            self.assertEqual(response.json()["error"]["code"], "upstream_bad_response", bad)
        # A model server that answers, however badly, is there: it is not asked twice.
        self.assertEqual(len(server.requests), len(self.BAD))


if __name__ == "__main__":
    unittest.main()
