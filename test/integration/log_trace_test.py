"""The log of a gateway, asked again: `serve --log-prompt-blocks`, `bench --trace-format log`."""

import json
import unittest

import bench_test
from harness.gateway import Gateway
from harness.objects import http_route, inference_model, inference_pool, pod

NAMES = ("prompt_blocks", "prompt_block_tokens", "prompt_chars")


class LogTraceTest(bench_test.BenchTest):
    def gateway(self, log, *arguments, strategy=None):
        """One before a simulated replica, with its log in a file."""
        address, port = self.fleet().removeprefix("http://").split(":")
        objects = [inference_pool(int(port), strategy=strategy), http_route(),
                   inference_model("m"), pod("replica-0", address)]
        gateway = Gateway(self.addresses.take(), objects,
                          ["--log-file", str(self.folder / log), *arguments])
        self.addCleanup(gateway.stop)
        return gateway

    def requests_of(self, gateway, log):
        """Its lines of requests; the gateway ends."""
        gateway.signal()
        self.assertEqual(gateway.wait_exit(), 0)
        lines = [json.loads(line) for line in (self.folder / log).read_text().splitlines()]
        return [line for line in lines if line["message"] == "Request Handled"]

    def test_what_was_asked_is_asked_again_with_as_much_in_common(self):
        gateway = self.gateway("log", "--log-prompt-blocks")
        _, _, first = self.bench(
            f"http://{gateway.address}:{gateway.port}", "--workload", "shared-prefix", "--groups",
            "4", "--prompts-per-group", "3", "--system-tokens", "4096", "--question-tokens",
            "1024", "--output-tokens", "7", "--ignore-eos", "--requests", "24", "--rate", "20",
            "--fail-on-errors")
        lines = self.requests_of(gateway, "log")
        self.assertEqual(len(lines), 24)
        names = [line["prompt_blocks"].split(",") for line in lines]
        self.assertEqual({len(one) for one in names}, {10})
        # The system prompts, then the questions.
        self.assertLessEqual(len({one[7] for one in names}), 4)
        self.assertGreater(len({one[9] for one in names}), 4)
        _, err, again = self.bench(
            self.fleet(), "--workload", "trace", "--trace", str(self.folder / "log"),
            "--trace-format", "log", "--ignore-eos", "--fail-on-errors")
        self.assertIn("24 requests", err)
        one, other = first["summary"], again["summary"]
        self.assertEqual(other["completed"], 24)
        self.assertEqual(other["output_tokens"], 24 * 7)
        self.assertGreater(one["cached_share"], 0.3)
        self.assertLess(one["cached_share"], 0.9)
        self.assertAlmostEqual(other["cached_share"], one["cached_share"], delta=0.03)

    def test_names_are_equal_in_every_gateway_and_say_no_text(self):
        names = set()
        for log, strategy in (("a", None), ("b", "PREFIX_CACHE")):
            gateway = self.gateway(log, "--log-prompt-blocks", strategy=strategy)
            text = "sesame opens " * 400
            for name, fields in (("plain", {}), ("salted", {"cache_salt": "pepper"})):
                answer = gateway.chat(text, "m", [("x-request-id", name)], max_tokens=3, **fields)
                self.assertEqual(answer.status, 200)
            lines = {line["request_id"]: line for line in self.requests_of(gateway, log)}
            plain, salted = lines["plain"], lines["salted"]
            self.assertEqual(len(plain["prompt_blocks"].split(",")), 2)
            self.assertEqual(plain["prompt_block_tokens"], 512)
            self.assertGreater(plain["prompt_chars"], len(text))
            self.assertNotIn("prompt_blocks_cut", plain)
            self.assertNotEqual(plain["prompt_blocks"], salted["prompt_blocks"])
            names.add(plain["prompt_blocks"])
            written = (self.folder / log).read_text()
            for word in ("sesame", "opens", "pepper"):
                self.assertNotIn(word, written)
        self.assertEqual(len(names), 1)

    def test_without_the_flag_there_are_no_names_and_the_reader_says_so(self):
        gateway = self.gateway("log")
        self.assertEqual(gateway.chat("Hello", "m", max_tokens=3).status, 200)
        line, = self.requests_of(gateway, "log")
        self.assertFalse([name for name in NAMES if name in line])
        for arguments, said in (
                (["--trace-format", "log"],
                 "as log: trace: no request has prompt_blocks, wanted a log of penstock serve "
                 "--log-prompt-blocks"),
                (["--trace-format", "azure", "--trace-pool", "a"],
                 "--trace-pool: says something only with --trace-format log")):
            process = self.start("http://127.0.0.1:1", "--workload", "trace", "--trace",
                                 str(self.folder / "log"), *arguments)
            _, err = process.communicate(timeout=bench_test.DEADLINE_S)
            self.assertEqual(process.returncode, 1)
            self.assertIn(said, err)


if __name__ == "__main__":
    unittest.main()
