"""Cost curves: CPU per request over one thing that grows, for each proxy; as CSV and as SVG."""

import csv
import statistics
import sys

import plot
from fleet import Fleet
from idle import IdleClients
from load import SINGLE, Load

KIB = 1000
SIZES = [KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, 1000 * KIB, 4000 * KIB]
ENDPOINTS = [4, 16, 64, 250, 1000, 4000]
CONNECTIONS = [1, 4, 16, 64, 256, 1000, 4000, 10000]
IDLE_CONNECTIONS = [1, 10, 100, 1000, 4000, 10000]
WORKERS = [1, 2]


# More scrapes a second than these and the one core of all replicas does nothing else.
SCRAPES_PER_SECOND_MAX = 10_000


def start(fleet, ips):
    interval_ms = max(50, len(ips) * 1000 // SCRAPES_PER_SECOND_MAX)
    flags = ["--scrape-interval-ms", str(interval_ms)]
    return [fleet.start_nginx(ips), fleet.start_haproxy(ips),
            fleet.start_gateway("penstock, DEFAULT", ips, flags=flags),
            fleet.start_gateway("penstock, PREFIX_CACHE", ips, "PREFIX_CACHE", flags=flags)]


class Curve:
    """One file each of points and of their picture, written anew after each point."""

    def __init__(self, name, x_title, arguments, measure):
        self.name = name
        self.x_title = x_title
        self.arguments = arguments
        self.measure = measure
        self.points = {}  # name of a proxy -> [(x, median, least, most)]
        self.resident = {}  # name of a proxy -> [(x, MB)] where connections are idle

    def add(self, fleet, proxies, x, load, idle=0):
        runs = {proxy.name: [] for proxy in proxies}
        for number in range(self.arguments.rounds + 1):
            print(f"bench: {self.name} {x}: round {number} of {self.arguments.rounds}",
                  file=sys.stderr, flush=True)
            for proxy in proxies:
                # The first round warms up. Connections are opened within the time that counts.
                seconds = self.arguments.seconds if number > 0 else 1
                seconds += load.connections // 1000
                if idle > 0:
                    proxy.resume()
                # Anew each time, as a proxy that was stopped for long closes what is idle.
                with IdleClients(proxy.address, idle):
                    resident_mb = proxy.process.resident_mb()
                    cpu_us = self.measure(fleet, proxy, load, seconds)[0]
                if number > 0:
                    runs[proxy.name].append(cpu_us)
                if idle > 0 and number == self.arguments.rounds:
                    self.resident.setdefault(proxy.name, []).append((x, resident_mb))
        for name, cpu in runs.items():
            self.points.setdefault(name, []).append(
                (x, statistics.median(cpu), min(cpu), max(cpu)))
        self.write()

    def write(self):
        folder = self.arguments.curves
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / f"{self.name}.csv", "w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(["proxy", self.x_title, "cpu_us_median", "cpu_us_least", "cpu_us_most"])
            for name, points in self.points.items():
                for x, *values in points:
                    writer.writerow([name, x, *(f"{value:.2f}" for value in values)])
        (folder / f"{self.name}.svg").write_text(
            plot.svg(self.points, self.x_title, "CPU us per request"), encoding="utf-8")

    def table(self):
        names = list(self.points)
        print(f"**CPU us per request over {self.x_title}**\n\n| {self.x_title} | " +
              " | ".join(names) + " |\n|---|" + "---|" * len(names))
        for row in zip(*self.points.values()):
            nginx = row[0][1]
            print(f"| {row[0][0]:,} | {row[0][1]:.1f} | " + " | ".join(
                f"{cpu:.1f} ({cpu / nginx:.2f})" for _, cpu, _, _ in row[1:]) + " |")
        print("\nIn brackets: times nginx.\n", flush=True)
        if self.resident:
            print("Resident before the load, MB: " + "; ".join(
                f"{name} " + ", ".join(f"{mb:.1f} with {x:,}" for x, mb in values)
                for name, values in self.resident.items()) + ".\n", flush=True)


def body_bytes(curve, penstock):
    with Fleet(penstock) as fleet:
        proxies = start(fleet, fleet.start_replicas("127.0.7.11", 4))
        for size in SIZES:
            # Fewer at once where each is large, or the load alone fills memory.
            curve.add(fleet, proxies, size, Load(SINGLE, size, 64 if size < 500_000 else 16))


def endpoints(curve, penstock):
    for count in ENDPOINTS:
        with Fleet(penstock) as fleet:
            curve.add(fleet, start(fleet, fleet.start_replicas("127.0.16.1", count)), count,
                      Load(SINGLE, 1000, 64))


def connections(curve, penstock):
    with Fleet(penstock) as fleet:
        proxies = start(fleet, fleet.start_replicas("127.0.7.11", 4))
        for count in CONNECTIONS:
            count = min(count, fleet.connections_max)
            curve.add(fleet, proxies, count, Load(SINGLE, 1000, count))


def idle_connections(curve, penstock):
    with Fleet(penstock) as fleet:
        proxies = start(fleet, fleet.start_replicas("127.0.7.11", 4))
        for count in IDLE_CONNECTIONS:
            count = min(count, fleet.connections_max)
            curve.add(fleet, proxies, count, Load(SINGLE, 1000, 64), idle=count)


def workers(curve, penstock):
    for count in WORKERS:
        with Fleet(penstock, workers=count) as fleet:
            curve.add(fleet, start(fleet, fleet.start_replicas("127.0.7.11", 4)), count,
                      Load(SINGLE, 1000, 64))


CURVES = {"body_bytes": (body_bytes, "bytes of prompt"), "endpoints": (endpoints, "endpoints"),
          "connections": (connections, "connections"),
          "idle_connections": (idle_connections, "idle connections beside 64 active ones"),
          "workers": (workers, "workers")}
NAMES = list(CURVES)


def run(names, arguments, measure):
    """`measure(fleet, proxy, load, seconds)` gives CPU us per request first."""
    for name in names:
        measure_all, x_title = CURVES[name]
        curve = Curve(name, x_title, arguments, measure)
        measure_all(curve, arguments.penstock)
        curve.table()
