#!/usr/bin/env python3
"""The pictures of the documents, of a real run each; `make pictures` calls this.

Usage: tools/demo_pictures.py FOLDER [queueing] [release]
Runs the demos QUEUE=1 and RELEASE=1 and draws what came of them into FOLDER. Where a run did not
show what it is to show, its picture stays as it is, and the exit status is 1.
"""

import datetime
import math
import pathlib
import signal
import sys

sys.dont_write_bytecode = True  # the tree may belong to somebody else

from demo_chart import BLUE, GREEN, ORANGE, PANELS_Y, Panel, next_step, picture
from demo_load import median
from demo_queueing import KINDS, QueueDemo
from demo_release import RATE, ReleaseDemo
from demo_run import Failure

LOOKS = {"critical": (BLUE, ""), "standard": (ORANGE, "7 3"), "sheddable": (GREEN, "2 4")}
WIDTH = 960


def by_second(pairs, seconds):
    """[[value, ...] of each second], of pairs (second, value)."""
    values = [[] for _ in range(seconds)]
    for second, value in pairs:
        if 0 <= second < seconds:
            values[int(second)].append(value)
    return values


def middle(values, least=1):
    """A point for each second, in its middle; none where there are too few values."""
    return [(i + 0.5, median(each) if len(each) >= least else None)
            for i, each in enumerate(values)]


def around(values):
    """Ends of a logarithmic axis, both 1, 2 or 5 with zeros."""
    return 1 / next_step(1 / min(values)), next_step(max(values))


def queueing_picture(demo):
    """Above TTFT by when a request came, below how many of that second were refused."""
    runs = [("without queueing", demo.results["no queueing"]),
            ("with queueing", demo.results["queueing"])]
    chats = [chat for _, of_run in runs for chat in of_run]
    seconds = math.ceil(max(chat.start for chat in chats))
    panels = []
    medians = {what: {kind: middle(by_second(
        ((c.start, c.ttft) for c in of_run if c.kind == kind and c.served), seconds))
        for kind in KINDS} for what, of_run in runs}
    refused = {what: {kind: [len(each) for each in by_second(
        ((c.start, c) for c in of_run if c.kind == kind and c.refused), seconds)]
        for kind in KINDS} for what, of_run in runs}
    values = around([v for kinds in medians.values() for points in kinds.values()
                     for _, v in points if v])
    most = max(n for kinds in refused.values() for counts in kinds.values() for n in counts)
    for column, (what, _) in enumerate(runs):
        left = 70 + column * 460
        above = Panel((left, PANELS_Y + 26, 400, 230), f"TTFT, median, {what}", seconds, values,
                      " s", log=True)
        below = Panel((left, PANELS_Y + 326, 400, 90), "refused (429) per second", seconds,
                      (0, max(most, 1)), "")
        for kind, look in LOOKS.items():
            above.line(medians[what][kind], *look)
            below.line([(i + 0.5, n) for i, n in enumerate(refused[what][kind])], *look)
        panels += [above, below]
    return picture(WIDTH, PANELS_Y + 456, "Twice the load that the fleet serves, by when a request "
                   "came", [(kind, *LOOKS[kind]) for kind in KINDS], panels)


def unix(line):
    """When a request of the log came."""
    ended = datetime.datetime.fromisoformat(line["time"].replace("Z", "+00:00")).timestamp()
    return ended - line["total_ms"] / 1000


def release_picture(demo):
    """Of the release that is rolled back: above the weights, below TTFT by when a request came."""
    began = demo.weights[0][0]
    ended = demo.ended["v2"]
    seconds = math.ceil(ended - began) + 4
    weights = [(t - began, v2) for t, v2 in demo.weights if t - began < seconds]
    served = [line for line in demo.handled() if line["status"] == 200]
    times = {version: by_second(((unix(line) - began, line["ttft_ms"] / 1000) for line in served
                                 if line["pool"] == f"default/{version}"), seconds)
             for version in ("v1", "v2")}
    medians = [median(each) for of in times.values() for each in of if each]
    above = Panel((70, PANELS_Y + 26, 860, 150), "requests that each version gets", seconds,
                  (0, 100), " %")
    below = Panel((70, PANELS_Y + 246, 860, 190), "TTFT, median of each second", seconds,
                  around(medians), " s", log=True)
    above.line([(t, 100 - v2) for t, v2 in weights], BLUE, step=True)
    above.line([(t, v2) for t, v2 in weights], ORANGE, "7 3", step=True)
    below.line(middle(times["v1"]), BLUE)
    below.line(middle(times["v2"]), ORANGE, "7 3")
    above.mark(ended - began, "rolled back")
    below.mark(ended - began, "")
    return picture(WIDTH, PANELS_Y + 476, f"A release to a version whose first token is late, "
                   f"{RATE} requests per second",
                   [("v1, stable", BLUE, ""), ("v2, candidate", ORANGE, "7 3")], [above, below])


PICTURES = {"queueing": (QueueDemo, queueing_picture), "release": (ReleaseDemo, release_picture)}


def draw(name, folder):
    demo_type, draw_it = PICTURES[name]
    demo = demo_type()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: demo.stop.set())
    try:
        if demo.run(once=True) != 0:
            return False
        (folder / f"{name}.svg").write_text(draw_it(demo))
        demo.remove_logs()
        return True
    finally:
        demo.end()


def main():
    sys.stdout.reconfigure(line_buffering=True)
    folder = pathlib.Path(sys.argv[1])
    try:
        drawn = [draw(name, folder) for name in sys.argv[2:] or PICTURES]
    except Failure as e:
        print(f"pictures: {e}", file=sys.stderr)
        return 1
    return 0 if all(drawn) else 1


if __name__ == "__main__":
    sys.exit(main())
