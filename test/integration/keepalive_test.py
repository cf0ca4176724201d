"""Streams that begin before the model server's first byte."""

import json
import unittest

from harness import (Gate, GatewayTest, PairTest, answer, chat_answer, chat_body, chat_events,
                     event, hang, http_route, pool_of, prefill_answer, stream_answer)

CHAT = "/v1/chat/completions"
KEEPALIVE = "penstock.dev/stream-keepalive"
COMMENT = b": keep-alive\n\n"


class KeepaliveTest(GatewayTest):
    def start(self, *scripts, interval="100ms", **rule):
        self.servers = [self.model_server(script) for script in scripts]
        annotations = {KEEPALIVE: interval} if interval else None
        objects = pool_of(self.servers, annotations=annotations)
        gateway = self.gateway([http_route(**rule)] + objects[1:], arguments=("--workers", "1"))
        gateway.wait_scraped()
        return gateway

    def stream(self, gateway, **fields):
        client = self.client(gateway)
        client.request("POST", CHAT, body=chat_body(stream=True, **fields))
        return client

    def test_a_stream_without_a_byte_gets_comments(self):
        events = chat_events(["a"])
        for headers_at_once in (True, False):
            gate = Gate("first event")
            script = stream_answer(events, {0: gate}, headers_at_once=headers_at_once)
            gateway = self.start(script, script)
            client = self.stream(gateway)
            head = client.read_final_head()
            self.assertEqual(head.status, 200)
            self.assertTrue(head.get("content-type").startswith("text/event-stream"))
            self.assertTrue(head.get("x-request-id"))
            for _ in range(2):
                self.assertEqual(client.read_chunk(), COMMENT)
            gate.open()
            rest = client.read_chunks().replace(COMMENT, b"")
            self.assertEqual(rest, b"".join(events))
            line = gateway.wait_handled(1)[0]
            self.assertEqual((line["outcome"], line["status"]), ("complete", 200))
            # The connection lives on.
            client.request("POST", CHAT, body=chat_body(stream=True))
            self.assertEqual(client.read_response().status, 200)

    def test_another_endpoint_may_still_be_asked(self):
        events = chat_events(["a"])
        cut = Gate("end of the first try")

        def fails(request, connection):
            cut.wait()
            connection.reset()

        gateway = self.start(fails, fails)
        client = self.stream(gateway)
        self.assertEqual(client.read_final_head().status, 200)
        self.assertEqual(client.read_chunk(), COMMENT)
        for server in self.servers:
            if not server.requests:
                server.script = stream_answer(events)
        cut.open()
        self.assertEqual(client.read_chunks().replace(COMMENT, b""), b"".join(events))
        gateway.wait_metric("penstock_retries_total", 1)

    def error_of(self, client):
        """The error event that ends the stream, which has no end of message."""
        response = client.read_response()
        self.assertEqual(response.status, 200)
        self.assertFalse(response.complete)
        self.assertTrue(response.body.startswith(COMMENT))
        return json.loads(response.events()[-1])["error"]

    def late(self, script):
        """`script`, once the stream has begun."""
        self.gate = Gate("answer")

        def waits(request, connection):
            self.gate.wait()
            script(request, connection)
        return waits

    def begun(self, gateway):
        client = self.stream(gateway)
        self.servers[0].wait_requests(1)
        while COMMENT not in client.received:
            client.read_some()
        self.gate.open()
        return client

    def test_an_error_of_the_model_server_is_an_error_event(self):
        body = b'{"error":{"message":"the prompt is too long","code":400}}'
        gateway = self.start(self.late(answer(400, body)))
        error = self.error_of(self.begun(gateway))
        self.assertEqual(error["code"], "upstream_error")
        self.assertIn("the prompt is too long", error["message"])

    def test_an_answer_that_is_no_stream_is_an_error_event(self):
        gateway = self.start(self.late(chat_answer()))
        self.assertEqual(self.error_of(self.begun(gateway))["code"], "upstream_error")

    def test_an_error_of_the_gateway_is_an_error_event(self):
        gateway = self.start(self.late(lambda request, connection: connection.reset()))
        self.assertIn(self.error_of(self.begun(gateway))["code"],
                      ("upstream_failed", "no_endpoint"))

    def test_a_timeout_is_an_error_event(self):
        gateway = self.start(hang(), timeouts={"request": "700ms"})
        self.assertEqual(self.error_of(self.stream(gateway))["code"], "timeout")

    def test_comments_follow_the_model_server_s_own_head(self):
        events = chat_events(["a"])
        gate = Gate("first event")
        gateway = self.start(stream_answer(events, {0: gate}))
        client = self.stream(gateway)
        self.assertEqual(client.read_final_head().status, 200)
        for _ in range(2):
            self.assertEqual(client.read_chunk(), COMMENT)
        gate.open()
        self.assertEqual(client.read_chunks().replace(COMMENT, b""), b"".join(events))
        self.assertEqual(gateway.wait_handled(1)[0]["outcome"], "complete")

    def test_the_route_may_ask_for_it(self):
        server = self.model_server(hang())
        self.servers = [server]
        objects = pool_of([server])
        objects[0]["metadata"]["annotations"] = {KEEPALIVE: "100ms"}
        gateway = self.gateway(objects)
        client = self.stream(gateway)
        self.assertEqual(client.read_final_head().status, 200)
        self.assertEqual(client.read_chunk(), COMMENT)

    def test_other_requests_are_left_alone(self):
        gateway = self.start(hang(), timeouts={"request": "700ms"})
        self.assertEqual(gateway.chat(stream=False).status, 504)
        old = self.client(gateway)
        body = json.dumps(chat_body(stream=True)).encode()
        old.send(b"POST %s HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s"
                 % (CHAT.encode(), len(body), body))
        self.assertEqual(old.read_head().status, 504)

    def test_a_head_passes_at_once_where_nobody_else_can_be_asked(self):
        events = chat_events(["a"])
        gate = Gate("first event")
        gateway = self.start(stream_answer(events, {0: gate}), interval=None)
        client = self.stream(gateway)
        self.assertEqual(client.read_final_head().status, 200)
        gate.open()
        self.assertEqual(client.read_chunks(), b"".join(events))

    def test_a_head_passes_at_once_after_the_last_repeat(self):
        events = chat_events(["a"])
        gate = Gate("first event")
        tries = []

        def script(request, connection):
            tries.append(request)
            if len(tries) == 1:
                connection.reset()
            else:
                stream_answer(events, {0: gate})(request, connection)

        gateway = self.start(script, script, script, interval=None)
        client = self.stream(gateway)
        self.assertEqual(client.read_final_head().status, 200)
        self.assertEqual(len(tries), 2)
        gate.open()
        self.assertEqual(client.read_chunks(), b"".join(events))


class PairKeepaliveTest(PairTest):
    runtime = "vllm"

    def test_a_split_request_gets_comments_and_may_be_sent_to_another_pair(self):
        gate = Gate("prefill")
        events = chat_events(["a"])
        broken = [chat_events([])[0], event({"error": {"message": "no KV cache", "code": 500}})]

        def late(request, connection):
            gate.wait()
            prefill_answer("vllm")(request, connection)

        seen = []

        def decode(request, connection):
            seen.append(request)
            stream_answer(broken if len(seen) == 1 else events)(request, connection)

        self.start([late, late], [decode, decode], route_annotations={KEEPALIVE: "100ms"})
        client = self.send_chat(stream=True)
        self.assertEqual(client.read_final_head().status, 200)
        self.assertEqual(client.read_chunk(), COMMENT)
        gate.open()
        self.assertEqual(client.read_chunks().replace(COMMENT, b""), b"".join(events))
        self.assertEqual(len(seen), 2)
        self.assert_idle()


if __name__ == "__main__":
    unittest.main()
