"""A new gateway takes the ports of an old one over, and no connection is refused or reset."""

import os
import pathlib
import re
import signal
import socket
import tempfile
import threading
import unittest

from harness import (OVER_TLS, Client, Gate, Gateway, GatewayTest, answer, chat_body, chat_events,
                     eventually, gateway_objects, pool_of, stream_answer)

CHAT = "/v1/chat/completions"


class Traffic:
    """New connections without a pause, from several threads, each for one request."""

    def __init__(self, gateway, threads=4):
        self.connect = gateway.connect
        self.answers = {}
        self.failures = []
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _run(self):
        while not self._stop.is_set():
            try:
                with self.connect() as client:
                    client.request("GET", "/v1/t", [("Connection", "close")])
                    body = client.read_response().body
            except Exception as e:  # pylint: disable=broad-except
                self.failures.append(repr(e))
                continue
            with self._lock:
                self.answers[body] = self.answers.get(body, 0) + 1

    def count(self, body):
        with self._lock:
            return self.answers.get(body, 0)

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()


class TakeoverTest(GatewayTest):
    def named(self, name):
        return self.model_server(answer(200, name.encode()), name=name)

    def take_over(self, old, server):
        """A second gateway on the ports of `old`, in front of another server."""
        new = Gateway(old.address, pool_of([server]), port=old.port, admin_port=old.admin_port,
                      arguments=("--takeover",), wait_ready=False)
        self.addCleanup(new.stop)
        new.wait_line("Listening", ports=1)
        return new

    def test_under_a_constant_stream_of_new_connections_none_is_refused_or_reset(self):
        old = self.gateway(pool_of([self.named("old")]))
        traffic = Traffic(old)
        self.addCleanup(traffic.stop)
        eventually(lambda: traffic.count(b"old") > 50, "the old one serves")
        new = self.take_over(old, self.named("new"))
        old.signal(signal.SIGTERM)
        self.assertEqual(old.wait_exit(), 0)
        served = traffic.count(b"new")
        eventually(lambda: traffic.count(b"new") > served + 50, "the new one serves")
        traffic.stop()
        self.assertEqual(traffic.failures, [])
        self.assertEqual(new.admin("/readyz").status, 200)
        self.assertEqual(set(traffic.answers), {b"old", b"new"})

    def test_streams_of_the_old_one_end_in_peace_and_the_admin_port_is_the_new_ones(self):
        gate = Gate()
        events = chat_events(["a", "b"])
        old = self.gateway(pool_of([self.model_server(stream_answer(events, {1: gate}))]))
        client = self.client(old)
        client.request("POST", CHAT, body=chat_body(stream=True))
        client.read_final_head()
        new = self.take_over(old, self.named("new"))
        old.signal(signal.SIGTERM)
        old.wait_line("Draining: no new connections, requests in flight finish")
        # The old one still drains, but whoever asks is answered by the new one.
        eventually(lambda: all(new.admin("/readyz").status == 200 for _ in range(20)),
                   "the new one alone answers on the admin port")
        gate.open()
        self.assertEqual(client.read_chunks(), b"".join(events))
        self.assertEqual(old.wait_exit(), 0)

    def test_an_admin_port_in_use_names_its_holder(self):
        old = self.gateway(pool_of([self.named("old")]))
        second = Gateway(old.address, pool_of([self.named("other")]), admin_port=old.admin_port,
                         wait_ready=False)
        self.addCleanup(second.stop)
        self.assertEqual(second.wait_exit(), 1)
        self.assertRegex("\n".join(second.other_output),
                         rf"--admin: listen on {old.address}:{old.admin_port}: Address already in "
                         rf"use, by \S*penstock \(process {old.process.pid}\)")
        # Before a file was read.
        self.assertEqual([l["message"] for l in second.lines if l["message"] == "Starting"], [])


class SocketActivationTest(GatewayTest):
    """The listening sockets are the service manager's, and outlive the gateway."""

    def socket_of(self, address, port=0, family=socket.AF_INET):
        listening = socket.create_server((address, port), family=family, backlog=4096,
                                         dualstack_ipv6=family == socket.AF_INET6)
        self.addCleanup(listening.close)
        return listening

    def handed(self, name, address, sockets, **options):
        """A gateway that answers `name`."""
        server = self.model_server(answer(200, name.encode()), name=name)
        gateway = Gateway(address, pool_of([server]), port=sockets["http"].getsockname()[1],
                          sockets=sockets, **options)
        self.addCleanup(gateway.stop)
        return gateway

    def test_a_restart_under_load_refuses_no_connection(self):
        address = self.addresses.take()
        sockets = {"http": self.socket_of(address), "admin": self.socket_of(address)}
        admin_port = sockets["admin"].getsockname()[1]
        old = self.handed("old", address, sockets, admin_port=admin_port,
                          arguments=("--workers", "3"))
        traffic = Traffic(old)
        self.addCleanup(traffic.stop)
        eventually(lambda: traffic.count(b"old") > 50, "the old one serves")
        # The old one is gone before there is a new one: who connects meanwhile waits.
        old.signal(signal.SIGTERM)
        self.assertEqual(old.wait_exit(), 0)
        new = self.handed("new", address, sockets, admin_port=admin_port,
                          arguments=("--workers", "3"))
        eventually(lambda: traffic.count(b"new") > 50, "the new one serves")
        traffic.stop()
        self.assertEqual(traffic.failures, [])
        # Neither has opened a port itself, and nothing that they start would have the sockets.
        for gateway in (old, new):
            line = gateway.wait_line("Starting")
            self.assertEqual(line["sockets"], f"http ({address}:{gateway.port}), "
                             f"admin ({address}:{admin_port})")
        folder = pathlib.Path("/proc", str(new.process.pid))
        self.assertTrue(int(re.search(r"flags:\s+(\d+)", (folder / "fdinfo/3").read_text())[1], 8) &
                        os.O_CLOEXEC)
        listening = {os.readlink(link) for link in (folder / "fd").iterdir()
                     if os.path.exists(link) and "socket:" in os.readlink(link)}
        self.assertTrue({f"socket:[{os.fstat(s.fileno()).st_ino}]" for s in sockets.values()}
                        <= listening)

    @unittest.skipIf(OVER_TLS, "a client cannot shake hands with a listener that is not there yet")
    def test_a_socket_without_a_listener_is_told_by_name_and_used_once_there_is_one(self):
        address = self.addresses.take()
        sockets = {"http": self.socket_of(address), "later": self.socket_of(address)}
        later = sockets["later"].getsockname()[1]
        gateway = self.handed("it", address, sockets)
        told = "No listener has the address of a socket that was handed over"
        gateway.wait_line(told, socket=f"later ({address}:{later})")
        with Client(address, later) as client:
            client.request("GET", "/v1/t")
            gateway.write("gateway.yaml", gateway_objects(later))
            self.assertEqual(client.read_response().body, b"it")
        # And the other one waits now, until its listener is back.
        gateway.wait_line(told, socket=f"http ({address}:{gateway.port})")
        with gateway.connect() as client:
            client.request("GET", "/v1/t")
            gateway.write("gateway.yaml", gateway_objects(gateway.port))
            self.assertEqual(client.read_response().body, b"it")

    def test_a_socket_for_both_families_serves_the_listeners_of_all_addresses(self):
        server = self.model_server(answer(200, b"it"))
        both = self.socket_of("::", family=socket.AF_INET6)
        gateway = Gateway(self.addresses.take(), pool_of([server]), bind="0.0.0.0",
                          port=both.getsockname()[1], sockets={"http": both})
        self.addCleanup(gateway.stop)
        self.assertEqual(gateway.get("/v1/t").body, b"it")
        # An IPv4 client is one, though it came through a socket of IPv6.
        self.assertEqual(server.requests[-1].get("x-forwarded-for"), "127.0.0.1")
        self.assertNotIn("No listener has the address of a socket that was handed over",
                         [line["message"] for line in gateway.lines])

    def test_sockets_meant_for_another_process_are_left_alone(self):
        gateway = self.gateway(pool_of([self.model_server(answer(200, b"it"))]),
                               environment={"LISTEN_FDS": "1", "LISTEN_PID": "1"})
        self.assertEqual(gateway.get("/v1/t").body, b"it")
        self.assertEqual(gateway.wait_line("Starting")["sockets"], "")


class SupervisorTest(GatewayTest):
    def test_the_service_manager_is_told(self):
        folder = tempfile.TemporaryDirectory(prefix="penstock-test-")
        self.addCleanup(folder.cleanup)
        path = str(pathlib.Path(folder.name) / "notify")
        server = self.model_server(answer(200, b"{}"))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.settimeout(20)
            manager.bind(path)
            gateway = self.gateway(pool_of([server]), environment={"NOTIFY_SOCKET": path})
            self.assertEqual(manager.recv(1000), b"READY=1")
            self.assertEqual(gateway.get("/v1/t").status, 200)
            gateway.signal(signal.SIGHUP)
            self.assertRegex(manager.recv(1000), rb"^RELOADING=1\nMONOTONIC_USEC=\d+$")
            self.assertEqual(manager.recv(1000), b"READY=1")
            gateway.signal(signal.SIGTERM)
            self.assertEqual(manager.recv(1000), b"STOPPING=1")
            self.assertEqual(gateway.wait_exit(), 0)


if __name__ == "__main__":
    unittest.main()
