"""HTTPS listeners, with certificates made by openssl(1) and clients that are not ours."""

import os
import socket
import ssl
import unittest

from harness import Client, TlsTest, eventually


class ListenerTest(TlsTest):
    def test_the_certificate_is_the_one_of_the_name(self):
        a = self.issued("a", "a.example.com")
        wild = self.issued("wild", "*.example.com")
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

    def test_a_renewed_certificate_serves_the_next_handshake(self):
        old = self.issued("old", "a.example.com", name="a")
        listeners = [self.listener("https", None, "a")]
        gateway = self.serve(listeners, [old])
        before = self.connect(gateway, "a.example.com")
        self.assertEqual(self.subject(before), "old")
        renewed = self.issued("new", "a.example.com", name="a")
        gateway.write("gateway.yaml", self.objects(listeners, [renewed], self.plain_port))
        eventually(lambda: self.subject(self.connect(gateway, "a.example.com")) == "new",
                   "the new certificate is served")
        before.request("GET", "/v1/t")
        self.assertEqual(before.read_response().body, b"hello")

    def test_certificate_files_are_renewed_as_certbot_does_it(self):
        https = {"name": "https", "protocol": "HTTPS"}
        for place, serve in (
                ("options", lambda names: self.serve(
                    [{**https, "tls": {"options": names}}], [])),
                ("annotations", lambda names: self.serve([https], [], annotations=names))):
            with self.subTest(place):
                self.renew_files(serve)

    def renew_files(self, serve):
        """`serve` begins a gateway with two files, by their names' keys."""
        for label in ("old", "new"):
            self.authority.issue(label, "a.example.com")
        live = {}
        for kind in ("crt", "key"):
            live[kind] = self.authority.file(f"live.{kind}")
            os.symlink(f"old.{kind}", live[kind])
        gateway = serve({"penstock.dev/certificate-file": live["crt"],
                         "penstock.dev/key-file": live["key"]})
        before = self.connect(gateway, "a.example.com")
        self.assertEqual(self.subject(before), "old")

        def renew(kind, label):
            os.symlink(f"{label}.{kind}", self.authority.file("next"))
            os.replace(self.authority.file("next"), live[kind])

        renew("crt", "new")  # and not yet its key
        line = gateway.wait_line("Object refused", object="Gateway default/inference-gateway")
        self.assertIn("tls.key: must be the key of", line["error"])
        self.assertEqual(self.subject(self.connect(gateway, "a.example.com")), "old")
        renew("key", "new")
        eventually(lambda: self.subject(self.connect(gateway, "a.example.com")) == "new",
                   "the new certificate is served")
        os.remove(live["crt"])
        eventually(lambda: "cannot read" in gateway.admin("/get?kind=gateways&output=json").body
                   .decode(), "the condition says that it is gone")
        self.assertEqual(self.subject(self.connect(gateway, "a.example.com")), "new")
        before.request("GET", "/v1/t")
        self.assertEqual(before.read_response().body, b"hello")
        os.remove(live["key"])

    def test_a_host_of_another_listener_is_misdirected(self):
        both = self.issued("both", "a.example.com b.example.com")
        gateway = self.serve([self.listener("https-a", "a.example.com", "both"),
                              self.listener("https-b", "b.example.com", "both")], [both])
        client = self.connect(gateway, "a.example.com")
        client.request("GET", "/v1/t", host="b.example.com")
        self.assertEqual(client.read_response().status, 421)
        client.request("GET", "/v1/t", host="a.example.com")
        self.assertEqual(client.read_response().status, 200)

    def test_plain_http_and_silence_disturb_nobody(self):
        a = self.issued("a", "a.example.com")
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
