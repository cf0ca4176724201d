"""Model servers behind TLS, with certificates made by openssl(1), and credentials for them."""

import socket
import ssl
import subprocess
import tempfile
import threading
import unittest
from types import SimpleNamespace

from harness import (Authority, Gate, GatewayTest, answer, chat_answer, chat_events,
                     eventually, free_port, penstock, pool_of, prefill_answer,
                     role_pod, stream_answer, traffic_policy)

HTTPS = {"penstock.dev/endpoint-scheme": "https"}
TOKEN = "sk-of-the-servers"


def secret(data, name="key"):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


class EndpointTlsTest(GatewayTest):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.authority = Authority(folder.name)

    def tls_server(self, script=chat_answer(), names=None, days=30, context=None):
        """A model server behind TLS, whose certificate has its address unless `names` are given."""
        server = self.model_server(script)
        label = server.name
        server.tls = context or self.authority.server_context(
            label, f"IP:{server.address}" if names is None else names, days=days)
        return server

    def serve(self, servers, annotations=None, extra=(), **options):
        objects = pool_of(servers, annotations={**HTTPS, **(annotations or {})})
        return self.gateway([*objects, *extra],
                            environment={"SSL_CERT_FILE": self.authority.path}, **options)

    def expect_served(self, gateway):
        response = gateway.chat()
        self.assertEqual(response.status, 200, f"{response.body} {gateway.output_tail()}")

    def expect_refused(self, gateway, server, why):
        """No request reaches the server, and all who want to know hear why."""
        response = gateway.chat(headers=[("Authorization", "Bearer of-the-client")])
        self.assertEqual(response.status, 502, response.body)
        error = response.json()["error"]
        self.assertEqual(error["code"], "upstream_tls_failed")
        self.assertIn("the TLS handshake with the model server failed", error["message"])
        self.assertNotIn(server.address, error["message"])
        self.assertEqual(list(server.requests) + list(server.probes), [])
        line = gateway.wait_line("No TLS handshake with an endpoint", endpoint=server.endpoint)
        self.assertIn(why, line["error"])
        explained = subprocess.run(
            [penstock(), "explain", response.get("x-request-id"), "--admin",
             f"{gateway.address}:{gateway.admin_port}"], capture_output=True, timeout=60)
        self.assertIn(f"failed: tls_handshake ({why}", explained.stdout.decode())


class HandshakeTest(EndpointTlsTest):
    def test_requests_streams_lists_and_scrapes_go_over_tls(self):
        server = self.tls_server()
        gateway = self.serve([server], arguments=["--workers", "1"])
        gateway.wait_scraped()
        self.expect_served(gateway)
        server.script = stream_answer(chat_events(["a", "b"]))
        self.assertTrue(gateway.chat(stream=True).body.endswith(b"data: [DONE]\n\n"))
        models = gateway.get("/v1/models")
        self.assertEqual(models.json()["data"][0]["id"], "test-model")
        for connection in server.connections:
            self.assertIsInstance(connection._socket, ssl.SSLSocket)
        server.waiting = 7
        gateway.wait_scraped(lambda endpoint: endpoint["waiting"] == 7)
        metrics = gateway.metrics()
        self.assertGreaterEqual(
            metrics.sum("penstock_endpoint_tls_handshakes_total", result="ok"), 2)
        self.assertEqual(metrics.sum("penstock_endpoint_tls_handshakes_total"),
                         metrics.sum("penstock_endpoint_tls_handshakes_total", result="ok"))

    def test_sessions_are_resumed(self):
        def closing(request, connection):
            chat_answer()(request, connection)
            connection.close()
        gateway = self.serve([self.tls_server(closing)], arguments=["--workers", "1"])
        for _ in range(5):
            self.expect_served(gateway)
        self.assertGreaterEqual(
            gateway.metrics().sum("penstock_endpoint_tls_sessions_resumed_total"), 3)

    def test_a_name_may_stand_for_the_address(self):
        server = self.tls_server(names="models.example.com")
        gateway = self.serve(
            [server], {"penstock.dev/endpoint-tls-server-name": "models.example.com"})
        self.expect_served(gateway)
        gateway.wait_scraped()

    def test_certificates_that_are_not_believed(self):
        for names, days, why in (("models.example.com", 30, "IP address mismatch"),
                                 ("IP:192.0.2.1", 30, "IP address mismatch"),
                                 (None, -1, "certificate has expired")):
            with self.subTest(why):
                server = self.tls_server(names=names, days=days)
                self.expect_refused(self.serve([server]), server, why)

    def test_a_certificate_of_nobody(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        other = Authority(folder.name)
        server = self.tls_server(context=other.server_context("server"))
        self.expect_refused(self.serve([server]), server, "unable to get local issuer certificate")
        lenient = self.serve([server], {"penstock.dev/endpoint-tls-verify": "false"})
        self.assertEqual(lenient.chat().status, 200)
        lenient.wait_scraped()

    def listen(self, name, serve):
        """What stands in for a model server: serve(socket) is called for each connection."""
        address = self.addresses.take()
        listener = socket.create_server((address, free_port(address)))
        self.addCleanup(listener.shutdown, socket.SHUT_RDWR)

        def accept():
            # Closed here: a descriptor that is closed elsewhere may be a server's of another test
            # by the time that this thread, waiting with its number, looks again.
            with listener:
                while True:
                    try:
                        connection = listener.accept()[0]
                    except OSError:
                        return
                    try:
                        serve(connection)
                    except OSError:
                        connection.close()
        threading.Thread(target=accept, daemon=True).start()
        return SimpleNamespace(name=name, address=address, port=listener.getsockname()[1])

    def test_a_plain_server_gets_no_plain_request(self):
        came = []

        def refuse(connection):
            came.append(connection.recv(65536))
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            connection.close()
        gateway = self.serve([self.listen("plain", refuse)])
        response = gateway.chat("in confidence")
        self.assertEqual(response.status, 502)
        self.assertEqual(response.json()["error"]["code"], "upstream_tls_failed")
        eventually(lambda: len(came) >= 2, "it is scraped, too")
        for bytes_of_one in came:
            self.assertEqual(bytes_of_one[:2], b"\x16\x03", "a ClientHello")
        self.assertIsNone(gateway.endpoints()["plain"]["metrics_age_ms"])
        gateway.wait_metric_at_least("penstock_endpoint_tls_handshakes_total", 1, result="not_tls")

    def test_a_server_of_tls_in_a_plain_pool_is_an_error_of_its_own(self):
        server = self.tls_server()
        response = self.gateway(pool_of([server])).chat()
        self.assertEqual(response.status, 502)
        self.assertIn(response.json()["error"]["code"],
                      ("upstream_bad_response", "upstream_failed"))
        self.assertEqual(list(server.requests), [])

    def test_one_bad_replica_of_three(self):
        good = [self.tls_server() for _ in range(2)]
        bad = self.tls_server(names="elsewhere.example.com")
        gateway = self.serve([bad, *good])
        for _ in range(40):
            self.expect_served(gateway)
        gateway.wait_line("Endpoint ejected", endpoint=bad.endpoint)
        self.assertEqual(list(bad.requests), [])
        # With the right certificate it comes back.
        bad.tls = good[0].tls
        good_names = " ".join(f"IP:{s.address}" for s in (bad, *good))
        context = self.authority.server_context("renewed", good_names)
        for server in (bad, *good):
            server.tls = context
        gateway.wait_line("Endpoint back in use", endpoint=bad.endpoint)

    def test_a_handshake_that_hangs(self):
        held = []
        silent = self.listen("silent", held.append)
        self.addCleanup(lambda: [connection.close() for connection in held])
        good = self.tls_server()
        gateway = self.serve([silent, good], arguments=["--timeout", "connect_timeout=200ms"])
        for _ in range(20):
            self.expect_served(gateway)
        eventually(lambda: gateway.metrics().sum(
            "penstock_endpoint_tls_handshakes_total", result="timeout") > 0, "one timed out")

    def test_a_renewed_certificate_fails_no_request(self):
        server = self.tls_server()
        gateway = self.serve([server])
        for i in range(20):
            if i % 5 == 4:
                server.tls = self.authority.server_context(f"new-{i}", f"IP:{server.address}")
                for connection in list(server.connections):
                    if not connection.closed_here:
                        connection.close()
            self.expect_served(gateway)

    def test_a_server_that_changes_to_a_wrong_certificate_and_back(self):
        server = self.tls_server()
        gateway = self.serve([server])
        self.expect_served(gateway)
        right = server.tls
        server.tls = self.authority.server_context("wrong", "elsewhere.example.com")
        for connection in list(server.connections):
            connection.close()
        eventually(lambda: gateway.chat().status == 502, "the change is noticed")
        server.tls = right
        eventually(lambda: gateway.chat().status == 200, "the right one serves")
        gateway.wait_scraped()

    def test_a_client_that_leaves_ends_its_stream(self):
        left = Gate()

        def stream(request, connection):
            connection.send_head(200, [("Content-Type", "text/event-stream"),
                                       ("Transfer-Encoding", "chunked")])
            connection.send_chunk(chat_events(["a"])[0])
            connection.wait_closed()
            left.open()
        server = self.tls_server(stream)
        gateway = self.serve([server])
        client = self.client(gateway)
        client.request("POST", "/v1/chat/completions",
                       body={"model": "test-model", "messages": [], "stream": True})
        client.read_head()
        client.close()
        left.wait()


class ReloadTest(EndpointTlsTest):
    def handshakes(self, gateway):
        return gateway.metrics().sum("penstock_endpoint_tls_handshakes_total")

    def rewrite(self, gateway, server, annotations):
        """Serves a new configuration and waits until it is."""
        before = gateway.metrics().sum("penstock_configuration_generation")
        gateway.write("objects.yaml", pool_of([server], annotations={**HTTPS, **annotations}))
        eventually(lambda: gateway.metrics().sum("penstock_configuration_generation") > before,
                   "the configuration is served")

    def test_connections_outlive_what_changes_nothing_of_them(self):
        server = self.tls_server()
        gateway = self.serve([server], arguments=["--workers", "1"])
        gateway.wait_scraped()
        self.expect_served(gateway)
        made = self.handshakes(gateway)
        self.rewrite(gateway, server, {"penstock.dev/stream-usage": "true"})
        self.expect_served(gateway)
        self.assertEqual(self.handshakes(gateway), made)

    def test_no_request_goes_over_a_connection_that_was_believed_otherwise(self):
        server = self.tls_server(names="models.example.com")
        lax = {"penstock.dev/endpoint-tls-verify": "false"}
        gateway = self.serve([server], lax, arguments=["--workers", "1"])
        self.expect_served(gateway)
        sent = len(server.requests)
        self.rewrite(gateway, server, {})
        self.assertEqual(gateway.chat().status, 502)
        self.assertEqual(len(server.requests), sent)
        named = {"penstock.dev/endpoint-tls-server-name": "models.example.com"}
        self.rewrite(gateway, server, named)
        self.expect_served(gateway)


class PairTest(EndpointTlsTest):
    def test_both_halves_go_over_tls_with_the_credential(self):
        prefill, decode = self.tls_server(prefill_answer("vllm")), self.tls_server()
        annotations = {**HTTPS, "penstock.dev/endpoint-credentials": "key"}
        route, pool, *_ = pool_of([prefill], annotations=annotations)
        gateway = self.gateway(
            [route, pool, traffic_policy("vllm"), role_pod(prefill, "prefill"),
             role_pod(decode, "decode"), secret({"token": TOKEN})],
            environment={"SSL_CERT_FILE": self.authority.path})
        self.assertEqual(gateway.chat(headers=[("Authorization", "mine")]).status, 200)
        for server in (prefill, decode):
            self.assertEqual(server.wait_requests(1)[0].get("authorization"), f"Bearer {TOKEN}")
        prefill.tls = self.authority.server_context("wrong", "elsewhere.example.com")
        for connection in list(prefill.connections):
            connection.close()
        gateway.wait_line("Endpoint ejected", endpoint=prefill.endpoint)
        self.assertEqual(gateway.chat().status, 200, "decode serves alone meanwhile")
        decode.tls = prefill.tls
        for connection in list(decode.connections):
            connection.close()

        def refused():
            error = gateway.chat().json().get("error", {})
            return error.get("code") == "upstream_tls_failed"
        eventually(refused, "no half's handshake succeeds")


class CredentialsTest(EndpointTlsTest):
    ANNOTATION = {"penstock.dev/endpoint-credentials": "key"}

    def plain(self, server, data, **options):
        return self.gateway([*pool_of([server], annotations=self.ANNOTATION), secret(data)],
                            **options)

    def test_all_that_is_asked_carries_them_and_nothing_of_the_client(self):
        server = self.model_server(chat_answer())
        gateway = self.plain(server, {"token": TOKEN + "\n"})
        gateway.wait_scraped()
        mine = [("Authorization", "Bearer of-the-client"), ("authorization", "Basic of-the-client")]
        self.assertEqual(gateway.chat(headers=mine).status, 200)
        self.assertEqual(gateway.request("GET", "/v1/models", mine).status, 200)
        asked = [*server.requests, *server.probes]
        self.assertLessEqual({"/metrics", "/v1/models", "/v1/chat/completions"},
                             {request.path for request in asked})
        for request in asked:
            self.assertEqual(request.raw.lower().count(b"authorization:"), 1, request.raw)
            self.assertEqual(request.get("authorization"), f"Bearer {TOKEN}")
            self.assertNotIn(b"of-the-client", request.raw)

    def test_they_are_told_to_nobody(self):
        server = self.model_server(chat_answer())
        gateway = self.plain(server, {"api-key": TOKEN})
        response = gateway.chat()
        self.assertEqual(server.wait_requests(1)[0].get("x-api-key"), TOKEN)
        told = [gateway.admin(page).body for page in
                ("/metrics", "/endpoints", "/config", "/explain/" + response.get("x-request-id"))]
        self.assertNotIn(TOKEN.encode(), b"".join(told))
        self.assertNotIn(TOKEN, gateway.output_tail())

    def test_vllm_with_an_api_key(self):
        def closed(request, connection):
            known = request.get("authorization") == f"Bearer {TOKEN}"
            status, body = (200, b'{"object":"list","data":[{"id":"test-model"}]}') if known else (
                401, b'{"error":"Unauthorized"}')
            answer(status, body)(request, connection)
        server = self.tls_server(closed)
        server.own_paths.remove("/v1/models")
        gateway = self.serve([server], self.ANNOTATION, [secret({"token": TOKEN})])
        gateway.wait_scraped()
        self.expect_served(gateway)
        self.assertEqual(gateway.get("/v1/models").json()["data"][0]["id"], "test-model")

    def test_a_changed_secret_is_followed(self):
        server = self.model_server(chat_answer())
        gateway = self.plain(server, {"token": "one"})
        self.expect_served(gateway)
        objects = pool_of([server], annotations=self.ANNOTATION)
        gateway.write("objects.yaml", [*objects, secret({"token": "two"})])
        eventually(lambda: gateway.chat().status == 200 and
                   server.requests[-1].get("authorization") == "Bearer two", "the new one is sent")
        gateway.write("objects.yaml", objects)
        eventually(lambda: gateway.chat().status == 500, "without it nothing is served")
        sent = len(server.requests)
        response = gateway.chat()
        self.assertEqual(response.json()["error"]["code"], "pool_not_servable")
        self.assertIn("Secret default/key does not exist", response.json()["error"]["message"])
        self.assertEqual(len(server.requests), sent)
        gateway.write("objects.yaml", [*objects, secret({"token": "three"})])
        eventually(lambda: gateway.chat().status == 200, "with it it is again")
        gateway.wait_scraped()


if __name__ == "__main__":
    unittest.main()
