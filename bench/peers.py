"""What it costs gateways to tell each other what they have.

PENSTOCK=build/penstock python3 -B bench/peers.py [--gateways N] [--endpoints N] [--rate N]

Gateways of one worker in front of the same simulated replicas, and a load at a steady rate, spread
over them. Told is, for each gateway: of a core what the thread
takes that speaks with its peers, the bytes that it sends and receives in a second, and how much
more memory it has than as many gateways that know nothing of each other, whose prefix indexes have
less to hold.
"""

import argparse
import contextlib
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import time
import urllib.request

from fleet import FAST_CACHE, MODEL, addresses, pool_objects, raise_file_limit, wait_http

ROOT = pathlib.Path(__file__).resolve().parents[1]
PENSTOCK = os.environ.get("PENSTOCK") or ROOT / "build" / "penstock"
HOST, FIRST_PORT, FIRST_ADMIN, FIRST_PEER = "127.0.0.1", 18501, 18601, 18701
SECRET = "bench-bench-bench-bench-bench-be"


class Gateway:
    def __init__(self, number, folder, count, shares, logs):
        self.number = number
        self.port = FIRST_PORT + number
        self.admin = f"{HOST}:{FIRST_ADMIN + number}"
        command = [PENSTOCK, "serve", "-f", folder, "--bind", HOST, "--workers", "1", "--admin",
                   self.admin, "--no-request-log", "--log-level", "error",
                   # What is measured is what gateways say to each other.
                   "--scrape-interval-ms", "1000"]
        if shares:
            peers = ",".join(f"{HOST}:{FIRST_PEER + i}" for i in range(count))
            command += ["--peer-address", f"{HOST}:{FIRST_PEER + number}", "--peers", peers,
                        "--peer-secret-file", folder.parent / "secret",
                        "--peer-name", f"gateway-{number}"]
        self.process = subprocess.Popen(command, stdout=logs, stderr=logs)

    def page(self):
        with urllib.request.urlopen(f"http://{self.admin}/metrics", timeout=10) as answer:
            return answer.read().decode()

    def metric(self, pattern):
        return sum(float(value) for value in
                   re.findall(rf"^{pattern} ([\d.e+]+)$", self.page(), re.M))

    def cpu_seconds(self, thread=None):
        """Of all threads, or of those of that name."""
        total = 0
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(OSError):
                if thread is None or (task / "comm").read_text().strip() == thread:
                    total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def resident_mb(self):
        rollup = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return int(re.search(r"^Rss:\s+(\d+)", rollup, re.M)[1]) / 1024

    def peer_bytes(self):
        return (self.metric(r"penstock_peer_sent_bytes_total\{.*\}"),
                self.metric("penstock_peer_received_bytes_total"))


@contextlib.contextmanager
def running(work, count, shares, ips):
    folders = []
    for number in range(count):
        folder = work / f"gateway-{number}"
        folder.mkdir(exist_ok=True)
        (folder / "objects.yaml").write_text(pool_objects("COST", FIRST_PORT + number, ips))
        folders.append(folder)
    with open(work / "gateways.log", "ab") as logs:
        gateways = [Gateway(i, folder, count, shares, logs) for i, folder in enumerate(folders)]
        try:
            for gateway in gateways:
                wait_http(f"http://{gateway.admin}/readyz")
            end = time.monotonic() + 20
            wanted = count - 1 if shares else 0
            while any(g.metric(r'penstock_peers\{state="linked"\}') != wanted for g in gateways):
                if time.monotonic() > end:
                    raise SystemExit("the gateways have not linked")
                time.sleep(0.1)
            time.sleep(2)  # a connection to each endpoint, and its first metrics
            yield gateways
        finally:
            for gateway in gateways:
                gateway.process.terminate()
            for gateway in gateways:
                gateway.process.wait(30)


def load(gateways, rate, seconds):
    """Requests at that rate over all of them, whose prompts begin alike in groups."""
    processes = []
    for number, gateway in enumerate(gateways):
        processes.append(subprocess.Popen(
            [PENSTOCK, "bench", "--target", f"http://{HOST}:{gateway.port}", "--model", MODEL,
             "--workload", "shared-prefix", "--system-tokens", "200", "--question-tokens", "50",
             "--groups", "50", "--prompts-per-group", "1000", "--seed", str(number + 1), "--qps",
             f"{rate / len(gateways):.3f}", "--output-tokens", "8", "--ignore-eos", "--duration",
             f"{seconds}s"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    return processes


def finished(processes):
    for process in processes:
        said, _ = process.communicate(timeout=300)
        if process.returncode != 0:
            raise SystemExit(said)


def requests_of(gateway):
    return gateway.metric(r"penstock_requests_total\{.*\}")


def measure(gateways, rate, seconds):
    """Per second and gateway, over the middle of the load."""
    processes = load(gateways, rate, seconds + 6)
    time.sleep(4)
    began = time.monotonic()
    before = [(g.cpu_seconds("peers"), g.cpu_seconds(), requests_of(g), *g.peer_bytes())
              for g in gateways]
    time.sleep(seconds)
    after = [(g.cpu_seconds("peers"), g.cpu_seconds(), requests_of(g), *g.peer_bytes())
             for g in gateways]
    passed = time.monotonic() - began
    memory = [(g.resident_mb(), g.metric("penstock_prefix_index_bytes") / 1e6) for g in gateways]
    finished(processes)
    rows = [[(b - a) / passed for a, b in zip(*pair)] for pair in zip(before, after)]
    return rows, memory


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gateways", type=int, default=4)
    parser.add_argument("--endpoints", type=int, default=500)
    parser.add_argument("--rate", type=float, default=1000, help="requests a second, of all")
    parser.add_argument("--seconds", type=int, default=20)
    arguments = parser.parse_args()
    raise_file_limit()
    ips = addresses("127.9.0.1", arguments.endpoints)
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        (work / "secret").write_text(SECRET)
        replicas = subprocess.Popen(
            [PENSTOCK, "sim", "--model", MODEL, "--preset", "instant", "--max-model-len", "4000000",
             *FAST_CACHE, "--replicas", str(len(ips)), "--listen", f"{ips[0]}:8000"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_http(f"http://{ips[-1]}:8000/health")
            rows, memory = {}, {}
            for shares in (False, True):
                with running(work, arguments.gateways, shares, ips) as gateways:
                    rows[shares], memory[shares] = measure(gateways, arguments.rate,
                                                           arguments.seconds)
        finally:
            replicas.terminate()
            replicas.wait(30)
    tell(arguments, rows, memory)


def tell(arguments, rows, memory):
    mean = statistics.mean
    for shares, words in ((False, "each alone"), (True, "that share")):
        requests = mean(row[2] for row in rows[shares])
        cpu = mean(row[1] for row in rows[shares]) / requests
        print(f"{arguments.gateways} gateways {words}, {arguments.endpoints} endpoints, "
              f"{requests * arguments.gateways:.0f} requests/s:")
        print(f"  CPU of all threads for each request {cpu * 1e6:8.1f} us")
        own, index = (mean(each[i] for each in memory[shares]) for i in (0, 1))
        print(f"  memory                              {own:8.1f} MB, of which the prefix index "
              f"{index:.1f}")
    shared = rows[True]
    print("of one that shares:")
    core = mean(row[0] for row in shared)
    print(f"  the thread that speaks with peers   {core * 100:8.2f} % of a core")
    print(f"  sent                                {mean(r[3] for r in shared) / 1e6:8.3f} MB/s")
    print(f"  received                            {mean(r[4] for r in shared) / 1e6:8.3f} MB/s")
    more = mean(mine - its_index for mine, its_index in memory[True]) - \
        mean(mine - its_index for mine, its_index in memory[False])
    print(f"  more memory, beside the index       {more:8.1f} MB")


if __name__ == "__main__":
    main()
