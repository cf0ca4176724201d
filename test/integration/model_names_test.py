"""Which pool a model's name leads to, and that names mean the same in every API and every form."""

import unittest
from collections import Counter

from harness import (INFERENCE_GROUP, GatewayTest, answer, chat_answer, chat_body, hang,
                     http_route, inference_model, pool_of)

CHAT = "/v1/chat/completions"
URL_ENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxk"


def multipart(model, audio=b"RIFF\r\n--" + bytes(range(256))):
    """A transcription as browsers and SDKs send it."""
    mark = b"------WebKitFormBoundary7MA4YWxk"
    return (mark + b'\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
            b"Content-Type: audio/wav\r\n\r\n" + audio + b"\r\n" + mark +
            b'\r\nContent-Disposition: form-data; name="model"\r\n\r\n' + model + b"\r\n" + mark +
            b'\r\nContent-Disposition: form-data; name="language"\r\n\r\nen\r\n' + mark + b"--\r\n")


def answered(response):
    body = response.json()
    return response.status, body["error"].get("code", body["error"]["type"])


class NamesTest(GatewayTest):
    def send(self, gateway, path, body, content_type="application/json", headers=()):
        with gateway.connect() as client:
            lines = [f"POST {path} HTTP/1.1", "Host: test", f"Content-Length: {len(body)}"]
            if content_type is not None:
                lines.append(f"Content-Type: {content_type}")
            lines += [f"{name}: {value}" for name, value in headers]
            client.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            return client.read_response()

    def pools(self, models_of, weights=None):
        """One rule to several pools; models_of: {pool: its names, or None for any}."""
        self.servers = {name: self.model_server(answer(200, name.encode())) for name in models_of}
        objects = [http_route(backendRefs=[
            {"name": name, "kind": "InferencePool", "group": INFERENCE_GROUP,
             "weight": (weights or {}).get(name, 1)} for name in models_of])]
        for name, models in models_of.items():
            objects += pool_of([self.servers[name]], name=name)[1:]
            objects += [inference_model(m, pool=name, name=f"{name}-{m}") for m in models or ()]
        return objects


class AliasTest(NamesTest):
    def start(self, script=answer(200, b"{}")):
        self.server = self.model_server(script)
        return self.gateway([http_route(path="/")] + pool_of([self.server])[1:] + [
            inference_model("alias", targets={"/models/a b": 1}), inference_model("plain")])

    def test_it_is_known_in_every_api(self):
        gateway = self.start()
        paths = ("/v1/messages/count_tokens?beta=true", "/v1/rerank", "/v1/score", "/tokenize",
                 "/v1/responses/input_tokens", "/invocations", "/v1/images/generations", CHAT)
        for path in paths:
            for content_type in ("application/json", "application/json;charset=utf-8", None):
                self.send(gateway, path, b'{ "model":"alias","text_1":"a","messages":[]}',
                          content_type)
                request = self.server.requests[-1]
                self.assertEqual((request.target, request.body),
                                 (path, b'{ "model":"/models/a b","text_1":"a","messages":[]}'))
            response = self.send(gateway, path, b'{"model":"/models/a b","messages":[]}')
            self.assertEqual(response.status, 404)
            self.assertIn("/models/a b", response.json()["error"]["message"])
        # Several workers write lines: in which order is not said.
        lines = gateway.wait_handled(4 * len(paths))
        self.assertEqual(Counter((l["requested_model"], l["target_model"]) for l in lines),
                         {("alias", "/models/a b"): 3 * len(paths),
                          ("/models/a b", "/models/a b"): len(paths)})

    def test_it_is_known_in_forms(self):
        gateway = self.start()
        self.send(gateway, "/v1/audio/transcriptions", multipart(b"alias"), MULTIPART)
        request = self.server.requests[-1]
        self.assertEqual(request.body, multipart(b"/models/a b"))
        self.assertEqual(int(request.get("content-length")), len(request.body))
        self.send(gateway, "/v1/audio/translations", b"prompt=a+b%26&mod%65l=al%69as", URL_ENCODED)
        self.assertEqual(self.server.requests[-1].body,
                         b"prompt=a+b%26&mod%65l=%2Fmodels%2Fa%20b")
        for body, content_type in ((multipart(b"/models/a b"), MULTIPART),
                                   (b"model=/models/a+b", URL_ENCODED)):
            self.assertEqual(answered(self.send(gateway, "/v1/audio/speech", body, content_type)),
                             (404, "model_not_found"))

    def test_what_could_be_read_as_two_names_is_refused(self):
        gateway = self.start()
        for body, content_type in (
                (b'{"model":"alias","model":"/models/a b"}', "application/json"),
                (b'{"model":"alias"', "application/json"),
                (b'{"model":"alias"', None),
                (b'{"model":"alias","x":"&model=/models/a b&"}', URL_ENCODED),
                (b"model=alias&model=/models/a+b", URL_ENCODED),
                (multipart(b"alias") + b"\r\n", "multipart/form-data; boundary=x"),
                (multipart(b"alias")[:-60], MULTIPART)):
            response = self.send(gateway, "/v1/rerank", body, content_type)
            self.assertEqual(answered(response), (400, "invalid_body"), body)
        self.assertEqual(len(self.server.requests), 0)

    def test_what_names_no_model_passes(self):
        gateway = self.start()
        cases = [("/v1/load_lora_adapter", b'{"lora_name":"x","lora_path":"/x"}',
                  "application/json"),
                 ("/v1/files", multipart(b"x").replace(b'"model"', b'"purpose"'), MULTIPART),
                 ("/v1/upload", b'{"model":"x"}\n{"model":"y"}\n', "application/jsonl"),
                 ("/v1/upload", bytes(range(256)), "application/octet-stream"),
                 ("/v1/sleep", b"", "application/json"), ("/v1/any", b"[1]", None)]
        for path, body, content_type in cases:
            self.assertEqual(self.send(gateway, path, body, content_type).status, 200, path)
            self.assertEqual(self.server.requests[-1].body, body)
        for method, path in (("GET", "/v1/x"), ("DELETE", "/v1/responses/r"), ("OPTIONS", CHAT)):
            self.assertEqual(gateway.request(method, path).status, 200)

    def test_a_pool_that_takes_any_name_is_not_read(self):
        server = self.model_server(answer(200, b"{}"))
        gateway = self.gateway(pool_of([server]))
        for body, content_type in ((b"model=a&model=b", URL_ENCODED), (b'{"model"', None),
                                   (multipart(b"a")[:-20], MULTIPART)):
            self.assertEqual(self.send(gateway, "/v1/rerank", body, content_type).status, 200)
            self.assertEqual(server.requests[-1].body, body)


class SeveralPoolsTest(NamesTest):
    def test_a_name_goes_to_the_pools_that_declare_it(self):
        gateway = self.gateway(self.pools({"a": ["one", "both"], "b": ["two", "both"]},
                                          {"a": 99, "b": 1}))
        for _ in range(10):
            self.assertEqual(gateway.chat(model="one").body, b"a")
            self.assertEqual(gateway.chat(model="two").body, b"b")
            self.assertEqual(self.send(gateway, "/v1/rerank", b'{"model":"two"}').body, b"b")
            self.assertEqual(self.send(gateway, "/v1/audio/transcriptions", multipart(b"two"),
                                       MULTIPART).body, b"b")
        self.assertEqual(answered(gateway.post(CHAT, {"messages": []})), (400, "invalid_body"))

    def test_weights_apply_among_them(self):
        gateway = self.gateway(self.pools({"a": ["m"], "b": ["m"], "c": ["other"]},
                                          {"a": 1, "b": 1, "c": 1000}))
        bodies = [gateway.chat(model="m").body for _ in range(40)]
        self.assertEqual(set(bodies), {b"a", b"b"})

    def test_other_names_go_to_a_pool_that_takes_any(self):
        gateway = self.gateway(self.pools({"declares": ["one"], "any": None},
                                          {"declares": 99, "any": 1}))
        for _ in range(10):
            self.assertEqual(gateway.chat(model="one").body, b"declares")
            self.assertEqual(gateway.chat(model="else").body, b"any")
            self.assertEqual(gateway.post(CHAT, {"messages": []}).body, b"any")

    def test_a_refusal_tells_the_names(self):
        many = [f"m{i}" for i in range(20)]
        gateway = self.gateway(self.pools({"a": ["one"], "b": many}))
        response = gateway.chat(model="nobody")
        self.assertEqual(answered(response), (404, "model_not_found"))
        message = response.json()["error"]["message"]
        self.assertIn("The model `nobody` does not exist.", message)
        self.assertIn("`one`", message)
        self.assertIn("and 11 more", message)
        # Anthropic's clients get theirs.
        for path in ("/v1/messages", "/v1/messages/count_tokens"):
            response = gateway.post(path, chat_body(model="nobody"))
            self.assertEqual((response.status, response.json()["type"]), (404, "error"))
            self.assertEqual(response.json()["error"]["type"], "not_found_error")


class ModelFieldTest(NamesTest):
    """Routes that match on X-Gateway-Model-Name."""

    def start(self, *more, **fields):
        self.servers = {n: self.model_server(answer(200, n.encode()), model=f"org/{n}")
                        for n in ("small", "large", "rest")}
        objects = []
        for name, server in self.servers.items():
            objects += pool_of([server], name=name)[1:]
            if name == "rest":
                objects.append(http_route(name, name=name, path="/v1/rest"))
                continue
            objects.append(http_route(name, name=name, matches=[{
                "path": {"type": "PathPrefix", "value": "/v1"},
                "headers": [{"name": "X-Gateway-Model-Name", "value": f"org/{name}"}]}], **fields))
        return self.gateway(objects + list(more))

    def test_the_field_is_set_from_the_body(self):
        gateway = self.start()
        for name in ("small", "large"):
            body = chat_body(model=f"org/{name}")
            for path in (CHAT, "/v1/rerank"):
                for lie in ((), [("x-gateway-model-name", "org/small")],
                            [("X-Gateway-Model-Name", "org/large")]):
                    self.assertEqual(gateway.post(path, body, lie).body, name.encode())
                    request = self.servers[name].requests[-1]
                    self.assertEqual(request.get("x-gateway-model-name"), f"org/{name}")
            form = self.send(gateway, "/v1/audio/transcriptions",
                             multipart(f"org/{name}".encode()), MULTIPART)
            self.assertEqual(form.body, name.encode())

    def test_a_name_that_no_route_wants_finds_none(self):
        gateway = self.start()
        lie = [("X-Gateway-Model-Name", "org/small")]
        for model in ("org/none", "org/small\r\nX-Evil: 1"):
            response = gateway.post(CHAT, chat_body(model=model), lie)
            self.assertEqual(answered(response), (404, "route_not_found"))
        for body in (b'{"model":"org/small"', b'{"model":"org/small","model":"org/large"}'):
            self.assertEqual(gateway.post(CHAT, body, lie).status, 400)
        self.assertEqual(gateway.post("/v1/rest/x", b'{"model":"org/none"}', lie).body, b"rest")
        self.assertEqual(self.servers["rest"].requests[-1].get("x-gateway-model-name"), "org/none")
        line = gateway.wait_line("Request Handled", requested_model="org/none", status=404)
        self.assertEqual(line["reason"], "route_not_found")

    def test_what_cannot_stand_in_a_field_is_not_sent(self):
        gateway = self.start()
        lie = [("X-Gateway-Model-Name", "org/small")]
        response = gateway.post("/v1/rest/x", {"model": "a\nX-Evil: 1"}, lie)
        self.assertEqual(response.body, b"rest")
        request = self.servers["rest"].requests[-1]
        self.assertIsNone(request.get("x-gateway-model-name"))
        self.assertIsNone(request.get("x-evil"))

    def test_where_no_body_names_a_model_the_clients_field_counts(self):
        gateway = self.start()
        field = [("X-Gateway-Model-Name", "org/large")]
        self.assertEqual(gateway.get("/v1/anything", field).body, b"large")
        self.assertEqual(gateway.get("/v1/anything").status, 404)
        self.assertEqual(gateway.post(CHAT, {"messages": []}, field).body, b"large")

    def test_all_models_behind_such_routes_are_listed(self):
        gateway = self.start()
        ids = [m["id"] for m in gateway.get("/v1/models").json()["data"]]
        self.assertEqual(sorted(ids), ["org/large", "org/small"])

    def test_the_request_timeout_holds_though_the_rule_is_known_late(self):
        gateway = self.start(timeouts={"request": "50ms"})
        self.servers["large"].script = hang()
        response = gateway.chat(model="org/large")
        self.assertEqual(answered(response), (504, "timeout"))

    def test_without_such_routes_the_field_is_any_other(self):
        server = self.model_server(answer(200, b"{}"))
        gateway = self.gateway(pool_of([server]))
        gateway.post(CHAT, chat_body(), [("X-Gateway-Model-Name", "mine")])
        self.assertEqual(server.requests[-1].get("x-gateway-model-name"), "mine")
        gateway.post(CHAT, chat_body())
        self.assertIsNone(server.requests[-1].get("x-gateway-model-name"))


class TakenBodiesTest(NamesTest):
    def test_bodies_that_model_servers_take_are_passed_on(self):
        server = self.model_server(answer(200, b"{}"))
        gateway = self.gateway(pool_of([server], strategy="PREFIX_CACHE"))
        deep = b'{"model":"m","messages":[],"tools":' + b"[" * 127 + b"]" * 127 + b"}"
        for body in (b'{"messages":[]}', b"{}", b'{"model":null,"messages":[]}',
                     b'{"model":"","messages":[]}', b'\xef\xbb\xbf{"model":"m","messages":[]}',
                     b'{"model":"m","stream":"true"}', b'{"model":"m","stream":1}',
                     b'{"model":"m","temperature":NaN,"x":-Infinity}', deep):
            self.assertEqual(self.send(gateway, CHAT, body).status, 200, body[:80])
            self.assertEqual(server.requests[-1].body, body)

    def test_an_alias_is_found_in_them(self):
        server = self.model_server(answer(200, b"{}"))
        gateway = self.gateway(pool_of([server]) + [inference_model("m", targets={"target": 1})])
        for before, after in ((b'\xef\xbb\xbf{"model":', b',"messages":[]}'),
                              (b'{"x":' + b"[" * 127 + b"]" * 127 + b',"model":', b"}"),
                              (b'{"x":[NaN, 1e999],"model" : ', b',"y":{}}')):
            self.assertEqual(self.send(gateway, CHAT, before + b'"m"' + after).status, 200)
            self.assertEqual(server.requests[-1].body, before + b'"target"' + after)
        for body in (b'{"messages":[]}', b'{"model":null}', b'{"model":""}'):
            self.assertEqual(answered(self.send(gateway, CHAT, body)), (400, "invalid_body"))


class LabelTest(NamesTest):
    def test_a_refused_name_takes_no_place_among_the_labels(self):
        def script(request, connection):
            model = request.json()["model"]
            status = 200 if model == "real" else 401 if model.endswith("7") else 404
            answer(status, b"{}")(request, connection)
        gateway = self.gateway(pool_of([self.model_server(script)]), arguments=("--workers", "1"))
        with gateway.connect() as client:
            for i in range(250):
                client.request("POST", CHAT, body=chat_body(model=f"junk-{i}"))
                self.assertIn(client.read_response().status, (401, 404))
        self.assertEqual(gateway.chat(model="real").status, 200)
        gateway.wait_handled(251)
        metrics = gateway.metrics()
        count = lambda **labels: metrics.sum("penstock_requests_total", **labels)
        self.assertEqual(count(model="real", status="200"), 1)
        self.assertEqual(count(model=""), 250)
        self.assertEqual(count(), 251)
        self.assertEqual(metrics.sum("penstock_limit_reached_total", limit="model_label_values"), 0)
        # A name that was taken once keeps its series.
        self.assertEqual(metrics.sum("penstock_time_to_first_token_seconds_count", model="real"), 1)

    def test_no_name_breaks_the_page_or_the_terminal_of_who_reads_it(self):
        gateway = self.gateway(pool_of([self.model_server(chat_answer())]),
                               arguments=("--workers", "1"))
        names = {"a\nevil_total 1": "a\\nevil_total 1", "\x1b[2J": "\\u001b[2J", "q\"}\\": "q\"}\\",
                 "\u202e\u0000\x7f\x9b": "\\u202e\\u0000\\u007f\\u009b",
                 "ü" * 500: "ü" * 256}
        for name in names:
            response = gateway.chat(model=name)
            self.assertEqual(response.status, 200, response)
        # Names that differ where no label shows it are one series, however many they are.
        long = "x" * 512
        for i in range(3):
            self.assertEqual(gateway.chat(model=f"{long}{i}").status, 200)
        gateway.wait_handled(len(names) + 3)
        metrics = gateway.metrics()
        for shown in names.values():
            self.assertEqual(metrics.sum("penstock_requests_total", model=shown, status="200"), 1,
                             shown)
        self.assertEqual(metrics.sum("penstock_requests_total", model=long), 3)
        self.assertEqual([c for c in metrics.text if c != "\n" and not c.isprintable()], [])


if __name__ == "__main__":
    unittest.main()
