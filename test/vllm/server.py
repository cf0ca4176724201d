"""A real vLLM server on the CPU, as a child process with a loopback address of its own."""

import atexit
import ctypes
import os
import pathlib
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request

from harness import Deadline, Metrics, eventually, free_port

MODEL = "tiny"
START_DEADLINE_S = 600  # two at once on two busy cores need 75 s to 3 min
RUNNING_MAX = 2  # requests served at once; the others wait

_libc = ctypes.CDLL(None)


def _own_group_and_die_with_parent():
    os.setsid()
    _libc.prctl(1, signal.SIGKILL)


class VllmServer:
    """Serves the tiny model. start() returns at once, wait_ready() when it answers."""

    def __init__(self, name, address):
        self.name = name
        self.address = address
        self.port = free_port(address)
        self.process = None
        self._log = tempfile.NamedTemporaryFile(prefix=f"penstock-vllm-{name}-", suffix=".log")
        atexit.register(self.kill)

    @property
    def url(self):
        return f"http://{self.address}:{self.port}"

    def start(self):
        environment = pathlib.Path(os.environ["PENSTOCK_VLLM_ENVIRONMENT"])
        command = [
            environment / "bin" / "vllm", "serve", environment.parent / "model",
            "--served-model-name", MODEL, "--host", self.address, "--port", str(self.port),
            "--enforce-eager", "--dtype", "float32", "--max-model-len", "4096",
            "--max-num-batched-tokens", "4096", "--max-num-seqs", str(RUNNING_MAX),
            # On the CPU a block is a multiple of 32 tokens.
            "--enable-prefix-caching", "--block-size", "32", "--num-gpu-blocks-override", "512",
            "--enable-prompt-tokens-details", "--enable-request-id-headers"]
        settings = {
            "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "OMP_NUM_THREADS": "1", "VLLM_HOST_IP": self.address, "HF_HUB_OFFLINE": "1",
            "TRANSFORMERS_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
        self.process = subprocess.Popen(
            [str(part) for part in command], env={**os.environ, **settings},
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT,
            preexec_fn=_own_group_and_die_with_parent)

    def is_healthy(self):
        try:
            with urllib.request.urlopen(self.url + "/health", timeout=20) as response:
                return response.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def wait_ready(self):
        def healthy_or_ended():
            if self.process.poll() is not None:
                raise AssertionError(f"vLLM ended with {self.process.returncode}:\n{self.log()}")
            return self.is_healthy()
        try:
            eventually(healthy_or_ended, f"{self.name} answers /health", START_DEADLINE_S)
        except Deadline as e:
            raise Deadline(f"{e}\n{self.log()}") from None

    def metrics(self):
        with urllib.request.urlopen(self.url + "/metrics", timeout=60) as response:
            return Metrics(response.read().decode())

    def running(self):
        return self.metrics().sum("vllm:num_requests_running")

    def waiting(self):
        return self.metrics().sum("vllm:num_requests_waiting")

    def generated_tokens(self):
        return self.metrics().sum("vllm:generation_tokens_total")

    def terminate(self):
        """SIGTERM to its first process, as a cluster stops a replica. Does not wait for the end."""
        self.process.terminate()

    def kill(self):
        """SIGKILL to all of its processes; also clears away what terminate() left."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait(60)

    def log(self):
        text = pathlib.Path(self._log.name).read_text(errors="replace")
        return "\n".join(text.splitlines()[-30:])
