"""What a request that waits in its pool's queue takes of the gateway's memory.

PENSTOCK=build/penstock python3 -B bench/waiting.py [--requests N] [--body BYTES]

Each waits on a connection of its own, as a client's does, in a pool without an endpoint. Told is
what a connection takes that has asked nothing yet, what one takes whose request waits, and how much
of that is the request's body.
"""

import argparse
import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import tempfile
import time
import urllib.request

from fleet import MODEL

ROOT = pathlib.Path(__file__).resolve().parents[1]
PENSTOCK = os.environ.get("PENSTOCK") or ROOT / "build" / "penstock"
HOST, PORT, ADMIN_PORT = "127.0.0.1", 18461, 18462
OBJECTS = f"""
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{name: penstock}}
spec: {{controllerName: penstock.dev/gateway-controller}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: gateway}}
spec:
  gatewayClassName: penstock
  listeners:
  - {{name: http, port: {PORT}, protocol: HTTP}}
---
apiVersion: inference.networking.k8s.io/v1
kind: InferencePool
metadata:
  name: pool
  annotations:
    penstock.dev/queueing: "true"
    penstock.dev/queue-without-endpoints: "true"
    penstock.dev/queue-requests-max: "1000000"
    penstock.dev/queue-bytes-max: 8Gi
    penstock.dev/queue-timeout: 600s
spec:
  selector: {{matchLabels: {{app: nobody}}}}
  targetPorts:
  - number: 8000
  endpointPickerRef: {{name: picker, port: {{number: 9002}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: route}}
spec:
  parentRefs:
  - {{name: gateway}}
  rules:
  - backendRefs:
    - {{group: inference.networking.k8s.io, kind: InferencePool, name: pool}}
"""


def admin(path):
    with urllib.request.urlopen(f"http://{HOST}:{ADMIN_PORT}{path}", timeout=10) as answer:
        return answer.read().decode()


def wait_for(condition, what):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise SystemExit(f"not within 120 s: {what}")


def connections():
    found = re.findall(r"^penstock_downstream_connections (\d+)", admin("/metrics"), re.M)
    return sum(map(int, found))


def waiting():
    found = re.findall(r"^penstock_queue_waiting_requests\{.*\} (\d+)", admin("/metrics"), re.M)
    return sum(map(int, found))


def resident_bytes(process):
    with open(f"/proc/{process.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def request_of(body_bytes):
    body = json.dumps({"model": MODEL, "max_tokens": 16, "stream": True,
                       "messages": [{"role": "user", "content": ""}]})
    body = body.replace('""', '"' + "a" * max(0, body_bytes - len(body)) + '"').encode()
    head = (b"POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
    return head + body, len(body)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=10000)
    parser.add_argument("--body", type=int, default=400)
    arguments = parser.parse_args()
    request, body_bytes = request_of(arguments.body)
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "objects.yaml").write_text(OBJECTS, encoding="ascii")
        process = subprocess.Popen([
            PENSTOCK, "serve", "-f", folder, "--bind", HOST, "--workers", "2",
            "--admin", f"{HOST}:{ADMIN_PORT}", "--log-level", "error"])
        clients = []
        try:
            wait_for(lambda: "penstock_" in admin("/metrics"), "the gateway answers")
            before = resident_bytes(process)
            for i in range(arguments.requests):
                # Ports of one address are fewer than clients may be.
                client = socket.socket()
                client.bind((f"127.0.1.{i // 20000 + 1}", 0))
                client.connect((HOST, PORT))
                clients.append(client)
            wait_for(lambda: connections() >= arguments.requests, "all are connected")
            idle = resident_bytes(process)
            for client in clients:
                client.sendall(request)
            wait_for(lambda: waiting() == arguments.requests, "all wait")
            held = resident_bytes(process)
        finally:
            for client in clients:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
            process.terminate()
            process.wait(30)
    count = arguments.requests
    print(f"{count} requests that wait, bodies of {body_bytes} bytes:")
    print(f"  a connection that has asked nothing  {(idle - before) / count:8.0f} bytes")
    print(f"  one whose request waits              {(held - before) / count:8.0f} bytes")
    print(f"  more, beyond its body                {(held - idle) / count - body_bytes:8.0f} bytes")


if __name__ == "__main__":
    main()
