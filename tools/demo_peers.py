"""PEERS=3: gateways that share what they know, beside as many that do not, and one.

docs/several-gateways.md says what they tell each other.
"""

import collections
import json
import re
import secrets
import subprocess
import time

from demo_run import (MODEL, PENSTOCK, PORT, ROOT, START_DEADLINE_S, Failure, Run, addresses,
                      choose_port, shown)

EXAMPLE = ROOT / "examples" / "quickstart"
REPLICAS = 8
LABEL = "alibabacloud.com/inference-workload=vllm-inference"
# Each way has replicas of its own: one cache cannot help two.
FLEETS = {"one": addresses(51, REPLICAS), "apart": addresses(11, REPLICAS),
          "sharing": addresses(31, REPLICAS)}
WORDS = {"one": "which knows all", "apart": "each alone", "sharing": "that share"}
ROUNDS = 6
LOAD = ("--workload", "multi-round-qa", "--users", "30", "--rounds", str(ROUNDS), "--qps", "10",
        "--history-tokens", "4000", "--output-tokens", "60", "--ignore-eos", "--warm-up", "0",
        "--duration", "25s")
# What the example has, and what it has here: of the two COST loses fewer hits to bursts.
STRATEGIES = ('inference.networking.x-k8s.io/routing-strategy: "PREFIX_CACHE"',
              "penstock.dev/routing-strategy: COST")
PRESET = ("--preset", "llama-8b-pro6000")
PEER_PORT = 9920
GATEWAYS_MAX = 8
# What is in front of the gateways: a load balancer that knows nothing of prompts, and deals each
# request to one of them at random.
BALANCER = """apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata:
  name: inference-gateway-class
spec:
  controllerName: inference.networking.x-k8s.io/gateway-controller
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: balancer
spec:
  gatewayClassName: inference-gateway-class
  listeners:
  - name: http
    protocol: HTTP
    port: {port}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: balancer
spec:
  parentRefs:
  - name: balancer
  rules:
  - backendRefs:
"""
BALANCED = """---
apiVersion: v1
kind: Service
metadata:
  name: gateway-{number}
spec:
  selector:
    gateway: gateway-{number}
  ports:
  - port: {port}
---
apiVersion: v1
kind: Pod
metadata:
  name: gateway-{number}
  labels:
    gateway: gateway-{number}
status:
  podIP: 127.0.0.1
"""


class PeersDemo(Run):
    """What is asked is the balancer; the admin page of the first gateway is at its usual port."""

    def __init__(self, asked):
        if not asked.isdigit() or not 2 <= int(asked) <= GATEWAYS_MAX:
            raise Failure(f"PEERS must be a number from 2 to {GATEWAYS_MAX}, got {asked!r}")
        super().__init__([address for fleet in FLEETS.values() for address in fleet])
        self.numbers = range(int(asked))
        self.ports = self.choose_ports(self.gateway_port + 1, "listens")
        self.admins = [self.admin_port, *self.choose_ports(
            self.admin_port + 1, "has its admin page", self.numbers[1:])]
        self.peer_ports = self.choose_ports(PEER_PORT, "is reached by the others")
        self.balancer_admin = choose_port(self.peer_ports[-1] + 1, ["127.0.0.1"],
                                          "the balancer has its admin page")
        self.secret = self.folder / "secret"
        self.secret.write_text(secrets.token_hex(32) + "\n")

    def choose_ports(self, first, what, numbers=None):
        ports = []
        for number in self.numbers if numbers is None else numbers:
            ports.append(choose_port(ports[-1] + 1 if ports else first, ["127.0.0.1"],
                                     f"gateway-{number + 1} {what}"))
        return ports

    def numbers_of(self, way):
        """The gateways that there are in that way."""
        return self.numbers[:1] if way == "one" else self.numbers

    # What is started

    def objects(self, way, number):
        """The quickstart with a port of its own, the replicas of that fleet, and COST."""
        folder = self.folder / way / f"gateway-{number + 1}"
        folder.mkdir(parents=True)
        for name in ("gateway.yaml", "pool.yaml"):
            text = re.sub(rf"(\bport: ){PORT}\b", rf"\g<1>{self.ports[number]}",
                          (EXAMPLE / name).read_text())
            (folder / name).write_text(text.replace(*STRATEGIES))
        pods = subprocess.run(
            [PENSTOCK, "sim", "--print-pods", "--labels", LABEL, "--replicas", str(REPLICAS),
             "--listen", f"{FLEETS[way][0]}:{self.replica_port}", "--name", "replica"],
            check=True, stdout=subprocess.PIPE, text=True).stdout
        (folder / "endpoints.yaml").write_text(pods)
        return folder

    def start_balancer(self):
        text = BALANCER.format(port=self.gateway_port)
        for number, port in enumerate(self.ports, 1):
            text += f"    - name: gateway-{number}\n      port: {port}\n"
        text += "".join(BALANCED.format(number=number, port=port)
                        for number, port in enumerate(self.ports, 1))
        objects = self.folder / "balancer.yaml"
        objects.write_text(text)
        self.start("balancer", "serve", "-f", str(objects), "--bind", "127.0.0.1", "--workers",
                   "1", "--no-request-log", "--admin", f"127.0.0.1:{self.balancer_admin}")
        self.wait_for(f"http://127.0.0.1:{self.balancer_admin}/readyz", "the balancer")

    def start_gateways(self, way):
        """With replicas of their own, whose caches are empty."""
        self.start_fleet(f"{way}-replicas", FLEETS[way], *PRESET)
        for address in FLEETS[way]:
            self.wait_for(f"http://{address}:{self.replica_port}/health", f"replica {address}")
        for number in self.numbers_of(way):
            self.start_gateway_of(way, number, self.objects(way, number))
        for number in self.numbers_of(way):
            self.wait_for(f"http://127.0.0.1:{self.admins[number]}/readyz",
                          f"gateway-{number + 1}")
            self.wait_until(lambda n=number: all(endpoint["metrics_age_ms"] is not None
                                                 for endpoint in self.endpoints_of(n)),
                            "every replica's metrics were read")
        if way == "sharing":
            self.wait_until(lambda: all(self.linked(number) == len(self.numbers) - 1
                                        for number in self.numbers), "the gateways are linked")

    def start_gateway_of(self, way, number, objects):
        sharing = () if way != "sharing" else (
            "--peer-address", f"127.0.0.1:{self.peer_ports[number]}", "--peers",
            ",".join(f"127.0.0.1:{port}" for port in self.peer_ports),
            "--peer-secret-file", str(self.secret), "--peer-name", f"gateway-{number + 1}")
        self.start(f"{way}-gateway-{number + 1}", "serve", "-f", str(objects), "--bind",
                   "127.0.0.1", "--workers", "1", "--gateways", str(len(self.numbers_of(way))),
                   "--admin", f"127.0.0.1:{self.admins[number]}", *sharing)

    def stop_gateways(self, way):
        """And their replicas."""
        theirs = [child for child in self.children if child[0].startswith(f"{way}-")]
        self.children = [child for child in self.children if child not in theirs]
        for _, process, _ in theirs:
            process.kill()
        for _, process, _ in theirs:
            process.wait()

    def wait_until(self, condition, what):
        end = time.monotonic() + START_DEADLINE_S
        while not self.stop.is_set() and not condition():
            self.check_children()
            if time.monotonic() > end:
                raise Failure(f"not within {START_DEADLINE_S} s: {what}; "
                              f"logs are in {self.folder}")
            self.stop.wait(0.05)

    # What they say

    def ask(self, number, *words):
        """What a command prints, asked of that gateway."""
        done = subprocess.run([PENSTOCK, *words, "--admin", f"127.0.0.1:{self.admins[number]}"],
                              stdout=subprocess.PIPE, text=True, check=False)
        return done.stdout.rstrip()

    def endpoints_of(self, number):
        return json.loads(self.ask(number, "get", "endpoints", "-o", "json"))["items"]

    def linked(self, number):
        told = json.loads(self.ask(number, "get", "peers", "-o", "json"))
        return [row["state"] for row in told.get("items", [told])].count("linked")

    # What is measured

    def measure(self, way):
        """The figures of that way; None: it was stopped."""
        said = self.folder / f"{way}.json"
        port = self.ports[0] if way == "one" else self.gateway_port
        command = [PENSTOCK, "bench", "--target", f"http://127.0.0.1:{port}",
                   "--model", MODEL, *LOAD, "--json", str(said), "--json-requests"]
        print("$ " + " ".join([shown(PENSTOCK), *command[1:]]), flush=True)
        with open(self.folder / f"{way}-bench.log", "wb") as log:
            bench = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                     start_new_session=True)
        if not self.wait_for_bench(bench):
            return None
        return self.figures(way, json.loads(said.read_text()))

    def figures(self, way, said):
        # Who is in the midst of a conversation at the beginning comes without what was said
        # before: only those that were played from the first turn to the last are looked at.
        conversations = collections.defaultdict(list)
        for request in said["requests"]:
            conversations[request["session"]].append(request)
        turns = [turn for turns in conversations.values() if len(turns) == ROUNDS
                 for turn in turns]
        hits = sum(turn.get("cached_tokens", 0) > turn["prompt_tokens"] / 2 for turn in turns
                   if turn["end"] == "complete")
        served = collections.Counter()
        for number in self.numbers_of(way):
            for endpoint in self.endpoints_of(number):
                served[endpoint["pod"]] += endpoint["requests"]
        summary = said["summary"]
        return {"conversations": len(turns) // ROUNDS, "hits": hits / max(1, len(turns)),
                "largest": max(served.values()) / max(1, sum(served.values())),
                "cached": summary.get("cached_share") or 0,
                "ttft": summary["ttft"]["mean_ms"], "p99": summary["ttft"]["p99_ms"],
                "failed": summary["requests"] - summary["completed"]}

    def print_figures(self, told):
        print(f"\n{'':27}{'session hits':>14}{'largest share':>15}{'cached':>9}"
              f"{'TTFT mean':>12}{'p99':>10}")
        for way, one in told.items():
            count = len(self.numbers_of(way))
            print(f"{count} gateway{' ' if count == 1 else 's'} {WORDS[way]:16}{one['hits']:14.3f}"
                  f"{one['largest']:15.3f}{one['cached']:9.0%}{one['ttft']:9.0f} ms"
                  f"{one['p99']:7.0f} ms")
        print(f"\nA turn is a session hit if most of its prompt was found in its replica's cache. "
              f"The first of {ROUNDS}\nis none, so {(ROUNDS - 1) / ROUNDS:.3f} is the most there "
              f"can be; {1 / REPLICAS:.3f} is the smallest largest share of {REPLICAS} replicas.")

    def run(self, once):
        print(f"Each request goes through a load balancer on 127.0.0.1:{self.gateway_port} to one "
              f"of {len(self.numbers)} gateways at random,\non ports "
              f"{', '.join(map(str, self.ports))}; behind them are {REPLICAS} simulated replicas.")
        self.start_balancer()
        told = {}
        for way, words in (("one", "One gateway, for all of it"),
                           ("apart", "Gateways that do not know of each other"),
                           ("sharing", "Gateways that tell each other what they have")):
            print(f"\n--- {words}")
            self.start_gateways(way)
            told[way] = self.measure(way) if not self.stop.is_set() else None
            if told[way] is None:
                return 1
            if way != "sharing":
                self.stop_gateways(way)
        self.print_figures(told)
        print(f"\n$ {shown(PENSTOCK)} get peers{self.admin_words}\n{self.command('get', 'peers')}")
        seen = (told["sharing"]["hits"] > told["apart"]["hits"] and
                not told["apart"]["failed"] + told["sharing"]["failed"])
        print("\nGateways that share found more of the conversations cached." if seen else
              "\nThat was not to be seen: requests failed, or this machine is too busy.")
        if once:
            return 0 if seen else 1
        name = shown(PENSTOCK)
        self.stay(f"{name} get peers -w{self.admin_words}",
                  f"{name} get peers -o wide --admin 127.0.0.1:{self.admins[1]}",
                  f"{name} explain --last{self.admin_words}",
                  f"{name} bench --target http://127.0.0.1:{self.gateway_port} --model {MODEL} \\",
                  "    --workload multi-round-qa --users 30 --qps 10 --duration 20s")
        return 0
