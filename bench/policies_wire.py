#!/usr/bin/env python3
"""Routing strategies over HTTP: conversations of six turns, a gateway, eight simulated replicas.

What `penstock replay` says in virtual time, asked of the real thing: for each strategy a gateway
and new replicas, the same conversations. A turn is a session hit if most of its prompt was found in
the replica's cache; the first turn of six never is, so that 0.833 is the most there can be.

    bench/policies_wire.py [--policies COST,PREFIX_CACHE,round-robin] [--rate 12] [--duration 60s]

Writes Markdown.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import fleet

PENSTOCK = os.path.abspath(os.environ.get("PENSTOCK", "build/penstock"))
PORT, ADMIN = 18740, 18741
FIRST_OCTET = 91
POLICIES = "COST,token-cost,PREFIX_CACHE,lmetric-gate,lmetric,least-request,round-robin"


def ips(count):
    return [f"127.0.0.{FIRST_OCTET + i}" for i in range(count)]


def started(*command):
    return subprocess.Popen([PENSTOCK, *map(str, command)], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def measure(folder, policy, options):
    files, result = folder / "objects.yaml", folder / "result.json"
    files.write_text(fleet.pool_objects(policy, PORT, ips(options.replicas)))
    with fleet.ended_afterwards() as processes:
        processes.append(started("sim", "--replicas", options.replicas, "--listen",
                                 f"127.0.0.{FIRST_OCTET}:8000", "--model", "m", "--preset",
                                 options.preset))
        fleet.wait_http(f"http://127.0.0.{FIRST_OCTET}:8000/health")
        processes.append(started("serve", files, "--admin", f"127.0.0.1:{ADMIN}", "--bind",
                                 "127.0.0.1", "--workers", "1", "--no-request-log"))
        fleet.wait_http(f"http://127.0.0.1:{ADMIN}/readyz")
        subprocess.run(
            [PENSTOCK, "bench", "--target", f"http://127.0.0.1:{PORT}", "--admin",
             f"http://127.0.0.1:{ADMIN}", "--model", "m", "--workload", "multi-round-qa", "--rounds",
             "6", "--users", str(options.users), "--rate", str(options.rate), "--history-tokens",
             "4000", "--output-tokens", "60", "--ignore-eos", "--warm-up", "0", "--duration",
             options.duration, "--goodput", "ttft=500ms,tpot=50ms", "--json", result,
             "--json-requests"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return json.loads(result.read_text())


def figures_of(said):
    # Who was in the middle of a session when it began comes without what it would have said: only
    # sessions that are played from their first turn to their sixth are looked at.
    sessions = {}
    for request in said["requests"]:
        sessions.setdefault(request["session"], []).append(request)
    whole = [one for one in sessions.values() if len(one) == 6]
    turns = [request for one in whole for request in one]
    hits = sum(request["cached_tokens"] > request["prompt_tokens"] / 2 for request in turns)
    endpoints = said["fleet"]["endpoints"]
    summary = said["summary"]
    return {"session hits": hits / max(1, len(turns)), "sessions": len(whole),
            "largest share": max(one["request_share"] for one in endpoints),
            "cached": summary["cached_share"], "good": summary["good_share"],
            "TTFT mean, ms": summary["ttft"]["mean_ms"], "p99": summary["ttft"]["p99_ms"],
            "TPOT mean, ms": summary["tpot"]["mean_ms"],
            "failed": summary["requests"] - summary["completed"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--policies", default=POLICIES)
    parser.add_argument("--replicas", type=int, default=8)
    parser.add_argument("--preset", default="llama-8b-pro6000")
    parser.add_argument("--users", type=int, default=60)
    parser.add_argument("--rate", type=float, default=12)
    parser.add_argument("--duration", default="60s")
    options = parser.parse_args()
    head = None
    with tempfile.TemporaryDirectory() as name:
        for policy in options.policies.split(","):
            print(policy, file=sys.stderr, flush=True)
            figures = figures_of(measure(pathlib.Path(name), policy, options))
            if head is None:
                head = list(figures)
                print("| policy | " + " | ".join(head) + " |\n|---|" + "---|" * len(head))
            print(f"| {policy} | " + " | ".join(f"{figures[each]:.4g}" for each in head) + " |",
                  flush=True)


if __name__ == "__main__":
    main()
