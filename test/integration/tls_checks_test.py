"""What testssl.sh and its like ask of an HTTPS listener, with openssl(1) and Python as clients."""

import ctypes
import ctypes.util
import itertools
import re
import ssl
import subprocess
import unittest
import warnings

from harness import TlsTest, eventually, penstock
from harness.client_hello import (ALERT, ECDHE_ECDSA_AES128_GCM, ECDHE_RSA_AES128_GCM,
                                  FALLBACK_SCSV, HANDSHAKE, OLD_SUITES, answer_to, hello)

# Alerts, RFC 8446 6
HANDSHAKE_FAILURE, PROTOCOL_VERSION, INAPPROPRIATE_FALLBACK = 40, 70, 86
NAME = "a.example.com"
FORWARD_SECRET = {f"ECDHE-{key}-{cipher}" for key in ("ECDSA", "RSA") for cipher in
                  ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")}


def alert(number):
    """A fatal alert as answer_to() has it."""
    return ALERT, bytes((2, number))


class ChecksTest(TlsTest):
    def serve_both_keys(self, script=None, **options):
        """One listener for every name, with an ECDSA and an RSA certificate."""
        secrets = [self.issued("ec", NAME), self.issued("rsa", NAME, key="rsa:2048")]
        if script is not None:
            options["script"] = script
        return self.serve([self.listener("https", None, "ec", "rsa")], secrets, **options)

    def said_to(self, gateway, data):
        return answer_to(gateway.address, self.tls_port, data)

    def get(self, client, host=NAME, target="/v1/t"):
        client.request("GET", target, host=host)
        return client.read_response()

    def refused(self, gateway, name=NAME, **options):
        """What OpenSSL makes of the alert."""
        with self.assertRaises(ssl.SSLError) as raised:
            # Under TLS 1.3 a client's certificate is refused behind the handshake.
            client = self.connect(gateway, name, **options)
            client._socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
            client._socket.recv(1)
        return str(raised.exception)


class TermsTest(ChecksTest):
    def test_versions(self):
        gateway = self.serve_both_keys()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            client = self.connect(gateway, NAME, version=version)
            self.assertEqual(client._socket.version(), version.name.replace("_", "."))
            self.assertEqual(self.get(client).status, 200)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
                self.assertIn("alert protocol version", self.refused(
                    gateway, version=version, ciphers="ALL:@SECLEVEL=0"))
        # SSL 3.0 has no alert of its own for this.
        for version, number in ((0x0300, HANDSHAKE_FAILURE), (0x0301, PROTOCOL_VERSION),
                                (0x0302, PROTOCOL_VERSION)):
            self.assertEqual(self.said_to(gateway, hello(version, [ECDHE_ECDSA_AES128_GCM])),
                             alert(number))
        ssl2 = bytes.fromhex("802e0100020015001000000f0080050080030080010080070040") + bytes(22)
        self.assertNotEqual(self.said_to(gateway, ssl2)[0], HANDSHAKE)
        gateway.wait_metric("penstock_tls_handshakes_total", 2, result="ok")

    def test_every_cipher_of_tls_1_2(self):
        gateway = self.serve_both_keys()
        every = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        every.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
        suites = {c["name"]: c["id"] & 0xFFFF for c in every.get_ciphers()
                  if c["protocol"] != "TLSv1.3"}
        for family in ("-SHA", "AES128-SHA", "DHE-RSA-", "ADH-", "NULL-", "PSK-", "CAMELLIA",
                       "CCM"):
            self.assertTrue([n for n in suites if family in n], f"{family} is tried, too")
        taken = set()
        for name, suite in suites.items():
            said = self.said_to(gateway, hello(0x0303, [suite]))
            if said[0] == HANDSHAKE:
                taken.add(name)
            else:
                self.assertEqual(said, alert(HANDSHAKE_FAILURE), name)
        self.assertEqual(taken, FORWARD_SECRET)
        for name in sorted(taken):
            client = self.connect(gateway, NAME, version=ssl.TLSVersion.TLSv1_2, ciphers=name)
            self.assertEqual(client._socket.cipher()[0], name)
            self.assertEqual(self.get(client).status, 200)

    def test_ciphers_that_clients_no_longer_have(self):
        gateway = self.serve_both_keys()
        for suite, name in OLD_SUITES.items():
            self.assertEqual(self.said_to(gateway, hello(0x0303, [suite])),
                             alert(HANDSHAKE_FAILURE), name)

    def test_the_ciphers_of_tls_1_3(self):
        gateway = self.serve_both_keys()
        for name in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                     "TLS_CHACHA20_POLY1305_SHA256"):
            text = self.s_client(gateway, "-tls1_3", "-ciphersuites", name, "-servername", NAME)
            self.assertIn(f"New, TLSv1.3, Cipher is {name}", text)
        text = self.s_client(gateway, "-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256",
                             "-servername", NAME)
        self.assertIn("handshake failure", text)

    def test_a_downgrade_is_noticed(self):
        """Who could speak more than was agreed on is in the hands of somebody (RFC 7507)."""
        gateway = self.serve_both_keys()
        suites = [ECDHE_ECDSA_AES128_GCM, ECDHE_RSA_AES128_GCM]
        self.assertEqual(self.said_to(gateway, hello(0x0303, [*suites, FALLBACK_SCSV])),
                         alert(INAPPROPRIATE_FALLBACK))
        kind, content = self.said_to(gateway, hello(0x0303, suites))
        self.assertEqual(kind, HANDSHAKE)
        # The mark of RFC 8446 4.1.3 in the server's random.
        self.assertEqual(content[30:38], b"DOWNGRD\x01")

    def test_compression_is_not_taken(self):
        gateway = self.serve_both_keys()
        kind, content = self.said_to(
            gateway, hello(0x0303, [ECDHE_ECDSA_AES128_GCM], compression=b"\1\0"))
        self.assertEqual((kind, content[0]), (HANDSHAKE, 2))
        session = content[38]
        self.assertEqual(content[39 + session:42 + session], b"\xc0\x2b\0", "suite, no compression")

    def test_groups(self):
        gateway = self.serve_both_keys()
        for version, group in itertools.product(("-tls1_2", "-tls1_3"),
                                                ("X25519", "P-256", "P-384", "P-521")):
            text = self.s_client(gateway, version, "-groups", group, "-servername", NAME)
            key = re.search(r"Server Temp Key: (?:ECDH, )?([^,\n]+)", text)
            self.assertIsNotNone(key, (version, group, text))
            self.assertIn(key[1], (group, {"P-256": "prime256v1", "P-384": "secp384r1",
                                           "P-521": "secp521r1"}.get(group)))
        for version, group in (("-tls1_3", "X448"), ("-tls1_3", "ffdhe2048"), ("-tls1_2", "X448"),
                               ("-tls1_2", "P-224"), ("-tls1_2", "brainpoolP256r1")):
            # An ECDSA certificate's own group need not be among those that are asked for here.
            text = self.s_client(gateway, version, "-groups", group, "-sigalgs", "RSA-PSS+SHA256",
                                 "-servername", NAME)
            self.assertIn("handshake failure", text, (version, group))

    def test_the_clients_algorithms_choose_the_key(self):
        gateway = self.serve_both_keys()
        for algorithms, key in (("ECDSA+SHA256", "ec"), ("RSA-PSS+SHA256", "rsa"),
                                ("ECDSA+SHA256:RSA-PSS+SHA256", "ec")):
            for version in ("-tls1_2", "-tls1_3"):
                text = self.s_client(gateway, version, "-sigalgs", algorithms, "-servername", NAME)
                self.assertIn(f"subject=CN = {key}\n", text)
        text = self.s_client(gateway, "-tls1_2", "-sigalgs", "RSA+SHA1", "-cipher",
                             "ALL:@SECLEVEL=0", "-servername", NAME)
        self.assertIn("alert", text)
        self.assertIn("no peer certificate available", text)

    def test_alpn(self):
        gateway = self.serve_both_keys()
        for offered, agreed in ((("http/1.1",), "http/1.1"), (("h2", "http/1.1"), "http/1.1"),
                                (("http/1.1", "h2"), "http/1.1"), ((), None)):
            client = self.connect(gateway, NAME, protocols=offered)
            self.assertEqual(client._socket.selected_alpn_protocol(), agreed)
            self.assertEqual(self.get(client).status, 200)
        for offered in (("h2",), ("http/1.0",), ("h2", "spdy/3", "http/1.10")):
            self.assertIn("alert no application protocol",
                          self.refused(gateway, protocols=offered))
        gateway.wait_metric("penstock_tls_handshakes_total", 3, result="no_shared_terms")


class CertificateTest(ChecksTest):
    def test_exact_names_before_wildcards_before_the_default(self):
        secrets = [self.issued("exact", NAME), self.issued("wild", "*.example.com"),
                   self.issued("default", "default.org other.net")]
        gateway = self.serve([self.listener("default", None, "default"),
                              self.listener("wild", "*.example.com", "wild"),
                              self.listener("exact", NAME, "exact")], secrets)
        context = self.context()
        context.check_hostname = False
        for name, subject in ((NAME, "exact"), ("A.Example.COM", "exact"),
                              ("b.example.com", "wild"), ("c.b.example.com", "wild"),
                              ("example.com", "default"), ("other.net", "default"),
                              ("aa.example.com", "wild"), (None, "default")):
            client = self.connect(gateway, name, context=context)
            self.assertEqual(self.subject(client), subject, name)

    def test_an_unknown_name_is_refused(self):
        gateway = self.serve([self.listener("exact", NAME, "exact")], [self.issued("exact", NAME)])
        context = self.context()
        context.check_hostname = False
        for name in ("b.example.com", "example.com", "a.example.com.evil.org", "localhost", None):
            with self.assertRaisesRegex(ssl.SSLError, "(?i)unrecognized.name"):
                self.connect(gateway, name, context=context)
        gateway.wait_metric("penstock_tls_handshakes_total", 5, result="unknown_name")

    def test_the_chain_is_served_in_order_and_without_the_root(self):
        middle = self.authority.intermediate(self.scratch())
        certificate, key = middle.issue("leaf", NAME)
        secret = self.issued("leaf", NAME)
        secret["stringData"] = {"tls.crt": certificate + middle.certificate(), "tls.key": key}
        gateway = self.serve([self.listener("https", None, "leaf")], [secret])
        for version in ("-tls1_2", "-tls1_3"):
            text = self.s_client(gateway, version, "-showcerts", "-servername", NAME)
            self.assertIn("Verify return code: 0 (ok)", text)
            shown = re.findall(r"^ *\d s:CN = (.*)\n *i:CN = (.*)$", text, re.MULTILINE)
            self.assertEqual(shown, [("leaf", "Intermediate CA"), ("Intermediate CA", "Test CA")])
            self.assertEqual(text.count("BEGIN CERTIFICATE"), 2)

    def check(self, gateway, objects):
        """What `penstock check` says of the gateway's folder with these objects in it."""
        gateway.write("gateway.yaml", objects)
        done = subprocess.run([penstock(), "check", "-f", str(gateway.folder)],
                              capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def test_bad_certificates_are_not_served_and_good_ones_beside_them_are(self):
        good = self.issued("good", "good.example.com")
        mixed = self.issued("mixed", NAME)
        mixed["stringData"]["tls.key"] = good["stringData"]["tls.key"]
        no_pem = self.issued("no-pem", NAME)
        no_pem["stringData"]["tls.crt"] = "not a certificate"
        bad = {"expired": (self.issued("expired", NAME, days=-1), "expired"),
               "mixed": (mixed, "key"), "no-pem": (no_pem, "PEM"),
               "weak": (self.issued("weak", NAME, key="rsa:1024"), "2048|2,048"),
               "absent": (None, "does not exist")}
        right = self.listener("good", "good.example.com", "good")
        gateway = self.serve([right], [good])
        for name, (secret, why) in bad.items():
            with self.subTest(name):
                listeners = [right, self.listener("bad", NAME, name)]
                secrets = [good] + ([secret] if secret else [])
                code, text = self.check(
                    gateway, self.objects(listeners, secrets, gateway.port))
                self.assertEqual(code, 1, text)
                self.assertRegex(text, f"InvalidCertificateRef.*{name}.*({why})")
                self.assertNotIn("PRIVATE KEY", text)
                another = self.listener("x", f"{name}.net", "good")
                self.rewrite(gateway, [*listeners, another], secrets)
                served = self.connect(gateway, "good.example.com")
                self.assertEqual(self.get(served, "good.example.com").status, 200)
                self.assertRegex(self.refused(gateway), "(?i)unrecognized.name")

    def test_the_last_good_certificate_goes_on_serving(self):
        listeners = [self.listener("https", None, "a")]
        gateway = self.serve(listeners, [self.issued("good", NAME, name="a")])
        for secret in (self.issued("expired", NAME, name="a", days=-1),
                       self.issued("weak", NAME, name="a", key="rsa:1024")):
            self.rewrite(gateway, listeners, [secret])
            self.assertEqual(self.subject(self.connect(gateway, NAME)), "good")
        self.rewrite(gateway, listeners, [self.issued("new", NAME, name="a")])
        eventually(lambda: self.subject(self.connect(gateway, NAME)) == "new", "it is served")

    def test_a_client_that_does_not_believe_us_is_counted(self):
        gateway = self.serve([self.listener("https", None, "other")],
                             [self.issued("other", "elsewhere.org")])
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.connect(gateway, NAME)
        gateway.wait_metric("penstock_tls_handshakes_total", 1, result="refused")


class ClientCertificateTest(ChecksTest):
    def serve_validating(self, script, mode="AllowValidOnly"):
        with open(self.authority.path, encoding="ascii") as file:
            authorities = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "clients"},
                           "data": {"ca.crt": file.read()}}
        frontend = {"default": {"validation": {"mode": mode, "caCertificateRefs": [
            {"group": "", "kind": "ConfigMap", "name": "clients"}]}}}
        return self.serve([self.listener("https", None, "a")],
                          [self.issued("a", NAME), authorities], script, frontend=frontend)

    def stranger(self):
        """The label of a client's certificate of an authority that nobody knows."""
        other = type(self.authority)(self.scratch())
        other.issue("stranger")
        for end in ("crt", "key"):
            with open(self.authority.file(f"stranger.{end}"), "w", encoding="ascii") as file:
                file.write(other.read(f"stranger.{end}"))
        return "stranger"

    def told(self, request, connection):
        """A script: the answer is what the request says of its client."""
        body = (request.get("x-forwarded-client-cert") or "nobody").encode()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    def test_only_those_with_a_valid_certificate_come_in(self):
        gateway = self.serve_validating(self.told)
        self.authority.issue("alice")
        self.authority.issue("late", days=-1)
        self.stranger()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            client = self.connect(gateway, NAME, version=version, certificate="alice")
            self.assertRegex(self.get(client).body.decode(),
                             r'^Hash=[0-9a-f]{64};Subject="CN=alice"$')
            for certificate in (None, "late", "stranger"):
                reason = self.refused(gateway, version=version, certificate=certificate)
                self.assertRegex(reason, "(?i)alert|certificate", certificate)
        gateway.wait_metric("penstock_tls_handshakes_total", 6, result="bad_peer")
        self.assertEqual(len(self.server.requests), 2)

    def test_where_anybody_comes_in_only_the_valid_are_named(self):
        gateway = self.serve_validating(self.told, "AllowInsecureFallback")
        self.authority.issue("alice")
        self.authority.issue("late", days=-1)
        self.stranger()
        forged = 'Hash=00;Subject="CN=root"'
        for certificate in ("alice", None, "late", "stranger"):
            client = self.connect(gateway, NAME, certificate=certificate)
            client.request("GET", "/v1/t", [("X-Forwarded-Client-Cert", forged)], host=NAME)
            body = client.read_response().body.decode()
            if certificate == "alice":
                self.assertIn('Subject="CN=alice"', body)
            else:
                self.assertEqual(body, "nobody", certificate)

    def test_a_session_keeps_who_its_client_is(self):
        gateway = self.serve_validating(self.told)
        self.authority.issue("alice")
        context = self.context(certificate="alice")
        first = self.connect(gateway, NAME, context=context)
        told = self.get(first).body
        again = self.connect(gateway, NAME, context=context, session=first._socket.session)
        self.assertEqual(self.get(again).body, told)
        self.assertTrue(again._socket.session_reused)


class SessionTest(ChecksTest):
    VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)

    def session_of(self, gateway, context, name=NAME):
        client = self.connect(gateway, name, context=context)
        # The tickets of TLS 1.3 come before the answer.
        self.assertEqual(self.get(client, name).status, 200)
        self.assertFalse(client._socket.session_reused)
        return client._socket.session

    def test_sessions_are_resumed_at_every_worker_and_over_a_reload(self):
        listeners, secrets = [self.listener("https", None, "a")], [self.issued("a", NAME)]
        gateway = self.serve(listeners, secrets, arguments=["--workers", "2"])
        contexts = [self.context(version=version) for version in self.VERSIONS]
        sessions = [self.session_of(gateway, context) for context in contexts]
        # The kernel spreads connections: that one worker has all of these is one in 2^31.
        for round_number in range(2):
            for context, session in zip(contexts, sessions):
                for _ in range(32):
                    client = self.connect(gateway, NAME, session=session, context=context)
                    self.assertTrue(client._socket.session_reused)
                    self.assertEqual(self.get(client).status, 200)
                    client.close()
            gateway.wait_metric("penstock_tls_sessions_resumed_total", 64 * (round_number + 1))
            extra = self.listener("other", f"b{round_number}.example.com", "a")
            self.rewrite(gateway, [*listeners, extra], secrets)

    def test_a_ticket_of_tls_1_3_brings_the_next_one(self):
        gateway = self.serve_both_keys()
        context = self.context(version=ssl.TLSVersion.TLSv1_3)
        session = self.session_of(gateway, context)
        for _ in range(5):
            client = self.connect(gateway, NAME, session=session, context=context)
            self.assertTrue(client._socket.session_reused)
            self.assertEqual(self.get(client).status, 200)
            self.assertNotEqual(client._socket.session.id, session.id)
            session = client._socket.session

    def test_sessions_stay_at_their_listener(self):
        gateway = self.serve([self.listener("a", NAME, "a"),
                              self.listener("b", "b.example.com", "b")],
                             [self.issued("a", NAME), self.issued("b", "b.example.com")])
        for version in self.VERSIONS:
            context = self.context(version=version)
            session = self.session_of(gateway, context)
            client = self.connect(gateway, "b.example.com", session=session, context=context)
            self.assertFalse(client._socket.session_reused)
            self.assertEqual(self.subject(client), "b")
            self.assertEqual(self.get(client, "b.example.com").status, 200)

    def test_tickets_of_another_process_are_a_full_handshake(self):
        first, context = self.serve_both_keys(), self.context(version=ssl.TLSVersion.TLSv1_3)
        session = self.session_of(first, context)
        second = self.serve_both_keys()
        client = self.connect(second, NAME, session=session, context=context)
        self.assertFalse(client._socket.session_reused)
        self.assertEqual(self.get(client).status, 200)


class OffTest(ChecksTest):
    """What is part of TLS and is not done."""

    def commanded(self, gateway, version, command, target):
        """s_client's output when it is given a command before a request."""
        with subprocess.Popen([*self.s_client_command(gateway), version, "-servername", NAME],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as process:
            output = b""
            while b"\n---\n" not in output or b"Verify return code" not in output:
                output += (line := process.stdout.readline())
                self.assertTrue(line, output)
            # Each write is one line for s_client, which looks for a command at its beginning.
            process.stdin.write(command + b"\n")
            process.stdin.flush()
            word = {b"R": b"RENEGOTIATING", b"K": b"KEYUPDATE", b"k": b"KEYUPDATE"}[command]
            while word not in output:
                output += (line := process.stdout.readline())
                self.assertTrue(line, output)
            try:
                process.stdin.write(b"GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" %
                                    (target, NAME.encode()))
                process.stdin.flush()
            except BrokenPipeError:
                pass
            output += process.stdout.read()  # the end of its input would end it before the answer
        return output.decode()

    def test_renegotiation_is_refused(self):
        gateway = self.serve_both_keys()
        text = self.commanded(gateway, "-tls1_2", b"R", b"/v1/after")
        self.assertIn("no renegotiation", text)
        self.assertNotIn("200 OK", text)
        self.assertEqual(list(self.server.requests), [])
        self.assertEqual(self.get(self.connect(gateway, NAME)).status, 200)

    def early_session(self, path):
        """Has the session in that file allow early data, which the gateway's tickets do not."""
        crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
        tls = ctypes.CDLL(ctypes.util.find_library("ssl"))
        pointer = ctypes.c_void_p
        for function, result in ((crypto.BIO_new_file, pointer),
                                 (tls.PEM_read_bio_SSL_SESSION, pointer)):
            function.restype = result
        file = pointer(crypto.BIO_new_file(path.encode(), b"r"))
        session = pointer(tls.PEM_read_bio_SSL_SESSION(file, None, None, None))
        crypto.BIO_free(file)
        self.assertTrue(session)
        tls.SSL_SESSION_set_max_early_data.argtypes = [pointer, ctypes.c_uint32]
        self.assertEqual(tls.SSL_SESSION_set_max_early_data(session, 16384), 1)
        file = pointer(crypto.BIO_new_file(path.encode(), b"w"))
        self.assertEqual(tls.PEM_write_bio_SSL_SESSION(file, session), 1)
        crypto.BIO_free(file)
        tls.SSL_SESSION_free(session)

    def test_early_data_is_rejected_and_served_not_at_all(self):
        gateway = self.serve_both_keys()
        path = self.authority.file("session")
        self.s_client(gateway, "-tls1_3", "-servername", NAME, "-sess_out", path)
        text = self.s_client(gateway, "-tls1_3", "-servername", NAME, "-sess_in", path)
        self.assertIn("Max Early Data: 0", text)
        self.early_session(path)
        early = self.authority.file("early")
        with open(early, "w", encoding="ascii") as file:
            file.write(f"GET /v1/early HTTP/1.1\r\nHost: {NAME}\r\n\r\n")
        text = self.s_client(gateway, "-tls1_3", "-servername", NAME, "-sess_in", path,
                             "-early_data", early)
        self.assertIn("Early data was rejected", text)
        self.assertIn("Reused, TLSv1.3", text)
        self.assertIn("200 OK", text)
        self.assertEqual([r.target for r in self.server.requests], ["/v1/t"] * 3)

    def test_keys_are_updated_when_a_client_asks(self):
        """That is no renegotiation: TLS 1.3 has it for connections that live long."""
        gateway = self.serve_both_keys()
        for command in (b"K", b"k"):
            text = self.commanded(gateway, "-tls1_3", command, b"/v1/after")
            self.assertIn("200 OK", text)


if __name__ == "__main__":
    unittest.main()
