#!/usr/bin/env python3
"""TLS of the gateway beside nginx's, in the same run: handshakes, requests, events of streams.

As rivals.py does it: proxies in turn, CPU time of each with all its threads. TLS 1.3, a P-256
certificate, X25519; prints Markdown as docs/performance.md has it.

    bench/tls.py                                # 5 rounds of 3 seconds each
    bench/tls.py --rounds 1 --seconds 1
"""

import argparse
import os
import pathlib
import socket
import ssl
import sys
import time

from fleet import LOAD_CORE, Fleet, make_certificate
from load import SINGLE, Load
from rivals import EVENTS, ROOT, in_turn, measure_wrk, table

QUESTION = b"HEAD /nothing HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"


class Handshakes:
    """One connection after the other, each with one question that the proxy answers itself."""

    def __init__(self, resumed):
        self.resumed = resumed
        self.sessions = {}  # by address

    def connect(self, address):
        host, port = address.split(":")
        context = self.sessions.get(address, (None, None))[0] or self.context()
        session = self.sessions.get(address, (None, None))[1] if self.resumed else None
        with socket.create_connection((host, int(port))) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with context.wrap_socket(plain, server_hostname="bench", session=session) as secure:
                secure.sendall(QUESTION)
                answer = b""
                while piece := secure.recv(4096):
                    answer += piece
                if b" 404 " not in answer:
                    sys.exit(f"{address} answered {answer!r}")
                if session is not None and not secure.session_reused:
                    sys.exit(f"{address} did not resume a session")
                # The tickets have come with the answer.
                self.sessions.setdefault(address, (context, secure.session))

    @staticmethod
    def context():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context

    def round(self, proxy, seconds):
        """(CPU us per connection, 0, connections per second, p50, p99)."""
        proxy.resume()
        try:
            self.connect(proxy.address)
            before, began, times = proxy.process.cpu_seconds(), time.monotonic(), []
            while time.monotonic() - began < seconds:
                start = time.monotonic()
                self.connect(proxy.address)
                times.append((time.monotonic() - start) * 1e6)
            took = time.monotonic() - began
            cpu = proxy.process.cpu_seconds() - before
        finally:
            proxy.pause()
        times.sort()
        return (cpu / len(times) * 1e6, 0, len(times) / took, times[len(times) // 2],
                times[len(times) * 99 // 100])


def run(arguments):
    with Fleet(arguments.penstock) as fleet:
        os.sched_setaffinity(0, {int(LOAD_CORE)})
        tls = make_certificate(fleet.work)
        ips = fleet.start_replicas("127.0.7.11", 4)
        proxies = [fleet.start_nginx(ips, tls=tls),
                   fleet.start_gateway("penstock, DEFAULT", ips, tls=tls)]
        for title, handshakes in (("Full handshakes, TLS 1.3, P-256", Handshakes(False)),
                                  ("Resumed handshakes, TLS 1.3", Handshakes(True))):
            table(title, in_turn(title, proxies, arguments.rounds,
                                 lambda proxy, seconds, h=handshakes: h.round(
                                     proxy, seconds or arguments.seconds)), "connection")
        for title, load, count in (
                ("1 KB chat over TLS, 64 connections", Load(SINGLE, 1000, 64, scheme="https"), 1),
                (f"Streams of {EVENTS} events over TLS, flat out, 64 at a time",
                 Load(SINGLE, 1000, 64, tokens=EVENTS, scheme="https", stream=True,
                      ignore_eos=True), EVENTS)):
            table(title, in_turn(title, proxies, arguments.rounds,
                                 lambda proxy, seconds, of=load, n=count: measure_wrk(
                                     fleet, proxy, of, seconds or arguments.seconds, n)),
                  "request" if count == 1 else "event")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--penstock", type=pathlib.Path,
                        default=os.environ.get("PENSTOCK", ROOT / "build" / "penstock"))
    parser.add_argument("--seconds", type=int, default=3, help="of one round of one proxy")
    parser.add_argument("--rounds", type=int, default=5)
    run(parser.parse_args())


if __name__ == "__main__":
    main()
