#!/usr/bin/env python3
"""How long a change takes from the API server's answer to the traffic, and what it costs.

    PENSTOCK=PROGRAM test/kubernetes/change_to_traffic.py [--pods 5000] [--routes 500] [--pools 100]
                                                          [--changes 200]

It starts a rig of its own (rig/README.md; root) with so many objects, and the gateway in it. All
Pods are one simulated model server, which answers at all addresses of 127.0.0.0/8. It prints a
table: Pods made Ready and not, weights of a route moved; and CPU time and memory of the gateway.
"""

import argparse
import concurrent.futures
import contextlib
import functools
import http.client
import json
import os
import pathlib
import ssl
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test/integration"))

from cluster import API_SERVER, Cluster
from harness import Client, Deadline, Gateway, eventually, gateway_objects, penstock

ADDRESS = "10.246.0.1"
PORT = 8080
MODEL = "/models/Qwen3-32B"
GROUP = "inference.networking.k8s.io"
PODS = "/api/v1/namespaces/default/pods"
ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes"
POOLS = f"/apis/{GROUP}/v1/namespaces/default/inferencepools"
WRITERS = 8
PATIENCE_S = 300
APART_S = 0.1


class Api:
    """The API server by its own words: kubectl takes longer than what is measured."""

    def __init__(self, cluster):
        self._context = ssl.create_default_context(cafile=cluster.certificates / "ca.crt")
        self._context.load_cert_chain(cluster.certificates / "admin.crt",
                                      cluster.certificates / "admin.key")
        self._threads = threading.local()

    def send(self, method, path, body):
        if not hasattr(self._threads, "connection"):
            self._threads.connection = http.client.HTTPSConnection(*API_SERVER,
                                                                   context=self._context)
        connection = self._threads.connection
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        connection.request(method, path, json.dumps(body), {"Content-Type": kind})
        answer = connection.getresponse()
        said = answer.read()
        if answer.status >= 300:
            raise AssertionError(f"{method} {path}: {answer.status} {said[:500]}")

    def set_ready(self, name, ready, address):
        condition = {"type": "Ready", "status": str(ready)}
        self.send("PATCH", f"{PODS}/{name}/status", {"status": {
            "phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
            "conditions": [condition]}})


def pool(name):
    return {"apiVersion": f"{GROUP}/v1", "kind": "InferencePool", "metadata": {
                "name": name, "annotations": {"penstock.dev/picker": "built-in"}},
            "spec": {"selector": {"matchLabels": {"pool": name}}, "targetPorts": [{"number": 8000}],
                     "endpointPickerRef": {"name": "picker", "port": {"number": 9002}}}}


def route(name, *backends):
    """To pools with their weights, at a path of its own."""
    refs = [{"group": GROUP, "kind": "InferencePool", "name": name, "weight": weight}
            for name, weight in backends]
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": name},
            "spec": {"parentRefs": [{"name": "gateway"}], "rules": [{
                "matches": [{"path": {"type": "PathPrefix", "value": f"/{name}"}}],
                "filters": [{"type": "URLRewrite", "urlRewrite": {"path": {
                    "type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}],
                "backendRefs": refs}]}}


def weights(on):
    """The route "weights": to the pool that has a Pod, or to the one that has none."""
    return route("weights", ("pool-0", int(on)), ("pool-1", int(not on)))


def pod(name, pool_name):
    """On a node that there is not: whoever starts Pods leaves it alone."""
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "labels": {"pool": pool_name}},
            "spec": {"nodeName": "elsewhere", "automountServiceAccountToken": False,
                     "containers": [{"name": "server", "image": "example.com/server"}]}}


def address_of(number):
    return f"127.1.{number // 250}.{number % 250 + 1}"


def create_objects(api, options):
    """pool-0 has one Pod, pool-1 none; pool-2 and so on have the others, evenly."""
    def create(path, objects):
        with concurrent.futures.ThreadPoolExecutor(WRITERS) as writers:
            list(writers.map(lambda each: api.send("POST", path, each), objects))

    def create_pod(number):
        name, full = f"pod-{number}", 2 + number % (options.pools - 2)
        api.send("POST", PODS, pod(name, f"pool-{full if number else 0}"))
        api.set_ready(name, True, address_of(number))

    create(POOLS, [pool(f"pool-{i}") for i in range(options.pools)])
    create(ROUTES, [route(f"route-{i}", (f"pool-{2 + i % (options.pools - 2)}", 1))
                    for i in range(options.routes - 2)])
    create(ROUTES, [route("ready", ("pool-0", 1)), weights(True)])
    with concurrent.futures.ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(create_pod, range(options.pods)))


def status_of(client, name):
    client.request("POST", f"/{name}/v1/completions",
                   body={"model": MODEL, "prompt": "hello", "max_tokens": 1})
    return client.read_response().status


def delays_ms(changes, name, change):
    """Of so many changes there and back: from the API's answer to a request that shows it."""
    delays = []
    with Client(ADDRESS, PORT) as client:
        for turn in range(changes):
            served = turn % 2 == 1
            change(served)
            began = time.monotonic()
            while status_of(client, name) != (200 if served else 503):
                if time.monotonic() - began > PATIENCE_S:
                    raise Deadline(f"{name} is not as it should be: served={served}")
            delays.append((time.monotonic() - began) * 1000)
    return sorted(delays)


def cpu_s(pid):
    """CPU seconds of each thread, {its id: seconds}."""
    spent = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        fields = (task / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        spent[task.name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return spent


def resident_mb(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1000


def cpu_of(pid, what):
    """CPU seconds of each thread while what() runs, and how long that takes."""
    began, before = time.monotonic(), cpu_s(pid)
    what()
    took = time.monotonic() - began
    return {thread: cpu - before.get(thread, 0) for thread, cpu in cpu_s(pid).items()}, took


class IdleCpu:
    """What each thread of a gateway uses while nothing changes."""

    def __init__(self, pid):
        self._pid = pid
        spent, took = cpu_of(pid, lambda: threading.Event().wait(10))
        self._rates = {thread: cpu / took for thread, cpu in spent.items()}
        self.share = sum(self._rates.values())

    def beyond(self, what):
        """CPU seconds that what() costs. By thread: one that does less meanwhile saves nothing."""
        spent, took = cpu_of(self._pid, what)
        return sum(max(0, cpu - self._rates.get(thread, 0) * took) for thread, cpu in spent.items())


def all_at_once(changes, change):
    with concurrent.futures.ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(change, range(changes)))


def one_by_one(changes, change):
    """So far apart that none is taken up together with another."""
    apart = threading.Event()
    for number in range(changes):
        change(number)
        apart.wait(APART_S)


def print_row(change, delays):
    shown = (delays[len(delays) // 2], delays[len(delays) * 99 // 100], delays[-1])
    print(f"| {change} | {' | '.join(f'{delay:.0f} ms' for delay in shown)} |", flush=True)


@contextlib.contextmanager
def running_gateway(cluster, *arguments):
    """Its process id, as soon as it serves."""
    began = time.monotonic()
    gateway = Gateway(ADDRESS, [], ["--lease", "envoy-gateway-system/inference-gateway-ext-proc",
                                    "--log-level", "warning", "--no-request-log", *arguments],
                      port=PORT, kubeconfig=cluster.controller_kubeconfig)
    try:
        with Client(ADDRESS, PORT) as client:
            eventually(lambda: status_of(client, "ready") == 200, "service", PATIENCE_S)
        print(f"\nserved {time.monotonic() - began:.1f} s after the start", flush=True)
        yield gateway.process.pid
    finally:
        gateway.stop()


class Measurement:
    def __init__(self, cluster, api, options):
        self._cluster, self._api, self._options = cluster, api, options

    def set_probe(self, ready):
        self._api.set_ready("pod-0", ready, address_of(0))

    def set_weights(self, on):
        self._api.send("PATCH", f"{ROUTES}/weights", {"spec": weights(on)["spec"]})

    def toggle_pod(self, number):
        """Another Pod each time; then all of them back."""
        which = 1 + number % 500 % (self._options.pods - 1)
        self._api.set_ready(f"pod-{which}", number >= 500, address_of(which))

    def delays(self):
        with running_gateway(self._cluster) as pid:
            print("\n| change | p50 | p99 | most |\n|---|---|---|---|")
            changes = self._options.changes
            print_row("a Pod is Ready, or is not", delays_ms(changes, "ready", self.set_probe))
            print_row("the weights of a route", delays_ms(changes, "weights", self.set_weights))
            print(f"\nresident {resident_mb(pid):.0f} MB", flush=True)

    def cpu(self):
        """Endpoints are all but left alone: reading their metrics would be most of it."""
        with running_gateway(self._cluster, "--scrape-rate-max", "10") as pid:
            print("\n| CPU of 1,000 changes | |\n|---|---|")
            idle = IdleCpu(pid)
            burst = idle.beyond(lambda: all_at_once(1000, self.toggle_pod))
            print(f"| Pods, as fast as the API takes them | {burst:.2f} s |", flush=True)
            for name, change in (("Pods, one by one", lambda n: self.set_probe(n % 2 == 1)),
                                 ("weights, one by one", lambda n: self.set_weights(n % 2 == 1))):
                spent = idle.beyond(functools.partial(one_by_one, self._options.changes, change))
                print(f"| {name} | {spent * 1000 / self._options.changes:.2f} s |", flush=True)
            print(f"\nwithout a change {idle.share * 100:.0f} % of a core; "
                  f"resident {resident_mb(pid):.0f} MB", flush=True)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    for name, default in (("pods", 5000), ("routes", 500), ("pools", 100), ("changes", 200)):
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


def main():
    options = parse()
    cluster = Cluster(os.environ.get("KUBERIG_NAME", "changes"), {})
    cluster.start()
    servers = None
    try:
        servers = subprocess.Popen([penstock(), "sim", "--listen", "0.0.0.0:8000",
                                    "--preset", "instant", "--model", MODEL])
        api = Api(cluster)
        eventually(lambda: "default" in cluster.kubectl("get", "serviceaccounts"), "accounts")
        cluster.create(*gateway_objects(PORT, name="gateway"))
        began = time.monotonic()
        create_objects(api, options)
        print(f"{options.pods} Pods, {options.routes} HTTPRoutes and {options.pools} pools "
              f"within {time.monotonic() - began:.0f} s", flush=True)
        measurement = Measurement(cluster, api, options)
        measurement.delays()
        measurement.cpu()
    finally:
        if servers:
            servers.terminate()
            servers.wait()
        cluster.stop()


if __name__ == "__main__":
    main()
