"""The examples: each is accepted whole, has a README, and a few are served."""

import collections
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from harness import (DEADLINE_S, FakeModelServer, GatewayTest, chat_answer, eventually, penstock)

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
PORT = 8080  # of every example's listener


class CheckTest(unittest.TestCase):
    def test_every_example_is_accepted_whole_and_tells_what_it_is(self):
        folders = [f for f in sorted(EXAMPLES.iterdir()) if f.is_dir()]
        self.assertGreaterEqual(len(folders), 7)
        for folder in folders:
            with self.subTest(folder.name):
                readme = (folder / "README.md").read_text()
                self.assertRegex(readme, r"\A# \w")
                self.assertIn(f"-f examples/{folder.name}", readme)
                done = subprocess.run([penstock(), "check", "-f", str(folder)], text=True,
                                      capture_output=True, timeout=DEADLINE_S, check=False)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertRegex(done.stdout, r"\d+ objects in \d+ files: 1 listening port, "
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
    def serve(self, name):
        """The example as it stands but for the addresses; its replicas by the Pods' names."""
        texts = {f.name: f.read_text() for f in sorted((EXAMPLES / name).glob("*.yaml"))}
        pods = [d for t in texts.values() for d in t.split("---\n") if "kind: Pod" in d]
        addresses = {}
        self.servers = {}
        for pod in pods:
            ip = re.search(r"podIP: (\S+)", pod)[1]
            if ip not in addresses:
                addresses[ip] = self.addresses.take()
            port = re.search(r'target-port: "(\d+)"', pod)
            server = FakeModelServer(addresses[ip], int(port[1]) if port else 8000, chat_answer(),
                                     name=re.search(r"name: (\S+)", pod)[1])
            self.addCleanup(self._end_server, server)
            self.servers[server.name] = server
        gateway = self.gateway([], port=PORT, arguments=("--workers", "1", "--seed", "1"))
        for file, text in texts.items():
            gateway.write(file, re.sub(r"(?<=podIP: )\S+", lambda m: addresses[m[0]], text))
        ready = {name for name, pod in zip(self.servers, pods) if '"False"' not in pod}
        eventually(lambda: set(gateway.endpoints()) == ready, f"endpoints {ready}")
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


if __name__ == "__main__":
    unittest.main()
