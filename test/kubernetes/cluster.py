"""The rig (rig/README.md) as a test has it: a real API server that is this process's own."""

import ctypes
import errno
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile

from harness import eventually

ROOT = pathlib.Path(__file__).resolve().parents[2]
RIG = ROOT / "test/kubernetes/rig"
CACHE = pathlib.Path(os.environ.get("PENSTOCK_KUBE_CACHE", pathlib.Path.home() / ".cache/kuberig"))
COMMAND_S = 180
API_SERVER = ("127.0.0.1", 6443)

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Cluster:
    """One rig, from start() to stop(). The process that starts it is inside its network namespace
    from then on: it reaches Pods and Services as they reach each other."""

    def __init__(self, name, images):
        """`images`: what stands for an image, {part of the image's name: program and arguments}."""
        self.name = name
        self._state = CACHE / "run" / name
        self.certificates = self._state / "certs"
        self.controller_kubeconfig = str(self._state / "controller.kubeconfig")
        self._images = images
        self._environment = {**os.environ, "KUBERIG_NAME": name,
                             "KUBECONFIG": str(self._state / "admin.kubeconfig")}

    def start(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as images:
            images.writelines(f"{image}: {program}\n" for image, program in self._images.items())
            images.write((RIG / "images.conf").read_text(encoding="utf-8"))
            images.flush()
            self._run([RIG / "down.sh"])
            self._run([RIG / "up.sh"], KUBERIG_IMAGES=images.name)
        with open(f"/run/netns/{self.name}", encoding="utf-8") as namespace:
            if _libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def stop(self):
        self._run([RIG / "down.sh"])

    def kubectl(self, *arguments, **options):
        """What it prints; a failure is an AssertionError with what it said."""
        return self._run([CACHE / "bin/kubectl", *arguments], **options)

    def says_who_am_i(self, token):
        """What the API server answers whoever shows that token."""
        done = self._try([CACHE / "bin/kubectl", "--kubeconfig=/dev/null", "auth", "whoami",
                          "--server=https://%s:%d" % API_SERVER, f"--token={token}",
                          f"--certificate-authority={self.certificates}/ca.crt"])
        return done.stdout + done.stderr

    def get(self, *arguments):
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def create(self, *objects):
        self.kubectl("create", "-f", "-", given=json.dumps(
            {"apiVersion": "v1", "kind": "List", "items": objects}))

    def kill_api_server(self):
        """By SIGKILL: nobody is told. Returns the command that start_api_server() takes."""
        pid = int(self._api_server_pid.read_text(encoding="utf-8"))
        command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
        os.kill(pid, signal.SIGKILL)
        def gone():  # its port as well, which is closed last
            with socket.socket() as client:
                return client.connect_ex(API_SERVER) == errno.ECONNREFUSED
        eventually(gone, "the end of kube-apiserver")
        return command

    def start_api_server(self, command):
        """Returns when it answers."""
        with open(self._state / "logs/kube-apiserver.log", "ab") as log:
            subprocess.run(["sh", "-c", '"$@" & echo $! > "$0"', self._api_server_pid, *command],
                           cwd=self._state, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                           start_new_session=True, check=True)
        eventually(lambda: self._try([CACHE / "bin/kubectl", "get", "--raw", "/readyz"])
                   .returncode == 0, "an API server that is ready", deadline_s=COMMAND_S)

    @property
    def _api_server_pid(self):
        return self._state / "pids/kube-apiserver"

    def _run(self, command, **options):
        done = self._try(command, **options)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, command))}: {done.stderr}{done.stdout}")
        return done.stdout

    def _try(self, command, given=None, **variables):
        return subprocess.run(command, input=given, capture_output=True, text=True,
                              timeout=COMMAND_S, check=False,
                              env={**self._environment, **variables})
