"""The clients of the soak: what they ask, how badly they behave, and what came of it."""

import asyncio
import collections
import json
import random
import re
import socket
import time
import zlib

MODEL = "m"
TOKEN = re.compile(r"([0-9a-f]+)\.(\d+)@(r\d+)")
PACES_S = (0.02, 0.1, 0.3)
SHARED = [random.Random(i).randbytes(500).hex() for i in range(20)]  # beginnings of prompts
# Behind an answer, or read ahead of it: no request, or one that is cut.
BEHIND = (b"\x00" * 5000, b"POST / HTTP/1.1\r\nContent-", b"\r\n\r\nGET", b"\xff" * 100_000)
REFUSED = (b"POST /v1/chat/completions HTTP/1.1\r\nHost: soak\r\nContent-Length: 3\r\n"
           b"Transfer-Encoding: chunked\r\n\r\n")

# What came of one request. `status` 0: no head. `names`: the replicas whose answer it says it is.
Result = collections.namedtuple(
    "Result", "id count since until status tokens right names whole done left text")


class Refused(Exception):
    """The gateway took no connection, or ended one that it had no reason to end."""


class Client:
    """One of many: connection after connection, a few requests on each."""

    def __init__(self, number, options, address, over, report):
        self.number, self.address, self.over, self.report = number, address, over, report
        self.deadline_s = 120 * options.factor
        self.chance = random.Random(f"{options.seed} {number}")
        self.requests = 0

    async def run(self):
        await asyncio.sleep(self.chance.random() * 3)
        while not self.over():
            slow = self.chance.random() < 0.1
            try:
                reader, writer = await self.connect(slow)
            except OSError as e:
                self.report(wrong=f"client {self.number}: no connection: {e!r}")
                await asyncio.sleep(1)
                continue
            try:
                await self.session(reader, writer, slow)
            finally:
                writer.transport.abort()

    async def connect(self, slow):
        peer = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        peer.setblocking(False)
        if slow:  # the gateway is to feel it
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(peer, self.address),
                                   self.deadline_s)
        except BaseException:
            peer.close()
            raise
        return await asyncio.open_connection(sock=peer, limit=1 << 16)

    async def session(self, reader, writer, slow):
        if self.chance.random() < 0.02:
            return await self.be_refused(reader, writer)
        for _ in range(self.chance.randrange(1, 5)):
            asked = [self.make_request()]
            if self.chance.random() < 0.1:  # pipelined
                asked.append(self.make_request())
            ahead = self.chance.choice(BEHIND) if self.chance.random() < 0.05 else b""
            await self.send(writer, b"".join(body for *_, body in asked), ahead)
            leaves = self.chance.random() < 0.05
            for id_, count, stream, _ in asked:
                if not await self.take(reader, id_, count, stream, slow, leaves):
                    return
            if ahead or self.chance.random() < 0.1:
                return await self.send_behind(reader, writer, ahead)
            if self.over():
                return

    def make_request(self):
        self.requests += 1
        id_ = f"{self.number:04x}{self.requests:06x}"
        stream = self.chance.random() < 0.9
        count = self.chance.randrange(1, 60)
        if not stream and self.chance.random() < 0.1:
            count *= 500  # up to 600 KB at once
        prompt = (self.chance.choice(SHARED)
                  + self.chance.randbytes(self.chance.randrange(50, 2000)).hex())
        body = json.dumps({"model": MODEL, "stream": stream, "max_tokens": count, "user": id_,
                           "pace": self.chance.choice(PACES_S),
                           "check": zlib.crc32(prompt.encode()),
                           "messages": [{"role": "user", "content": prompt}]}).encode()
        head = ("POST /v1/chat/completions HTTP/1.1\r\nHost: soak\r\n"
                f"X-Request-Id: {id_}\r\nContent-Length: {len(body)}\r\n\r\n")
        return id_, count, stream, head.encode() + body

    async def send(self, writer, data, ahead):
        if self.chance.random() < 0.05:
            cut = self.chance.randrange(len(data))
            writer.write(data[:cut])
            await asyncio.sleep(self.chance.random())
            data = data[cut:]
        writer.write(data + ahead)

    async def take(self, reader, id_, count, stream, slow, leaves):
        """Reads one answer and reports it; false if the connection is of no more use."""
        since = time.monotonic()
        answer = Answer(self.chance.randrange(count + 1) if leaves else None, self.deadline_s)
        try:
            async with asyncio.timeout(None) as answer.timeout:
                await answer.read(reader, slow)
        except TimeoutError:
            self.report(wrong=f"{id_}: nothing for {self.deadline_s:g} s, status "
                              f"{answer.status}: {bytes(answer.body[-200:])!r}")
            return False
        text = answer.body.decode("latin1")
        tokens = TOKEN.findall(text)
        names = {name for *_, name in tokens} | set(re.findall(r'"message":"(r\d+)"', text))
        right = ([t[:2] for t in tokens] == [(id_, str(i)) for i in range(len(tokens))]
                 and answer.id in (None, id_) and len(names) <= 1 and len(tokens) <= count)
        done = (answer.whole and answer.status == 200 and len(tokens) == count
                and (not stream or text.endswith("data: [DONE]\n\n")))
        self.report(Result(id_, count, since, time.monotonic(), answer.status, len(tokens), right,
                           names, answer.whole, done, answer.left,
                           "" if done and right else text[:200] + " ... " + text[-200:]))
        return answer.whole

    async def send_behind(self, reader, writer, ahead):
        """After the answer. At most one refusal comes of it."""
        try:
            if not ahead:
                writer.write(self.chance.choice(BEHIND))
            rest = await asyncio.wait_for(reader.read(1 << 16), 0.2)
        except TimeoutError:
            return
        except OSError:
            return
        if rest and not rest.startswith(b"HTTP/1.1 4"):
            self.report(wrong=f"client {self.number}: after its answer came {rest[:200]!r}")

    async def be_refused(self, reader, writer):
        """400, and sends on all the same."""
        self.report(sort="refused as it must be")
        try:
            writer.write(REFUSED)
            line = await asyncio.wait_for(reader.readline(), self.deadline_s)
            if not line.startswith(b"HTTP/1.1 400"):
                self.report(wrong=f"client {self.number}: not refused but {line!r}")
            for _ in range(self.chance.randrange(30)):
                writer.write(b"x" * 100_000)
                await asyncio.wait_for(writer.drain(), self.deadline_s)
        except TimeoutError:
            self.report(wrong=f"client {self.number}: its refusal did not come, or its bytes "
                              "were not taken")
        except OSError:
            pass  # it may be closed at any time


class Answer:
    """One answer, as far as it came."""

    def __init__(self, leave_after, deadline_s):
        self.status, self.id, self.body = 0, None, bytearray()
        self.whole = self.left = False
        self.leave_after = leave_after  # so many pieces; None: never
        self.deadline_s, self.timeout = deadline_s, None  # of one piece

    def wait_on(self):
        self.timeout.reschedule(asyncio.get_running_loop().time() + self.deadline_s)

    async def read(self, reader, slow):
        try:
            if self.leave_after == 0:
                self.left = True
                return
            self.wait_on()
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1")
            self.status = int(head[9:12])
            if named := re.search(r"(?mi)^x-request-id: (\S+)\r$", head):
                self.id = named[1]
            if length := re.search(r"(?mi)^content-length: (\d+)\r$", head):
                await self.read_rest(reader, int(length[1]), slow)
            else:
                await self.read_chunks(reader, slow)
        except (asyncio.IncompleteReadError, OSError, ValueError):
            pass

    async def read_rest(self, reader, size, slow):
        while len(self.body) < size:
            piece = await reader.read(min(size - len(self.body), 1 << 14))
            if not piece:
                return
            self.body += piece
            self.wait_on()
            if slow:
                await asyncio.sleep(0.02)
        self.whole = True

    async def read_chunks(self, reader, slow):
        chunks = 0
        while size := int(await reader.readuntil(b"\r\n"), 16):
            self.body += (await reader.readexactly(size + 2))[:size]
            chunks += 1
            self.wait_on()
            if chunks == self.leave_after:
                self.left = True
                return
            if slow:
                await asyncio.sleep(0.2)
        await reader.readexactly(2)
        self.whole = True
