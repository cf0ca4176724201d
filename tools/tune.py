#!/usr/bin/env python3
"""Looks for better constants of routing strategies, by `penstock replay`: as many runs for each.

    tools/tune.py                        five strategies, 40 configurations of each
    BUDGET=10 POLICIES=COST,lpwl tools/tune.py
    CASES=conversation:6.5:7,b2b SEEDS=1-3 tools/tune.py     these loads of one, those of the table
    ARGS='--duration 5m' tools/tune.py   further flags of every replay

What is looked for: the mean share of good requests over the cases, each at fixed loads near its
capacity, where strategies differ most. Of each strategy the first configuration is its default,
half of the budget is drawn, each constant from a quarter to four times its default, and the rest
goes on from the best that was found. Draws have a seed (SEED), so that the same command asks for
the same; results are kept in OUT/runs.json (OUT is build/tune) by the strategy's text, so that
whoever stops this goes on later. They are another program's after a change of it: remove OUT then.
At the end there is a table, and OUT/tuned.json has the same. What is found was found on these
seeds and loads, and is worth less on others: a second table has defaults and the best ones on seeds
(FRESH, 4-6) and cases that were not used; FRESH=0 leaves it out.

Constants are those of the table in docs/policies.md, which a test holds against the code.
"""

import json
import math
import os
import pathlib
import random
import re
import shlex
import subprocess
import sys
import time

import policies

PENSTOCK = os.environ.get("PENSTOCK", "build/penstock")
OUT = pathlib.Path(os.environ.get("OUT", "build/tune"))
BUDGET = int(os.environ.get("BUDGET", "40"))
SEED = os.environ.get("SEED", "1")
JOBS = os.environ.get("JOBS", "0")  # replays at a time; 0: one for each core
ARGS = shlex.split(os.environ.get("ARGS", ""))

TUNED = ["COST", "token-cost", "lmetric-gate", "llm-d-2026", "PREFIX_CACHE"]
# Loads near the capacity of the best strategies. Engines and traces are those of policies.py.
LOADS = {"conversation": [6.5], "b2b": [58], "agents": [90], "synthetic": [8]}
SEEDS = "1-2"
# What is not used to look for anything.
UNSEEN_LOADS = {"azure-conversation": [9.2], "held-out": [1.15]}
FRESH = os.environ.get("FRESH", "4-6")

FACTOR_MAX = 4
# What is a share of something is never above 1.
SHARES = {"held", "usable-cache"}
# Weights of 0 that are tried all the same, from 0 to so much.
ADDED = {"pending-tokens": 6}
# Nothing in these cases asks for an adapter.
UNTOUCHED = {"lora-affinity"}
# Of configurations at a time; not the number of cores, on which results must not depend.
BATCH = 4
# How far a local step goes: a factor of e to that, normally distributed.
STEP = 0.5
STEP_MIN = 0.1


def constants_of():
    """{strategy: {constant: default}}, in their order."""
    row = re.compile(r"\| `([^`]+)` \| `([^`]+)` \| ([0-9.e+-]+) \| ")
    found = {}
    for line in pathlib.Path("docs/policies.md").read_text(encoding="utf-8").splitlines():
        if match := row.match(line):
            found.setdefault(match[1], {})[match[2]] = float(match[3])
    if not found:
        sys.exit("docs/policies.md: wanted a table of constants, found none")
    return found


def cases_of():
    """{case: loads} that are asked for."""
    cases = {}
    for text in policies.listed("CASES", list(LOADS)):
        name, *loads = text.split(":")
        if name not in policies.CASES:
            sys.exit(f"CASES: wanted some of {', '.join(policies.CASES)}, got {name}")
        cases[name] = [float(load) for load in loads] or LOADS.get(name)
        if not cases[name]:
            sys.exit(f"CASES: wanted loads for {name}, such as {name}:5")
    return cases


def flags_of(case):
    flags = [str(part) for part in policies.CASES[case]]
    at = flags.index("--load")
    return flags[:at] + flags[at + 2:] + ARGS


class Space:
    """The constants of one strategy that are tuned, and how one comes from another."""

    def __init__(self, name, defaults):
        self.name = name
        self.defaults = defaults
        self.tuned = [each for each, value in defaults.items()
                      if each not in UNTOUCHED and (value > 0 or each in ADDED)]

    def text(self, values):
        """As --policy has it; constants at their defaults are left out."""
        given = [f"{each}={values[each]:.4g}" for each in self.tuned
                 if f"{values[each]:.4g}" != f"{self.defaults[each]:.4g}"]
        return f"{self.name}({','.join(given)})" if given else self.name

    def bounds(self, each):
        default = self.defaults[each]
        if default == 0:
            return 0, ADDED[each]
        high = default * FACTOR_MAX
        return default / FACTOR_MAX, max(default, min(high, 1)) if each in SHARES else high

    def clamped(self, each, value):
        low, high = self.bounds(each)
        return min(max(value, low), high)

    def drawn(self, chance):
        values = {}
        for each in self.tuned:
            low, high = self.bounds(each)
            if low == 0:
                values[each] = chance.uniform(low, high) if chance.random() < 0.5 else 0
            else:
                values[each] = math.exp(chance.uniform(math.log(low), math.log(high)))
        return values

    def near(self, values, step, chance):
        """Some of the constants, one at least, a step away."""
        moved = [each for each in self.tuned if chance.random() < 0.5]
        moved = moved or [chance.choice(self.tuned)]
        made = dict(values)
        for each in moved:
            if self.defaults[each] == 0:
                made[each] = self.clamped(each, values[each] + chance.gauss(0, step) * 3)
            else:
                made[each] = self.clamped(each, values[each] * math.exp(chance.gauss(0, step)))
        return made


class Lab:
    """Runs what has not been run, and knows what was."""

    def __init__(self, cases, seeds):
        self.cases = cases
        self.seeds = seeds
        self.path = OUT / "runs.json"
        self.runs = json.loads(self.path.read_text()) if self.path.exists() else {}
        self.planned = 0  # configurations
        self.done = 0
        self.ran = 0  # of those that are done, others were known
        self.seconds = 0.0

    def asked(self, case):
        loads = ",".join(f"{load:g}" for load in self.cases[case])
        return [*flags_of(case), "--load", loads, "--seeds", self.seeds]

    def key(self, case):
        return " ".join(self.asked(case))

    def score(self, text):
        """The mean over the cases; None: something has not been run."""
        shares = [self.share(text, case) for case in self.cases]
        return None if None in shares else sum(shares) / len(shares)

    def share(self, text, case):
        return self.runs.get(text, {}).get(self.key(case))

    def measure(self, texts):
        """Scores of all of them, in their order."""
        began = time.monotonic()
        missing_any = {text for text in texts if self.score(text) is None}
        for case in self.cases:
            missing = [text for text in dict.fromkeys(texts) if self.share(text, case) is None]
            if missing:
                self.replay(case, missing)
        self.done += len(texts)
        self.ran += len(missing_any)
        if missing_any:
            self.seconds += time.monotonic() - began
        return [self.score(text) for text in texts]

    def replay(self, case, texts):
        part = OUT / "part.json"
        command = ["nice", PENSTOCK, "replay", *self.asked(case), "--jobs", JOBS,
                   "--policy", ",".join(texts), "--json", part]
        ended = subprocess.run(command, check=False, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
        if ended.returncode != 0:
            sys.exit(f"{case}: {' '.join(texts)}: {ended.stderr[-2000:]}")
        shares = {}
        for record in json.loads(part.read_text())["records"]:
            shares.setdefault(record["policy"], []).extend(
                point["good_share"] or 0 for point in record["points"])
        for text in texts:
            self.runs.setdefault(text, {})[self.key(case)] = sum(shares[text]) / len(shares[text])
        part.write_text(json.dumps(self.runs, indent=1) + "\n")
        part.rename(self.path)

    def time_left(self):
        if self.ran == 0:
            return ""
        left = self.seconds / self.ran * (self.planned - self.done)
        return f", {left / 60:.0f} min left" if left >= 60 else f", {left:.0f} s left"


class Search:
    """Of one strategy, within its budget."""

    def __init__(self, space, lab):
        self.space = space
        self.lab = lab
        self.chance = random.Random(f"{SEED} {space.name}")
        self.left = BUDGET if space.tuned else 1
        self.best = None  # (score, values)

    def run(self):
        self.take([dict(self.space.defaults)])
        drawn = self.left // 2
        while drawn > 0:
            batch = min(BATCH, drawn)
            self.take([self.space.drawn(self.chance) for _ in range(batch)])
            drawn -= batch
        step = STEP
        while self.left > 0:
            before = self.best[0]
            self.take([self.space.near(self.best[1], step, self.chance)
                       for _ in range(min(BATCH, self.left))])
            if self.best[0] <= before:
                step = max(STEP_MIN, step * 0.7)

    def take(self, configurations):
        texts = [self.space.text(values) for values in configurations]
        self.left -= len(texts)
        for values, text, score in zip(configurations, texts, self.lab.measure(texts)):
            if self.best is None or score > self.best[0]:
                self.best = (score, values)
            print(f"{100 * score:6.2f} %  {text}", file=sys.stderr)
        print(f"{self.lab.done}/{self.lab.planned} {self.space.name}: best "
              f"{100 * self.best[0]:.2f} %{self.lab.time_left()}", file=sys.stderr, flush=True)

    def found(self):
        return compared(self.space.name, self.space.text(self.best[1]), self.lab)


def compared(name, text, lab):
    """A strategy as it is and with the constants that were found."""
    return {"strategy": name, "policy": text, "default": lab.score(name), "best": lab.score(text),
            "cases": {case: {"default": lab.share(name, case), "best": lab.share(text, case)}
                      for case in lab.cases}}


def on_fresh(found, cases):
    """The same of what was found, on seeds and cases that were not used."""
    lab = Lab({**cases, **UNSEEN_LOADS}, FRESH)
    texts = [text for each in found for text in (each["strategy"], each["policy"])]
    lab.planned = len(texts)
    lab.measure(texts)
    return lab, [compared(each["strategy"], each["policy"], lab) for each in found]


def table(found, cases):
    lines = ["| strategy | default, % good | best found | " + " | ".join(cases) + " | as |",
             "|---|---|---|" + "---|" * len(cases) + "---|"]
    for each in sorted(found, key=lambda one: -one["best"]):
        by_case = [f"{100 * each['cases'][case]['default']:.1f} -> "
                   f"{100 * each['cases'][case]['best']:.1f}" for case in cases]
        lines.append(f"| {each['strategy']} | {100 * each['default']:.2f} | "
                     f"{100 * each['best']:.2f} | {' | '.join(by_case)} | `{each['policy']}` |")
    return "\n".join(lines)


def main():
    os.chdir(policies.ROOT)
    OUT.mkdir(parents=True, exist_ok=True)
    defaults = constants_of()
    lab = Lab(cases_of(), os.environ.get("SEEDS", SEEDS))
    searches = [Search(Space(name, defaults.get(name, {})), lab)
                for name in policies.listed("POLICIES", TUNED)]
    lab.planned = sum(search.left for search in searches)
    for search in searches:
        search.run()
    found = [search.found() for search in searches]
    report = {"budget": BUDGET, "seed": SEED,
              "asked": {case: lab.key(case) for case in lab.cases}, "strategies": found}
    print(table(found, list(lab.cases)), flush=True)
    if FRESH != "0":
        fresh, report["fresh"] = on_fresh(found, lab.cases)
        print(f"\nSeeds {FRESH}:\n\n{table(report['fresh'], list(fresh.cases))}")
    (OUT / "tuned.json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
