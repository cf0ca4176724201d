"""The examples: each is accepted whole, has a README, and a few are served."""

import collections
import os
import pathlib
import re
import shutil
import ssl
import subprocess
import tempfile
import unittest

from harness import (DEADLINE_S, EXAMPLES, Client, FakeModelServer, GatewayTest, chat_answer,
                     chat_body, eventually, example_folders, free_port, made_example, penstock)

PORT = 8080  # of every example's listener


class CheckTest(unittest.TestCase):
    def test_every_example_is_accepted_whole_and_tells_what_it_is(self):
        folders = example_folders()
        self.assertGreaterEqual(len(folders), 11)
        for folder in folders:
            with self.subTest(folder.name), made_example(folder) as made:
                readme = (folder / "README.md").read_text()
                self.assertRegex(readme, r"\A# \w")
                self.assertIn(f"-f examples/{folder.name}", readme)
                done = subprocess.run([penstock(), "check", "-f", str(made)], text=True,
                                      capture_output=True, timeout=DEADLINE_S, check=False)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertRegex(
                    done.stdout, r"\d+ objects in \d+ files: [1-9]\d* listening ports?, "
                    r"[1-9]\d* pools?, [1-9]\d* endpoints; nothing refused")

    def test_nginx_takes_what_the_example_tells_it(self):
        if not shutil.which("nginx") or not shutil.which("openssl"):
            self.skipTest("no nginx or no openssl here")
        text = (EXAMPLES / "behind-tls-proxy" / "nginx.conf").read_text()
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                            "-subj", "/CN=llm.example.com", "-keyout", f"{folder}/key",
                            "-out", f"{folder}/cert"], check=True, capture_output=True,
                           timeout=DEADLINE_S)
            text = re.sub(r"ssl_certificate .*;", f"ssl_certificate {folder}/cert;", text)
            text = re.sub(r"ssl_certificate_key .*;", f"ssl_certificate_key {folder}/key;", text)
            pathlib.Path(f"{folder}/nginx.conf").write_text(
                f"pid {folder}/pid; error_log stderr; events {{}}\nhttp {{ access_log off;\n" +
                "".join(f"{of}_temp_path {folder}/{of};\n" for of in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")) + text + "}\n")
            done = subprocess.run(["nginx", "-t", "-p", folder, "-c", f"{folder}/nginx.conf"],
                                  capture_output=True, text=True, timeout=DEADLINE_S, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)


class ServedTest(GatewayTest):
    def serve(self, name, edit=lambda text: text, tls=None):
        """The example as it stands but for the addresses; its replicas by the Pods' names."""
        texts = {f.name: edit(f.read_text()) for f in sorted((EXAMPLES / name).glob("*.yaml"))}
        pods = [d for t in texts.values() for d in t.split("---\n") if "kind: Pod" in d]
        addresses = {}
        self.servers = {}
        for pod in pods:
            ip = re.search(r"podIP: (\S+)", pod)[1]
            if ip not in addresses:
                addresses[ip] = self.addresses.take()
            port = re.search(r'target-port: "(\d+)"', pod)
            server = FakeModelServer(addresses[ip], int(port[1]) if port else 8000, chat_answer(),
                                     name=re.search(r"name: (\S+)", pod)[1], tls=tls)
            self.addCleanup(self._end_server, server)
            self.servers[server.name] = server
        gateway = self.gateway([], port=PORT, arguments=("--workers", "1", "--seed", "1"))
        for file, text in texts.items():
            gateway.write(file, re.sub(r"(?<=podIP: )\S+", lambda m: addresses[m[0]], text))
        ready = {name for name, pod in zip(self.servers, pods) if '"False"' not in pod}
        # A Backend's addresses are endpoints as well.
        eventually(lambda: set(gateway.endpoints()) & set(self.servers) == ready,
                   f"endpoints {ready}")
        return gateway

    def asked(self):
        """{replica: {model that it was asked for: requests}}"""
        return {name: dict(collections.Counter(r.json()["model"] for r in server.requests))
                for name, server in self.servers.items() if server.requests}

    def test_a_canary_by_weights(self):
        gateway = self.serve("canary")
        for _ in range(100):
            self.assertEqual(gateway.chat(model="chat").status, 200)
        asked = self.asked()
        self.assertEqual({ip: list(models) for ip, models in asked.items()},
                         {"chat-stable-0": ["chat"], "chat-stable-1": ["chat"],
                          "chat-canary-0": ["chat-v2"]})
        # 10 expected, standard deviation 3.
        self.assertIn(asked["chat-canary-0"]["chat-v2"], range(1, 26), asked)
        before = len(self.servers["chat-canary-0"].requests)
        for _ in range(5):
            gateway.chat(model="chat", headers=[("X-Canary", "always")])
        self.assertEqual(len(self.servers["chat-canary-0"].requests), before + 5)

    def test_several_boxes_and_two_processes_on_one(self):
        gateway = self.serve("several-boxes")
        for i in range(30):
            self.assertEqual(gateway.chat(f"Question {i}", model="chat").status, 200)
        self.assertEqual(set(self.asked()), {"a-gpu0", "a-gpu1", "b"})

    def test_several_models_behind_one_address(self):
        gateway = self.serve("several-models")
        for model in ("qwen3-32b", "llama-3.1-8b", "llama-3.1-8b-batch"):
            for i in range(10):
                self.assertEqual(gateway.chat(f"Question {i}", model=model).status, 200)
        self.assertEqual(gateway.chat(model="gpt-4").status, 404)
        asked = self.asked()
        self.assertEqual(asked.pop("llama-0"), {"llama-3.1-8b": 20})
        self.assertEqual({m for models in asked.values() for m in models}, {"/models/Qwen3-32B"})
        names = [m["id"] for m in gateway.get("/v1/models").json()["data"]]
        self.assertEqual(sorted(names), ["llama-3.1-8b", "llama-3.1-8b-batch", "qwen3-32b"])

    def connect(self, gateway, port):
        """To a listener that is being opened."""
        def attempt():
            try:
                return Client(gateway.address, port)
            except ConnectionRefusedError:
                return None
        return eventually(attempt, f"port {port} is open")

    def test_tls_on_both_sides(self):
        with made_example(EXAMPLES / "tls") as made:
            models = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            models.load_cert_chain(made / "model.crt", made / "model.key")
            gateway = self.serve(made, tls=models)
            for certificate in (None, "client"):
                context = ssl.create_default_context(cafile=made / "authority.crt")
                if certificate:
                    context.load_cert_chain(made / "client.crt", made / "client.key")
                with self.connect(gateway, 8443) as client:
                    client._socket = context.wrap_socket(client._socket,
                                                         server_hostname="localhost")
                    client.request("POST", "/v1/chat/completions", body=chat_body(model="chat"))
                    self.assertEqual(client.read_response().status, 200)
        told = [r.get("x-forwarded-client-cert", "nobody") for server in self.servers.values()
                for r in server.requests]
        self.assertEqual({t.partition("Subject=")[2] for t in told}, {"", '"CN=alice"'})
        gateway.wait_scraped()

    def test_a_provider_behind_ones_own_replicas(self):
        address = self.addresses.take()
        elsewhere = FakeModelServer(address, free_port(address), chat_answer())
        self.addCleanup(self._end_server, elsewhere)
        gateway = self.serve("backend", lambda text: text.replace(
            "host: api.example.com\n  tls: {}", f"host: {address}\n  port: {elsewhere.port}"))
        self.assertEqual(gateway.chat(model="chat").status, 200)
        self.assertEqual(len(elsewhere.requests), 0)
        self.assertEqual(gateway.chat(model="chat", headers=[("X-Provider", "elsewhere")]).status,
                         200)
        for server in self.servers.values():
            server.refuse()
            server.close()
        eventually(lambda: gateway.chat(model="chat", headers=[("Authorization", "Bearer mine")])
                   .status == 200 and len(elsewhere.requests) >= 2, "the fallback answers")
        for request in elsewhere.requests:
            self.assertEqual(request.target, "/openai/v1/chat/completions")
            self.assertEqual(request.json()["model"], "qwen3-32b-instruct")
            self.assertEqual(request.get("authorization"), "Bearer put-the-key-here")


class DemoTest(unittest.TestCase):
    def test_it_serves_https(self):
        demo = pathlib.Path(EXAMPLES).parent / "tools" / "demo"
        done = subprocess.run(
            [demo], env={**os.environ, "PENSTOCK": penstock(), "ONCE": "1", "TLS": "1"},
            capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("https://127.0.0.1:", done.stdout)
        self.assertEqual(done.stdout.count("HTTP 200"), 2)


if __name__ == "__main__":
    unittest.main()
