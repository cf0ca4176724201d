"""QUEUE=1: twice the load that a fleet serves, with queueing and without (docs/queueing.md)."""

import re

from demo_load import Load, Words, median, percentile
from demo_run import PENSTOCK, ROOT, Failure, Run, addresses, shown

EXAMPLE = ROOT / "examples" / "queueing"
FLEET = addresses(11, 3)
# Little room: a replica runs six chats at a time, and with six more that wait there it is full.
REPLICAS = ("--preset", "qwen3-32b-pro6000-tp2", "--max-num-seqs", "6")
WORDS = Words(prompt_words=50, tokens=(20, 44))
IN_FLIGHT_MAX = 6 * len(FLEET)
KINDS = {"critical": 0.25, "standard": 0.6, "sheddable": 0.15}  # name of the objective: its share
TENANTS = {"team-a": 0.8, "team-b": 0.2}
OVERLOAD = 2
MEASURE_S, LOAD_S, ANSWERS_WITHIN_S = 8, 28, 60
FRESH_S = 2  # of what the lines show


def choose(rng):
    kind = rng.choices(list(KINDS), KINDS.values())[0]
    tenant = rng.choices(list(TENANTS), TENANTS.values())[0]
    return kind, tenant, {"x-gateway-inference-objective": kind,
                          "x-gateway-inference-fairness-id": tenant}


def milliseconds(seconds):
    return "-" if seconds is None else f"{seconds * 1000:.0f}"


def row(first, cells, width=11):
    return f"{first:>24}" + "".join(f"{cell:>{width}}" for cell in cells)


class QueueDemo(Run):
    def __init__(self):
        super().__init__(FLEET)
        self.objects = self.copy_of(EXAMPLE)
        self.results = {}  # "queueing", "no queueing": chats

    def run(self, once):
        self.start_all()
        rate = self.measure()
        for what in ("queueing", "no queueing"):
            if self.stop.is_set():
                return 1
            if self.results:
                self.turn_off()
            self.results[what] = self.overload(rate, what)
        if self.stop.is_set():
            return 1
        self.print_summary()
        seen = self.judge()
        if once:
            return 0 if seen else 1
        penstock = shown(PENSTOCK)
        self.stay(f"{penstock} explain --last{self.admin_words}",
                  f"{penstock} get pools{self.admin_words}",
                  f"curl -s 127.0.0.1:{self.admin_port}/metrics | grep penstock_queue",
                  f"$EDITOR {self.objects}/pool.yaml    # turn queueing on again")
        return 0

    def start_all(self):
        print(f"Starting 3 simulated vLLM replicas with little room on {FLEET[0]}..13, "
              f"port {self.replica_port}")
        self.start_fleet("simulator", FLEET, *REPLICAS)
        self.wait_for_replicas()
        print(f"Starting the gateway on 127.0.0.1:{self.gateway_port} with a copy of "
              f"{shown(EXAMPLE)}")
        self.start_gateway(self.objects)

    def measure(self):
        """The rate of the load to come."""
        load = Load(self.gateway_port, WORDS, lambda rng: ("critical", "team-a", {}))
        capacity = load.measure(IN_FLIGHT_MAX, MEASURE_S, self.stop)
        if self.stop.is_set():
            return 0
        if capacity == 0:
            raise Failure(f"the fleet serves nothing; logs are in {self.folder}")
        print(f"The fleet serves {capacity:.1f} chats/s, {IN_FLIGHT_MAX} at a time. Now come "
              f"{OVERLOAD * capacity:.0f}/s, whether the others are answered or not: " +
              ", ".join(f"{share:.0%} {kind}" for kind, share in KINDS.items()) + "; " +
              " and ".join(f"{share:.0%} of {tenant}" for tenant, share in TENANTS.items()))
        return OVERLOAD * capacity

    def overload(self, rate, what):
        """LOAD_S of it, a line each second until all is answered; the chats."""
        print(f"\n--- {what}\n"
              "          waiting in/at     TTFT of the last seconds, p50, ms     "
              "refused so far (429)\n" +
              f"{'s':>3}{'gateway':>9}{'replicas':>9}  " + "".join(f"{k:>11}" for k in KINDS) +
              "  " + "".join(f"{k:>11}" for k in KINDS))
        load = Load(self.gateway_port, WORDS, choose)
        load.start(rate)
        while not self.stop.is_set():
            if load.wait(1):
                return load.chats
            self.check_children()
            self.print_line(load)
            if load.now() > LOAD_S:
                load.end()
            if load.now() > LOAD_S + ANSWERS_WITHIN_S:
                raise Failure(f"not all is answered {ANSWERS_WITHIN_S} s after the load; "
                              f"logs are in {self.folder}")
        return load.chats

    def print_line(self, load):
        now = load.now()
        chats = list(load.chats)
        fresh = {kind: [chat.ttft for chat in chats if chat.kind == kind and chat.served and
                        now - FRESH_S < chat.start + chat.ttft] for kind in KINDS}
        refused = [sum(chat.refused for chat in chats if chat.kind == kind) for kind in KINDS]
        in_gateway = self.metric("penstock_queue_waiting_requests") or 0
        at_replicas = sum(endpoint["waiting"] or 0 for endpoint in self.endpoints())
        print(f"{now:3.0f}{in_gateway:9.0f}{at_replicas:9.0f}  " +
              "".join(f"{milliseconds(median(fresh[kind])):>11}" for kind in KINDS) + "  " +
              "".join(f"{count:>11}" for count in refused))

    def turn_off(self):
        """By an edit of the pool, as somebody would who tries it out."""
        before = self.metric("penstock_configuration_generation")
        pool = self.objects / "pool.yaml"
        pool.write_text(re.sub(r"(?m)^ +penstock\.dev/queu.*\n", "", pool.read_text()))
        print("\nThe pool's annotations penstock.dev/queue... are taken out")
        while not self.stop.wait(0.1):
            self.check_children()
            if self.metric("penstock_configuration_generation") > before:
                return

    def print_summary(self):
        print("\n" + row("", ["TTFT p50", "p99, ms", "served", "refused", "other"]))
        for what, chats in self.results.items():
            for kind in KINDS:
                self.print_row(f"{what:<12} {kind:>10}", [c for c in chats if c.kind == kind])
        print("\nOf the standard ones:")
        for what, chats in self.results.items():
            for tenant in TENANTS:
                self.print_row(f"{what:<12} {tenant:>10}",
                               [c for c in chats if (c.kind, c.tenant) == ("standard", tenant)])

    @staticmethod
    def print_row(first, chats):
        times = [chat.ttft for chat in chats if chat.served]
        served, refused = sum(c.served for c in chats), sum(c.refused for c in chats)
        print(row(first, [milliseconds(percentile(times, 50)), milliseconds(percentile(times, 99)),
                          served, refused, len(chats) - served - refused]))

    def judge(self):
        """Whether it was to be seen: critical chats pass the others, and all of them are served."""
        critical = {what: [chat for chat in chats if chat.kind == "critical"]
                    for what, chats in self.results.items()}
        with_it, without = (median(chat.ttft for chat in critical[what] if chat.served)
                            for what in ("queueing", "no queueing"))
        all_served = all(chat.served for chat in critical["queueing"])
        seen = bool(all_served and with_it and without and with_it < without / 2)
        print()
        if seen:
            print(f"Critical chats were all served. Their TTFT without queueing: "
                  f"{without / with_it:.1f} times that with it.")
        elif all_served:
            print("Queueing did not halve the TTFT of critical chats: "
                  "this machine may be too busy.")
        else:
            print("With queueing not all critical chats were served: "
                  "this machine may be too busy.")
        return seen
