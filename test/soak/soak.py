#!/usr/bin/env python3
"""The gateway under everything at once, for a long time: nothing is lost, mixed or repeated.

    make soak SOAK_SECONDS=600          # or: test/soak/soak.py --seconds 600 --clients 500

Streams of many clients, each token of each of them checked, while replicas are killed, stopped
(SIGSTOP) and turned into black holes (garbage; an immediate 500; head and one byte, then closed),
the gateway is stopped for a moment, its configuration is loaded every second and broken now and
then, and some clients read slowly, leave, or send on behind their answer. Two replicas are always
whole, so no request may fail but one whose own replica was disturbed under it: a stream that breaks
off after its first token, or the 500 that a replica answered. Prints a line every five seconds.

PENSTOCK is the binary; --factor stretches all waiting, for one built with sanitizers.
"""

import argparse
import asyncio
import collections
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

from harness import Addresses, gateway_objects, http_route, inference_pool, penstock, pod

MODEL = "m"
REPLICAS = 7
WHOLE = 2  # never disturbed
PORT, ADMIN_PORT, REPLICA_PORT = 8080, 9909, 8000
FAULTS = ("kill", "stop", "garbage", "500", "cut", "freeze-gateway", "broken-edit")
TOKEN = re.compile(r"([0-9a-f]+)\.(\d+)@(r\d)")


class Replica:
    def __init__(self, name, address):
        self.name, self.address = name, address
        self.disturbed = []  # [from, until] in time.monotonic()
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, "-B", HERE / "replica.py", self.name, self.address, str(REPLICA_PORT)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.process.stdout.readline()

    def was_disturbed(self, since, factor):
        """Since then, or so shortly before that it was in effect still."""
        return any(until >= since - 2 * factor for _, until in self.disturbed)

    async def set_mode(self, mode):
        reader, writer = await asyncio.open_connection(self.address, REPLICA_PORT)
        writer.write(b"POST /mode HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
                     % (len(mode), mode.encode()))
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async def seen(self):
        reader, writer = await asyncio.open_connection(self.address, REPLICA_PORT, limit=1 << 28)
        writer.write(b"GET /seen HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(re.search(rb"Content-Length: (\d+)", head)[1])
        body = await reader.readexactly(size)
        writer.close()
        return json.loads(body)


class Soak:
    def __init__(self, options):
        self.options = options
        self.factor = options.factor
        self.random = random.Random(options.seed)
        self.endings = collections.Counter()
        self.faults = collections.Counter()
        self.wrong = []  # what must not be
        self.memory = []  # (seconds, KiB)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="penstock-soak-"))
        addresses = Addresses().take(REPLICAS + 1)
        self.address = addresses[0]
        self.replicas = [Replica(f"r{i}", a) for i, a in enumerate(addresses[1:])]
        self.by_name = {r.name: r for r in self.replicas}
        self.began = time.monotonic()

    # The gateway

    def write(self, text):
        new = self.folder / ".objects.new"
        new.write_text(text)
        os.replace(new, self.folder / "objects.yaml")

    def objects(self, round_):
        pool = inference_pool(REPLICA_PORT, annotations={"soak": str(round_)})
        items = gateway_objects(PORT) + [http_route(), pool] + [
            pod(r.name, r.address) for r in self.replicas]
        return "\n---\n".join(json.dumps(o) for o in items)

    def start(self):
        for replica in self.replicas:
            replica.start()
        self.write(self.objects(0))
        self.log = open(self.folder / "gateway.log", "wb")
        self.gateway = subprocess.Popen(
            [penstock(), "serve", "-f", self.folder, "--bind", self.address, "--no-request-log",
             "--admin", f"{self.address}:{ADMIN_PORT}", "--workers", "2"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def resident(self):
        with open(f"/proc/{self.gateway.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])

    # Clients

    async def client(self, seed):
        chance = random.Random(seed)
        await asyncio.sleep(chance.random() * 2)
        number = 0
        while not self.over():
            number += 1
            nonce = f"{seed:04x}{number:06x}"
            since = time.monotonic()
            try:
                ending = await asyncio.wait_for(self.ask(chance, nonce, since), 90 * self.factor)
            except asyncio.TimeoutError:
                ending = "hung"
                self.wrong.append(f"{nonce}: no end within {90 * self.factor:g} s")
            except OSError as e:
                ending = "refused"
                self.wrong.append(f"{nonce}: {e!r}")
            self.endings[ending] += 1

    async def ask(self, chance, nonce, since):
        reader, writer = await asyncio.open_connection(self.address, PORT, limit=1 << 20)
        try:
            stream = chance.random() < 0.9
            count = chance.randrange(1, 120)
            body = json.dumps({"model": MODEL, "stream": stream, "max_tokens": count,
                               "user": nonce, "pace": chance.choice((0.01, 0.05, 0.1)),
                               "messages": [{"role": "user", "content": "x" * 100}]}).encode()
            writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: soak\r\n"
                         b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            if chance.random() < 0.05:
                await asyncio.sleep(chance.random() * 2)
                return "left"
            slow = 0.2 if chance.random() < 0.1 else 0
            text, status, whole = await self.read(reader, slow)
            if chance.random() < 0.1:  # behind its answer: no request, or one that is cut
                writer.write(chance.choice((b"\x00" * 5000, b"POST / HTTP/1.1\r\nContent-")))
                await asyncio.sleep(0.1)
            return self.judge(nonce, count, since, text, status, whole, stream)
        finally:
            writer.transport.abort()

    async def read(self, reader, slow):
        """Text of the tokens, status, and whether the message has its end."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1")
            body = b""
            if length := re.search(r"(?i)content-length: (\d+)", head):
                body = await reader.readexactly(int(length[1]))
                return body.decode(), int(head[9:12]), True
            while size := int(await reader.readuntil(b"\r\n"), 16):
                body += (await reader.readexactly(size + 2))[:size]
                await asyncio.sleep(slow)
            return body.decode(), int(head[9:12]), True
        except (asyncio.IncompleteReadError, ValueError):
            return (body.decode(), int(head[9:12]), False) if "head" in locals() else ("", 0, False)
        except ConnectionError:
            return body.decode() if "body" in locals() else "", 0, False

    def judge(self, nonce, count, since, text, status, whole, stream):
        tokens = TOKEN.findall(text)
        names = {name for _, _, name in tokens} | set(re.findall(r'"message": ?"(r\d)"', text))
        right = [(nonce, str(i)) for i in range(len(tokens))]
        if [token[:2] for token in tokens] != right or len(names) > 1 or len(tokens) > count:
            self.wrong.append(f"{nonce}: mixed, lost or repeated: {text[:300]!r}")
            return "wrong"
        complete = whole and status == 200 and len(tokens) == count
        if complete and (not stream or text.rstrip().endswith("[DONE]")):
            return "complete"
        if whole and status == 200:
            self.wrong.append(f"{nonce}: has an end and {len(tokens)} of {count} tokens")
            return "short"
        # A replica that was disturbed under it, or any that is a black hole if none is named.
        suspects = [self.by_name[n] for n in names] or (self.replicas if status == 200 else [])
        if any(r.was_disturbed(since, self.factor) for r in suspects):
            return "500 of a replica" if status == 500 else "broken under it"
        self.wrong.append(f"{nonce}: status {status}, {len(tokens)} of {count} tokens, of "
                          f"{names or 'nobody'}, at {since - self.began:.1f} s: {text[-200:]!r}")
        return "failed"

    # Disturbances

    def over(self):
        return time.monotonic() - self.began > self.options.seconds

    async def disturb(self):
        while not self.over():
            fault = self.random.choice(FAULTS)
            self.faults[fault] += 1
            await getattr(self, fault.replace("-", "_"), self.black_hole)(fault)
            await asyncio.sleep(self.random.random())

    def victim(self):
        replica = self.random.choice(self.replicas[WHOLE:])
        replica.disturbed.append([time.monotonic(), float("inf")])
        return replica

    async def kill(self, _):
        replica = self.victim()
        replica.process.kill()
        replica.process.wait()
        await asyncio.sleep(self.random.random() * 2)
        await asyncio.to_thread(replica.start)
        replica.disturbed[-1][1] = time.monotonic()

    async def stop(self, _):
        replica = self.victim()
        replica.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(self.random.random() * 3)
        replica.process.send_signal(signal.SIGCONT)
        replica.disturbed[-1][1] = time.monotonic()

    async def black_hole(self, mode):
        replica = self.victim()
        await replica.set_mode(mode)
        await asyncio.sleep(1 + self.random.random() * 2)
        await replica.set_mode("normal")
        replica.disturbed[-1][1] = time.monotonic()

    async def freeze_gateway(self, _):
        self.gateway.send_signal(signal.SIGSTOP)
        await asyncio.sleep(self.random.random() * 2)
        self.gateway.send_signal(signal.SIGCONT)

    async def broken_edit(self, _):
        self.editing = True
        broken = self.objects(-1).replace('"backendRefs"', '"backendRefz"')
        self.write(self.random.choice((broken, broken[:700], "", "{")))
        await asyncio.sleep(1.5)
        self.editing = False

    async def reload(self):
        self.editing = False
        round_ = 0
        while not self.over():
            round_ += 1
            if not self.editing:
                self.write(self.objects(round_))
            await asyncio.sleep(1)

    async def watch(self):
        while not self.over() and self.gateway.poll() is None:
            await asyncio.sleep(5)
            seconds = time.monotonic() - self.began
            self.memory.append((seconds, self.resident()))
            print(f"soak: {seconds:4.0f} s, {self.memory[-1][1] // 1024} MiB, "
                  f"{dict(self.endings)}, faults {sum(self.faults.values())}, "
                  f"wrong {len(self.wrong)}", flush=True)

    # The whole

    async def run(self):
        self.start()
        await self.ready()
        self.began = time.monotonic()
        await asyncio.gather(self.disturb(), self.reload(), self.watch(),
                             *(self.client(i) for i in range(self.options.clients)))
        for replica in self.replicas[:WHOLE]:
            for nonce, times in (await replica.seen()).items():
                if times > 2:
                    self.wrong.append(f"{nonce}: came to {replica.name} {times} times")
        self.check_memory()
        self.end()
        return self.report()

    async def ready(self):
        for _ in range(int(600 * self.factor)):
            try:
                reader, writer = await asyncio.open_connection(self.address, ADMIN_PORT)
                writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
                if b" 200 " in await reader.readline():
                    return
                writer.close()
            except OSError:
                pass
            await asyncio.sleep(0.1)
        raise SystemExit(f"soak: the gateway is not ready, see {self.folder}/gateway.log")

    def check_memory(self):
        """Flat: the last third's least is no more than the first third's most and a little."""
        third = len(self.memory) // 3
        if third < 3:
            return
        first = max(kib for _, kib in self.memory[third:2 * third])
        last = min(kib for _, kib in self.memory[-third:])
        if last > first * 1.1 + 8192:
            self.wrong.append(f"memory grew from {first} to {last} KiB")

    def end(self):
        if self.gateway.poll() is not None:
            self.wrong.append(f"the gateway ended by itself: {self.gateway.returncode}")
        self.gateway.terminate()
        try:
            status = self.gateway.wait(60 * self.factor)
            if status != 0:
                self.wrong.append(f"the gateway ended with {status}")
        except subprocess.TimeoutExpired:
            self.wrong.append("the gateway did not end after SIGTERM")
            self.gateway.kill()
        self.log.close()
        text = (self.folder / "gateway.log").read_text(errors="replace")
        for mark in ("Sanitizer", "CHECK failed"):
            if mark in text:
                self.wrong.append(f"{mark} in {self.folder}/gateway.log")

    def kill_all(self):
        for process in [r.process for r in self.replicas] + [getattr(self, "gateway", None)]:
            if process is not None and process.poll() is None:
                process.kill()

    def report(self):
        print(f"soak: endings {dict(self.endings)}")
        print(f"soak: faults {dict(self.faults)}")
        for line in self.wrong[:20]:
            print(f"soak: WRONG {line}")
        ok = not self.wrong and self.endings["complete"] > 0
        print(f"soak: {'ok' if ok else f'{len(self.wrong)} wrong'}, log in {self.folder}")
        return 0 if ok else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--factor", type=float, default=1)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    options = parser.parse_args()
    print(f"soak: {options.seconds:g} s, {options.clients} clients, seed {options.seed}")
    soak = Soak(options)
    try:
        sys.exit(asyncio.run(soak.run()))
    finally:
        soak.kill_all()


if __name__ == "__main__":
    main()
