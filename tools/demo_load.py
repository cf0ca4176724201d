"""An open-loop client: chats come when their time has come, however long the answers take."""

import asyncio
import dataclasses
import json
import random
import socket
import statistics
import threading
import time

from demo_run import MODEL

RECEIVE_BYTES = 1 << 16


@dataclasses.dataclass
class Chat:
    """One request; times in seconds, `start` since the load began."""
    kind: str
    tenant: str
    start: float
    ttft: float = None  # of an answer 200
    ended: float = None  # since the load began, as `start`
    status: int = None  # None: not over yet, 0: no answer, or one that broke off

    @property
    def served(self):
        return self.status == 200

    @property
    def refused(self):
        return self.status == 429


@dataclasses.dataclass
class Words:
    """What chats are made of; every prompt is another one, so that no cache helps."""
    prompt_words: int
    tokens: tuple  # of an answer, least and most

    def body(self, rng):
        words = " ".join(f"{rng.getrandbits(28):07x}" for _ in range(self.prompt_words))
        return json.dumps({
            "model": MODEL, "stream": True, "ignore_eos": True,
            "max_tokens": rng.randint(*self.tokens),
            "messages": [{"role": "user", "content": words}]}).encode()


class Load:
    """Sends in a thread of its own; `chats` has all that were sent, also while it goes on.

    choose: called with a random.Random, gives kind, tenant and headers of the next chat
    """

    def __init__(self, port, words, choose, seed=1):
        self.port = port
        self.words = words
        self.choose = choose
        self.rng = random.Random(seed)
        self.chats = []
        self.ending = threading.Event()
        self.thread = None
        self.began = None

    def start(self, rate):
        """So many per second, at random distances, until end()."""
        self.began = time.monotonic()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._open(rate)), daemon=True)
        self.thread.start()

    def end(self):
        """Sends no more; what is under way goes on."""
        self.ending.set()

    def wait(self, timeout_s):
        """Until all is answered; False: not within that time."""
        self.thread.join(timeout_s)
        return not self.thread.is_alive()

    def measure(self, at_once, seconds, stop):
        """What is served per second while so many are always under way; 0 if it is stopped."""
        async def keep_sending():
            while self.now() < seconds and not stop.is_set():
                await self._ask(*self.choose(self.rng))

        async def all_of_them():
            await asyncio.gather(*(keep_sending() for _ in range(at_once)))
        self.began = time.monotonic()
        asyncio.run(all_of_them())
        first = seconds / 4  # until then they all began at the same time
        served = sum(chat.served and first < chat.ended < seconds for chat in self.chats)
        return 0 if stop.is_set() else served / (seconds - first)

    def now(self):
        return time.monotonic() - self.began

    async def _open(self, rate):
        under_way = set()
        due = time.monotonic()
        while not self.ending.is_set():
            due += self.rng.expovariate(rate)
            await asyncio.sleep(max(0, due - time.monotonic()))
            task = asyncio.create_task(self._ask(*self.choose(self.rng)))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)

    async def _ask(self, kind, tenant, headers):
        body = self.words.body(self.rng)
        chat = Chat(kind, tenant, self.now())
        self.chats.append(chat)
        lines = ["POST /v1/chat/completions HTTP/1.1", "Host: demo", "Connection: close",
                 "Content-Type: application/json", f"Content-Length: {len(body)}",
                 *(f"{name}: {value}" for name, value in headers.items())]
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        try:
            with socket.socket() as connection:
                chat.status = await self._exchange(connection, head + body, chat)
        except (OSError, ValueError, IndexError):
            chat.status = 0
        chat.ended = self.now()

    async def _exchange(self, connection, request, chat):
        """The status; 0 of an answer that broke off."""
        loop = asyncio.get_running_loop()
        connection.setblocking(False)
        await loop.sock_connect(connection, ("127.0.0.1", self.port))
        await loop.sock_sendall(connection, request)
        answer = b""
        while not answer.partition(b"\r\n\r\n")[2]:
            more = await loop.sock_recv(connection, RECEIVE_BYTES)
            if not more:
                return 0
            answer += more
        status = int(answer.split(None, 2)[1])
        if status == 200:
            chat.ttft = self.now() - chat.start
        # To be woken up for each token is what would cost most here.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, RECEIVE_BYTES)
        while more := await loop.sock_recv(connection, RECEIVE_BYTES):
            answer = answer[-64:] + more
        return status if status != 200 or b"[DONE]" in answer else 0


def percentile(values, percent):
    """None: there are no values."""
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * percent / 100))] if values else None


def median(values):
    values = list(values)
    return statistics.median(values) if values else None
