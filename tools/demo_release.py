"""RELEASE=1: a release that is rolled back, and one that goes through (docs/release.md)."""

import collections
import json
import re
import threading
import time

from demo_load import Load, Words
from demo_run import PENSTOCK, ROOT, Failure, Run, addresses, shown

EXAMPLE = ROOT / "examples" / "release"
# What a version's replicas are told. v2 computes prompts in small pieces: its first token is late.
VERSIONS = {"v1": (), "v2": ("--max-num-batched-tokens", "64"), "v3": ()}
FLEETS = {version: addresses(10 * number + 1, 2) for number, version in enumerate(VERSIONS, 1)}
WORDS = Words(prompt_words=300, tokens=(8, 24))
RATE = 30  # chats per second
BEFORE_S, AFTER_S = 4, 5  # of load without a release, and when it is over
RELEASE_DEADLINE_S = 150
ENDS = ("Promoted", "RolledBack", "Aborted", "Holding")


class ReleaseDemo(Run):
    def __init__(self):
        super().__init__([address for fleet in FLEETS.values() for address in fleet])
        self.objects = self.copy_of(EXAMPLE)
        self.to_v2 = (self.objects / "release.yaml").read_text()
        (self.objects / "release.yaml").unlink()  # it comes when there is a load
        self.weights = []  # (time.time(), percent of the requests that v2 gets)
        self.noted = threading.Event()
        self.ended = {}  # version: when the release to it did, as time.time()

    def run(self, once):
        self.start_all()
        load = Load(self.gateway_port, WORDS, lambda rng: ("chat", "", {}))
        load.start(RATE)
        print(f"{RATE} chats/s are sent from now on; all go to v1")
        noting = threading.Thread(target=self.note_weights, daemon=True)
        noting.start()
        self.stop.wait(BEFORE_S)
        first = self.release("v2")
        self.stop.wait(AFTER_S)
        second = self.release("v3")
        self.noted.set()
        noting.join()
        load.end()
        load.wait(30)
        if self.stop.is_set():
            return 1
        self.print_shares()
        seen = (first, second) == ("RolledBack", "Promoted")
        print("\nThe slow version was rolled back, the good one has all requests." if seen else
              f"\nTo v2: {first}, to v3: {second}; RolledBack and Promoted were expected.")
        if once:
            return 0 if seen else 1
        penstock = shown(PENSTOCK)
        self.stay(f"{penstock} get releases{self.admin_words}",
                  f"{penstock} get releases -o yaml{self.admin_words}    # samples, history",
                  f"{penstock} release abort to-v3{self.admin_words}")
        return 0

    def start_all(self):
        print("Starting 2 simulated vLLM replicas of each of " + ", ".join(VERSIONS) +
              f" on 127.0.0.11, .12, .21, .22, .31, .32, port {self.replica_port}; "
              f"those of v2 have {' '.join(VERSIONS['v2'])}")
        for version, arguments in VERSIONS.items():
            self.start_fleet(version, FLEETS[version], *arguments)
        self.wait_for_replicas()
        print(f"Starting the gateway on 127.0.0.1:{self.gateway_port} with a copy of "
              f"{shown(EXAMPLE)}")
        self.start_gateway(self.objects, "--release-state", str(self.folder / "releases.json"))

    def release(self, version):
        """Applies one to this version, shows its course, and gives the phase in which it ends."""
        text = self.to_v2.replace("v2", version)
        (self.objects / "release.yaml").write_text(text)
        steps = ", ".join(f"{weight} %" for weight in re.findall(r"weight: (\d+)", text))
        print(f"\n--- release.yaml: from v1 to {version} in steps of {steps}, "
              "watched for errors and TTFT")
        end = time.monotonic() + RELEASE_DEADLINE_S
        heading = None
        while not self.stop.is_set():
            status = self.status(version)
            heading = self.print_row(heading) if status else heading
            if status and status["phase"] in ENDS:
                self.ended[version] = status["history"][-1]["unixNanos"] / 1e9
                self.print_end(version, status)
                return status["phase"]
            if time.monotonic() > end:
                raise Failure(f"the release to {version} is still "
                              f"{status['phase'] if status else 'unknown'} after "
                              f"{RELEASE_DEADLINE_S} s; logs are in {self.folder}")
            self.check_children()
            self.stop.wait(1)
        return None

    def status(self, version):
        """None: it has none yet."""
        for item in json.loads(self.admin("/get?kind=releases&output=json"))["items"]:
            if item["metadata"]["name"] == f"to-{version}":
                return item["status"] if "phase" in item["status"] else None
        return None

    def note_weights(self):
        """In a thread of its own, so that what is printed does not delay it."""
        while not self.stop.is_set() and not self.noted.wait(0.1):
            try:
                ratio = self.metric("penstock_release_weight_ratio", version="candidate",
                                    release="default/to-v2")
            except Failure:
                return  # said by who waits for the release
            self.weights.append((time.time(), 100 * (ratio or 0)))

    def print_row(self, heading):
        """As `penstock get releases` has it; the heading only when it is another one."""
        lines = self.command("get", "releases").splitlines()
        if lines and lines[0] != heading:
            print("\n".join(lines))
        else:
            print("\n".join(lines[1:]))
        return lines[0] if lines else heading

    def print_end(self, version, status):
        print(f"{status['phase']}: {status['history'][-1]['reason']}")
        for name, key in (("v1", "stable"), (version, "candidate")):
            seen = status[key]
            print(f"  {name}: {seen['samples']} samples in the last step, {seen['errors']} errors" +
                  (f", TTFT {seen['ttftSeconds'] * 1000:.0f} ms" if seen["ttftSeconds"] else ""))

    def print_shares(self):
        served = collections.Counter(line["pool"] for line in self.handled()
                                     if line["status"] == 200)
        failed = sum(line["status"] != 200 for line in self.handled())
        print("\nServed in all: " + ", ".join(
            f"{served[f'default/{version}']} by {version}" for version in VERSIONS) +
            f"; {failed} failed")
