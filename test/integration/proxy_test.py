"""What passes through the proxy: connections, framing, header fields.

Bodies are bodies_test.py's, refusals refusals_test.py's.
"""

import json
import random
import unittest

from harness import (STREAM_HEADERS, Gate, GatewayTest, answer, chat_answer, chat_body, hang,
                     pool_of)


def echo(request, connection):
    """Answers with the request's body and the target as a header field."""
    answer(200, request.body, [("X-Target", request.target)])(request, connection)


def raw_answer(data):
    """Sends exactly `data` and keeps the connection."""
    return lambda request, connection: connection.send(data)


def cut(data, rng, pieces):
    """`data` in so many pieces, some of them perhaps empty."""
    at = sorted(rng.randrange(len(data) + 1) for _ in range(pieces - 1))
    return [data[a:b] for a, b in zip([0] + at, at + [len(data)])]


class ProxyTest(GatewayTest):
    def start(self, script, servers=1, **options):
        self.servers = [self.model_server(script) for _ in range(servers)]
        self.server = self.servers[0]
        # One worker, so that connections to endpoints are seen to be used again.
        return self.gateway(pool_of(self.servers), arguments=("--workers", "1"), **options)


class ConnectionTest(ProxyTest):
    def test_both_connections_serve_request_after_request(self):
        gateway = self.start(chat_answer())
        client = self.client(gateway)
        for i in range(5):
            client.request("POST", "/v1/chat/completions", body=chat_body(str(i)))
            response = client.read_response()
            self.assertEqual(response.status, 200)
            self.assertIsNone(response.get("connection"))
        self.assertEqual(len({r.connection for r in self.server.wait_requests(5)}), 1)
        gateway.wait_metric("penstock_downstream_connections_total", 1)

    def test_pipelined_requests_are_answered_in_order(self):
        gateway = self.start(echo)
        client = self.client(gateway)
        requests = []
        for i in range(30):
            if i % 5 == 3:
                requests.append(b"GET /nowhere/%d HTTP/1.1\r\nHost: h\r\n\r\n" % i)
            elif i % 5 == 4:
                requests.append(b"HEAD /v1/thing/%d HTTP/1.1\r\nHost: h\r\n\r\n" % i)
            else:
                body = b"%d" % i * 100
                requests.append(b"POST /v1/thing/%d HTTP/1.1\r\nHost: h\r\n"
                                b"Content-Length: %d\r\n\r\n%s" % (i, len(body), body))
        client.send(b"".join(requests))
        for i in range(30):
            response = client.read_response("HEAD" if i % 5 == 4 else "POST")
            if i % 5 == 3:
                self.assertEqual(response.status, 404, i)
                continue
            self.assertEqual(response.get("x-target"), f"/v1/thing/{i}")
            self.assertEqual(response.body, b"" if i % 5 == 4 else b"%d" % i * 100)

    def test_a_client_may_pipeline_more_than_is_read_ahead(self):
        gate = Gate("first answer")

        def script(request, connection):
            if request.target.endswith("/0"):
                gate.wait()
            echo(request, connection)

        gateway = self.start(script)
        client = self.client(gateway)
        body = b"x" * 4096
        client.send(b"".join(b"POST /v1/t/%d HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s"
                             % (i, len(body), body) for i in range(100)))
        self.server.wait_requests(1)
        gateway.wait_metric("penstock_limit_reached_total", 1, limit="pipelined_bytes")
        gate.open()
        for i in range(100):
            response = client.read_response()
            self.assertEqual(response.get("x-target"), f"/v1/t/{i}")
            self.assertEqual(response.body, body)

    def test_requests_that_trickle_in_are_whole(self):
        gateway = self.start(echo)
        client = self.client(gateway)
        for byte in b"POST /v1/t HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello":
            client.send(bytes([byte]))
        self.assertEqual(client.read_response().body, b"hello")

    def test_connection_close_is_honoured_both_ways(self):
        gateway = self.start(answer(200, b"{}", [("Connection", "close")]))
        client = self.client(gateway)
        for close in (False, True):
            client.request("POST", "/v1/t", [("Connection", "close")] if close else [], b"{}")
            response = client.read_response()
            self.assertEqual(response.get("connection"), "close" if close else None)
        self.assertEqual(client.wait_closed(), b"")
        # The model server said that it closes: each request came on a connection of its own.
        self.assertEqual(len({r.connection for r in self.server.wait_requests(2)}), 2)

    def test_http10_is_answered_without_chunks(self):
        def script(request, connection):
            connection.send_head(200, STREAM_HEADERS)
            connection.send_chunk(b"data: 1\n\n")
            connection.send_chunk(b"data: 2\n\n")
            connection.end_chunks()

        gateway = self.start(script)
        client = self.client(gateway)
        client.send(b"GET /v1/t HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        response = client.read_response()
        self.assertEqual(response.status, 200)
        self.assertIsNone(response.get("transfer-encoding"))
        self.assertEqual(response.get("connection"), "close")
        self.assertEqual(response.body, b"data: 1\n\ndata: 2\n\n")

    def test_http10_keep_alive_is_kept_where_the_length_is_known(self):
        gateway = self.start(answer(200, b"hello"))
        client = self.client(gateway)
        for _ in range(3):
            client.send(b"GET /v1/t HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            response = client.read_response()
            self.assertEqual(response.body, b"hello")
            self.assertEqual(response.get("connection"), "keep-alive")
        client.send(b"GET /v1/t HTTP/1.0\r\n\r\n")
        self.assertEqual(client.read_response().get("connection"), "close")
        self.assertEqual(client.wait_closed(), b"")


class BodyFramingTest(ProxyTest):
    def test_request_bodies_arrive_byte_for_byte(self):
        gateway = self.start(echo)
        rng = random.Random(1)
        client = self.client(gateway)
        for size in (0, 1, 4095, 65536, 300_000):
            body = rng.randbytes(size)
            client.send(b"POST /v1/audio HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size)
            for piece in cut(body, rng, 7):
                client.send(piece)
            self.assertEqual(client.read_response().body, body)
            client.send(b"POST /v1/audio HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            framed = b"".join(b"%X;x=y\r\n%s\r\n" % (len(p), p) for p in cut(body, rng, 9) if p)
            for piece in cut(framed + b"000\r\nX-Trailer: t\r\n\r\n", rng, 11):
                client.send(piece)
            self.assertEqual(client.read_response().body, body)
        sized, chunked = self.server.requests[0::2], self.server.requests[1::2]
        self.assertEqual((len(sized), len(chunked)), (5, 5))
        for request in sized:
            self.assertIsNone(request.get("transfer-encoding"))
            self.assertEqual(int(request.get("content-length")), len(request.body))
        for request in chunked:  # only such a body can have trailers
            self.assertEqual(request.get("transfer-encoding"), "chunked")
            self.assertIsNone(request.get("content-length"))
            self.assertIsNone(request.get("x-trailer"))
            self.assertTrue(request.raw.endswith(b"\r\n0\r\nX-Trailer: t\r\n\r\n"))

    def test_a_chunked_body_without_trailers_goes_on_with_its_length(self):
        gateway = self.start(echo)
        client = self.client(gateway)
        client.send(b"POST /v1/audio HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                    b"3;a=b\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        self.assertEqual(client.read_response().body, b"abcde")
        request = self.server.requests[0]
        self.assertIsNone(request.get("transfer-encoding"))
        self.assertEqual(request.get("content-length"), "5")

    def test_chunked_answers_keep_their_bytes(self):
        rng = random.Random(2)
        bodies = [rng.randbytes(size) for size in (1, 100, 70_000, 400_000)]

        def script(request, connection):
            body = bodies[int(request.path.rpartition("/")[2])]
            framed = b"".join(b"%x;e=1\r\n%s\r\n" % (len(p), p) for p in cut(body, rng, 20) if p)
            head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
            for piece in cut(head + framed + b"0\r\nX-Sum: 1\r\n\r\n", rng, 30):
                connection.send(piece)

        gateway = self.start(script)
        client = self.client(gateway)
        for i, body in enumerate(bodies):
            client.request("GET", f"/v1/blob/{i}")
            response = client.read_response()
            self.assertTrue(response.complete)
            self.assertTrue(response.body == body, f"body {i} differs")
            self.assertEqual(response.trailers, ["X-Sum: 1"])
            self.assertIsNone(response.get("trailer"))

    def test_answers_with_a_length_keep_it(self):
        rng = random.Random(3)
        bodies = [rng.randbytes(size) for size in (0, 1, 65536, 1_000_000)]

        def script(request, connection):
            answer(200, bodies[int(request.path.rpartition("/")[2])])(request, connection)

        gateway = self.start(script)
        client = self.client(gateway)
        for i, body in enumerate(bodies):
            client.request("GET", f"/v1/blob/{i}")
            response = client.read_response()
            self.assertEqual(response.get("content-length"), str(len(body)))
            self.assertIsNone(response.get("transfer-encoding"))
            self.assertTrue(response.body == body, f"body {i} differs")

    def test_an_answer_that_ends_with_its_connection_is_passed_on(self):
        def script(request, connection):
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nall of it")
            connection.close()

        gateway = self.start(script)
        client = self.client(gateway)
        client.request("GET", "/v1/old")
        response = client.read_response()
        self.assertEqual(response.body, b"all of it")
        self.assertTrue(response.complete)
        self.assertEqual(response.get("transfer-encoding"), "chunked")

    def test_answers_without_a_body_leave_the_connection_usable(self):
        answers = {
            "/v1/head": b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n",
            "/v1/204": b"HTTP/1.1 204 No Content\r\n\r\n",
            "/v1/304": b"HTTP/1.1 304 Not Modified\r\nETag: \"e\"\r\nContent-Length: 99\r\n\r\n",
            "/v1/head-chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"}

        def script(request, connection):
            connection.send(answers[request.path])

        gateway = self.start(script)
        client = self.client(gateway)
        for _ in range(3):
            for path in answers:
                method = "HEAD" if "head" in path else "GET"
                client.request(method, path)
                response = client.read_response(method)
                self.assertTrue(answers[path].startswith(
                    b"HTTP/1.1 %d" % response.status), response)
                self.assertEqual(response.body, b"")
        client.request("HEAD", "/v1/head")
        self.assertEqual(client.read_response("HEAD").get("content-length"), "1234")
        client.request("GET", "/v1/304")
        self.assertEqual(client.read_response().get("etag"), '"e"')
        self.assertEqual(len({r.connection for r in self.server.requests}), 1)

    def test_interim_answers_of_the_model_server_are_not_passed_on(self):
        gateway = self.start(raw_answer(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
                                        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"))
        client = self.client(gateway)
        client.request("GET", "/v1/t")
        self.assertEqual(client.read_response().body, b"hi")
        received = bytes(client.received)
        self.assertTrue(received.startswith(b"HTTP/1.1 200 "), received)
        self.assertEqual(received.count(b"HTTP/1.1 "), 1)
        self.assertNotIn(b"</x>", received)

    def test_what_follows_an_answer_unasked_reaches_nobody(self):
        def script(request, connection):
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
                            b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nunheard")
        gateway = self.start(script)
        client = self.client(gateway)
        for _ in range(4):
            client.request("GET", "/v1/t")
            self.assertEqual(client.read_response().body, b"hi")
        self.assertEqual(len({r.connection for r in self.server.requests}), 4)


class ExpectTest(ProxyTest):
    def expect(self, client, target, length, extra=b""):
        client.send(b"POST %s HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n%s"
                    b"Content-Length: %d\r\n\r\n" % (target, extra, length))

    def test_the_client_is_told_to_go_on_once(self):
        gateway = self.start(echo)
        client = self.client(gateway)
        for _ in range(2):
            self.expect(client, b"/v1/t", 5)
            self.assertEqual(client.read_head().status, 100)
            client.send(b"hello")
            self.assertEqual(client.read_response().body, b"hello")
        self.assertEqual(bytes(client.received).count(b"100 Continue"), 2)
        self.assertIsNone(self.server.requests[0].get("expect"))

    def test_a_client_that_does_not_wait_is_served_too(self):
        gateway = self.start(echo)
        client = self.client(gateway)
        client.send(b"POST /v1/t HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        self.assertEqual(client.read_response().body, b"hello")
        self.assertLessEqual(bytes(client.received).count(b"100 Continue"), 1)

    def test_a_head_that_is_refused_is_not_asked_for_its_body(self):
        self.servers = [self.model_server(hang())]
        gateway = self.gateway(pool_of(self.servers), arguments=("--body-mb", "1"))
        for target, length, status in ((b"/nowhere", 10, 404), (b"/v1/t", (1 << 20) + 1, 413)):
            client = self.client(gateway)
            self.expect(client, target, length)
            self.assertEqual(client.read_head().status, status)
            client.wait_closed()
            self.assertNotIn(b"100 Continue", bytes(client.received))
        client = self.client(gateway)
        client.send(b"POST /v1/t HTTP/1.1\r\nHost: h\r\nExpect: miracles\r\n"
                    b"Content-Length: 5\r\n\r\nhello")
        self.assertEqual(client.read_response().status, 417)
        self.assertEqual(self.servers[0].bytes_received(), [])

    def test_http10_clients_are_never_told_to_go_on(self):
        gateway = self.start(echo)
        client = self.client(gateway)
        client.send(b"POST /v1/t HTTP/1.0\r\nExpect: 100-continue\r\n"
                    b"Content-Length: 5\r\n\r\nhello")
        self.assertEqual(client.read_head().status, 200)


class HeaderTest(ProxyTest):
    def test_end_to_end_fields_pass_in_order_and_case(self):
        gateway = self.start(raw_answer(
            b"HTTP/1.1 200 Fine\r\nX-B: 1\r\nx-a: 2\r\nX-B: 3\r\nSet-Cookie: a=b\r\n"
            b"Set-Cookie: c=d\r\nServer: uvicorn\r\nContent-Length: 0\r\n\r\n"))
        client = self.client(gateway)
        fields = [("X-Zeta", "1"), ("accept", "*/*"), ("AuthoriZation", "Bearer k"),
                  ("x-alpha", "2"), ("X-Zeta", "3"), ("Cookie", "a=b")]
        client.request("GET", "/v1/t?x=%20&y", fields, host="Example.test:80")
        response = client.read_response()
        self.assertEqual(response.head.start, "HTTP/1.1 200 Fine")
        self.assertEqual([f for f in response.head.headers if f[0] in
                          ("X-B", "x-a", "Set-Cookie", "Server")],
                         [("X-B", "1"), ("x-a", "2"), ("X-B", "3"), ("Set-Cookie", "a=b"),
                          ("Set-Cookie", "c=d"), ("Server", "uvicorn")])
        request = self.server.wait_requests(1)[0]
        self.assertEqual(request.target, "/v1/t?x=%20&y")
        self.assertEqual([f for f in request.head.headers if f in fields], fields)
        self.assertEqual(request.get("host"), "Example.test:80")

    def test_hop_by_hop_fields_stay_on_their_hop(self):
        gateway = self.start(raw_answer(
            b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Server-Hop\r\nX-Server-Hop: 1\r\n"
            b"Keep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\nTrailer: X\r\n"
            b"X-Kept: 1\r\nContent-Length: 0\r\n\r\n"))
        client = self.client(gateway)
        client.request("GET", "/v1/t", [
            ("Connection", "keep-alive, X-Client-Hop"), ("connection", ", x-other-hop ,"),
            ("X-Client-Hop", "1"), ("X-Other-Hop", "1"), ("Keep-Alive", "timeout=5"),
            ("TE", "gzip"), ("Trailer", "X"), ("Proxy-Connection", "keep-alive"),
            ("Proxy-Authorization", "secret"), ("Upgrade", "h2c"), ("X-Kept", "1")])
        response = client.read_response()
        names = {n.lower() for n, _ in response.head.headers}
        self.assertEqual(names, {"x-kept", "content-length", "x-request-id"})
        request = self.server.wait_requests(1)[0]
        names = {n.lower() for n, _ in request.head.headers}
        self.assertEqual(names, {"host", "x-kept", "x-request-id", "x-forwarded-for",
                                 "x-forwarded-proto", "x-forwarded-host"})

    def test_connection_cannot_take_away_what_the_request_needs(self):
        gateway = self.start(echo)
        client = self.client(gateway)
        client.send(b"POST /v1/t HTTP/1.1\r\nHost: h.test\r\nContent-Length: 5\r\nConnection: "
                    b"Host, Content-Length, X-Forwarded-For, X-Request-Id\r\n\r\nhello")
        self.assertEqual(client.read_response().body, b"hello")
        request = self.server.wait_requests(1)[0]
        self.assertEqual(request.get("host"), "h.test")
        self.assertEqual(request.get("content-length"), "5")
        self.assertEqual(request.get("x-forwarded-for"), "127.0.0.1")
        self.assertTrue(request.get("x-request-id"))

    def test_an_id_that_is_too_long_is_replaced(self):
        gateway = self.start(echo)
        for size in (128, 129):
            response = gateway.get("/v1/t", headers=[("X-Request-Id", "i" * size)])
            self.assertEqual(response.get("x-request-id") == "i" * size, size == 128)
        gateway.wait_metric("penstock_limit_reached_total", 1, limit="request_id_bytes")

    def test_every_request_has_an_id(self):
        gateway = self.start(echo)
        made = gateway.get("/v1/t").get("x-request-id")
        self.assertRegex(made, r"^[0-9a-f]{32}$")
        self.assertEqual(self.server.requests[0].get("x-request-id"), made)
        self.assertEqual(gateway.wait_handled(1)[0]["request_id"], made)
        given = gateway.get("/v1/t", [("X-Request-ID", "mine \"1\"")])
        self.assertEqual(given.get("x-request-id"), "mine \"1\"")
        self.assertEqual(self.server.requests[1].get("x-request-id"), "mine \"1\"")
        gateway.wait_line("Request Handled", request_id="mine \"1\"")
        self.assertNotEqual(gateway.get("/v1/t").get("x-request-id"), made)
        # One that is too long to be an id, and one given twice, do not get through as they are.
        self.assertRegex(gateway.get("/v1/t", [("x-request-id", "x" * 500)]).get("x-request-id"),
                         r"^[0-9a-f]{32}$")
        gateway.get("/v1/t", [("x-request-id", "one"), ("x-request-id", "two")])
        self.assertEqual(len(self.server.requests[4].head.all("x-request-id")), 1)
        # Refusals carry it too.
        self.assertEqual(gateway.get("/nowhere", [("x-request-id", "r")]).get("x-request-id"), "r")

    def first_id(self, *seed):
        gateway = self.gateway(pool_of([self.model_server(answer())]),
                               arguments=("--workers", "1", *seed))
        gateway.chat()
        line = gateway.wait_line("Starting")
        return line["seed"], gateway.wait_handled(1)[0]["request_id"]

    def test_no_two_runs_make_the_same_ids_unless_asked_to(self):
        (seed, one), (_, other) = self.first_id(), self.first_id()
        self.assertNotEqual(one, other)
        self.assertEqual(self.first_id("--seed", str(seed)), (seed, one))

    def test_the_model_servers_own_id_is_not_doubled(self):
        gateway = self.start(answer(200, b"{}", [("X-Request-Id", "theirs")]))
        self.assertEqual(len(gateway.get("/v1/t").head.all("x-request-id")), 1)

    def test_forwarded_fields_tell_who_asked_for_what(self):
        gateway = self.start(echo)
        gateway.request("GET", "/v1/t", host="api.test:8080")
        request = self.server.requests[0]
        self.assertEqual(request.get("x-forwarded-for"), "127.0.0.1")
        self.assertEqual(request.get("x-forwarded-proto"), "https" if gateway.tls else "http")
        self.assertEqual(request.get("x-forwarded-host"), "api.test:8080")
        gateway.request("GET", "/v1/t", [
            ("X-Forwarded-For", "10.0.0.1"), ("x-forwarded-for", "10.0.0.2, 10.0.0.3"),
            ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "outer.test")])
        request = self.server.requests[1]
        self.assertEqual(request.get("x-forwarded-for"),
                         "10.0.0.1, 10.0.0.2, 10.0.0.3, 127.0.0.1")
        self.assertEqual(request.get("x-forwarded-proto"), "https")
        self.assertEqual(request.get("x-forwarded-host"), "outer.test")

    def test_an_absolute_target_is_sent_on_in_one_reading(self):
        gateway = self.start(echo)
        client = self.client(gateway)
        for target, sent_on in ((b"http://good.test:81/v1/t?a", "/v1/t?a"),
                                (b"HTTP://good.test:81/v1/t", "/v1/t")):
            client.send(b"GET %s HTTP/1.1\r\nHost: other.test\r\n\r\n" % target)
            self.assertEqual(client.read_response().status, 200)
            request = self.server.requests[-1]
            self.assertEqual(request.target, sent_on)
            self.assertEqual(request.get("host"), "good.test:81")

    def test_json_answers_are_not_touched(self):
        body = b'{ "b" : 1,\t"a":123456789012345678901234567890 , "\\u00e9":"\xc3\xa9"}\n'
        gateway = self.start(answer(200, body))
        response = gateway.post("/v1/chat/completions", chat_body())
        self.assertEqual(response.body, body)
        self.assertEqual(json.loads(body), response.json())


if __name__ == "__main__":
    unittest.main()
