#!/usr/bin/env python3
"""What several gateways lose, alone and sharing, by `penstock replay`: table and picture.

    tools/gateways.py                    COST and PREFIX_CACHE, one to eight gateways, two seeds
    CASES=agents POLICIES=COST SEEDS=1-4 tools/gateways.py

Good answers near the load at which one gateway keeps 90 % good. Each run is a file below OUT
(docs/results/gateways); one that is there and was asked for by the same command is not run again,
so that whoever stops this goes on later. At the end OUT/README.md has all of them as a table, and
PICTURE (docs/pictures/gateways.svg) shows the first strategy.
"""

import json
import os
import pathlib
import sys

sys.dont_write_bytecode = True  # the tree may belong to somebody else

import policies
from demo_chart import BLUE, ORANGE, PANELS_Y, Panel, picture

policies.OUT = pathlib.Path(os.environ.get("OUT", "docs/results/gateways"))
OUT = policies.OUT
PICTURE = pathlib.Path(os.environ.get("PICTURE", "docs/pictures/gateways.svg"))
SEEDS = os.environ.get("SEEDS", "1-2")
STRATEGIES = policies.listed("POLICIES", ["COST", "PREFIX_CACHE"])
LOADS = {"conversation": "7", "agents": "90", "b2b": "60", "held-out": "1.15"}
# At which one gateway of PREFIX_CACHE keeps 90 % good.
LOADS_OF = {"PREFIX_CACHE": {"conversation": "5.5", "agents": "40", "b2b": "60", "held-out": "0.7"}}
TITLES = {"conversation": "conversation, {} times as fast", "agents": "agents, {} users",
          "b2b": "b2b, {} requests/s", "held-out": "conversation on 8 x q32h100, {} times"}
COUNTS = [1, 2, 4, 8]
HOW = {"alone": [], "share": ["--share"], "share-200ms": ["--share", "--peer-gather", "200ms"],
       "share-lost": ["--share", "--peer-lost", "0.01"]}
CASES = policies.listed("CASES", list(LOADS))


def load_of(strategy, case):
    return LOADS_OF.get(strategy, LOADS)[case]


def hows(count):
    return ["alone"] if count == 1 else list(HOW) if count == 2 else ["alone", "share"]


def studies():
    """(file, command) of all that is wanted."""
    for strategy in STRATEGIES:
        for case in CASES:
            flags = policies.CASES[case]
            at = flags.index("--load")
            for count in COUNTS:
                for how in hows(count):
                    yield (f"{strategy}-{case}-{count}-{how}",
                           [*flags[:at], *flags[at + 2:], "--load", load_of(strategy, case),
                            "--policy", strategy, "--seeds", SEEDS, "--metrics-age", "200ms",
                            *(["--gateways", count] if count > 1 else []), *HOW[how]])


def good(strategy, case, count, how):
    """The mean over the seeds, %; None: there is no such run."""
    path = OUT / f"{strategy}-{case}-{count}-{how}.json"
    if not path.exists():
        return None
    shares = [point["good_share"] or 0 for record in json.loads(path.read_text())["records"]
              for point in record["points"]]
    return 100 * sum(shares) / len(shares)


def table(strategy):
    heads = [TITLES[case].format(load_of(strategy, case)) for case in CASES]
    lines = [f"\n## {strategy}\n", "| gateways | | " + " | ".join(heads) + " |",
             "|---|---|" + "---|" * len(heads)]
    names = {"alone": "each alone", "share": "that share", "share-200ms": "that share every 200 ms",
             "share-lost": "that share, 1 % of the messages lost"}
    for count in COUNTS:
        for how in hows(count):
            values = [good(strategy, case, count, how) for case in CASES]
            cells = ["" if value is None else f"{value:.1f}" for value in values]
            name = "" if count == 1 else names[how]
            lines.append(f"| {count} | {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def draw(strategy):
    """A panel for each case: good answers over gateways."""
    marks = [(place + 0.3, str(count)) for place, count in enumerate(COUNTS)]
    panels = []
    for at, case in enumerate(CASES):
        box = (70 + at % 2 * 460, PANELS_Y + 26 + at // 2 * 250, 400, 170)
        panel = Panel(box, TITLES[case].format(load_of(strategy, case)), len(COUNTS) - 0.4,
                      (0, 100), " %", marks=marks)
        for how, look in (("alone", (ORANGE, "7 3")), ("share", (BLUE, ""))):
            values = [good(strategy, case, count, "alone" if count == 1 else how)
                      for count in COUNTS]
            panel.line([(place, value) for (place, _), value in zip(marks, values)], *look)
        panels.append(panel)
    return picture(960, PANELS_Y + 20 + (len(CASES) + 1) // 2 * 250,
                   f"Good answers by how many gateways there are, {strategy}",
                   [("each alone", ORANGE, "7 3"), ("that share", BLUE, "")], panels)


def main():
    os.chdir(policies.ROOT)
    OUT.mkdir(parents=True, exist_ok=True)
    policies.run_missing(list(studies()))
    head = ("# Several gateways in replay\n\nMade by `make gateways` (tools/gateways.py): good "
            "answers, %, mean of the seeds, requests at random over the gateways, metrics 200 ms "
            "old. What it says: [docs/several-gateways.md](../../several-gateways.md).\n")
    (OUT / "README.md").write_text(head + "".join(table(each) for each in STRATEGIES))
    PICTURE.write_text(draw(STRATEGIES[0]))
    print((OUT / "README.md").read_text())


if __name__ == "__main__":
    main()
