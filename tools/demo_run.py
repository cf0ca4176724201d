"""What the demos share: processes that end with them, free ports, an example served there."""

import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
PENSTOCK = os.path.abspath(os.environ.get("PENSTOCK") or ROOT / "build" / "penstock")
MODEL = "/models/Qwen3-32B"
START_DEADLINE_S = 30
PORT, REPLICA_PORT, ADMIN_PORT = 8080, 8000, 9909

_libc = ctypes.CDLL(None)


class Failure(Exception):
    """What went wrong, for the user."""


def _die_with_parent():
    _libc.prctl(1, signal.SIGKILL)


def addresses(first, count):
    return [f"127.0.0.{first + i}" for i in range(count)]


def shown(path):
    try:
        return f"{pathlib.Path(path).relative_to(ROOT)}"
    except ValueError:
        return str(path)


def port_is_free(port, addresses):
    sockets = []
    try:
        for address in addresses:
            s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            sockets.append(s)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((address, port))
        return True
    except OSError:
        return False
    finally:
        for s in sockets:
            s.close()


def choose_port(wanted, addresses, what):
    """`wanted`, or the first free port above it, said aloud."""
    for port in range(wanted, wanted + 200):
        if port_is_free(port, addresses):
            if port != wanted:
                print(f"Port {wanted} is in use on this machine; {what} on port {port} instead.")
            return port
    raise Failure(f"no free port from {wanted} to {wanted + 199} on {addresses[0]}")


class Run:
    """The gateway and simulated replicas at `addresses`; end() stops everything it started."""

    def __init__(self, addresses, port=PORT):
        self.addresses = addresses
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="penstock-demo-"))
        self.children = []  # (name, process, log file)
        self.stop = threading.Event()
        self.gateway_port = choose_port(port, ["127.0.0.1"], "the gateway listens")
        self.admin_port = choose_port(ADMIN_PORT, ["127.0.0.1"], "its admin page is")
        self.replica_port = choose_port(REPLICA_PORT, addresses, "the simulated replicas listen")

    def copy_of(self, example, edit=lambda text: text):
        """The example in a folder that may be edited, with this run's ports."""
        copy = self.folder / example.name
        copy.mkdir()
        for path in sorted(example.glob("*.yaml")):
            text = edit(path.read_text())
            text = re.sub(rf"(\bport: ){PORT}\b", rf"\g<1>{self.gateway_port}", text)
            text = re.sub(rf"(\b(?:targetPortNumber|number): ){REPLICA_PORT}\b",
                          rf"\g<1>{self.replica_port}", text)
            (copy / path.name).write_text(text)
        return copy

    # Processes

    def start(self, name, *arguments):
        log = self.folder / f"{name}.log"
        with open(log, "wb") as out:
            # A session of its own: Ctrl-C reaches this program alone, which stops the others.
            process = subprocess.Popen(
                [PENSTOCK, *arguments], stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=_die_with_parent)
        self.children.append((name, process, log))

    def start_fleet(self, name, fleet, *arguments):
        self.start(name, "sim", "--replicas", str(len(fleet)), "--listen",
                   f"{fleet[0]}:{self.replica_port}", "--name", name, "--model", MODEL, *arguments)

    def start_gateway(self, objects, *arguments):
        self.start("gateway", "serve", "-f", str(objects), "--bind", "127.0.0.1", "--admin",
                   f"127.0.0.1:{self.admin_port}", *arguments)
        self.wait_for(f"http://127.0.0.1:{self.admin_port}/readyz", "the gateway")
        self.wait_scraped()

    def wait_for_replicas(self):
        for address in self.addresses:
            self.wait_for(f"http://{address}:{self.replica_port}/health", f"replica {address}")

    def check_children(self):
        for name, process, log in self.children:
            if process.poll() is not None:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
                raise Failure(f"the {name} ended with {process.returncode}:\n{tail}")

    def wait_for_bench(self, bench):
        """Until that process, `penstock bench`, has ended; False: it was stopped."""
        while bench.poll() is None:
            if self.stop.wait(0.2):
                bench.send_signal(signal.SIGINT)
                bench.wait()
                return False
            self.check_children()
        if bench.returncode != 0:
            raise Failure(f"the benchmark ended with {bench.returncode}; logs are in {self.folder}")
        return True

    def wait_for(self, url, what):
        end = time.monotonic() + START_DEADLINE_S
        while not self.stop.is_set():
            self.check_children()
            try:
                with urllib.request.urlopen(url, timeout=5) as response:
                    if response.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            if time.monotonic() > end:
                raise Failure(f"{what} did not answer {url} within {START_DEADLINE_S} s; "
                              f"logs are in {self.folder}")
            self.stop.wait(0.05)

    def wait_scraped(self):
        """Until the gateway has read every replica's metrics: the choice has all of them then."""
        end = time.monotonic() + START_DEADLINE_S
        while not self.stop.is_set() and time.monotonic() < end:
            if all(endpoint["metrics_age_ms"] is not None for endpoint in self.endpoints()):
                return
            self.stop.wait(0.02)

    def remove_logs(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def end(self):
        for patience_s in (3, 5):  # the second signal cuts a drain short
            running = [process for _, process, _ in self.children if process.poll() is None]
            for process in running:
                process.terminate()
            for process in running:
                try:
                    process.wait(patience_s)
                except subprocess.TimeoutExpired:
                    pass
        for _, process, _ in self.children:
            if process.poll() is None:
                process.kill()
                process.wait()

    # What the gateway says of itself

    def admin(self, path):
        url = f"http://127.0.0.1:{self.admin_port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return response.read().decode()
        except OSError as e:
            self.check_children()
            raise Failure(f"{url}: {e}") from None

    def endpoints(self):
        return json.loads(self.admin("/endpoints"))

    def metric(self, name, **labels):
        """The sum of its series that have these labels; None: there is none."""
        values = [float(line.rpartition(" ")[2]) for line in self.admin("/metrics").splitlines()
                  if re.match(rf"{name}[{{ ]", line)
                  and all(f'{label}="{value}"' in line for label, value in labels.items())]
        return sum(values) if values else None

    def handled(self):
        """The log lines of the requests handled so far."""
        lines = (self.folder / "gateway.log").read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines  # the last one may not be whole yet
                if '"Request Handled"' in line and line.endswith("}")]

    def command(self, *words):
        """What one prints, with this gateway's admin port."""
        done = subprocess.run([PENSTOCK, *words, "--admin", f"127.0.0.1:{self.admin_port}"],
                              stdout=subprocess.PIPE, text=True, check=False)
        return done.stdout.rstrip()

    # To the user

    @property
    def admin_words(self):
        return "" if self.admin_port == ADMIN_PORT else f" --admin 127.0.0.1:{self.admin_port}"

    def stay(self, *what_to_do):
        """Until Ctrl-C."""
        lines = "".join(f"  {line}\n" for line in what_to_do)
        print(f"\nRunning. In another terminal:\n\n{lines}\nLogs: {self.folder}\n"
              "Ctrl-C stops everything.", flush=True)
        while not self.stop.wait(0.5):
            self.check_children()
        print("\nStopping.")
