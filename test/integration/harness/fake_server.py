"""A model server that does what a test tells it and keeps every byte it was sent.

A script is a function (request, connection) -> None, run on the connection's own thread for every
request but the probes. It sends bytes, waits on gates, and may end the connection; when it returns,
the next request of that connection is read.

    def late(request, connection):
        gate.wait()
        answer(200, b"{}")(request, connection)
"""

import ctypes
import json
import select
import socket
import struct
import threading

from harness.client import Head
from harness.wait import DEADLINE_S, Deadline, Watched

_libc = ctypes.CDLL(None)


class Request:
    """One request as it came over the wire."""

    def __init__(self, head, body, raw, connection):
        self.head = head
        self.method, self.target, self.version = head.start.split(" ", 2)
        self.path = self.target.partition("?")[0]
        self.body = body
        self.raw = raw  # head and body with their framing, exactly
        self.connection = connection

    def get(self, name, default=None):
        return self.head.get(name, default)

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.head.start!r} body={self.body[:200]!r}>"


class PeerGone(Exception):
    """The gateway ended the connection."""


class Connection:
    """The server's side of one connection."""

    def __init__(self, server, sock):
        self.server = server
        self.received = bytearray()  # everything that ever came, probes included
        self.closed_by_peer = threading.Event()
        self.closed_here = False
        self._buffer = bytearray()
        self._socket = sock

    def send(self, data):
        """Sends all of `data`; raises PeerGone if the gateway no longer takes it."""
        try:
            self._socket.sendall(data)
        except TimeoutError:
            raise Deadline("the gateway reads nothing more") from None
        except OSError as e:
            self._mark_closed()
            raise PeerGone(str(e)) from None

    def send_head(self, status=200, headers=(), reason="OK"):
        lines = [f"HTTP/1.1 {status} {reason}"] + [f"{n}: {v}" for n, v in headers]
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")

    def send_chunk(self, data):
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def end_chunks(self):
        self.send(b"0\r\n\r\n")

    def send_until_blocked(self, block, blocks_max):
        """Sends `block` over and over until the peer takes no more or blocks_max were sent.

        Returns how many bytes were taken: the back-pressure of all that lies between.
        """
        self._socket.setblocking(False)
        sent = 0
        idle = threading.Event()
        quiet = 0
        while sent < blocks_max * len(block) and quiet < 40:
            try:
                sent += self._socket.send(block)
                quiet = 0
            except BlockingIOError:
                quiet += 1
                idle.wait(0.01)  # nothing was taken for 40 of these in a row: it is blocked
        self._socket.settimeout(DEADLINE_S)
        return sent

    def wait_closed(self, deadline_s=DEADLINE_S):
        """Waits until the gateway ends this connection (FIN or RST)."""
        self._socket.settimeout(deadline_s)
        try:
            while data := self._socket.recv(65536):
                self.received += data
                self._buffer += data
        except TimeoutError:
            raise Deadline(f"the gateway kept the connection for {deadline_s:g} s") from None
        except OSError:
            pass
        self._mark_closed()

    def wait_until(self, condition):
        """Waits for condition(); raises PeerGone if the gateway ends the connection before."""
        while not condition():
            if select.select([self._socket], [], [], 0.005)[0]:
                self.wait_closed()
                raise PeerGone("ended while the script waited")

    def close(self):
        """Ends the connection: FIN after what was sent, RST for what comes later. Any thread."""
        self.closed_here = True
        try:
            self._socket.shutdown(socket.SHUT_RDWR)  # the connection's own thread closes it
        except OSError:
            pass

    def reset(self):
        """Ends the connection with RST. Any thread."""
        self.closed_here = True
        # Connecting to AF_UNSPEC resets a TCP connection without giving its descriptor back, which
        # the connection's own thread may be using.
        unspecified = struct.pack("H14x", socket.AF_UNSPEC)
        _libc.connect(self._socket.fileno(), unspecified, len(unspecified))

    # For the server's thread

    def _start_tls(self, context):
        self._socket.settimeout(DEADLINE_S)
        try:
            self._socket = context.wrap_socket(self._socket, server_side=True)
        except OSError as e:
            self.server.handshake_failures.append(str(e))
            raise PeerGone(str(e)) from None

    def _mark_closed(self):
        self.closed_by_peer.set()
        self.server.connections.notify()

    def _read_some(self):
        try:
            data = self._socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            if not self.closed_here:
                self._mark_closed()
            raise PeerGone("end of stream")
        self.received += data
        self._buffer += data

    def _take(self, size):
        while len(self._buffer) < size:
            self._read_some()
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _take_until(self, mark):
        while (at := self._buffer.find(mark)) < 0:
            self._read_some()
        return self._take(at + len(mark))

    def _read_request(self):
        # Keep-alive connections may idle for as long as the test lasts.
        self._socket.settimeout(None)
        raw = self._take_until(b"\r\n\r\n")
        self._socket.settimeout(DEADLINE_S)
        head = Head(raw)
        body = b""
        if "100-continue" in head.get("expect", "").lower():
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if head.get("transfer-encoding", "").lower() == "chunked":
            while True:
                line = self._take_until(b"\r\n")
                raw += line
                size = int(line.split(b";")[0], 16)
                if size == 0:
                    break
                data = self._take(size + 2)
                raw += data
                body += data[:-2]
            while True:
                line = self._take_until(b"\r\n")
                raw += line
                if line == b"\r\n":
                    break
        else:
            body = self._take(int(head.get("content-length", "0")))
            raw += body
        return Request(head, body, raw, self)


class FakeModelServer:
    """Listens on address:port from construction until close().

    `script` answers what is not a probe. /metrics, /health and /v1/models are answered here, as
    vLLM would, from the attributes below; the requests for them are in `probes`, all others in
    `requests`.
    Take a path out of `own_paths` to have the script answer it as well.
    With `tls` (an ssl.SSLContext, which may be replaced) every connection begins with a handshake.
    """

    def __init__(self, address, port, script, model="test-model", name="server", tls=None):
        self.address = address
        self.port = port
        self.script = script
        self.model = model
        self.name = name
        self.tls = tls
        self.handshake_failures = Watched()
        self.own_paths = {"/metrics", "/health", "/v1/models"}
        self.waiting = 0
        self.running = 0
        self.kv_cache_usage = 0.0
        self.metrics_page = None  # bytes, instead of the page made from the three above
        self.healthy = True
        self.requests = Watched()
        self.probes = Watched()
        self.connections = Watched()
        self.failures = Watched()  # exceptions of scripts; GatewayTest fails the test for them
        self._listener = None
        self.listen()

    @property
    def endpoint(self):
        return f"{self.address}:{self.port}"

    def listen(self):
        """Accepts connections (again)."""
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((self.address, self.port))
        self._listener.listen(512)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def refuse(self):
        """Connections are refused from here on; those that are open stay."""
        listener, self._listener = self._listener, None
        if listener is not None:
            try:
                listener.shutdown(socket.SHUT_RDWR)  # wakes accept(); its thread closes it
            except OSError:
                pass

    def close(self):
        """Stops listening and ends every connection."""
        self.refuse()
        for connection in self.connections:
            connection.close()

    def kill(self):
        """As when the process is killed: stops listening and resets every connection."""
        self.refuse()
        for connection in self.connections:
            connection.reset()

    def wait_requests(self, count, deadline_s=DEADLINE_S):
        """The first `count` requests, once there are so many."""
        return self.requests.wait_count(count, f"requests at {self.name}", deadline_s)

    def wait_request(self, condition, what, deadline_s=DEADLINE_S):
        """The first request for which condition(request) is true."""
        return self.requests.wait(lambda items: next((r for r in items if condition(r)), None),
                                  f"{what} at {self.name}", deadline_s)

    def bytes_received(self):
        """Everything each connection sent that was not only probes: a list of bytes."""
        own = {request.connection for request in self.requests}
        return [bytes(c.received) for c in self.connections if c in own]

    # Threads

    def _accept(self, listener):
        # It is closed by nobody else: the number of a closed descriptor may be another listener's
        # by the time that accept() looks at it again.
        with listener:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = Connection(self, sock)
                self.connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if self.tls is not None:
                connection._start_tls(self.tls)
            while not connection.closed_here:
                request = connection._read_request()
                if request.path in self.own_paths:
                    self.probes.append(request)
                    self._answer_own(request, connection)
                else:
                    self.requests.append(request)
                    self.script(request, connection)
        except PeerGone:
            pass
        except BaseException as e:  # pylint: disable=broad-except
            self.failures.append(e)
        finally:
            connection._socket.close()

    def _answer_own(self, request, connection):
        if request.path == "/metrics":
            page = self.metrics_page if self.metrics_page is not None else self._metrics()
            answer(200, page, [("Content-Type", "text/plain; version=1.0.0; charset=utf-8")])(
                request, connection)
        elif request.path == "/health":
            answer(200 if self.healthy else 503, b"")(request, connection)
        else:
            models = {"object": "list", "data": [{"id": self.model, "object": "model",
                                                  "created": 1, "owned_by": "vllm"}]}
            answer(200, json.dumps(models).encode())(request, connection)

    def _metrics(self):
        labels = f'{{engine="0",model_name="{self.model}"}}'
        return (f"# HELP vllm:num_requests_running Number of requests in model execution batches.\n"
                f"# TYPE vllm:num_requests_running gauge\n"
                f"vllm:num_requests_running{labels} {float(self.running)}\n"
                f"# HELP vllm:num_requests_waiting Number of requests waiting to be processed.\n"
                f"# TYPE vllm:num_requests_waiting gauge\n"
                f"vllm:num_requests_waiting{labels} {float(self.waiting)}\n"
                f"# HELP vllm:kv_cache_usage_perc KV-cache usage. 1 means 100 percent usage.\n"
                f"# TYPE vllm:kv_cache_usage_perc gauge\n"
                f"vllm:kv_cache_usage_perc{labels} {self.kv_cache_usage}\n"
                f"# HELP vllm:cache_config_info Information of the LLMEngine CacheConfig\n"
                f"# TYPE vllm:cache_config_info gauge\n"
                f'vllm:cache_config_info{{block_size="16",engine="0",num_gpu_blocks="1024"}} 1.0\n'
                ).encode()


# What a page must have under SGLang.
SGLANG_PAGE = (b'sglang:num_running_reqs{model_name="test-model"} 0.0\n'
               b'sglang:num_queue_reqs{model_name="test-model"} 0.0\n'
               b'sglang:token_usage{model_name="test-model"} 0.0\n')


# Scripts


def answer(status=200, body=b"{}", headers=(), reason="OK"):
    """The whole response at once, with a Content-Length."""
    def script(request, connection):
        lines = [f"HTTP/1.1 {status} {reason}"]
        if not any(name.lower() == "content-type" for name, _ in headers):
            lines.append("Content-Type: application/json")
        lines += [f"{name}: {value}" for name, value in headers]
        lines.append(f"Content-Length: {len(body)}")
        content = b"" if request.method == "HEAD" else body
        connection.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content)
    return script


def chat_answer(text="Hello.", prompt_tokens=7, completion_tokens=2, cached_tokens=0):
    """A whole chat completion, for the model of the request."""
    def script(request, connection):
        body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1,
                "model": request.json().get("model"),
                "choices": [{"index": 0, "finish_reason": "stop",
                             "message": {"role": "assistant", "content": text}}],
                "usage": {"prompt_tokens": prompt_tokens,
                          "completion_tokens": completion_tokens,
                          "total_tokens": prompt_tokens + completion_tokens,
                          "prompt_tokens_details": {"cached_tokens": cached_tokens}}}
        answer(200, json.dumps(body).encode())(request, connection)
    return script


def event(data):
    """One server-sent event; data that is not text is written as JSON."""
    return f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


def chat_events(texts, model="test-model", usage=None, finish_reason="stop"):
    """The events of a streamed chat completion, the last one `[DONE]`."""
    def piece(delta, finish=None):
        return event({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1,
                      "model": model,
                      "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
    events = [piece({"role": "assistant", "content": ""})]
    events += [piece({"content": text}) for text in texts]
    events.append(piece({}, finish_reason))
    if usage is not None:
        events.append(event({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1,
                             "model": model, "choices": [], "usage": usage}))
    return events + [event("[DONE]")]


STREAM_HEADERS = (("Content-Type", "text/event-stream; charset=utf-8"),
                  ("Transfer-Encoding", "chunked"))


def stream_answer(events, gates=None, end="clean", headers_at_once=True):
    """One chunk for each of `events`.

    gates: {index of an event: Gate waited for before it is sent; len(events): before the end}
    end: "clean" (last chunk), "break" (FIN inside the body), "reset" (RST), "hang" (until the
    gateway goes).
    headers_at_once: as vLLM does; otherwise head and first event leave together.
    """
    gates = gates or {}

    def script(request, connection):
        if headers_at_once:
            connection.send_head(200, STREAM_HEADERS)
        for i, data in enumerate(events):
            if i in gates:
                gates[i].wait()
            if i == 0 and not headers_at_once:
                connection.send_head(200, STREAM_HEADERS)
            connection.send_chunk(data)
        if len(events) in gates:
            gates[len(events)].wait()
        if end == "clean":
            connection.end_chunks()
        elif end == "break":
            connection.close()
        elif end == "reset":
            connection.reset()
        else:
            hang()(request, connection)
    return script


def hang():
    """Never answers; returns when the gateway ends the connection."""
    def script(request, connection):
        connection.wait_closed(10 * DEADLINE_S)
    return script


def refuse_with_reset():
    """Takes the request and answers it with RST."""
    def script(request, connection):
        connection.reset()
    return script


def break_off(data):
    """Sends exactly `data`, then FIN."""
    def script(request, connection):
        connection.send(data)
        connection.close()
    return script
