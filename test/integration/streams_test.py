"""Streams: nothing is held back, nothing piles up, and whatever ends one is told apart."""

import json
import random
import unittest

from harness import (STREAM_HEADERS, Ended, Gate, GatewayTest, PeerGone, Watched, answer, break_off,
                     chat_body, chat_events, event, hang, pool_of, stream_answer)

CHAT = "/v1/chat/completions"
MIB = 1 << 20


class StreamTest(GatewayTest):
    def start(self, script, **options):
        self.server = self.model_server(script)
        return self.gateway(pool_of([self.server]), **options)

    def ask(self, gateway, path=CHAT, **options):
        client = self.client(gateway, **options)
        client.request("POST", path, body=chat_body(stream=True, max_tokens=5))
        return client

    def assert_ended_as(self, gateway, outcome, status=200):
        line = gateway.wait_handled(1)[0]
        self.assertEqual((line["outcome"], line["status"]), (outcome, status), line)
        self.assertEqual(line["pod"], self.server.name)
        gateway.wait_metric("penstock_requests_total", 1, outcome=outcome, status=str(status),
                            model="test-model", pool="default/test-pool")
        gateway.wait_metric("penstock_requests_total", 1)

    def wait_upstream_closed(self):
        """The gateway has ended the connection that carries the request."""
        connection = self.server.wait_requests(1)[0].connection
        self.server.connections.wait(lambda _: connection.closed_by_peer.is_set(),
                                     "upstream connection closed")


class PassingOnTest(StreamTest):
    def test_each_chunk_goes_on_as_soon_as_it_arrives(self):
        events = chat_events(["Hel", "lo", "!"])
        gates = {i: Gate(f"event {i}") for i in range(1, len(events) + 1)}
        gateway = self.start(stream_answer(events, gates))
        client = self.ask(gateway)
        self.assertEqual(client.read_final_head().status, 200)
        for i, data in enumerate(events):
            # The next event is not even made before this one has arrived.
            self.assertEqual(client.read_chunk(), data)
            gates[i + 1].open()
        self.assertEqual(client.read_chunk(), b"")
        self.assert_ended_as(gateway, "complete")

    def test_parts_of_an_event_go_on_too(self):
        gates = [Gate("second part"), Gate("third part")]

        def script(request, connection):
            connection.send_head(200, STREAM_HEADERS)
            connection.send(b"13\r\ndata: 1")  # a piece of a chunk, a piece of an event
            gates[0].wait()
            connection.send(b"23456")
            gates[1].wait()
            connection.send(b"78901\n\n\r\n0\r\n\r\n")

        gateway = self.start(script)
        client = self.ask(gateway)
        client.read_final_head()
        self.assertEqual(client.read_chunk(), b"data: 1")
        gates[0].open()
        self.assertEqual(client.read_chunk(), b"23456")
        gates[1].open()
        self.assertEqual(client.read_chunk(), b"78901\n\n")
        self.assertEqual(client.read_chunk(), b"")

    def test_a_body_that_is_no_stream_goes_on_as_it_arrives(self):
        gate = Gate("rest")

        def script(request, connection):
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
            gate.wait()
            connection.send(b" half")

        gateway = self.start(script)
        client = self.ask(gateway)
        client.read_final_head()
        self.assertEqual(client.take(5), b"first")
        gate.open()
        self.assertEqual(client.take(5), b" half")

    def test_many_streams_at_once_keep_their_own_bytes(self):
        def script(request, connection):
            seed = request.json()["seed"]
            rng = random.Random(seed)
            connection.send_head(200, STREAM_HEADERS)
            for i in range(50):
                connection.send_chunk(event(f"{seed}-{i}-" + "x" * rng.randrange(2000)))
            connection.end_chunks()

        gateway = self.start(script)
        clients = []
        for seed in range(40):
            client = self.client(gateway)
            client.request("POST", CHAT, body=chat_body(stream=True, seed=seed))
            clients.append(client)
        for seed, client in enumerate(clients):
            rng = random.Random(seed)
            expected = [f"{seed}-{i}-" + "x" * rng.randrange(2000) for i in range(50)]
            self.assertEqual(client.read_response().events(), expected)


class BackPressureTest(StreamTest):
    def resident(self, gateway):
        with open(f"/proc/{gateway.process.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def test_a_slow_reader_holds_a_bounded_number_of_bytes(self):
        # More than the socket buffers on the way can take, which the kernel lets grow to megabytes.
        blocks_max, block = 1500, b"data: " + b"x" * 65526 + b"\n\n"
        sent = Watched()

        def script(request, connection):
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            taken = connection.send_until_blocked(block, blocks_max)
            sent.append(taken)
            connection.send(b"x" * (-taken % len(block)) + b"end")
            connection.close()

        gateway = self.start(script)
        before = self.resident(gateway)
        clients = [self.ask(gateway, receive_buffer=4096) for _ in range(3)]
        for bytes_taken in sent.wait_count(3):
            self.assertLess(bytes_taken, blocks_max * len(block), "the sender was never blocked")
        for client in clients:
            client.read_final_head()
        self.assertLess(self.resident(gateway) - before, 24 * MIB)
        for client in clients:
            total = 0
            while chunk := client.read_chunk():
                total += len(chunk)
            self.assertEqual(total % len(block), len(b"end"))
        self.assertLess(self.resident(gateway) - before, 24 * MIB)

    def test_a_client_that_reads_nothing_and_leaves_frees_the_model_server(self):
        def script(request, connection):
            connection.send_head(200, STREAM_HEADERS)
            with self.assertRaises(PeerGone):
                while True:
                    connection.send_chunk(b"x" * 65536)

        gateway = self.start(script)
        client = self.ask(gateway, receive_buffer=4096)
        client.read_final_head()
        client.close()
        self.wait_upstream_closed()
        self.assert_ended_as(gateway, "client_left")

    def test_a_slow_reader_does_not_hold_up_others(self):
        def script(request, connection):
            connection.send_head(200, STREAM_HEADERS)
            if b"slow" in request.body:
                try:
                    while True:
                        connection.send_chunk(b"x" * 65536)
                except PeerGone:
                    return
            connection.send_chunk(event("[DONE]"))
            connection.end_chunks()

        gateway = self.start(script, arguments=("--workers", "1"))
        slow = self.client(gateway, receive_buffer=4096)
        slow.request("POST", CHAT, body=chat_body("slow"))
        slow.read_final_head()
        for _ in range(20):
            self.assertEqual(gateway.chat("quick").events(), ["[DONE]"])
        slow.close()


class ClientLeavesTest(StreamTest):
    def test_a_client_that_leaves_ends_its_stream_upstream(self):
        for leave in ("close", "reset", "shut_write"):
            with self.subTest(leave):
                gateway = self.start(stream_answer(chat_events(["Hi"])[:1], end="hang"))
                client = self.ask(gateway)
                client.read_final_head()
                client.read_chunk()
                getattr(client, leave)()
                self.wait_upstream_closed()
                self.assert_ended_as(gateway, "client_left")
                gateway.wait_given_back()

    def test_a_client_that_leaves_at_the_last_event_had_all_it_wanted(self):
        """The OpenAI SDK closes at [DONE], which may overtake the end of the message."""
        events = chat_events(["a"])
        gateway = self.start(stream_answer(events, end="hang"))
        client = self.client(gateway)
        client.request("POST", CHAT, body=chat_body(stream=True))
        client.read_final_head()
        client.take_until(b"[DONE]\n\n")
        client.close()
        self.assert_ended_as(gateway, "complete")

    def test_a_client_that_leaves_before_the_first_byte_ends_its_request(self):
        def head_alone(request, connection):
            connection.send_head(200, STREAM_HEADERS)
            hang()(request, connection)

        for script in (hang(), head_alone):
            for leave in ("close", "reset", "shut_write"):
                with self.subTest(leave):
                    gateway = self.start(script)
                    client = self.ask(gateway)
                    self.server.wait_requests(1)
                    getattr(client, leave)()
                    self.wait_upstream_closed()
                    line = gateway.wait_handled(1)[0]
                    self.assertEqual((line["outcome"], line["tries"]), ("client_left", 1))
                    # Of the only endpoint the head may have been passed on.
                    self.assertIn(line["status"], (0, 200) if script is head_alone else (0,))

    def test_a_head_that_is_held_back_was_not_sent(self):
        sent = Gate("the head")

        def script(request, connection):
            if b"quick" in request.body:
                answer(200, b"{}")(request, connection)
                return
            connection.send_head(200, STREAM_HEADERS)
            sent.open()
            hang()(request, connection)

        self.server = self.model_server(script)
        gateway = self.gateway(pool_of([self.server, self.model_server(script)]),
                               arguments=("--workers", "1"))
        client = self.ask(gateway)
        sent.wait()
        # The one worker has read the head before it has answered these.
        for _ in range(3):
            self.assertEqual(gateway.chat("quick").status, 200)
        client.close()
        line = gateway.wait_line("Request Handled", outcome="client_left")
        self.assertEqual(line["status"], 0)

    def test_a_client_that_pipelined_and_left_ends_its_stream(self):
        gateway = self.start(stream_answer(chat_events(["Hi"])[:1], end="hang"))
        client = self.ask(gateway)
        client.request("GET", "/v1/next")
        client.read_final_head()
        client.close()
        self.wait_upstream_closed()
        self.assertEqual(len(self.server.requests), 1)

    def test_what_the_server_said_before_does_not_wait_for_a_client_that_left(self):
        gateway = self.start(answer(200, b"{}"))
        client = self.ask(gateway)
        client.close()
        gateway.wait_handled(1)
        self.assertEqual(gateway.chat().status, 200)


class BrokenOffTest(StreamTest):
    EVENTS = chat_events(["Hel", "lo"])[:2]

    def broken(self, script, path=CHAT):
        """Gateway and what the client got of a stream that the server broke off."""
        gateway = self.start(script)
        response = self.ask(gateway, path).read_response()
        self.assertEqual(response.status, 200)
        self.assertFalse(response.complete, "a cut stream has a clean end")
        self.assertEqual(len(self.server.requests), 1, "tried again after the first byte")
        self.assert_ended_as(gateway, "upstream_broke")
        return response

    def test_openai_streams_end_with_an_error_event(self):
        for end in ("reset", "break"):
            response = self.broken(stream_answer(self.EVENTS, end=end))
            self.assertTrue(response.body.startswith(b"".join(self.EVENTS)))
            events = response.events()
            self.assertEqual(len(events), 3)
            error = json.loads(events[2])["error"]
            self.assertEqual((error["code"], error["type"]), ("upstream_failed", "server_error"))

    def test_anthropic_streams_end_with_an_error_event(self):
        first = b'event: ping\ndata: {"type":"ping"}\n\n'
        response = self.broken(stream_answer([first], end="reset"), "/v1/messages")
        rest = response.body.removeprefix(first)
        self.assertTrue(rest.startswith(b"event: error\ndata: "), rest)
        error = json.loads(response.events()[-1])
        self.assertEqual((error["type"], error["error"]["type"]), ("error", "api_error"))

    def test_responses_streams_end_with_an_error_event(self):
        first = b'event: response.created\ndata: {"type":"response.created"}\n\n'
        response = self.broken(stream_answer([first], end="break"), "/v1/responses")
        self.assertIn(b"event: error\n", response.body)
        error = json.loads(response.events()[-1])
        self.assertEqual((error["type"], error["code"]), ("error", "upstream_failed"))

    def test_an_event_that_was_cut_is_ended_before_the_error(self):
        head = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n")
        whole = self.EVENTS[0]
        half = self.EVENTS[1][:25]
        for data in (b"%x\r\n%s\r\n%x\r\n%s\r\n" % (len(whole), whole, len(half), half),
                     b"%x\r\n%s\r\n200\r\n%s" % (len(whole), whole, half)):
            response = self.broken(break_off(head + data))
            self.assertTrue(response.body.startswith(whole + half))
            self.assertEqual(json.loads(response.events()[-1])["error"]["code"], "upstream_failed")
            self.assertEqual(len(response.events()), 3)

    def test_a_coded_stream_is_cut_without_plain_text(self):
        for coding, has_event in ((b"gzip", False), (b"br", False), (b"Identity", True)):
            response = self.broken(break_off(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: %s\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n4\r\n\x1f\x8b\x08\x00\r\n" % coding))
            self.assertTrue(response.body.startswith(b"\x1f\x8b\x08\x00"))
            self.assertEqual(b"error" in response.body, has_event)

    def test_bytes_that_are_no_chunks_break_the_stream_off(self):
        head = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n")
        gate = Gate("first event seen")

        def script(request, connection):
            connection.send(head + b"%x\r\n%s\r\n" % (len(self.EVENTS[0]), self.EVENTS[0]))
            gate.wait()
            connection.send(b"%x\r\n%s\r\nzz\r\n" % (len(self.EVENTS[1]), self.EVENTS[1]))
            connection.wait_closed()

        gateway = self.start(script)
        client = self.ask(gateway)
        client.read_final_head()
        self.assertEqual(client.read_chunk(), self.EVENTS[0])
        gate.open()
        rest = client.take_rest()
        # What came before the fault is delivered, the stream does not end cleanly.
        self.assertIn(self.EVENTS[1], rest)
        self.assertIn(b'"error"', rest)
        self.assertFalse(rest.endswith(b"0\r\n\r\n"))
        self.assert_ended_as(gateway, "upstream_broke")

    def test_an_answer_without_a_length_that_is_reset_has_no_clean_end(self):
        """Only an orderly close ends a body that nothing else delimits."""
        def cut(headers, body):
            def script(request, connection):
                connection.send_head(200, headers)
                connection.send(body)
                seen.wait()
                connection.reset()
            return script

        for content_type, body in (("text/event-stream", chat_events(["a"])[0]),
                                   ("application/json", b'{"x":')):
            with self.subTest(content_type):
                seen = Gate()
                gateway = self.start(cut([("Content-Type", content_type)], body))
                client = self.ask(gateway)
                client.read_final_head()
                self.assertEqual(client.read_chunk(), body)
                seen.open()
                with self.assertRaises(Ended):
                    client.read_chunks()
                self.assert_ended_as(gateway, "upstream_broke")

    def test_an_answer_with_a_length_is_cut_short_and_nothing_else(self):
        for content_type in (b"application/json", b"text/event-stream"):
            response = self.broken(break_off(
                b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: 100\r\n\r\n"
                b'{"id":"chatcmpl-1",' % content_type))
            self.assertEqual(response.body, b'{"id":"chatcmpl-1",')

    def test_a_chunked_answer_that_is_no_stream_has_no_clean_end(self):
        response = self.broken(break_off(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
            b'5\r\n{"id"\r\n'))
        self.assertEqual(response.body, b'{"id"')

    def test_http10_clients_of_a_cut_stream_get_a_reset(self):
        gate = Gate("first event read")
        gateway = self.start(stream_answer(self.EVENTS, {1: gate}, end="break"))
        client = self.client(gateway)
        body = json.dumps(chat_body(stream=True)).encode()
        client.send(b"POST %s HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s"
                    % (CHAT.encode(), len(body), body))
        self.assertIsNone(client.read_final_head().get("transfer-encoding"))
        client.take_until(self.EVENTS[0])
        gate.open()
        with self.assertRaises(Ended) as ended:
            while True:
                client.read_some()
        self.assertNotEqual(str(ended.exception), "end of stream")
        self.assert_ended_as(gateway, "upstream_broke")


class OutcomeTest(StreamTest):
    def outcome_of(self, events, path=CHAT):
        gateway = self.start(stream_answer(events))
        response = self.ask(gateway, path).read_response()
        self.assertTrue(response.complete)
        self.assertEqual(response.body, b"".join(events))
        return gateway

    def test_a_stream_that_ends_well_is_complete(self):
        gateway = self.outcome_of(chat_events(["Hi"], usage={"prompt_tokens": 3,
                                                             "completion_tokens": 1}))
        self.assert_ended_as(gateway, "complete")
        line = gateway.wait_handled(1)[0]
        self.assertEqual((line["prompt_tokens"], line["completion_tokens"]), (3, 1))
        self.assertTrue(line["stream"])
        self.assertGreater(line["total_ms"], 0)
        self.assertGreaterEqual(line["total_ms"], line["ttft_ms"])

    def test_a_server_that_shuts_down_aborts_its_streams(self):
        self.assert_ended_as(self.outcome_of(chat_events(["Hi"], finish_reason="abort")), "aborted")

    def test_an_error_event_inside_a_stream_is_told(self):
        events = chat_events(["Hi"])[:2] + [
            event({"error": {"message": "EngineCore died", "type": "InternalServerError",
                             "param": None, "code": 500}}), event("[DONE]")]
        self.assert_ended_as(self.outcome_of(events), "error_event")

    def test_an_error_event_of_anthropics_dialect_is_told(self):
        events = [b'event: ping\ndata: {"type":"ping"}\n\n',
                  b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error",'
                  b'"message":"no"}}\n\n']
        self.assert_ended_as(self.outcome_of(events, "/v1/messages"), "error_event")

    def test_errors_of_the_model_server_pass_through(self):
        for status, body in ((400, b'{"error":{"message":"too long","code":400}}'),
                             (500, b"Internal Server Error"), (503, b"{}"), (429, b"{}")):
            gateway = self.start(answer(status, body, reason="Whatever"))
            response = self.ask(gateway).read_response()
            self.assertEqual((response.status, response.body), (status, body))
            self.assert_ended_as(gateway, "complete", status)
            self.assertEqual(len(self.server.requests), 1)

    def test_times_and_gaps_are_measured(self):
        gateway = self.outcome_of(chat_events(["a", "b", "c"]))
        gateway.wait_metric("penstock_request_duration_seconds_count", 1)
        metrics = gateway.metrics()
        self.assertEqual(metrics.sum("penstock_time_to_first_token_seconds_count"), 1)
        self.assertGreaterEqual(metrics.sum("penstock_inter_token_latency_seconds_count"), 0)


if __name__ == "__main__":
    unittest.main()
