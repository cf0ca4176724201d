#!/usr/bin/env python3
"""Which routing strategy is best, by `penstock replay`: capacities and sensitivities as tables.

    tools/policies.py           conversation and b2b, COST and the three best published, one seed
    ALL=1 tools/policies.py     every case, every strategy, six seeds, every sensitivity
    CASES=agents,b2b SEEDS=1-3 POLICIES='COST(busy=0.5,evict=3),lmetric' tools/policies.py

Each study is a file below OUT (docs/results/policies); one that is there and was asked for by the
same command is not run again, so that whoever stops this goes on later. At the end OUT/README.md
has all of them as tables.
"""

import json
import math
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PENSTOCK = os.environ.get("PENSTOCK", "build/penstock")
OUT = pathlib.Path(os.environ.get("OUT", "docs/results/policies"))
TRACES = pathlib.Path("bench/traces")
ALL = os.environ.get("ALL") == "1"
OURS = "COST"
BEST = ["COST", "token-cost", "lmetric-gate", "llm-d-2026"]
EVERY = ["COST", "PREFIX_CACHE", "DEFAULT", "token-cost", "lmetric", "lmetric-gate", "lpwl",
         "llm-d-2026", "bailian", "dynamo", "preble", "sglang-cache-aware", "aibrix-prefix",
         "inference-extension-3-2-2", "inference-extension-1-1-1", "vllm-dp", "least-request",
         "power-of-two", "round-robin", "random"]

MOONCAKE = TRACES / "mooncake_conversation_trace.jsonl.zst"
# What is asked, of whom, and where a search for the capacity begins.
CASES = {
    "conversation": ["--workload", "conversation", "--trace", MOONCAKE, "--engines", "16",
                     "--engine", "q30h200", "--load", "6"],
    "b2b": ["--workload", "b2b", "--engines", "8", "--engine", "q32h100", "--load", "55"],
    "agents": ["--workload", "agents", "--trace",
               TRACES / "weka_claude_code_sessions.compact.jsonl.zst", "--engines", "8",
               "--engine", "q30h200", "--load", "80"],
    "synthetic": ["--workload", "synthetic", "--trace",
                  TRACES / "mooncake_synthetic_trace.jsonl.zst", "--engines", "16", "--engine",
                  "q30h200", "--load", "7"],
    "azure-conversation": ["--workload", "azure-conversation", "--trace",
                           TRACES / "AzureLLMInferenceTrace2023_conv.csv.zst", "--engines", "8",
                           "--engine", "q32h100", "--load", "8"],
    # No strategy was tuned on this one.
    "held-out": ["--workload", "conversation", "--trace", MOONCAKE, "--engines", "8", "--engine",
                 "q32h100", "--load", "1"],
}
UNITS = {"agents": "users", "b2b": "requests/s"}

EVENTS = {
    "restart": "20m restart 0 60s\n",
    "rolling": "".join(f"{4 + i}m restart {i} 45s\n" for i in range(16)),
    "slow": "0s slow 0-7 0.5\n",
}
# Of the conversation trace at one rate: what is changed, and how.
CONVERSATION = ["--workload", "conversation", "--trace", MOONCAKE]
FLEET = ["--engines", "16", "--engine", "q30h200"]
SENSITIVITIES = {
    "as it is": [*FLEET, "--load", "6.5"],
    "half the cache": [*FLEET, "--load", "6", "--cache-scale", "0.5"],
    "twice the cache": [*FLEET, "--load", "7", "--cache-scale", "2"],
    "metrics 200 ms old": [*FLEET, "--load", "6.5", "--metrics-age", "200ms"],
    "metrics 1 s old": [*FLEET, "--load", "6.5", "--metrics-age", "1s"],
    "precise index": [*FLEET, "--load", "6.5", "--index", "precise"],
    "attention as the hardware has it": ["--engines", "16", "--engine", "q30h200-corrected",
                                         "--load", "6"],
    "half the engines at half the speed": [*FLEET, "--load", "4.5", "--events", "slow"],
    "all engines restarted, one a minute": [*FLEET, "--load", "5", "--events", "rolling"],
    "2 engines": ["--engines", "2", "--engine", "q30h200", "--load", "0.7"],
    "64 engines": ["--engines", "64", "--engine", "q30h200", "--load", "26"],
    "a mixed fleet, 8 q30h200 and 8 q32h100": ["--engines", "16", "--engine",
                                               "q30h200:8,q32h100:8", "--load", "4"],
    "30 % of the requests past the gateway": [*FLEET, "--load", "6", "--foreign", "0.3"],
    "two gateways, each alone": [*FLEET, "--load", "6.5", "--gateways", "2", "--metrics-age",
                                 "200ms"],
    "two gateways that share": [*FLEET, "--load", "6.5", "--gateways", "2", "--share",
                                "--metrics-age", "200ms"],
    "four gateways, each alone": [*FLEET, "--load", "6.5", "--gateways", "4", "--metrics-age",
                                  "200ms"],
    "four gateways that share": [*FLEET, "--load", "6.5", "--gateways", "4", "--share",
                                 "--metrics-age", "200ms"],
}


def listed(name, otherwise):
    """What stands in the variable, by its commas that are in no parentheses."""
    text = os.environ.get(name)
    return re.split(r",(?![^(]*\))", text) if text else otherwise


def file_name(title):
    return "".join(c if c.isalnum() or c == "_" else "-" for c in title).strip("-")


def studies():
    """(file, command) of all that is wanted, those that say the most first."""
    cases = listed("CASES", list(CASES) if ALL else ["conversation", "b2b"])
    policies = listed("POLICIES", EVERY if ALL else BEST)
    seeds = os.environ.get("SEEDS", "1-6" if ALL else "1")
    for case in cases:
        for policy in policies:
            yield (f"capacity-{case}-{file_name(policy)}-seeds-{file_name(seeds)}",
                   [*CASES[case], "--policy", policy, "--seeds", seeds, "--capacity"])
    if not ALL:
        return
    for title, flags in SENSITIVITIES.items():
        flags = [OUT / "events" / f"{flag}.txt" if before == "--events" else flag
                 for before, flag in zip([None, *flags], flags)]
        yield (f"at-{file_name(title)}",
               [*CONVERSATION, *flags, "--policy", ",".join(BEST), "--seeds", "1-3"])


def run_missing(wanted):
    """Replays of `wanted`, [(file, command)], each into its file."""
    wanted = [(name, [str(part) for part in command]) for name, command in wanted]
    missing = [(name, command) for name, command in wanted if not is_done(name, command)]
    began = time.monotonic()
    for done, (name, command) in enumerate(missing):
        passed = time.monotonic() - began
        left = "" if done == 0 else f", {passed / done * (len(missing) - done) / 60:.0f} min left"
        print(f"{done + 1}/{len(missing)} {name}{left}", file=sys.stderr, flush=True)
        path = OUT / f"{name}.json"
        part = path.with_suffix(".part")
        ended = subprocess.run([PENSTOCK, "replay", *command, "--json", part], check=False,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if ended.returncode != 0:
            sys.exit(f"{name}: {ended.stderr[-2000:]}")
        study = json.loads(part.read_text())
        study["asked"] = command
        study["command"] = " ".join(["penstock replay", *command])
        part.write_text(json.dumps(study, indent=1) + "\n")
        part.rename(path)


def is_done(name, command):
    path = OUT / f"{name}.json"
    return path.exists() and json.loads(path.read_text()).get("asked") == command


def capacities(case):
    """{policy: {seed: capacity}} of what there is."""
    found = {}
    for path in OUT.glob(f"capacity-{case}-*.json"):
        for record in json.loads(path.read_text())["records"]:
            if "goodput90_capacity" in record:
                seeds = found.setdefault(record["policy"], {})
                seeds[record["seed"]] = record["goodput90_capacity"]
    return found


# Two-sided 95 % of Student's t by degrees of freedom.
STUDENT_T = {1: 12.71, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306,
             9: 2.262}


def paired(ours, theirs):
    """Ours / theirs over the seeds that both have, with its interval."""
    seeds = sorted(set(ours) & set(theirs))
    if not seeds:
        return ""
    logs = [math.log(ours[seed] / theirs[seed]) for seed in seeds]
    mean = sum(logs) / len(logs)
    if len(logs) < 2:
        return f"{math.exp(mean):.3f}"
    deviation = math.sqrt(sum((each - mean) ** 2 for each in logs) / (len(logs) - 1))
    reach = STUDENT_T.get(len(logs) - 1, 1.96) * deviation / math.sqrt(len(logs))
    low, high = math.exp(mean - reach), math.exp(mean + reach)
    return f"{math.exp(mean):.3f} [{low:.3f}, {high:.3f}]{'*' if low > 1 or high < 1 else ''}"


def capacity_table(case):
    found = capacities(case)
    if not found:
        return ""
    mean = {policy: sum(seeds.values()) / len(seeds) for policy, seeds in found.items()}
    lines = [f"\n## {case}\n", f"Capacity, {UNITS.get(case, 'times as fast as the trace')}\n",
             f"| policy | mean | by seed | {OURS} to it, paired |", "|---|---|---|---|"]
    for policy in sorted(found, key=lambda each: -mean[each]):
        ratio = "" if policy == OURS or OURS not in found else paired(found[OURS], found[policy])
        seeds = " / ".join(f"{found[policy][seed]:.4g}" for seed in sorted(found[policy]))
        lines.append(f"| {policy} | {mean[policy]:.4g} | {seeds} | {ratio} |")
    return "\n".join(lines) + "\n"


def sensitivity_table():
    lines = ["\n## conversation, at one rate each\n",
             "Good requests, %, mean of the seeds\n",
             "| | load | " + " | ".join(BEST) + " |", "|---|---|" + "---|" * len(BEST)]
    for title, flags in SENSITIVITIES.items():
        path = OUT / f"at-{file_name(title)}.json"
        if not path.exists():
            continue
        good = {}
        for record in json.loads(path.read_text())["records"]:
            good.setdefault(record["policy"], []).append(record["points"][0]["good_share"])
        load = flags[flags.index("--load") + 1]
        cells = [f"{100 * sum(good[policy]) / len(good[policy]):.1f}" for policy in BEST]
        lines.append(f"| {title} | {load} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n" if len(lines) > 4 else ""


def main():
    os.chdir(ROOT)
    (OUT / "events").mkdir(parents=True, exist_ok=True)
    for name, script in EVENTS.items():
        (OUT / "events" / f"{name}.txt").write_text(script)
    run_missing(studies())
    head = ("# Routing strategies in replay\n\nMade by `make policies` (tools/policies.py); the "
            "load at which 90 % of the requests are good. What it says and how far: "
            "[docs/policies.md](../../policies.md).\n")
    (OUT / "README.md").write_text(
        head + "".join(capacity_table(case) for case in CASES) + sensitivity_table())
    print((OUT / "README.md").read_text())


if __name__ == "__main__":
    main()
