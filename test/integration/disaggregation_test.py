"""Disaggregated requests as both model servers see them: which bytes each half gets, and when."""

import json
import pathlib
import unittest

from harness import (BOOTSTRAP_PORT, KV_TRANSFER_PARAMS, Gate, PairTest, answer, chat_answer,
                     chat_events, error_of, hang, inference_model, prefill_answer, response_body,
                     role_pod, stream_answer)
from harness.disaggregation import CHAT

RECORDED = pathlib.Path(__file__).resolve().parents[1] / "data" / "inference" / "vllm-0.32.0-pd"
ASKED = (b'"kv_transfer_params": {"do_remote_decode": true, "do_remote_prefill": false, '
         b'"remote_engine_id": null, "remote_block_ids": null, "remote_host": null, '
         b'"remote_port": null}')


def recorded(name):
    return (RECORDED / f"{name}.http").read_bytes()


def replay(name):
    """Sends a recorded response as it was."""
    def script(request, connection):
        connection.send(recorded(name))
        connection.close()
    return script


def unchunked(response):
    """The body of a recorded response in chunks."""
    rest = response.partition(b"\r\n\r\n")[2]
    body = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if int(size, 16) == 0:
            return body
        body += rest[:int(size, 16)]
        rest = rest[int(size, 16) + 2:]


class VllmTest(PairTest):
    runtime = "vllm"

    def post(self, body):
        client = self.client(self.penstock)
        client.request("POST", CHAT, body=body)
        return client.read_response()

    def test_legs_are_those_of_a_real_pair(self):
        plain = response_body(recorded("a_nostream.3_reference.request"))
        self.start([replay("a_nostream.1_prefill.response")],
                   [replay("a_nostream.2_decode.response")])
        response = self.post(plain)
        self.assertEqual(self.prefill[0].requests[0].body,
                         response_body(recorded("a_nostream.1_prefill.request")))
        answered = response_body(recorded("a_nostream.1_prefill.response"))
        params = answered[answered.index(b'{"do_remote_prefill"'):]
        params = params[:params.index(b"}") + 1]
        self.assertEqual(self.decode[0].requests[0].body,
                         plain[:-1] + b', "kv_transfer_params": ' + params + b"}")
        # What the recording client sent meant the same; it said "stream": false.
        self.assertEqual({**json.loads(self.decode[0].requests[0].body), "stream": False},
                         json.loads(response_body(recorded("a_nostream.2_decode.request"))))
        self.assertEqual(response.body, response_body(recorded("a_nostream.2_decode.response")))
        line = self.line()
        self.assertEqual((line["disaggregation"], line["prefill_pod"], line["pod"],
                          line["prompt_tokens"], line["completion_tokens"], line["outcome"]),
                         ("prefill-decode", "prefill-0", "decode-0", 698, 12, "complete"))

    def test_streams_are_decodes_own_bytes(self):
        plain = json.loads(response_body(recorded("b_stream.3_reference.request")))
        body = json.dumps({**plain, "stream": True, "stream_options": {"include_usage": True}})
        self.start([replay("b_stream.1_prefill.response")],
                   [replay("b_stream.2_decode.response")])
        response = self.post(body.encode())
        self.assertEqual(json.loads(self.prefill[0].requests[0].body),
                         json.loads(response_body(recorded("b_stream.1_prefill.request"))))
        self.assertEqual(json.loads(self.decode[0].requests[0].body),
                         json.loads(response_body(recorded("b_stream.2_decode.request"))))
        self.assertEqual(response.body, unchunked(recorded("b_stream.2_decode.response")))
        self.assertTrue(response.complete)
        self.assertEqual(response.events()[-1], "[DONE]")

    def test_every_other_byte_of_the_body_stays(self):
        body = (b'{ "model":"m" ,"x": 12345678901234567890, "max_tokens" : 7,\t"stream":true,'
                b'"stream_options": {"include_usage":true}, "n":1,"logprobs":true,'
                b'"top_logprobs":3,"messages":[{"role":"user","content":"h\\u00e9"}], '
                b'"seed":1e2 }\n')
        self.start([prefill_answer("vllm")], [stream_answer(chat_events(["a"]))])
        self.post(body)
        self.assertEqual(
            self.prefill[0].requests[0].body,
            b'{ "model":"m" ,"x": 12345678901234567890, "max_tokens" : 1,\t"stream":false,'
            b' "n":1,"logprobs":true,'
            b'"top_logprobs":3,"messages":[{"role":"user","content":"h\\u00e9"}], "seed":1e2, ' +
            ASKED + b' }\n')
        self.assertEqual(self.decode[0].requests[0].body,
                         body[:-3] + b', "kv_transfer_params": ' + KV_TRANSFER_PARAMS + b' }\n')

    def test_both_halves_carry_the_same_request_id_and_the_model_that_is_meant(self):
        self.start([prefill_answer("vllm")], [chat_answer()],
                   objects=[inference_model("m", targets={"other": 1})])
        self.chat()
        halves = [self.prefill[0].requests[0], self.decode[0].requests[0]]
        self.assertEqual({half.get("x-request-id") for half in halves},
                         {self.line()["request_id"]})
        self.assertEqual([half.json()["model"] for half in halves], ["other", "other"])
        # The gateway reads this answer itself.
        self.assertEqual(halves[0].get("accept-encoding"), "identity")

    def test_decode_waits_for_prefill(self):
        gate = Gate()

        def gated(request, connection):
            gate.wait()
            prefill_answer("vllm")(request, connection)
        self.start([gated], [chat_answer()])
        client = self.send_chat()
        self.prefill[0].wait_requests(1)
        self.assertEqual(len(self.decode[0].requests), 0)
        # Decode's place is taken already.
        self.assertEqual(self.penstock.endpoints()["decode-0"]["in_flight"], 1)
        gate.open()
        self.assertEqual(client.read_response().status, 200)

    def test_prefill_that_hands_nothing_over_is_recomputed(self):
        self.start([prefill_answer("vllm", b"null")], [chat_answer()])
        self.assertEqual(self.chat(kv_transfer_params={"remote_host": "10.9.9.9"}).status, 200)
        self.assertNotIn("kv_transfer_params", self.decode[0].requests[0].json())
        self.assertTrue(self.line()["recomputed"])
        self.penstock.wait_metric("penstock_prefill_recomputed_total", 1)

    def test_other_apis_are_served_by_decode_alone(self):
        self.start([hang()], [answer(200, b'{"type":"message","content":[]}')])
        client = self.client(self.penstock)
        client.request("POST", "/v1/messages", body={
            "model": "m", "max_tokens": 3, "kv_transfer_params": {"remote_host": "10.9.9.9"},
            "messages": [{"role": "user", "content": "Hi"}]})
        self.assertEqual(client.read_response().status, 200)
        self.assertNotIn("kv_transfer_params", self.decode[0].requests[0].json())

    def test_several_sequences_are_not_split(self):
        """vLLM hands over the blocks of one: the others would read what is not theirs."""
        self.start([hang()], [chat_answer()])
        client = self.client(self.penstock)
        for path, body in ((CHAT, {"messages": [], "n": 2}),
                           ("/v1/completions", {"prompt": ["a", "b"]})):
            client.request("POST", path, body={"model": "m", **body})
            self.assertEqual(client.read_response().status, 200)
        lines = self.penstock.wait_handled(2)
        self.assertEqual({line["disaggregation"] for line in lines}, {"decode-only"})
        self.assertEqual(self.decode[0].requests[0].json()["n"], 2)

    def test_a_batch_of_one_is_split(self):
        self.start([prefill_answer("vllm")], [chat_answer()])
        client = self.client(self.penstock)
        client.request("POST", "/v1/completions", body={"model": "m", "prompt": ["a"]})
        client.read_response()
        self.assertEqual(self.line()["disaggregation"], "prefill-decode")

    def test_without_prefill_servers_decode_does_both(self):
        self.start([], [chat_answer()])
        self.assertEqual(self.chat().status, 200)
        self.assertEqual(self.line()["disaggregation"], "decode-only")


class DeciderTest(PairTest):
    runtime = "vllm"

    def start_both(self, prefix=False, annotations=None):
        server = self.model_server(chat_answer(), name="both-0")
        self.start([prefill_answer("vllm")], [], objects=[role_pod(server, "prefill-decode")],
                   prefix=prefix, annotations=annotations)
        return server

    def test_short_prompts_are_not_split(self):
        both = self.start_both()
        self.chat("short", kv_transfer_params={"remote_host": "10.9.9.9"})
        self.assertEqual(self.line()["disaggregation"], "decode-only")
        self.assertNotIn("kv_transfer_params", both.requests[0].json())
        self.chat("long " * 2000)
        self.assertEqual(self.line(2)["disaggregation"], "prefill-decode")
        metrics = self.penstock.metrics()
        name = "penstock_disaggregation_decisions_total"
        self.assertEqual(metrics.sum(name, decision="decode-only"), 1)
        self.assertEqual(metrics.sum(name, decision="prefill-decode"), 1)

    def test_a_prompt_that_is_mostly_cached_is_not_split_again(self):
        self.start_both(prefix=True)
        text = "long " * 2000
        self.chat(text)
        self.chat(text)
        lines = self.penstock.wait_handled(2)
        self.assertEqual([l["disaggregation"] for l in lines], ["prefill-decode", "decode-only"])

    def test_the_threshold_is_the_policys(self):
        self.start_both(annotations={"penstock.dev/uncached-tokens-min": "0"})
        self.chat("short")
        self.assertEqual(self.line()["disaggregation"], "prefill-decode")

    def test_one_role_each_is_always_split(self):
        self.start([prefill_answer("vllm")], [chat_answer()])
        self.chat("short")
        self.assertEqual(self.line()["disaggregation"], "prefill-decode")

    def test_one_role_each_may_ask_for_it(self):
        self.start([prefill_answer("vllm")], [chat_answer()],
                   annotations={"penstock.dev/uncached-tokens-min": "512"})
        self.chat("short")
        self.assertEqual(self.line()["disaggregation"], "decode-only")


class SglangTest(PairTest):
    runtime = "sglang"

    def test_both_halves_get_one_body_at_once(self):
        gate = Gate()

        def gated(script):
            def run(request, connection):
                gate.wait()
                script(request, connection)
            return run
        self.start([gated(self.good_prefill())], [gated(self.good_decode("hi"))])
        client = self.send_chat(max_tokens=7)
        prefill = self.prefill[0].wait_requests(1)[0]
        decode = self.decode[0].wait_requests(1)[0]  # neither has answered
        gate.open()
        response = client.read_response()
        self.assertEqual(response.json()["choices"][0]["message"]["content"], "hi")
        self.assertEqual(prefill.body, decode.body)
        body = prefill.json()
        self.assertEqual(body["bootstrap_host"], self.prefill[0].address)
        self.assertEqual(body["bootstrap_port"], BOOTSTRAP_PORT)
        self.assertIsInstance(body["bootstrap_room"], int)
        self.assertTrue(0 <= body["bootstrap_room"] < 2 ** 63)
        plain = (b'{"model": "m", "messages": [{"role": "user", "content": "Hello"}], '
                 b'"max_tokens": 7}')
        self.assertEqual(prefill.body, b'%s, "bootstrap_host": "%s", "bootstrap_port": %d, '
                         b'"bootstrap_room": %d}' % (plain[:-1], self.prefill[0].address.encode(),
                                                     BOOTSTRAP_PORT, body["bootstrap_room"]))

    def test_rooms_differ_and_a_batch_gets_one_for_each_sequence(self):
        self.start([self.good_prefill()], [self.good_decode()])
        self.chat(n=3)
        self.chat(n=3)
        rooms = [room for r in self.decode[0].requests for room in r.json()["bootstrap_room"]]
        self.assertEqual(len(set(rooms)), 6)
        body = self.decode[0].requests[0].json()
        self.assertEqual(body["bootstrap_host"], [self.prefill[0].address] * 3)
        self.assertEqual(body["bootstrap_port"], [BOOTSTRAP_PORT] * 3)
        client = self.client(self.penstock)
        client.request("POST", "/v1/completions", body={"model": "m", "prompt": ["a", "b"]})
        client.read_response()
        self.assertEqual(len(self.decode[0].requests[2].json()["bootstrap_room"]), 2)

    def test_what_a_client_sends_as_bootstrap_is_replaced(self):
        self.start([self.good_prefill()], [self.good_decode()])
        self.chat(bootstrap_host="evil", bootstrap_port=1, bootstrap_room=2)
        for server in self.prefill + self.decode:
            self.assertEqual(server.requests[0].json()["bootstrap_host"], self.prefill[0].address)
            self.assertNotIn(b"evil", server.requests[0].body)

    def test_apis_that_cannot_be_split_say_so(self):
        self.start([hang()], [hang()])
        client = self.client(self.penstock)
        client.request("POST", "/v1/embeddings", body={"model": "m", "input": "x"})
        response = client.read_response()
        self.assertEqual((response.status, error_of(response)["code"]), (501, "not_disaggregated"))

    def test_without_prefill_nothing_is_dispatched(self):
        self.start([], [hang()])
        response = self.chat()
        self.assertEqual((response.status, error_of(response)["code"]), (503, "no_endpoint"))
        self.assertIsNotNone(response.get("retry-after"))
        self.assertEqual(len(self.decode[0].requests), 0)


class MixedTest(PairTest):
    """One pool with both kinds: paired like with like."""
    runtime = "sglang"

    def start_mixed(self, sglang_prefill):
        vllm_prefill = self.model_server(prefill_answer("vllm"), name="vllm-prefill")
        vllm_decode = self.model_server(chat_answer(), name="vllm-decode")
        self.start([sglang_prefill], [self.good_decode()],
                   objects=[role_pod(vllm_prefill, "prefill", "vllm"),
                            role_pod(vllm_decode, "decode", "vllm")])
        return vllm_prefill, vllm_decode

    def test_pairs_are_of_one_runtime(self):
        vllm_prefill, vllm_decode = self.start_mixed(self.good_prefill())
        self.penstock.wait_scraped()  # until then those that were are preferred
        for _ in range(40):
            self.assertEqual(self.chat().status, 200)
        lines = self.penstock.wait_handled(40)
        pairs = {(line["prefill_pod"], line["pod"]) for line in lines}
        self.assertEqual(pairs, {("prefill-0", "decode-0"), ("vllm-prefill", "vllm-decode")})
        self.assertEqual(len(vllm_prefill.requests), len(vllm_decode.requests))
        self.assertTrue(all("bootstrap_room" in r.json() for r in self.decode[0].requests))
        self.assertTrue(all("kv_transfer_params" in r.json() for r in vllm_decode.requests))

    def test_a_runtime_without_prefill_leaves_it_to_the_other(self):
        _, vllm_decode = self.start_mixed(self.good_prefill())
        self.prefill[0].refuse()
        for _ in range(20):
            self.assertEqual(self.chat().status, 200)
        self.assertGreaterEqual(len(vllm_decode.requests), 18)


if __name__ == "__main__":
    unittest.main()
