"""A client's socket over TLS that keeps what tests do with bare ones: ends, halves, resets."""

import atexit
import functools
import os
import shutil
import socket
import ssl
import tempfile

from harness.authority import Authority

# Set: every test's clients come by TLS, and all listeners of HTTP are of HTTPS.
OVER_TLS = os.environ.get("HARNESS_TLS", "") not in ("", "0")
SECRET = "certificate-of-the-harness"
RECORD_BYTES = (16 << 10) + 512


@functools.cache
def authority():
    """One of this process, with the certificate that its gateways show."""
    folder = tempfile.mkdtemp(prefix="penstock-test-tls-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = Authority(folder)
    made.issue("gateway", "gateway.test")
    return made


@functools.cache
def client_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority().path)
    context.check_hostname = False  # no name is asked for: hosts of requests are of one listener
    context.set_alpn_protocols(["http/1.1"])
    return context


def with_https(objects):
    """The objects with listeners of HTTPS in the place of those of HTTP, and their Secret."""
    changed = []
    found = False
    for each in objects:
        spec = each.get("spec") or {}
        if each["kind"] == "Gateway" and isinstance(spec.get("listeners"), list):
            listeners = [over_tls(l) for l in spec["listeners"]]
            found = found or listeners != spec["listeners"]
            each = {**each, "spec": {**spec, "listeners": listeners}}
        changed.append(each)
    if found:
        changed.append({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {"name": SECRET},
            "stringData": {"tls.crt": authority().read("gateway.crt"),
                           "tls.key": authority().read("gateway.key")}})
    return changed


def over_tls(listener):
    if listener.get("protocol") != "HTTP":
        return listener
    return {**listener, "protocol": "HTTPS", "tls": {"certificateRefs": [{"name": SECRET}]}}


class TlsSocket:
    """Of ssl.SSLSocket's methods those that Client needs; unlike it, it can be closed by halves.

    The end of its writing is close_notify and FIN, reset() sends neither. An end of the peer that
    has no close_notify is a ConnectionError: it may have been cut by anybody.
    """

    def __init__(self, plain, context):
        self._plain = plain
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing)
        while not self._take_step(self._tls.do_handshake):
            pass
        self._flush()

    def _flush(self):
        if self._outgoing.pending:
            self._plain.sendall(self._outgoing.read())

    def _take_step(self, step):
        """True if it is done; else something came for the next one."""
        try:
            step()
            return True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as e:
            self._flush()
            raise ConnectionResetError(f"TLS: {e}") from None
        self._flush()
        self._receive()
        return False

    def _receive(self):
        data = self._plain.recv(RECORD_BYTES)
        if not data:
            raise ConnectionResetError("end of stream without close_notify")
        self._incoming.write(data)

    def sendall(self, data):
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view[:64 << 10]):]
            self._flush()

    def send(self, data):
        self.sendall(data)
        return len(data)

    def recv(self, size):
        got = b""

        def read():
            nonlocal got
            try:
                got = self._tls.read(size)
            except ssl.SSLZeroReturnError:
                got = b""
        while not self._take_step(read):
            pass
        return got

    def shutdown(self, how):
        """SHUT_WR only."""
        assert how == socket.SHUT_WR
        self.say_end()
        self._plain.shutdown(how)

    def say_end(self):
        """close_notify alone; the connection stays."""
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            pass  # the peer's own is not there yet
        self._flush()

    def close(self):
        try:
            self._plain.setblocking(False)
            self.say_end()
        except OSError:
            pass
        self._plain.close()

    def reset(self):
        self._plain.close()

    def settimeout(self, seconds):
        self._plain.settimeout(seconds)

    def setsockopt(self, *arguments):
        self._plain.setsockopt(*arguments)

    def getsockname(self):
        return self._plain.getsockname()

    def fileno(self):
        return self._plain.fileno()
