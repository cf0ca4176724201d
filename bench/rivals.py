#!/usr/bin/env python3
"""The gateway under load beside nginx and haproxy, in the same run.

Starts simulated replicas that answer at once, the proxies in front of them, and drives each in turn
(A, B, C, A, B, C, ...), so that a noisy machine disturbs all alike. What counts is the CPU time
that a proxy spends per request with all its threads and processes, not the clock. Prompts never
repeat.
Prints Markdown as docs/performance.md has it.

    bench/rivals.py                                    # every case: 5 rounds of 3 seconds each
    bench/rivals.py --cases 16k,streams --rounds 1 --seconds 1
    bench/rivals.py --curves build/curves              # cost over size, endpoints, ...: CSV and SVG
"""

import argparse
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import time

import curves
from fleet import Fleet, Proxy
from load import CONVERSATIONS, SINGLE, Load, run_wrk
from paced import PacedStreams

ROOT = pathlib.Path(__file__).resolve().parent.parent
EVENTS = 200  # of one stream
PACED_STREAMS, PACED_PER_SECOND = 200, 20000
RESTS_S = 0.3  # a proxy that goes on after others were measured: scrapes and timers catch up


class Runs:
    """What was measured of one proxy in one case, a value for each round."""

    def __init__(self):
        self.cpu_us = []   # per request, or per event
        self.idle_us = []  # of that, what it would have used without a request
        self.rate = []
        self.p50_us = []
        self.p99_us = []

    def add(self, cpu_us, idle_us, rate, p50_us, p99_us):
        self.cpu_us.append(cpu_us)
        self.idle_us.append(idle_us)
        self.rate.append(rate)
        self.p50_us.append(p50_us)
        self.p99_us.append(p99_us)

    def cpu(self):
        return statistics.median(self.cpu_us)


def idle_share(proxy):
    """CPU seconds per second without load: a gateway's scraping."""
    before = proxy.process.cpu_seconds()
    time.sleep(RESTS_S)
    return (proxy.process.cpu_seconds() - before) / RESTS_S


def measure_wrk(fleet, proxy, load, seconds, per_request=1):
    """(CPU us per unit, of it idle, units per second, p50, p99) of one round."""
    proxy.resume()
    try:
        idle = idle_share(proxy) if proxy.process is not None else 0
        before = proxy.process.cpu_seconds() if proxy.process is not None else 0
        # A rival now and then meets a connection that its replica has closed meanwhile.
        failed_share_max = 0 if proxy.name.startswith("penstock") else 0.02
        answers = run_wrk(load, proxy.address, seconds, fleet.work, failed_share_max)
        cpu = proxy.process.cpu_seconds() - before if proxy.process is not None else 0
    finally:
        proxy.pause()
    units = answers.requests * per_request
    return (cpu / units * 1e6, idle * answers.requests / answers.rate / units * 1e6,
            answers.rate * per_request, answers.p50, answers.p99)


def in_turn(title, proxies, rounds, one):
    """Runs of each proxy by name; `one(proxy)` measures a round. The first round warms up."""
    runs = {proxy.name: Runs() for proxy in proxies}
    for proxy in proxies:
        one(proxy, 1)
    for number in range(rounds):
        print(f"bench: {title}: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        # Each begins once, as the first of a round finds the machine as the pause left it.
        shift = number % len(proxies)
        for proxy in proxies[shift:] + proxies[:shift]:
            runs[proxy.name].add(*one(proxy, None))
    return runs


def table(title, runs, unit="request"):
    nginx = runs["nginx"].cpu() if "nginx" in runs else None
    direct = statistics.median(runs["none"].p50_us) if "none" in runs else None
    direct99 = statistics.median(runs["none"].p99_us) if "none" in runs else None
    lines = [f"**{title}**", "",
             f"| proxy | CPU us/{unit}, median (range) | times nginx | of it without load | "
             f"{unit}s/s | p50 us | p99 us | added p50 / p99 us |", "|---|" + "---|" * 7]
    for name, run in runs.items():
        p50, p99 = statistics.median(run.p50_us), statistics.median(run.p99_us)
        added = ""
        if direct is not None and name != "none":
            added = f"{p50 - direct:,.0f} / {p99 - direct99:,.0f}"
        cpu = f"{run.cpu():.2f} ({min(run.cpu_us):.2f}-{max(run.cpu_us):.2f})"
        ratio = "" if not nginx or name == "none" else f"{run.cpu() / nginx:.2f}"
        lines.append(f"| {name} | {'' if name == 'none' else cpu} | {ratio} | "
                     f"{statistics.median(run.idle_us):.2f} | {statistics.median(run.rate):,.0f} | "
                     f"{p50:,.0f} | {p99:,.0f} | {added} |")
    print("\n".join(lines), flush=True)
    print(flush=True)


class Comparison:
    """The cases, one method each. What a case needs is started for it and ended after it."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.all = {
            "1k": ("1 KB chat, 64 connections", Load(SINGLE, 1000, 64)),
            "16k": ("16 KB chat, 64 connections", Load(SINGLE, 16000, 64)),
            "128k": ("128 KB chat, 64 connections", Load(SINGLE, 128000, 64)),
            "turns": ("Conversations of six turns, system prompts of 8 KB, 64 connections",
                      Load(CONVERSATIONS, 8000, 64)),
            "one": ("1 KB chat, one at a time", Load(SINGLE, 1000, 1)),
            "streams": (f"Streams of {EVENTS} events, flat out, 64 at a time",
                        Load(SINGLE, 1000, 64, tokens=EVENTS, stream=True, ignore_eos=True)),
        }
        self.own = {"paced": self.paced, "500": self.many_endpoints, "log": self.log,
                    "pairs": self.pairs}

    def names(self):
        return [*self.all, *self.own]

    def run(self, names):
        plain = [name for name in names if name in self.all]
        if plain:
            with Fleet(self.arguments.penstock) as fleet:
                proxies = self.start(fleet, "127.0.7.11", 4)
                for name in plain:
                    self.case(fleet, proxies, name)
        for name in names:
            if name in self.own:
                self.own[name]()

    def start(self, fleet, first, count):
        ips = fleet.start_replicas(first, count)
        return [Proxy("none", f"{ips[0]}:8000"), fleet.start_nginx(ips), fleet.start_haproxy(ips),
                fleet.start_gateway("penstock, DEFAULT", ips),
                fleet.start_gateway("penstock, PREFIX_CACHE", ips, "PREFIX_CACHE")]

    def case(self, fleet, proxies, name):
        title, load = self.all[name]
        streams = name == "streams"
        per_request = EVENTS if streams else 1
        runs = self.loaded(fleet, title, proxies, load, per_request)
        table(title, runs, "event" if streams else "request")
        if name == "128k":
            print("Resident after bodies of 128 KB, MB: " +
                  ", ".join(f"{proxy.name} {proxy.process.resident_mb():.0f}"
                            for proxy in proxies if proxy.process is not None) + ".\n", flush=True)

    def loaded(self, fleet, title, proxies, load, per_request=1):
        return in_turn(title, proxies, self.arguments.rounds,
                       lambda proxy, seconds: measure_wrk(
                           fleet, proxy, load, seconds or self.arguments.seconds, per_request))

    def many_endpoints(self):
        with Fleet(self.arguments.penstock) as fleet:
            proxies = self.start(fleet, "127.0.8.1", 500)
            title = "500 endpoints, 1 KB chat, 64 connections"
            table(title, self.loaded(fleet, title, proxies, Load(SINGLE, 1000, 64)))

    def log(self):
        with Fleet(self.arguments.penstock) as fleet:
            ips = fleet.start_replicas("127.0.7.11", 4)
            proxies = [fleet.start_nginx(ips), fleet.start_gateway("penstock, no log", ips),
                       fleet.start_gateway("penstock, log", ips, log=True)]
            title = "One log line per request: 1 KB chat, 64 connections, DEFAULT"
            runs = self.loaded(fleet, title, proxies, Load(SINGLE, 1000, 64))
            table(title, runs)
            more = runs["penstock, log"].cpu() - runs["penstock, no log"].cpu()
            print(f"The log adds {more:.2f} us per request.\n", flush=True)

    def pairs(self):
        with Fleet(self.arguments.penstock) as fleet:
            ips = fleet.start_replicas("127.0.7.11", 4)
            proxies = [fleet.start_gateway("penstock, DEFAULT", ips),
                       fleet.start_split("vllm", "127.0.7.2"),
                       fleet.start_split("sglang", "127.0.7.3")]
            title = "Split into prefill and decode: 1 KB chat, 64 connections, 2,500 requests/s"
            # At one rate for all: a proxy that is woken for each single byte does more for it.
            table(title, self.loaded(fleet, title, proxies, Load(SINGLE, 1000, 64, pace_ms=24)))

    def paced(self):
        with Fleet(self.arguments.penstock) as fleet:
            os.sched_setaffinity(0, {os.cpu_count() - 1})
            ips = [f"127.0.9.{i}" for i in range(11, 15)]
            streams = PacedStreams(ips)
            try:
                proxies = [Proxy("none", f"{ips[0]}:8000"), *self.start_paced(fleet, ips, streams)]
                title = (f"{PACED_STREAMS} streams, together {PACED_PER_SECOND:,} events a second, "
                         "paced; times are one way")
                runs = in_turn(title, proxies, self.arguments.rounds,
                               lambda proxy, seconds: self.paced_round(
                                   streams, proxy, seconds or self.arguments.seconds))
                table(title, runs, "event")
            finally:
                streams.close()
                os.sched_setaffinity(0, range(os.cpu_count()))

    def start_paced(self, fleet, ips, streams):
        """Proxies ask their replicas as they start, and those are this very thread."""
        with streams.served():
            return [fleet.start_nginx(ips), fleet.start_haproxy(ips),
                    fleet.start_gateway("penstock, DEFAULT", ips),
                    fleet.start_gateway("penstock, PREFIX_CACHE", ips, "PREFIX_CACHE")]

    def paced_round(self, streams, proxy, seconds):
        proxy.resume()
        try:
            streams.turn_for(RESTS_S)
            cpu, events, late = streams.run(
                proxy.address, PACED_STREAMS, PACED_PER_SECOND, seconds,
                proxy.process.cpu_seconds if proxy.process is not None else lambda: 0)
        finally:
            proxy.pause()
        return (cpu / events * 1e6, 0, events / seconds, late[events // 2],
                late[events * 99 // 100])


def version(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).splitlines()[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--penstock", type=pathlib.Path,
                        default=os.environ.get("PENSTOCK", ROOT / "build" / "penstock"))
    parser.add_argument("--seconds", type=int, default=3, help="of one round of one proxy")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", default="", help="comma-separated; all if not given")
    parser.add_argument("--curves", type=pathlib.Path, metavar="FOLDER",
                        help="measure cost curves instead, into CSV and SVG files there")
    arguments = parser.parse_args()
    for tool in ("wrk", "nginx", "haproxy", "taskset"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is missing: tools/install-deps bench")
    comparison = Comparison(arguments)
    known = curves.NAMES if arguments.curves else comparison.names()
    names = arguments.cases.split(",") if arguments.cases else known
    for name in names:
        if name not in known:
            sys.exit(f"--cases: no {name}; known: {', '.join(known)}")
    print(f"{arguments.rounds} rounds of {arguments.seconds} s; {os.cpu_count()} cores, "
          f"{platform.system()} {platform.release()}; {version(['nginx', '-v'])}; "
          f"{version(['haproxy', '-v'])}.\n", flush=True)
    if arguments.curves:
        curves.run(names, arguments, measure_wrk)
    else:
        comparison.run(names)


if __name__ == "__main__":
    main()
