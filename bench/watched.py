#!/usr/bin/env python3
"""What it costs a gateway to be watched: processor time of a request with traces and viewers.

One worker in front of a simulated replica that answers at once, asked RATE times a second, each way
by turns. The figure is the processor time of the whole gateway (worker, exporter, admin port) over
the requests, which a busy machine disturbs less than latencies; beside it the median TTFT.

    bench/watched.py [--rounds 5] [--seconds 5] [--rate 1500]       PENSTOCK=the binary
"""

import argparse
import contextlib
import http.server
import json
import os
import pathlib
import socket
import statistics
import subprocess
import tempfile
import threading
import urllib.request

import fleet

PENSTOCK = os.path.abspath(os.environ.get("PENSTOCK", "build/penstock"))
PORT, ADMIN, COLLECTOR, REPLICA = 18700, 18701, 18702, "127.0.0.71"
TRACED = ("--traces", f"http://127.0.0.1:{COLLECTOR}", "--trace-ratio")
# name: flags of the gateway, readers of its feed, whether its metrics are read with exemplars
WAYS = {
    "nobody looks": ((), 0, False),
    "traces, 1 %": ((*TRACED, "0.01"), 0, False),
    "traces, 100 %": ((*TRACED, "1"), 0, False),
    "traces, 100 %, exemplars": ((*TRACED, "1"), 0, True),
    "metrics each second": ((), 0, True),
    "1 viewer": ((), 1, False),
    "10 viewers": ((), 10, False),
}


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes everything."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def running(*command):
    process = subprocess.Popen([PENSTOCK, *command], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def read_feed(done):
    """A viewer that takes what comes."""
    with socket.create_connection(("127.0.0.1", ADMIN), timeout=0.5) as viewer:
        viewer.sendall(b"GET /feed HTTP/1.1\r\nhost: a\r\n\r\n")
        while not done.is_set():
            with contextlib.suppress(TimeoutError):
                viewer.recv(1 << 20)


def read_metrics(done):
    request = urllib.request.Request(f"http://127.0.0.1:{ADMIN}/metrics",
                                     headers={"accept": "application/openmetrics-text"})
    while not done.wait(1):
        urllib.request.urlopen(request).read()


def processor_us(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1_000_000 / os.sysconf("SC_CLK_TCK")


def measure(objects, way, options):
    flags, viewers, scraped = WAYS[way]
    with running("serve", objects, "--admin", f"127.0.0.1:{ADMIN}", "--workers", "1", "--bind",
                 "127.0.0.1", "--no-request-log", *flags) as gateway:
        fleet.wait_http(f"http://127.0.0.1:{ADMIN}/readyz")
        done = threading.Event()
        readers = [threading.Thread(target=read_feed, args=(done,)) for _ in range(viewers)]
        if scraped:
            readers.append(threading.Thread(target=read_metrics, args=(done,)))
        for reader in readers:
            reader.start()
        before = processor_us(gateway.pid)
        ran = subprocess.run(
            [PENSTOCK, "bench", "--target", f"http://127.0.0.1:{PORT}", "--model", "m", "--rate",
             str(options.rate), "--duration", f"{options.seconds}s", "--prompt-tokens", "200",
             "--output-tokens", "10", "--json", "-"], capture_output=True, text=True, check=True)
        used = processor_us(gateway.pid) - before
        done.set()
        for reader in readers:
            reader.join()
    summary = json.loads(ran.stdout)["summary"]
    return used / summary["completed"], summary["ttft"]["p50_ms"]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rate", type=int, default=1500)
    options = parser.parse_args()
    collector = http.server.ThreadingHTTPServer(("127.0.0.1", COLLECTOR), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    found = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder, running(
            "sim", "--listen", f"{REPLICA}:8000", "--model", "m", "--preset", "instant"):
        objects = pathlib.Path(folder) / "objects.yaml"
        objects.write_text(fleet.pool_objects("PREFIX_CACHE", PORT, [REPLICA]))
        fleet.wait_http(f"http://{REPLICA}:8000/health")
        for _ in range(options.rounds):
            for way in WAYS:
                found[way].append(measure(str(objects), way, options))
    base = [us for us, _ in found["nobody looks"]]
    print(f"{'':26}{'us/request':>12}{'more':>18}{'TTFT p50, ms':>14}")
    for way, figures in found.items():
        us = statistics.median(u for u, _ in figures)
        more = sorted(u - b for (u, _), b in zip(figures, base, strict=True))
        print(f"{way:26}{us:12.1f}{more[len(more) // 2]:+9.1f} "
              f"({more[0]:+.1f}..{more[-1]:+.1f}){statistics.median(t for _, t in figures):10.3f}")
    collector.shutdown()


if __name__ == "__main__":
    main()
