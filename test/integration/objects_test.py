"""What objects beside routes and pools do to requests: rewrites, objectives, pickers, classes."""

import collections
import json
import subprocess
import unittest

from harness import (DEADLINE_S, INFERENCE_GROUP, GatewayTest, chat_answer, chat_body, eventually,
                     gateway_objects, inference_model, penstock, pool_of)

CHAT = "/v1/chat/completions"
LLMD = "llm-d.ai"


def pool_ref():
    return {"group": INFERENCE_GROUP, "kind": "InferencePool", "name": "test-pool"}


def rewrite(rules, name="rewrite", group=LLMD, created=None):
    """An InferenceModelRewrite; `rules` are (names, {target: weight}), no names: any."""
    metadata = {"name": name}
    if created:
        metadata["creationTimestamp"] = created
    return {"apiVersion": f"{group}/v1alpha2", "kind": "InferenceModelRewrite",
            "metadata": metadata, "spec": {"poolRef": pool_ref(), "rules": [
                {**({"matches": [{"model": {"type": "Exact", "value": n}} for n in names]}
                    if names else {}),
                 "targets": [{"modelRewrite": t, **({"weight": w} if w else {})}
                             for t, w in targets.items()]} for names, targets in rules]}}


def objective(name, priority, group=LLMD):
    return {"apiVersion": f"{group}/v1alpha2", "kind": "InferenceObjective",
            "metadata": {"name": name}, "spec": {"poolRef": pool_ref(), "priority": priority}}


def run(*arguments):
    done = subprocess.run([penstock(), *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=DEADLINE_S, check=False)
    return done.returncode, done.stdout + done.stderr


class ObjectsTest(GatewayTest):
    def start(self, *objects, arguments=("--workers", "1", "--seed", "1"), **pool):
        self.server = self.model_server(chat_answer())
        gateway = self.gateway(pool_of([self.server], **pool) + list(objects), arguments=arguments)
        gateway.wait_scraped()
        return gateway

    def models_sent(self, gateway, model, count):
        """What the server was asked for, of so many requests for the model."""
        before = len(self.server.requests)
        client = self.client(gateway)
        for _ in range(count):
            client.request("POST", CHAT, body=chat_body(model=model))
            self.assertEqual(client.read_response().status, 200)
        return collections.Counter(r.json()["model"] for r in self.server.requests[before:])


class RewriteTest(ObjectsTest):
    def test_a_name_becomes_its_target_and_nothing_else_changes(self):
        for group in (LLMD, INFERENCE_GROUP):
            gateway = self.start(rewrite([(["gpt-4"], {"qwen": 1})], group=group))
            body = b'{ "n":1.0,"model" : "gpt-4", "messages":[] }'
            self.assertEqual(gateway.post(CHAT, body).status, 200)
            self.assertEqual(self.server.requests[-1].body, body.replace(b"gpt-4", b"qwen"))
            line = gateway.wait_handled(1)[0]
            self.assertEqual((line["requested_model"], line["target_model"]), ("gpt-4", "qwen"))
            self.assertEqual(self.models_sent(gateway, "llama", 1), {"llama": 1})

    def test_targets_share_by_weight(self):
        gateway = self.start(rewrite([(["chat"], {"stable": 3, "canary": 1}),
                                      (["even"], {"a": None, "b": None}),
                                      (["mixed"], {"never": None, "always": 1})]))
        sent = self.models_sent(gateway, "chat", 200)
        # 50 expected, standard deviation 6.1.
        self.assertIn(sent["canary"], range(25, 76), sent)
        self.assertEqual(sum(sent.values()), sent["canary"] + sent["stable"])
        sent = self.models_sent(gateway, "even", 100)
        self.assertIn(sent["a"], range(25, 76), sent)
        self.assertEqual(self.models_sent(gateway, "mixed", 20), {"always": 20})

    def test_an_exact_name_goes_before_any_and_the_older_object_before_the_younger(self):
        gateway = self.start(
            rewrite([(["m"], {"young": 1}), (None, {"young-any": 1})], "a",
                    created="2026-02-01T00:00:00Z"),
            rewrite([(None, {"old-any": 1}), (["m"], {"old": 1})], "z", INFERENCE_GROUP,
                    created="2026-01-01T00:00:00Z"))
        self.assertEqual(self.models_sent(gateway, "m", 3), {"old": 3})
        self.assertEqual(self.models_sent(gateway, "other", 3), {"old-any": 3})
        admin = f"{gateway.address}:{gateway.admin_port}"
        status, shown = run("get", "rewrites", "--admin", admin)
        self.assertEqual(status, 0, shown)
        self.assertIn('spec.rules[0]: model "m" has a rule that goes before', shown)

    def test_the_new_name_must_be_one_that_the_pool_declares(self):
        gateway = self.start(rewrite([(["alias"], {"known": 1}), (["wrong"], {"unknown": 1})]),
                             inference_model("known", targets={"/models/known": 1}))
        self.assertEqual(self.models_sent(gateway, "alias", 2), {"/models/known": 2})
        self.assertEqual(gateway.chat(model="wrong").status, 404)

    def test_a_change_takes_effect_without_a_restart(self):
        gateway = self.start(rewrite([(["m"], {"blue": 1})]))
        self.assertEqual(self.models_sent(gateway, "m", 1), {"blue": 1})
        gateway.write("objects.yaml", pool_of([self.server]) + [rewrite([(["m"], {"green": 1})])])
        gateway.wait_metric("penstock_configuration_generation", 2)
        self.assertEqual(self.models_sent(gateway, "m", 1), {"green": 1})


class ObjectiveTest(ObjectsTest):
    def test_a_saturated_pool_sheds_what_has_a_priority_below_zero(self):
        gateway = self.start(objective("batch", -1), objective("chat", 5), objective("zero", 0),
                             objective("old-batch", -10, INFERENCE_GROUP))
        headers = lambda name: [("X-LLM-D-Inference-Objective", name)]
        self.assertEqual(gateway.chat(headers=headers("batch")).status, 200)
        self.server.waiting = 50
        eventually(lambda: gateway.endpoints()[self.server.name]["waiting"] == 50, "load seen")
        for name, status in (("batch", 429), ("old-batch", 429), ("chat", 200), ("zero", 200),
                             ("nobody", 200)):
            response = gateway.chat(headers=headers(name))
            self.assertEqual(response.status, status, name)
            if status == 429:
                self.assertEqual(response.json()["error"]["code"], "saturated")
        old_header = [("x-gateway-inference-objective", "batch")]
        self.assertEqual(gateway.chat(headers=old_header).status, 429)
        # Of paths that are not understood, too.
        self.assertEqual(gateway.request("POST", "/v1/other", headers("batch"), b"x").status, 429)
        gateway.wait_metric("penstock_rejections_total", 4, reason="saturated")
        self.server.waiting = 0
        eventually(lambda: gateway.endpoints()[self.server.name]["waiting"] == 0, "load gone")
        self.assertEqual(gateway.chat(headers=headers("batch")).status, 200)

    def test_it_goes_before_the_models_criticality(self):
        sheddable = inference_model("m")
        sheddable["spec"]["criticality"] = "Sheddable"
        gateway = self.start(sheddable, inference_model("critical"), objective("urgent", 1),
                             objective("batch", -1))
        self.server.waiting = 50
        eventually(lambda: gateway.endpoints()[self.server.name]["waiting"] == 50, "load seen")
        named = lambda name: [("x-llm-d-inference-objective", name)]
        self.assertEqual(gateway.chat(model="m").status, 429)
        self.assertEqual(gateway.chat(model="m", headers=named("urgent")).status, 200)
        self.assertEqual(gateway.chat(model="critical", headers=named("batch")).status, 429)


class PickerTest(ObjectsTest):
    SERVICE = {"apiVersion": "v1", "kind": "Service",
               "metadata": {"name": "inference-gateway-ext-proc"},
               "spec": {"selector": {"app": "epp"}, "ports": [{"port": 9002}]}}

    def test_a_pool_whose_pickers_service_is_there_is_served_if_told_so(self):
        gateway = self.start(self.SERVICE)
        self.assertEqual(gateway.chat().status, 500)
        gateway.write("objects.yaml", pool_of([self.server], annotations={
            "penstock.dev/picker": "built-in"}) + [self.SERVICE])
        gateway.wait_metric("penstock_configuration_generation", 2)
        self.assertEqual(gateway.chat().status, 200)
        gateway = self.start(self.SERVICE, arguments=(
            "--picker-names", "other,inference-gateway-ext-proc"))
        self.assertEqual(gateway.chat().status, 200)

    def test_check_has_the_same_flags(self):
        gateway = self.start(self.SERVICE)
        gateway.write("gateway.yaml", gateway_objects(gateway.port)[1:])
        folder = str(gateway.folder)
        status, out = run("check", "-f", folder)
        self.assertEqual(status, 1)
        self.assertIn("--picker-names inference-gateway-ext-proc", out)
        self.assertIn("--gateway-class inference-gateway-class serves it without one", out)
        status, out = run("check", "-f", folder, "--picker-names", "inference-gateway-ext-proc",
                          "--gateway-class", "inference-gateway-class")
        self.assertEqual(status, 0, out)


class ClassTest(ObjectsTest):
    def test_a_class_is_served_by_name_where_no_object_has_it(self):
        gateway = self.start(arguments=("--gateway-class", "inference-gateway-class",
                                        "--gateway-class", "other"))
        self.assertEqual(gateway.chat().status, 200)
        gateway.write("gateway.yaml", gateway_objects(gateway.port)[1:])
        gateway.wait_metric("penstock_configuration_generation", 2)
        self.assertEqual(gateway.chat().status, 200)
        listeners = json.loads(gateway.admin("/config").body)["listeners"]
        self.assertEqual([l["port"] for l in listeners], [gateway.port])


if __name__ == "__main__":
    unittest.main()
