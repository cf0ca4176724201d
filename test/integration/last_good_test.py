"""What an edit breaks goes on as it was served; what serves nothing says so."""

import copy
import json
import os
import subprocess
import tempfile
import unittest

from harness import (DEADLINE_S, Gateway, GatewayTest, answer, chat_answer, eventually,
                     example_folders, gateway_objects, http_route, inference_model,
                     inference_pool, made_example, penstock, pod, pool_of)


def run(*arguments, text=None):
    done = subprocess.run([penstock(), *arguments], input=text or "", capture_output=True,
                          text=True, timeout=DEADLINE_S, check=False)
    return done.returncode, done.stdout, done.stderr


class LastGoodTest(GatewayTest):
    def named(self, name):
        return self.model_server(answer(200, name.encode()), name=name)

    def stale(self, gateway, count):
        gateway.wait_metric("penstock_configuration_stale_objects", count)
        gateway.wait_metric("penstock_configuration_rejected", 1 if count else 0)


class ObjectTest(LastGoodTest):
    def test_a_route_with_a_typo_goes_on_as_it_was(self):
        gateway = self.gateway(pool_of([self.named("good")]))
        objects = (gateway.folder / "objects.yaml").read_text()
        self.assertIn('"backendRefs"', objects)
        gateway.write("objects.yaml", objects.replace('"backendRefs"', '"backendRef"'))
        self.stale(gateway, 1)
        self.assertEqual(gateway.get("/v1/t").body, b"good")
        line = gateway.wait_line("Edit refused, the object's last good version goes on serving")
        self.assertIn("HTTPRoute", line["object"])
        self.assertIn('did you mean "backendRefs"?', line["error"])
        self.assertRegex(line["since"], r"^20\d\d-.*Z$")
        shown = gateway.admin("/get?kind=routes").body.decode()
        self.assertRegex(shown, r"True +Stale: Invalid: since 20.*backendRef: unknown field")
        self.assertIn("1 served at their last good version",
                      gateway.admin("/readyz").body.decode())
        # Another edit does not repeat the line; the right one ends it.
        gateway.write("more.yaml", [inference_model("other", pool="none")])
        gateway.wait_metric("penstock_configuration_generation", 3)
        gateway.write("objects.yaml", objects)
        self.stale(gateway, 0)
        gateway.wait_line("Objects are served as they are written again", objects=1)
        lines = [l for l in gateway.lines if "Edit refused" in l.get("message", "")]
        self.assertEqual(len(lines), 1)

    def test_a_model_that_is_refused_does_not_open_its_pool(self):
        server = self.model_server(chat_answer())
        model = copy.deepcopy(inference_model("known"))
        gateway = self.gateway(pool_of([server]) + [model])
        self.assertEqual(gateway.chat(model="other").status, 404)
        model["spec"]["criticality"] = "Critcal"
        gateway.write("objects.yaml", pool_of([server]) + [model])
        self.stale(gateway, 1)
        self.assertEqual(gateway.chat(model="other").status, 404)
        self.assertEqual(gateway.chat(model="known").status, 200)
        self.assertIn('did you mean "Critical"?', gateway.admin("/get?kind=models").body.decode())

    def test_a_value_that_is_not_supported_is_an_edit_that_breaks(self):
        server = self.named("good")
        gateway = self.gateway(pool_of([server]))
        objects = copy.deepcopy(pool_of([server]))
        objects[1]["metadata"]["annotations"] = {"penstock.dev/prefix-block-chars": "many"}
        self.assertEqual(objects[1]["kind"], "InferencePool")
        gateway.write("objects.yaml", objects)
        self.stale(gateway, 1)
        self.assertEqual(gateway.get("/v1/t").body, b"good")
        # A reference that no longer resolves is what was meant.
        objects = copy.deepcopy(pool_of([server]))
        objects[0]["spec"]["rules"][0]["backendRefs"][0]["name"] = "gone"
        gateway.write("objects.yaml", objects)
        eventually(lambda: gateway.get("/v1/t").status == 500, "the reference is not resolved")
        self.stale(gateway, 0)


class SourceTest(LastGoodTest):
    def test_a_file_that_is_emptied_keeps_what_it_had(self):
        gateway = self.gateway(pool_of([self.named("good")]))
        objects = (gateway.folder / "objects.yaml").read_text()
        for content in ("", "# to be written\n", "kind: ["):
            with self.subTest(content):
                (gateway.folder / "objects.yaml").write_text(content)
                self.stale(gateway, 3)
                self.assertEqual(gateway.get("/v1/t").body, b"good")
                ready = gateway.admin("/readyz")
                self.assertEqual(ready.status, 200)
                self.assertIn("objects.yaml", ready.body.decode())
                gateway.write("objects.yaml", objects)
                self.stale(gateway, 0)

    def test_other_files_take_effect_beside_a_broken_one(self):
        gateway = self.gateway(pool_of([self.named("good")]))
        gateway.write("objects.yaml", "kind: [")
        self.stale(gateway, 3)
        gateway.write("second.yaml", [http_route("second", "/v2", "second-route")] +
                      pool_of([self.named("second")], name="second")[1:])
        eventually(lambda: gateway.get("/v2/t").body == b"second", "the new file is served")
        self.assertEqual(gateway.get("/v1/t").body, b"good")

    def test_a_limit_of_files_is_named_and_counted(self):
        gateway = self.gateway(pool_of([self.named("good")]),
                               arguments=("--limit", "config_depth=20"))
        gateway.write("deep.yaml", "a: " + "[" * 30 + "]" * 30 + "\n")
        gateway.wait_metric("penstock_limit_reached_total", 1, limit="config_depth")
        eventually(lambda: b"(limit config_depth)" in gateway.admin("/readyz").body, "it is told")
        self.assertEqual(gateway.get("/v1/t").body, b"good")

    def test_a_fifo_in_place_of_a_file_is_not_opened(self):
        gateway = self.gateway(pool_of([self.named("good")]))
        os.mkfifo(gateway.folder / ".fifo")
        os.replace(gateway.folder / ".fifo", gateway.folder / "objects.yaml")
        self.stale(gateway, 3)
        self.assertEqual(gateway.get("/v1/t").body, b"good")
        self.assertIn("is not a regular file", gateway.admin("/readyz").body.decode())

    def test_files_of_folders_below_are_served(self):
        gateway = self.gateway([])
        below = gateway.folder / "team" / "a"
        below.mkdir(parents=True)
        (below / "objects.yaml").write_text(
            "\n---\n".join(json.dumps(o) for o in pool_of([self.named("below")])))
        eventually(lambda: gateway.get("/v1/t").body == b"below", "the folder below is served")
        gateway.remove("team/a/objects.yaml")
        eventually(lambda: gateway.get("/v1/t").status == 404, "its file was removed")

    def test_a_copy_of_a_file_does_not_take_over(self):
        gateway = self.gateway(pool_of([self.named("live")]))
        copied = (gateway.folder / "objects.yaml").read_text()
        gateway.write("a-copy.yaml", copied.replace('"/v1"', '"/v2"').replace('"/"', '"/v2"'))
        self.assertIn("/v2", (gateway.folder / "a-copy.yaml").read_text())
        gateway.wait_metric("penstock_configuration_generation", 2)
        self.assertEqual(gateway.get("/v1/t").body, b"live")
        self.assertEqual(gateway.get("/v2/t").status, 404)
        self.assertIn("to leave a file out", gateway.admin("/get?kind=routes").body.decode())

    def test_a_gateway_that_sorts_earlier_does_not_take_the_port(self):
        gateway = self.gateway(pool_of([self.named("first")]))
        gateway.write("a.yaml", gateway_objects(gateway.port, "a-gateway")[1:])
        gateway.wait_metric("penstock_configuration_generation", 2)
        self.assertEqual(gateway.get("/v1/t").body, b"first")
        shown = gateway.admin("/get?kind=gateways").body.decode()
        self.assertIn("which had it first", shown)


class NothingServesTest(LastGoodTest):
    POLICY = {"apiVersion": "gateway.networking.k8s.io/v1alpha3", "kind": "BackendTLSPolicy",
              "metadata": {"name": "tls"},
              "spec": {"targetRefs": [{"group": "inference.networking.x-k8s.io",
                                       "kind": "InferencePool", "name": "test-pool"}]}}

    def test_not_ready_while_nothing_listens(self):
        objects = copy.deepcopy(gateway_objects(80))
        objects[0]["spec"]["controllerName"] = "gateway.example.com/controller"
        gateway = Gateway(self.addresses.take(), [], wait_ready=False)
        self.addCleanup(gateway.stop)
        gateway.wait_ready()
        good = (gateway.folder / "gateway.yaml").read_text()
        gateway.write("gateway.yaml", objects)
        eventually(lambda: not gateway.is_ready(), "not ready")
        self.assertIn("nothing listens: Gateway", gateway.admin("/readyz").body.decode())
        gateway.wait_line("Object refused", level="warning",
                          object=f"Gateway default/{objects[1]['metadata']['name']}")
        gateway.write("gateway.yaml", good)
        gateway.wait_ready()

    def test_a_policy_that_is_not_built_is_not_ignored(self):
        server = self.named("plain")
        gateway = self.gateway(pool_of([server]))
        gateway.write("policy.yaml", [self.POLICY])
        eventually(lambda: gateway.get("/v1/t").status == 500, "no plain text")
        gateway.wait_line("Object refused", object="BackendTLSPolicy default/tls")
        gateway.remove("policy.yaml")
        eventually(lambda: gateway.get("/v1/t").body == b"plain", "served again")


class CheckTest(unittest.TestCase):
    def check(self, objects, *arguments):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write("\n---\n".join(json.dumps(o) for o in objects))
            file.flush()
            return run("check", *arguments, file.name)

    def test_warnings_fail_only_if_asked_to(self):
        route, pool = http_route(), inference_pool(8000)
        objects = gateway_objects(80) + [route, pool]
        status, out, err = self.check(objects)
        self.assertEqual((status, err), (0, ""))
        self.assertIn("warning: InferencePool default/test-pool", out)
        self.assertIn("nothing refused, 1 warning", out)
        self.assertEqual(self.check(objects, "--strict")[0], 1)
        labels = pool["spec"]["selector"]
        replica = pod("a", "127.0.0.1")
        replica["metadata"]["labels"] = labels
        self.assertEqual(self.check(objects + [replica], "--strict")[0], 0)
        self.assertIn("there is no Gateway", self.check([pool, replica])[1])

    def test_an_empty_file_is_a_warning(self):
        status, out, _ = self.check([])
        self.assertEqual(status, 0)
        self.assertRegex(out, r"warning: .*\.yaml: is empty")

    def test_every_example_is_good(self):
        folders = example_folders()
        self.assertIn("quickstart", [path.name for path in folders])
        for folder in folders:
            with self.subTest(folder.name), made_example(folder) as made:
                status, out, err = run("check", "--strict", str(made))
                self.assertEqual((status, err), (0, ""), out)

    def test_what_serves_nothing_is_refused(self):
        foreign = copy.deepcopy(gateway_objects(80))
        foreign[0]["spec"]["controllerName"] = "gateway.example.com/controller"
        tcp = {"apiVersion": "gateway.networking.k8s.io/v1alpha2", "kind": "TCPRoute",
               "metadata": {"name": "t"}, "spec": {"parentRefs": [{"name": "x"}], "rules": []}}
        lost = copy.deepcopy(http_route())
        lost["spec"]["parentRefs"] = []
        for objects in (foreign, gateway_objects(80) + [tcp], gateway_objects(80) + [lost],
                        gateway_objects(80) + [inference_pool(8000), NothingServesTest.POLICY]):
            status, out, _ = self.check(objects)
            self.assertEqual(status, 1, out)

    def test_reads_standard_input_and_says_nothing_in_json(self):
        deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}}
        text = "\n---\n".join(json.dumps(o) for o in gateway_objects(80) + [deployment])
        status, out, err = run("check", "-f", "-", text=text)
        self.assertEqual((status, err), (0, ""))
        self.assertIn("3 objects in 1 file" if len(gateway_objects(80)) == 3 else "1 file", out)
        self.assertNotIn("{", out)
        self.assertIn("skipped: 1 object of kind apps/v1 Deployment", out)

    def test_slips_are_met_with_what_was_meant(self):
        status, _, err = run("serv", "x")
        self.assertNotEqual(status, 0)
        self.assertIn('did you mean "serve"?', err)
        _, out, err = run("serve", "--bnd", "127.0.0.1", "x")
        self.assertIn('did you mean "--bind"?', out + err)
        for text, meant in (
                ("apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRout\n", "HTTPRoute"),
                ("apiVersion: gatway.networking.k8s.io/v1\nkind: HTTPRoute\n",
                 "gateway.networking.k8s.io"),
                ("apiVersion: v1\nkind: Servce\n", "Service")):
            _, _, err = run("check", "-", text=text + "metadata: {name: a}\nspec: {}\n")
            self.assertIn(f'did you mean "{meant}"?', err)


if __name__ == "__main__":
    unittest.main()
