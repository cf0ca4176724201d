"""HTTPS listeners, with certificates made by openssl(1) and clients that are not ours."""

import socket
import ssl
import subprocess
import tempfile
import unittest

from harness import (Authority, Client, GatewayTest, answer, eventually, free_port,
                     gateway_objects, pool_of)


def secret(name, certificate, key):
    return {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {"name": name}, "stringData": {"tls.crt": certificate, "tls.key": key}}


class TlsTest(GatewayTest):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder())

    def folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return folder.name

    def listener(self, name, hostname, *secrets):
        listener = {"name": name, "protocol": "HTTPS",
                    "tls": {"certificateRefs": [{"name": s} for s in secrets]}}
        if hostname:
            listener["hostname"] = hostname
        return listener

    def objects(self, listeners, secrets, plain_port):
        objects = gateway_objects(plain_port)
        objects[1]["spec"]["listeners"] += [
            {**listener, "port": self.tls_port} for listener in listeners]
        return objects + secrets

    def serve(self, listeners, secrets):
        self.server = self.model_server(answer(200, b"hello"))
        gateway = self.gateway(pool_of([self.server]))
        self.plain_port = gateway.port
        self.tls_port = free_port(gateway.address)
        gateway.write("gateway.yaml", self.objects(listeners, secrets, gateway.port))
        eventually(lambda: self.is_open(gateway), "the HTTPS port is open")
        return gateway

    def is_open(self, gateway):
        try:
            socket.create_connection((gateway.address, self.tls_port)).close()
        except ConnectionRefusedError:
            return False
        return True

    def connect(self, gateway, name, **options):
        client = Client(gateway.address, self.tls_port)
        self.addCleanup(client.close)
        context = ssl.create_default_context(cafile=self.authority.path)
        context.set_alpn_protocols(options.get("protocols", ["http/1.1"]))
        if "version" in options:
            context.minimum_version = context.maximum_version = options["version"]
        if "certificate" in options:
            label = options["certificate"]
            context.load_cert_chain(self.authority.file(f"{label}.crt"),
                                    self.authority.file(f"{label}.key"))
        client._socket = context.wrap_socket(client._socket, server_hostname=name,
                                             session=options.get("session"))
        return client

    def subject(self, client):
        return client._socket.getpeercert()["subject"][0][0][1]

    def s_client(self, gateway, *arguments):
        """What openssl's client tells of a connection with these arguments."""
        address = f"{gateway.address}:{self.tls_port}"
        done = subprocess.run(["openssl", "s_client", "-connect", address, "-CAfile",
                               self.authority.path, "-ign_eof", *arguments],
                              input=b"GET /v1/t HTTP/1.1\r\nHost: a.example.com\r\n"
                                    b"Connection: close\r\n\r\n",
                              capture_output=True, timeout=60)
        return done.stdout.decode() + done.stderr.decode()


class ListenerTest(TlsTest):
    def test_the_certificate_is_the_one_of_the_name(self):
        a = secret("a", *self.authority.issue("a", "a.example.com"))
        wild = secret("wild", *self.authority.issue("wild", "*.example.com"))
        gateway = self.serve([self.listener("https-a", "a.example.com", "a"),
                              self.listener("https-wild", "*.example.com", "wild")], [a, wild])
        for name, subject in (("a.example.com", "a"), ("b.example.com", "wild")):
            client = self.connect(gateway, name)
            self.assertEqual(self.subject(client), subject)
            self.assertEqual(client._socket.selected_alpn_protocol(), "http/1.1")
            client.request("GET", "/v1/t", host=name)
            self.assertEqual(client.read_response().body, b"hello")
        with self.assertRaises(ssl.SSLError):
            self.connect(gateway, "elsewhere.org")

    def test_versions_and_ciphers(self):
        a = secret("a", *self.authority.issue("a", "a.example.com", key="rsa:2048"))
        gateway = self.serve([self.listener("https", None, "a")], [a])
        names = ("-servername", "a.example.com")
        self.assertIn("TLSv1.3", self.s_client(gateway, *names))
        text = self.s_client(gateway, "-tls1_2", *names)
        self.assertIn("ECDHE-RSA-AES", text)
        self.assertIn("Verify return code: 0 (ok)", text)
        self.assertIn("Compression: NONE", text)
        for refused in (("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), ("-tls1_2", "-cipher", "kRSA"),
                        ("-tls1_2", "-cipher", "ECDHE+AES+SHA"), ("-alpn", "h2")):
            self.assertIn("alert", self.s_client(gateway, *refused, *names), refused)

    def test_sessions_are_resumed(self):
        a = secret("a", *self.authority.issue("a", "a.example.com"))
        gateway = self.serve([self.listener("https", None, "a")], [a])
        path = self.authority.file("session")
        for version in ("-tls1_2", "-tls1_3"):
            for arguments, word in ((("-sess_out", path), "New, "),
                                    (("-sess_in", path), "Reused, ")):
                text = self.s_client(gateway, version, "-servername", "a.example.com", *arguments)
                self.assertIn(word, text)
        gateway.wait_metric("penstock_tls_sessions_resumed_total", 2)

    def test_a_renewed_certificate_serves_the_next_handshake(self):
        old = secret("a", *self.authority.issue("old", "a.example.com"))
        listeners = [self.listener("https", None, "a")]
        gateway = self.serve(listeners, [old])
        before = self.connect(gateway, "a.example.com")
        self.assertEqual(self.subject(before), "old")
        renewed = secret("a", *self.authority.issue("new", "a.example.com"))
        gateway.write("gateway.yaml", self.objects(listeners, [renewed], self.plain_port))
        eventually(lambda: self.subject(self.connect(gateway, "a.example.com")) == "new",
                   "the new certificate is served")
        before.request("GET", "/v1/t")
        self.assertEqual(before.read_response().body, b"hello")

    def test_a_host_of_another_listener_is_misdirected(self):
        both = secret("both", *self.authority.issue("both", "a.example.com b.example.com"))
        gateway = self.serve([self.listener("https-a", "a.example.com", "both"),
                              self.listener("https-b", "b.example.com", "both")], [both])
        client = self.connect(gateway, "a.example.com")
        client.request("GET", "/v1/t", host="b.example.com")
        self.assertEqual(client.read_response().status, 421)
        client.request("GET", "/v1/t", host="a.example.com")
        self.assertEqual(client.read_response().status, 200)

    def test_plain_http_and_silence_disturb_nobody(self):
        a = secret("a", *self.authority.issue("a", "a.example.com"))
        gateway = self.serve([self.listener("https", None, "a")], [a])
        silent = [socket.create_connection((gateway.address, self.tls_port)) for _ in range(100)]
        for each in silent:
            self.addCleanup(each.close)
        plain = Client(gateway.address, self.tls_port)
        self.addCleanup(plain.close)
        plain.request("GET", "/v1/t")
        gateway.wait_metric("penstock_tls_handshakes_total", 1, result="not_tls")
        client = self.connect(gateway, "a.example.com")
        client.request("GET", "/v1/t")
        self.assertEqual(client.read_response().body, b"hello")


if __name__ == "__main__":
    unittest.main()
