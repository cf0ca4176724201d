"""Request bodies with a Content-Encoding: decoded where they are read, untouched where not."""

import gzip
import json
import os
import unittest
import zlib

from harness import GatewayTest, answer, chat_body, http_route, inference_model, pool_of

CHAT = "/v1/chat/completions"
DATA = os.path.join(os.path.dirname(__file__), "..", "data", "coding")
BODY = json.dumps(chat_body()).encode()


def recorded(name):
    with open(os.path.join(DATA, name), "rb") as file:
        return file.read()


class CodedBodyTest(GatewayTest):
    def start(self, objects=(), **options):
        self.server = self.model_server(answer(200, b"{}"))
        self.gateway_ = self.gateway([*pool_of([self.server]), *objects], **options)
        return self.gateway_

    def post(self, body, coding, path=CHAT, client=None):
        client = client or self.client(self.gateway_)
        client.request("POST", path, body=body, headers=[("Content-Encoding", coding)])
        return client.read_response()

    def refused(self, body, coding, status, code, path=CHAT):
        response = self.post(body, coding, path)
        error = response.json()["error"]
        self.assertEqual((response.status, error.get("code", code)), (status, code), error)
        self.assertEqual(len(self.server.requests), 0)
        return response


class DecodedTest(CodedBodyTest):
    def test_each_coding_goes_on_decoded_with_its_own_length(self):
        self.start()
        client = self.client(self.gateway_)
        raw = zlib.compressobj(wbits=-15)
        chat = recorded("chat.json")
        sent = [("gzip", gzip.compress(BODY), BODY), ("x-gzip", gzip.compress(BODY), BODY),
                ("deflate", zlib.compress(BODY), BODY),
                ("Deflate", raw.compress(BODY) + raw.flush(), BODY),
                ("br", recorded("chat.json.br"), chat), ("zstd", recorded("chat.json.zst"), chat),
                ("zstd, br", recorded("chat.json.zst.br"), chat),
                ("gzip, identity", gzip.compress(BODY), BODY), ("identity", BODY, BODY)]
        for coding, body, _ in sent:
            self.assertEqual(self.post(body, coding, client=client).status, 200, coding)
        for request, (coding, _, expected) in zip(self.server.requests, sent):
            self.assertEqual(request.body, expected)
            self.assertEqual(request.get("content-length"), str(len(expected)))
            self.assertEqual(request.get("content-encoding"),
                             "identity" if coding == "identity" else None)

    def test_the_model_is_read_and_changed_in_what_was_decoded(self):
        self.start([inference_model("test-model", targets={"target": 1})])
        self.assertEqual(self.post(gzip.compress(BODY), "gzip").status, 200)
        self.assertEqual(self.server.requests[0].json()["model"], "target")
        self.assertEqual(self.post(gzip.compress(b'{"model":"no","messages":[]}'), "gzip").status,
                         404)

    def test_large_bodies_of_many_clients_take_their_turns(self):
        self.start()
        bodies = [json.dumps(chat_body(user=os.urandom(1500000 + 7 * i).hex())).encode()
                  for i in range(4)]
        clients = [self.client(self.gateway_) for _ in bodies]
        for client, body in zip(clients, bodies):
            client.request("POST", CHAT, body=gzip.compress(body, 1),
                           headers=[("Content-Encoding", "gzip")])
        for client in clients:
            self.assertEqual(client.read_response().status, 200)
        self.assertEqual(sorted(map(hash, bodies)),
                         sorted(hash(r.body) for r in self.server.requests))

    def test_a_client_that_leaves_while_its_body_is_decoded_leaves_nothing_behind(self):
        gateway = self.start()
        body = gzip.compress(json.dumps(chat_body(user=os.urandom(4 << 20).hex())).encode(), 1)
        for _ in range(3):
            client = self.client(gateway)
            client.request("POST", CHAT, body=body, headers=[("Content-Encoding", "gzip")])
            client.close()
        self.assertEqual(self.post(gzip.compress(BODY), "gzip").status, 200)


class RefusedTest(CodedBodyTest):
    def test_unknown_codings_are_415_and_the_known_ones_are_named(self):
        self.start()
        for coding in ("compress", "gzip, lzma", "gzip, gzip, gzip, gzip, gzip"):
            response = self.refused(BODY, coding, 415, "content_encoding_not_supported")
            self.assertEqual(response.get("accept-encoding"), "gzip, deflate, br, zstd")
            name = coding.rpartition(" ")[2]
            self.assertIn(f"`{name}`", response.json()["error"]["message"])

    def test_what_is_not_of_the_coding_is_400_in_the_clients_dialect(self):
        self.start()
        coded = gzip.compress(BODY)
        for body in (BODY, coded[:-1], coded[:10], coded + b"x", b"\x1f"):
            self.refused(body, "gzip", 400, "invalid_content_encoding")
        for coding in ("br", "zstd", "deflate"):
            self.refused(coded, coding, 400, "invalid_content_encoding")
        response = self.refused(coded[:-1], "gzip", 400, "invalid_content_encoding", "/v1/messages")
        self.assertEqual(response.json()["type"], "error")
        self.refused(gzip.compress(b"{"), "gzip", 400, "invalid_body")
        self.refused(b"", "gzip", 400, "invalid_body")

    def test_the_limit_on_bodies_holds_for_what_was_decoded(self):
        gateway = self.start(arguments=("--limit", "request_body_bytes=1000000"))
        self.assertEqual(self.post(gzip.compress(json.dumps(
            chat_body(user=os.urandom(490000).hex())).encode()), "gzip").status, 200)
        response = self.post(gzip.compress(json.dumps(
            chat_body(user=os.urandom(500000).hex())).encode()), "gzip")
        self.assertEqual((response.status, response.json()["error"]["code"]),
                         (413, "body_too_large"))
        gateway.wait_metric("penstock_limit_reached_total", 1, limit="request_body_bytes")

    def test_a_bomb_is_refused_by_name_before_it_is_large(self):
        gateway = self.start()
        for coding, body in (("gzip", gzip.compress(bytes(30 << 20))),
                             ("gzip, gzip", gzip.compress(gzip.compress(bytes(100 << 20))))):
            self.refused(body, coding, 413, "compression_ratio_too_large")
        gateway.wait_metric("penstock_limit_reached_total", 2, limit="request_body_ratio")


class UntouchedTest(CodedBodyTest):
    def test_a_service_gets_whatever_was_sent(self):
        self.server = self.model_server(answer(200, b"{}"))
        self.gateway_ = self.gateway([
            http_route(path="/", backendRefs=[{"name": "web", "port": 80}]),
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
             "spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8000}]}},
            {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
             "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
             "addressType": "IPv4", "ports": [{"name": "http", "port": self.server.port}],
             "endpoints": [{"addresses": [self.server.address]}]}])
        for coding, body in (("gzip", gzip.compress(BODY)), ("compress", b"\x1f\x9d"),
                             ("gzip", b"not gzip")):
            self.assertEqual(self.post(body, coding).status, 200)
            request = self.server.requests[-1]
            self.assertEqual((request.body, request.get("content-encoding")), (body, coding))

    def test_so_does_a_pool_where_the_body_need_not_be_read(self):
        self.start()
        self.assertEqual(self.post(b"\x1f\x9d", "compress", path="/v1/other").status, 200)
        self.assertEqual(self.server.requests[-1].body, b"\x1f\x9d")


if __name__ == "__main__":
    unittest.main()
