"""A DNS server of a few names, on an address of its own (RFC 1035; UDP only)."""

import socket
import struct
import threading


class FakeDns:
    """`names` is {name: [IPv4 addresses]}, [] for one that has none; others do not exist.

    While `silent` it answers nothing.
    """

    def __init__(self, address, names=None, lifetime_s=1):
        self.names = dict(names or {})
        self.lifetime_s = lifetime_s
        self.silent = False
        self.asked = []  # names, one entry a question
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        self.address = "%s:%d" % self._socket.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._socket.close()

    def _serve(self):
        while True:
            try:
                question, client = self._socket.recvfrom(512)
            except OSError:
                return  # closed
            labels, at = [], 12
            while question[at]:
                labels.append(question[at + 1:at + 1 + question[at]].decode())
                at += 1 + question[at]
            name = ".".join(labels)
            kind = struct.unpack_from(">H", question, at + 1)[0]
            self.asked.append(name)
            if not self.silent:
                self._socket.sendto(self._answer(question, at + 5, name, kind), client)

    def _answer(self, question, end, name, kind):
        ips = self.names.get(name)
        found = ips if ips and kind == 1 else []
        flags = 0x8180 if ips is not None else 0x8183
        head = question[:2] + struct.pack(">HHHHH", flags, 1, len(found), 0, 0)
        records = b"".join(
            b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, self.lifetime_s, 4) + socket.inet_aton(ip)
            for ip in found)
        return head + question[12:end] + records
