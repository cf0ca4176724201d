"""Fleets of `penstock sim` in separate processes, as users start them."""

import json
import subprocess
import sys
import threading
import unittest

from harness import DEADLINE_S, Addresses, exchange, free_port, penstock
from harness.gateway import _die_with_parent

CHAT = {"model": "m", "messages": [{"role": "user", "content": "one two three four"}],
        "max_tokens": 5}
JSON = (("content-type", "application/json"),)


class SimulatorTest(unittest.TestCase):
    def setUp(self):
        self.addresses = Addresses()
        self.addCleanup(self.addresses.close)

    def fleet(self, *arguments):
        """Its replica's address, once it serves, and the process."""
        address = self.addresses.take()
        self.port = free_port(address)
        process = subprocess.Popen(
            [penstock(), "sim", "--model", "m", "--listen", f"{address}:{self.port}", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=_die_with_parent)
        self.addCleanup(self.end, process)
        line = process.stdout.readline().decode()
        self.assertTrue(line.startswith("Serving m on "), line)
        return (address, self.port), process

    def end(self, process):
        process.terminate()
        process.wait(DEADLINE_S)
        process.stdout.close()

    def post(self, replica, body):
        return exchange(*replica, "POST", "/v1/chat/completions", JSON, json.dumps(body).encode())

    def state(self, replica):
        return exchange(*replica, "GET", "/sim/state").json()

    def test_vllm_halves_in_two_processes(self):
        prefill, _ = self.fleet("--role", "prefill")
        decode, _ = self.fleet("--role", "decode")
        first = self.post(prefill, CHAT | {"max_tokens": 1,
                                           "kv_transfer_params": {"do_remote_decode": True}})
        params = first.json()["kv_transfer_params"]
        self.assertEqual((params["remote_host"], params["remote_port"]), (prefill[0], 5600))
        self.assertEqual(self.state(prefill)["held"], 1)
        second = self.post(decode, CHAT | {"kv_transfer_params": params})
        self.assertEqual(second.status, 200)
        self.assertEqual(second.json()["usage"]["completion_tokens"], 5)
        self.assertEqual(self.state(prefill)["held"], 0)
        again = self.post(decode, CHAT | {"kv_transfer_params": params})
        self.assertEqual(again.status, 500)

    def test_sglang_halves_in_two_processes(self):
        prefill, _ = self.fleet("--runtime", "sglang", "--role", "prefill",
                                "--bootstrap-port", "34000")
        decode, _ = self.fleet("--runtime", "sglang", "--role", "decode")
        body = CHAT | {"bootstrap_host": prefill[0], "bootstrap_port": 34000,
                       "bootstrap_room": 2**63 - 1}
        answers = {}
        halves = [threading.Thread(target=lambda r=r: answers.update({r: self.post(r, body)}))
                  for r in (prefill, decode)]
        for half in halves:
            half.start()
        for half in halves:
            half.join(DEADLINE_S)
        self.assertEqual(answers[prefill].json()["usage"]["completion_tokens"], 1)
        self.assertEqual(answers[decode].json()["usage"]["completion_tokens"], 5)
        self.assertEqual(self.post(decode, CHAT).status, 400)

    def test_a_taken_side_channel_port_is_an_error_that_names_it(self):
        prefill, _ = self.fleet("--role", "prefill", "--kv-port", "5600")
        run = subprocess.run(
            [penstock(), "sim", "--role", "prefill", "--kv-port", "5600",
             "--listen", f"{prefill[0]}:{free_port(prefill[0])}"],
            capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        self.assertEqual(run.returncode, 1)
        self.assertIn(f"{prefill[0]}:5600", run.stderr)

    def test_times_that_make_no_sense_are_refused(self):
        for flag in ("--kv-lease", "--bootstrap-timeout"):
            run = subprocess.run([penstock(), "sim", flag, "soon"], capture_output=True, text=True,
                                 timeout=DEADLINE_S, check=False)
            self.assertEqual(run.returncode, 1)
            self.assertIn(f"{flag} soon: wanted a time such as", run.stderr)

    def test_the_pods_of_both_roles_are_told_apart_by_a_label(self):
        objects = ""
        for role, listen in (("prefill", "127.0.0.11:8000"), ("decode", "127.0.0.21:8000")):
            objects += subprocess.run(
                [penstock(), "sim", "--print-pods", "--name", role, "--listen", listen, "--labels",
                 f"app=qwen,rolebasedgroup.workloads.x-k8s.io/role={role}"],
                capture_output=True, text=True, timeout=DEADLINE_S, check=True).stdout + "---\n"
        self.assertIn('rolebasedgroup.workloads.x-k8s.io/role: "prefill"', objects)
        self.assertIn("name: decode-0", objects)
        self.assertIn("podIP: 127.0.0.21", objects)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
