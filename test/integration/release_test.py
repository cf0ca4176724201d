"""Releases: requests go over to a candidate, step by step, and back if it is worse."""

import json
import pathlib
import subprocess
import tempfile
import threading
import unittest

from harness import (INFERENCE_GROUP, GatewayTest, answer, chat_answer, chat_body, chat_events,
                     eventually, http_route, inference_model, inference_pool, penstock, pod,
                     stream_answer)

CHAT = "/v1/chat/completions"
VERSIONS = ("v1", "v2")


def route(weights=(100, 0), annotations=None):
    made = http_route()
    rule = made["spec"]["rules"][0]
    rule["name"] = "chat"
    rule["backendRefs"] = [{"group": INFERENCE_GROUP, "kind": "InferencePool", "name": name,
                            "weight": weight} for name, weight in zip(VERSIONS, weights)]
    if annotations:
        made["metadata"]["annotations"] = annotations
    return made


def release(steps, **spec):
    """From v1 to v2 in the rule of route()."""
    return {"apiVersion": "penstock.dev/v1alpha1", "kind": "ModelRelease",
            "metadata": {"name": "to-v2"},
            "spec": {"route": {"name": "inference-route"}, "stable": {"name": "v1"},
                     "candidate": {"name": "v2"}, "steps": steps, **spec}}


def after(delay_s, script):
    """A model server that takes its time."""
    def slow(request, connection):
        threading.Event().wait(delay_s)
        script(request, connection)
    return slow


class ReleaseTest(GatewayTest):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.state = pathlib.Path(folder.name) / "state" / "releases.json"
        self.stopping = threading.Event()
        self.senders = []
        self.addCleanup(self.stop_sending)

    def start(self, *objects, v1=chat_answer(), v2=chat_answer(), ready=VERSIONS, more=()):
        """The versions' pools of one server each; pods of those that are ready."""
        self.servers = {}
        self.objects = [*objects]
        self.pods = {}
        for name, script in zip(VERSIONS, (v1, v2)):
            server = self.servers[name] = self.model_server(script, name=f"{name}-0")
            self.objects.append(inference_pool(server.port, name))
            self.pods[name] = pod(server.name, server.address, name, server.port)
        self.objects += [self.pods[name] for name in ready]
        self.objects += more
        return self.serve()

    def serve(self, arguments=()):
        self.gate = self.gateway(self.objects, arguments=(
            "--workers", "2", "--release-state", str(self.state), *arguments))
        return self.gate

    def keep_sending(self, threads=4):
        def send():
            client = self.client(self.gate)
            while not self.stopping.is_set():
                try:
                    client.request("POST", CHAT, [("Content-Type", "application/json")],
                                   chat_body("hi"))
                    client.read_response()
                except (OSError, ConnectionError):
                    if not self.stopping.is_set():
                        client = self.client(self.gate)
        for _ in range(threads):
            thread = threading.Thread(target=send, daemon=True)
            thread.start()
            self.senders.append(thread)

    def stop_sending(self):
        self.stopping.set()
        for thread in self.senders:
            thread.join(30)

    def status(self):
        return self.gate.admin("/get?kind=releases&name=to-v2&output=json").json()["status"]

    def wait_phase(self, phase, deadline_s=60):
        """Its status in that phase."""
        def reached():
            status = self.status()
            return status if status["phase"] == phase else None
        return eventually(reached, f"phase {phase}", deadline_s)

    def wait_served(self):
        """Until its first step's weights are those that requests are routed by."""
        self.wait_phase("Progressing")
        self.gate.wait_metric_at_least("penstock_configuration_generation", 2)

    def command(self, *words):
        done = subprocess.run(
            [penstock(), "release", *words, "--admin",
             f"{self.gate.address}:{self.gate.admin_port}"],
            capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout, done.stderr

    def wait_all_to(self, version):
        """Until all requests go to that one: what is decided is served a moment later."""
        wanted = {name: 20 if name == version else 0 for name in VERSIONS}
        eventually(lambda: self.served_by(20) == wanted, f"all to {version}", 30)

    def served_by(self, count):
        """How many of so many requests each version serves from now on."""
        before = {name: len(server.requests) for name, server in self.servers.items()}
        client = self.client(self.gate)
        for _ in range(count):
            client.request("POST", CHAT, [("Content-Type", "application/json")], chat_body("hi"))
            client.read_response()
        return {name: len(server.requests) - before[name]
                for name, server in self.servers.items()}


class WeightsTest(ReleaseTest):
    def test_a_canary_has_its_share_and_the_log_says_who_served(self):
        self.start(route(), release([{"weight": 10, "pause": "1h"}]))
        self.wait_served()
        served = self.served_by(1000)
        # 100 expected, standard deviation 9.5
        self.assertTrue(50 < served["v2"] < 150, served)
        self.assertEqual(served["v1"] + served["v2"], 1000)
        line = self.gate.wait_line("Request Handled", release="default/to-v2 candidate")
        self.assertEqual(line["pool"], "default/v2")
        metrics = self.gate.metrics()
        self.assertEqual(metrics.sum("penstock_release_weight_ratio", version="candidate"), 0.1)
        self.assertEqual(metrics.sum("penstock_release_phase", phase="Progressing"), 1)
        eventually(lambda: self.status()["candidate"]["samples"] == served["v2"] and
                   self.status()["stable"]["samples"] == served["v1"], "all samples", 30)

    def test_clients_that_stay_with_a_version_come_over_once(self):
        self.start(route(annotations={"penstock.dev/sticky": "header:x-user-id"}),
                   release([{"weight": 20, "samplesMin": 1, "pause": "1h"}]))
        self.wait_served()
        client = self.client(self.gate)

        def versions():
            found = []
            for user in range(300):
                client.request("POST", CHAT, [("X-User-Id", f"user-{user}")], chat_body("hi"))
                client.read_response()
            lines = self.gate.wait_handled(len(self.gate.handled()))
            for line in lines[-300:]:
                found.append(line["pool"])
            return found
        versions()
        before = {r.get("x-user-id") for r in self.servers["v2"].requests}
        self.assertTrue(30 < len(before) < 100, len(before))
        versions()
        again = {r.get("x-user-id") for r in self.servers["v2"].requests}
        self.assertEqual(again, before)

    def test_targets_of_a_model(self):
        targets = inference_model("m", pool="v1", targets={"m-old": 100, "m-new": 1}, name="m")
        made = release([{"weight": 50, "pause": "1h"}])
        del made["spec"]["route"]
        made["spec"].update(model={"name": "m"}, stable={"name": "m-old"},
                            candidate={"name": "m-new"})
        self.start(route(), made, targets)
        self.wait_served()
        for _ in range(60):
            self.gate.post(CHAT, chat_body("hi", "m"))
        asked = [json.loads(r.body)["model"] for r in self.servers["v1"].requests]
        self.assertTrue(10 < asked.count("m-new") < 50, asked.count("m-new"))
        eventually(lambda: self.status()["candidate"]["samples"] == asked.count("m-new"),
                   "all samples", 30)


class CourseTest(ReleaseTest):
    def test_one_that_is_as_good_is_promoted(self):
        self.start(route(), release([{"weight": 20, "samplesMin": 20},
                                     {"weight": 60, "samplesMin": 20}],
                                    criteria={"errorRate": 0.2, "ttft": 3}))
        self.keep_sending()
        status = self.wait_phase("Promoted")
        self.stop_sending()
        self.assertEqual([t["to"] for t in status["history"]],
                         ["Progressing", "Progressing", "Promoted"])
        self.wait_all_to("v2")
        self.gate.wait_line("Release", to="Promoted")

    def test_one_that_is_slow_is_rolled_back(self):
        self.start(route(), release([{"weight": 30, "pause": "1h"}], criteria={"ttft": 1.5}),
                   v1=after(0.005, chat_answer()), v2=after(0.1, chat_answer()))
        self.keep_sending()
        status = self.wait_phase("RolledBack")
        self.stop_sending()
        self.assertIn("TTFT of the candidate is", status["history"][-1]["reason"])
        self.wait_all_to("v1")
        self.gate.wait_line("Release", to="RolledBack", level="warning")

    def test_one_that_errs_is_rolled_back(self):
        self.start(route(), release([{"weight": 30, "pause": "1h"}],
                                    criteria={"errorRate": 0.05}),
                   v2=answer(500, b'{"error":{}}', reason="Error"))
        self.keep_sending()
        status = self.wait_phase("RolledBack")
        self.stop_sending()
        self.assertIn("errors", status["history"][-1]["reason"])
        self.wait_all_to("v1")

    def test_one_that_cuts_its_answers_is_held(self):
        self.start(route(), release([{"weight": 50, "pause": "1h"}], onBreach="Hold",
                                    criteria={"finishReasons": 0.1}),
                   v1=stream_answer(chat_events(["a", "b"])),
                   v2=stream_answer(chat_events(["a", "b"], finish_reason="length")))
        self.keep_sending()
        status = self.wait_phase("Holding")
        self.stop_sending()
        self.assertEqual(status["candidate"]["weightPercent"], 50)
        served = self.served_by(100)
        self.assertGreater(served["v2"], 20)
        self.assertEqual(self.command("abort", "to-v2")[0], 0)
        self.wait_phase("Aborted")
        self.wait_all_to("v1")

    def test_it_waits_for_its_candidate(self):
        self.start(route(), release([{"weight": 100, "pause": "1h"}]), ready=("v1",))
        eventually(lambda: self.status()["message"] == "waits for v2 to be ready", "its reason", 30)
        self.wait_all_to("v1")
        self.gate.write("pod.yaml", [self.pods["v2"]])
        self.wait_phase("Progressing")
        self.wait_all_to("v2")
        self.gate.remove("pod.yaml")
        self.wait_phase("Waiting")
        self.wait_all_to("v1")


class CommandsTest(ReleaseTest):
    def test_pause_resume_promote_abort(self):
        self.start(route(), release([{"weight": 10, "samplesMin": 5},
                                     {"weight": 100, "pause": "1h"}]))
        self.wait_phase("Progressing")
        self.assertEqual(self.command("pause", "to-v2"), (0, "default/to-v2: pause\n", ""))
        self.wait_phase("Paused")
        self.served_by(200)
        self.assertEqual(self.status()["step"], 1)
        self.assertEqual(self.command("resume", "default/to-v2")[0], 0)
        eventually(lambda: self.status()["step"] == 2, "the second step", 30)
        self.assertEqual(self.command("promote", "to-v2", "-n", "default")[0], 0)
        self.wait_phase("Promoted")
        code, _, err = self.command("pause", "to-v2")
        self.assertEqual(code, 1)
        self.assertIn("release default/to-v2 cannot be paused: it is Promoted", err)
        self.assertIn("there is no release default/other", self.command("pause", "other")[2])
        self.assertIn("one of them is wanted", self.command("pause", "a/to-v2", "-n", "b")[2])

    def test_a_state_file_beside_a_cluster_is_refused(self):
        done = subprocess.run([penstock(), "serve", "--kubernetes", "--release-state", "x"],
                              capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 1)
        self.assertIn("--release-state: with --kubernetes", done.stderr)

    def test_the_plan_itself_may_say_so(self):
        self.start(route())
        self.gate.write("release.yaml", [release([{"weight": 10, "pause": "1h"}])])
        eventually(lambda: b"to-v2" in self.gate.admin("/get?kind=releases").body, "release", 30)
        self.wait_phase("Progressing")
        self.gate.write("release.yaml", [release([{"weight": 10, "pause": "1h"}], paused=True)])
        self.wait_phase("Paused")
        self.gate.write("release.yaml", [release([{"weight": 10, "pause": "1h"}],
                                                 request="Promote")])
        self.wait_phase("Promoted")
        self.gate.remove("release.yaml")
        self.wait_all_to("v1")  # the rule's own weights

    def test_get_and_check_show_it(self):
        self.start(route(), release([{"weight": 10, "pause": "1h"}]))
        self.wait_phase("Progressing")
        table = self.gate.admin("/get?kind=releases").body.decode()
        self.assertRegex(table, r"NAMESPACE +NAME +PHASE +STEP +WEIGHT +STABLE +CANDIDATE")
        self.assertRegex(table, r"default +to-v2 +Progressing +1/1 +10% +v1 +v2 +True +step 1 of 1")
        done = subprocess.run([penstock(), "check", str(self.gate.folder)], capture_output=True,
                              text=True, timeout=30)
        self.assertIn("release default/to-v2: from v1 to v2\n"
                      "step 1 of 1: 10 % of requests to v2, for 1h\n", done.stdout)
        self.assertIn("shifts: rule chat of HTTPRoute default/inference-route", done.stdout)


class RestartTest(ReleaseTest):
    def test_it_goes_on_where_it_was(self):
        self.start(route(), release([{"weight": 10, "samplesMin": 5},
                                     {"weight": 40, "pause": "1h"}]))
        self.keep_sending(2)
        eventually(lambda: self.status()["step"] == 2 and
                   self.status()["candidate"]["samples"] > 5, "the second step", 60)
        self.stop_sending()
        before = self.status()
        self.gate.signal()
        self.gate.wait_exit(60)
        kept = json.loads(self.state.read_text())["releases"]["default/to-v2"]
        self.assertEqual(kept["step"], 1)
        self.serve()
        # From its first moment, before anybody has looked at it.
        served = self.served_by(200)
        self.assertTrue(40 < served["v2"] < 125, served)
        status = self.status()
        self.assertEqual((status["phase"], status["step"]), ("Progressing", 2))
        self.assertEqual(status["history"][:2], before["history"][:2])
        self.assertGreaterEqual(status["stable"]["samples"], before["stable"]["samples"])

    def test_a_state_that_cannot_be_read_is_kept_aside(self):
        self.state.parent.mkdir()
        self.state.write_text("{nonsense")
        self.start(route(), release([{"weight": 10, "pause": "1h"}]))
        line = self.gate.wait_line("The state of releases cannot be read: they begin anew")
        self.assertEqual(line["kept_as"], f"{self.state}.unread")
        self.assertEqual(pathlib.Path(line["kept_as"]).read_text(), "{nonsense")
        self.wait_phase("Progressing")
        eventually(lambda: "to-v2" in self.state.read_text() if self.state.exists() else False,
                   "a new state", 30)

    def test_a_state_that_cannot_be_written_is_told(self):
        self.state.parent.parent.joinpath("state").write_text("a file, and no folder")
        self.start(route(), release([{"weight": 10, "pause": "1h"}]))
        line = self.gate.wait_line(
            "The state of releases is not kept: it does not survive a restart")
        self.assertIn(str(self.state), line["error"])
        self.gate.wait_metric_at_least("penstock_release_state_write_failures_total", 1)


if __name__ == "__main__":
    unittest.main()
