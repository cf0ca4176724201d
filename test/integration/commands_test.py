"""What the commands say and how they exit."""

import json
import subprocess
import tempfile
import unittest

from harness import DEADLINE_S, GatewayTest, answer, chat_answer, penstock, pool_of


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
    def ask(self, gateway, *arguments):
        return run(*arguments, "--admin", f"{gateway.address}:{gateway.admin_port}")

    def test_every_kind_can_be_asked_for(self):
        server = self.model_server(answer(200, b"ok"))
        gateway = self.gateway(pool_of([server]))
        gateway.wait_scraped()
        for kind, row in (("gatewayclasses", r"inference-gateway-class "
                           r"+inference.networking.x-k8s.io/gateway-controller +True +-"),
                          ("gateways", rf"default +inference-gateway +inference-gateway-class "
                           rf"+{gateway.address} +True +True +-"),
                          ("httproutes", r"default +inference-route +\* +True +-"),
                          ("pools", r"default +test-pool +vllm +DEFAULT +1/1 +0 +0 +0 +True +-"),
                          ("pods", rf"default +server-0 +1/1 +Running +{server.address} "
                           r"+default/test-pool +ready"),
                          ("endpoints", rf"default/test-pool +server-0 +{server.endpoint} +both "
                           r"+0 +0 +0 +0 +0.00 +\d+ +0 +- +- +- +ready")):
            with self.subTest(kind):
                status, out, err = self.ask(gateway, "get", kind)
                self.assertEqual((status, err), (0, ""))
                titles, *rows = out.splitlines()
                self.assertIn("NAME" if kind != "endpoints" else "POD", titles)
                self.assertEqual(len(rows), 1, out)
                self.assertRegex(rows[0], f"^{row}$")
        for kind in ("policies", "objectives", "rewrites", "models"):
            with self.subTest(kind):
                self.assertEqual(self.ask(gateway, "get", kind), (0, "", "No resources found\n"))
        status, out, _ = self.ask(gateway, "get", "all")
        self.assertEqual(status, 0)
        self.assertIn("Gateway default/inference-gateway (", out)
        self.assertIn(f"  address IPAddress {gateway.address}\n", out)

    def test_names_are_found_or_refused_as_kubectl_does(self):
        gateway = self.gateway(pool_of([self.model_server(answer(200, b"ok"))]))
        for arguments in (("pool", "test-pool"), ("pool/test-pool",), ("inferencepools",)):
            status, out, _ = self.ask(gateway, "get", *arguments)
            self.assertEqual((status, len(out.splitlines())), (0, 2))
        self.assertEqual(self.ask(gateway, "get", "pool", "gone"), (
            1, "", 'Error from server (NotFound): inferencepools.inference.networking.k8s.io '
            '"gone" not found\n'))
        status, out, err = self.ask(gateway, "get", "podz")
        self.assertEqual((status, out), (1, ""))
        self.assertIn('error: the server doesn\'t have a resource type "podz"', err)
        self.assertEqual(self.ask(gateway, "get", "pods", "-n", "elsewhere"),
                         (0, "", "No resources found\n"))
        status, out, _ = self.ask(gateway, "describe", "pool", "test-pool")
        self.assertEqual(status, 0)
        self.assertTrue(out.startswith("InferencePool default/test-pool ("), out)

    def test_documents_are_for_programs(self):
        gateway = self.gateway(pool_of([self.model_server(answer(200, b"ok"))]))
        status, out, _ = self.ask(gateway, "get", "pools", "-o", "json")
        self.assertEqual(status, 0)
        pools = json.loads(out)
        self.assertEqual([item["metadata"]["name"] for item in pools["items"]], ["test-pool"])
        status, out, _ = self.ask(gateway, "get", "pod", "server-0", "-o", "json")
        self.assertEqual(json.loads(out)["status"]["penstock"]["pools"], ["default/test-pool"])
        status, out, _ = self.ask(gateway, "get", "pool", "test-pool", "-o", "yaml")
        self.assertIn("\nkind: InferencePool\nmetadata:\n", out)
        status, _, _ = self.ask(gateway, "get", "pools", "-o", "xml")
        self.assertNotEqual(status, 0)

    def test_a_watch_prints_what_changes(self):
        servers = [self.model_server(answer(200, b"ok")) for _ in range(2)]
        gateway = self.gateway(pool_of(servers[:1]))
        gateway.wait_scraped()
        command = [penstock(), "get", "pools", "-w", "--admin",
                   f"{gateway.address}:{gateway.admin_port}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watch:
            self.assertIn("NAME", watch.stdout.readline())
            self.assertRegex(watch.stdout.readline(), " 1/1 ")
            gateway.write("objects.yaml", pool_of(servers))
            self.assertRegex(watch.stdout.readline(), " [12]/2 ")
            watch.kill()

    def test_another_program_at_the_port_is_told(self):
        server = self.model_server(answer(404, b'{"detail":"Not Found"}', [
            ("Content-Type", "application/json")]))
        for command in (("get", "pools"), ("explain", "--last")):
            status, out, err = run(*command, "--admin", server.endpoint)
            self.assertEqual((status, out), (1, ""))
            self.assertIn(f"what listens at {server.endpoint} is not the admin port of a gateway: "
                          f'it looks like a model server (vLLM, SGLang), which answers 404 '
                          f'"{{"detail":"Not Found"}}"', err)


class ExplainTest(GatewayTest):
    def ask(self, gateway, *arguments):
        return run("explain", *arguments, "--admin", f"{gateway.address}:{gateway.admin_port}")

    def test_every_try_and_the_losers_are_told(self):
        dead, well = (self.model_server(chat_answer(), name=name) for name in ("dead", "well"))
        dead.refuse()
        gateway = self.gateway(pool_of([dead, well]))
        for number in range(30):
            name = f"chat-{number}"
            self.assertEqual(gateway.chat(headers=[("x-request-id", name)]).status, 200)
            gateway.wait_handled(number + 1)
            status, out, _ = self.ask(gateway, name)
            self.assertEqual(status, 0)
            self.assertIn(f"request {name}: status 200, complete\n", out)
            self.assertIn("host test from ", out)
            if "try 2" in out:
                break
        # Whether a request or a scrape met the dead one first is chance.
        if "try 2" in out:
            self.assertRegex(out, rf"try 1 at [\d.]+ ms: dead \({dead.endpoint}\), 0 in "
                             rf"flight there, took [\d.]+ ms, failed: connect_refused\n")
        self.assertRegex(out, rf"chosen from \d candidates?: well \({well.endpoint}\), score ")
        self.assertEqual(self.ask(gateway, "--last"), (0, out, ""))
        self.assertEqual(self.ask(gateway, "--pool", "default/test-pool"), (0, out, ""))
        status, out, _ = self.ask(gateway, name, "-o", "json")
        self.assertEqual(json.loads(out)["all_tries"][-1]["pod"], "well")

    def test_what_a_request_did_not_come_to_is_not_told(self):
        gateway = self.gateway(pool_of([self.model_server(chat_answer())]),
                               arguments=("--limit", "request_body_bytes=100"))
        self.assertEqual(gateway.chat("x" * 200, headers=[("x-request-id", "large")]).status, 413)
        gateway.wait_handled(1)
        status, out, _ = self.ask(gateway, "large")
        self.assertEqual(status, 0)
        self.assertIn("limit request_body_bytes reached\n", out)
        for word in (", first byte", "dispatched", "try 1", "chosen", "tokens"):
            self.assertNotIn(word, out)
        status, _, err = self.ask(gateway, "nothing")
        self.assertEqual(status, 1)
        self.assertIn('no request "nothing" among the last ones', err)


if __name__ == "__main__":
    unittest.main()
