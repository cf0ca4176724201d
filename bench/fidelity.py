#!/usr/bin/env python3
"""Does `penstock replay` say what the same gateway does over HTTP?

A trace is replayed in virtual time, and asked of a gateway in front of simulated replicas in real
time, with the same engines, seed and policy, at several loads. What differs is what a replay leaves
out: sockets, the machine's own time, and how chance and the clock meet.

    bench/fidelity.py [--policy COST] [--loads 1,2,3,4] [--requests 400] [--trace FILE]

Writes Markdown: TTFT, TPOT and cached share of both, and the difference.
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
ROOT = pathlib.Path(__file__).resolve().parent.parent
TRACE = ROOT / "bench/traces/mooncake_synthetic_trace.jsonl.zst"
PORT, ADMIN = 18720, 18721
FIRST_OCTET = 80  # replicas are 127.0.0.80 and on


def ips(count):
    return [f"127.0.0.{FIRST_OCTET + i}" for i in range(count)]


def over_http(folder, trace, load, options):
    """A new gateway and new replicas each time: caches are empty, as a replay's are."""
    files = folder / "objects.yaml"
    files.write_text(fleet.pool_objects(options.policy, PORT, ips(options.engines)))
    result = folder / "wire.json"
    with fleet.ended_afterwards() as processes:
        # As many tokens of context as a trace asks for.
        processes.append(subprocess.Popen(
            [PENSTOCK, "sim", "--replicas", str(options.engines), "--listen",
             f"127.0.0.{FIRST_OCTET}:8000", "--model", "model", "--preset", options.engine,
             "--max-model-len", "262144"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        fleet.wait_http(f"http://127.0.0.{FIRST_OCTET}:8000/health")
        processes.append(subprocess.Popen(
            [PENSTOCK, "serve", files, "--admin", f"127.0.0.1:{ADMIN}", "--bind", "127.0.0.1",
             "--workers", "1", "--no-request-log"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL))
        fleet.wait_http(f"http://127.0.0.1:{ADMIN}/readyz")
        subprocess.run(
            [PENSTOCK, "bench", "--target", f"http://127.0.0.1:{PORT}", "--model", "model", "--api",
             "completions", "--ignore-eos", "--workload", "trace", "--trace", trace, "--speed",
             str(load), "--patience", "300s", "--json", result], check=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    figures = json.loads(result.read_text())["summary"]
    return {"TTFT mean, ms": figures["ttft"]["mean_ms"], "TTFT p50, ms": figures["ttft"]["p50_ms"],
            "TPOT mean, ms": figures["tpot"]["mean_ms"], "cached": figures["cached_share"],
            "failed": figures["requests"] - figures["completed"],
            "late p99, ms": figures["lateness"]["p99_ms"] if "lateness" in figures else 0}


def in_virtual_time(folder, trace, loads, options):
    result = folder / "replay.json"
    subprocess.run(
        [PENSTOCK, "replay", "--workload", "trace", "--trace", trace, "--engines",
         str(options.engines), "--engine", options.engine, "--policy", options.policy, "--load",
         ",".join(map(str, loads)), "--warm-up", "1ms", "--json", result], check=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    points = json.loads(result.read_text())["records"][0]["points"]
    return {point["load"]: {"TTFT mean, ms": point["ttft"]["mean_ms"],
                            "TTFT p50, ms": point["ttft"]["p50_ms"],
                            "TPOT mean, ms": point["tpot"]["mean_ms"],
                            "cached": point["cached_share"],
                            "failed": point["requests"] - point["completed"]} for point in points}


def first_requests(folder, trace, count):
    lines = subprocess.run(["zstd", "-dc", trace], check=True, capture_output=True,
                           text=True).stdout.splitlines()[:count]
    path = folder / "trace.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--policy", default="PREFIX_CACHE")
    parser.add_argument("--loads", default="0.5,1,1.5,2")
    parser.add_argument("--engines", type=int, default=4)
    parser.add_argument("--engine", default="q30h200")
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--trace", default=TRACE)
    options = parser.parse_args()
    loads = [float(load) for load in options.loads.split(",")]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        trace = first_requests(folder, options.trace, options.requests)
        virtual = in_virtual_time(folder, trace, loads, options)
        print("| load | | replay | over HTTP | difference |\n|---|---|---|---|---|")
        for load in loads:
            wire = over_http(folder, trace, load, options)
            print(f"{load}", file=sys.stderr, flush=True)
            for figure in ("TTFT mean, ms", "TTFT p50, ms", "TPOT mean, ms", "cached", "failed"):
                a, b = virtual[load][figure], wire[figure]
                more = f"{100 * (a / b - 1):+.1f} %" if b else ""
                print(f"| {load:g} | {figure} | {a:.4g} | {b:.4g} | {more} |", flush=True)


if __name__ == "__main__":
    main()
