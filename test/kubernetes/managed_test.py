"""--infrastructure managed as users have it: install-managed.yaml on a real API server of its own.

As scenario_test.py: it needs root, and what rig/setup.sh builds.
"""

import json
import re
import unittest

import scenario_test as scenarios
from harness import Ended, exchange
from scenario_test import GATEWAY, NAMESPACE, PORT, ROOT, cluster, soon, vllm

NAME_LABEL = "gateway.networking.k8s.io/gateway-name"
NAMESPACE_LABEL = "penstock.dev/gateway-namespace"
MANAGED_BY = "app.kubernetes.io/managed-by"
ADMIN_PORT = 9909


def setUpModule():
    unittest.addModuleCleanup(cluster.stop)
    cluster.start()
    cluster.kubectl("apply", "--server-side", "-f", ROOT / "deploy/install-managed.yaml")


def gateway(name, port=PORT, **spec):
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"gatewayClassName": "penstock", **spec,
                     "listeners": [{"name": "http", "protocol": "HTTP", "port": port}]}}


class ManagedTest(scenarios.ScenarioTest):
    def made(self, kind, name="inference-gateway"):
        """The objects of that kind that are there for the Gateway."""
        return cluster.get(kind, "-n", NAMESPACE, "-l",
                           f"{NAME_LABEL}={name},{NAMESPACE_LABEL}=default")["items"]

    def one(self, kind, name="inference-gateway"):
        found = soon(lambda: self.made(kind, name), f"{kind} of {name}")
        self.assertEqual(len(found), 1)
        return found[0]

    def pods(self, name="inference-gateway"):
        return [pod for pod in self.made("pods", name)
                if "deletionTimestamp" not in pod["metadata"]]

    def programmed(self, name="inference-gateway"):
        conditions = cluster.get("gateway", name)["status"].get("conditions", [])
        return next(((each["status"], each["reason"]) for each in conditions
                     if each["type"] == "Programmed"), None)

    def wait_programmed(self, name="inference-gateway"):
        soon(lambda: self.programmed(name) == ("True", "Programmed"), f"a programmed {name}")

    def create_gateway(self, made):
        name = made["metadata"]["name"]
        self.addCleanup(cluster.kubectl, "delete", "gateway", name, "--ignore-not-found")
        cluster.create(made)

    def address_of(self, name):
        return soon(lambda: cluster.kubectl("get", f"gateway/{name}", "-o",
                                            "jsonpath={.status.addresses[0].value}"),
                    f"an address of {name}")

    def status_at(self, address, port=PORT):
        """What GET / is answered there, once anybody listens."""
        def answered():
            try:
                return exchange(address, port, "GET", "/", []).status
            except (OSError, Ended):
                return None
        return soon(answered, f"an answer at {address}")

    def handled(self):
        """The log of the Gateway's own Pods."""
        lines = cluster.kubectl("logs", "-n", NAMESPACE, "--tail=-1", "-l",
                                f"{NAME_LABEL}=inference-gateway").splitlines()
        return [json.loads(line) for line in lines if '"Request Handled"' in line]

    def gone(self, name="inference-gateway"):
        return not self.made("deployments", name) and not self.made("services", name)

    def test_requests_are_served_by_the_gateways_own_pods(self):
        self.create("gateway_networking", "vllm-single-prefix")
        self.run_servers(vllm(2))
        self.assertRegex(self.wait_served()["pod"], "^vllm-")
        cluster.kubectl("wait", "--for=condition=Programmed", "gateway/inference-gateway")
        service = self.one("services")
        self.assertEqual(service["spec"]["type"], "LoadBalancer")
        self.assertEqual([each["port"] for each in service["spec"]["ports"]], [PORT])
        self.assertEqual(service["status"]["loadBalancer"]["ingress"][0]["ip"], self.address())
        # The one that makes them listens for no Gateway itself.
        (controller,) = cluster.get("pods", "-n", NAMESPACE, "-l",
                                    "app.kubernetes.io/name=inference-gateway-ext-proc")["items"]
        with self.assertRaises((OSError, Ended)):
            exchange(controller["status"]["podIP"], PORT, "GET", "/", [])

    def test_two_gateways_of_one_port_have_addresses_of_their_own(self):
        labels = {"team": "ml", MANAGED_BY: "me"}
        self.create_gateway(gateway("one", infrastructure={
            "labels": labels, "annotations": {"example.com/cost": "7"}}))
        self.create_gateway(gateway("two"))
        addresses = {self.address_of(name) for name in ("one", "two")}
        self.assertEqual(len(addresses), 2)
        for name in ("one", "two"):
            self.wait_programmed(name)
            self.assertEqual(self.status_at(self.address_of(name)), 404)
        for kind in ("deployments", "services", "pods"):
            metadata = self.one(kind, "one")["metadata"]
            self.assertEqual(metadata["labels"]["team"], "ml", kind)
            self.assertEqual(metadata["labels"][MANAGED_BY], "penstock", kind)
            self.assertEqual(metadata["annotations"]["example.com/cost"], "7", kind)
        # Both are in front of the same model servers.
        for pod in self.pods("one") + self.pods("two"):
            def counted(ip=pod["status"]["podIP"]):
                page = exchange(ip, ADMIN_PORT, "GET", "/metrics", []).body.decode()
                return re.search(r"^penstock_gateways 2$", page, re.MULTILINE)
            soon(counted, f"two gateways that {pod['metadata']['name']} counts")

    def test_a_port_and_an_address_follow_the_gateway(self):
        self.create_gateway(gateway("moves"))
        address = self.address_of("moves")
        self.wait_programmed("moves")
        cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-",
                        given=json.dumps(gateway("moves", port=81)))
        self.assertEqual(self.status_at(address, 81), 404)
        cluster.kubectl("annotate", "gateway", "moves", "penstock.dev/service-type=ClusterIP")
        soon(lambda: self.address_of("moves") == self.one("services", "moves")["spec"]["clusterIP"],
             "the ClusterIP as the Gateway's address")

    def test_what_is_taken_away_comes_back_and_who_scales_it_is_let(self):
        self.create_gateway(gateway("stays"))
        self.wait_programmed("stays")
        name = self.one("deployments", "stays")["metadata"]["name"]
        cluster.kubectl("scale", "-n", NAMESPACE, f"deployment/{name}", "--replicas=2")
        soon(lambda: len(self.pods("stays")) == 2, "two Pods")
        cluster.kubectl("set", "image", "-n", NAMESPACE, f"deployment/{name}", "penstock=example/x")
        def image():
            pod = self.one("deployments", "stays")["spec"]["template"]["spec"]
            return pod["containers"][0]["image"]
        soon(lambda: image() != "example/x", "the image that it had")
        self.assertEqual(self.one("deployments", "stays")["spec"]["replicas"], 2)
        for kind in ("service", "deployment"):
            before = self.one(f"{kind}s", "stays")["metadata"]["uid"]
            cluster.kubectl("delete", kind, name, "-n", NAMESPACE)
            soon(lambda kind=kind, before=before: [
                each for each in self.made(f"{kind}s", "stays")
                if each["metadata"]["uid"] != before], f"another {kind}")
        self.wait_programmed("stays")
        self.assertEqual(self.status_at(self.address_of("stays")), 404)

    def test_with_the_gateway_all_of_it_goes(self):
        self.create_gateway(gateway("goes"))
        self.wait_programmed("goes")
        cluster.kubectl("delete", "gateway", "goes")
        soon(lambda: self.gone("goes"), "the end of what was made")
        soon(lambda: not self.made("pods", "goes"), "the end of its Pods")

    def test_what_lost_its_gateway_while_nobody_was_there_goes_too(self):
        self.create_gateway(gateway("orphan"))
        self.create_gateway(gateway("other"))
        self.wait_programmed("orphan")
        self.wait_programmed("other")
        kept = self.one("deployments", "other")["metadata"]
        cluster.kubectl("scale", GATEWAY, "-n", NAMESPACE, "--replicas=0")
        soon(lambda: not cluster.get("pods", "-n", NAMESPACE, "-l",
                                     "app.kubernetes.io/name=inference-gateway-ext-proc")["items"],
             "the end of the controller")
        self.assertEqual(self.status_at(self.address_of("other")), 404)
        cluster.kubectl("delete", "gateway", "orphan")
        self.assertFalse(self.gone("orphan"))
        cluster.kubectl("scale", GATEWAY, "-n", NAMESPACE, "--replicas=1")
        soon(lambda: self.gone("orphan"), "the end of what was made")
        after = self.one("deployments", "other")["metadata"]
        self.assertEqual((after["uid"], after["generation"]), (kept["uid"], kept["generation"]))


if __name__ == "__main__":
    unittest.main()
