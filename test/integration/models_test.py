"""GET /v1/models: what is listed, to whom, and how often model servers are asked for it."""

import json
import unittest

from harness import (INFERENCE_GROUP, Gate, GatewayTest, answer, chat_answer, eventually,
                     http_route, inference_model, inference_pool, pod, pool_of)
from routing_test import PoolsTest

MODELS = "/v1/models"


def model_list(*models):
    return json.dumps({"object": "list", "data": [
        {"id": m, "object": "model", "created": 7, "owned_by": "vllm", "root": f"/disk/{m}",
         "parent": None, "max_model_len": 32768, "permission": [{"id": "p"}]} for m in models]
    }).encode()


class ModelListTest(GatewayTest):
    def two_pools(self, *objects):
        self.first = self.model_server(chat_answer(), model="first-model")
        self.second = self.model_server(chat_answer(), model="second-model")
        reference = {"kind": "InferencePool", "group": INFERENCE_GROUP}
        return self.gateway([
            http_route(backendRefs=[{"name": n, **reference} for n in ("first", "second")]),
            inference_pool(self.first.port, "first"), inference_pool(self.second.port, "second"),
            pod("first-0", self.first.address, "first"),
            pod("second-0", self.second.address, "second"), *objects])

    def listing(self, script, *objects, **options):
        """A gateway before one server whose model list is the script's."""
        self.server = self.model_server(script)
        self.server.own_paths.discard(MODELS)
        return self.gateway(pool_of([self.server]) + list(objects), **options)

    def ids(self, response):
        self.assertEqual(response.status, 200, response)
        body = response.json()
        self.assertEqual(body["object"], "list")
        self.assertEqual({m["object"] for m in body["data"]}, {"model"})
        return [m["id"] for m in body["data"]]

    def test_models_of_all_pools_are_listed_once(self):
        gateway = self.two_pools()
        self.assertEqual(sorted(self.ids(gateway.get(MODELS))), ["first-model", "second-model"])

    def test_the_declared_names_are_listed_with_what_the_server_says_of_their_targets(self):
        gateway = self.listing(
            answer(200, model_list("base", "hidden", "adapter")),
            inference_model("public", targets={"base": 1}), inference_model("adapter"),
            inference_model("either", targets={"gone": 1, "base": 1}), inference_model("later"))
        models = {m["id"]: m for m in gateway.get(MODELS).json()["data"]}
        self.assertEqual(sorted(models), ["adapter", "either", "later", "public"])
        of_base = json.loads(model_list("base"))["data"][0]
        self.assertEqual(models["public"], {**of_base, "id": "public"})
        self.assertEqual(models["either"], {**of_base, "id": "either"})
        self.assertEqual(models["adapter"], json.loads(model_list("adapter"))["data"][0])
        self.assertNotIn("root", models["later"])

    def test_declared_names_are_listed_though_no_server_tells(self):
        gateway = self.two_pools(inference_model("public", pool="first"))
        self.first.refuse()
        self.assertEqual(sorted(self.ids(gateway.get(MODELS))), ["public", "second-model"])

    def test_the_only_list_is_passed_on_as_it_is(self):
        body = b'{ "data":[{"id":"a"}], "object":"list", "more":1.50}'
        gateway = self.listing(answer(200, body))
        self.assertEqual(gateway.get(MODELS).body, body)

    def test_one_model_of_the_list(self):
        gateway = self.listing(answer(200, model_list("base", "org/small")),
                               inference_model("alias", targets={"base": 1}),
                               inference_model("org/small"))
        self.assertEqual(gateway.get(MODELS + "/alias").json()["max_model_len"], 32768)
        for name in ("/org/small", "/org%2Fsmall"):
            self.assertEqual(gateway.get(MODELS + name).json()["id"], "org/small")
        for name in ("/base", "/nobody"):
            response = gateway.get(MODELS + name)
            self.assertEqual((response.status, response.json()["error"]["code"]),
                             (404, "model_not_found"))

    def test_head_is_get_without_the_content(self):
        def script(request, connection):
            self.assertEqual(request.method, "GET")  # as FastAPI wants it
            answer(200, model_list("base"))(request, connection)
        gateway = self.listing(script)
        length = gateway.get(MODELS).get("content-length")
        for target in (MODELS, MODELS + "/base"):
            response = gateway.request("HEAD", target)
            self.assertEqual((response.status, response.body), (200, b""))
        self.assertEqual(gateway.request("HEAD", MODELS).get("content-length"), length)

    def test_each_key_has_a_list_of_its_own(self):
        def script(request, connection):
            key = request.get("authorization") or request.get("x-api-key")
            if key is None:
                answer(401, b'{"error":"no key"}', [("WWW-Authenticate", "Bearer")])(
                    request, connection)
            else:
                answer(200, model_list("of " + key))(request, connection)
        gateway = self.listing(script, arguments=("--workers", "1"))
        client = self.client(gateway)

        def ask(*headers):
            client.request("GET", MODELS, headers)
            return client.read_response()
        for _ in range(2):
            for name, key in (("Authorization", "Bearer a"), ("authorization", "Bearer b"),
                              ("X-API-Key", "c")):
                self.assertEqual(self.ids(ask((name, key))), ["of " + key])
            refused = ask()
            self.assertEqual((refused.status, refused.body), (401, b'{"error":"no key"}'))
            self.assertEqual(refused.get("www-authenticate"), "Bearer")
        self.assertEqual(ask(("Authorization", "Bearer a"), ("X-Api-Key", "c")).status, 200)

    def test_a_client_that_is_refused_is_not_told_the_declared_names(self):
        gateway = self.listing(answer(401, b"{}"), inference_model("secret"))
        self.assertEqual((gateway.get(MODELS).status, gateway.get(MODELS).body), (401, b"{}"))
        self.assertEqual(gateway.get(MODELS + "/secret").status, 401)

    def test_a_web_page_may_read_the_list_if_the_server_lets_it(self):
        def script(request, connection):
            headers = [("Access-Control-Allow-Origin", request.get("origin", "*")),
                       ("Vary", "Origin"), ("Set-Cookie", "a=b")]
            answer(200, model_list("base"), headers)(request, connection)
        gateway = self.listing(script)
        for origin in ("http://one.example", "http://two.example"):
            response = gateway.get(MODELS, [("Origin", origin)])
            self.assertEqual(response.get("access-control-allow-origin"), origin)
            self.assertEqual(response.get("vary"), "Origin")
            self.assertIsNone(response.get("set-cookie"))
        preflight = gateway.request("OPTIONS", MODELS, [("Origin", "http://one.example")])
        self.assertEqual(preflight.get("access-control-allow-origin"), "http://one.example")
        self.assertEqual(self.server.requests[-1].method, "OPTIONS")

    def test_all_who_ask_wait_for_one_question(self):
        gate = Gate("the list")

        def script(request, connection):
            gate.wait()
            answer(200, model_list("base"))(request, connection)
        gateway = self.listing(script, arguments=("--workers", "3", "--timeout",
                                                  "model_list_timeout=60s",
                                                  "--timeout", "model_list_cache_time=60s"))
        clients = [self.client(gateway) for _ in range(30)]
        for client in clients:
            client.request("GET", MODELS)
        self.server.wait_requests(1)
        clients.pop().close()  # whoever leaves takes the answer from nobody
        eventually(lambda: gateway.metrics().sum("penstock_downstream_connections") == 29,
                   "one client gone")
        gate.open()
        for client in clients:
            self.assertEqual(self.ids(client.read_response()), ["base"])
        for client in clients:
            client.request("GET", MODELS)
            self.assertEqual(self.ids(client.read_response()), ["base"])
        self.assertEqual(len(self.server.requests), 1)

    def test_the_lists_that_are_kept_are_bounded(self):
        gateway = self.listing(answer(200, model_list("base")), arguments=(
            "--limit", "model_list_cache_entries=4", "--timeout", "model_list_cache_time=60s"))
        for key in range(10):
            self.assertEqual(gateway.get(MODELS, [("Authorization", f"{key}")]).status, 200)
        gateway.wait_metric("penstock_limit_reached_total", 6, limit="model_list_cache_entries")
        gateway.get(MODELS, [("Authorization", "9")])
        self.assertEqual(len(self.server.requests), 10)
        gateway.get(MODELS, [("Authorization", "0")])
        self.assertEqual(len(self.server.requests), 11)

    def test_a_new_configuration_is_asked_anew(self):
        gateway = self.listing(answer(200, model_list("base")),
                               arguments=("--timeout", "model_list_cache_time=60s"))
        self.assertEqual(self.ids(gateway.get(MODELS)), ["base"])
        gateway.write("more.yaml", [inference_model("alias", targets={"base": 1})])
        eventually(lambda: self.ids(gateway.get(MODELS)) == ["alias"], "the new name is listed")

    def test_pods_that_come_and_go_do_not_have_it_asked_anew(self):
        gateway = self.listing(answer(200, model_list("base")),
                               arguments=("--timeout", "model_list_cache_time=60s"))
        self.assertEqual(self.ids(gateway.get(MODELS)), ["base"])
        others = [self.model_server(answer(200, model_list("base"))) for _ in range(5)]
        for i, other in enumerate(others):
            other.own_paths.discard(MODELS)
            gateway.write("more.yaml", [pod(other.name, other.address, "test-pool", other.port)])
            gateway.wait_metric("penstock_configuration_generation", 2 + i)
            self.assertEqual(self.ids(gateway.get(MODELS)), ["base"])
        self.assertEqual([len(s.requests) for s in [self.server, *others]], [1, 0, 0, 0, 0, 0])

    def test_a_pool_whose_first_endpoint_is_down_still_lists(self):
        servers = [self.model_server(chat_answer()) for _ in range(2)]
        servers[0].refuse()
        gateway = self.gateway(pool_of(servers), arguments=("--workers", "1"))
        client = self.client(gateway)
        for key in range(10):
            client.request("GET", MODELS, [("Authorization", f"{key}")])
            self.assertEqual(self.ids(client.read_response()), ["test-model"])

    def test_a_list_that_nobody_can_give_is_an_error(self):
        gateway = self.listing(answer(500, b"oops"))
        response = gateway.get(MODELS)
        self.assertEqual((response.status, response.json()["error"]["code"]), (503, "no_endpoint"))

    def test_one_pool_that_cannot_answer_does_not_hide_the_other(self):
        gateway = self.two_pools()
        self.first.own_paths.discard(MODELS)
        self.first.script = answer(200, b"not a list")
        self.assertEqual(self.ids(gateway.get(MODELS)), ["second-model"])


class ListedRulesTest(PoolsTest):
    """GET /v1/models: each pool's server serves one model, of the pool's name."""

    def pools(self, *names):
        objects = super().pools(*names)
        for name, server in self.by_name.items():
            server.model = name
        return objects

    def assert_listed(self, gateway, names, times=8, target="/v1/models"):
        client = self.client(gateway)
        for _ in range(times):
            client.request("GET", target)
            response = client.read_response()
            self.assertEqual(response.status, 200, response)
            self.assertEqual(sorted(m["id"] for m in response.json()["data"]), names)

    def test_every_pool_of_the_rule_is_listed_whatever_its_weight(self):
        gateway = self.gateway(self.pools("one", "two", "never") + [
            self.route([self.to("one", "two", "never", weights=[99, 1, 0])])])
        self.assert_listed(gateway, ["one", "two"])

    def test_a_pool_that_is_missing_costs_the_others_nothing(self):
        gateway = self.gateway(self.pools("good") + [
            self.route([self.to("good", "missing", weights=[1, 9])])])
        self.assert_listed(gateway, ["good"])

    def test_the_rules_of_the_route_are_listed_together(self):
        header = [{"path": {"value": "/v1"}, "headers": [{"name": "x-model", "value": "a"}]}]
        gateway = self.gateway(self.pools("a", "b", "elsewhere", "other") + [
            self.route([self.to("a", matches=header), self.to("b"),
                        self.to("elsewhere", matches=[{"path": {"value": "/v2"}}])]),
            self.route([self.to("other")], name="other-route", hostnames=["other.example.com"])])
        self.assert_listed(gateway, ["a", "b"])
        # No request for "/v2" comes to "b".
        self.assert_listed(gateway, ["elsewhere"], target="/v2/v1/models")

    def test_a_service_beside_a_pool_does_not_answer_for_it(self):
        rule = self.to("good", weights=[1])
        rule["backendRefs"].append({"name": "web", "port": 80, "weight": 99})
        gateway = self.gateway(self.pools("good") + [self.route([rule]), {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8000}]}}])
        self.assert_listed(gateway, ["good"])

    def test_a_service_that_the_route_names_for_the_list_answers(self):
        catalogue = self.to(matches=[{"path": {"type": "PathPrefix", "value": "/v1/models"}}])
        catalogue["backendRefs"] = [{"name": "web", "port": 80}]
        objects = self.pools("good") + [self.route([catalogue, self.to("good")])]
        web = self.model_server(answer(200, b"the catalogue"))
        web.own_paths = set()
        gateway = self.gateway(objects + [
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
             "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": web.port}]}},
            pod("web-0", web.address, "web")])
        for target in ("/v1/models", "/v1/models?client_version=1", "/v1/models/good"):
            self.assertEqual(gateway.get(target).body, b"the catalogue")
        self.assertEqual(gateway.get("/v1/health").body, b"good")

    def test_without_a_pool_that_is_served_it_is_a_request_like_any_other(self):
        gateway = self.gateway([self.route([self.to("missing")])])
        response = gateway.get("/v1/models")
        self.assertEqual((response.status, response.json()["error"]["code"]),
                         (500, "no_valid_destination"))


if __name__ == "__main__":
    unittest.main()
