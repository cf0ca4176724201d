"""Streams whose events come at a fixed pace: what a proxy costs per event, and how late each comes.

One thread is the model servers and the client. Each event carries the moment at which it was sent,
so what counts is one way through the proxy and nothing of the pacing. Streams take turns: with
200 streams and 20,000 events a second one event leaves every 50 us.
"""

import contextlib
import select
import socket
import threading
import time

EVENT = (b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,'
         b'"model":"bench-model","choices":[{"index":0,"delta":{"content":" water"},'
         b'"logprobs":null,"finish_reason":null}],"sent":"@%019d"}\n\n')
HEAD = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n")
PAGE = (b"# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting 0\n"
        b"# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running 1\n"
        b"# TYPE vllm:kv_cache_usage_perc gauge\nvllm:kv_cache_usage_perc 0.5\n")
BODY = (b'{"model":"bench-model","stream":true,"messages":[{"role":"user","content":"%019d"}]}')
EVENTS_IN_ONE_READ = 65536
PATIENCE_S = 20


class PacedStreams:
    """Serves on port 8000 of the addresses given."""

    def __init__(self, ips):
        self.poll = select.epoll()
        self.sockets = {}   # by descriptor
        self.streams = []   # server ends of the streams that run
        self.late_ns = []   # of every event that arrived
        self.clients = set()
        self.counting = False
        for ip in ips:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((ip, 8000))
            listener.listen(1024)
            listener.setblocking(False)
            self._add(listener)
        self.listeners = set(self.sockets)

    def close(self):
        for one in self.sockets.values():
            one.close()
        self.poll.close()

    @contextlib.contextmanager
    def served(self):
        """Answers from another thread, for as long as this one waits for proxies to start."""
        done = threading.Event()

        def serve():
            while not done.is_set():
                self.turn_for(0.01)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def turn_for(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._turn()

    def run(self, address, streams, per_second, seconds, cpu_seconds):
        """Calls `cpu_seconds()` as counting begins and ends.

        Returns CPU seconds, events that arrived, and how late they were, in sorted microseconds."""
        ip, _, port = address.rpartition(":")
        for i in range(streams):
            client = socket.create_connection((ip, int(port)))
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            body = BODY % (time.monotonic_ns() + i)
            client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nContent-Type: "
                           b"application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            client.setblocking(False)
            self._add(client)
            self.clients.add(client.fileno())
            self._turn()
        end = time.monotonic() + PATIENCE_S
        while len(self.streams) < streams:
            self._turn()
            if time.monotonic() > end:
                raise SystemExit(f"{len(self.streams)} of {streams} streams came through {address}")
        gap = int(1e9 / per_second)
        self._pace(gap, 0.5)
        self.late_ns = []
        self.counting = True
        before = cpu_seconds()
        self._pace(gap, seconds)
        cpu = cpu_seconds() - before
        self.counting = False
        late = sorted(nanos / 1e3 for nanos in self.late_ns)
        for descriptor in [*self.clients, *(one.fileno() for one in self.streams)]:
            self._drop(descriptor)
        self.turn_for(0.2)  # what the proxy says to that
        return cpu, len(late), late

    def _pace(self, gap, seconds):
        now = time.monotonic_ns()
        end = now + int(seconds * 1e9)
        due = now
        at = 0
        while now < end:
            if now >= due:
                # What could not be sent in time is sent as fast as it goes, up to a point: when the
                # machine stood still for long, no flood shall follow.
                due = max(due + gap, now - 10_000_000)
                event = EVENT % time.monotonic_ns()
                at = (at + 1) % len(self.streams)
                self.streams[at].send(b"%x\r\n%s\r\n" % (len(event), event))
            self._turn()
            now = time.monotonic_ns()

    def _turn(self):
        for descriptor, _ in self.poll.poll(0):
            if descriptor in self.listeners:
                peer, _ = self.sockets[descriptor].accept()
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                peer.setblocking(False)
                self._add(peer)
                continue
            try:
                data = self.sockets[descriptor].recv(EVENTS_IN_ONE_READ)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                self._drop(descriptor)
            elif descriptor in self.clients:
                self._arrived(data)
            else:
                self._serve(descriptor, data)

    def _arrived(self, data):
        if not self.counting:
            return
        now = time.monotonic_ns()
        at = data.find(b"@")
        while at >= 0:
            stamp = data[at + 1:at + 20]
            if len(stamp) == 19:
                self.late_ns.append(now - int(stamp))
            at = data.find(b"@", at + 1)

    def _serve(self, descriptor, data):
        one = self.sockets[descriptor]
        if data.startswith(b"POST"):
            one.send(HEAD)
            self.streams.append(one)
        elif data.startswith(b"GET"):
            page = PAGE if data.startswith(b"GET /metrics") else b""
            one.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s"
                     % (len(page), page))
        # What is left is the body of a request whose head came before.

    def _add(self, one):
        self.sockets[one.fileno()] = one
        self.poll.register(one.fileno(), select.EPOLLIN)

    def _drop(self, descriptor):
        one = self.sockets.pop(descriptor, None)
        if one is None:
            return
        self.clients.discard(descriptor)
        if one in self.streams:
            self.streams.remove(one)
        self.poll.unregister(descriptor)
        one.close()
