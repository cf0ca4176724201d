"""One half of a disaggregated request fails. The other one ends with it, the client is served by
another pair or told what the failed half said, and nothing stays in flight.

What is not about one protocol runs for both. Every test ends with nothing held (GatewayTest)."""

import json
import unittest

from harness import (STREAM_HEADERS, Gate, PairTest, answer, chat_answer, chat_events, error_of,
                     event, hang, refuse_with_reset, stream_answer)

ERROR = {"error": {"message": "CUDA error", "type": "InternalServerError", "param": None,
                   "code": 500}}
SHORT_BOOTSTRAP = {"penstock.dev/bootstrap-timeout": "300ms"}


def after(gate, script):
    def run(request, connection):
        gate.wait()
        script(request, connection)
    return run


def failing_transfer(finish=None):
    """A stream as vLLM's whose KV cache could not be fetched, or that is being shut down."""
    role = chat_events([])[0]
    last = event({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}) if finish \
        else event(ERROR)
    return stream_answer([role, last, event("[DONE]")])


class HalfTest(PairTest):
    def assert_tried_again(self, half, reason, first, second):
        line = self.line()
        self.assertEqual((line["status"], line["outcome"], line["tries"]), (200, "complete", 2))
        self.assertEqual(line["pod" if half == "decode" else "prefill_pod"], second)
        self.assertNotEqual(first, second)
        self.assertEqual(self.half_failures(half, reason=reason), 1)
        self.assertEqual(self.half_failures("decode" if half == "prefill" else "prefill"), 0)

    def start_failing_prefill(self, script, decode=None, **options):
        """Two prefill servers: the one asked first does `script`, the other one works."""
        asked = []

        def first_fails(request, connection):
            asked.append(request)
            (script if len(asked) == 1 else self.good_prefill())(request, connection)
        self.start([first_fails] * 2, decode or [self.good_decode()] * 2, **options)
        return asked

    def start_failing_decode(self, script, **options):
        """The decode server asked first does `script`, the other one works."""
        asked = []

        def first_fails(request, connection):
            asked.append(request)
            (script if len(asked) == 1 else self.good_decode())(request, connection)
        self.start([self.good_prefill()] * 2, [first_fails] * 2, **options)
        return asked

    def names_asked(self, asked):
        return [request.connection.server.name for request in asked]


class PrefillFaults:
    """For each runtime: tests of HalfTest."""

    def test_another_prefill_after_a_reset(self):
        asked = self.start_failing_prefill(refuse_with_reset())
        self.assertEqual(self.chat().status, 200)
        self.assert_tried_again("prefill", "reset", *self.names_asked(asked))

    def test_another_prefill_after_an_error(self):
        asked = self.start_failing_prefill(answer(500, json.dumps(ERROR).encode()))
        self.assertEqual(self.chat().status, 200)
        self.assert_tried_again("prefill", "error_status", *self.names_asked(asked))

    def test_another_prefill_after_back_pressure(self):
        asked = self.start_failing_prefill(answer(503, b'{"error":{"message":"queue full"}}'))
        self.assertEqual(self.chat().status, 200)
        self.assert_tried_again("prefill", "error_status", *self.names_asked(asked))

    def test_back_pressure_of_every_prefill_is_passed_on_with_its_retry_after(self):
        busy = answer(429, b'{"error":{"message":"full"}}', [("Retry-After", "7")])
        self.start([busy] * 2, [self.good_decode()] * 2)
        response = self.chat()
        self.assertEqual((response.status, response.get("retry-after")), (429, "7"))
        self.assertEqual(response.json()["error"]["message"], "full")
        self.penstock.wait_metric("penstock_endpoint_pushbacks_total", 2)
        self.assertEqual(self.penstock.metrics().sum("penstock_ejections_total"), 0)

    def test_another_prefill_after_garbage(self):
        def garbage(request, connection):
            connection.send(b"\x00\x01\x02\r\n\r\n")
            connection.close()
        asked = self.start_failing_prefill(garbage)
        self.assertEqual(self.chat().status, 200)
        self.assert_tried_again("prefill", "bad_response", *self.names_asked(asked))

    def test_another_prefill_after_a_refused_connection(self):
        self.start([self.good_prefill()] * 2, [self.good_decode()] * 2)
        self.penstock.wait_scraped()
        self.prefill[0].refuse()
        for count in range(1, 100):
            self.assertEqual(self.chat().status, 200)
            if self.line(count)["tries"] == 2:
                break
        self.assertEqual(self.half_failures("prefill", reason="connect_refused"), 1)
        self.assertEqual(self.line(count)["prefill_pod"], "prefill-1")
        self.assertTrue(self.penstock.endpoints()["prefill-0"]["ejected"])
        self.assertFalse(any(self.penstock.endpoints()[s.name]["ejected"] for s in self.decode))

    def test_another_prefill_when_one_hangs(self):
        asked = self.start_failing_prefill(hang(), annotations=SHORT_BOOTSTRAP)
        self.assertEqual(self.chat().status, 200)
        self.assert_tried_again("prefill", "bootstrap_timeout", *self.names_asked(asked))
        self.penstock.wait_metric("penstock_bootstrap_timeouts_total", 1)

    def test_a_request_that_prefill_refuses_is_not_sent_elsewhere(self):
        refused = b'{"error":{"message":"too long","type":"BadRequestError","code":400}}'
        self.start([answer(400, refused)] * 2, [hang()] * 2)
        response = self.chat()
        self.assertEqual((response.status, response.body), (400, refused))
        self.assertEqual(sum(len(s.requests) for s in self.prefill), 1)
        self.assertEqual(self.line()["failed_half"], "prefill")

    def test_one_pair_more_and_no_third(self):
        self.start([refuse_with_reset()] * 4, [hang()] * 4)
        response = self.chat()
        self.assertEqual((response.status, error_of(response)["code"]), (502, "upstream_failed"))
        self.assertIn("the prefill half of the request failed at prefill-",
                      error_of(response)["message"])
        self.assertEqual(sum(len(s.requests) for s in self.prefill), 2)

    def test_without_another_the_client_gets_what_prefill_said(self):
        gate = Gate()
        late = json.dumps(ERROR).encode()
        self.start([after(gate, answer(500, late, reason="Internal Server Error"))] * 2,
                   [hang()] * 2)
        client = self.send_chat(stream=True)
        gate.open()
        response = client.read_response()
        self.assertEqual((response.status, response.body), (500, late))
        line = self.line()
        self.assertEqual((line["failed_half"], line["prefill_status"], line["status"]),
                         ("prefill", 500, 500))
        # An answer is no sign of a broken server.
        self.assertFalse(any(e["ejected"] for e in self.penstock.endpoints().values()))

    def test_an_error_whose_body_does_not_come_ends_the_pair(self):
        def head_only(request, connection):
            connection.send_head(500, [("Content-Type", "application/json"),
                                       ("Content-Length", "1000")], "Internal Server Error")
            hang()(request, connection)
        self.start([head_only] * 2, [hang()] * 2)
        self.assertEqual(self.chat().status, 500)
        self.assert_ended(self.prefill[0])
        self.assert_ended(self.prefill[1])
        self.penstock.wait_metric("penstock_limit_reached_total", 2, limit="prefill_error_timeout")

    def test_a_prefill_that_never_answers_is_told_from_a_late_decode(self):
        self.start([hang()] * 2, [hang()] * 2, annotations=SHORT_BOOTSTRAP)
        response = self.chat()
        self.assertEqual((response.status, error_of(response)["code"]), (504, "bootstrap_timeout"))
        self.assertEqual(self.line()["failed_half"], "prefill")
        self.assert_ended(self.prefill[0])
        self.assert_ended(self.prefill[1])

    def test_the_routes_time_for_a_try_ends_both(self):
        self.start([hang()] * 2, [hang()] * 2, timeouts={"backendRequest": "200ms"})
        response = self.chat()
        self.assertEqual((response.status, error_of(response)["code"]), (504, "timeout"))
        self.assert_ended(self.prefill[0])
        self.assert_ended(self.prefill[1])
        self.assertEqual(self.half_failures("prefill", reason="response_timeout"), 2)

    def test_the_routes_time_for_the_request_ends_both(self):
        self.start([hang()], [hang()], timeouts={"request": "200ms"})
        self.assertEqual(self.chat().status, 504)
        self.assert_ended(self.prefill[0])

    def test_a_client_that_leaves_ends_prefill(self):
        self.start([hang()], [hang()])
        client = self.send_chat()
        self.prefill[0].wait_requests(1)
        client.close()
        self.assert_ended(self.prefill[0])
        self.assertEqual((self.line()["outcome"], self.line()["status"]), ("client_left", 0))


class DecodeFaults:
    """For each runtime: tests of HalfTest."""

    def test_another_decode_after_a_reset(self):
        asked = self.start_failing_decode(refuse_with_reset())
        self.assertEqual(self.chat().status, 200)
        self.assert_tried_again("decode", "reset", *self.names_asked(asked))

    def test_another_decode_after_an_error(self):
        asked = self.start_failing_decode(answer(500, json.dumps(ERROR).encode()))
        self.assertEqual(self.chat().status, 200)
        self.assert_tried_again("decode", "error_status", *self.names_asked(asked))

    def test_another_decode_when_the_cache_could_not_be_fetched(self):
        asked = self.start_failing_decode(failing_transfer())
        self.assertEqual(self.chat(stream=True).status, 200)
        self.assert_tried_again("decode", "error_status", *self.names_asked(asked))

    def test_another_decode_when_one_is_shut_down_before_its_first_token(self):
        asked = self.start_failing_decode(failing_transfer("abort"))
        self.assertEqual(self.chat(stream=True).status, 200)
        self.assert_tried_again("decode", "error_status", *self.names_asked(asked))

    def test_another_decode_when_one_dies_after_an_empty_event(self):
        asked = self.start_failing_decode(stream_answer(chat_events([])[:1], end="reset"))
        self.assertEqual(self.chat(stream=True).status, 200)
        self.assert_tried_again("decode", "reset", *self.names_asked(asked))

    def test_without_another_the_client_gets_the_stream_with_the_error(self):
        self.start([self.good_prefill()], [failing_transfer()])
        response = self.chat(stream=True)
        self.assertEqual(response.status, 200)
        self.assertTrue(response.complete)
        self.assertEqual(json.loads(response.events()[1]), ERROR)
        self.assertEqual(response.events()[-1], "[DONE]")
        line = self.line()
        self.assertEqual((line["outcome"], line["failed_half"]), ("error_event", "decode"))

    def test_an_answer_without_output_is_passed_on_whole(self):
        events = chat_events([], finish_reason="length")
        self.start([self.good_prefill()], [stream_answer(events)])
        response = self.chat(stream=True)
        self.assertEqual(response.body, b"".join(events))
        self.assertEqual((self.line()["outcome"], self.line()["tries"]), ("complete", 1))

    def test_held_bytes_are_bounded(self):
        comment = b": " + b"x" * 1000 + b"\n\n"
        gate = Gate()
        self.start([self.good_prefill()],
                   [stream_answer([comment] * 100 + chat_events(["a"]), gates={100: gate})])
        client = self.send_chat(stream=True)
        self.assertEqual(client.read_final_head().status, 200)  # while the server still waits
        gate.open()
        self.assertTrue(client.read_chunks().endswith(b"data: [DONE]\n\n"))
        self.penstock.wait_metric("penstock_limit_reached_total", 1, limit="held_response_bytes")

    def test_without_another_the_client_gets_what_decode_said(self):
        said = json.dumps(ERROR).encode()
        self.start([self.good_prefill()], [answer(500, said)])
        response = self.chat()
        self.assertEqual((response.status, response.body), (500, said))
        self.assertEqual(self.line()["failed_half"], "decode")

    def test_a_decode_that_dies_in_mid_stream_breaks_the_stream(self):
        self.start([self.good_prefill()],
                   [stream_answer(chat_events(["a", "b"])[:2], end="reset")])
        response = self.chat(stream=True)
        self.assertEqual(response.status, 200)
        self.assertFalse(response.complete)
        self.assertIn("error", json.loads(response.events()[-1]))
        line = self.line()
        self.assertEqual((line["outcome"], line["failed_half"]), ("upstream_broke", "decode"))
        self.assertEqual(self.half_failures("decode"), 1)
        self.assertEqual(self.half_failures("prefill"), 0)

    def test_a_transfer_that_never_arrives_has_its_own_time(self):
        def headers_only(request, connection):
            connection.send_head(200, STREAM_HEADERS)
            hang()(request, connection)
        self.start([self.good_prefill()], [headers_only], annotations=SHORT_BOOTSTRAP)
        response = self.chat(stream=True)
        self.assertEqual((response.status, error_of(response)["code"]), (504, "bootstrap_timeout"))
        self.assertEqual(self.line()["failed_half"], "decode")
        self.assert_ended(self.decode[0])

    def test_a_client_that_leaves_ends_decode(self):
        self.start([self.good_prefill()],
                   [stream_answer(chat_events(["a", "b"])[:2], end="hang")])
        client = self.send_chat(stream=True)
        client.read_final_head()
        client.read_chunk()
        client.close()
        self.assert_ended(self.decode[0])
        self.assertEqual(self.line()["outcome"], "client_left")

    def test_a_decode_that_is_ejected_is_not_charged_to_prefill(self):
        self.start([self.good_prefill()], [refuse_with_reset()])
        for _ in range(3):
            self.assertEqual(self.chat().status, 502)
        endpoints = self.penstock.endpoints()
        self.assertTrue(endpoints["decode-0"]["ejected"])
        self.assertFalse(endpoints["prefill-0"]["ejected"])


class VllmPrefillTest(HalfTest, PrefillFaults):
    runtime = "vllm"

    def test_an_answer_that_is_too_large_is_a_failure(self):
        def endless(request, connection):
            connection.send_head(200, [("Content-Type", "application/json"),
                                       ("Content-Length", str(64 << 20))])
            block = b"x" * (1 << 20)
            for _ in range(64):
                connection.send(block)
        self.start([endless] * 2, [hang()])
        response = self.chat()
        self.assertEqual((response.status, error_of(response)["code"]),
                         (502, "upstream_bad_response"))
        self.penstock.wait_metric("penstock_limit_reached_total", 2, limit="prefill_response_bytes")

    def test_without_another_prefill_decode_does_both(self):
        self.start([refuse_with_reset()], [chat_answer()])
        self.assertEqual(self.chat().status, 200)
        line = self.line()
        self.assertEqual((line["disaggregation"], line["failed_half"], line["tries"]),
                         ("decode-only", "prefill", 2))
        self.assertNotIn("kv_transfer_params", self.decode[0].requests[0].json())


class VllmDecodeTest(HalfTest, DecodeFaults):
    runtime = "vllm"

    def leases(self, which):
        return self.penstock.metrics().sum(f"penstock_kv_leases_{which}_total")

    def test_blocks_that_are_kept_are_fetched_by_another_decode(self):
        """Nothing was fetched by an endpoint that refuses: prefill need not compute it again."""
        self.start([self.good_prefill()], [chat_answer()] * 2)
        self.penstock.wait_scraped()
        self.decode[0].refuse()
        for count in range(1, 100):
            self.assertEqual(self.chat().status, 200)
            if self.line(count)["tries"] == 2:
                break
        self.assertEqual(len(self.prefill[0].requests), count)
        self.assertEqual(self.half_failures("decode", reason="connect_refused"), 1)
        self.assertEqual(self.leases("abandoned"), 0)

    def test_a_decode_that_fails_leaves_its_blocks_to_their_lease(self):
        self.start([self.good_prefill()], [answer(400, b'{"error":{"message":"no"}}')])
        self.assertEqual(self.chat().status, 400)
        self.line()
        self.assertEqual(self.leases("abandoned"), 1)

    def test_a_client_that_leaves_before_decode_answers_abandons_the_blocks(self):
        self.start([self.good_prefill()], [hang()])
        client = self.send_chat()
        self.decode[0].wait_requests(1)
        client.close()
        self.assert_ended(self.decode[0])
        self.line()
        self.assertEqual(self.leases("abandoned"), 1)


class SglangHalfTest(HalfTest):
    runtime = "sglang"


class SglangPrefillTest(SglangHalfTest, PrefillFaults):
    """Both halves are in work at once here, so what ends one is seen at the other."""

    def test_a_prefill_error_ends_decode(self):
        self.start([answer(500, json.dumps(ERROR).encode())], [hang()])
        self.assertEqual(self.chat().status, 500)
        self.assert_ended(self.decode[0])
        self.assertEqual(self.half_failures("decode"), 0)

    def test_a_prefill_that_refuses_ends_decode(self):
        self.start([hang()], [hang()])
        self.prefill[0].refuse()
        response = self.chat()
        self.assertEqual((response.status, error_of(response)["code"]),
                         (503, "endpoints_unreachable"))
        self.assertIn("prefill-0: connect_refused", error_of(response)["message"])
        if self.decode[0].requests:  # it may have been ended before it was sent
            self.assert_ended(self.decode[0])

    def test_a_bootstrap_that_never_completes_ends_both(self):
        self.start([hang()], [hang()], annotations=SHORT_BOOTSTRAP)
        self.assertEqual(self.chat(stream=True).status, 504)
        self.assert_ended(self.prefill[0])
        self.assert_ended(self.decode[0])

    def test_a_client_that_leaves_ends_both(self):
        self.start([hang()], [hang()])
        client = self.send_chat()
        self.prefill[0].wait_requests(1)
        self.decode[0].wait_requests(1)
        client.close()
        self.assert_ended(self.prefill[0])
        self.assert_ended(self.decode[0])

    def test_a_late_prefill_error_does_not_disturb_the_stream(self):
        """Decode has what it needs: it generates."""
        gate, rest = Gate(), Gate()
        self.start([after(gate, answer(500, b"{}"))],
                   [stream_answer(chat_events(["a", "b"]), gates={2: rest})])
        client = self.send_chat(stream=True)
        client.read_final_head()
        client.read_chunk()
        gate.open()
        self.penstock.wait_metric("penstock_half_failures_total", 1, half="prefill")
        # Its place is given back already.
        self.assertEqual(self.penstock.endpoints()["prefill-0"]["in_flight"], 0)
        rest.open()
        self.assertTrue(client.read_chunks().endswith(b"data: [DONE]\n\n"))
        self.assertEqual(self.line()["outcome"], "complete")

    def test_prefill_gives_its_place_back_while_decode_generates(self):
        rest = Gate()
        self.start([self.good_prefill()],
                   [stream_answer(chat_events(["a", "b"]), gates={2: rest})])
        client = self.send_chat(stream=True)
        client.read_final_head()
        prefill = lambda: self.penstock.endpoints()["prefill-0"]
        self.penstock.wait_scraped(lambda e: e["pod"] != "prefill-0" or e["in_flight"] == 0)
        self.assertEqual(prefill()["pending_prompt_tokens"], 0)
        rest.open()
        client.read_chunks()


class SglangDecodeTest(SglangHalfTest, DecodeFaults):
    def test_a_decode_error_ends_prefill(self):
        self.start([hang()], [answer(500, json.dumps(ERROR).encode())])
        self.assertEqual(self.chat().status, 500)
        self.assert_ended(self.prefill[0])
        self.assertEqual(self.half_failures("prefill"), 0)

    def test_a_decode_that_dies_ends_prefill(self):
        self.start([hang()], [refuse_with_reset()])
        self.assertEqual(self.chat().status, 502)
        self.assert_ended(self.prefill[0])


if __name__ == "__main__":
    unittest.main()
