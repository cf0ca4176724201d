"""ClientHellos by hand: what no client of today would send, or can be made to send."""

import os
import socket
import ssl
import struct

ALERT, HANDSHAKE = 21, 22
# Cipher suites of RFC 5246 and older that OpenSSL no longer has: RC4, 3DES, DES, export, NULL.
OLD_SUITES = {0x0001: "NULL_MD5", 0x0003: "EXPORT_RC4_40", 0x0004: "RC4_128_MD5",
              0x0005: "RC4_128_SHA", 0x0009: "DES_CBC_SHA", 0x000A: "3DES_EDE_CBC_SHA",
              0xC011: "ECDHE_RSA_RC4_128", 0xC012: "ECDHE_RSA_3DES", 0xC008: "ECDHE_ECDSA_3DES"}
FALLBACK_SCSV = 0x5600
ECDHE_ECDSA_AES128_GCM, ECDHE_RSA_AES128_GCM = 0xC02B, 0xC02F


def vector(data, size):
    return len(data).to_bytes(size, "big") + data


def extension(number, data):
    return struct.pack(">H", number) + vector(data, 2)


def hello(version, suites, name="a.example.com", compression=b"\0", extensions=b""):
    """A ClientHello as a record; `version` is the most that the client claims to speak (0x0303)."""
    server_name = vector(b"\0" + vector(name.encode(), 2), 2)
    extensions += extension(0, server_name)
    extensions += extension(10, vector(struct.pack(">HH", 0x1D, 0x17), 2))  # X25519, P-256
    extensions += extension(11, vector(b"\0", 1))
    extensions += extension(13, vector(struct.pack(">HHHH", 0x0403, 0x0804, 0x0401, 0x0201), 2))
    body = struct.pack(">H", version) + os.urandom(32) + vector(b"", 1)
    body += vector(b"".join(struct.pack(">H", s) for s in suites), 2)
    body += vector(compression, 1) + vector(extensions, 2)
    return record(b"\1" + vector(body, 3))


def record(data, kind=HANDSHAKE, version=0x0301):
    return struct.pack(">BH", kind, version) + vector(data, 2)


def real_hello(name="a.example.com"):
    """What Python's client sends first."""
    outgoing = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the default one reads all authorities
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake without a server")


def answer_to(address, port, data, deadline_s=20):
    """The first record that comes back: (kind, content); (None, b"") if none does."""
    with socket.create_connection((address, port), timeout=deadline_s) as s:
        s.sendall(data)
        got = b""
        while len(got) < 5 or len(got) < 5 + int.from_bytes(got[3:5], "big"):
            try:
                more = s.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                return None, got
            got += more
    return got[0], got[5:5 + int.from_bytes(got[3:5], "big")]
