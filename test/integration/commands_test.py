"""What the commands say and how they exit."""

import subprocess
import tempfile
import unittest

from harness import DEADLINE_S, GatewayTest, answer, penstock, pool_of


def run(*arguments):
    """The command's exit status, standard output and standard error."""
    done = subprocess.run([penstock(), *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=DEADLINE_S, check=False)
    return done.returncode, done.stdout, done.stderr


class ServeTest(GatewayTest):
    def test_a_bind_address_that_cannot_be_listened_on_is_refused_at_start(self):
        for address, error in (
                ("foo", "--bind: must be an IPv4 or IPv6 address, got foo"),
                ("127.0.0.1:80", "--bind: must be an IPv4 or IPv6 address, got 127.0.0.1:80"),
                ("192.0.2.1", "--bind: must be an address of this machine, got 192.0.2.1")):
            with self.subTest(address), tempfile.TemporaryDirectory() as folder:
                admin = f"{self.addresses.take()}:0"
                status, _, err = run("serve", "-f", folder, "--admin", admin, "--bind", address)
                self.assertEqual(status, 1)
                self.assertIn(f"penstock serve: {error}", err)


    def test_limits_and_timeouts_are_set_by_name(self):
        for flag, value, error in (
                ("--limit", "bodies=1", 'unknown name "bodies": wanted one of request_head_bytes'),
                ("--limit", "pipelined_bytes=lots", "pipelined_bytes: must be bytes from 1 to"),
                ("--timeout", "connect_timeout=5", "connect_timeout: must be a time from 1ms to")):
            with self.subTest(value):
                status, out, err = run("serve", "-f", "x", flag, value)
                self.assertNotEqual(status, 0)
                self.assertIn(flag, out + err)
                self.assertIn(error, out + err)
        gateway = self.gateway(pool_of([self.model_server(answer(200, b"ok"))]), arguments=(
            "--limit", "request_body_bytes=100", "--limit", "request_target_bytes=50",
            "--timeout", "keep_alive_timeout=50ms"))
        self.assertEqual(gateway.chat("x" * 100).status, 413)
        self.assertEqual(gateway.get("/v1/" + "x" * 50).status, 414)
        client = self.client(gateway)
        client.request("GET", "/v1/t")
        self.assertEqual(client.read_response().status, 200)
        self.assertEqual(client.wait_closed(), b"")
        gateway.wait_metric("penstock_limit_reached_total", 1, limit="keep_alive_timeout")


class HelpTest(unittest.TestCase):
    def test_names_what_can_be_asked_for(self):
        for command, names in (
                ("get", ("all", "gatewayclasses", "gateways", "httproutes", "pools", "models",
                         "objectives", "rewrites", "policies", "endpoints")),
                ("sim", ("instant", "llama-8b-4090", "qwen3-32b-pro6000-tp2"))):
            status, out, _ = run(command, "--help")
            self.assertEqual(status, 0)
            for name in names:
                self.assertRegex(out, rf"\b{name}\b")


class GetTest(GatewayTest):
    def test_every_kind_can_be_asked_for(self):
        gateway = self.gateway(pool_of([self.model_server(answer(200, b"ok"))]))
        admin = f"{gateway.address}:{gateway.admin_port}"
        for kind, shown in (("gateways", "Gateway default/inference-gateway ("),
                            ("pools", "InferencePool default/test-pool ("),
                            ("policies", "none\n"), ("objectives", "none\n"),
                            ("rewrites", "none\n"), ("models", "none\n")):
            with self.subTest(kind):
                status, out, err = run("get", kind, "--admin", admin)
                self.assertEqual((status, err), (0, ""))
                self.assertTrue(out.startswith(shown), out)
                if kind == "gateways":
                    self.assertIn(f"  address IPAddress {gateway.address}\n", out)
        status, _, err = run("get", "pod", "--admin", admin)
        self.assertEqual(status, 1)
        self.assertIn("policies", err)


if __name__ == "__main__":
    unittest.main()
