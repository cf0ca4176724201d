#!/usr/bin/env python3
"""`penstock replay` as a command: what it refuses, what it says of an interrupted study."""

import json
import pathlib
import signal
import subprocess
import tempfile
import unittest

from harness import penstock


def line(at_ms, tokens=1000, name=1):
    return json.dumps({"timestamp": at_ms, "input_length": tokens, "output_length": 5,
                       "hash_ids": [name]}) + "\n"


class Replay(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.trace = self.folder / "trace.jsonl"
        self.trace.write_text("".join(line(at * 100, name=at) for at in range(50)))

    def command(self, *arguments):
        return [penstock(), "replay", "--workload", "trace", "--trace", self.trace,
                "--engines", "2", *arguments]

    def replay(self, *arguments):
        return subprocess.run(self.command(*arguments), text=True, capture_output=True, timeout=60)

    def test_what_makes_no_sense_is_refused(self):
        for arguments, why in [
                (["--load", "0"], "--load: wanted numbers above 0"),
                (["--load", "nan"], "--load: wanted numbers above 0"),
                (["--load", "1e-300"], "--load: 1e-300: so low that"),
                (["--load", "1,2", "--capacity"], "--load: wanted one"),
                (["--seeds", "1-3,2"], "--seeds: wanted each of them once, got 2 twice"),
                (["--policy", "COST,COST"], "--policy: wanted each of them once"),
                (["--policy", "COST(busy=1,bsy=2)"], "--policy: COST has no constant \"bsy\""),
                (["--prefill-engines", "1", "--api", "messages"], "messages are not split"),
                (["--json", self.folder / "none" / "x"], "--json: "),
                (["--warm-up", "1h"], "nothing counts")]:
            with self.subTest(why):
                refused = self.replay(*arguments)
                self.assertEqual(refused.returncode, 1, refused.stderr)
                self.assertIn(why, refused.stderr)

    def test_a_prompt_that_no_engine_has_room_for_is_a_failed_request(self):
        self.trace.write_text(line(0) + line(100) + line(200, tokens=5_000_000))
        done = self.replay("--warm-up", "1ms", "--json", "-")
        self.assertEqual(done.returncode, 0, done.stderr)
        point = json.loads(done.stdout)["records"][0]["points"][0]
        self.assertEqual((point["requests"], point["completed"]), (2, 1))

    def test_the_same_flags_give_the_same_result(self):
        def result(jobs):
            done = self.replay("--warm-up", "1ms", "--seeds", "1-3", "--policy", "COST,random",
                               "--jobs", jobs, "--json", "-")
            lines = done.stdout.splitlines()
            return [at for at in lines if not any(
                name in at for name in ('"took_s"', '"started"', '"command"'))]
        self.assertEqual(result("1"), result("2"))

    def test_an_interrupted_study_says_so(self):
        # Decades: the first point is not over soon.
        self.trace.write_text(line(0) + line(1e12))
        path = self.folder / "result.json"
        study = subprocess.Popen(self.command("--warm-up", "1ms", "--json", path), text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with self.assertRaises(subprocess.TimeoutExpired):
            study.communicate(timeout=1)
        study.send_signal(signal.SIGINT)
        out, _ = study.communicate(timeout=20)
        self.assertEqual(study.returncode, 130)
        self.assertIn("Interrupted", out)
        self.assertTrue(json.loads(path.read_text())["interrupted"])


if __name__ == "__main__":
    unittest.main()
