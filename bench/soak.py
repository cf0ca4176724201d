#!/usr/bin/env python3
"""The gateway under load beside nginx's plain proxying, in the same run.

Starts four simulated replicas that answer at once, nginx and penstock in front of them, two pools
that are split into prefill and decode, and drives each with wrk in turn (A, B, A, B, ...), so that
a noisy machine disturbs all alike. What counts is the CPU time that a proxy spends per request
(/proc/PID/task/*/schedstat), not the clock. With two cores or more the proxies run on core 0, load
and replicas on core 1.

    bench/soak.py --seconds 4 --rounds 5            # the table of docs/performance.md
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
REPLICAS = [f"127.0.7.{i}" for i in range(11, 15)]
# Two replicas of each role.
SPLIT = {"vllm": {"prefill": "127.0.7.21", "decode": "127.0.7.31"},
         "sglang": {"prefill": "127.0.7.41", "decode": "127.0.7.51"}}
PORT = 8000
MODEL = "bench-model"

NGINX = """daemon off; worker_processes 1; pid {work}/nginx.pid; error_log {work}/nginx.err;
events {{ worker_connections 8192; }}
http {{ access_log off; keepalive_requests 100000000; client_body_buffer_size 1m;
  client_max_body_size 64m; client_body_temp_path {work}/body; proxy_temp_path {work}/proxy;
  fastcgi_temp_path {work}/f; uwsgi_temp_path {work}/u; scgi_temp_path {work}/s;
  upstream replicas {{ {servers} keepalive 256; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://replicas;
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }} }} }}
"""

OBJECTS = """apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{name: penstock}}
spec: {{controllerName: penstock.dev/gateway-controller}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: bench}}
spec:
  gatewayClassName: penstock
  listeners: [{{name: http, protocol: HTTP, port: {port}}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: bench}}
spec:
  parentRefs: [{{name: bench}}]
  rules:
  - backendRefs: [{{group: inference.networking.k8s.io, kind: InferencePool, name: bench}}]
---
apiVersion: inference.networking.k8s.io/v1
kind: InferencePool
metadata:
  name: bench
  annotations: {{inference.networking.x-k8s.io/routing-strategy: {strategy}}}
spec:
  selector: {{matchLabels: {{app: bench}}}}
  targetPorts: [{{number: 8000}}]
"""
POD = """---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{app: bench, role: {role}}}}}
status: {{podIP: {ip}}}
"""
POLICY = """---
apiVersion: inferenceextension.alibabacloud.com/v1alpha1
kind: InferenceTrafficPolicy
metadata: {{name: bench}}
spec:
  poolRef: {{name: bench}}
  modelServerRuntime: {runtime}
  profile: {{pd: {{pdRoleLabelName: role, kvTransfer: {{bootstrapPort: 34000}}}}}}
"""


def cpu_seconds(pid):
    """CPU time of a process and its children, from the scheduler's own counts."""
    total = 0
    pids = [pid]
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    if children.exists():
        pids += [int(child) for child in children.read_text().split()]
    for one in pids:
        for task in pathlib.Path(f"/proc/{one}/task").iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except OSError:
                pass
    return total / 1e9


class Process:
    def __init__(self, name, command, core, log):
        self.name = name
        if os.cpu_count() > 1:
            command = ["taskset", "-c", str(core)] + command
        self.log = open(log, "wb")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def wait_http(url, seconds=20):
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            pass
        if time.monotonic() > end:
            sys.exit(f"{url} did not answer")
        time.sleep(0.05)


def lua(work, name, body, pace_ms=None):
    """What wrk sends; `pace_ms`: how long each connection rests after an answer, about."""
    path = work / f"{name}.lua"
    text = json.dumps(body)
    path.write_text('wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
                    f"wrk.body = {json.dumps(text)}\n" +
                    (f"function delay() return math.random({pace_ms // 2}, {pace_ms * 3 // 2}) "
                     "end\n" if pace_ms else ""))
    return path


def wrk(script, port, connections, seconds):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "30s",
               "-s", str(script), f"http://127.0.0.1:{port}/v1/chat/completions"]
    if os.cpu_count() > 1:
        command = ["taskset", "-c", "1"] + command
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        sys.exit(f"requests failed:\n{text}")
    requests = int(re.search(r"(\d+) requests in", text)[1])
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
    percentiles = {}
    for percent, value, unit in re.findall(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)$", text, re.M):
        percentiles[percent] = float(value) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]
    return requests, rate, percentiles


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="penstock-bench-"))
        self.processes = []

    def start(self, name, command, core):
        process = Process(name, command, core, self.work / f"{name}.log")
        self.processes.append(process)
        return process

    def stop(self):
        for process in reversed(self.processes):
            process.stop()
        shutil.rmtree(self.work, ignore_errors=True)

    def start_all(self):
        penstock = str(self.arguments.penstock)
        self.start("sim", [penstock, "sim", "--runtime", "vllm", "--model", MODEL, "--preset",
                           "instant", "--replicas", str(len(REPLICAS)), "--listen",
                           f"{REPLICAS[0]}:{PORT}"], 1)
        for replica in REPLICAS:
            wait_http(f"http://{replica}:{PORT}/health")
        proxies = {}
        servers = " ".join(f"server {replica}:{PORT};" for replica in REPLICAS)
        (self.work / "nginx.conf").write_text(
            NGINX.format(work=self.work, servers=servers, port=8701))
        nginx = self.start("nginx", ["nginx", "-c", str(self.work / "nginx.conf")], 0)
        proxies["nginx, plain"] = (nginx, 8701)
        pods = [(f"bench-{i}", ip, "both") for i, ip in enumerate(REPLICAS)]
        for strategy, port in (("DEFAULT", 8702), ("PREFIX_CACHE", 8703)):
            proxies[f"penstock, {strategy}"] = self.start_gateway(
                strategy, port, OBJECTS.format(port=port, strategy=strategy), pods)
        for runtime, port in (("vllm", 8704), ("sglang", 8705)):
            proxies[f"penstock, {runtime} pairs"] = self.start_split(runtime, port)
        return proxies

    def start_gateway(self, name, port, objects, pods):
        config = self.work / name
        config.mkdir()
        (config / "gateway.yaml").write_text(
            objects + "".join(POD.format(name=n, ip=ip, role=role) for n, ip, role in pods))
        admin = port + 10
        process = self.start(
            name, [str(self.arguments.penstock), "serve", "-f", str(config), "--bind", "127.0.0.1",
                   "--admin", f"127.0.0.1:{admin}", "--workers", "1", *self.arguments.serve_flags],
            0)
        wait_http(f"http://127.0.0.1:{admin}/readyz")
        return process, port

    def start_split(self, runtime, port):
        pods = []
        for role, first in SPLIT[runtime].items():
            self.start(f"{runtime}-{role}", [
                str(self.arguments.penstock), "sim", "--runtime", runtime, "--role", role,
                "--model", MODEL, "--preset", "instant", "--replicas", "2", "--listen",
                f"{first}:{PORT}", "--bootstrap-port", "34000"], 1)
            wait_http(f"http://{first}:{PORT}/health")
            head, _, last = first.rpartition(".")
            pods += [(f"{role}-{i}", f"{head}.{int(last) + i}", role) for i in range(2)]
        objects = OBJECTS.format(port=port, strategy="DEFAULT") + POLICY.format(runtime=runtime)
        return self.start_gateway(f"{runtime}-pairs", port, objects, pods)

    def measure(self, title, proxies, names, body, connections, per_request=1, unit="request",
                pace_ms=None):
        script = lua(self.work, "post", body, pace_ms)
        runs = {name: [] for name in names}
        for name in names:  # warm up
            wrk(script, proxies[name][1], connections, 1)
        for round_ in range(self.arguments.rounds):
            print(f"bench: {title}: round {round_ + 1} of {self.arguments.rounds}",
                  file=sys.stderr, flush=True)
            for name in names:
                process, port = proxies[name]
                before = cpu_seconds(process.pid)
                requests, rate, latency = wrk(script, port, connections, self.arguments.seconds)
                cpu = cpu_seconds(process.pid) - before
                runs[name].append((cpu / requests / per_request * 1e6, rate * per_request,
                                   latency["50"], latency["99"]))
        print(f"\n{title}\n\n| proxy | CPU us/{unit}, min / median | {unit}s/s, median | "
              "p50 us | p99 us |\n|---|---|---|---|---|")
        for name in names:
            cpu, rate, p50, p99 = zip(*runs[name])
            print(f"| {name} | {min(cpu):.1f} / {statistics.median(cpu):.1f} | "
                  f"{statistics.median(rate):,.0f} | {statistics.median(p50):,.0f} | "
                  f"{statistics.median(p99):,.0f} |", flush=True)


def chat(size, **fields):
    return {"model": MODEL, "max_tokens": 16,
            "messages": [{"role": "user", "content": ("hello world, " * (size // 13 + 1))[:size]}],
            **fields}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--penstock", type=pathlib.Path,
                        default=os.environ.get("PENSTOCK", ROOT / "build" / "penstock"))
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve-flags", nargs="*", default=[], help="for penstock serve")
    arguments = parser.parse_args()
    for tool in ("wrk", "nginx", "taskset"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is missing: tools/install-deps bench")
    bench = Bench(arguments)
    try:
        proxies = bench.start_all()
        pairs = [name for name in proxies if "pairs" in name]
        names = [name for name in proxies if name not in pairs]
        bench.measure("1 KB chat, 64 connections", proxies, names, chat(1000), 64)
        bench.measure("16 KB chat, 64 connections", proxies, names, chat(16000), 64)
        bench.measure("1 KB chat, one at a time", proxies, names, chat(1000), 1)
        events = 200
        bench.measure(f"Streams of {events} tokens, 64 at a time", proxies, names,
                      chat(1000, stream=True, ignore_eos=True) | {"max_tokens": events}, 64,
                      per_request=events, unit="chunk")
        # At one rate for all: a proxy that is woken for each single byte does more for it.
        bench.measure("Split into prefill and decode: 1 KB chat, 64 connections, 2,500 requests/s",
                      proxies, ["penstock, DEFAULT", *pairs], chat(1000), 64, pace_ms=24)
    finally:
        bench.stop()


if __name__ == "__main__":
    main()
