"""Gateways that listen at addresses of their own (spec.addresses)."""

import json
import unittest

from harness import (GatewayTest, answer, eventually, exchange, gateway_objects, http_route,
                     inference_pool, pod, pool_of)


def gateway_at(port, addresses, name="own"):
    gateway = gateway_objects(port, name)[1]
    gateway["spec"]["addresses"] = addresses
    return gateway


def ip(value):
    return {"type": "IPAddress", "value": value}


class AddressesTest(GatewayTest):
    def named(self, name):
        return self.model_server(answer(200, name.encode()), name=name)

    def routed_to(self, server, port, addresses):
        """A second Gateway with a route and a pool of its own."""
        return [gateway_at(port, addresses),
                http_route("own-pool", name="own-route", gateway="own"),
                inference_pool(server.port, "own-pool"),
                pod(server.name, server.address, "own-pool", server.port)]

    def ask(self, address, gateway):
        return exchange(address, gateway.port, "GET", "/v1/t", (), None, "test", 10).body

    def status(self, gateway):
        shown = json.loads(gateway.admin("/get?kind=gateways&name=own&output=json").body)["status"]
        programmed = [c for c in shown["conditions"] if c["type"] == "Programmed"][0]
        return programmed, [a["value"] for a in shown.get("addresses", [])]

    def test_two_gateways_share_a_port_at_different_addresses(self):
        every, own = self.named("every"), self.named("own")
        address = self.addresses.take()
        for bind in (None, "0.0.0.0"):
            gateway = self.gateway(pool_of([every]), bind=bind)
            gateway.write("own.yaml", self.routed_to(own, gateway.port, [ip(address)]))
            gateway.wait_metric("penstock_configuration_generation", 2)
            # Also where the other one listens at all addresses of the machine.
            eventually(lambda g=gateway: g.is_ready(), "ready")
            self.assertEqual(self.ask(address, gateway), b"own")
            self.assertEqual(self.ask(gateway.address, gateway), b"every")
            self.assertEqual(self.status(gateway)[1], [address])
            # It moves.
            other = self.addresses.take()
            gateway.write("own.yaml", self.routed_to(own, gateway.port, [ip(other)]))
            gateway.wait_metric("penstock_configuration_generation", 3)
            eventually(lambda g=gateway: g.is_ready(), "ready")
            self.assertEqual(self.ask(other, gateway), b"own")
            self.assertEqual(self.status(gateway)[1], [other])
            gateway.stop()

    def test_an_address_of_another_machine_takes_nothing_else_down(self):
        every, own = self.named("every"), self.named("own")
        address = self.addresses.take()
        gateway = self.gateway(pool_of([every]))
        gateway.write("own.yaml", self.routed_to(own, gateway.port, [ip("192.0.2.1"), ip(address)]))
        gateway.wait_metric("penstock_configuration_generation", 2)
        eventually(lambda: self.status(gateway)[0]["reason"] == "AddressNotUsable", "the condition")
        programmed, addresses = self.status(gateway)
        self.assertEqual(programmed["status"], "False")
        self.assertIn("must be an address of this machine, got 192.0.2.1", programmed["message"])
        self.assertEqual(addresses, [address])
        self.assertEqual(self.ask(address, gateway), b"own")
        self.assertEqual(self.ask(gateway.address, gateway), b"every")
        ready = gateway.admin("/readyz")
        self.assertEqual(ready.status, 503)
        self.assertIn(b"192.0.2.1", ready.body)
        gateway.write("own.yaml", self.routed_to(own, gateway.port, [ip(address)]))
        eventually(gateway.is_ready, "ready")
        self.assertEqual(self.status(gateway)[0]["reason"], "Programmed")

    def test_a_hostname_is_no_address_to_listen_at(self):
        gateway = self.gateway(pool_of([self.named("every")]))
        gateway.write("own.yaml", [gateway_at(gateway.port, [{"type": "Hostname",
                                                              "value": "a.example.com"}])])
        gateway.wait_metric("penstock_configuration_generation", 2)
        shown = gateway.admin("/get?kind=gateways&name=own&output=describe").body.decode()
        self.assertIn("UnsupportedAddress", shown)
        self.assertIn("spec.addresses[0].type: Hostname is not supported, only IPAddress is", shown)


if __name__ == "__main__":
    unittest.main()
