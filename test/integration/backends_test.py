"""Models that are served elsewhere: Backends by name, as backendRefs and as fallbacks."""

import unittest

from harness import (GatewayTest, answer, chat_answer, chat_events, eventually, http_route,
                     pool_of, stream_answer)
from harness.dns import FakeDns

HOST = "models.example.com"


def backend(port, host=HOST, name="far", **spec):
    return {"apiVersion": "penstock.dev/v1alpha1", "kind": "Backend",
            "metadata": {"name": name}, "spec": {"host": host, "port": port, **spec}}


def route_to(name="far", path="/v1"):
    route = http_route(path=path)
    route["spec"]["rules"][0]["backendRefs"] = [
        {"group": "penstock.dev", "kind": "Backend", "name": name}]
    return route


class BackendTest(GatewayTest):
    def dns(self, **names):
        server = FakeDns(self.addresses.take(), {n.replace("_", "."): ips
                                                 for n, ips in names.items()})
        self.addCleanup(server.close)
        return server

    def start(self, objects, dns, **options):
        return self.gateway(objects, arguments=["--dns-servers", dns.address], **options)


class NameTest(BackendTest):
    def test_a_name_is_served_from_the_first_request_on(self):
        server = self.model_server(chat_answer())
        dns = self.dns(models_example_com=[server.address])
        gateway = self.start([backend(server.port), route_to()], dns)
        self.assertEqual(gateway.chat().status, 200)
        self.assertEqual(server.requests[0].get("host"), f"{HOST}:{server.port}")
        line = gateway.wait_handled(1)[0]
        self.assertEqual((line["pool"], line["endpoint"]), ("backend default/far",
                                                            server.endpoint))
        gateway.wait_metric_at_least("penstock_dns_lookups_total", 1, result="found")

    def test_a_name_that_moves_is_followed_and_streams_go_on(self):
        first = self.model_server(stream_answer(chat_events(["a", "b"])))
        second = self.model_server(chat_answer())
        # One port, two addresses.
        second.refuse()
        second.port = first.port
        second.listen()
        dns = self.dns(models_example_com=[first.address])
        gateway = self.start([backend(first.port), route_to()], dns)
        self.assertEqual(gateway.chat(stream=True).status, 200)
        dns.names[HOST] = [second.address]
        eventually(lambda: gateway.chat().status == 200 and second.requests, "the new address",
                   deadline_s=30)
        asked = len(first.requests)
        self.assertEqual(gateway.chat().status, 200)
        self.assertEqual(len(first.requests), asked)

    def test_a_name_that_does_not_exist_is_503_and_says_so(self):
        dns = self.dns()
        gateway = self.start([backend(1), route_to()], dns)
        self.assertEqual(gateway.chat().status, 503)
        eventually(lambda: "HostNotFound" in gateway.admin("/get?kind=all").body.decode(),
                   "the condition says it")
        server = self.model_server(chat_answer())
        dns.names[HOST] = ["127.0.0.1"]
        gateway.write("objects.yaml", [backend(server.port), route_to()])
        dns.names[HOST] = [server.address]
        eventually(lambda: gateway.chat().status == 200, "it exists now", deadline_s=60)

    def test_a_dns_that_is_silent_takes_nothing_away_and_holds_up_nothing(self):
        server = self.model_server(chat_answer())
        dns = self.dns(models_example_com=[server.address])
        gateway = self.start([backend(server.port), route_to()], dns)
        self.assertEqual(gateway.chat().status, 200)
        dns.silent = True
        asked = len(dns.asked)
        eventually(lambda: len(dns.asked) > asked, "it is asked again", deadline_s=30)
        for _ in range(20):
            self.assertEqual(gateway.chat().status, 200)

    def test_the_start_does_not_wait_for_ever_for_a_silent_dns(self):
        server = self.model_server(chat_answer())
        dns = self.dns(models_example_com=[server.address])
        dns.silent = True
        gateway = self.start([backend(server.port), route_to()], dns)
        self.assertEqual(gateway.chat().status, 503)
        dns.silent = False
        eventually(lambda: gateway.chat().status == 200, "it is found", deadline_s=60)

    def test_one_address_of_several_that_refuses_costs_no_request(self):
        server = self.model_server(chat_answer())
        dead = self.addresses.take()
        dns = self.dns(models_example_com=[dead, server.address])
        gateway = self.start([backend(server.port), route_to()], dns)
        for _ in range(20):
            self.assertEqual(gateway.chat().status, 200)

    def test_a_name_that_only_the_hosts_file_knows(self):
        server = self.model_server(chat_answer())
        gateway = self.start([backend(server.port, host=server.address), route_to()], self.dns())
        self.assertEqual(gateway.chat().status, 200, "an address needs no DNS")


class RequestTest(BackendTest):
    def start_one(self, script=None, objects=(), **spec):
        self.server = self.model_server(script or chat_answer())
        self.server.own_paths = set()
        dns = self.dns(models_example_com=[self.server.address])
        return self.start([backend(self.server.port, **spec), route_to(), *objects], dns)

    def test_models_are_sent_under_other_names(self):
        gateway = self.start_one(models=[{"name": "near", "target": "far-model"}])
        gateway.chat(model="near")
        gateway.chat(model="other")
        self.assertEqual([r.json()["model"] for r in self.server.requests],
                         ["far-model", "other"])
        line = gateway.wait_line("Request Handled", requested_model="near")
        self.assertEqual(line["target_model"], "far-model")

    def test_any_name_can_be_replaced(self):
        gateway = self.start_one(models=[{"name": "*", "target": "the-one"}])
        gateway.chat(model="whatever")
        self.assertEqual(self.server.requests[0].json()["model"], "the-one")

    def test_credentials_are_the_gateways_and_never_the_clients(self):
        key = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"},
               "stringData": {"token": "sk-secret"}}
        gateway = self.start_one(objects=[key], credentials={"secretRef": {"name": "key"}})
        gateway.chat(headers=[("Authorization", "Bearer sk-client"), ("x-api-key", "sk-client"),
                              ("Cookie", "a=b"), ("X-Forwarded-For", "192.0.2.1")])
        sent = self.server.requests[0]
        self.assertEqual(sent.head.all("authorization"), ["Bearer sk-secret"])
        for name in ("x-api-key", "cookie", "x-forwarded-for", "x-forwarded-host"):
            self.assertIsNone(sent.get(name), name)
        for page in ("/config", "/metrics", "/endpoints"):
            self.assertNotIn(b"sk-secret", gateway.admin(page).body, page)
        self.assertNotIn("sk-secret", gateway.output_tail())

    def test_without_its_secret_nothing_is_sent(self):
        gateway = self.start_one(credentials={"secretRef": {"name": "key"}})
        refused = gateway.chat()
        self.assertEqual(refused.status, 500)
        self.assertIn("Secret default/key does not exist", refused.json()["error"]["message"])
        self.assertEqual(len(self.server.requests), 0)

    def test_paths_get_their_prefix(self):
        gateway = self.start_one(pathPrefix="/v1beta/openai")
        gateway.chat()
        self.assertEqual(self.server.requests[0].path, "/v1beta/openai/v1/chat/completions")

    def test_the_host_can_be_another(self):
        gateway = self.start_one(hostname="api.example.org")
        gateway.chat()
        self.assertEqual(self.server.requests[0].get("host"), "api.example.org")


class FallbackTest(BackendTest):
    def start_pair(self, near, far=None):
        self.far = self.model_server(far or chat_answer("far"))
        dns = self.dns(models_example_com=[self.far.address])
        objects = pool_of(near, annotations={"penstock.dev/fallback": "far"})
        return self.start(objects + [backend(self.far.port, models=[
            {"name": "*", "target": "far-model"}])], dns)

    def test_a_pool_that_can_serve_does(self):
        near = self.model_server(chat_answer("near"))
        gateway = self.start_pair([near])
        self.assertEqual(gateway.chat().status, 200)
        self.assertEqual((len(near.requests), len(self.far.requests)), (1, 0))

    def test_a_pool_whose_endpoints_are_gone_is_served_for(self):
        near = self.model_server(chat_answer("near"))
        gateway = self.start_pair([near])
        near.kill()
        for _ in range(10):
            self.assertEqual(gateway.chat().status, 200)
        self.assertEqual(self.far.requests[0].json()["model"], "far-model")
        line = gateway.wait_handled(1)[0]
        self.assertEqual(line["pool"], "backend default/far")
        self.assertEqual(line["fell_back_from"], "default/test-pool")
        self.assertIn(line["fallback_reason"], ("tries_failed", "no_endpoint"))
        gateway.wait_metric("penstock_fallbacks_total", 10)
        near.listen()
        eventually(lambda: gateway.chat().status == 200 and len(near.requests) > 0,
                   "the pool serves again", deadline_s=60)

    def test_a_saturated_pool_is_served_for(self):
        near = self.model_server(chat_answer("near"))
        near.waiting = 50
        gateway = self.start_pair([near])
        eventually(lambda: gateway.endpoints()[near.name]["waiting"] == 50, "its queue is known")
        self.assertEqual(gateway.chat().status, 200)
        self.assertEqual(len(self.far.requests), 1)
        near.waiting = 0
        eventually(lambda: gateway.chat().status == 200 and len(near.requests) > 0,
                   "there is room again")

    def test_an_answer_with_an_error_is_the_clients(self):
        near = self.model_server(answer(400, b'{"error":{}}'))
        gateway = self.start_pair([near])
        self.assertEqual(gateway.chat().status, 400)
        self.assertEqual(len(self.far.requests), 0)


class ExternalNameTest(BackendTest):
    def objects(self, server):
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
                   "spec": {"type": "ExternalName", "externalName": HOST}}
        route = http_route()
        route["spec"]["rules"][0]["backendRefs"] = [{"name": "web", "port": server.port}]
        return [service, route]

    def test_is_off_by_default(self):
        server = self.model_server(answer(200))
        dns = self.dns(models_example_com=[server.address])
        gateway = self.start(self.objects(server), dns)
        self.assertEqual(gateway.get("/v1/x").status, 500)
        self.assertIn("--allow-external-name", gateway.admin("/get?kind=all").body.decode())
        self.assertEqual(dns.asked, [])

    def test_is_served_where_it_is_allowed(self):
        server = self.model_server(answer(200))
        dns = self.dns(models_example_com=[server.address])
        gateway = self.gateway(self.objects(server),
                               arguments=["--dns-servers", dns.address, "--allow-external-name"])
        self.assertEqual(gateway.get("/v1/x").status, 200)


if __name__ == "__main__":
    unittest.main()
