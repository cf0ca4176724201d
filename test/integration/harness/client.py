"""An HTTP/1.1 client that sends exactly the bytes it is told and shows those that come back."""

import json
import socket
import struct
import time

from harness.tls_socket import TlsSocket
from harness.wait import DEADLINE_S, Deadline


class Head:
    """Start line and headers of a message, in the order and case they came in."""

    def __init__(self, raw):
        self.raw = raw
        lines = raw.decode("latin-1").split("\r\n")
        self.start = lines[0]
        self.headers = []
        for line in lines[1:]:
            if line:
                name, _, value = line.partition(":")
                self.headers.append((name, value.strip(" \t")))

    def all(self, name):
        """Every value of that header, in order."""
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def get(self, name, default=None):
        """The only value of that header; a header given twice is a failure."""
        values = self.all(name)
        if len(values) > 1:
            raise AssertionError(f"{name} given {len(values)} times: {values}")
        return values[0] if values else default

    @property
    def status(self):
        return int(self.start.split(" ")[1])


class Response:
    """A response as far as it came. `complete` is False if the connection ended inside it."""

    def __init__(self, head):
        self.head = head
        self.status = head.status
        self.body = b""
        self.chunks = []  # chunk by chunk as framed, if chunked
        self.trailers = []
        self.complete = False

    def get(self, name, default=None):
        return self.head.get(name, default)

    def json(self):
        return json.loads(self.body)

    def events(self):
        """The data of each server-sent event, as text."""
        blocks = self.body.decode().replace("\r\n", "\n").split("\n\n")
        datas = []
        for block in blocks:
            lines = [l[5:].removeprefix(" ") for l in block.split("\n") if l.startswith("data:")]
            if lines:
                datas.append("\n".join(lines))
        return datas

    def __repr__(self):
        return f"<{self.head.start!r} complete={self.complete} body={self.body[:500]!r}>"


class Ended(Exception):
    """The peer closed or reset the connection where more was expected."""


class Client:
    """One connection. Every read gives up at the deadline with `Deadline`.

    With `tls` (an ssl.SSLContext) it begins with a handshake.
    """

    def __init__(self, address, port, deadline_s=DEADLINE_S, receive_buffer=None, tls=None):
        self.deadline_s = deadline_s
        self.received = bytearray()  # everything that ever came
        self._buffer = bytearray()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer is not None:  # small: the peer is blocked after few unread bytes
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(deadline_s)
        try:
            self._socket.connect((address, port))
        except OSError:
            self._socket.close()
            raise
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            plain = self._socket
            try:
                self._socket = TlsSocket(plain, tls)
            except OSError:
                plain.close()
                raise

    # Sending

    def send(self, data):
        self._socket.settimeout(self.deadline_s)
        self._socket.sendall(data)

    def request(self, method, target, headers=(), body=None, host="test"):
        """Sends a whole request; a body that is not bytes is sent as JSON."""
        if body is not None and not isinstance(body, (bytes, bytearray)):
            body = json.dumps(body).encode()
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers]
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))

    # Receiving

    def read_some(self):
        """Whatever comes next, into the buffer; raises Ended at the end of the stream."""
        end = time.monotonic() + self.deadline_s
        self._socket.settimeout(max(0.001, end - time.monotonic()))
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            raise Deadline(f"nothing came within {self.deadline_s:g} s; "
                           f"so far: {bytes(self.received[-500:])!r}") from None
        except ConnectionError as e:
            raise Ended(str(e)) from None
        if not data:
            raise Ended("end of stream")
        self.received += data
        self._buffer += data

    def take(self, size):
        while len(self._buffer) < size:
            self.read_some()
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def take_until(self, mark):
        """Bytes up to and with `mark`."""
        while (at := self._buffer.find(mark)) < 0:
            self.read_some()
        return self.take(at + len(mark))

    def take_rest(self):
        """Everything up to the end of the stream."""
        try:
            while True:
                self.read_some()
        except Ended:
            return self.take(len(self._buffer))

    def read_head(self):
        """The next head, 1xx ones included."""
        return Head(self.take_until(b"\r\n\r\n"))

    def read_final_head(self):
        while (head := self.read_head()).status < 200:
            pass
        return head

    def read_chunk(self):
        """The next chunk's bytes; b"" for the last one, behind which the trailers still stand."""
        size = int(self.take_until(b"\r\n").split(b";")[0], 16)
        if size == 0:
            return b""
        data = self.take(size)
        end = self.take(2)
        if end != b"\r\n":
            raise AssertionError(f"chunk not followed by CRLF but {end!r}")
        return data

    def read_chunks(self):
        """All further chunks joined, with the end of the body; raises Ended if there is no end."""
        data = b""
        while chunk := self.read_chunk():
            data += chunk
        while self.take_until(b"\r\n") != b"\r\n":
            pass  # a trailer
        return data

    def read_response(self, method="GET"):
        """The next final response with its body, read by the framing its head announces."""
        response = Response(self.read_final_head())
        try:
            self._read_body(response, method)
            response.complete = True
        except Ended:
            response.body += self.take(len(self._buffer))
        return response

    def _read_body(self, response, method):
        coding = response.get("transfer-encoding")
        length = response.get("content-length")
        if method == "HEAD" or response.status in (204, 304):
            return
        if coding == "chunked":
            if length is not None:
                raise AssertionError("both Transfer-Encoding and Content-Length")
            while chunk := self.read_chunk():
                response.chunks.append(chunk)
                response.body += chunk
            while (line := self.take_until(b"\r\n")) != b"\r\n":
                response.trailers.append(line[:-2].decode("latin-1"))
        elif length is not None:
            while len(response.body) < int(length):
                if not self._buffer:
                    self.read_some()
                response.body += self.take(min(len(self._buffer), int(length) - len(response.body)))
        else:
            response.body = self.take_rest()

    def wait_closed(self):
        """Waits until the peer has ended the connection; whatever still came is returned."""
        return self.take_rest()

    # Ending

    def shut_write(self):
        self._socket.shutdown(socket.SHUT_WR)

    def close(self):
        self._socket.close()

    def reset(self):
        """Ends the connection with RST."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        (self._socket.reset if isinstance(self._socket, TlsSocket) else self._socket.close)()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def exchange(address, port, method, target, headers=(), body=None, host="test",
             deadline_s=DEADLINE_S, tls=None):
    """One request on a connection of its own."""
    with Client(address, port, deadline_s, tls=tls) as client:
        client.request(method, target, headers, body, host)
        return client.read_response(method)
