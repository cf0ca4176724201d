"""The processes of a comparison: simulated replicas, and the proxies in front of them.

Replicas and load run on the last core, proxies on the first. Only the proxy that is being measured
runs: the others are stopped (SIGSTOP), so that a gateway's scraping disturbs no rival.
"""

import base64
import contextlib
import os
import pathlib
import resource
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request

MODEL = "bench-model"
# Of a loopback address, so that nothing here is reached from outside.
PROXY_CORES, LOAD_CORE = ("0", str(os.cpu_count() - 1)) if os.cpu_count() > 1 else ("0", "0")
ALL_CORES = f"0-{os.cpu_count() - 1}"

# Of 16 tokens a block, a replica's own cache would be what is measured: 700 us for 128 KB, and with
# 1,024 a block 95.
FAST_CACHE = ["--block-size", "1024", "--kv-blocks", "65536"]

# 10,000 clients of four proxies may all have a connection to a replica. A proxy has both sides of
# its own clients; nginx takes memory for as many as it is allowed.
FILES_WANTED = 65_536
PROXY_FILES_MAX = 24_000

# Every proxy keeps a connection to every replica, a gateway two: with four proxies six descriptors
# of each, beside its listener. A process that has none left takes no connection, and whoever asks
# it waits.
REPLICAS_OF_PROCESS_MAX = 1000

NGINX = """daemon off; worker_processes {workers}; worker_rlimit_nofile {files};
pid {work}/nginx.pid; error_log {work}/nginx.err;
events {{ worker_connections {files}; }}
http {{ access_log off; keepalive_requests 100000000; client_body_buffer_size 8m;
  client_max_body_size 64m; client_body_temp_path {work}/body; proxy_temp_path {work}/proxy;
  fastcgi_temp_path {work}/f; uwsgi_temp_path {work}/u; scgi_temp_path {work}/s;
  upstream replicas {{ {servers} keepalive {keepalive}; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{port}{ssl} backlog=4096{reuseport}; {certificate}
    location = /nothing {{ return 404; }} location / {{
    proxy_pass http://replicas; proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_buffering off; proxy_read_timeout 300s; }} }} }}
"""

HAPROXY = """global
  maxconn {connections}
  nbthread {workers}
defaults
  mode http
  option http-keep-alive
  option http-no-delay
  timeout connect 10s
  timeout client 300s
  timeout server 300s
frontend bench
  bind 127.0.0.1:{port} backlog 4096
  default_backend replicas
backend replicas
  balance roundrobin
  http-reuse always
{servers}
"""

OBJECTS = """apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{name: penstock}}
spec: {{controllerName: penstock.dev/gateway-controller}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: bench}}
spec:
  gatewayClassName: penstock
  listeners: [{listener}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: bench}}
spec:
  parentRefs: [{{name: bench}}]
  rules:
  - matches: [{{path: {{type: PathPrefix, value: /v1}}}}]
    backendRefs: [{{group: inference.networking.k8s.io, kind: InferencePool, name: bench}}]
---
apiVersion: inference.networking.k8s.io/v1
kind: InferencePool
metadata:
  name: bench
  annotations: {{penstock.dev/routing-strategy: {strategy}}}
spec:
  selector: {{matchLabels: {{app: bench}}}}
  targetPorts: [{{number: 8000}}]
"""
HTTP = "{{name: http, protocol: HTTP, port: {port}}}"
HTTPS = ("{{name: https, protocol: HTTPS, port: {port}, "
         "tls: {{certificateRefs: [{{name: bench}}]}}}}")
SECRET = """---
apiVersion: v1
kind: Secret
metadata: {{name: bench}}
type: kubernetes.io/tls
data: {{tls.crt: {chain}, tls.key: {key}}}
"""
NGINX_CERTIFICATE = """ssl_certificate {chain}; ssl_certificate_key {key};
    ssl_protocols TLSv1.3; ssl_session_tickets on;"""
POD = """---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{app: bench, role: {role}}}}}
status: {{podIP: {ip}}}
"""
SPLIT = """---
apiVersion: inferenceextension.alibabacloud.com/v1alpha1
kind: InferenceTrafficPolicy
metadata: {{name: bench}}
spec:
  poolRef: {{name: bench}}
  modelServerRuntime: {runtime}
  profile: {{pd: {{pdRoleLabelName: role, kvTransfer: {{bootstrapPort: 34000}}}}}}
"""


def addresses(first, count):
    """`count` IPv4 addresses in a row."""
    parts = [int(part) for part in first.split(".")]
    number = (parts[0] << 24) + (parts[1] << 16) + (parts[2] << 8) + parts[3]
    return [".".join(str((number + i) >> shift & 255) for shift in (24, 16, 8, 0))
            for i in range(count)]


def raise_file_limit():
    """As many descriptors for this process and its children as may be had, up to FILES_WANTED."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = hard if hard >= FILES_WANTED else FILES_WANTED
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    except (ValueError, OSError):  # only root may raise the hard limit
        files = hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    return files


def make_certificate(folder):
    """The files of a chain and of its key, P-256, that nobody has signed."""
    chain, key = folder / "tls.crt", folder / "tls.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=bench",
                    "-addext", "subjectAltName=DNS:bench,IP:127.0.0.1", "-keyout", str(key),
                    "-out", str(chain)], check=True, capture_output=True)
    return chain, key


def pool_objects(strategy, port, ips):
    """A Gateway on that port, and a pool of those replicas that is routed by that strategy."""
    text = OBJECTS.format(listener=HTTP.format(port=port), strategy=strategy)
    return text + "".join(POD.format(name=f"r{i}", role="both", ip=ip) for i, ip in enumerate(ips))


@contextlib.contextmanager
def ended_afterwards():
    """A list of processes that are ended, in its order, when the block is left."""
    processes = []
    try:
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def wait_http(url, seconds=60):
    end = time.monotonic() + seconds
    # Its certificate is one of make_certificate's.
    context = ssl._create_unverified_context()
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2, context=context) as answer:
                if answer.status == 200:
                    return
        except OSError:
            pass
        if time.monotonic() > end:
            sys.exit(f"{url} did not answer")
        time.sleep(0.05)


class Process:
    """A program and its children, on the cores given."""

    def __init__(self, command, cores, log):
        with open(log, "wb") as out:
            self.process = subprocess.Popen(["taskset", "-c", cores, *command], stdout=out,
                                            stderr=out, start_new_session=True)

    def pids(self):
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
        return [pid, *map(int, children.read_text().split())]

    def cpu_seconds(self):
        """From the scheduler's own counts, as utime and stime come in hundredths of a second."""
        total = 0
        for pid in self.pids():
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                try:
                    total += int((task / "schedstat").read_text().split()[0])
                except OSError:
                    pass  # the thread has ended
        return total / 1e9

    def resident_mb(self):
        """What is resident and its own: shared pages of several processes count once, about."""
        total = 0
        for pid in self.pids():
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        return total / 1024

    def send(self, number):
        for pid in self.pids():
            os.kill(pid, number)

    def stop(self):
        if self.process.poll() is None:
            self.send(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


class Proxy:
    """What stands between load and replicas; without a process: nothing, a replica itself."""

    def __init__(self, name, address, process=None):
        self.name = name
        self.address = address
        self.process = process

    def pause(self):
        if self.process is not None:
            self.process.send(signal.SIGSTOP)

    def resume(self):
        if self.process is not None:
            self.process.send(signal.SIGCONT)


class Fleet:
    """Everything that one comparison starts. Ports are given out from 8701 on."""

    def __init__(self, penstock, workers=1):
        self.penstock = str(penstock)
        self.workers = workers
        self.proxy_cores = PROXY_CORES if workers == 1 else ALL_CORES
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="penstock-bench-"))
        # nginx's own process may be another user's.
        self.work.chmod(0o755)
        self.processes = []
        self.next_port = 8701
        self.proxy_files = min(raise_file_limit(), PROXY_FILES_MAX)
        # Both sides of a proxy take a descriptor, and some are needed for the rest.
        self.connections_max = (self.proxy_files // 2 - 500) // 100 * 100

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.stop()
        shutil.rmtree(self.work, ignore_errors=True)

    def _start(self, command, cores):
        process = Process(command, cores, self.work / f"{len(self.processes)}.log")
        self.processes.append(process)
        return process

    def _port(self):
        self.next_port += 1
        return self.next_port - 1

    def start_replicas(self, first, count, *flags, runtime="vllm"):
        """`count` replicas from the address `first` on that answer at once; their addresses."""
        ips = addresses(first, count)
        for begin in range(0, count, REPLICAS_OF_PROCESS_MAX):
            part = ips[begin:begin + REPLICAS_OF_PROCESS_MAX]
            self._start([self.penstock, "sim", "--runtime", runtime, "--model", MODEL, "--preset",
                         "instant", "--max-model-len", "4000000", *FAST_CACHE, "--replicas",
                         str(len(part)), "--listen", f"{part[0]}:8000", *flags], LOAD_CORE)
            wait_http(f"http://{part[-1]}:8000/health")
        return ips

    def start_nginx(self, ips, tls=None):
        """`tls`: what make_certificate gave; None: plain HTTP."""
        port = self._port()
        work = self.work / f"nginx-{port}"
        work.mkdir()
        config = work / "nginx.conf"
        config.write_text(NGINX.format(
            work=work, workers=self.workers, files=self.proxy_files, port=port,
            keepalive=max(256, 2 * len(ips)), reuseport=" reuseport" if self.workers > 1 else "",
            servers=" ".join(f"server {ip}:8000;" for ip in ips), ssl=" ssl" if tls else "",
            certificate=NGINX_CERTIFICATE.format(chain=tls[0], key=tls[1]) if tls else ""))
        return self._proxy("nginx", port, ["nginx", "-c", str(config)], tls=tls)

    def start_haproxy(self, ips):
        port = self._port()
        config = self.work / f"haproxy-{port}.cfg"
        config.write_text(HAPROXY.format(
            workers=self.workers, connections=self.proxy_files // 2 - 200, port=port,
            servers="\n".join(f"  server s{i} {ip}:8000" for i, ip in enumerate(ips))))
        return self._proxy("haproxy", port, ["haproxy", "-db", "-f", str(config)])

    def start_gateway(self, name, ips, strategy="DEFAULT", log=False, flags=(), pods=None,
                      split="", tls=None):
        port = self._port()
        config = self.work / f"gateway-{port}"
        config.mkdir()
        pods = pods or [(f"bench-{i}", ip, "both") for i, ip in enumerate(ips)]
        (config / "gateway.yaml").write_text(
            OBJECTS.format(strategy=strategy,
                           listener=(HTTPS if tls else HTTP).format(port=port)) +
            (SECRET.format(chain=base64.b64encode(tls[0].read_bytes()).decode(),
                           key=base64.b64encode(tls[1].read_bytes()).decode()) if tls else "") +
            "".join(POD.format(name=n, ip=ip, role=role) for n, ip, role in pods) +
            (SPLIT.format(runtime=split) if split else ""))
        admin = self._port()
        command = [self.penstock, "serve", "-f", str(config), "--bind", "127.0.0.1", "--admin",
                   f"127.0.0.1:{admin}", "--workers", str(self.workers), *flags]
        if not log:
            command.append("--no-request-log")
        # The first scrapes of thousands of endpoints leave no time for anything else.
        return self._proxy(name, port, command, f"http://127.0.0.1:{admin}/readyz",
                           settle_s=len(pods) / 1000)

    def start_split(self, runtime, first):
        """A gateway before two replicas of each role."""
        pods = []
        for role, last in (("prefill", 1), ("decode", 5)):
            ips = self.start_replicas(f"{first}{last}", 2, "--role", role, "--bootstrap-port",
                                      "34000", runtime=runtime)
            pods += [(f"{role}-{i}", ip, role) for i, ip in enumerate(ips)]
        return self.start_gateway(f"penstock, {runtime} pairs", [], pods=pods, split=runtime)

    def _proxy(self, name, port, command, ready=None, settle_s=0, tls=None):
        process = self._start(command, self.proxy_cores)
        address = f"127.0.0.1:{port}"
        proxy = Proxy(name, address, process)
        wait_http(ready or f"{'https' if tls else 'http'}://{address}/v1/models")
        time.sleep(settle_s)
        proxy.pause()
        return proxy
