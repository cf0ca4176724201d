"""Gateways side by side that tell each other what they have at the model servers they share."""

import json
import pathlib
import secrets
import signal
import socket
import subprocess
import tempfile
import unittest

from harness import (Gate, GatewayTest, chat_answer, chat_body, chat_events, eventually, free_port,
                     penstock, pool_of, stream_answer)

# Longer than what a prefix hit is looked for in, and than the marks that stand in for it.
LONG = "The quick brown fox jumps over the lazy dog. " * 200


class PeersTest(GatewayTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="penstock-peers-")
        self.addCleanup(folder.cleanup)
        self.secret = pathlib.Path(folder.name) / "secret"
        self.secret.write_text(secrets.token_hex(32) + "\n")
        self.other_secret = pathlib.Path(folder.name) / "other"
        self.other_secret.write_text(secrets.token_hex(32))
        self.address = self.addresses.take()

    def ports(self, count):
        return [free_port(self.address) for _ in range(count)]

    def arguments(self, port, ports, secret=None):
        peers = ",".join(f"{self.address}:{each}" for each in ports)
        return ("--peer-address", f"{self.address}:{port}", "--peers", peers,
                "--peer-secret-file", str(secret or self.secret), "--peer-name", f"gateway-{port}")

    def gateways(self, count, servers, strategy="PREFIX_CACHE"):
        """They know all addresses, their own among them, and are linked."""
        self.peer_ports = self.ports(count)
        self.objects = pool_of(servers, strategy=strategy)
        made = [self.gateway(self.objects, arguments=self.arguments(port, self.peer_ports))
                for port in self.peer_ports]
        for gateway in made:
            self.wait_linked(gateway, count - 1)
        return made

    @staticmethod
    def peers(gateway):
        """{name: what is known of it}, of those that have ever been met."""
        ran = subprocess.run([penstock(), "get", "peers", "-o", "json", "--admin",
                              f"{gateway.address}:{gateway.admin_port}"],
                             stdout=subprocess.PIPE, check=True, text=True)
        shown = json.loads(ran.stdout) if ran.stdout.startswith("{") else {"items": []}
        rows = shown.get("items", [shown])
        return {row["name"]: row for row in rows if "name" in row}

    def wait_linked(self, gateway, count):
        eventually(lambda: [row["state"] for row in self.peers(gateway).values()].count("linked")
                   == count, f"{count} peers are linked")

    def sums_of(self, gateway, port):
        return self.peers(gateway)[f"gateway-{port}"]["sums"]

    def test_all_link_with_all_and_not_with_themselves(self):
        made = self.gateways(3, [self.model_server(chat_answer())])
        for gateway, port in zip(made, self.peer_ports):
            others = {f"gateway-{each}" for each in self.peer_ports if each != port}
            self.assertEqual(set(self.peers(gateway)), others)
            gateway.wait_metric("penstock_peers", 2, state="linked")

    def test_a_stream_at_one_counts_at_the_others_until_it_ends(self):
        gate = Gate()
        server = self.model_server(stream_answer(chat_events(["a", "b"]), gates={1: gate}))
        one, two = self.gateways(2, [server])
        with self.client(one) as client:
            client.request("POST", "/v1/chat/completions",
                           body=json.dumps(chat_body(stream=True)).encode())
            eventually(lambda: self.sums_of(two, self.peer_ports[0])["requests"] == 1,
                       "the other counts it")
            # What is shown as a gateway's own stays its own.
            self.assertEqual(list(two.endpoints().values())[0]["in_flight"], 0)
            self.assertEqual(list(one.endpoints().values())[0]["in_flight"], 1)
            gate.open()
            self.assertIn(b"[DONE]", client.read_response().body)
        eventually(lambda: self.sums_of(two, self.peer_ports[0])["requests"] == 0,
                   "and no longer")

    def test_a_prompt_that_one_has_sent_is_a_hit_at_the_other(self):
        servers = [self.model_server(chat_answer()) for _ in range(4)]
        one, two = self.gateways(2, servers)
        self.assertEqual(one.chat(LONG).status, 200)
        first = one.wait_line("Request Handled", status=200)
        two.wait_metric_at_least("penstock_peer_prefixes_total", 1)
        self.assertEqual(two.chat(LONG + "And again?").status, 200)
        second = two.wait_line("Request Handled", status=200)
        self.assertEqual(second["pod"], first["pod"])
        self.assertGreater(second["prefix_hit_blocks"], 100)

    def test_a_gateway_that_is_killed_takes_nothing_of_the_others_with_it(self):
        gate = Gate()
        server = self.model_server(stream_answer(chat_events(["a", "b", "c"]), gates={1: gate}))
        one, two = self.gateways(2, [server])
        with self.client(one) as mine, self.client(two) as other:
            for client in (mine, other):
                client.request("POST", "/v1/chat/completions",
                               body=json.dumps(chat_body(stream=True)).encode())
            eventually(lambda: self.sums_of(one, self.peer_ports[1])["requests"] == 1,
                       "one counts the other's")
            two.signal(signal.SIGKILL)
            two.process.wait()
            two.exit_judged = True
            eventually(lambda: self.sums_of(one, self.peer_ports[1])["requests"] == 0,
                       "what the dead one had is given up")
            gate.open()
            answer = mine.read_response()
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.body, b"".join(chat_events(["a", "b", "c"])))
        again = self.gateway(self.objects, arguments=self.arguments(self.peer_ports[1],
                                                                    self.peer_ports))
        self.wait_linked(again, 1)
        eventually(lambda: one.chat("Hello").status == 200, "it serves on")

    def test_one_that_starts_again_has_the_index_of_the_other(self):
        servers = [self.model_server(chat_answer()) for _ in range(4)]
        one, two = self.gateways(2, servers)
        self.assertEqual(one.chat(LONG).status, 200)
        first = one.wait_line("Request Handled", status=200)
        two.stop()
        again = self.gateway(self.objects, arguments=self.arguments(self.peer_ports[1],
                                                                    self.peer_ports))
        self.wait_linked(again, 1)
        again.wait_metric_at_least("penstock_prefix_index_blocks", 100)
        self.assertEqual(again.chat(LONG).status, 200)
        second = again.wait_line("Request Handled", status=200)
        self.assertEqual(second["pod"], first["pod"])
        self.assertGreater(second["prefix_hit_blocks"], 100)

    def test_who_has_another_secret_is_refused_and_all_serve_on(self):
        server = self.model_server(chat_answer())
        ports = self.ports(2)
        objects = pool_of([server])
        one = self.gateway(objects, arguments=self.arguments(ports[0], ports))
        stranger = self.gateway(objects,
                                arguments=self.arguments(ports[1], ports, self.other_secret))
        for gateway in (one, stranger):
            gateway.wait_metric_at_least("penstock_peer_refused_total", 1, reason="handshake")
            self.assertEqual(self.peers(gateway), {})
            self.assertEqual(gateway.chat("Hello").status, 200)
        one.wait_line("Peer refused")

    def test_garbage_at_the_port_harms_nothing(self):
        server = self.model_server(chat_answer())
        one, two = self.gateways(2, [server])
        silent = socket.create_connection((self.address, self.peer_ports[0]))
        self.addCleanup(silent.close)
        for garbage in (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", secrets.token_bytes(4096), b"\0"):
            with socket.create_connection((self.address, self.peer_ports[0])) as peer:
                peer.sendall(garbage)
        one.wait_metric_at_least("penstock_peer_refused_total", 2, reason="handshake")
        for gateway in (one, two):
            self.wait_linked(gateway, 1)
            self.assertEqual(gateway.chat("Hello").status, 200)


class FlagsTest(unittest.TestCase):
    def refused(self, *arguments):
        ran = subprocess.run([penstock(), "serve", "-f", ".", *arguments], check=False,
                             stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.assertEqual(ran.returncode, 1)
        return ran.stderr

    def test_what_is_missing_or_wrong_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            short = pathlib.Path(folder) / "short"
            short.write_text("too short\n")
            good = pathlib.Path(folder) / "good"
            good.write_text("a secret that is long enough\n")
            address = ("--peer-address", "127.0.0.1:0")
            self.assertIn("--peer-secret-file: is wanted with --peer-address",
                          self.refused(*address))
            self.assertIn("--peer-address: is wanted where there are --peers",
                          self.refused("--peers", "127.0.0.1:9910"))
            self.assertIn(f"--peer-secret-file: {short}: a secret of 9 bytes: at least 16 are "
                          "wanted", self.refused(*address, "--peer-secret-file", str(short)))
            self.assertIn("--peer-secret-file: /nowhere/at/all cannot be read",
                          self.refused(*address, "--peer-secret-file", "/nowhere/at/all"))
            self.assertIn('--peers: must be HOST:PORT,..., got "gateway"',
                          self.refused(*address, "--peer-secret-file", str(good),
                                       "--peers", "gateway"))


if __name__ == "__main__":
    unittest.main()
