"""`penstock bench` as users start it, against simulated model servers and through a gateway."""

import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

from harness import DEADLINE_S, Addresses, free_port, penstock
from harness.fake_server import FakeModelServer, answer, chat_events, stream_answer
from harness.gateway import Gateway, _die_with_parent
from harness.objects import http_route, inference_model, inference_pool, pod


class BenchTest(unittest.TestCase):
    def setUp(self):
        self.addresses = Addresses()
        self.addCleanup(self.addresses.close)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def fleet(self, *arguments, preset="instant"):
        """A URL that is served."""
        address = self.addresses.take()
        port = free_port(address)
        process = subprocess.Popen(
            [penstock(), "sim", "--model", "m", "--preset", preset, "--listen",
             f"{address}:{port}", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=_die_with_parent)
        self.addCleanup(self.end, process)
        line = process.stdout.readline().decode()
        self.assertTrue(line.startswith("Serving m on "), line)
        return f"http://{address}:{port}"

    def end(self, process):
        process.terminate()
        process.wait(DEADLINE_S)
        process.stdout.close()

    def start(self, target, *arguments):
        process = subprocess.Popen(
            [penstock(), "bench", "--target", target, "--model", "m", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=_die_with_parent)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        return process

    def bench(self, target, *arguments, exits=0):
        """What it wrote to standard output, to standard error, and its result."""
        path = self.folder / "result.json"
        process = self.start(target, "--json", str(path), *arguments)
        out, err = process.communicate(timeout=DEADLINE_S * 4)
        self.assertEqual(process.returncode, exits, out + err)
        return out, err, json.loads(path.read_text()) if path.exists() else None


class WorkloadTest(BenchTest):
    def test_single_requests_are_counted_and_their_tokens_are_as_asked(self):
        out, err, result = self.bench(
            self.fleet(), "--rate", "200", "--requests", "100", "--prompt-tokens", "50",
            "--output-tokens", "7", "--ignore-eos", "--json-requests", "--fail-on-errors")
        self.assertIn("100 asked, 100 completed, 0 failed", out)
        self.assertIn("Asking http://", err)
        summary = result["summary"]
        self.assertEqual((summary["requests"], summary["completed"]), (100, 100))
        self.assertEqual(summary["output_tokens"], 700)
        self.assertEqual(summary["ttft"]["count"], 100)
        self.assertEqual(len(result["requests"]), 100)
        self.assertTrue(result["command"].endswith("--fail-on-errors"))

    def test_each_api_is_asked(self):
        target = self.fleet()
        for api in ("chat", "completions"):
            _, _, result = self.bench(target + "/v1", "--api", api, "--rate", "100",
                                      "--requests", "5", "--fail-on-errors")
            self.assertEqual(result["summary"]["completed"], 5)

    def test_conversations_find_their_beginnings_in_the_cache(self):
        _, _, result = self.bench(
            self.fleet(), "--workload", "multi-round-qa", "--users", "4", "--rounds", "3",
            "--qps", "20", "--duration", "2s", "--system-tokens", "200", "--history-tokens",
            "100", "--output-tokens", "10", "--warm-up", "2", "--fail-on-errors",
            "--json-requests")
        self.assertEqual(result["warm_up_requests"], 2)
        self.assertGreater(result["summary"]["cached_share"], 0.5)
        turns = {request["turn"] for request in result["requests"]}
        self.assertLess(1, len(turns))

    def test_groups_share_their_system_prompts(self):
        _, _, result = self.bench(
            self.fleet(), "--workload", "shared-prefix", "--groups", "2", "--prompts-per-group",
            "2", "--system-tokens", "800", "--question-tokens", "100", "--output-tokens", "5",
            "--ladder", "40x1,80x1", "--fail-on-errors")
        self.assertGreater(result["summary"]["cached_share"], 0.8)

    def test_a_trace_is_replayed(self):
        trace = self.folder / "trace.jsonl"
        trace.write_text("".join(
            json.dumps({"timestamp": i * 100, "input_length": 1000, "output_length": 3,
                        "hash_ids": [1, i]}) + "\n" for i in range(10)))
        _, _, result = self.bench(self.fleet(), "--workload", "trace", "--trace", str(trace),
                                  "--speed", "10", "--fail-on-errors", "--ignore-eos")
        summary = result["summary"]
        self.assertEqual((summary["completed"], summary["output_tokens"]), (10, 30))
        # The first block of nine of ten.
        self.assertGreater(summary["cached_share"], 0.3)


    def test_traces_of_other_formats_are_replayed(self):
        azure = self.folder / "azure.csv"
        azure.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\r\n" + "".join(
            f"2023-11-16 18:17:{i:02}.5000000,500,{i + 1}\r\n" for i in range(10)))
        agents = self.folder / "agents.jsonl"
        agents.write_text("".join(
            json.dumps({"timestamp": 10**15 + i * 10**5, "input": "word " * 400 + str(i),
                        "output": "12345678", "session_id": "a"}) + "\n" for i in range(10)))
        target = self.fleet()
        for form, path, tokens, cached in (("azure", azure, 55, 0), ("lmcache", agents, 20, 0.5)):
            _, err, result = self.bench(
                target, "--workload", "trace", "--trace", str(path), "--trace-format", form,
                "--speed", "10", "--fail-on-errors", "--ignore-eos")
            self.assertIn("10 requests", err)
            summary = result["summary"]
            self.assertEqual((summary["completed"], summary["output_tokens"]), (10, tokens))
            self.assertGreaterEqual(summary["cached_share"], cached)
            if not cached:
                self.assertEqual(summary["cached_share"], 0)

    def test_users_play_agent_sessions(self):
        trace = self.folder / "sessions.jsonl"
        trace.write_text("".join(
            json.dumps({"id": f"s{session}", "bs": 64, "tool": 640, "sys": 640, "req": [
                {"i": 64 * (20 + i), "o": 3, "k": (19 + i) * (i > 0), "r": [[20 + i, 1]] if i
                 else [[1, 20]], "w": 1.0} for i in range(5)]}) + "\n"
            for session in range(6)))
        _, _, result = self.bench(
            self.fleet(), "--workload", "trace", "--trace", str(trace), "--trace-format", "weka",
            "--users", "2", "--speed", "20", "--fail-on-errors", "--json-requests")
        self.assertEqual(result["summary"]["completed"], 30)
        self.assertEqual({request["turn"] for request in result["requests"]}, set(range(5)))
        # All but the first prompt and what each request adds.
        self.assertGreater(result["summary"]["cached_share"], 0.8)

    def test_tenants_and_objectives_are_groups_of_the_result(self):
        _, err, result = self.bench(
            self.fleet(), "--rate", "400", "--requests", "200", "--prompt-tokens", "10",
            "--output-tokens", "2", "--tenants", "a=3,b=1", "--objectives",
            "critical=0.2,batch=0.8", "--fail-on-errors")
        self.assertIn("2 tenants, 2 objectives", err)
        groups = {(group["tenant"], group["priority"]): group["requests"]
                  for group in result["groups"]}
        self.assertEqual(set(groups), {(tenant, objective) for tenant in "ab"
                                       for objective in ("critical", "batch")})
        self.assertEqual(sum(groups.values()), 200)
        self.assertGreater(groups["a", "batch"], groups["b", "critical"])


    def test_people_ask_what_they_asked(self):
        dataset = self.folder / "sharegpt.json"
        dataset.write_text(json.dumps([
            {"id": f"c{i}", "conversations": [
                {"from": "human", "value": f"Question {i}: " + "word " * 40},
                {"from": "gpt", "value": "x" * 4 * (10 + i)}][:2 if i < 10 else 1]}
            for i in range(12)]))
        _, err, result = self.bench(
            self.fleet(), "--workload", "sharegpt", "--dataset", str(dataset), "--rate", "100",
            "--requests", "10", "--ignore-eos", "--fail-on-errors")
        self.assertIn("sharegpt, 10 conversations", err)
        self.assertEqual(result["summary"]["output_tokens"], sum(range(10, 20)))
        _, _, result = self.bench(
            self.fleet(), "--workload", "sharegpt", "--dataset", str(dataset), "--rate", "100",
            "--requests", "4", "--ignore-eos", "--fail-on-errors", "--output-tokens", "3")
        self.assertEqual(result["summary"]["output_tokens"], 12)

    def test_an_open_loop_may_have_a_ceiling(self):
        out, err, result = self.bench(
            self.fleet(preset="q32h100"), "--rate", "500", "--requests", "40", "--in-flight-max",
            "4", "--prompt-tokens", "50", "--output-tokens", "5", "--fail-on-errors",
            "--json-requests")
        self.assertIn("at most 4 in flight", err)
        self.assertIn("Some waited for a place (--in-flight-max)", out)
        self.assertGreater(result["summary"]["held"]["p50_ms"], 0)
        self.assertLess(result["summary"]["lateness"]["p50_ms"],
                        result["summary"]["held"]["p50_ms"])
        requests = result["requests"]
        for one in requests:
            others = [other for other in requests
                      if other["sent_ms"] <= one["sent_ms"] < other["ended_ms"]]
            self.assertLessEqual(len(others), 4)


class AdminTest(BenchTest):
    """What the gateway that is asked says of itself meanwhile."""

    def gateway(self, *arguments, annotations=None):
        servers = [self.fleet(preset="q32h100").removeprefix("http://").split(":")
                   for _ in range(2)]
        objects = [inference_pool(int(servers[0][1]), annotations=annotations), http_route(),
                   inference_model("m")]
        objects += [pod(f"replica-{i}", address, port=int(port))
                    for i, (address, port) in enumerate(servers)]
        gateway = Gateway(self.addresses.take(), objects, arguments)
        self.addCleanup(gateway.stop)
        return gateway

    def test_load_by_endpoint_and_queues_are_in_the_result(self):
        gateway = self.gateway(annotations={"penstock.dev/queueing": "true"})
        page = self.folder / "result.html"
        out, _, result = self.bench(
            f"http://{gateway.address}:{gateway.port}", "--rate", "40", "--duration", "3s",
            "--prompt-tokens", "50", "--output-tokens", "10", "--fail-on-errors", "--html",
            str(page), "--admin", f"http://{gateway.address}:{gateway.admin_port}")
        fleet = result["fleet"]
        self.assertEqual({one["pod"] for one in fleet["endpoints"]}, {"replica-0", "replica-1"})
        self.assertEqual(sum(one["requests"] for one in fleet["endpoints"]),
                         result["summary"]["completed"])
        self.assertAlmostEqual(sum(one["request_share"] for one in fleet["endpoints"]), 1, 3)
        self.assertGreaterEqual(len(fleet["times_s"]), 3)
        for one in fleet["endpoints"]:
            self.assertEqual(len(one["in_flight"]), len(fleet["times_s"]))
        self.assertEqual(fleet["failed_reads"], 0)
        self.assertIn("2 endpoints", out)
        self.assertIn("Requests in flight, by endpoint", page.read_text())

    def test_an_admin_port_that_is_none_or_wants_a_token_is_said_at_once(self):
        token = self.folder / "token"
        token.write_text("secret-token-of-the-admin-port\n")
        wrong = self.folder / "wrong"
        wrong.write_text("another-token-that-is-long-enough\n")
        gateway = self.gateway("--admin-token-file", str(token))
        admin = f"http://{gateway.address}:{gateway.admin_port}"
        address = self.addresses.take()
        for arguments, said in (
                (["--admin", f"http://{address}:{free_port(address)}"],
                 "--admin: no gateway's admin port at http://"),
                (["--admin", f"http://{gateway.address}:{gateway.port}"],
                 "--admin: no gateway's admin port at http://"),
                (["--admin", admin], "--admin-token-file: the admin port at http://"),
                (["--admin", admin, "--admin-token-file", str(wrong)], "wants another token"),
                (["--admin", admin, "--admin-token-file", "/nowhere"], "--admin-token-file: "),
                (["--admin-token-file", str(token)], "--admin"),
                (["ab", "--against", "http://127.0.0.1:2", "--against-admin", admin],
                 "--against-admin-token-file: the admin port at http://"),
                (["--against-admin", admin], "--against-admin: says something only after ab")):
            process = self.start("http://127.0.0.1:1", "--duration", "1s", *arguments)
            out, err = process.communicate(timeout=DEADLINE_S)
            self.assertNotEqual(process.returncode, 0, arguments)
            self.assertIn(said, err)
            self.assertEqual(out, "")
        _, _, result = self.bench(
            f"http://{gateway.address}:{gateway.port}", "--requests", "3", "--rate", "50",
            "--admin", admin, "--admin-token-file", str(token), "--fail-on-errors")
        self.assertEqual(sum(one["requests"] for one in result["fleet"]["endpoints"]), 3)

    def test_both_sides_of_ab_are_looked_at(self):
        sides = [self.gateway(annotations={"penstock.dev/queueing": "true"}) for _ in range(2)]
        urls = [f"http://{side.address}:{side.port}" for side in sides]
        admins = [f"http://{side.address}:{side.admin_port}" for side in sides]
        page, path = self.folder / "ab.html", self.folder / "ab.json"
        process = self.start(
            urls[0], "ab", "--against", urls[1], "--admin", admins[0], "--against-admin",
            admins[1], "--names", "before,after", "--pairs", "2", "--rate", "40", "--duration",
            "2s", "--prompt-tokens", "50", "--output-tokens", "10", "--fail-on-errors",
            "--html", str(page), "--json", str(path))
        out, err = process.communicate(timeout=DEADLINE_S * 4)
        self.assertEqual(process.returncode, 0, err)
        for result in json.loads(path.read_text())["results"]:
            fleet = result["fleet"]
            self.assertEqual(sum(one["requests"] for one in fleet["endpoints"]),
                             result["summary"]["completed"])
            # Both runs of a side, one behind the other.
            self.assertEqual(fleet["times_s"], sorted(fleet["times_s"]))
            self.assertGreaterEqual(fleet["times_s"][-1], 3)
            self.assertGreaterEqual(len(fleet["times_s"]), 6)
            self.assertEqual(fleet["failed_reads"], 0)
        self.assertEqual(out.count("2 endpoints, "), 2)
        for name in ("before", "after"):
            self.assertIn(f"<h2>Endpoints of {name}</h2>", page.read_text())

    def test_of_ab_one_side_may_be_no_gateway(self):
        gateway = self.gateway()
        path = self.folder / "ab.json"
        process = self.start(
            self.fleet(), "ab", "--against", f"http://{gateway.address}:{gateway.port}",
            "--against-admin", f"http://{gateway.address}:{gateway.admin_port}", "--pairs", "1",
            "--rate", "40", "--requests", "20", "--json", str(path))
        _, err = process.communicate(timeout=DEADLINE_S * 4)
        self.assertEqual(process.returncode, 0, err)
        bare, watched = json.loads(path.read_text())["results"]
        self.assertNotIn("fleet", bare)
        self.assertEqual(sum(one["requests"] for one in watched["fleet"]["endpoints"]), 20)

    def test_one_that_goes_away_is_told_and_the_rest_goes_on(self):
        gateway = self.gateway()
        process = self.start(
            self.fleet(), "--rate", "50", "--duration", "4s", "--json",
            str(self.folder / "result.json"), "--admin",
            f"http://{gateway.address}:{gateway.admin_port}")
        self.assertIn("Asking", process.stderr.readline())
        gateway.stop()
        _, err = process.communicate(timeout=DEADLINE_S)
        self.assertEqual(process.returncode, 0, err)
        self.assertIn("--admin: no answer any more", err)
        result = json.loads((self.folder / "result.json").read_text())
        self.assertGreater(result["fleet"]["failed_reads"], 0)
        self.assertGreater(result["summary"]["completed"], 100)


class FailureTest(BenchTest):
    def test_failed_requests_are_told_by_kind_and_fail_the_run_if_asked(self):
        target = self.fleet("--fault", "error=503")
        out, _, result = self.bench(target, "--rate", "100", "--requests", "10",
                                    "--fail-on-errors", exits=1)
        self.assertEqual(result["summary"]["ended"], {"status": 10})
        self.assertIn("503", out)
        self.assertEqual(sum(result["errors"].values()), 10)
        self.bench(target, "--rate", "100", "--requests", "10")

    def test_nobody_there(self):
        address = self.addresses.take()
        _, _, result = self.bench(f"http://{address}:{free_port(address)}", "--rate", "100",
                                  "--requests", "5", "--fail-on-errors", exits=1)
        self.assertEqual(result["errors"], {"connect_refused": 5})

    def test_a_200_that_is_no_whole_answer_is_none(self):
        some = chat_events(["One", " two"])
        cut = [each for each in some if b"[DONE]" not in each]
        self.assertLess(len(cut), len(some))
        for script, error in ((answer(200, b"<html>Welcome</html>"), "no answer"),
                              (stream_answer(cut), "no last event"),
                              (stream_answer(some), None)):
            address = self.addresses.take()
            server = FakeModelServer(address, free_port(address), script)
            self.addCleanup(server.close)
            _, _, result = self.bench(f"http://{server.endpoint}", "--rate", "100", "--requests",
                                      "3")
            self.assertEqual(result["errors"], {error: 3} if error else {})
            self.assertEqual(result["summary"]["ended"], {"broken": 3} if error else {})

    def test_what_is_wrong_is_said_before_anything_is_asked(self):
        for arguments, said in (
                (["--users", "3"],
                 "--users: says something only with --workload multi-round-qa"),
                (["--rate", "0"], "--rate"),
                (["--duration", "20"], "--duration: wanted a time such as 20s or 5m"),
                (["--goodput", "ttft<2s"], "--goodput: wanted ttft=TIME"),
                (["--header", "no colon"], "--header: wanted NAME:VALUE"),
                (["--workload", "trace"], "--workload trace: wanted --trace PATH, too"),
                (["--workload", "trace", "--trace", "/nowhere"], "--trace: /nowhere"),
                (["--workload", "trace", "--trace", "/nowhere", "--trace-format", "azure"],
                 "--trace: /nowhere cannot be read"),
                (["--workload", "trace", "--trace", __file__, "--trace-format", "azure"],
                 ", as azure: trace, line 1: wanted the head TIMESTAMP"),
                (["--workload", "trace", "--trace", __file__, "--users", "2"],
                 "--users: says something only with --trace-format weka"),
                (["--trace-format", "azure"],
                 "--trace-format: says something only with --workload trace"),
                (["--tenants", "a=0"], "--tenants: wanted NAME=WEIGHT,..."),
                (["--objectives", "a=1,a=2"], "--objectives: wanted each name once"),
                (["--against", "http://127.0.0.1:2"], "--against: says something only after ab"),
                (["ab"], "--against: is wanted by ab"),
                (["--names", "a,b"], "--names: says something only after ab"),
                (["ab", "--against", "http://127.0.0.1:2", "--names", "a"], "--names: wanted two"),
                (["--workload", "sharegpt"], "--workload sharegpt: wanted --dataset PATH, too"),
                (["--workload", "sharegpt", "--dataset", "/nowhere"],
                 "--dataset: /nowhere cannot be read"),
                (["--workload", "sharegpt", "--dataset", __file__],
                 "bench_test.py: wanted a JSON list of conversations"),
                (["--dataset", "/nowhere"],
                 "--dataset: says something only with --workload sharegpt"),
                (["--requests", "1", "--concurrency", "2", "--in-flight-max", "2"],
                 "--in-flight-max: wanted a rate in place of --concurrency"),
                (["compare", "a.json", "b.json", "--json", "-"], "--json: is of run and ab"),
                (["run", "some.json"], "FILE: says something only after compare"),
                (["--ca-file", "/nowhere"], "--ca-file: is of https")):
            process = self.start("http://127.0.0.1:1", *arguments)
            out, err = process.communicate(timeout=DEADLINE_S)
            self.assertEqual(process.returncode, 1, arguments)
            self.assertIn(said, err)
            self.assertEqual(out, "")

    def test_an_interrupted_run_ends_with_what_it_has(self):
        process = self.start(self.fleet(), "--rate", "50", "--duration", "1h", "--json", "-")
        self.assertIn("Asking", process.stderr.readline())
        self.assertIn("5 s", process.stderr.readline())
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
        self.assertEqual(process.returncode, 0, err)
        self.assertGreater(json.loads(out)["summary"]["completed"], 100)
        self.assertIn("asked", err)

    def test_a_model_is_wanted(self):
        refused = subprocess.run([penstock(), "bench", "--duration", "1s"], text=True,
                                 capture_output=True, timeout=DEADLINE_S)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("--model: wanted the model", refused.stderr)

    def test_a_result_that_cannot_be_written_is_said(self):
        process = self.start(self.fleet(), "--rate", "100", "--requests", "2",
                             "--json", str(self.folder / "no" / "result.json"))
        _, err = process.communicate(timeout=DEADLINE_S)
        self.assertEqual(process.returncode, 1)
        self.assertIn("result.json cannot be written", err)

    def test_goodput_counts_what_keeps_all_objectives(self):
        target = self.fleet("--fault", "hang-after-headers")
        _, _, result = self.bench(target, "--rate", "50", "--requests", "5", "--patience", "1s",
                                  "--goodput", "ttft=1s", "--duration", "1s")
        self.assertEqual(result["summary"]["ended"], {"unfinished": 5})
        self.assertEqual(result["summary"]["good_share"], 0)


class BesideTest(BenchTest):
    def test_two_servers_are_asked_by_turns_and_compared(self):
        process = self.start(self.fleet(), "ab", "--against", self.fleet(), "--pairs", "2",
                             "--rate", "50", "--requests", "20", "--fail-on-errors")
        out, err = process.communicate(timeout=DEADLINE_S * 4)
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual(out.count("40 asked, 40 completed, 0 failed"), 2)
        self.assertRegex(out, r"TTFT p50, ms +[0-9.]+ +[0-9.]+ +x[0-9.]+ \[")
        self.assertRegex(err, "(?s)1/2 asking .*1/2 asking .*2/2 asking .*2/2 asking ")

    def test_both_sides_are_a_document_and_a_page(self):
        page = self.folder / "ab.html"
        process = self.start(self.fleet(), "ab", "--against", self.fleet(), "--pairs", "1",
                             "--rate", "100", "--requests", "20", "--json", "-", "--html",
                             str(page), "--json-requests")
        out, err = process.communicate(timeout=DEADLINE_S * 4)
        self.assertEqual(process.returncode, 0, err)
        document = json.loads(out)
        self.assertEqual(document["tool"], "penstock bench ab")
        self.assertEqual([len(one["requests"]) for one in document["results"]], [20, 20])
        figures = {one["name"]: one for one in document["figures"]}
        self.assertLessEqual(figures["TTFT p50, ms"]["ratio_low"],
                             figures["TTFT p50, ms"]["ratio_high"])
        self.assertIn("TTFT p50, ms", err)
        self.is_page_alone(page.read_text())

    def test_results_are_compared_and_what_is_none_is_said(self):
        target = self.fleet()
        paths = []
        for number, rate in enumerate(("50", "100")):
            path = self.folder / f"{number}.json"
            path.write_text(self.result_text(target, rate))
            paths.append(str(path))
        compared = subprocess.run([penstock(), "bench", "compare", *paths], text=True,
                                  capture_output=True, timeout=DEADLINE_S, check=True)
        self.assertRegex(compared.stdout, r"requests/s +[0-9.]+ +[0-9.]+ +x")
        page = self.folder / "compare.html"
        subprocess.run([penstock(), "bench", "compare", *paths, "--html", str(page)],
                       stdout=subprocess.DEVNULL, timeout=DEADLINE_S, check=True)
        self.is_page_alone(page.read_text())
        broken = self.folder / "broken.json"
        broken.write_text("{")
        for arguments, said in (([paths[0], str(broken)], "broken.json"),
                                ([paths[0], "/nowhere.json"], "/nowhere.json"),
                                (paths[:1], "compare wants two results at least")):
            refused = subprocess.run([penstock(), "bench", "compare", *arguments], text=True,
                                     capture_output=True, timeout=DEADLINE_S)
            self.assertEqual(refused.returncode, 1)
            self.assertIn(said, refused.stderr)

    def test_what_vllm_has_written_is_compared(self):
        """test/data/bench/README.md"""
        theirs = pathlib.Path(__file__).parents[1] / "data" / "bench" / "vllm-0.32.0.json"
        ours = self.folder / "ours.json"
        ours.write_text(self.result_text(self.fleet(), "100"))
        page = self.folder / "compare.html"
        compared = subprocess.run(
            [penstock(), "bench", "compare", str(theirs), str(ours), "--html", str(page)],
            text=True, capture_output=True, timeout=DEADLINE_S, check=True)
        for line in (r"requests asked +20.0 +20.0 +x1.000", r"requests/s +6.17 ",
                     r"output tokens/s +395 ", r"TTFT p50, ms +81.3 ", r"TTFT p99, ms +122 ",
                     r"TTFT mean, ms +83.0 ", r"TPOT mean, ms +23.5 ", r"E2E mean, ms +1,561 "):
            self.assertRegex(compared.stdout, line)
        self.assertIn("vllm bench serve", page.read_text())

    def test_what_guidellm_has_written_is_compared_in_both_of_its_forms(self):
        """test/data/bench/README.md: the same requests in the schema of 0.3 and of 0.7"""
        folder = pathlib.Path(__file__).parents[1] / "data" / "bench"
        paths = [str(folder / f"guidellm-{version}.json") for version in ("0.3", "0.7")]
        page = self.folder / "compare.html"
        compared = subprocess.run([penstock(), "bench", "compare", *paths, "--html", str(page)],
                                  text=True, capture_output=True, timeout=DEADLINE_S, check=True)
        # A second of the warm-up is in the duration of the second one, but not its request.
        for line in (r"requests asked +5.00 +5.00 +x1.000", r"requests/s +1.36 +0.938 ",
                     r"output tokens/s +7.27 +5.00 ", r"TTFT p50, ms +80.0 +80.0 +x1.000 \[",
                     r"TTFT mean, ms +76.7 +76.7 +x1.000 \[",
                     r"TPOT mean, ms +123 +123 +x1.000 \[",
                     r"E2E p50, ms +481 +481 +x1.000 \[", r"E2E mean, ms +611 +611 +x1.000 \["):
            self.assertRegex(compared.stdout, line)
        text = page.read_text()
        self.assertIn("http://127.0.0.1:8000/v1", text)
        self.assertEqual(text.count("2026-04-29T08:28:3"), 2)

    def result_text(self, target, rate):
        process = self.start(target, "--rate", rate, "--requests", "20", "--json", "-")
        out, err = process.communicate(timeout=DEADLINE_S)
        self.assertEqual(process.returncode, 0, err)
        return out

    def test_a_page_needs_nothing_else(self):
        page = self.folder / "result.html"
        self.bench(self.fleet(), "--rate", "100", "--requests", "50", "--html", str(page),
                   "--header", "x-note: <script>alert(1)</script>")
        self.is_page_alone(page.read_text())

    def is_page_alone(self, text):
        self.assertTrue(text.startswith("<!doctype html>"), text[:100])
        self.assertIn("<svg", text)
        self.assertNotIn("<script", text)
        for other in ("src=", "href=\"http", "url(http", "@import"):
            self.assertNotIn(other, text)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
