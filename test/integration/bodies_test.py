"""What the gateway understands of a body: models, their rewrite, the APIs; what it leaves alone."""

import json
import random
import re
import unittest

from harness import (STREAM_HEADERS, GatewayTest, answer, chat_answer, chat_body, event,
                     inference_model, pool_of)

CHAT = "/v1/chat/completions"
WORDS = "Words enough for a few blocks of a prefix. " * 5

# Bodies that a parser which writes them anew would change.
AWKWARD_BODIES = [
    b'{"messages":[],"model":"alias"}',
    b'{\r\n\t"model" :  "alias" ,\n "messages" : [ ] , "seed":123456789012345678901234567890}\n ',
    b'{"zeta":1,"alpha":1.0,"beta":1e5,"gamma":-0,"model":"alias","delta":0.10000000000000000001}',
    b'{"unknown":{"model":"inner","model":"inner"},"unknown":2,"model":"alias","messages":[]}',
    b'{"model":"\\u0061li\\u0061s","messages":[{"role":"user","content":"\\ud83d\\ude00/\\/"}]}',
    '{"messages":[{"role":"user","content":"é \\"model\\":\\"alias\\""}],"model":"alias"}'.encode(),
    b'{"mod\\u0065l":"alias","messages":[]}',
]


def answered(response):
    return response.status, response.json()["error"]["code"]


class ModelTest(GatewayTest):
    def start(self, *models, script=None):
        self.server = self.model_server(script or answer(200, b"{}"))
        return self.gateway(pool_of([self.server]) + list(models))

    def sent_on(self, gateway, body, path=CHAT):
        count = len(self.server.requests)
        response = gateway.post(path, body)
        self.assertEqual(response.status, 200, response)
        return self.server.wait_requests(count + 1)[count]

    def test_without_models_bodies_pass_unchanged(self):
        gateway = self.start()
        for body in AWKWARD_BODIES:
            self.assertEqual(self.sent_on(gateway, body).body, body)

    def test_a_rewritten_model_name_changes_nothing_else(self):
        gateway = self.start(inference_model("alias", targets={"/models/Qwen3 \"32B\" é": 1}))
        target = b'"/models/Qwen3 \\"32B\\" \xc3\xa9"'
        for body in AWKWARD_BODIES:
            request = self.sent_on(gateway, body)
            # The value of the outermost model key, as it stands in the body.
            value = b'"\\u0061li\\u0061s"' if b"\\u0061li" in body else b'"alias"'
            before, _, after = body.rpartition(value)
            self.assertEqual(request.json()["model"], '/models/Qwen3 "32B" é')
            self.assertEqual(request.body, before + target + after)
            self.assertEqual(int(request.get("content-length")), len(request.body))
        lines = gateway.wait_handled(1)
        self.assertEqual(lines[0]["requested_model"], "alias")
        self.assertEqual(lines[0]["target_model"], '/models/Qwen3 "32B" é')

    def test_a_large_chunked_body_is_rewritten(self):
        gateway = self.start(inference_model("alias", targets={"target": 1}))
        rng = random.Random(4)
        text = "".join(rng.choice("abc é\"\\\n") for _ in range(300_000))
        body = json.dumps({"messages": [{"role": "user", "content": text}], "model": "alias",
                           "n": 1}).encode()
        client = self.client(gateway)
        client.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(body), 7777):
            piece = body[at:at + 7777]
            client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        client.send(b"0\r\n\r\n")
        self.assertEqual(client.read_response().status, 200)
        self.assertTrue(self.server.requests[0].body ==
                        body.replace(b'"model": "alias"', b'"model": "target"'))

    def test_target_models_share_by_weight(self):
        gateway = self.start(inference_model("alias", targets={"one": 3, "two": 1}))
        client = self.client(gateway)
        for _ in range(200):
            client.request("POST", CHAT, body=chat_body(model="alias"))
            client.read_response()
        sent = [r.json()["model"] for r in self.server.requests]
        self.assertEqual(set(sent), {"one", "two"})
        # 200 draws of 3/4: 150 +- 6.1; eight deviations never happen.
        self.assertTrue(100 < sent.count("one") < 195, sent.count("one"))

    def test_models_that_are_not_bound_do_not_exist(self):
        gateway = self.start(inference_model("alias"), inference_model("elsewhere", pool="other"))
        self.assertEqual(self.sent_on(gateway, chat_body(model="alias")).json()["model"], "alias")
        for model in ("nobody", "elsewhere", "Alias", "alias "):
            response = gateway.chat(model=model)
            self.assertEqual(answered(response), (404, "model_not_found"))
            self.assertIn(model, response.json()["error"]["message"])
        self.assertEqual(len(self.server.requests), 1)
        line = gateway.wait_line("Request Handled", requested_model="nobody")
        self.assertEqual((line["status"], line["outcome"], line["reason"], line["pod"]),
                         (404, "rejected", "model_not_found", ""))

    def test_an_encoded_path_is_checked_like_the_path_it_is(self):
        server = self.model_server(chat_answer())
        gateway = self.gateway(pool_of([server]) + [inference_model("food-review")])
        for path in ("/v1/chat/%63ompletions", "/%761/chat%2Fcompletions"):
            self.assertEqual(answered(gateway.post(path, chat_body(model="nope"))),
                             (404, "model_not_found"))
            self.assertEqual(gateway.post(path, b'{"model":"a","model":"b"}').status, 400)
            self.assertEqual(gateway.post(path, chat_body(model="food-review")).status, 200)
            self.assertEqual(server.requests[-1].target, path, "sent on as it came")

    def test_bodies_that_two_parsers_could_read_differently_are_refused(self):
        gateway = self.start()
        client = self.client(gateway)
        for body in (b'{"model":"a","messages":[],"model":"b"}',
                     b'{"model":"a","mod\\u0065l":"a"}',
                     b'{"model":"a","stream":true,"stream":false}',
                     b'{"model":"a"', b'{"model":"a"}}', b'{"model":"a"} {"model":"b"}',
                     b"{'model':'a'}", b'{"model":"a",}', b'{"model":"a","x":nan}',
                     b'{"model":"\xff"}', b'{"model":"\\ud800"}', b'["model"]', b'"model"', b"",
                     b"null", b'{"model":7}', b'{"model":["a"]}'):
            client.request("POST", CHAT, body=body)
            response = client.read_response()
            self.assertEqual(answered(response), (400, "invalid_body"), body)
            self.assertEqual(response.json()["error"]["type"], "invalid_request_error")
            self.assertTrue(response.json()["error"]["message"])
        # The connection stays usable throughout, and nothing of it reached the model server.
        client.request("POST", CHAT, body=chat_body())
        self.assertEqual(client.read_response().status, 200)
        self.assertEqual(len(self.server.requests), 1)

    def test_nesting_has_a_limit_where_it_is_read(self):
        def body(depth):
            return b'{"model":"a","x":' + b"[" * (depth - 1) + b"1" + b"]" * (depth - 1) + b"}"
        gateway = self.start()
        self.assertEqual(gateway.post(CHAT, body(128)).status, 200)
        for path, depth in ((CHAT, 129), ("/v1/messages", 200_000)):
            response = gateway.post(path, body(depth))
            self.assertEqual(response.status, 400)
            self.assertEqual(response.json()["error"]["message"],
                             "the request body is nested deeper than 128 levels (limit json_depth)")
        self.assertEqual(gateway.post("/v1/messages", body(129)).json()["type"], "error")
        gateway.wait_metric("penstock_limit_reached_total", 3, limit="json_depth")
        # Braces in strings are no levels, and what is not read passes.
        self.assertEqual(gateway.post(CHAT, chat_body("{[" * 1000)).status, 200)
        self.assertEqual(gateway.post("/v1/other", body(200_000)).status, 200)
        self.assertEqual(self.server.requests[-1].body, body(200_000))

    def test_the_limit_of_nesting_is_set_by_its_name(self):
        server = self.model_server(answer(200, b"{}"))
        gateway = self.gateway(pool_of([server]) + [inference_model("a")],
                               arguments=("--limit", "json_depth=2"))
        for path in (CHAT, "/v1/other"):
            self.assertEqual(gateway.post(path, b'{"model":"a","x":[1]}').status, 200)
            refused = gateway.post(path, b'{"model":"a","x":[[1]]}')
            self.assertEqual(answered(refused), (400, "invalid_body"))
            self.assertIn("deeper than 2 levels", refused.json()["error"]["message"])

    def test_idle_clients_keep_little_memory(self):
        gateway = self.start()

        def resident_kib():
            with open(f"/proc/{gateway.process.pid}/status", encoding="ascii") as status:
                return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])

        self.assertEqual(gateway.chat("x" * 60000).status, 200)
        before = resident_kib()
        for _ in range(300):
            client = self.client(gateway)
            client.request("POST", CHAT, [("x-long", "y" * 30000)], body=chat_body("x" * 60000))
            self.assertEqual(client.read_response().status, 200)
        # DESIGN: 10,000 idle clients in less than 100 MB. A third of each body would be too much.
        # OpenSSL keeps 14 KiB of its own for each connection.
        kib_max = 20 if gateway.tls is None else 20 + 14
        self.assertLess(resident_kib() - before, 300 * kib_max)


class ApiTest(GatewayTest):
    USAGE = {"/v1/chat/completions": {"usage": {"prompt_tokens": 7, "completion_tokens": 2,
                                                "prompt_tokens_details": {"cached_tokens": 4}}},
             "/v1/completions": {"usage": {"prompt_tokens": 7, "completion_tokens": 2,
                                           "prompt_tokens_details": {"cached_tokens": 4}}},
             "/v1/responses": {"usage": {"input_tokens": 7, "output_tokens": 2,
                                         "input_tokens_details": {"cached_tokens": 4}}},
             "/v1/messages": {"usage": {"input_tokens": 3, "cache_read_input_tokens": 4,
                                        "output_tokens": 2}}}
    REQUESTS = {"/v1/chat/completions": chat_body(WORDS),
                "/v1/completions": {"model": "test-model", "prompt": [WORDS, "you"]},
                "/v1/embeddings": {"model": "test-model", "input": WORDS},
                "/v1/responses": {"model": "test-model", "input": [
                    {"role": "user", "content": [{"type": "input_text", "text": WORDS}]}]},
                "/v1/messages": {"model": "test-model", "max_tokens": 5, "system": "Be brief.",
                                 "messages": [{"role": "user", "content": WORDS}]}}

    def test_every_api_is_understood(self):
        def script(request, connection):
            answer(200, json.dumps(self.USAGE.get(request.path, {})).encode())(request, connection)

        server = self.model_server(script)
        gateway = self.gateway(pool_of([server], strategy="PREFIX_CACHE"))
        for path, body in self.REQUESTS.items():
            self.assertEqual(gateway.post(path, body).status, 200, path)
            self.assertEqual(server.requests[-1].json(), body)
        for path in self.REQUESTS:
            line = gateway.wait_line("Request Handled", path=path)
            self.assertEqual((line["requested_model"], line["outcome"]), ("test-model", "complete"))
            self.assertGreater(line["prefix_blocks"], 0, path)
            if path in self.USAGE:
                self.assertEqual(line["completion_tokens"], 2, path)
                self.assertEqual(line["prompt_tokens"], 7, path)
                self.assertEqual(line["cached_tokens"], 4, path)
        metrics = gateway.metrics()
        self.assertEqual(metrics.sum("penstock_completion_tokens_total", model="test-model"), 8)
        self.assertEqual(metrics.sum("penstock_prompt_tokens_total"), 28)

    def test_usage_is_read_from_streams_of_each_dialect(self):
        usage = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
        streams = {
            "/v1/chat/completions": [event({"choices": [], "usage": usage}), event("[DONE]")],
            "/v1/responses": [b"event: response.completed\n" + event(
                {"type": "response.completed", "response": {"usage": {"input_tokens": 7,
                                                                      "output_tokens": 2}}})],
            "/v1/messages": [
                b"event: message_start\n" + event({"type": "message_start", "message": {
                    "usage": {"input_tokens": 7, "output_tokens": 1}}}),
                b"event: message_delta\n" + event({"type": "message_delta", "delta": {},
                                                   "usage": {"output_tokens": 2}}),
                b"event: message_stop\n" + event({"type": "message_stop"})]}

        def script(request, connection):
            connection.send_head(200, STREAM_HEADERS)
            for data in streams[request.path]:
                connection.send_chunk(data)
            connection.end_chunks()

        gateway = self.gateway(pool_of([self.model_server(script)]))
        for path, events in streams.items():
            response = gateway.post(path, {**self.REQUESTS[path], "stream": True})
            self.assertEqual(response.body, b"".join(events))
        for line in gateway.wait_handled(3):
            self.assertEqual((line["prompt_tokens"], line["completion_tokens"], line["stream"]),
                             (7, 2, True), line)

    def test_other_paths_are_forwarded_without_being_read(self):
        server = self.model_server(answer(200, b"done"))
        gateway = self.gateway(pool_of([server], strategy="PREFIX_CACHE"))
        for method, path, body in (
                ("POST", "/v1/audio/transcriptions", bytes(range(256)) * 10),
                ("POST", "/v1/load_lora_adapter", b'{"model":"alias","model":"twice"'),
                ("POST", "/v1/chat/completions/render", b'{"model":"nobody"}'),
                ("PUT", "/v1/chat/completions", b'{"model":"nobody"}'),
                ("DELETE", "/v1/responses/resp_1", None), ("GET", "/v1/responses/resp_1", None),
                ("OPTIONS", "/v1/chat/completions", None)):
            response = gateway.request(method, path, body=body)
            self.assertEqual((response.status, response.body), (200, b"done"), path)
            self.assertEqual((server.requests[-1].method, server.requests[-1].path,
                              server.requests[-1].body), (method, path, body or b""))
        self.assertEqual(gateway.wait_handled(1)[0]["requested_model"], "")


if __name__ == "__main__":
    unittest.main()
