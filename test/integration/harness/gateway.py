"""The real gateway as a child process, and the base class of tests that run one."""

import atexit
import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import unittest

from harness.address import Addresses, free_port
from harness.client import Client, exchange
from harness.fake_server import FakeModelServer
from harness.metrics import Metrics
from harness.objects import gateway_objects
from harness.tls_socket import OVER_TLS, client_context, with_https
from harness.wait import DEADLINE_S, Deadline, Watched, eventually

_children = set()


def _end_children():
    for child in list(_children):
        if child.poll() is None:
            child.kill()
            child.wait()


atexit.register(_end_children)

_libc = ctypes.CDLL(None)


def _die_with_parent():
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: also when the test itself is killed


def penstock():
    """The binary under test."""
    path = os.environ.get("PENSTOCK")
    if not path:
        path = pathlib.Path(__file__).resolve().parents[3] / "build" / "penstock"
    return os.path.abspath(path)


@contextlib.contextmanager
def _handed_over(sockets):
    """What starts a program with listening sockets {name: socket}, as systemd does: a launcher, the
    descriptors to pass, environment variables."""
    if not sockets:
        yield [], (), {}
        return
    # Not among those that the launcher makes of them.
    descriptors = [fcntl.fcntl(s, fcntl.F_DUPFD, 100) for s in sockets.values()]
    moves = " ".join(f"{3 + i}<&{fd}" for i, fd in enumerate(descriptors))
    closes = " ".join(f"{fd}<&-" for fd in descriptors)
    launcher = ["bash", "-c", f'exec {moves} {closes}; LISTEN_PID=$$ exec "$@"', "launcher"]
    try:
        yield launcher, descriptors, {"LISTEN_FDS": str(len(sockets)),
                                      "LISTEN_FDNAMES": ":".join(sockets)}
    finally:
        for fd in descriptors:
            os.close(fd)


class Gateway:
    """`penstock serve` on a folder of objects. stop() ends it; so does the end of the test.

    With a kubeconfig it serves the objects of a cluster, and the folder stands aside; without the
    delay that it has there before it drains, unless another one is given (None: its own).
    """

    def __init__(self, address, objects, arguments=(), environment=None,
                 port=None, admin_port=None, wait_ready=True, stderr=subprocess.STDOUT,
                 sockets=None, bind=None, kubeconfig=None, shutdown_delay="0s"):
        self.address = address
        self.tls = client_context() if OVER_TLS else None
        self.port = port or free_port(address)
        self.admin_port = admin_port or free_port(address)
        self.lines = Watched()  # every line of its log, parsed
        self.other_output = Watched()  # what it wrote that is not JSON
        self.exit_judged = False
        self._folder = tempfile.TemporaryDirectory(prefix="penstock-test-")
        self.folder = pathlib.Path(self._folder.name)
        self.write("gateway.yaml", gateway_objects(self.port))
        if objects:
            self.write("objects.yaml", objects)
        source = ["-f", str(self.folder)]
        if kubeconfig:
            source = ["--kubernetes", "--kubeconfig", kubeconfig]
            source += ["--shutdown-delay", shutdown_delay] if shutdown_delay else []
        command = [penstock(), "serve", *source, "--bind", bind or address,
                   "--admin", f"{address}:{self.admin_port}", *arguments]
        with _handed_over(sockets or {}) as (launcher, descriptors, variables):
            self.process = subprocess.Popen(
                [*launcher, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=stderr, env={**os.environ, **(environment or {}), **variables},
                preexec_fn=_die_with_parent, pass_fds=descriptors)
        _children.add(self.process)
        self._reader = threading.Thread(target=self._read_output, daemon=True)
        self._reader.start()
        if wait_ready:
            self.wait_ready()

    # Configuration

    def write(self, file, objects):
        """Replaces one file of the folder at once (write and rename), as editors do."""
        if self.tls is not None and not isinstance(objects, str):
            objects = with_https(objects)
        text = objects if isinstance(objects, str) else "\n---\n".join(
            json.dumps(o, indent=1) for o in objects) + "\n"
        new = self.folder / f".{file}.new"
        new.write_text(text)
        os.replace(new, self.folder / file)

    def remove(self, file):
        (self.folder / file).unlink()

    # Requests

    def connect(self, port=None, **options):
        """A raw connection to the listener, or to another one's port."""
        return Client(self.address, port or self.port, tls=self.tls, **options)

    def request(self, method, target, headers=(), body=None, host="test", deadline_s=DEADLINE_S):
        """One request on a connection of its own."""
        return exchange(self.address, self.port, method, target, headers, body, host, deadline_s,
                        self.tls)

    def get(self, target, headers=()):
        return self.request("GET", target, headers)

    def post(self, target, body, headers=()):
        return self.request("POST", target, headers, body)

    def chat(self, text="Hello", model="test-model", headers=(), **fields):
        """A chat completion with one user message."""
        return self.post("/v1/chat/completions", chat_body(text, model, **fields), headers)

    # What it tells about itself

    def admin(self, target):
        return exchange(self.address, self.admin_port, "GET", target)

    def is_ready(self):
        try:
            return self.admin("/readyz").status == 200
        except (OSError, ConnectionError):
            return False

    def wait_ready(self, deadline_s=DEADLINE_S):
        def ready_or_ended():
            if self.process.poll() is not None:
                self._reader.join(DEADLINE_S)
                raise AssertionError(f"the gateway ended with {self.process.returncode}:\n"
                                     f"{self.output_tail()}")
            return self.is_ready()
        try:
            eventually(ready_or_ended, "/readyz 200", deadline_s)
        except Deadline as e:
            raise Deadline(f"{e}\n{self.output_tail()}") from None

    def metrics(self):
        return Metrics(self.admin("/metrics").body.decode())

    def wait_metric(self, name, value, /, deadline_s=DEADLINE_S, **labels):
        """Waits until the samples of that name and those labels add up to `value`.

        A client may have the last byte of its answer before the answer is counted, so counters
        are waited for, not read.
        """
        eventually(lambda: self.metrics().sum(name, **labels) == value,
                   f"{name}{labels} = {value}", deadline_s)

    def wait_metric_at_least(self, name, value, /, deadline_s=DEADLINE_S, **labels):
        """Waits until the samples of that name and those labels add up to `value` or more."""
        eventually(lambda: self.metrics().sum(name, **labels) >= value,
                   f"{name}{labels} >= {value}", deadline_s)

    def endpoints(self):
        """The live state of every endpoint: {pod name: fields}."""
        return {e["pod"]: e for e in self.admin("/endpoints").json()}

    def wait_scraped(self, condition=lambda endpoint: True, deadline_s=DEADLINE_S):
        """Waits until every endpoint's metrics were read and condition(its fields) is true."""
        eventually(lambda: all(e["metrics_age_ms"] is not None and condition(e)
                               for e in self.endpoints().values()),
                   "every endpoint scraped", deadline_s)

    def wait_given_back(self, deadline_s=DEADLINE_S):
        """Waits until nothing is held any more by requests: whatever ended them, all is given back.

        The clients must have left or have their answers.
        """
        def held():
            counts = {pod: [e[k] for k in ("in_flight", "pending_prompt_tokens",
                                           "decoding_context_tokens")]
                      for pod, e in self.endpoints().items()}
            counts = {pod: held for pod, held in counts.items() if any(held)}
            if in_flight := self.metrics().sum("penstock_requests_in_flight"):
                counts["penstock_requests_in_flight"] = in_flight
            return counts
        try:
            eventually(lambda: not held(), "nothing held", deadline_s)
        except Deadline:
            raise Deadline(f"still held after {deadline_s:g} s: {held()}\n"
                           f"{self.output_tail()}") from None

    def handled(self):
        """The log lines of the requests that have ended."""
        return [line for line in self.lines if line.get("message") == "Request Handled"]

    def wait_handled(self, count, deadline_s=DEADLINE_S):
        """The lines of the first `count` requests that ended.

        In the order of their ends if they came over one connection or the gateway has one worker.
        """
        return self.lines.wait(
            lambda lines: (found := [l for l in lines if l.get("message") == "Request Handled"])
            and len(found) >= count and found[:count], f"{count} requests handled", deadline_s)

    def wait_line(self, message, deadline_s=DEADLINE_S, **fields):
        """The first log line with that message and those fields."""
        return self.lines.wait(
            lambda lines: next((l for l in lines if l.get("message") == message and
                                all(l.get(k) == v for k, v in fields.items())), None),
            f"log line {message!r} {fields}", deadline_s)

    def output_tail(self):
        tail = [json.dumps(line) for line in list(self.lines)[-30:]] + list(self.other_output)[-60:]
        return "\n".join(tail)

    # Ending

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait_exit(self, deadline_s=DEADLINE_S):
        """Its exit status, once it has ended. The test judges it from here on."""
        self.exit_judged = True
        try:
            status = self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise Deadline(f"the gateway did not end within {deadline_s:g} s\n"
                           f"{self.output_tail()}") from None
        self._reader.join(DEADLINE_S)
        return status

    def stop(self):
        """Ends it if it still runs: politely, then with the second signal that ends a drain."""
        ran = self.process.poll() is None
        for patience_s in (1, DEADLINE_S):
            if self.process.poll() is None:
                self.signal(signal.SIGTERM)
                try:
                    self.process.wait(patience_s)
                except subprocess.TimeoutExpired:
                    pass
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(DEADLINE_S)
        self.process.stdout.close()
        _children.discard(self.process)
        self._folder.cleanup()
        self._judge_exit(ran)

    def _judge_exit(self, ran):
        """Fails for a crash, for an end nobody asked for, for ignoring two signals."""
        reports = [l for l in self.other_output if "Sanitizer" in l or "runtime error:" in l]
        if reports:
            raise AssertionError("sanitizer report:\n" + self.output_tail())
        if self.exit_judged:
            return
        status = self.process.returncode
        # A drain that was cut short may say so in its exit status.
        crashed = status < 0 and status != -signal.SIGTERM
        if crashed or (not ran and status != 0):
            raise AssertionError(f"the gateway ended with {status}:\n{self.output_tail()}")

    def _read_output(self):
        for raw in self.process.stdout:
            text = raw.decode(errors="replace").rstrip("\n")
            try:
                line = json.loads(text)
            except ValueError:
                line = None
            if isinstance(line, dict):
                self.lines.append(line)
            else:
                self.other_output.append(text)


def chat_body(text="Hello", model="test-model", **fields):
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


class GatewayTest(unittest.TestCase):
    """Ends whatever a test started, and fails it for crashes and for scripts that went wrong."""

    addresses = Addresses()

    def model_server(self, script, model="test-model", name=None, tls=None):
        """A fake model server at an address and port of its own."""
        servers = self.__dict__.setdefault("_servers", [])
        address = self.addresses.take()
        server = FakeModelServer(address, free_port(address), script, model,
                                 name or f"server-{len(servers)}", tls)
        servers.append(server)
        self.addCleanup(self._end_server, server)
        return server

    def gateway(self, objects, **options):
        """A running gateway, ready for requests."""
        if not os.path.exists(penstock()):
            self.fail(f"there is no {penstock()}: run `make build`, or set PENSTOCK")
        gateway = Gateway(self.addresses.take(), objects, wait_ready=False, **options)
        self.addCleanup(self._end_gateway, gateway)
        gateway.wait_ready()
        return gateway

    def client(self, gateway, **options):
        """A raw connection to the gateway's listener, closed when the test ends."""
        client = gateway.connect(**options)
        self.addCleanup(client.close)
        return client

    def _end_gateway(self, gateway):
        """Every test ends with nothing held by requests; then the gateway ends in order."""
        try:
            if gateway.process.poll() is None and gateway.is_ready():
                gateway.wait_given_back()
        finally:
            gateway.stop()

    def _end_server(self, server):
        server.close()
        failures = list(server.failures)
        if failures:
            raise AssertionError(f"the script of {server.name} failed: {failures[0]!r}")
