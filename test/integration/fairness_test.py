"""One client's doings are not felt by the others."""

import os
import re
import resource
import socket
import threading
import unittest

from harness import (Ended, GatewayTest, chat_answer, chat_body, hang, pool_of)

CHAT = "/v1/chat/completions"


class FairnessTest(GatewayTest):
    def start(self, script=chat_answer(), arguments=()):
        self.server = self.model_server(script)
        gateway = self.gateway(pool_of([self.server]), arguments=("--workers", "1", *arguments))
        gateway.wait_scraped()
        return gateway

    def flood(self, gateway, stop):
        """Sends a refused request and on and on after its answer, as fast as it can."""
        block = os.memfd_create("flood")  # sendfile: no copy here, so faster than who reads it
        os.write(block, b"x" * (1 << 20))
        while not stop.is_set():
            with socket.create_connection((gateway.address, gateway.port)) as client:
                client.settimeout(1)
                try:
                    client.sendall(b"CONNECT / HTTP/9.9\r\n\r\n")
                    while not stop.is_set():
                        os.sendfile(client.fileno(), block, 0, 1 << 20)
                except OSError:
                    pass
        os.close(block)

    def test_clients_that_send_after_their_answer_do_not_stop_a_worker(self):
        gateway = self.start()
        stop = threading.Event()
        threads = [threading.Thread(target=self.flood, args=(gateway, stop)) for _ in range(8)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(3):
                self.assertEqual(gateway.chat().status, 200)
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def test_idle_clients_do_not_lock_others_out(self):
        gateway = self.start(arguments=("--limit", "downstream_connections=5"))
        idle = [self.client(gateway) for _ in range(5)]
        for client in idle:
            client.request("POST", CHAT, body=chat_body())
            self.assertEqual(client.read_response().status, 200)
        for _ in range(3):
            self.assertEqual(gateway.chat().status, 200)
        self.assertEqual(idle[0].wait_closed(), b"")  # the longest idle one
        idle[4].request("POST", CHAT, body=chat_body())
        self.assertEqual(idle[4].read_response().status, 200)
        gateway.wait_metric_at_least("penstock_limit_reached_total", 1,
                                     limit="downstream_connections")

    def test_without_free_descriptors_idle_connections_make_room(self):
        gateway = self.start()
        idle = [self.client(gateway) for _ in range(10)]
        for client in idle:
            client.request("POST", CHAT, body=chat_body())
            self.assertEqual(client.read_response().status, 200)
        pid = gateway.process.pid
        highest = max(int(fd) for fd in os.listdir(f"/proc/{pid}/fd"))
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 1, hard))
        newer = []
        for _ in range(14):
            client = self.client(gateway)
            newer.append(client)
            client.request("POST", CHAT, body=chat_body())
            response = client.read_response()
            self.assertEqual(response.status, 200, response)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
        self.assertEqual(idle[0].wait_closed(), b"")
        gateway.wait_metric_at_least("penstock_accept_failures_total", 1, reason="EMFILE")


if __name__ == "__main__":
    unittest.main()
