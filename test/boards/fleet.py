"""Gateways before simulated model servers, and clients: everything happens that boards show."""

import json
import subprocess
import threading

from harness import (INFERENCE_GROUP, Client, Deadline, Ended, KubeApi, TlsTest, chat_body,
                     eventually, exchange, free_port, gateway_objects, http_route, inference_pool,
                     penstock, pod, traffic_policy)
from harness.disaggregation import ROLE_LABEL
from harness.gateway import _die_with_parent

MODEL = "/models/Qwen3-32B"
CHAT = "/v1/chat/completions"
KEYS = {"alice": "sk-a", "bob": "sk-b"}
CHAT_POOL = {
    "penstock.dev/queueing": "true", "penstock.dev/queue-timeout": "200ms",
    "penstock.dev/queue-requests-max": "2", "penstock.dev/saturation-requests": "2",
    "penstock.dev/max-requests": "6"}
PROMPT = "Say again what was said before, with all of its words and in their order. " * 20


def backend(pool, **fields):
    return {"group": INFERENCE_GROUP, "kind": "InferencePool", "name": pool, **fields}


def routes():
    """chat: keys, sessions, a mirror, a queue. release: v1 and v2. pd: prefill and decode apart."""
    chat = http_route("chat", name="chat", sessionPersistence={})
    chat["metadata"]["annotations"] = {"penstock.dev/api-keys": "app=keys"}
    chat["spec"]["rules"][0] |= {"name": "chat", "filters": [
        {"type": "RequestMirror", "requestMirror": {"backendRef": backend("v1"),
                                                    "fraction": {"numerator": 1,
                                                                 "denominator": 10}}}]}
    release = http_route("v1", name="release")
    release["spec"]["rules"][0]["backendRefs"] = [backend("v1", weight=100),
                                                  backend("v2", weight=0)]
    pd = http_route("pd", name="pd")
    for route in (chat, release, pd):
        route["spec"]["hostnames"] = [f"{route['metadata']['name']}.example"]
    return [chat, release, pd]


def pool(name, port, annotations=None, strategy="PREFIX_CACHE"):
    made = inference_pool(port, name, strategy=strategy, annotations=annotations)
    if name == "pd":
        del made["spec"]["extensionRef"]
    return made


RELEASE = {"apiVersion": "penstock.dev/v1alpha1", "kind": "ModelRelease",
           "metadata": {"name": "to-v2"},
           "spec": {"route": {"name": "release"}, "stable": {"name": "v1"},
                    "candidate": {"name": "v2"},
                    "steps": [{"weight": 50, "pause": "4s"}, {"weight": 60, "pause": "1h"}],
                    "criteria": {"errorRate": 0.05, "ttft": 50, "tpot": 50}}}
SECRET = {"apiVersion": "v1", "kind": "Secret", "stringData": KEYS,
          "metadata": {"name": "keys", "labels": {"app": "keys"}}}


class FleetTest(TlsTest):
    """`fleet` runs, with clients that ask all the time; admin ports in `targets`."""

    def setUp(self):
        super().setUp()
        self.port = 8000
        self.pods, self.replicas = [], {}
        self.stopping = threading.Event()
        self.clients = []
        for name, count in (("chat", 3), ("v1", 1), ("v2", 1)):
            self.fleet(name, name, count)
        for role, count in (("prefill", 1), ("decode", 2)):
            self.fleet("pd", role, count, "--role", role)
        self.fault("chat-0", "busy-beyond=1")
        self.fault("decode-1", "error=500")
        self.targets = [self.start_gateway(), self.start_gateway_of_a_cluster()]
        self.start_clients()

    # Model servers

    def fleet(self, of_pool, name, count, *arguments):
        addresses = self.addresses.take(count)
        addresses = [addresses] if count == 1 else addresses
        process = subprocess.Popen(
            [penstock(), "sim", "--model", MODEL, "--name", name, "--replicas", str(count),
             "--listen", f"{addresses[0]}:{self.port}", "--speed", "3", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=_die_with_parent)
        self.addCleanup(self.end, process)
        line = process.stdout.readline().decode()
        self.assertTrue(line.startswith(f"Serving {MODEL} on "), line)
        for i, address in enumerate(addresses):
            made = pod(f"{name}-{i}", address, of_pool, self.port)
            if of_pool == "pd":
                made["metadata"]["labels"][ROLE_LABEL] = name
            self.pods.append(made)
            self.replicas[f"{name}-{i}"] = address

    def end(self, process):
        process.terminate()
        process.communicate()

    def fault(self, replica, fault):
        done = exchange(self.replicas[replica], self.port, "POST", "/sim/fault",
                        [("content-type", "application/json")],
                        json.dumps({"fault": fault}).encode())
        self.assertEqual(done.status, 200, done)

    # Gateways

    def start_gateway(self):
        pools = [pool("chat", self.port, CHAT_POOL), pool("v1", self.port), pool("v2", self.port),
                 pool("pd", self.port, strategy=None), traffic_policy("vllm", pool="pd")]
        self.penstock = self.gateway(
            [*routes(), *pools, SECRET, *self.pods],
            arguments=("--workers", "1", "--limit", "request_body_bytes=100000",
                       "--release-state", f"{self.scratch()}/releases.json"))
        self.tls_port = free_port(self.penstock.address)
        self.penstock.write("gateway.yaml", self.objects(
            [self.listener("https", "chat.example", "certificate")],
            [self.issued("certificate", "chat.example")], self.penstock.port))
        eventually(lambda: self.is_open(self.penstock), "the HTTPS port is open")
        self.penstock.wait_scraped()
        return f"{self.penstock.address}:{self.penstock.admin_port}"

    def start_gateway_of_a_cluster(self):
        api = KubeApi(self.addresses.take())
        self.addCleanup(api.stop)
        port = free_port(api.address)
        api.apply(*gateway_objects(port))
        gateway = self.gateway([], port=port, kubeconfig=api.kubeconfig(self.scratch()),
                               arguments=("--workers", "1"))
        return f"{gateway.address}:{gateway.admin_port}"

    # Clients

    def start_clients(self):
        self.addCleanup(self.stop_clients)  # before the gateways end
        for i in range(7):
            self.keep(self.chat, "chat.example", list(KEYS)[i % 2])
        self.keep(self.chat, "release.example")
        self.keep(self.chat, "pd.example")
        self.keep(self.over_tls)
        self.keep(self.too_long)
        self.keep(self.nowhere)

    def begin_release(self):
        """When there is something to compare, and somebody who sees its steps; and two faults."""
        self.penstock.wait_metric_at_least("penstock_completion_tokens_total", 20,
                                           pool="default/v1")
        self.fault("v2-0", "error=500")
        self.fault("chat-2", "die")
        self.penstock.write("release.yaml", [RELEASE])

    def keep(self, ask, *arguments):
        """Asks again and again, in a thread of its own, with a pause for the machine's sake."""
        def run():
            while not self.stopping.wait(0.05):
                try:
                    ask(*arguments)
                except (OSError, Ended, Deadline):
                    self.stopping.wait(0.2)
        client = threading.Thread(target=run, daemon=True)
        client.start()
        self.clients.append(client)

    def stop_clients(self):
        self.stopping.set()
        for client in self.clients:
            client.join()

    def chat(self, host, owner=None):
        headers = [("Authorization", f"Bearer {KEYS[owner]}")] if owner else []
        client = Client(self.penstock.address, self.penstock.port)
        try:
            client.request("POST", CHAT, headers, chat_body(
                PROMPT, MODEL, stream=True, max_tokens=12, ignore_eos=True,
                stream_options={"include_usage": True}), host=host)
            client.read_response()
        finally:
            client.close()

    def over_tls(self):
        client = Client(self.penstock.address, self.tls_port)
        try:
            client._socket = self.context().wrap_socket(client._socket,
                                                        server_hostname="chat.example")
            client.request("GET", "/v1/models", host="chat.example")
            client.read_response()
        finally:
            client.close()
        self.stopping.wait(0.5)

    def too_long(self):
        exchange(self.penstock.address, self.penstock.port, "POST", CHAT, [],
                 b"x" * 100001, "chat.example")
        self.stopping.wait(0.5)

    def nowhere(self):
        exchange(self.penstock.address, self.penstock.port, "GET", "/", [], None, "no.example")
        self.stopping.wait(0.5)
