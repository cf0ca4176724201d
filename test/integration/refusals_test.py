"""What the gateway answers itself: limits, errors, and that a client can read why."""

import time
import unittest

from harness import (GatewayTest, answer, chat_answer, chat_body, hang, http_route,
                     inference_model, inference_pool, pool_of)

CHAT = "/v1/chat/completions"
MIB = 1 << 20


class RefusalTest(GatewayTest):
    def start(self, script=None, objects=(), **options):
        self.server = self.model_server(script or chat_answer())
        return self.gateway(pool_of([self.server]) + list(objects), **options)

    def assert_error(self, response, status, code, kind=None):
        """An error as OpenAI's SDK reads it."""
        self.assertEqual(response.status, status, response)
        self.assertTrue(response.complete)
        self.assertEqual(response.get("content-type"), "application/json")
        self.assertTrue(response.get("x-request-id"))
        body = response.json()
        self.assertEqual(set(body), {"error"})
        self.assertEqual(set(body["error"]), {"message", "type", "param", "code"})
        self.assertEqual(body["error"]["code"], code)
        self.assertTrue(body["error"]["message"])
        if kind is not None:
            self.assertEqual(body["error"]["type"], kind)

    def assert_untouched(self):
        self.assertEqual(self.server.bytes_received(), [])


class HeadLimitTest(RefusalTest):
    def refused(self, gateway, data):
        client = self.client(gateway)
        try:
            client.send(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the answer may come before all is sent
        response = client.read_response()
        self.assertEqual(response.get("connection"), "close")
        client.wait_closed()
        return response

    def test_large_heads(self):
        gateway = self.start()
        for fields in (b"X: " + b"x" * 70_000, b"\r\n".join(b"X%d: y" % i for i in range(150)),
                       b"X: " + b"x" * 1_000_000):
            response = self.refused(gateway,
                                    b"GET /v1/t HTTP/1.1\r\nHost: h\r\n%s\r\n\r\n" % fields)
            self.assert_error(response, 431, "headers_too_large")
        self.assert_untouched()
        gateway.wait_metric("penstock_refused_heads_total", 3)

    def test_heads_within_the_limits(self):
        gateway = self.start(answer(200, b"{}"))
        fields = [(f"X-{i}", "y" * 500) for i in range(90)]
        self.assertEqual(gateway.get("/v1/t", fields).status, 200)
        self.assertEqual(gateway.get("/v1/" + "t" * 8000).status, 200)

    def test_long_targets(self):
        gateway = self.start()
        for length in (8300, 200_000):
            response = self.refused(gateway, b"GET /v1/%s HTTP/1.1\r\nHost: h\r\n\r\n"
                                    % (b"t" * length))
            self.assert_error(response, 414, "uri_too_long")
        self.assert_untouched()

    def test_other_protocols(self):
        gateway = self.start()
        for data, status, code in (
                (b"GET /v1/t HTTP/2.0\r\nHost: h\r\n\r\n", 505, "version_not_supported"),
                (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "bad_request"),
                (b"GET /v1/t HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                 b"Sec-WebSocket-Key: x\r\n\r\n", 501, "upgrade_not_supported")):
            client = self.client(gateway)
            client.send(data)
            self.assert_error(client.read_response(), status, code)
        self.assert_untouched()

    def test_connect_is_the_last_thing_on_its_connection(self):
        """What follows it is meant for the tunnel, and is no request."""
        gateway = self.start()
        response = self.refused(gateway, b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"
                                         b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assert_error(response, 501, "upgrade_not_supported")
        self.assert_untouched()
        self.assertEqual(len(gateway.wait_handled(1)), 1)

    def test_names_that_servers_take_for_others(self):
        gateway = self.start(answer(200, b"{}"))
        for name in ("Content_Length", "X_Forwarded_For", "X-Request_Id", "transfer_encoding"):
            response = gateway.get("/v1/t", [(name, "1")])
            self.assert_error(response, 400, "ambiguous_header")
        self.assert_untouched()
        gateway.wait_metric("penstock_refused_heads_total", 4, reason="ambiguous_name")
        self.assertEqual(gateway.get("/v1/t", [("User_Id", "1")]).status, 200)
        self.assertEqual(self.server.requests[0].get("user_id"), "1")

    def test_ports_and_paths_that_do_not_exist(self):
        gateway = self.start(answer(200, b"{}"))
        for host in ("a:65536", "a:99999", "[::1]:70000"):
            self.assert_error(gateway.request("GET", "/v1/t", host=host), 400, "bad_request")
        for target in ("http://a:65536/v1/t", "/v1/..%5cadmin", "/v1%5c..%5cadmin", "/v1/..\\x"):
            self.assert_error(gateway.get(target), 400, "bad_request")
        self.assert_untouched()
        self.assertEqual(gateway.request("GET", "/v1/t", host="a:65535").status, 200)

    def test_offers_of_other_protocols_are_neither_taken_nor_passed_on(self):
        """Apache HttpClient offers TLS/1.2 with every plain request, curl --http2 offers h2c."""
        gateway = self.start(answer(200, b"{}"))
        for fields in ([("Connection", "Upgrade"), ("Upgrade", "TLS/1.2")],
                       [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"),
                        ("HTTP2-Settings", "AAMAAABkAAQAAP__")],
                       [("Upgrade", "HTTP/2.0"), ("HTTP2-Settings", "AAMAAABkAAQAAP__")]):
            self.assertEqual(gateway.get("/v1/t", fields).status, 200)
            for name in ("upgrade", "http2-settings", "connection"):
                self.assertIsNone(self.server.requests[-1].get(name), name)

    def test_a_refused_head_after_a_head_request_has_its_body(self):
        gateway = self.start(answer(200, b"{}"))
        client = self.client(gateway)
        client.send(b"HEAD /v1/t HTTP/1.1\r\nHost: h\r\n\r\n")
        self.assertEqual(client.read_response("HEAD").status, 200)
        client.send(b"GET /v1/t HTTP/1.1\r\nHost : h\r\n\r\n")
        self.assert_error(client.read_response(), 400, "bad_request")


class BodyLimitTest(RefusalTest):
    def start_small(self):
        return self.start(answer(200, b"{}"), arguments=("--body-mb", "1"))

    def test_a_body_of_just_the_limit_passes(self):
        gateway = self.start_small()
        self.assertEqual(gateway.post("/v1/t", b"x" * MIB).status, 200)
        self.assertEqual(len(self.server.requests[0].body), MIB)

    def test_a_client_that_sends_all_of_a_large_body_reads_the_refusal(self):
        gateway = self.start_small()
        for framing in ("length", "chunked"):
            client = self.client(gateway)
            size = 6 * MIB
            if framing == "length":
                client.send(b"POST /v1/t HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size)
                piece = b"x" * 65536
            else:
                client.send(b"POST /v1/t HTTP/1.1\r\nHost: h\r\n"
                            b"Transfer-Encoding: chunked\r\n\r\n")
                piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
            for _ in range(size // 65536):
                client.send(piece)
            response = client.read_response()
            self.assert_error(response, 413, "body_too_large", "invalid_request_error")
            self.assertEqual(response.get("connection"), "close")
            client.wait_closed()
        self.assert_untouched()
        gateway.wait_metric("penstock_limit_reached_total", 2, limit="request_body_bytes")

    def test_the_refusal_comes_before_the_body_is_over(self):
        gateway = self.start_small()
        client = self.client(gateway)
        client.send(b"POST /v1/t HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\nx")
        self.assert_error(client.read_response(), 413, "body_too_large")
        # What follows on that connection is never taken for a request.
        try:
            client.send(b"GET /v1/t HTTP/1.1\r\nHost: h\r\n\r\n" * 3)
        except OSError:
            pass
        self.assertEqual(client.wait_closed(), b"")
        self.assert_untouched()

    def test_a_client_that_never_stops_sending_is_let_go(self):
        gateway = self.start_small()
        client = self.client(gateway)
        client.send(b"POST /v1/t HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        client.send(chunk * (MIB // 65536 + 1))
        self.assertEqual(client.read_head().status, 413)
        end = time.monotonic() + client.deadline_s
        with self.assertRaises(OSError, msg="still reading"):
            while time.monotonic() < end:
                client.send(chunk)


class ErrorShapeTest(RefusalTest):
    def test_no_route(self):
        gateway = self.start()
        client = self.client(gateway)
        for path in ("/", "/v2/t", "/v1x", "/V1/t"):
            client.request("GET", path)
            response = client.read_response()
            self.assert_error(response, 404, "route_not_found", "not_found_error")
            self.assertIsNone(response.get("connection"))
        line = gateway.wait_handled(1)[0]
        self.assertEqual((line["status"], line["outcome"], line["reason"], line["route"],
                          line["pod"]), (404, "rejected", "route_not_found", "", ""))
        gateway.wait_metric("penstock_rejections_total", 4, reason="route_not_found")

    def test_paths_that_climb_are_not_forwarded(self):
        gateway = self.start()
        for path in ("/v1/../metrics", "/v1/%2e%2e/metrics", "/v1/..%2fmetrics", "/v1/..;/metrics",
                     "/v1/%00", "/v1/."):
            self.assertIn(gateway.get(path).status, (400, 404), path)
        self.assert_untouched()

    def test_a_head_request_gets_no_body_with_its_error(self):
        gateway = self.start()
        client = self.client(gateway)
        client.send(b"HEAD /nowhere HTTP/1.1\r\nHost: h\r\n\r\n"
                    b"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n")
        response = client.read_response("HEAD")
        self.assertEqual(response.status, 404)
        self.assertGreater(int(response.get("content-length")), 0)
        self.assertIsNone(response.get("content-type"), "some clients would parse nothing as JSON")
        self.assert_error(client.read_response(), 404, "route_not_found")

    def test_a_refused_request_with_a_body_closes_the_connection(self):
        gateway = self.start()
        client = self.client(gateway)
        client.request("POST", "/nowhere", body=b"GET /v1/t HTTP/1.1\r\nHost: h\r\n\r\n")
        response = client.read_response()
        self.assert_error(response, 404, "route_not_found")
        if response.get("connection") == "close":
            self.assertEqual(client.wait_closed(), b"")
        self.assert_untouched()

    def test_anthropic_clients_read_their_own_shape(self):
        gateway = self.start(objects=[inference_model("known")], arguments=("--body-mb", "1"))
        cases = [
            ({"model": "unknown", "messages": []}, 404, "not_found_error"),
            (b"{", 400, "invalid_request_error"), ({"messages": []}, 400, "invalid_request_error"),
            (b"x" * (MIB + 1), 413, "request_too_large")]
        for body, status, kind in cases:
            response = gateway.post("/v1/messages", body)
            self.assertEqual(response.status, status)
            self.assertEqual(response.get("content-type"), "application/json")
            error = response.json()
            self.assertEqual((set(error), error["type"], set(error["error"])),
                             ({"type", "error"}, "error", {"type", "message"}))
            self.assertEqual(error["error"]["type"], kind)
            self.assertTrue(error["error"]["message"])
        response = gateway.post("/nowhere/v1/messages", {"model": "known"})
        self.assertEqual((response.status, response.json()["type"]), (404, "error"))
        self.assert_untouched()

    def test_no_endpoint_says_when_to_come_again(self):
        gateway = self.gateway([http_route(), inference_pool(8000)])
        response = gateway.chat()
        self.assert_error(response, 503, "no_endpoint", "service_unavailable_error")
        self.assertGreater(int(response.get("retry-after")), 0)
        response = gateway.post("/v1/messages", chat_body())
        self.assertEqual((response.status, response.json()["error"]["type"]),
                         (503, "overloaded_error"))
        self.assertGreater(int(response.get("retry-after")), 0)

    def test_a_gateway_without_routes_answers_404(self):
        gateway = self.gateway([])
        self.assert_error(gateway.chat(), 404, "route_not_found")

    def test_bytes_that_clients_choose_cannot_break_log_or_answer(self):
        gateway = self.start(objects=[inference_model("known")])
        model = 'x"\\\n\t\u0000\u2028é😀' + "y" * 300
        response = gateway.chat(model=model, headers=[("x-request-id", 'a"\\b\xe9')])
        self.assert_error(response, 404, "model_not_found")
        line = gateway.wait_handled(1)[0]
        self.assertEqual(line["requested_model"], model)
        self.assertTrue(line["request_id"].startswith('a"\\b'))
        self.assertTrue(gateway.metrics().samples)

    def test_a_model_name_of_a_megabyte_is_refused_in_few_bytes(self):
        gateway = self.start()
        response = gateway.chat(model="x" * MIB)
        self.assert_error(response, 400, "invalid_body")
        self.assertLess(len(response.body), 300)
        self.assertEqual(gateway.wait_handled(1)[0]["requested_model"], "")
        gateway.wait_metric("penstock_limit_reached_total", 1, limit="model_name_bytes")
        self.assertLess(len(gateway.admin("/metrics").body), MIB)
        self.assert_untouched()

    def test_clients_that_send_half_a_head_and_leave_cost_nothing(self):
        gateway = self.start(hang())
        for data in (b"", b"GET", b"GET /v1/t HTTP/1.1\r\nHost", b"\r\n",
                     b"POST /v1/t HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf"):
            for leave in ("close", "reset", "half"):
                client = self.client(gateway)
                client.send(data)
                if leave == "half":
                    client.shut_write()
                    client.wait_closed()
                else:
                    getattr(client, leave)()
        gateway.wait_metric("penstock_downstream_connections", 0)
        self.assert_untouched()


if __name__ == "__main__":
    unittest.main()
