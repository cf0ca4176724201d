"""The log: its documentation beside the code, its form, its level, its file; signals."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from harness import (DEADLINE_S, Collector, Gate, GatewayTest, answer, chat_answer, chat_body,
                     chat_events, eventually, free_port, http_route, penstock, pool_of,
                     refuse_with_reset, stream_answer)

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHAT = "/v1/chat/completions"


def run(*arguments):
    done = subprocess.run([penstock(), *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=DEADLINE_S, check=False)
    return done.returncode, done.stdout, done.stderr


def calls(text, name):
    """The arguments of each call of `name`, as they stand in the code."""
    for match in re.finditer(rf"\b{name}\(", text):
        depth = 1
        at = match.end()
        while depth > 0:
            if text[at] == '"':
                at = re.compile(r'"(?:[^"\\]|\\.)*"').match(text, at).end()
                continue
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
        yield text[match.end():at - 1]


def logged_by_code():
    """{message: names of its fields} of every line that the code can write."""
    found = {}
    for path in sorted((ROOT / "src").rglob("*.cc")):
        if path.name.endswith(("_test.cc", "_benchmark.cc", "_fuzz.cc")) or path.name == "log.cc":
            continue
        text = re.sub(r"//[^\n]*", "", path.read_text())
        for arguments in calls(text, "Log"):
            if not arguments.startswith("LogLevel::") and "LogLevel::k" not in arguments:
                continue
            words, _, fields = arguments.partition("{")
            messages = re.findall(r'"((?:[^"\\]|\\.)*)"', re.sub(r'"\s*\n\s*"', "", words))
            names = set(re.findall(r'\{\s*"(\w+)"\s*,', "{" + fields))
            for message in messages:
                found.setdefault(message, set()).update(names)
        for arguments in calls(text, "LogLine"):
            if message := re.search(r'"([^"]*)"', arguments):
                # The fields are gathered before it, in the same function.
                table = text[text.index("InlinedVector<LogField"):text.index("LogLine(")]
                found[message[1]] = set(re.findall(r'\{"(\w+)",', table))
    found["Log lines dropped"] = {"lines"}  # by the writer of the log itself
    return found


def logged_by_documentation():
    found = {"Request Handled": set()}
    for line in (ROOT / "docs" / "logging.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 2:
            found["Request Handled"].update(re.findall(r"`(\w+)`", cells[0]))
        elif line.startswith("| `") and len(cells) == 3:
            found[cells[0].strip("`")] = set(re.findall(r"`(\w+)`", cells[2]))
    return found


class DocumentationTest(unittest.TestCase):
    def test_every_line_is_documented_field_by_field(self):
        self.maxDiff = None
        self.assertEqual(logged_by_documentation(), logged_by_code())


class FormTest(GatewayTest):
    def start(self, *arguments, script=None):
        self.server = self.model_server(script or answer(200, b"{}"))
        return self.gateway(pool_of([self.server]), arguments=arguments)

    def test_lines_of_a_run_are_the_documented_ones(self):
        gateway = self.start("--log-level", "debug", script=chat_answer())
        gateway.chat()
        gateway.get("/nowhere")
        gateway.wait_handled(2)
        gateway.signal()
        gateway.wait_exit()
        documented = logged_by_documentation()
        for line in gateway.lines:
            self.assertEqual(list(line)[:3], ["time", "level", "message"])
            self.assertLessEqual(set(line) - {"time", "level", "message"},
                                 documented[line["message"]], line)

    def test_the_start_names_version_files_and_listeners(self):
        gateway = self.start()
        line = gateway.wait_line("Listening", ports=1)
        self.assertEqual(line["listeners"],
                         f"default/inference-gateway/http-llm {gateway.address}:{gateway.port}")
        self.assertGreaterEqual(line["files"], 1)
        self.assertIn(line["version"], run("--version")[1])

    def test_text(self):
        gateway = self.start("--log-format", "text")
        gateway.get("/v1/t")
        found = gateway.other_output.wait(
            lambda lines: next((l for l in lines if "Request Handled" in l), None), "a line")
        self.assertRegex(found, r"^\d{4}-\d\d-\d\dT[\d:.]+Z info Request Handled request_id=\w+ ")
        self.assertIn(" path=/v1/t ", found)
        self.assertIn(' requested_model="" ', found)
        self.assertEqual(len(gateway.lines), 0)

    def test_a_level_that_does_not_exist(self):
        status, out, err = run("serve", "-f", "x", "--log-level", "inof")
        self.assertNotEqual(status, 0)
        self.assertIn('--log-level: must be debug, info, warning or error, got "inof"', out + err)
        self.assertIn('did you mean "info"?', out + err)
        status, out, err = run("serve", "-f", "x", "--log-format", "jsno")
        self.assertIn('must be json or text, got "jsno"', out + err)

    def test_the_level_changes_while_it_runs(self):
        gateway = self.start("--log-level", "WARNING")
        admin = f"{gateway.address}:{gateway.admin_port}"
        self.assertEqual(run("log-level", "--admin", admin), (0, "warning\n", ""))
        gateway.get("/v1/quiet")
        self.assertEqual(run("log-level", "info", "--admin", admin), (0, "info\n", ""))
        gateway.wait_line("Log level changed", **{"from": "warning", "to": "info"})
        gateway.get("/v1/told")
        self.assertEqual([line["path"] for line in gateway.wait_handled(1)], ["/v1/told"])
        self.assertEqual(run("log-level", "error", "--admin", admin)[0], 0)
        self.assertEqual(gateway.admin("/log-level").body, b"error\n")
        # Only PUT changes it: a link that somebody follows does not.
        self.assertEqual(gateway.admin("/log-level?level=debug").body, b"error\n")
        status, out, err = run("log-level", "loud", "--admin", admin)
        self.assertNotEqual(status, 0)
        self.assertIn("must be debug, info, warning or error", out + err)

    def test_nothing_from_outside_reaches_a_terminal_as_it_is(self):
        gateway = self.start(script=chat_answer())
        evil = "a\u001b[31mRED\u001b]0;title\u0007\n  status 200, faked\u009b2J\u202egpj\u2028x"
        gateway.chat(model=evil, headers=[("x-request-id", "one")])
        line = gateway.wait_handled(1)[0]
        self.assertEqual(line["requested_model"], evil)
        _, shown, _ = run("explain", "one", "--admin", f"{gateway.address}:{gateway.admin_port}")
        page = gateway.admin("/explain?id=one").body.decode()
        for text in (shown, page):
            self.assertTrue(text.startswith("request one: "), text)
            self.assertNotIn("\n  status 200, faked", text)
            self.assertNotRegex(text, "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028]")
            self.assertIn(r"a\u001b[31mRED", text)

REQUESTS = "penstock.dev/log-requests"
LEVEL = "penstock.dev/log-level"


def fails_if_asked(request, connection):
    status = 400 if "fail" in request.target else 200
    answer(status, b"{}")(request, connection)


class FewerLinesTest(GatewayTest):
    """One route "/NAME" for each of `routes`, {name: annotations}, beside one "/v1" with none."""

    def objects(self, routes):
        made = pool_of(self.servers)
        for name, annotations in routes.items():
            route = http_route(path=f"/{name}", name=name)
            route["metadata"]["annotations"] = annotations
            made.append(route)
        return made

    def start(self, routes, *arguments, script=fails_if_asked, count=1):
        self.servers = [self.model_server(script) for _ in range(count)]
        self.marks = 0
        return self.gateway(self.objects(routes), arguments=("--workers", "1", *arguments))

    def lines_of(self, gateway, *paths, mark="/v1/fail"):
        """The lines that requests for those paths have; the one behind them has one surely."""
        before = len(gateway.handled())
        for path in paths:
            gateway.get(path, [("x-request-id", "id" + path)])
        self.marks += 1
        end = f"{mark}-{self.marks}"
        gateway.get(end)
        gateway.wait_line("Request Handled", path=end)
        lines = gateway.handled()[before:]
        return lines[:[line["path"] for line in lines].index(end)]

    def paths_of(self, gateway, *paths, **options):
        return [line["path"] for line in self.lines_of(gateway, *paths, **options)]

    def test_of_a_ratio_that_share_and_each_error_has_a_line_at_every_gateway(self):
        gateway = self.start({"some": {REQUESTS: "0.25"}})
        paths = [f"/some/{i}" for i in range(200)]
        lines = self.lines_of(gateway, *paths)
        self.assertTrue(25 <= len(lines) <= 75, len(lines))
        self.assertEqual({line["sample_ratio"] for line in lines}, {0.25})
        failed = self.lines_of(gateway, *[f"/some/fail-{i}" for i in range(20)])
        self.assertEqual([line["sample_ratio"] for line in failed], [1] * 20)
        self.assertNotIn("sample_ratio", self.lines_of(gateway, "/v1/x")[0])
        other = self.gateway(self.objects({"some": {REQUESTS: "0.25"}}),
                             arguments=("--workers", "1"))
        self.assertEqual(self.paths_of(other, *paths), [line["path"] for line in lines])
        # What has no line is known all the same.
        missing = (set(paths) - {line["path"] for line in lines}).pop()
        self.assertEqual(gateway.admin(f"/explain?id=id{missing}").status, 200)
        gateway.wait_metric("penstock_requests_total", 200 + 1 + 20 + 3,
                            pool="default/test-pool")

    def test_routes_of_errors_and_of_none(self):
        gateway = self.start({"errors": {REQUESTS: "errors"}, "none": {REQUESTS: "none"},
                              "all": {REQUESTS: "all"}})
        self.assertEqual(self.paths_of(gateway, "/errors/x", "/errors/fail", "/none/x",
                                       "/none/fail", "/all/x", "/all/fail", "/nowhere"),
                         ["/errors/fail", "/all/x", "/all/fail", "/nowhere"])

    def test_the_flag_is_for_routes_that_say_nothing(self):
        routes = {"all": {REQUESTS: "all"}, "none": {REQUESTS: "none"}}
        paths = ("/v1/x", "/v1/fail", "/all/x", "/none/fail", "/nowhere")
        gateway = self.start(routes, "--request-log", "errors")
        self.assertEqual(self.paths_of(gateway, *paths), ["/v1/fail", "/all/x", "/nowhere"])
        for flag in (("--request-log", "none"), ("--no-request-log",)):
            gateway = self.start(routes, *flag)
            self.assertEqual(self.paths_of(gateway, *paths, mark="/all/end"), ["/all/x"])
        status, out, err = run("serve", "-f", "x", "--request-log", "2")
        self.assertNotEqual(status, 0)
        self.assertIn('--request-log: must be "all", "none", "errors" or a ratio above 0',
                      out + err)

    def test_levels(self):
        gateway = self.start({"quiet": {LEVEL: "debug"}, "loud": {LEVEL: "warning"}})
        lines = self.lines_of(gateway, "/quiet/x", "/quiet/fail", "/loud/x", "/v1/x")
        self.assertEqual([(line["path"], line["level"]) for line in lines],
                         [("/loud/x", "warning"), ("/v1/x", "info")])
        admin = f"{gateway.address}:{gateway.admin_port}"
        self.assertEqual(run("log-level", "debug", "--admin", admin)[0], 0)
        self.assertEqual([line["level"] for line in self.lines_of(gateway, "/quiet/x")], ["debug"])
        self.assertEqual(run("log-level", "warning", "--admin", admin)[0], 0)
        paths = self.paths_of(gateway, "/quiet/x", "/v1/fail", "/loud/x", mark="/loud/end")
        self.assertEqual(paths, ["/loud/x"])

    def test_an_edit_counts_from_the_next_request_on(self):
        gateway = self.start({"route": {REQUESTS: "none"}})
        self.assertEqual(self.paths_of(gateway, "/route/x"), [])
        for generation, annotations in enumerate(({REQUESTS: "all", LEVEL: "error"},
                                                  {REQUESTS: "errors"}, {}), start=2):
            gateway.write("objects.yaml", self.objects({"route": annotations}))
            gateway.wait_line("Configuration published", generation=generation)
            lines = self.lines_of(gateway, "/route/x")
            self.assertEqual([line["level"] for line in lines],
                             {2: ["error"], 3: [], 4: ["info"]}[generation])

    def test_wrong_values_are_refused_by_name(self):
        folder = tempfile.TemporaryDirectory(prefix="penstock-test-")
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name) / "route.yaml"
        route = http_route(path="/")
        for key, value, wanted in (
                (REQUESTS, "some", 'must be "all", "none", "errors" or a ratio above 0 and up'),
                (LEVEL, "loud", 'must be "debug", "info", "warning" or "error"')):
            route["metadata"]["annotations"] = {key: value}
            path.write_text(json.dumps(route))
            status, out, err = run("check", str(path))
            self.assertEqual(status, 1)
            self.assertIn("HTTPRoute default/inference-route: "
                          f'metadata.annotations["{key}"]: {wanted}', out + err)
            self.assertIn(f'got "{value}"', out + err)

    def test_a_trace_that_is_sampled_has_its_line(self):
        address = self.addresses.take()
        collector = Collector(address, free_port(address))
        self.addCleanup(self._end_server, collector)
        gateway = self.start({"errors": {REQUESTS: "errors"}},
                             "--traces", collector.url, "--trace-ratio", "0")
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        for flags in ("00", "01"):
            gateway.get(f"/errors/{flags}",
                        [("traceparent", f"00-{trace}-00f067aa0ba902b7-{flags}")])
        gateway.get("/v1/fail")
        gateway.wait_line("Request Handled", path="/v1/fail")
        self.assertEqual([(line["path"], line["trace_id"]) for line in gateway.handled()][:-1],
                         [("/errors/01", trace)])
        collector.wait_trace(trace)


class FieldsTest(GatewayTest):
    def start(self, script, *arguments, count=1, annotations=None):
        objects = pool_of([self.model_server(script) for _ in range(count)])
        objects[0]["metadata"]["annotations"] = annotations or {}
        return self.gateway(objects, arguments=("--workers", "1", *arguments))

    def test_tokens_and_the_time_of_each_stage(self):
        usage = {"prompt_tokens": 8, "completion_tokens": 3, "total_tokens": 11,
                 "prompt_tokens_details": {"cached_tokens": 2}}
        gateway = self.start(stream_answer(chat_events(["a", "b"], usage=usage)))
        gateway.chat(stream=True, stream_options={"include_usage": True})
        gateway.get("/nowhere")
        line, refused = gateway.wait_handled(2)
        self.assertEqual([line[f"{name}_tokens"] for name in ("prompt", "cached", "completion")],
                         [8, 2, 3])
        self.assertEqual(line["cached_ratio"], 0.25)
        times = [line[name] for name in
                 ("body_ms", "queue_ms", "response_ms", "ttft_ms", "total_ms")]
        self.assertEqual(times, sorted(times))
        self.assertTrue(0 <= line["tpot_ms"] <= line["total_ms"], line)
        self.assertTrue(0 < line["decision_us"] <= line["total_ms"] * 1000, line)
        for name in ("body_ms", "decision_us", "response_ms", "tpot_ms", "cached_ratio"):
            self.assertIsNone(refused[name])

    def test_tries_that_failed_are_told_in_text_as_in_json(self):
        def script_of_tries():
            first = [True]

            def script(request, connection):
                if first.pop() if first else False:
                    refuse_with_reset()(request, connection)
                else:
                    chat_answer(prompt_tokens=10, cached_tokens=5)(request, connection)
            return script
        options = {"count": 2, "annotations": {REQUESTS: "0.5"}}
        gateway = self.start(script_of_tries(), **options)
        gateway.chat()
        line, = gateway.wait_handled(1)
        self.assertEqual((line["tries"], line["failed_reasons"], line["sample_ratio"]),
                         (2, "reset", 1))
        self.assertNotEqual(line["failed_endpoints"], line["endpoint"])
        self.assertRegex(line["failed_endpoints"], r"^127\.[\d.]+:\d+$")
        gateway = self.start(script_of_tries(), "--log-format", "text", **options)
        gateway.chat()
        text = gateway.other_output.wait(
            lambda lines: next((l for l in lines if "Request Handled" in l), None), "a line")
        fields = re.findall(r' (\w+)=("(?:[^"\\]|\\.)*"|\S*)', text)
        self.assertEqual([name for name, _ in fields], list(line)[3:])
        self.assertEqual([dict(fields)[name] for name in ("cached_ratio", "failed_reasons")],
                         ["0.5", "reset"])

    @unittest.skipUnless(shutil.which("jq"), "no jq")
    def test_the_example_of_the_documentation_counts_what_has_no_line(self):
        documentation = (ROOT / "docs" / "logging.md").read_text()
        program = re.search(r"jq -rn '(.*?)' penstock.log", documentation, re.S)[1]
        common = {"message": "Request Handled", "status": 200}
        lines = [
            {"message": "Listening"},
            {**common, "route": "a", "sample_ratio": 0.1, "prompt_tokens": 10, "cached_tokens": 4},
            {**common, "route": "a", "sample_ratio": 1, "prompt_tokens": 100, "cached_tokens": 4},
            {**common, "route": "a", "sample_ratio": 1, "status": 500, "prompt_tokens": None,
             "cached_tokens": None},
            {**common, "route": "b", "prompt_tokens": 9, "cached_tokens": None}]
        done = subprocess.run(["jq", "-rn", program], input="\n".join(map(json.dumps, lines)),
                              capture_output=True, text=True, timeout=DEADLINE_S, check=True)
        self.assertEqual([line.split("\t") for line in done.stdout.splitlines()],
                         [["a", "12", "1", "0.22"], ["b", "1", "0", "0"]])



class FileTest(GatewayTest):
    def test_a_log_file_is_opened_anew_on_sigusr1(self):
        server = self.model_server(answer(200, b"{}"))
        holder = tempfile.TemporaryDirectory(prefix="penstock-test-")
        self.addCleanup(holder.cleanup)
        folder = pathlib.Path(holder.name)
        path = folder / "penstock.log"
        gateway = self.gateway(pool_of([server]), arguments=("--log-file", str(path)))

        def told(file, request):
            return file.exists() and any(json.loads(line).get("path") == request
                                         for line in file.read_text().splitlines())
        gateway.get("/v1/one")
        eventually(lambda: told(path, "/v1/one"), "the first request in the file")
        os.rename(path, folder / "penstock.log.1")
        gateway.signal(signal.SIGUSR1)
        eventually(path.exists, "the file is there again")
        gateway.get("/v1/two")
        eventually(lambda: told(path, "/v1/two"), "the second request in the new file")
        self.assertFalse(told(folder / "penstock.log.1", "/v1/two"))
        self.assertEqual((len(gateway.lines), len(gateway.other_output)), (0, 0))

    def test_a_log_file_that_cannot_be_written(self):
        status, _, err = run("serve", "-f", "x", "--log-file", "/nowhere/at/all")
        self.assertEqual(status, 1)
        self.assertIn("--log-file: /nowhere/at/all: No such file or directory", err)


class SignalTest(GatewayTest):
    def test_no_signal_but_those_that_drain_ends_it_or_cuts_a_stream(self):
        gate = Gate()
        events = chat_events(["a", "b"])
        server = self.model_server(stream_answer(events, {1: gate}))
        gateway = self.gateway(pool_of([server]))
        client = self.client(gateway)
        client.request("POST", CHAT, body=chat_body(stream=True))
        client.read_final_head()
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP,
                       signal.SIGPIPE):
            gateway.signal(number)
        gateway.wait_line("SIGHUP: the configuration was read")
        gateway.wait_line("SIGUSR1: the log file is open")
        gate.open()
        self.assertEqual(client.read_chunks(), b"".join(events))

    def test_sighup_reads_the_configuration_at_once_and_tells_the_outcome(self):
        server = self.model_server(answer(200, b"{}"))
        gateway = self.gateway(pool_of([server]))
        gateway.signal(signal.SIGHUP)
        gateway.wait_line("SIGHUP: the configuration was read", changed=False, generation=1,
                          error="")
        gateway.write("broken.yaml", "a: [\n")
        gateway.signal(signal.SIGHUP)
        line = gateway.lines.wait(
            lambda lines: next((l for l in lines if l["message"] ==
                                "SIGHUP: the configuration was read" and l["error"]), None),
            "the error")
        self.assertIn("broken.yaml", line["error"])
        self.assertEqual(line["level"], "warning")
        self.assertEqual(gateway.get("/v1/t").status, 200)


if __name__ == "__main__":
    unittest.main()
