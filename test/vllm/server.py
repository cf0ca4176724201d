"""A real vLLM server on the CPU, as a child process with a loopback address of its own."""

import atexit
import ctypes
import json
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
    """Serves the tiny model. start() returns at once, wait_ready() when it answers.

    One that `transfers` can hand its KV cache to another such server and take over the other's.
    """

    def __init__(self, name, address, transfers=False):
        self.name = name
        self.address = address
        self.port = free_port(address)
        self.transfers = transfers
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
            "PYTHONPATH": str(pathlib.Path(__file__).resolve().parent / "shared_cores"),
            "TRANSFORMERS_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
        if self.transfers:
            command += ["--kv-transfer-config", json.dumps(
                {"kv_connector": "NixlConnector", "kv_role": "kv_both", "kv_buffer_device": "cpu"})]
            # Where two servers tell each other about their memory.
            settings |= {"VLLM_NIXL_SIDE_CHANNEL_HOST": self.address,
                         "VLLM_NIXL_SIDE_CHANNEL_PORT": str(free_port(self.address))}
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

    def cache_usage(self):
        """The part of its KV cache that requests use, or that is kept for another server."""
        return self.metrics().sum("vllm:kv_cache_usage_perc")

    def generated_tokens(self):
        return self.metrics().sum("vllm:generation_tokens_total")

    def transferred_tokens(self):
        """Tokens of prompts whose KV cache came from another server."""
        return self.metrics().sum("vllm:prompt_tokens_by_source_total",
                                  source="external_kv_transfer")

    def stop_engine(self):
        """SIGTERM to the process that generates, as every replica's gets when it is stopped.

        Not to the server: that kills the engine right after passing the signal on, so that chance
        tells whether streams end with "abort", with an error, or hang until the server is killed.
        Does not wait for the end.
        """
        main = self.process.pid
        children = pathlib.Path(f"/proc/{main}/task/{main}/children").read_text().split()
        engines = [int(pid) for pid in children
                   if "EngineCore" in pathlib.Path(f"/proc/{pid}/cmdline").read_text()]
        if len(engines) != 1:
            raise AssertionError(f"wanted one EngineCore below {main}, found {engines}")
        os.kill(engines[0], signal.SIGTERM)

    def kill(self):
        """SIGKILL to all of its processes; also clears away what stop_engine() left."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait(60)

    def log(self):
        text = pathlib.Path(self._log.name).read_text(errors="replace")
        return "\n".join(text.splitlines()[-30:])
