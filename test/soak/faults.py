"""What the soak does to the replicas, to the gateway and to its configuration."""

import asyncio
import collections
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time

import harness

REPLICAS = 7
WHOLE = 2  # never disturbed, but for being asked
AT_ONCE = 3
PORT = 8080
REPLICA_PORT = 8000
STRATEGIES = (None, "PREFIX_CACHE")
RELOADS_OF_ONE_STRATEGY = 10

# Of a replica: from when until when it was so. `until` is None while it is.
Incident = collections.namedtuple("Incident", "fault replica instance since until")


class Replica:
    def __init__(self, number, address, folder):
        self.name, self.address = f"r{number}", address
        self.log = folder / f"{self.name}.log"
        self.instance = 0
        self.process = None
        self.at_fault = False
        self.left_out = False

    def start(self):
        self.instance += 1
        self.process = subprocess.Popen(
            [sys.executable, "-B", os.path.join(os.path.dirname(__file__), "replica.py"), self.name,
             str(self.instance), self.address, str(REPLICA_PORT), self.log],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.process.stdout.readline()

    async def set_mode(self, mode):
        reader, writer = await asyncio.open_connection(self.address, REPLICA_PORT)
        writer.write(b"POST /mode HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
                     % (len(mode), mode.encode()))
        await reader.readuntil(b"\r\n\r\n")
        writer.close()


class Configuration:
    """The gateway's one file of objects."""

    def __init__(self, folder, replicas):
        self.folder, self.replicas = folder, replicas
        self.reloads = 0
        self.broken = False

    def text(self):
        strategy = STRATEGIES[self.reloads // RELOADS_OF_ONE_STRATEGY % len(STRATEGIES)]
        pool = harness.inference_pool(REPLICA_PORT, strategy=strategy,
                                      annotations={"soak": str(self.reloads)})
        items = harness.gateway_objects(PORT) + [harness.http_route(), pool] + [
            harness.pod(r.name, r.address) for r in self.replicas if not r.left_out]
        return "\n---\n".join(json.dumps(o) for o in items)

    def write(self, text):
        new = self.folder / ".objects.new"
        new.write_text(text)
        os.replace(new, self.folder / "objects.yaml")

    def load(self):
        if not self.broken:
            self.reloads += 1
            self.write(self.text())

    def break_it(self, chance):
        right = self.text()
        self.write(chance.choice((
            right.replace('"backendRefs"', '"backendRefz"'),
            right.replace('"selector"', '"slector"'),
            right.replace('"HTTP"', '"HTP"'), right[:len(right) // 2], right + "\n---\nkind: Pod",
            "", "{", "\0" * 100)))
        self.broken = True


class Faults:
    """One at a time for each replica, AT_ONCE together, each as often as the others."""

    def __init__(self, options, replicas, configuration, gateway, over):
        self.replicas, self.configuration = replicas, configuration
        self.gateway, self.over = gateway, over
        self.chance = random.Random(f"{options.seed} faults")
        self.counts = collections.Counter()
        self.incidents = []
        self.freeze = asyncio.Lock()
        self.edit = asyncio.Lock()

    async def run(self):
        await asyncio.gather(self.reload(), *(self.disturb() for _ in range(AT_ONCE)))

    async def disturb(self):
        faults = (self.kill, self.stop, self.black_hole, self.black_hole, self.black_hole,
                  self.leave_out, self.freeze_gateway, self.broken_edit)
        while not self.over():
            await asyncio.sleep(self.chance.random())
            await self.chance.choice(faults)()

    @contextlib.contextmanager
    def incident(self, fault):
        """A replica to which it happens meanwhile."""
        replica = self.chance.choice([r for r in self.replicas[WHOLE:] if not r.at_fault])
        replica.at_fault = True
        self.counts[fault] += 1
        at = len(self.incidents)
        self.incidents.append(Incident(fault, replica.name, replica.instance, time.monotonic(),
                                       None))
        yield replica
        self.incidents[at] = self.incidents[at]._replace(until=time.monotonic())
        replica.at_fault = False

    async def kill(self):
        with self.incident("kill") as replica:
            replica.process.kill()
            replica.process.wait()
            await asyncio.sleep(self.chance.random() * 3)
            await asyncio.to_thread(replica.start)

    async def stop(self):
        with self.incident("stop") as replica:
            replica.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(self.chance.random() * 8)
            replica.process.send_signal(signal.SIGCONT)

    async def black_hole(self):
        mode = self.chance.choice(("garbage", "500", "cut"))
        with self.incident(mode) as replica:
            await replica.set_mode(mode)
            await asyncio.sleep(2 + self.chance.random() * 6)
            await replica.set_mode("normal")

    async def leave_out(self):
        """Its Pod is gone from the objects; what it has goes on."""
        with self.incident("leave-out") as replica:
            replica.left_out = True
            await asyncio.sleep(2 + self.chance.random() * 3)
            replica.left_out = False

    async def freeze_gateway(self):
        if self.freeze.locked():
            return
        async with self.freeze:
            self.counts["freeze-gateway"] += 1
            self.gateway.send_signal(signal.SIGSTOP)
            await asyncio.sleep(self.chance.random() * 5)
            self.gateway.send_signal(signal.SIGCONT)
            await asyncio.sleep(2)

    async def broken_edit(self):
        if self.edit.locked():
            return
        async with self.edit:
            self.counts["broken-edit"] += 1
            self.configuration.break_it(self.chance)
            await asyncio.sleep(2.5)
            self.configuration.broken = False

    async def reload(self):
        while not self.over():
            self.configuration.load()
            if self.chance.random() < 0.3:
                self.gateway.send_signal(signal.SIGHUP)
            await asyncio.sleep(1)
