#!/usr/bin/env python3
"""BENCH=1: conversations on a simulated fleet, PREFIX_CACHE beside DEFAULT (docs/benchmarking.md).

As a program it makes the experiment of docs/results: PREFIX_CACHE beside a plain Service, in more
pairs.
"""

import argparse
import json
import pathlib
import signal
import subprocess
import sys

sys.dont_write_bytecode = True  # the tree may belong to somebody else

from demo_run import (MODEL, PENSTOCK, PORT, REPLICA_PORT, ROOT, Failure, Run, addresses,
                      choose_port, shown)

EXAMPLE = ROOT / "examples" / "benchmark"
# Each way has replicas of its own: one cache cannot help two.
FLEETS = {"prefix-cache": addresses(11, 5), "default": addresses(21, 5), "plain": addresses(31, 5)}
WORDS = {"prefix-cache": "PREFIX_CACHE", "default": "DEFAULT", "plain": "plain Service"}
REPLICAS = ("--preset", "qwen3-32b-pro6000-tp2")
# The benchmark of the product's page: conversations that grow, users with a long history each.
WORKLOAD = ("--workload", "multi-round-qa", "--system-tokens", "1000", "--history-tokens", "8000",
            "--output-tokens", "60", "--warm-up", "5")
LOAD = ("--users", "20", "--rounds", "6", "--qps", "5", "--duration", "20s")


class BenchDemo(Run):
    def __init__(self, against="default", pairs=2, load=LOAD, name="bench"):
        super().__init__([address for fleet in FLEETS.values() for address in fleet])
        self.against = against
        self.pairs = pairs
        self.load = load
        self.json = self.folder / f"{name}.json"
        self.html = self.folder / f"{name}.html"
        self.ports = {"prefix-cache": self.gateway_port}
        for way, port in (("default", PORT + 1), ("plain", PORT + 2)):
            self.ports[way] = choose_port(max(port, self.gateway_port + port - PORT), ["127.0.0.1"],
                                          f"the gateway listens for {WORDS[way]}")
        self.objects = self.copy_of(EXAMPLE, self.with_ports)

    def with_ports(self, text):
        for way, port in (("default", PORT + 1), ("plain", PORT + 2)):
            text = text.replace(f"    port: {port}\n", f"    port: {self.ports[way]}\n")
        return text.replace(f"- port: {REPLICA_PORT}\n", f"- port: {self.replica_port}\n").replace(
            f"targetPort: {REPLICA_PORT}\n", f"targetPort: {self.replica_port}\n").replace(
                f"      port: {REPLICA_PORT}\n", f"      port: {self.replica_port}\n")

    def start_all(self):
        print(f"Starting 3 fleets of 5 simulated vLLM replicas each, port {self.replica_port}")
        for way, fleet in FLEETS.items():
            self.start_fleet(way, fleet, *REPLICAS)
        self.wait_for_replicas()
        print(f"Starting the gateway with a copy of {shown(EXAMPLE)}: " + ", ".join(
            f"{WORDS[way]} on port {port}" for way, port in self.ports.items()))
        self.start_gateway(self.objects)
        print(f"\nThe dashboard shows it all while it runs: http://127.0.0.1:{self.admin_port}/\n")

    def wait_scraped(self):
        """A Service's replicas are asked for nothing."""

    def url(self, way):
        return f"http://127.0.0.1:{self.ports[way]}"

    def compare(self):
        """Both by turns; what they came to, or None: it was stopped."""
        names = f"{WORDS['prefix-cache']},{WORDS[self.against]}"
        command = [PENSTOCK, "bench", "ab", "--target", self.url("prefix-cache"), "--against",
                   self.url(self.against), "--names", names, "--model", MODEL, *WORKLOAD,
                   *self.load, "--pairs", str(self.pairs), "--json", str(self.json), "--html",
                   str(self.html)]
        print("$ " + " ".join([shown(PENSTOCK), *command[1:]]), flush=True)
        bench = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        if not self.wait_for_bench(bench):
            return None
        return json.loads(self.json.read_text())

    def run(self, once):
        self.start_all()
        told = self.compare()
        if told is None:
            return 0
        seen = self.judge(told)
        print(f"\nThe report: {self.html}")
        if once:
            return 0 if seen else 1
        name = shown(PENSTOCK)
        self.stay(f"xdg-open http://127.0.0.1:{self.admin_port}/      # the dashboard",
                  f"xdg-open {self.html}",
                  f"{name} top{self.admin_words}",
                  f"{name} bench --target {self.url('prefix-cache')} --model {MODEL} \\",
                  "    --workload multi-round-qa --users 20 --qps 5 --duration 20s")
        return 0

    def judge(self, told):
        """Whether it was to be seen: more of the prompts was cached, and nothing failed."""
        ours, theirs = (result["summary"] for result in told["results"])
        failed = sum(s["requests"] - s["completed"] for s in (ours, theirs))
        more = (ours.get("cached_share") or 0) > (theirs.get("cached_share") or 0)
        print()
        if failed:
            print(f"{failed} requests failed.")
        elif more:
            print(f"PREFIX_CACHE found {ours['cached_share']:.0%} of the prompt tokens cached, "
                  f"{WORDS[self.against]} {theirs['cached_share']:.0%}; mean TTFT "
                  f"{ours['ttft']['mean_ms']:.0f} and {theirs['ttft']['mean_ms']:.0f} ms.")
        else:
            print("PREFIX_CACHE did not find more cached: this machine may be too busy.")
        return more and not failed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path, help="where the results go")
    parser.add_argument("--pairs", type=int, default=5)
    arguments = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    demo = BenchDemo("plain", arguments.pairs, ("--users", "40", "--rounds", "6", "--qps", "4",
                                                "--duration", "60s"), "multi-round-qa")
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: demo.stop.set())
        demo.start_all()
        told = demo.compare()
        if told is None or not demo.judge(told):
            return 1
        arguments.folder.mkdir(parents=True, exist_ok=True)
        for path in (demo.json, demo.html):
            (arguments.folder / path.name).write_bytes(path.read_bytes())
        print(f"Written to {shown(arguments.folder.resolve())}")
        return 0
    except Failure as e:
        print(f"demo_bench: {e}", file=sys.stderr)
        return 1
    finally:
        demo.end()


if __name__ == "__main__":
    sys.exit(main())
