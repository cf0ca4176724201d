#!/usr/bin/env python3
"""Three gateways that share what they know, of which one is killed again and again.

    test/soak/gateways.py [--seconds 60] [--every 5]

The other two serve streams all the while: none of them may notice. The third one has streams, too,
which die with it; once it is back it links again and serves. At the end no gateway may believe that
anything is in flight.
"""

import argparse
import json
import pathlib
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # the tree may belong to somebody else
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))

from demo_peers import PeersDemo
from demo_run import MODEL, PENSTOCK, Failure

# Streams of half a second to a second, so that some are in flight at each kill.
LOAD = ("--workload", "multi-round-qa", "--users", "20", "--rounds", "4", "--qps", "8",
        "--history-tokens", "1000", "--output-tokens", "60", "--ignore-eos", "--warm-up", "0")
WAY = "sharing"
VICTIM = 2


class Chaos(PeersDemo):
    def __init__(self, seconds, every):
        super().__init__("3")
        self.seconds, self.every = seconds, every
        self.kills = 0

    def bench(self, number):
        said = self.folder / f"bench-{number}.json"
        with open(self.folder / f"bench-{number}.log", "wb") as log:
            return said, subprocess.Popen(
                [PENSTOCK, "bench", "--target", f"http://127.0.0.1:{self.ports[number]}", "--model",
                 MODEL, *LOAD, "--duration", f"{self.seconds}s", "--json", str(said)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill_and_start(self):
        name = f"{WAY}-gateway-{VICTIM + 1}"
        (child,) = [child for child in self.children if child[0] == name]
        self.children.remove(child)
        child[1].kill()
        child[1].wait()
        self.kills += 1
        self.start_gateway_of(WAY, VICTIM, self.folder / WAY / f"gateway-{VICTIM + 1}")
        self.wait_for(f"http://127.0.0.1:{self.admins[VICTIM]}/readyz", name)
        # A gateway that is gone is shown for a minute: those that are linked are counted.
        self.wait_until(lambda: all(self.linked(number) == 2 for number in self.numbers),
                        "all are linked again")

    def in_flight(self, number):
        own = sum(endpoint["in_flight"] for endpoint in self.endpoints_of(number))
        told = json.loads(self.ask(number, "get", "peers", "-o", "json"))
        return own + sum(row["sums"]["requests"] for row in told.get("items", [told])
                         if row["state"] == "linked")

    def run(self):
        self.start_gateways(WAY)
        benches = [self.bench(number) for number in self.numbers]
        try:
            return self.run_beside(benches)
        finally:
            for _, process in benches:
                process.kill()

    def run_beside(self, benches):
        began = time.monotonic()
        while time.monotonic() - began < self.seconds - self.every:
            self.stop.wait(self.every)
            if self.stop.is_set():
                return 1
            self.kill_and_start()
        faults = []
        for number, (said, process) in enumerate(benches):
            process.wait(timeout=self.seconds + 60)
            faults += self.judge(number, said)
        self.wait_until(lambda: not any(map(self.in_flight, self.numbers)), "nothing is in flight")
        for fault in faults:
            print(f"WRONG: {fault}")
        print(f"{self.kills} kills" if not faults else f"{len(faults)} faults")
        return 1 if faults or not self.kills else 0

    def judge(self, number, said):
        """What is wrong with what came of a gateway's requests."""
        if not said.exists():
            return [f"gateway-{number + 1}: its clients have no result"]
        summary = json.loads(said.read_text())["summary"]
        lost = summary["requests"] - summary["completed"]
        print(f"gateway-{number + 1}: {summary['requests']} requests, {lost} of them not answered "
              f"as a whole{' (it is the one that was killed)' if number == VICTIM else ''}")
        if summary["completed"] < 10:
            return [f"gateway-{number + 1}: {summary['completed']} whole answers"]
        if lost and number != VICTIM:
            return [f"gateway-{number + 1}: {lost} requests failed"]
        return []


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--every", type=float, default=5, help="seconds between kills")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    chaos = None
    try:
        chaos = Chaos(options.seconds, options.every)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: chaos.stop.set())
        return chaos.run()
    except Failure as e:
        print(f"WRONG: {e}")
        return 1
    finally:
        if chaos:
            chaos.end()


if __name__ == "__main__":
    sys.exit(main())
