"""The admin port over TLS and with a token, and the commands that ask it."""

import json
import pathlib
import socket
import ssl
import subprocess
import tempfile
import unittest

from harness import (Authority, Gateway, GatewayTest, eventually, free_port, gateway_objects,
                     penstock)

TOKEN = "token-of-the-admin-port"


class AdminAccessTest(GatewayTest):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.authority = Authority(folder.name)
        self.token = self.write("token", TOKEN + "\n")

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def start(self, address, arguments):
        gateway = Gateway(address, [], arguments=arguments, wait_ready=False)
        self.addCleanup(gateway.stop)
        return gateway

    def guarded(self, *arguments, tls=True, token=True):
        address = self.addresses.take()
        if tls:
            self.authority.issue("admin", f"IP:{address}")
            arguments = ("--admin-tls-cert", self.authority.file("admin.crt"), "--admin-tls-key",
                         self.authority.file("admin.key"), *arguments)
        if token:
            arguments = ("--admin-token-file", self.token, *arguments)
        gateway = self.start(address, list(arguments))
        gateway.wait_line("Admin port listens", tls=tls)
        return gateway

    def ask(self, gateway, *arguments, scheme="https://"):
        run = subprocess.run(
            [penstock(), *arguments, "--admin", f"{scheme}{gateway.address}:{gateway.admin_port}"],
            capture_output=True, timeout=60, text=True)
        return run.returncode, run.stdout, run.stderr

    def status(self, gateway, path, token=None):
        context = ssl._create_unverified_context()
        plain = socket.create_connection((gateway.address, gateway.admin_port), timeout=60)
        with context.wrap_socket(plain) as connection:
            field = f"authorization: Bearer {token}\r\n" if token else ""
            connection.sendall(f"GET {path} HTTP/1.1\r\nhost: a\r\n{field}connection: close\r\n\r\n"
                               .encode())
            return int(connection.recv(1000).split()[1])

    def test_tls_and_a_token(self):
        gateway = self.guarded()
        ca = ["--ca-file", self.authority.path]
        token = ["--token-file", self.token]
        code, out, err = self.ask(gateway, "get", "gateways", "--insecure", *token)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("ACCEPTED", out)
        for path, without in [("/healthz", 200), ("/readyz", 200), ("/metrics", 200),
                              ("/get?kind=pools", 401), ("/explain?last=true", 401),
                              ("/config", 401), ("/endpoints", 401), ("/log-level", 401),
                              ("/none", 401)]:
            self.assertEqual(self.status(gateway, path), without, path)
            self.assertEqual(self.status(gateway, path, TOKEN[:-1] + "x"), without, path)
            self.assertIn(self.status(gateway, path, TOKEN), (200, 404), path)
        code, _, err = self.ask(gateway, "get", "gateways", "--insecure")
        self.assertEqual(code, 1)
        self.assertIn("wants a token", err)
        code, out, _ = self.ask(gateway, "log-level", "debug", "--insecure", *token)
        self.assertEqual((code, out), (0, "debug\n"))
        code, _, err = self.ask(gateway, "explain", "--last", "--insecure", *token)
        self.assertIn("among the last ones of this gateway", err)
        code, _, err = self.ask(gateway, "get", "gateways", *token, scheme="")
        self.assertEqual(code, 1)
        self.assertIn("https://", err)
        code, _, err = self.ask(gateway, "get", "gateways", *token, *ca, scheme="")
        self.assertEqual(code, 1)
        self.assertIn("--ca-file: is of https", err)

    def test_the_name_and_the_authority_are_checked(self):
        address = self.addresses.take()
        self.authority.issue("right", f"IP:{address}")
        self.authority.issue("wrong", "IP:127.9.9.9")
        for label, code, why in [("right", 0, ""), ("wrong", 1, "the TLS handshake failed")]:
            arguments = ["--admin-tls-cert", self.authority.file(f"{label}.crt"),
                         "--admin-tls-key", self.authority.file(f"{label}.key")]
            gateway = self.start(address, arguments)
            gateway.wait_line("Admin port listens")
            got, _, err = self.ask(gateway, "get", "gateways", "--ca-file", self.authority.path)
            self.assertEqual(got, code, err)
            self.assertIn(why, err)
            self.assertLessEqual(err.count("\n"), 1, "one line, and none of a log")
            gateway.stop()

    def test_metrics_want_the_token_if_asked(self):
        gateway = self.guarded("--metrics-token")
        self.assertEqual(self.status(gateway, "/metrics"), 401)
        self.assertEqual(self.status(gateway, "/metrics", TOKEN), 200)
        self.assertEqual(self.status(gateway, "/healthz"), 200)

    def test_sighup_takes_up_new_files(self):
        gateway = self.guarded(tls=False)
        gateway.wait_ready()
        self.assertEqual(self.ask(gateway, "get", "gateways", "--token-file", self.token,
                                  scheme="")[0], 0)
        self.write("token", "short")
        gateway.process.send_signal(1)
        line = gateway.wait_line("The admin port goes on with the certificate and token it had")
        self.assertIn("16 or more visible", line["error"])
        old = self.write("old", TOKEN)
        self.assertEqual(self.ask(gateway, "get", "gateways", "--token-file", old, scheme="")[0], 0)
        self.write("token", "another-token-of-16")
        gateway.process.send_signal(1)
        eventually(lambda: self.ask(gateway, "get", "gateways", "--token-file", self.token,
                                    scheme="")[0] == 0, "the new token")
        self.assertEqual(self.ask(gateway, "get", "gateways", "--token-file", old, scheme="")[0], 1)

    def test_what_is_wrong_ends_the_start(self):
        self.authority.issue("a")
        self.authority.issue("b")
        certificate, other = self.authority.file("a.crt"), self.authority.file("b.key")
        objects = self.write("none.yaml", "")
        for arguments, why in [
                (["--admin-tls-cert", certificate], "--admin-tls-key"),
                (["--admin-tls-cert", certificate, "--admin-tls-key", other], "must be the key of"),
                (["--admin-token-file", str(self.folder / "absent")], "cannot read"),
                (["--admin-token-file", self.write("short", "short")], "16 or more visible"),
                (["--metrics-token"], "--admin-token-file")]:
            run = subprocess.run([penstock(), "serve", objects, "--admin", "127.0.0.1:0",
                                  *arguments], capture_output=True, timeout=60, text=True)
            self.assertNotEqual(run.returncode, 0, arguments)
            self.assertIn(why, run.stdout + run.stderr)

    def test_an_open_port_is_told(self):
        objects = self.write("objects.yaml", "\n---\n".join(
            json.dumps(o) for o in gateway_objects(free_port("127.0.0.1"))))
        with subprocess.Popen([penstock(), "serve", objects, "--admin", "0.0.0.0:0", "--bind",
                               "127.0.0.1"], stderr=subprocess.PIPE, text=True) as process:
            self.addCleanup(process.kill)
            for text in process.stderr:
                line = json.loads(text)
                if line["message"].startswith("The admin port can be reached from other machines"):
                    break
            process.terminate()
            process.stderr.read()
        self.assertEqual((line["level"], line["missing"]), ("warning", "TLS and a token"))


if __name__ == "__main__":
    unittest.main()
