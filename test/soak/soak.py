#!/usr/bin/env python3
"""The gateway under everything at once, for a long time: nothing is lost, mixed or repeated.

    make soak SOAK_SECONDS=600          # or: test/soak/soak.py --seconds 600 --clients 500

Streams of many clients, each token of each of them checked (clients.py), while replicas are killed,
stopped (SIGSTOP), taken out of the configuration and turned into black holes (garbage; an immediate
500; head and one byte, then closed), the gateway is stopped for a moment, its configuration is
loaded every second and broken now and then (faults.py), and clients read slowly, leave, pipeline,
or send on behind their answer. Two replicas are always whole, so judge.py knows of each request
whether it may have failed, and how often it may have been executed. At the end nothing is held, the
memory is what it was after the first part, and the gateway ends in order.

Prints a line every ten seconds, what was wrong as soon as it is known, and figures at the end.
PENSTOCK is the binary; of one that is built with sanitizers the memory is not judged, and --factor
stretches all waiting.
"""

import argparse
import asyncio
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

from harness import Addresses, Metrics, penstock

from clients import Client
from faults import PORT, REPLICAS, Configuration, Faults, Replica
from judge import Judge

ADMIN_PORT = 9909
LINE_S = 10
WRONG_SHOWN_MAX = 20  # with each line, and at the end
# Of the resident memory after the first 40 % (median of the samples from 20 % on) and at the end
# (median of the last 20 %).
GROWTH_MAX, GROWTH_KIB_MAX = 1.05, 4096
PREFIX_INDEX_MB = 4  # full before the first 20 % are over
# On a machine that is busy the clients may be late, which is no fault of the gateway's.
NEVER_LATE = ("--timeout", "keep_alive_timeout=1h", "--timeout", "client_header_timeout=1h",
              "--timeout", "client_body_timeout=1h")


class Soak:
    def __init__(self, options):
        self.options = options
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="penstock-soak-"))
        self.objects = self.folder / "objects"
        self.objects.mkdir()
        addresses = Addresses().take(REPLICAS + 1)
        self.address = addresses[0]
        self.replicas = [Replica(i, a, self.folder) for i, a in enumerate(addresses[1:])]
        self.configuration = Configuration(self.objects, self.replicas)
        self.gateway = None
        self.memory = []  # KiB
        self.shown = 0
        binary = pathlib.Path(penstock()).read_bytes()
        self.sanitized = b"__asan_init" in binary or b"__tsan_init" in binary

    def over(self):
        return self.seconds() > self.options.seconds or self.gateway.poll() is not None

    def seconds(self):
        return time.monotonic() - self.began

    # The gateway

    def start(self):
        for replica in self.replicas:
            replica.start()
        self.configuration.write(self.configuration.text())
        self.log = open(self.folder / "gateway.log", "wb")
        self.gateway = subprocess.Popen(
            [penstock(), "serve", "-f", self.objects, "--bind", self.address, "--no-request-log",
             "--admin", f"{self.address}:{ADMIN_PORT}", "--workers", "2",
             "--prefix-index-mb", str(PREFIX_INDEX_MB), *NEVER_LATE],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    async def ask(self, path):
        """(status, body) of the admin port; (0, "") if it does not answer."""
        try:
            reader, writer = await asyncio.open_connection(self.address, ADMIN_PORT)
            try:
                writer.write(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                             % path.encode())
                head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
            finally:
                writer.close()
            return int(head[9:12]), body.decode()
        except (OSError, ValueError):
            return 0, ""

    async def eventually(self, condition):
        """The first true value of `await condition()`, or the last one."""
        end = time.monotonic() + 60 * self.options.factor
        while not (value := await condition()) and time.monotonic() < end:
            await asyncio.sleep(0.2)
        return value

    def resident(self):
        with open(f"/proc/{self.gateway.pid}/status", encoding="ascii") as file:
            return int((re.search(r"VmRSS:\s+(\d+)", file.read()) or [0, 0])[1])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.gateway.pid}/fd"))

    # The whole

    async def run(self):
        self.start()

        async def ready():
            return (await self.ask("/readyz"))[0] == 200
        self.began = time.monotonic()
        if not await self.eventually(ready):
            raise SystemExit(f"soak: the gateway is not ready, see {self.folder}/gateway.log")
        descriptors = self.descriptors()
        self.began = time.monotonic()
        self.faults = Faults(self.options, self.replicas, self.configuration, self.gateway,
                             self.over)
        self.judge = Judge(self.replicas, self.faults)
        clients = [Client(i, self.options, (self.address, PORT), self.over, self.judge.report)
                   for i in range(self.options.clients)]
        watch = asyncio.create_task(self.watch())
        await asyncio.gather(self.faults.run(), *(client.run() for client in clients))
        watch.cancel()
        self.judge.finish()
        await self.judge_end(descriptors)
        return self.report()

    async def watch(self):
        while True:
            await asyncio.sleep(LINE_S)
            self.judge.judge()
            self.memory.append(self.resident())
            print(f"soak: {self.seconds():4.0f} s, {self.memory[-1] // 1024} MiB, "
                  f"{self.judge.tokens} tokens, {dict(self.judge.endings)}, faults "
                  f"{self.faults.counts.total()}, wrong {len(self.judge.wrong)}", flush=True)
            self.show()

    def show(self):
        for line in self.judge.wrong[self.shown:][:WRONG_SHOWN_MAX]:
            print(f"soak: WRONG {line}", flush=True)
        self.shown = len(self.judge.wrong)

    # The end

    async def judge_end(self, descriptors):
        self.metrics = Metrics("")
        if self.gateway.poll() is None:
            await self.judge_held(descriptors)
            self.judge_memory()
        else:
            self.judge.wrong.append(f"the gateway ended by itself: {self.gateway.returncode}")
        self.end_gateway()
        text = (self.folder / "gateway.log").read_text(errors="replace")
        for mark in ("Sanitizer", "runtime error", "CHECK failed"):
            if mark in text:
                self.judge.wrong.append(f"{mark!r} in the log")

    async def judge_held(self, descriptors):
        """Every request has ended, so nothing is held for any."""
        gauges = ("penstock_requests_in_flight", "penstock_endpoint_in_flight_requests",
                  "penstock_endpoint_pending_prompt_tokens", "penstock_held_bytes",
                  "penstock_downstream_connections")

        async def nothing_held():
            self.metrics = Metrics((await self.ask("/metrics"))[1])
            held = {gauge: self.metrics.sum(gauge) for gauge in gauges}
            # Of the admin port, scrapes and probes there may be a few more than at the start.
            held["descriptors"] = max(0, self.descriptors() - descriptors - 2 * REPLICAS - 2)
            self.held = {name: value for name, value in held.items() if value}
            return self.metrics.samples and not self.held
        if not await self.eventually(nothing_held):
            self.judge.wrong.append(f"held at the end: {self.held}")

    def judge_memory(self):
        fifth = len(self.memory) // 5
        if fifth < 2 or self.sanitized:
            return
        first = statistics.median(self.memory[fifth:2 * fifth])
        last = statistics.median(self.memory[-fifth:])
        if last > first * GROWTH_MAX + GROWTH_KIB_MAX:
            self.judge.wrong.append(f"memory grew from {first:.0f} to {last:.0f} KiB: "
                                    f"{self.memory}")

    def end_gateway(self):
        if self.gateway.poll() is None:
            self.gateway.terminate()
            try:
                if status := self.gateway.wait(60 * self.options.factor):
                    self.judge.wrong.append(f"the gateway ended with {status}")
            except subprocess.TimeoutExpired:
                self.judge.wrong.append("the gateway did not end after SIGTERM")
                self.gateway.kill()
                self.gateway.wait()
        self.log.close()

    def kill_all(self):
        for process in [r.process for r in self.replicas] + [self.gateway]:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()

    def report(self):
        self.show()
        judge = self.judge
        print(f"soak: {sum(judge.endings.values())} requests, {judge.tokens} tokens: "
              f"{dict(judge.endings)}")
        print(f"soak: faults {dict(self.faults.counts)}, {self.configuration.reloads} reloads")
        print(f"soak: executed twice {judge.repeats}")
        for fault, draws in judge.drawn.items():
            print(f"soak: black hole {fault}: {len(draws)} times, drew {sum(draws)}, half of "
                  f"them at most {statistics.median_low(draws or [0])}, each at most "
                  f"{max(draws, default=0)}")
        for name in ("penstock_retries_total", "penstock_rejections_total",
                     "penstock_limit_reached_total", "penstock_ejections_total",
                     "penstock_silences_total", "penstock_probes_total"):
            samples = {"/".join(v for k, v in labels.items() if k != "pool"): int(number)
                       for n, labels, number in self.metrics.samples if n == name and number}
            print(f"soak: {name} {samples}")
        fifth = max(1, len(self.memory) // 5)
        if len(self.memory) >= 2:
            print(f"soak: memory {self.memory[fifth - 1]} KiB after a fifth, {self.memory[-1]} at "
                  f"the end, at most {max(self.memory)}")
        ok = not judge.wrong and judge.endings["complete"] > 0
        print(f"soak: {'ok' if ok else f'{len(judge.wrong)} wrong'}, logs in {self.folder}")
        return 0 if ok else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--factor", type=float, default=1)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    options = parser.parse_args()
    print(f"soak: {options.seconds:g} s, {options.clients} clients, seed {options.seed}",
          flush=True)
    soak = Soak(options)
    try:
        sys.exit(asyncio.run(soak.run()))
    finally:
        soak.kill_all()


if __name__ == "__main__":
    main()
