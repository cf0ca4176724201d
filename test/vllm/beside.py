"""Starts a real vLLM server for bench/beside_vllm.py; arguments are that script's."""

import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

from harness import Addresses, penstock
from server import MODEL, VllmServer

# Of one server that runs two requests at once: about half of what it can do.
DEFAULTS = ["--rate", "1", "--prompts", "60", "--prompt-words", "128", "--output-tokens", "32"]


def main():
    environment = pathlib.Path(os.environ["PENSTOCK_VLLM_ENVIRONMENT"])
    addresses = Addresses()
    server = VllmServer("beside", addresses.take())
    try:
        print("starting vLLM", file=sys.stderr, flush=True)
        server.start()
        server.wait_ready()
        return subprocess.run(
            [sys.executable, "-B", HERE.parents[1] / "bench" / "beside_vllm.py", "--target",
             server.url, "--model", MODEL, "--tokenizer", environment.parent / "model", "--vllm",
             environment / "bin" / "vllm", "--penstock", penstock(), *DEFAULTS, *sys.argv[1:]],
            check=False).returncode
    finally:
        server.kill()
        addresses.close()


if __name__ == "__main__":
    sys.exit(main())
