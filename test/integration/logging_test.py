"""The log: its documentation beside the code, its form, its level, its file; signals."""

import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import unittest

from harness import (DEADLINE_S, Gate, GatewayTest, answer, chat_answer, chat_body, chat_events,
                     eventually, penstock, pool_of, stream_answer)

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
