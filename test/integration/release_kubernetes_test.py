"""Releases of a cluster: whoever holds the Lease leads them, and the others follow their status."""

import subprocess
import tempfile
import threading
import unittest

from harness import (DEADLINE_S, INFERENCE_GROUP, GatewayTest, KubeApi, answer, chat_answer,
                     chat_body, eventually, free_port, gateway_objects, http_route, inference_pool,
                     penstock, pod)

CHAT = "/v1/chat/completions"
VERSIONS = ("v1", "v2")
LONG_S = 3 * DEADLINE_S


def route():
    made = http_route()
    made["spec"]["rules"][0]["backendRefs"] = [
        {"group": INFERENCE_GROUP, "kind": "InferencePool", "name": name, "weight": weight}
        for name, weight in (("v1", 100), ("v2", 0))]
    return made


def release(*steps, **spec):
    return {"apiVersion": "penstock.dev/v1alpha1", "kind": "ModelRelease",
            "metadata": {"name": "to-v2"},
            "spec": {"route": {"name": "inference-route"}, "stable": {"name": "v1"},
                     "candidate": {"name": "v2"}, "steps": list(steps), **spec}}


class ClusterReleaseTest(GatewayTest):
    def setUp(self):
        self.api = KubeApi(self.addresses.take())
        self.addCleanup(self.api.stop)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.kubeconfig = self.api.kubeconfig(folder.name)
        self.port = free_port(self.api.address)
        self.servers = {}
        self.stopping = threading.Event()
        self.senders = []
        self.addCleanup(self.stop_sending)

    def hold(self, *objects, v1=chat_answer(), v2=chat_answer()):
        """The cluster has these, and the versions' pools of one server each."""
        for name, script in zip(VERSIONS, (v1, v2)):
            server = self.servers[name] = self.model_server(script, name=f"{name}-0")
            self.api.apply(inference_pool(server.port, name),
                           pod(server.name, server.address, name, server.port, ready=True))
        self.api.apply(*gateway_objects(self.port), route(), *objects)

    def serve(self):
        return self.gateway([], port=self.port, kubeconfig=self.kubeconfig)

    def keep_sending(self, *gateways):
        def send(gateway):
            client = self.client(gateway)
            while not self.stopping.is_set():
                try:
                    client.request("POST", CHAT, [("Content-Type", "application/json")],
                                   chat_body("hi"))
                    client.read_response()
                except (OSError, ConnectionError):
                    return  # it was ended
        for gateway in gateways:
            thread = threading.Thread(target=send, args=(gateway,), daemon=True)
            thread.start()
            self.senders.append(thread)

    def stop_sending(self):
        self.stopping.set()
        for thread in self.senders:
            thread.join(DEADLINE_S)
        self.senders.clear()
        self.stopping.clear()

    def served_by(self, gateway, count):
        """How many of so many requests each version serves; nobody else sends any."""
        before = {name: len(server.requests) for name, server in self.servers.items()}
        client = self.client(gateway)
        for _ in range(count):
            client.request("POST", CHAT, [("Content-Type", "application/json")], chat_body("hi"))
            client.read_response()
        return {name: len(server.requests) - before[name]
                for name, server in self.servers.items()}

    def wait_all_to(self, gateway, version):
        wanted = {name: 20 if name == version else 0 for name in VERSIONS}
        eventually(lambda: self.served_by(gateway, 20) == wanted, f"all to {version}", LONG_S)

    def said(self):
        """What stands in the object's status."""
        return self.api.get("ModelRelease", "to-v2").get("status", {})

    def wait_said(self, phase, step=None):
        def is_said():
            status = self.said()
            fits = status.get("phase") == phase and step in (None, status.get("step"))
            return status if fits else None
        return eventually(is_said, f"{phase}, step {step} in the status", LONG_S)

    def wait_share(self, gateway, percent):
        """Until that gateway routes by that share of the candidate."""
        gateway.wait_metric("penstock_release_weight_ratio", percent / 100, deadline_s=LONG_S,
                            version="candidate")

    def wait_counted(self, gateway):
        """Until requests are counted there, as those are that are routed when it leads. How many of
        the stable version it has then."""
        def samples():
            return gateway.metrics().sum("penstock_release_samples", version="stable")
        before = samples()

        def counted():
            self.served_by(gateway, 5)
            return samples() > before
        eventually(counted, "requests that are counted", LONG_S)
        return samples()

    def events(self):
        return self.api.all("Event")


class OneGatewayTest(ClusterReleaseTest):
    def test_its_object_says_how_far_it_came_and_events_tell_of_steps(self):
        self.hold(release({"weight": 20, "samplesMin": 10}, {"weight": 60, "pause": "1h"},
                          criteria={"errorRate": 0.5}))
        gateway = self.serve()
        self.keep_sending(gateway)
        status = self.wait_said("Progressing", step=2)
        self.stop_sending()
        self.assertEqual((status["steps"], status["weight"]), (2, 60))
        self.assertIn("step 2 of 2, 60 % of requests to v2", status["message"])
        self.assertEqual(status["stable"]["weightPercent"], 40)
        state = status["state"]
        self.assertEqual((state["phase"], state["step"], state["candidate"][-2:]),
                         ("Progressing", 1, "v2"))
        self.assertEqual([t["to"] for t in state["history"]], ["Progressing", "Progressing"])
        accepted, = [c for c in status["conditions"] if c["type"] == "Accepted"]
        self.assertEqual((accepted["status"], accepted["observedGeneration"]), ("True", 1))

        events = eventually(lambda: len(self.events()) >= 2 and self.events(), "two Events")
        made = self.api.get("ModelRelease", "to-v2")
        for event, transition in zip(events, state["history"], strict=True):
            self.assertEqual(event["involvedObject"], {
                "apiVersion": "penstock.dev/v1alpha1", "kind": "ModelRelease",
                "namespace": "default", "name": "to-v2", "uid": made["metadata"]["uid"]})
            self.assertEqual((event["type"], event["reason"], event["message"]),
                             ("Normal", "Progressing", transition["reason"]))
            self.assertEqual(event["reportingComponent"], "penstock")

    def test_its_object_says_what_it_is_to_do_and_the_command_does_not(self):
        self.hold(release({"weight": 10, "pause": "1h"}))
        gateway = self.serve()
        self.wait_said("Progressing")
        self.api.patch_spec("ModelRelease", "to-v2", paused=True)
        self.wait_said("Paused")
        self.api.patch_spec("ModelRelease", "to-v2", paused=None)
        self.wait_said("Progressing")
        self.api.patch_spec("ModelRelease", "to-v2", request="Promote")
        self.wait_said("Promoted")
        self.wait_all_to(gateway, "v2")
        self.api.patch_spec("ModelRelease", "to-v2", request="Abort")
        self.wait_said("Aborted")
        self.wait_all_to(gateway, "v1")
        done = subprocess.run(
            [penstock(), "release", "pause", "to-v2", "--admin",
             f"{gateway.address}:{gateway.admin_port}"],
            capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("spec.paused", done.stderr)

    def test_what_comes_back_of_its_status_is_no_other_configuration(self):
        self.hold(release({"weight": 50, "pause": "1h"}))
        gateway = self.serve()
        self.wait_share(gateway, 50)
        samples = self.wait_counted(gateway)
        generation = gateway.metrics().sum("penstock_configuration_generation")
        eventually(lambda: self.said()["stable"]["samples"] >= samples, "samples in the status",
                   LONG_S)
        # Later than all that was told before.
        self.api.apply(pod("late", "127.0.0.1", "v1", ready=True))
        eventually(lambda: "late" in gateway.endpoints(), "a Pod that came later")
        self.assertEqual(gateway.metrics().sum("penstock_configuration_generation"),
                         generation + 1)

    def test_it_goes_on_from_its_status_after_a_restart(self):
        self.hold(release({"weight": 10, "samplesMin": 3}, {"weight": 50, "pause": "1h"}))
        gateway = self.serve()
        self.keep_sending(gateway)
        before = self.wait_said("Progressing", step=2)
        self.stop_sending()
        gateway.signal()
        self.assertEqual(gateway.wait_exit(), 0)
        gateway = self.serve()
        # From its first moment, before it has the Lease.
        served = self.served_by(gateway, 200)
        self.assertTrue(60 < served["v2"] < 140, served)
        samples = self.wait_counted(gateway)
        status = eventually(lambda: (s := self.said())["stable"]["samples"] >= samples and s,
                            "samples in the status", LONG_S)
        self.assertEqual((status["phase"], status["step"]), ("Progressing", 2))
        self.assertEqual(status["state"]["history"], before["state"]["history"])

    def test_a_status_that_is_nonsense_is_told_and_the_release_begins_anew(self):
        made = release({"weight": 10, "pause": "1h"})
        made["status"] = {"phase": "Progressing", "step": [7], "state": {"phase": 3, "step": "x"}}
        self.hold(made)
        gateway = self.serve()
        line = gateway.wait_line(
            "The status of a release cannot be read: it begins anew", release="default/to-v2")
        self.assertIn("phase", line["error"])
        self.assertEqual(line["level"], "warning")
        status = self.wait_said("Progressing", step=1)
        self.assertEqual(status["state"]["phase"], "Progressing")
        self.assertEqual(len(status["state"]["history"]), 1)


class TwoGatewaysTest(ClusterReleaseTest):
    def serve_two(self):
        """The one that leads, and the other."""
        first = self.serve()
        first.wait_metric("penstock_kube_leader", 1)
        second = self.serve()
        second.wait_metric("penstock_kube_leader", 0)
        return first, second

    def test_both_send_its_share_and_who_leads_next_goes_on(self):
        self.hold(release({"weight": 10, "samplesMin": 5}, {"weight": 40, "pause": "1h"},
                          {"weight": 80, "samplesMin": 5}, criteria={"errorRate": 0.5}))
        leader, other = self.serve_two()
        self.keep_sending(leader)
        before = self.wait_said("Progressing", step=2)
        self.stop_sending()
        for gateway in (leader, other):
            self.wait_share(gateway, 40)
            eventually(lambda: self.served_by(gateway, 100)["v2"] > 25, "its share", LONG_S)
            served = self.served_by(gateway, 500)
            # 200 expected, standard deviation 11
            self.assertTrue(145 < served["v2"] < 255, served)
        self.assertEqual(other.metrics().sum("penstock_kube_leader"), 0)
        self.assertEqual(other.metrics().sum("penstock_release_step"), 2)

        leader.signal()
        self.assertEqual(leader.wait_exit(), 0)
        other.wait_metric("penstock_kube_leader", 1, deadline_s=LONG_S)
        served = self.served_by(other, 500)
        self.assertTrue(145 < served["v2"] < 255, served)
        samples = self.wait_counted(other)
        status = eventually(lambda: (s := self.said())["stable"]["samples"] >= samples and s,
                            "samples of the one that leads now", LONG_S)
        self.assertEqual((status["phase"], status["step"]), ("Progressing", 2))
        self.assertEqual(status["state"]["history"], before["state"]["history"])
        self.assertEqual(status["state"]["samples"]["window"],
                         before["state"]["samples"]["window"])

        # Its second step is over.
        self.api.patch_spec("ModelRelease", "to-v2", steps=[
            {"weight": 10, "samplesMin": 5}, {"weight": 40, "samplesMin": 5},
            {"weight": 80, "samplesMin": 5}])
        self.keep_sending(other)
        status = self.wait_said("Promoted")
        self.stop_sending()
        self.assertEqual([t["to"] for t in status["state"]["history"]],
                         ["Progressing"] * 3 + ["Promoted"])
        self.wait_all_to(other, "v2")
        # Each has told what it has done, once.
        eventually(lambda: len(self.events()) >= 4, "the Events")
        self.assertEqual([e["reason"] for e in self.events()],
                         ["Progressing"] * 3 + ["Promoted"])

    def test_what_the_leader_rolls_back_is_rolled_back_at_both(self):
        self.hold(release({"weight": 50, "pause": "1h"}, criteria={"errorRate": 0.05}),
                  v2=answer(500, b'{"error":{}}', reason="Error"))
        leader, other = self.serve_two()
        self.wait_share(other, 50)
        self.keep_sending(leader, leader)
        status = self.wait_said("RolledBack")
        self.stop_sending()
        self.assertIn("100 % of the candidate's", status["state"]["history"][-1]["reason"])
        for gateway in (leader, other):
            self.wait_share(gateway, 0)
            self.wait_all_to(gateway, "v1")
        warning = eventually(lambda: [e for e in self.events() if e["type"] == "Warning"],
                             "an Event")
        self.assertEqual([e["reason"] for e in warning], ["RolledBack"])
        leader.signal()
        self.assertEqual(leader.wait_exit(), 0)
        other.wait_metric("penstock_kube_leader", 1, deadline_s=LONG_S)
        self.wait_all_to(other, "v1")
        self.assertEqual(self.said()["state"]["history"], status["state"]["history"])


if __name__ == "__main__":
    unittest.main()
