"""Loopback addresses and ports that no other test process uses."""

import atexit
import os
import socket
import threading


class Addresses:
    """Gives out addresses from /24s of 127.0.0.0/8 that this process has claimed.

    The claim is a listening socket on a /24's last address; it lasts until close().
    """

    CLAIM_PORT = 10061  # not below 1024: those need root

    def __init__(self):
        self._lock = threading.Lock()
        self._seed = os.getpid() * 40503  # spreads consecutive process ids
        self._claims = []
        self._prefix = ""
        self._next = 254
        atexit.register(self.close)

    def take(self, count=1):
        """The next `count` consecutive addresses, each given out once."""
        with self._lock:
            if self._next + count > 254:
                self._claim_next()
            first = self._next
            self._next += count
            taken = [f"{self._prefix}.{i}" for i in range(first, first + count)]
        return taken[0] if count == 1 else taken

    def close(self):
        for claim in self._claims:
            claim.close()

    def _claim_next(self):
        for _ in range(200):
            self._seed += 7919
            prefix = f"127.{1 + (self._seed >> 8) % 253}.{self._seed % 256}"
            claim = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                claim.bind((f"{prefix}.254", self.CLAIM_PORT))
                claim.listen(1)
            except OSError:
                claim.close()
                continue
            self._claims.append(claim)
            self._prefix = prefix
            self._next = 1
            return
        raise RuntimeError("no free /24 of 127.0.0.0/8 found")


_given = set()  # (address, port): who asked may not listen there yet


def free_port(*addresses):
    """A port on which nothing listens at any of the addresses, and that nobody was given before.

    The addresses are this process's own, so nobody takes the port between this and its use.
    """
    for _ in range(50):
        sockets = []
        try:
            port = 0
            for address in addresses:
                s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                sockets.append(s)
                s.bind((address, port))
                port = s.getsockname()[1]
            if any((address, port) in _given for address in addresses):
                continue
            _given.update((address, port) for address in addresses)
            return port
        except OSError:
            continue
        finally:
            for s in sockets:
                s.close()
    raise RuntimeError(f"no port is free on all of {addresses}")
