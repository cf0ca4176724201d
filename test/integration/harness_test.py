"""The harness, tested against its own fake server and a stand-in for the gateway."""

import json
import os
import pathlib
import signal
import socket
import sys
import tempfile
import threading
import unittest
from unittest import mock

from harness import (Addresses, Client, Deadline, Ended, FakeModelServer, Gate, GatewayTest,
                     Metrics, PeerGone, Watched, answer, break_off, chat_answer, chat_body,
                     chat_events, event, eventually, exchange, free_port, gateway_objects, hang,
                     pod, pool_of, refuse_with_reset, stream_answer)


class FakeServerCase(unittest.TestCase):
    addresses = Addresses()

    def serve(self, script):
        address = self.addresses.take()
        server = FakeModelServer(address, free_port(address), script)
        self.addCleanup(server.close)
        return server

    def connect(self, server, **options):
        client = Client(server.address, server.port, **options)
        self.addCleanup(client.close)
        return client


class FakeServerTest(FakeServerCase):
    def test_keeps_the_exact_bytes_of_each_request(self):
        server = self.serve(answer(200, b"hi"))
        client = self.connect(server)
        first = b"POST /v1/x?a=b HTTP/1.1\r\nhOsT:  h\r\nContent-Length: 3\r\n\r\n\x00\xffz"
        second = (b"POST /v1/y HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                  b"2;ext=1\r\nab\r\n1\r\nc\r\n0\r\nX-Trailer: t\r\n\r\n")
        client.send(first + second)  # pipelined
        self.assertEqual(client.read_response().body, b"hi")
        self.assertEqual(client.read_response().body, b"hi")
        one, two = server.wait_requests(2)
        self.assertEqual(one.raw, first)
        self.assertEqual((one.method, one.path, one.target), ("POST", "/v1/x", "/v1/x?a=b"))
        self.assertEqual(one.body, b"\x00\xffz")
        self.assertEqual(one.head.headers[0], ("hOsT", "h"))
        self.assertEqual(two.raw, second)
        self.assertEqual(two.body, b"abc")
        self.assertIs(one.connection, two.connection)
        self.assertEqual(server.bytes_received(), [first + second])

    def test_answers_probes_itself_and_keeps_them_apart(self):
        server = self.serve(hang())
        server.waiting, server.kv_cache_usage = 3, 0.25
        page = Metrics(exchange(server.address, server.port, "GET", "/metrics").body.decode())
        self.assertEqual(page.sum("vllm:num_requests_waiting", model_name="test-model"), 3)
        self.assertEqual(page.sum("vllm:kv_cache_usage_perc"), 0.25)
        models = exchange(server.address, server.port, "GET", "/v1/models").json()
        self.assertEqual([m["id"] for m in models["data"]], ["test-model"])
        server.healthy = False
        self.assertEqual(exchange(server.address, server.port, "GET", "/health").status, 503)
        self.assertEqual(len(server.requests), 0)
        self.assertEqual([p.path for p in server.probes.wait_count(3)],
                         ["/metrics", "/v1/models", "/health"])
        self.assertEqual(server.bytes_received(), [])

    def test_a_gate_holds_a_stream_until_the_test_opens_it(self):
        gate = Gate("second event")
        server = self.serve(stream_answer([event("a"), event("b")], gates={1: gate}))
        client = self.connect(server)
        client.request("GET", "/stream")
        self.assertEqual(client.read_head().get("content-type"),
                         "text/event-stream; charset=utf-8")
        self.assertEqual(client.read_chunk(), b"data: a\n\n")
        client.deadline_s = 0.05
        with self.assertRaises(Deadline):
            client.read_chunk()
        gate.open()
        client.deadline_s = 20
        self.assertEqual(client.read_chunk(), b"data: b\n\n")
        self.assertEqual(client.read_chunk(), b"")

    def test_a_gate_before_the_head(self):
        gate = Gate()
        server = self.serve(stream_answer([event("a")], gates={0: gate}, headers_at_once=False))
        client = self.connect(server)
        client.request("GET", "/stream")
        server.wait_requests(1)
        gate.open()
        response = client.read_response()
        self.assertTrue(response.complete)
        self.assertEqual(response.events(), ["a"])

    def test_a_stream_that_breaks_off_is_seen_as_incomplete(self):
        for end in ("break", "reset"):
            with self.subTest(end):
                sent = Gate()
                server = self.serve(stream_answer([event("a")], gates={1: sent}, end=end))
                client = self.connect(server)
                client.request("GET", "/stream")
                head = client.read_head()
                self.assertEqual(head.status, 200)
                self.assertEqual(client.read_chunk(), b"data: a\n\n")
                sent.open()
                with self.assertRaises(Ended):
                    client.read_chunk()

    def test_a_body_shorter_than_announced_is_seen_as_incomplete(self):
        server = self.serve(break_off(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"))
        response = exchange(server.address, server.port, "GET", "/x")
        self.assertFalse(response.complete)
        self.assertEqual(response.body, b"abc")

    def test_reset_reaches_the_client_as_a_reset(self):
        server = self.serve(refuse_with_reset())
        client = self.connect(server)
        client.request("GET", "/x")
        with self.assertRaisesRegex(Ended, "reset"):
            client.read_some()

    def test_reset_works_from_another_thread_on_an_idle_connection(self):
        server = self.serve(answer())
        client = self.connect(server)
        client.request("GET", "/x")
        client.read_response()
        server.kill()
        with self.assertRaisesRegex(Ended, "reset"):
            client.read_some()
        with self.assertRaises(ConnectionRefusedError):
            Client(server.address, server.port)

    def test_refuses_and_listens_again(self):
        server = self.serve(answer())
        open_before = self.connect(server)
        open_before.request("GET", "/x")
        open_before.read_response()
        server.refuse()
        with self.assertRaises(ConnectionRefusedError):
            Client(server.address, server.port)
        open_before.request("GET", "/x")
        self.assertEqual(open_before.read_response().status, 200)
        server.listen()
        self.assertEqual(exchange(server.address, server.port, "GET", "/x").status, 200)

    def test_sees_the_peer_leave(self):
        for leave in ("close", "reset"):
            with self.subTest(leave):
                server = self.serve(hang())
                client = self.connect(server)
                client.request("GET", "/x")
                request = server.wait_requests(1)[0]
                self.assertFalse(request.connection.closed_by_peer.is_set())
                getattr(client, leave)()
                server.connections.wait(lambda all: all[0].closed_by_peer.is_set(), "peer gone")

    def test_sending_to_a_peer_that_left_ends_the_script(self):
        ended = Gate()

        def script(_, connection):
            try:
                connection.wait_closed()
                while True:
                    connection.send(b"x" * 65536)
            except PeerGone:
                ended.open()
                raise
        server = self.serve(script)
        client = self.connect(server)
        client.request("GET", "/x")
        server.wait_requests(1)
        client.reset()
        ended.wait()
        self.assertEqual(list(server.failures), [])

    def test_a_script_that_fails_is_told(self):
        def script(_, __):
            raise ValueError("wrong script")
        server = self.serve(script)
        client = self.connect(server)
        client.request("GET", "/x")
        client.wait_closed()
        self.assertEqual([str(f) for f in server.failures.wait_count(1)], ["wrong script"])

    def test_blocked_sending_counts_what_the_peer_took(self):
        counted = Watched()

        def script(_, connection):
            connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
            counted.append(connection.send_until_blocked(b"x" * 65536, 1600))
            connection.close()
        server = self.serve(script)
        client = self.connect(server)
        client.request("GET", "/x")
        taken = counted.wait_count(1)[0]
        self.assertLess(taken, 1600 * 65536)
        client.read_head()
        self.assertEqual(len(client.take_rest()), taken)

    def test_chat_answers_are_what_openai_clients_read(self):
        server = self.serve(chat_answer("Hi.", cached_tokens=4))
        body = exchange(server.address, server.port, "POST", "/v1/chat/completions", (),
                        chat_body(model="m")).json()
        self.assertEqual(body["choices"][0]["message"]["content"], "Hi.")
        self.assertEqual(body["model"], "m")
        self.assertEqual(body["usage"]["prompt_tokens_details"]["cached_tokens"], 4)
        events = chat_events(["a", "b"], usage={"prompt_tokens": 1})
        self.assertEqual(events[-1], b"data: [DONE]\n\n")
        parsed = [json.loads(e[6:]) for e in events[:-1]]
        self.assertEqual([p["choices"][0]["delta"].get("content") for p in parsed[:-1]],
                         ["", "a", "b", None])
        self.assertEqual(parsed[-1]["usage"], {"prompt_tokens": 1})


class WaitTest(unittest.TestCase):
    def test_eventually_gives_the_value_or_names_what_did_not_come(self):
        values = iter([0, None, 7])
        self.assertEqual(eventually(lambda: next(values), "seven"), 7)
        with self.assertRaisesRegex(Deadline, "the moon"):
            eventually(lambda: False, "the moon", deadline_s=0.02)

    def test_a_gate_that_nobody_opens_gives_up(self):
        with self.assertRaisesRegex(Deadline, "left gate"):
            Gate("left gate").wait(0.01)

    def test_watched_wakes_a_waiter_in_another_thread(self):
        watched = Watched()
        found = []
        waiter = threading.Thread(target=lambda: found.append(watched.wait_count(2)))
        waiter.start()
        watched.append("a")
        watched.append("b")
        waiter.join()
        self.assertEqual(found, [["a", "b"]])
        with self.assertRaisesRegex(Deadline, "three"):
            watched.wait(lambda items: len(items) == 3, "three", 0.01)


class AddressesTest(unittest.TestCase):
    def test_gives_each_address_once_and_goes_on_with_another_24(self):
        addresses = Addresses()
        self.addCleanup(addresses.close)
        taken = [addresses.take() for _ in range(300)]
        self.assertEqual(len(set(taken)), 300)
        self.assertTrue(all(a.startswith("127.") for a in taken))
        row = addresses.take(5)
        last = [int(a.rpartition(".")[2]) for a in row]
        self.assertEqual(last, list(range(last[0], last[0] + 5)))

    def test_two_processes_never_share_addresses(self):
        one, two = Addresses(), Addresses()  # same process id: the second must move on
        self.addCleanup(one.close)
        self.addCleanup(two.close)
        self.assertNotEqual(one.take().rpartition(".")[0], two.take().rpartition(".")[0])

    def test_a_free_port_is_free_on_every_address(self):
        addresses = Addresses()
        self.addCleanup(addresses.close)
        three = addresses.take(3)
        port = free_port(*three)
        for address in three:
            with socket.socket() as s:
                s.bind((address, port))

    def test_no_port_is_given_twice(self):
        addresses = Addresses()
        self.addCleanup(addresses.close)
        address = addresses.take()
        # More than enough for chance to repeat one among some 28,000.
        ports = [free_port(address) for _ in range(1000)]
        self.assertEqual(len(set(ports)), len(ports))


class MetricsTest(unittest.TestCase):
    def test_reads_labels_values_and_types(self):
        page = Metrics("# HELP a_total A.\n# TYPE a_total counter\n"
                       'a_total{x="1",y="q\\"\\\\\\n,}"} 2\na_total{x="2"} 3\nb 1e+21\nc +Inf\n')
        self.assertEqual(page.sum("a_total"), 5)
        self.assertEqual(page.sum("a_total", x="2"), 3)
        self.assertEqual(page.sum("a_total", y='q"\\\n,}'), 2)
        self.assertEqual(page.sum("nothing"), 0)
        self.assertEqual(page.sum("c"), float("inf"))
        self.assertEqual(page.types, {"a_total": "counter"})
        self.assertEqual(page.names(), ["a_total", "b", "c"])

    def test_refuses_what_is_not_the_format(self):
        for bad in ("a", 'a{x="1} 2', "a{x=1} 2", 'a{x="1"}2', "a one"):
            with self.assertRaises((AssertionError, ValueError), msg=bad):
                Metrics(bad + "\n")


# Stands in for the binary: understands the same arguments, is ready at once, logs one line, drains
# for as long as the file `drain` is in its folder.
STAND_IN = """\
#!{python}
import http.server, json, os, pathlib, signal, sys, threading
arguments = sys.argv[1:]
assert arguments[0] == "serve", arguments
def value(flag): return arguments[arguments.index(flag) + 1]
folder = pathlib.Path(value("-f"))
if os.environ.get("STAND_IN") == "refuse":
    print("penstock serve: no such thing"); sys.exit(3)
def on_term(*_):
    if not (folder / "drain").exists(): os._exit(0)
    (folder / "drain").unlink()
signal.signal(signal.SIGTERM, on_term)
class Admin(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = {{"/metrics": b"x_total 3\\n", "/endpoints": b"[]"}}.get(self.path, b"ok")
        if self.path == "/crash":
            os.kill(os.getpid(), signal.SIGSEGV)  # reaches another thread,
            threading.Event().wait()  # so this one could still have answered
        self.send_response(200); self.send_header("Content-Length", str(len(body)))
        self.end_headers(); self.wfile.write(body)
    def log_message(self, *_): pass
address, port = value("--admin").rsplit(":", 1)
http.server.HTTPServer.server_bind = http.server.socketserver.TCPServer.server_bind  # no DNS
server = http.server.ThreadingHTTPServer((address, int(port)), Admin)
print("not JSON", flush=True)
for name in sorted(os.listdir(folder)):
    for document in (folder / name).read_text().split("\\n---\\n"):
        print(json.dumps({{"message": "Read", "kind": json.loads(document)["kind"]}}), flush=True)
print(json.dumps({{"message": "Request Handled", "bind": value("--bind")}}), flush=True)
server.serve_forever()
"""


class GatewayProcessTest(GatewayTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        program = pathlib.Path(folder.name) / "penstock"
        program.write_text(STAND_IN.format(python=sys.executable))
        program.chmod(0o755)
        patch = mock.patch.dict(os.environ, {"PENSTOCK": str(program)})
        patch.start()
        self.addCleanup(patch.stop)

    def test_starts_reads_its_log_and_stops(self):
        server = self.model_server(answer())
        gateway = self.gateway(pool_of([server]))
        self.assertEqual(gateway.wait_handled(1)[0]["bind"], gateway.address)
        self.assertEqual(gateway.wait_line("Read", kind="InferencePool")["kind"], "InferencePool")
        kinds = sorted(line["kind"] for line in gateway.lines if "kind" in line)
        self.assertEqual(kinds, ["Gateway", "GatewayClass", "HTTPRoute", "InferencePool", "Pod"])
        self.assertEqual(list(gateway.other_output), ["not JSON"])
        self.assertEqual(gateway.metrics().sum("x_total"), 3)
        gateway.signal(signal.SIGTERM)
        self.assertEqual(gateway.wait_exit(), 0)

    def test_a_gateway_that_ends_at_once_fails_the_test_with_its_words(self):
        with self.assertRaisesRegex(AssertionError, "(?s)ended with 3.*no such thing"):
            self.gateway([], environment={"STAND_IN": "refuse"})
        # Its end would fail this test for the same reason, rightly.
        end, arguments, _ = self._cleanups.pop()
        with self.assertRaisesRegex(AssertionError, "ended with 3"):
            end(*arguments)

    def test_a_drain_is_cut_short_by_the_second_signal(self):
        gateway = self.gateway([])
        (gateway.folder / "drain").write_text("")
        process = gateway.process
        gateway.stop()
        self.assertEqual(process.returncode, 0)
        self._cleanups.pop()

    def test_a_crash_fails_the_test(self):
        gateway = self.gateway([])
        with self.assertRaises(Ended):
            with Client(gateway.address, gateway.admin_port) as client:
                client.request("GET", "/crash")
                client.read_head()
        gateway.process.wait()
        with self.assertRaisesRegex(AssertionError, "ended with -11"):
            gateway.stop()
        self._cleanups.pop()

    def test_files_are_replaced_whole(self):
        gateway = self.gateway([pod("o", "127.0.0.1")])
        gateway.write("more.yaml", [pod("p", "127.0.0.1")])
        self.assertEqual(json.loads((gateway.folder / "more.yaml").read_text())["kind"], "Pod")
        self.assertEqual(sorted(p.name for p in gateway.folder.iterdir()),
                         ["gateway.yaml", "more.yaml", "objects.yaml"])
        gateway.remove("more.yaml")
        self.assertFalse((gateway.folder / "more.yaml").exists())


class ObjectsTest(FakeServerCase):
    def test_the_parts_refer_to_each_other(self):
        servers = [self.serve(answer()), self.serve(answer())]
        servers[0].name, servers[1].name = "a", "b"
        objects = gateway_objects(8080) + pool_of(servers, strategy="PREFIX_CACHE")
        by_kind = {}
        for o in objects:
            by_kind.setdefault(o["kind"], []).append(o)
        route, = by_kind["HTTPRoute"]
        pool, = by_kind["InferencePool"]
        gateway, = by_kind["Gateway"]
        self.assertEqual(route["spec"]["parentRefs"][0]["name"], gateway["metadata"]["name"])
        self.assertEqual(route["spec"]["rules"][0]["backendRefs"][0]["name"],
                         pool["metadata"]["name"])
        self.assertEqual([p["metadata"]["name"] for p in by_kind["Pod"]], ["a", "b"])
        for p, server in zip(by_kind["Pod"], servers):
            self.assertEqual(p["status"]["podIP"], server.address)
            self.assertLessEqual(pool["spec"]["selector"].items(), p["metadata"]["labels"].items())


if __name__ == "__main__":
    unittest.main()
