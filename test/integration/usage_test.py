"""Tokens of streams whose client does not ask for usage: estimated, or asked for in its place."""

import json
import unittest

from harness import STREAM_HEADERS, GatewayTest, Gate, chat_body, event, pool_of

CHAT = "/v1/chat/completions"
USAGE = {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9}
ASK = {"penstock.dev/stream-usage": "true"}


def events(asked, usage_of_each=None):
    """What a model server sends: with the usage only if it was asked for."""
    base = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    chunks = [{**base, "choices": [{"index": 0, "delta": {"content": t}, "finish_reason": None}]}
              for t in ("a", "\"usage\":{}", "c")]
    chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if asked:
        chunks = [{**chunk, "usage": None} for chunk in chunks]
        chunks.append({**base, "choices": [], "usage": USAGE})
    return [event(chunk) for chunk in chunks] + [event("[DONE]")]


def asked(request):
    return bool((request.json().get("stream_options") or {}).get("include_usage"))


def server_of(cut=None, head=STREAM_HEADERS):
    """Cuts the stream into chunks of `cut` bytes, whatever events they cut."""
    def script(request, connection):
        connection.send_head(200, head)
        body = b"".join(events(asked(request)))
        for at in range(0, len(body), cut or len(body)):
            connection.send_chunk(body[at:at + (cut or len(body))])
        connection.end_chunks()
    return script


class UsageTest(GatewayTest):
    def start(self, script, annotations=ASK):
        self.server = self.model_server(script)
        self.gateway_ = self.gateway(pool_of([self.server], annotations=annotations))
        return self.gateway_

    def ask(self, headers=(), **fields):
        client = self.client(self.gateway_)
        client.request("POST", CHAT, body=chat_body(stream=True, **fields), headers=headers)
        response = client.read_response()
        self.assertTrue(response.complete)
        return response

    def tokens(self, name="penstock_completion_tokens_total"):
        return self.gateway_.metrics().sum(name)


class EstimateTest(UsageTest):
    def test_events_stand_for_tokens_and_are_told_as_an_estimate(self):
        gateway = self.start(server_of(), annotations=None)
        self.assertEqual(self.ask().body, b"".join(events(False)))
        line = gateway.wait_handled(1)[0]
        self.assertEqual((line["completion_tokens"], line["tokens_estimated"]), (3, True))
        self.assertIsNone(line["prompt_tokens"])
        gateway.wait_metric("penstock_completion_tokens_total", 3)
        self.assertEqual(self.tokens("penstock_estimated_completion_tokens_total"), 3)
        self.assertNotIn(b"include_usage", self.server.requests[0].body)

    def test_what_was_reported_is_no_estimate(self):
        gateway = self.start(server_of(), annotations=None)
        self.assertEqual(self.ask(stream_options={"include_usage": True}).body,
                         b"".join(events(True)))
        line = gateway.wait_handled(1)[0]
        self.assertEqual((line["completion_tokens"], line["tokens_estimated"]), (4, False))
        gateway.wait_metric("penstock_completion_tokens_total", 4)
        self.assertEqual(self.tokens("penstock_estimated_completion_tokens_total"), 0)


class AskTest(UsageTest):
    def test_the_client_sees_what_it_would_have_seen_however_the_stream_is_cut(self):
        for cut in (None, 1, 7, 100, 256):
            with self.subTest(cut=cut):
                gateway = self.start(server_of(cut))
                self.assertEqual(self.ask().body, b"".join(events(False)))
                self.assertTrue(asked(self.server.requests[0]))
                line = gateway.wait_handled(1)[0]
                self.assertEqual((line["completion_tokens"], line["prompt_tokens"]), (4, 5))
                self.assertEqual((line["tokens_estimated"], line["outcome"]), (False, "complete"))

    def test_a_client_that_asks_gets_it_and_its_bytes_are_left_alone(self):
        gateway = self.start(server_of())
        options = {"include_usage": True, "continuous_usage_stats": False}
        self.assertEqual(self.ask(stream_options=options).body, b"".join(events(True)))
        sent = json.dumps(chat_body(stream=True, stream_options=options)).encode()
        self.assertEqual(json.loads(self.server.requests[0].body), json.loads(sent))
        self.assertEqual(gateway.wait_handled(1)[0]["completion_tokens"], 4)

    def test_a_client_that_declines_gets_none(self):
        self.start(server_of())
        response = self.ask(stream_options={"include_usage": False, "x": 1})
        self.assertEqual(response.body, b"".join(events(False)))
        self.assertEqual(self.server.requests[0].json()["stream_options"],
                         {"include_usage": True, "x": 1})

    def test_an_answer_that_is_no_stream_is_left_alone(self):
        body = b'{"choices":[],"usage":{"completion_tokens":2}}'

        def script(request, connection):
            connection.send_head(200, [("Content-Type", "application/json"),
                                       ("Content-Length", str(len(body)))])
            connection.send(body)

        self.start(script)
        response = self.ask()
        self.assertEqual((response.body, response.get("content-length")), (body, str(len(body))))
        self.client(self.gateway_).request("POST", CHAT, body=chat_body())
        self.assertNotIn(b"include_usage", self.server.wait_requests(2)[1].body)

    def test_a_length_that_no_longer_holds_is_not_announced(self):
        def script(request, connection):
            body = b"".join(events(asked(request)))
            connection.send_head(200, [("Content-Type", "text/event-stream"),
                                       ("Content-Length", str(len(body)))])
            connection.send(body)

        self.start(script)
        response = self.ask()
        self.assertEqual(response.body, b"".join(events(False)))
        self.assertIsNone(response.get("content-length"))

    def test_the_answer_is_not_asked_for_coded_and_a_coded_one_goes_on(self):
        def script(request, connection):
            connection.send_head(200, [*STREAM_HEADERS, ("Content-Encoding", "gzip")])
            connection.send_chunk(b"\x1f\x8b not looked into")
            connection.end_chunks()

        gateway = self.start(script)
        response = self.ask(headers=[("Accept-Encoding", "gzip, br")])
        self.assertEqual(response.body, b"\x1f\x8b not looked into")
        self.assertEqual(self.server.requests[0].get("accept-encoding"), "identity")
        self.assertIsNone(gateway.wait_handled(1)[0]["completion_tokens"])

    def test_a_whole_event_goes_on_before_the_next_one_is_made(self):
        gates = [Gate("first seen"), Gate("second seen")]

        def script(request, connection):
            first, second = events(True)[:2]
            connection.send_head(200, STREAM_HEADERS)
            connection.send_chunk(first)
            gates[0].wait()
            connection.send_chunk(second[:-1])
            connection.send_chunk(second[-1:])
            gates[1].wait()
            connection.send_chunk(events(True)[-2])
            connection.send_chunk(events(True)[-1])
            connection.end_chunks()

        self.start(script)
        client = self.client(self.gateway_)
        client.request("POST", CHAT, body=chat_body(stream=True))
        client.read_final_head()
        self.assertEqual(client.read_chunk(), events(False)[0])
        gates[0].open()
        self.assertEqual(client.read_chunk(), events(False)[1])
        gates[1].open()
        self.assertEqual(client.read_chunks(), events(False)[-1])

    def test_a_stream_that_breaks_inside_an_event_ends_with_a_whole_one(self):
        def script(request, connection):
            first, second = events(True)[:2]
            connection.send_head(200, STREAM_HEADERS)
            connection.send_chunk(first + second[:30])
            connection.close()

        self.start(script)
        client = self.client(self.gateway_)
        client.request("POST", CHAT, body=chat_body(stream=True))
        response = client.read_response()
        self.assertFalse(response.complete)
        self.assertTrue(response.body.startswith(events(False)[0] + b'data: {"error":'))
        self.assertEqual(len(response.events()), 2)


if __name__ == "__main__":
    unittest.main()
