"""Penstock as its users have it: installed on a real API server, spoken to by kubectl and HTTP.

It starts a rig of its own (rig/README.md) and ends it: it needs root, and what rig/setup.sh builds.
PENSTOCK=PROGRAM (build/penstock) is the program of the gateway's image and of the model servers'.
"""

import itertools
import json
import os
import pathlib
import signal
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test/integration"))

from cluster import Cluster
from harness import (INFERENCE_GROUP, Ended, Gateway, eventually, exchange, gateway_objects,
                     http_route, inference_pool, penstock)
from tokens import ShortTokens
from traffic import Traffic

MANIFESTS = ROOT / "test/data/manifests"
NAMESPACE = "envoy-gateway-system"
ACCOUNT = "inference-gateway-ext-proc"
GATEWAY = "deploy/inference-gateway-ext-proc"
PORT = 8080
MODEL = "/models/Qwen3-32B"
WORKLOAD = "alibabacloud.com/inference-workload"
BACKEND = "alibabacloud.com/inference_backend"
ROLE = "rolebasedgroup.workloads.x-k8s.io/role"
VLLM = "docker.io/vllm/vllm-openai:v0.10.0"
SGLANG = "docker.io/lmsysorg/sglang:v0.5.0"
PATIENCE_S = 120
AWAY_S = 60
TOKEN_LIFE_S = 15
OWN_ADDRESS = "10.246.0.1"

numbers = itertools.count()
cluster = Cluster(os.environ.get("KUBERIG_NAME", "scenarios"), {
    "/penstock": penstock(),
    "/vllm-openai": f"{penstock()} sim --runtime vllm",
    "/sglang": f"{penstock()} sim --runtime sglang"})


def setUpModule():
    unittest.addModuleCleanup(cluster.stop)
    cluster.start()
    cluster.kubectl("apply", "--server-side", "-f", ROOT / "deploy/install.yaml")


def soon(condition, what):
    return eventually(condition, what, deadline_s=PATIENCE_S)


def model_server(labels, image, arguments):
    """What a Pod of a model server is, but for its name: as long as it is being taken out of use it
    goes on serving."""
    def field(name, path):
        return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
    return {
        "metadata": {"labels": labels},
        "spec": {"terminationGracePeriodSeconds": 30, "containers": [{
            "name": "server", "image": image,
            "args": ["--listen=$(POD_IP):8000", "--name=$(POD_NAME)", *arguments],
            "env": [field("POD_IP", "status.podIP"), field("POD_NAME", "metadata.name")],
            "readinessProbe": {"httpGet": {"path": "/health", "port": 8000}, "periodSeconds": 1},
            "lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}]}}


def deployment(name, labels, replicas=1, image=VLLM, arguments=()):
    labels = {**labels, "app": name}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                     "template": model_server(labels, image, arguments)}}


def vllm(replicas):
    return deployment("vllm", {WORKLOAD: "vllm-inference"}, replicas)


def sglang(role):
    return deployment(role, {BACKEND: "sglang", ROLE: role}, 2, SGLANG,
                      [f"--role={role}", "--bootstrap-port=34000"])


class ScenarioTest(unittest.TestCase):
    def create(self, *manifests):
        """`kubectl create -f` of those of the users', which are gone after the test."""
        files = [f"-f={MANIFESTS / name}.yaml" for name in manifests]
        self.addCleanup(cluster.kubectl, "delete", "--ignore-not-found", *files)
        cluster.kubectl("create", *files)

    def run_servers(self, *deployments):
        for each in deployments:
            self.addCleanup(cluster.kubectl, "delete", "deployment", each["metadata"]["name"],
                            "--cascade=foreground")
        cluster.create(*deployments)
        for each in deployments:
            cluster.kubectl("rollout", "status", "deployment", each["metadata"]["name"])

    def address(self):
        """As the users of the product ask for it."""
        return soon(lambda: cluster.kubectl("get", "gateway/inference-gateway", "-o",
                                            "jsonpath={.status.addresses[0].value}"),
                    "an address of the Gateway")

    def post(self, body):
        """The answer, and the log line that tells of it."""
        request_id = f"{self.id()}-{next(numbers)}"
        answer = exchange(self.address(), PORT, "POST", "/v1/chat/completions",
                          [("x-request-id", request_id)], body)
        self.assertEqual(answer.status, 200, answer)
        return answer, soon(lambda: next((line for line in self.handled()
                                          if line["request_id"] == request_id), None),
                            f"the log line of {request_id}")

    def chat(self):
        return self.post({"model": MODEL, "max_tokens": 4,
                          "messages": [{"role": "user", "content": "hello"}]})

    def wait_served(self):
        """Until a chat is answered, since load balancer and gateway learn of things one by one. Its
        log line."""
        def served():
            try:
                return self.chat()[1]
            except (OSError, Ended, AssertionError):
                return None
        return soon(served, "an answer to a chat")

    def handled(self):
        """`kubectl logs deploy/inference-gateway-ext-proc | grep "Request Handled"`."""
        lines = cluster.kubectl("logs", GATEWAY, "-n", NAMESPACE).splitlines()
        return [json.loads(line) for line in lines if '"Request Handled"' in line]

    def pods_of_last(self, count):
        return {line["pod"] for line in self.handled()[-count:]}


class ManifestsTest(ScenarioTest):
    def test_two_rounds_of_a_conversation_go_to_one_replica(self):
        self.create("gateway_networking", "vllm-single-prefix")
        self.run_servers(vllm(3))
        self.wait_served()
        lines = []
        for name in ("round1", "round2"):
            answer, line = self.post((MANIFESTS / f"{name}.json").read_bytes())
            self.assertEqual(answer.events()[-1], "[DONE]")
            lines.append(line)
        first, second = lines
        self.assertEqual((first["outcome"], second["outcome"]), ("complete", "complete"))
        self.assertEqual((first["candidates"], second["candidates"]), (3, 3))
        self.assertEqual(first["pod"], second["pod"])
        self.assertEqual((first["prefix_hit_blocks"], second["prefix_hit_blocks"]), (0, 6))
        self.assertGreater(second["cached_tokens"], 0)

    def test_each_of_the_manifests_is_served(self):
        self.create("gateway_networking")
        for runtime, workload, image in (
                ("vllm-single", "vllm-inference", VLLM), ("sglang-single", "sgl-inference", SGLANG),
                ("vllm-distributed", "vllm-multi-nodes", VLLM),
                ("sglang-distributed", "sglang-multi-nodes", SGLANG)):
            labels = {WORKLOAD: workload, "role": "leader"}
            self.run_servers(deployment(runtime, labels, image=image))
            for policy in ("default", "prefix"):
                with self.subTest(runtime, policy=policy):
                    self.create(f"{runtime}-{policy}")
                    self.assertRegex(self.wait_served()["pod"], f"^{runtime}-")
                    cluster.kubectl("delete", f"-f={MANIFESTS}/{runtime}-{policy}.yaml")

    def test_prefill_and_decode_are_different_replicas(self):
        self.create("gateway_networking")
        self.run_servers(sglang("prefill"), sglang("decode"))
        for policy in ("sglang-pd-default", "sglang-pd-prefix"):
            with self.subTest(policy):
                self.create(policy)
                self.wait_served()
                answer, line = self.post((MANIFESTS / "round1.json").read_bytes())
                self.assertEqual(answer.events()[-1], "[DONE]")
                self.assertEqual((line["disaggregation"], line["outcome"], line["recomputed"]),
                                 ("prefill-decode", "complete", False))
                self.assertRegex(line["prefill_pod"], "^prefill-")
                self.assertRegex(line["pod"], "^decode-")
                cluster.kubectl("delete", f"-f={MANIFESTS}/{policy}.yaml")


class ReleaseTest(ScenarioTest):
    """Of a Deployment to another, which its object leads and tells of."""

    def setUp(self):
        self.run_servers(deployment("v1", {}), deployment("v2", {}))
        route = http_route()
        route["spec"]["rules"][0]["backendRefs"] = [
            {"group": INFERENCE_GROUP, "kind": "InferencePool", "name": name, "weight": weight}
            for name, weight in (("v1", 100), ("v2", 0))]
        release = {"apiVersion": "penstock.dev/v1alpha1", "kind": "ModelRelease",
                   "metadata": {"name": "to-v2"},
                   "spec": {"route": {"name": "inference-route"}, "stable": {"name": "v1"},
                            "candidate": {"name": "v2"}, "criteria": {"errorRate": 0.1},
                            "steps": [{"weight": 20, "samplesMin": 20},
                                      {"weight": 60, "pause": "1h"}]}}
        objects = [*gateway_objects(PORT), route, inference_pool(8000, "v1"),
                   inference_pool(8000, "v2"), release]
        self.addCleanup(cluster.kubectl, "delete", "-f", "-", given=json.dumps(
            {"apiVersion": "v1", "kind": "List", "items": objects}))
        cluster.create(*objects)

    def wait_row(self, *cells):
        """Until `kubectl get` shows that."""
        def row():
            return cluster.kubectl("get", "modelrelease", "to-v2", "--no-headers").split()
        soon(lambda: row()[:-1] == ["to-v2", "True", *cells], f"to-v2 {cells}")

    def state(self):
        return cluster.get("modelrelease", "to-v2")["status"]["state"]

    def patch(self, **spec):
        cluster.kubectl("patch", "modelrelease", "to-v2", "--type=merge", "-p",
                        json.dumps({"spec": spec}))

    def test_its_object_says_how_far_it_came_and_what_it_is_to_do(self):
        self.wait_served()
        with Traffic(self.address(), PORT, MODEL) as traffic:
            self.wait_row("Progressing", "2", "60")
            before = self.state()
            cluster.kubectl("rollout", "restart", GATEWAY, "-n", NAMESPACE)
            cluster.kubectl("rollout", "status", GATEWAY, "-n", NAMESPACE)
            soon(lambda: self.state()["samples"]["candidate"]["requests"] >
                 before["samples"]["candidate"]["requests"], "what the next one counts")
            self.assertEqual(self.state()["history"], before["history"])
            self.patch(paused=True)
            self.wait_row("Paused", "2", "60")
            self.patch(paused=None, request="Promote")
            self.wait_row("Promoted", "2", "100")
            traffic.wait_more(50)
        self.assertEqual(traffic.report(), "")
        state = self.state()
        self.assertEqual(state["history"][:2], before["history"])

        def reasons():
            events = cluster.get("events", "--field-selector=involvedObject.name=to-v2")["items"]
            return sorted(event["reason"] for event in events)
        soon(lambda: reasons() == sorted(each["to"] for each in state["history"]), "its Events")
        self.assertIn("Promoted", cluster.kubectl("describe", "modelrelease", "to-v2")
                      .partition("Events:")[2])


class LoadTest(ScenarioTest):
    """Clients that ask all the time, of two replicas at first."""

    def setUp(self):
        self.create("gateway_networking", "vllm-single-prefix")
        self.run_servers(vllm(2))
        self.wait_served()
        self.addCleanup(self.check_never_restarted)

    def traffic(self, **options):
        return Traffic(self.address(), PORT, MODEL, **options)

    def check_never_restarted(self):
        for pod in cluster.get("pods", "-n", NAMESPACE)["items"]:
            self.assertEqual(pod["status"]["containerStatuses"][0]["restartCount"], 0)

    def scale(self, replicas):
        """Until all of them are Ready, and those that are too many are gone."""
        cluster.kubectl("scale", "deployment/vllm", f"--replicas={replicas}")
        soon(lambda: len(self.ready_pods()) == replicas, f"{replicas} Pods that are Ready")

    def ready_pods(self):
        pods = cluster.get("pods", "-l", f"{WORKLOAD}=vllm-inference")["items"]
        return {pod["metadata"]["name"] for pod in pods if any(
            (each["type"], each["status"]) == ("Ready", "True")
            for each in pod["status"].get("conditions", []))}

    def wait_used(self, traffic, count):
        """Until so many of the Ready Pods have answered the latest requests, and no other."""
        ready = self.ready_pods()

        def used():
            traffic.wait_more(50)
            answered = self.pods_of_last(40)
            return len(answered) >= count and answered <= ready
        soon(used, f"answers of {count} of {sorted(ready)}")


class UnderLoadTest(LoadTest):
    """What an operator does on a working day, and clients notice nothing of."""

    def test_a_pool_grows_and_shrinks(self):
        with self.traffic() as traffic:
            traffic.wait_more(50)
            self.scale(50)
            self.wait_used(traffic, 10)
            self.scale(2)
            self.wait_used(traffic, 2)
        self.assertEqual(traffic.report(), "")

    def test_model_servers_are_replaced(self):
        with self.traffic() as traffic:
            traffic.wait_more(50)
            cluster.kubectl("rollout", "restart", "deployment/vllm")
            cluster.kubectl("rollout", "status", "deployment/vllm")
            self.wait_used(traffic, 2)
        self.assertEqual(traffic.report(), "")

    def test_the_gateway_is_replaced(self):
        before = cluster.kubectl("get", "pods", "-n", NAMESPACE, "-o", "name")
        with self.traffic() as traffic, self.traffic(clients=3, tokens=600) as long_answers:
            traffic.wait_more(50)
            cluster.kubectl("rollout", "restart", GATEWAY, "-n", NAMESPACE)
            cluster.kubectl("rollout", "status", GATEWAY, "-n", NAMESPACE)
            cluster.kubectl("wait", "--for=delete", before.strip(), "-n", NAMESPACE,
                            f"--timeout={PATIENCE_S}s")
            traffic.wait_more(50)
        self.assertEqual(traffic.report() + long_answers.report(), "")

    def test_the_api_server_is_restarted(self):
        with self.traffic() as traffic:
            traffic.wait_more(50)
            cluster.start_api_server(cluster.kill_api_server())
            self.scale(4)
            self.wait_used(traffic, 4)
        self.assertEqual(traffic.report(), "")

    def test_the_api_server_is_away_and_a_replica_dies_meanwhile(self):
        doomed = self.run_doomed()
        with self.traffic() as traffic:
            self.wait_used(traffic, 3)
            command = cluster.kill_api_server()
            died = time.monotonic()
            os.killpg(doomed, signal.SIGKILL)
            traffic.wait_for(AWAY_S)
            cluster.start_api_server(command)
            cluster.kubectl("delete", "pod", "doomed", "--grace-period=0", "--force")
            self.scale(4)
            self.wait_used(traffic, 4)
        # What it was answering when it died is lost, and nothing else.
        self.assertEqual([each for each in traffic.failures if each.began > died], [])
        lost = {each.request_id for each in traffic.failures}
        self.assertEqual({line["request_id"] for line in self.handled()
                          if line["request_id"] in lost and line["pod"] == "doomed"}, lost)

    def run_doomed(self):
        """A replica of the pool that nobody starts again; its process."""
        pod = {"apiVersion": "v1", "kind": "Pod", **model_server(
            {WORKLOAD: "vllm-inference"}, VLLM, [])}
        pod["metadata"]["name"] = "doomed"
        pod["spec"]["restartPolicy"] = "Never"
        self.addCleanup(cluster.kubectl, "delete", "pod", "doomed", "--ignore-not-found")
        cluster.create(pod)
        cluster.kubectl("wait", "--for=condition=Ready", "pod/doomed")
        status = cluster.get("pod", "doomed")["status"]
        return int(status["containerStatuses"][0]["containerID"].removeprefix("process://"))


class TokenTest(LoadTest):
    """Who the gateway is to the API server runs out, or is taken away, while it serves."""

    def test_every_token_is_revoked(self):
        with self.traffic() as traffic:
            # Tokens are those of an account's uid: the new one of that name has others.
            cluster.kubectl("delete", "serviceaccount", ACCOUNT, "-n", NAMESPACE)
            cluster.kubectl("apply", "--server-side", "-f", ROOT / "deploy/install.yaml")
            # Watches that are open outlive their token.
            cluster.start_api_server(cluster.kill_api_server())
            self.scale(4)
            self.wait_used(traffic, 4)
        self.assertEqual(traffic.report(), "")

    def test_tokens_run_out_one_after_another(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        with ShortTokens(cluster, NAMESPACE, ACCOUNT, folder.name, TOKEN_LIFE_S) as tokens:
            gateway = Gateway(OWN_ADDRESS, [], ["--lease", f"{NAMESPACE}/{ACCOUNT}"], port=PORT,
                              kubeconfig=tokens.kubeconfig)
            self.addCleanup(gateway.stop)
            self.handled = lambda: [line for line in gateway.lines
                                    if line["message"] == "Request Handled"]
            with Traffic(OWN_ADDRESS, PORT, MODEL) as traffic:
                traffic.wait_for(3 * TOKEN_LIFE_S)
                self.assertIn("must be logged in", cluster.says_who_am_i(tokens.first))
                self.assertEqual([line for line in gateway.lines
                                  if line.get("state", "synced") != "synced"], [])
                cluster.start_api_server(cluster.kill_api_server())
                self.scale(4)
                self.wait_used(traffic, 4)
        self.assertEqual(traffic.report(), "")


if __name__ == "__main__":
    unittest.main()
