"""Gateways in front of the same endpoints that tell each other what they have there."""

import itertools
import json
import pathlib
import random
import signal
import ssl
import subprocess
import tempfile
import time
import unittest

from harness import (Client, Ended, Gate, Gateway, GatewayTest, chat_answer, chat_body, chat_events,
                     eventually, free_port, http_route, inference_pool, penstock, pod,
                     pool_of, stream_answer)
from harness.gateway import _die_with_parent

CHAT = "/v1/chat/completions"
SECRET = "5f0c1e0f7f3a4c3b8d5e9a6b1c2d3e4f"
LINE_ENDS = ("", "\n", "\r\n")  # with which editors end a file of it
LONG_PROMPT = " ".join(f"word{i}" for i in range(800))


def held_or_answered(gates, events):
    """Who names a gate in `user` gets a stream that ends when it is open, others an answer."""
    def script(request, connection):
        gate = gates.get(request.json().get("user"))
        if gate is None:
            chat_answer()(request, connection)
        else:
            stream_answer(events, {2: gate})(request, connection)
    return script


class PeersTest(GatewayTest):
    """Gateways "a", "b", "c", each on an address of its own, all of whose peers are at one port."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="penstock-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.places = self.addresses.take(3)
        self.peer_port = free_port(*self.places)
        self.peers = ",".join(f"{place}:{self.peer_port}" for place in self.places)

    def secret_file(self, text=SECRET):
        path = self.folder / f"secret-{len(list(self.folder.iterdir()))}"
        path.write_text(text)
        return path

    def peer(self, number, objects, secret=SECRET, **options):
        """The gateway of that number."""
        place = self.places[number]
        gateway = Gateway(
            place, objects, wait_ready=False,
            arguments=("--workers", "1", "--peer-address", f"{place}:{self.peer_port}", "--peers",
                       self.peers, "--peer-secret-file",
                       str(self.secret_file(secret + LINE_ENDS[number])),
                       "--peer-name", "abc"[number]), **options)
        self.addCleanup(self._end_gateway, gateway)
        gateway.wait_ready()
        return gateway

    def three(self, objects):
        gateways = [self.peer(number, objects) for number in range(3)]
        self.wait_linked(gateways)
        # What is told over a connection that another one replaces is told again with the next sums,
        # and news of prompts is not.
        self.wait_settled(gateways)
        return gateways

    def wait_linked(self, gateways):
        for gateway in gateways:
            others = [self.name_of(other) for other in gateways if other is not gateway]
            eventually(lambda g=gateway, o=others: self.linked(g) == o,
                       f"{self.name_of(gateway)} linked with {others}")

    def wait_settled(self, gateways):
        """Until each knows who is at every address: a connection for each other, no more dialled.

        Of the two that dial each other one connection stays.
        """
        for gateway in gateways:
            eventually(lambda g=gateway: [r["state"] for r in self.rows(g)] ==
                       ["linked"] * (len(gateways) - 1), f"{self.name_of(gateway)} settled")

    def name_of(self, gateway):
        return "abc"[self.places.index(gateway.address)]

    def rows(self, gateway):
        """What `penstock get peers` says."""
        told = subprocess.run(
            [penstock(), "get", "peers", "-o", "json", "--admin",
             f"{gateway.address}:{gateway.admin_port}"], check=True, stdout=subprocess.PIPE)
        said = json.loads(told.stdout)
        rows = said["items"] if "items" in said else [said]
        return [{"name": "", "error": "", **row} for row in rows]

    def linked(self, gateway):
        return sorted(row["name"] for row in self.rows(gateway) if row["state"] == "linked")

    def told_by(self, gateway, name):
        """The requests in flight that a linked peer has told of; None: it is not linked."""
        found = [row for row in self.rows(gateway)
                 if (row["name"], row["state"]) == (name, "linked")]
        return found[0]["sums"]["requests"] if found else None

    def in_flight(self, gateway):
        return {name: e["in_flight"] for name, e in gateway.endpoints().items()}

    def sim(self, count):
        """Simulated replicas that answer at once, and their Pods."""
        places = [self.addresses.take()] if count == 1 else self.addresses.take(count)
        port = free_port(*places)
        process = subprocess.Popen(
            [penstock(), "sim", "--model", "test-model", "--preset", "instant", "--replicas",
             str(count), "--listen", f"{places[0]}:{port}"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=_die_with_parent)
        self.addCleanup(self.end_sim, process)
        process.stdout.readline()  # it listens
        return [pod(f"replica-{i}", place, port=port) for i, place in enumerate(places)], port

    def end_sim(self, process):
        process.kill()
        process.wait()
        process.stdout.close()

    def sim_pool(self, count, strategy):
        pods, port = self.sim(count)
        pool = inference_pool(port, annotations={"penstock.dev/routing-strategy": strategy})
        return [http_route(), pool, *pods]

    def hold(self, gateway, user):
        """A stream whose first two events have come and whose others wait for the gate."""
        client = self.client(gateway)
        client.request("POST", CHAT, body=chat_body(stream=True, user=user))
        client.read_final_head()
        came, first = b"", b"".join(self.events[:2])
        while len(came) < len(first):
            came += client.read_chunk()
        self.assertEqual(came, first)
        return client


class LinkTest(PeersTest):
    def test_each_shows_the_others_and_not_itself(self):
        gateways = self.three(self.sim_pool(2, "DEFAULT"))
        for gateway in gateways:
            # Those at other addresses were dialled as well, and it is one connection in the end.
            rows = eventually(
                lambda g=gateway: len(found := self.rows(g)) == 2 and
                all(row["endpoints"] and row["received_bytes"] for row in found) and found,
                "two rows")
            for row in rows:
                self.assertEqual((row["state"], row["error"], row["endpoints"]), ("linked", "", 2))
                self.assertGreater(row["received_bytes"], 0)
            gateway.wait_line("Other gateways may connect", name=self.name_of(gateway),
                              address=f"{gateway.address}:{self.peer_port}")
            gateway.wait_metric("penstock_peers", 2, state="linked")
            gateway.wait_metric("penstock_peers", 0, state="silent")

    def test_the_table_has_a_line_for_each(self):
        gateways = self.three(self.sim_pool(1, "DEFAULT"))
        self.wait_settled(gateways)
        told = subprocess.run([penstock(), "get", "peers", "-o", "wide", "--admin",
                               f"{gateways[0].address}:{gateways[0].admin_port}"],
                              check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        self.assertEqual(told[0].split(), ["NAME", "ADDRESS", "STATE", "HEARD", "ENDPOINTS",
                                           "IN-FLIGHT", "PENDING", "PREFIXES", "SENT", "RECEIVED",
                                           "ERROR"])
        self.assertEqual(sorted(line.split()[0] for line in told[1:]), ["b", "c"])

    def test_whoever_made_the_connection_a_peer_has_the_address_that_is_dialled(self):
        gateways = self.three(self.sim_pool(1, "DEFAULT"))
        self.wait_settled(gateways)
        for gateway in gateways:
            dialled = sorted(f"{g.address}:{self.peer_port}" for g in gateways if g is not gateway)
            eventually(lambda g=gateway, d=dialled: sorted(
                row["address"] for row in self.rows(g)) == d, "the addresses")

    def test_a_decision_says_whom_it_had_heard(self):
        gateways = self.three(self.sim_pool(2, "DEFAULT"))
        self.wait_settled(gateways)

        def explained(gateway, *form):
            self.assertEqual(gateway.chat(max_tokens=3).status, 200)
            return subprocess.run(
                [penstock(), "explain", "--last", *form, "--admin",
                 f"{gateway.address}:{gateway.admin_port}"], check=True, stdout=subprocess.PIPE,
                text=True).stdout
        # One that could not say a word in time is not heard.
        told = eventually(lambda: (found := json.loads(explained(gateways[0], "-o", "json")))
                          ["peers_heard"] == 2 and found, "both are heard")
        self.assertGreaterEqual(told["peers_oldest_ms"], 0)
        self.assertRegex(explained(gateways[0]),
                         r"\n  peers: (\d heard, the oldest word \d+ ms old|none heard)\n")
        alone = self.gateway(self.sim_pool(1, "DEFAULT"))
        self.assertNotIn("peers", explained(alone))
        self.assertIsNone(json.loads(explained(alone, "-o", "json"))["peers_heard"])

    def test_another_secret_is_refused_and_both_go_on_serving(self):
        objects = self.sim_pool(2, "DEFAULT")
        gateways = [self.peer(0, objects), self.peer(1, objects, secret=SECRET[::-1])]
        for gateway in gateways:
            gateway.wait_metric_at_least("penstock_peer_refused_total", 1, reason="handshake")
            self.assertIn("handshake", gateway.wait_line("Peer refused")["error"])
            self.assertEqual(self.linked(gateway), [])
            # The third one is not there at all.
            row = eventually(lambda g=gateway: next((r for r in self.rows(g) if
                                                     r["error"].startswith("handshake: ")), None),
                             "why it is not linked")
            self.assertEqual(row["state"], "unreachable")
            self.assertEqual(gateway.chat(max_tokens=3).status, 200)

    def test_a_gateway_without_peers_has_none(self):
        gateway = self.gateway(self.sim_pool(1, "DEFAULT"))
        self.assertEqual(self.rows(gateway), [])
        self.assertEqual(gateway.metrics().sum("penstock_peers"), 0)


class SumsTest(PeersTest):
    def servers(self, gates):
        self.events = chat_events(["a", "b", "c"])
        return [self.model_server(held_or_answered(gates, self.events), name=f"server-{i}")
                for i in range(2)]

    def test_what_one_holds_counts_in_the_decisions_of_the_others(self):
        gate = Gate()
        gateways = self.three(pool_of(self.servers({"u": gate})))
        a, b, c = gateways
        client = self.hold(a, "u")
        holder = next(name for name, count in self.in_flight(a).items() if count)
        for gateway in (b, c):
            eventually(lambda g=gateway: self.told_by(g, "a") == 1, "its request is known")
            # What is shown of an endpoint is a gateway's own, so that sums over gateways are right.
            self.assertEqual(self.in_flight(gateway)[holder], 0)
            self.assertEqual(gateway.metrics().sum("penstock_endpoint_in_flight_requests"), 0)
        # Other gateways' requests go to the idle one. A peer that could not say a word in time
        # counts for nothing, so only what was decided while it was heard is judged.
        judged = 0

        def judge():
            nonlocal judged
            heard = b.metrics().sum("penstock_peer_expired_total")
            told = self.told_by(b, "a")
            self.assertEqual(b.chat().status, 200)
            line = b.wait_handled(len(b.handled()) or 1)[-1]
            if told == 1 and b.metrics().sum("penstock_peer_expired_total") == heard:
                self.assertNotEqual(line["pod"], holder)
                judged += 1
            return judged >= 5
        eventually(judge, "five decisions")
        gate.open()
        self.assertEqual(client.read_chunks(), b"".join(self.events[2:]))
        for gateway in (b, c):
            eventually(lambda g=gateway: self.told_by(g, "a") == 0, "it is given back")

    def all_told(self, gateway):
        """What each of the others has in flight, in the order of their names."""
        return [self.told_by(gateway, name) for name in "abc" if name != self.name_of(gateway)]

    def test_each_knows_what_each_other_has(self):
        gates = {user: Gate() for user in "xyz"}
        gateways = self.three(pool_of(self.servers(gates)))
        clients = [self.hold(gateway, user) for gateway, user in zip(gateways, gates)]
        for gateway in gateways:
            eventually(lambda g=gateway: self.all_told(g) == [1, 1], "one of each other")
            self.assertEqual(gateway.metrics().sum("penstock_requests_in_flight"), 1)
        gates["y"].open()
        self.assertEqual(clients[1].read_chunks(), b"".join(self.events[2:]))
        for gateway, left in zip(gateways, ([0, 1], [1, 1], [1, 0])):
            eventually(lambda g=gateway, l=left: self.all_told(g) == l, f"{left} are left")
        for gate in gates.values():
            gate.open()
        for client in (clients[0], clients[2]):
            self.assertEqual(client.read_chunks(), b"".join(self.events[2:]))

    def lost(self, gateway, name):
        """What the gateways of that name that are gone still count for."""
        return [row["sums"]["requests"] for row in self.rows(gateway)
                if (row["name"], row["state"]) == (name, "unreachable")]

    def test_a_killed_gateway_takes_its_sums_along_and_comes_back(self):
        gates = {user: Gate() for user in "xyz"}
        objects = pool_of(self.servers(gates))
        gateways = self.three(objects)
        clients = [self.hold(gateway, user) for gateway, user in zip(gateways, gates)]
        for gateway in gateways:
            eventually(lambda g=gateway: self.all_told(g) == [1, 1], "one of each other")
        gateways[0].signal(signal.SIGKILL)
        self.assertEqual(gateways[0].wait_exit(), -signal.SIGKILL)
        for gateway in gateways[1:]:
            gateway.wait_line("Peer lost", peer="a")
            eventually(lambda g=gateway: self.lost(g, "a") == [0], "its sums are gone")
            eventually(lambda g=gateway: 1 in self.all_told(g), "the other one's are not")
        # What runs through the others goes on to its end.
        for gate in gates.values():
            gate.open()
        for client in clients[1:]:
            self.assertEqual(client.read_chunks(), b"".join(self.events[2:]))
        back = self.peer(0, objects, port=gateways[0].port, admin_port=gateways[0].admin_port)
        self.wait_linked([back, *gateways[1:]])
        self.assertEqual(back.chat().status, 200)

    def test_a_gateway_that_hangs_counts_no_longer_and_counts_again(self):
        gate = Gate()
        gateways = self.three(pool_of(self.servers({"u": gate})))
        a, b = gateways[:2]
        client = self.hold(a, "u")
        eventually(lambda: self.told_by(b, "a") == 1, "it is known")
        a.signal(signal.SIGSTOP)
        self.addCleanup(a.signal, signal.SIGCONT)
        b.wait_line("Peer silent: its requests are no longer counted", peer="a")
        eventually(lambda: all(row["sums"]["requests"] == 0 for row in self.rows(b)),
                   "its sums are gone")
        b.wait_metric_at_least("penstock_peer_expired_total", 1)
        self.assertEqual(b.chat().status, 200)
        a.signal(signal.SIGCONT)
        eventually(lambda: self.told_by(b, "a") == 1, "it is known again")
        self.wait_linked(gateways)
        gate.open()
        self.assertEqual(client.read_chunks(), b"".join(self.events[2:]))


class TenantsTest(PeersTest):
    def with_keys(self, annotations):
        """Objects of one pool that asks for a key, of which alice has one."""
        objects = self.sim_pool(1, "DEFAULT")
        objects[0]["metadata"]["annotations"] = {"penstock.dev/api-keys": "app=keys"}
        return objects + [{
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "keys", "labels": {"app": "keys"}, "annotations": annotations},
            "stringData": {"alice": "sk-a"}}]

    def ask(self, gateway):
        return gateway.chat(max_tokens=2, headers=[("Authorization", "Bearer sk-a")])

    def test_a_rate_limit_holds_once_over_both(self):
        limit = 40
        begun = time.monotonic()
        objects = self.with_keys({"penstock.dev/requests-per-minute": str(limit)})
        gateways = [self.peer(number, objects) for number in range(2)]
        self.wait_linked(gateways)
        admitted = [0, 0]
        refused = [False, False]
        # Each is asked in turn until it refuses, and what one grants is told before the other is
        # asked.
        for asked in itertools.count():
            gateway = gateways[asked % 2]
            told = self.told_of_tenants(gateway)
            response = self.ask(gateway)
            refused[asked % 2] = response.status == 429
            if all(refused):
                break
            if response.status == 200:
                admitted[asked % 2] += 1
                eventually(lambda g=gateway, t=told: self.told_of_tenants(g) > t, "it is told")
        self.assertEqual(response.json()["error"]["code"], "rate_limit_exceeded")
        # A minute's worth and what it filled by meanwhile, and some that were asked for while the
        # other had not read its mail. Each alone would grant as much again.
        filled = limit * (time.monotonic() - begun) / 60
        self.assertGreaterEqual(sum(admitted), limit)
        self.assertLessEqual(sum(admitted), limit * 1.25 + filled)
        for count in admitted:
            self.assertGreater(count, limit / 4)

    def told_of_tenants(self, gateway):
        return gateway.metrics().sum("penstock_peer_sent_bytes_total", what="tenants")


class PrefixTest(PeersTest):
    def ask(self, gateway, text):
        """The log line of one chat."""
        response = gateway.chat(text, max_tokens=2)
        self.assertEqual(response.status, 200)
        return gateway.wait_line("Request Handled", request_id=response.get("x-request-id"))

    def check_found_through_others(self, strategy):
        a, b, c = self.three(self.sim_pool(3, strategy))
        first = self.ask(a, LONG_PROMPT)
        self.assertEqual((first["prefix_hit_blocks"], first["cached_tokens"]), (0, 0))
        for gateway in (b, c):
            eventually(lambda g=gateway: any(row["name"] == "a" and row["prefixes"] > 0
                                             for row in self.rows(g)), "a has told of it")
            line = self.ask(gateway, LONG_PROMPT)
            self.assertEqual(line["pod"], first["pod"])
            # The last block is not whole: it has no name.
            self.assertGreaterEqual(line["prefix_hit_blocks"], line["prefix_blocks"] - 1)
            self.assertGreater(line["cached_tokens"], line["prompt_tokens"] / 2)
            gateway.wait_metric_at_least("penstock_peer_prefixes_total", 1)

    def test_a_prompt_is_found_where_another_gateway_sent_it(self):
        self.check_found_through_others("PREFIX_CACHE")

    def test_by_cost_too(self):
        self.check_found_through_others("COST")

    def test_one_that_comes_back_is_told_what_is_where(self):
        objects = self.sim_pool(3, "PREFIX_CACHE")
        gateways = self.three(objects)
        first = self.ask(gateways[0], LONG_PROMPT)
        for gateway in gateways[1:]:
            gateway.wait_metric_at_least("penstock_peer_prefixes_total", 1)
        gateways[0].signal(signal.SIGKILL)
        gateways[0].wait_exit()
        back = self.peer(0, objects, port=gateways[0].port, admin_port=gateways[0].admin_port)
        self.wait_linked([back, *gateways[1:]])
        back.wait_metric_at_least("penstock_prefix_index_blocks", first["prefix_blocks"] - 1)
        line = self.ask(back, LONG_PROMPT)
        self.assertEqual(line["pod"], first["pod"])
        self.assertGreaterEqual(line["prefix_hit_blocks"], line["prefix_blocks"] - 1)

    def test_a_conversation_that_changes_its_gateway_each_turn_stays_at_its_replica(self):
        gateways = self.three(self.sim_pool(3, "PREFIX_CACHE"))
        text, pods = LONG_PROMPT, []
        for turn in range(6):
            gateway = gateways[turn % 3]
            pods.append(self.ask(gateway, text)["pod"])
            told = self.linked_prefixes(gateways, gateway)
            eventually(lambda g=gateways, f=gateway, t=told: self.linked_prefixes(g, f) >= t and
                       self.linked_prefixes(g, f) > turn // 3 * 2, "the others know")
            text += f" and then {turn} " + LONG_PROMPT[:400]
        self.assertEqual(len(set(pods)), 1, pods)

    def linked_prefixes(self, gateways, teller):
        """How many insertions of one gateway the others have heard of."""
        return sum(row["prefixes"] for gateway in gateways if gateway is not teller
                   for row in self.rows(gateway) if row["name"] == self.name_of(teller))


class GarbageTest(PeersTest):
    def send(self, gateway, data):
        """Bytes for the port of peers; what came back until it was closed."""
        with Client(gateway.address, self.peer_port) as client:
            try:
                client.send(data)
                return client.take_rest()
            except (Ended, OSError):
                return b""

    def check_unharmed(self, gateways):
        self.wait_linked(gateways)
        for gateway in gateways:
            self.assertEqual(gateway.chat(max_tokens=2).status, 200)

    def test_what_is_no_gateway_is_refused_and_harms_nothing(self):
        gateways = self.three(self.sim_pool(2, "PREFIX_CACHE"))
        self.wait_settled(gateways)
        a = gateways[0]
        linked = {row["name"]: row["address"] for row in self.rows(a)}
        chance = random.Random(7)
        garbage = [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00" * 4096, b"penstock peers\n",
                   b"\x16\x03\x01\xff\xff" + chance.randbytes(70000)]
        garbage += [chance.randbytes(chance.randrange(1, 3000)) for _ in range(20)]
        for data in garbage:
            self.send(a, data)
        a.wait_metric_at_least("penstock_peer_refused_total", len(garbage), reason="handshake")
        self.assertEqual({row["name"]: row["address"] for row in self.rows(a)}, linked)
        self.check_unharmed(gateways)

    def test_tls_without_the_secret_gets_no_word(self):
        gateways = self.three(self.sim_pool(2, "DEFAULT"))
        a = gateways[0]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["penstock-peers"])
        with Client(a.address, self.peer_port) as plain:
            plain._socket.settimeout(plain.deadline_s)
            try:
                with context.wrap_socket(plain._socket, do_handshake_on_connect=True) as tls:
                    # In TLS 1.3 a client learns only now that its certificate was wanted.
                    self.assertEqual(tls.recv(1000), b"")
            except (ssl.SSLError, ConnectionError):
                pass
        a.wait_metric_at_least("penstock_peer_refused_total", 1, reason="handshake")
        self.check_unharmed(gateways)

    def test_connections_that_say_nothing_keep_nobody_away(self):
        objects = self.sim_pool(2, "DEFAULT")
        a = self.peer(0, objects)
        silent = [Client(a.address, self.peer_port) for _ in range(80)]
        for client in silent:
            self.addCleanup(client.close)
        # More than may wait at a time: those beyond are closed at once, the others in a while.
        a.wait_metric_at_least("penstock_peer_refused_total", 16, reason="handshake")
        b = self.peer(1, objects)
        self.check_unharmed([a, b])
        for client in silent:
            client.wait_closed()
        a.wait_metric_at_least("penstock_peer_refused_total", 80, reason="handshake")
        self.check_unharmed([a, b])


class FlagsTest(PeersTest):
    def refused(self, *arguments):
        """What a start says that is given up."""
        objects = self.folder / "objects"
        objects.mkdir(exist_ok=True)
        done = subprocess.run(
            [penstock(), "serve", "-f", str(objects), "--admin", f"{self.places[0]}:0",
             *map(str, arguments)], check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, timeout=60)
        self.assertEqual(done.returncode, 1, done.stderr)
        said = [line for line in done.stderr.splitlines() if line.startswith("penstock serve: ")]
        self.assertEqual(len(said), 1, done.stderr)
        return said[0].removeprefix("penstock serve: ")

    def test_what_is_wanted_is_named(self):
        at = ("--peer-address", f"{self.places[0]}:{self.peer_port}")
        secret = ("--peer-secret-file", self.secret_file())
        short = self.secret_file("0123456789abcde")
        cases = [
            (at, "--peer-secret-file: is wanted with --peer-address: gateways believe only who "
                 "knows it"),
            ((*at, "--peer-secret-file", "/none"), "--peer-secret-file: /none cannot be read"),
            ((*at, "--peer-secret-file", "/"), "--peer-secret-file: / cannot be read"),
            # No end would come of it.
            ((*at, "--peer-secret-file", "/dev/zero"),
             "--peer-secret-file: /dev/zero cannot be read"),
            ((*at, "--peer-secret-file", short),
             f"--peer-secret-file: {short}: a secret of 15 bytes: at least 16 are wanted"),
            ((*at, *secret, "--peers", "10.0.0.7"),
             '--peers: must be HOST:PORT,..., got "10.0.0.7"'),
            ((*at, *secret, "--peers", "one:9910,two:0"),
             '--peers: must be HOST:PORT,..., got "two:0"'),
            (("--peers", "one:9910"),
             "--peer-address: is wanted where there are --peers, a --peer-secret-file or a "
             "--peer-name"),
            (secret,
             "--peer-address: is wanted where there are --peers, a --peer-secret-file or a "
             "--peer-name"),
            (("--peer-address", "one", *secret),
             '--peer-address: address "one": must be IPV4:PORT or [IPV6]:PORT'),
        ]
        for arguments, message in cases:
            with self.subTest(message):
                self.assertEqual(self.refused(*arguments), message)

    def test_a_port_that_is_taken_ends_the_start(self):
        self.peer(0, self.sim_pool(1, "DEFAULT"))
        address = f"{self.places[0]}:{self.peer_port}"
        self.assertIn(f"listen on {address}: Address already in use", self.refused(
            "--peer-address", address, "--peer-secret-file", self.secret_file()))


if __name__ == "__main__":
    unittest.main()
