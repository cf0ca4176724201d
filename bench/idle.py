"""Clients that have asked once and stay connected."""

import json
import socket
import struct

from fleet import MODEL

AT_ONCE = 100  # few enough for any backlog
TEXT = "The water runs down the penstock and drives the wheel. "
BODY = json.dumps({"model": MODEL, "max_tokens": 16,
                   "messages": [{"role": "user", "content": (TEXT * 20)[:1000]}]}).encode()
REQUEST = (b"POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\n"
           b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)) + BODY


def read_answer(client):
    """Until the whole of it has come, so that the proxy is done with it."""
    answer = b""
    while True:
        part = client.recv(65536)
        if not part:
            raise OSError("a proxy closed a connection before its answer was whole")
        answer += part
        head, end, body = answer.partition(b"\r\n\r\n")
        if not end:
            continue
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:") and len(body) >= int(line[15:]):
                return


class IdleClients:
    """`count` connections to `address`, each after one request of 1 KB, until the end of `with`."""

    def __init__(self, address, count):
        self.address = address
        self.count = count
        self.clients = []

    def __enter__(self):
        host, port = self.address.split(":")
        while len(self.clients) < self.count:
            new = [socket.create_connection((host, int(port)), timeout=30)
                   for _ in range(min(AT_ONCE, self.count - len(self.clients)))]
            self.clients += new
            for client in new:
                client.sendall(REQUEST)
            for client in new:
                read_answer(client)
        return self

    def __exit__(self, *_):
        for client in self.clients:
            # A reset: tens of thousands of ports would else wait for their time to pass.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        self.clients = []
