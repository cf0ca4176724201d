"""What the chart makes, as it is committed: so neither Helm nor Go is needed here."""

import json
import os
import re
import subprocess
import unittest

from tree import DEPLOY, ROOT, kinds_read, kinds_with_status, objects, penstock, plural

NAMESPACE = "envoy-gateway-system"
NAME = "inference-gateway-ext-proc"


def one(kind, path="install.yaml"):
    found = [each for each in objects(path) if each["kind"] == kind]
    assert len(found) == 1, f"{len(found)} of {kind} in {path}"
    return found[0]


def granted(role, path="install.yaml"):
    """(group, resource, verb) of all rules that name no object."""
    return {(group, resource, verb)
            for rule in one(role, path)["rules"] if "resourceNames" not in rule
            for group in rule["apiGroups"] for resource in rule["resources"]
            for verb in rule["verbs"]}


class DeploymentTest(unittest.TestCase):
    def setUp(self):
        self.deployment = one("Deployment")
        self.pod = self.deployment["spec"]["template"]["spec"]
        (self.container,) = self.pod["containers"]
        self.flags = dict(argument.partition("=")[::2] for argument in self.container["args"][1:])

    def test_it_has_the_names_that_people_look_for(self):
        self.assertEqual(one("Namespace")["metadata"]["name"], NAMESPACE)
        self.assertEqual(self.deployment["metadata"]["name"], NAME)
        for each in objects("install.yaml"):
            if each["kind"] not in ("Namespace", "ClusterRole", "ClusterRoleBinding",
                                    "GatewayClass"):
                self.assertEqual(each["metadata"]["namespace"], NAMESPACE, each["kind"])

    def test_its_class_is_not_one_that_manifests_bring(self):
        # `kubectl create` of a GatewayClass that is there already would fail.
        made = one("GatewayClass")
        self.assertEqual(made["metadata"]["name"], "penstock")
        options = (ROOT / "src/translate/translate.h").read_text()
        self.assertIn(f'"{made["spec"]["controllerName"]}"', options)

    def test_one_replica_unless_several_are_asked_for(self):
        # With several, `kubectl logs deploy/...` would show one of them.
        self.assertEqual(self.deployment["spec"]["replicas"], 1)
        self.assertEqual(one("Deployment", "kustomize/ha/deployment.yaml")["spec"]["replicas"], 3)

    def test_the_binary_knows_the_flags(self):
        self.assertEqual(self.container["args"][0], "serve")
        known = set(re.findall(r"--[a-z][a-z-]*", penstock("serve", "--help").stdout))
        self.assertLessEqual(set(self.flags), known)

    def test_nothing_is_privileged(self):
        self.assertNotIn("hostNetwork", self.pod)
        context = self.pod["securityContext"]
        self.assertIs(context["runAsNonRoot"], True)
        self.assertEqual(context["runAsUser"], 65532)
        self.assertEqual(context["seccompProfile"], {"type": "RuntimeDefault"})
        # Without it nobody but root listens on 80 and 443.
        self.assertEqual(context["sysctls"],
                         [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}])
        self.assertEqual(self.container["securityContext"],
                         {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                          "capabilities": {"drop": ["ALL"]}})

    def test_probes_ask_the_admin_port(self):
        (port,) = self.container["ports"]
        self.assertEqual(self.flags["--admin"], f"0.0.0.0:{port['containerPort']}")
        for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"),
                            ("readinessProbe", "/readyz")):
            self.assertEqual(self.container[probe]["httpGet"],
                             {"path": path, "port": port["name"]}, probe)
        annotations = self.deployment["spec"]["template"]["metadata"]["annotations"]
        self.assertEqual(annotations["prometheus.io/port"], str(port["containerPort"]))

    def test_startup_may_take_the_minute_that_reading_may_take(self):
        probe = self.container["startupProbe"]
        self.assertGreater(probe["periodSeconds"] * probe["failureThreshold"], 60)

    def test_it_is_not_killed_before_it_has_drained(self):
        delay = int(self.flags["--shutdown-delay"].removesuffix("s"))
        drain = int(self.flags["--drain-seconds"])
        self.assertGreater(self.pod["terminationGracePeriodSeconds"], delay + drain)
        # By then nobody sends to it any more, if readiness is noticed meanwhile.
        probe = self.container["readinessProbe"]
        self.assertLessEqual(probe["periodSeconds"] * probe["failureThreshold"], delay)

    def test_an_update_takes_no_pod_before_another_is_ready(self):
        self.assertEqual(self.deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"], 0)

    def test_selectors_find_its_pods(self):
        labels = self.deployment["spec"]["template"]["metadata"]["labels"]
        budget = one("PodDisruptionBudget", "kustomize/ha/pdb.yaml")
        selectors = [self.deployment["spec"]["selector"]["matchLabels"],
                     budget["spec"]["selector"]["matchLabels"],
                     one("Service")["spec"]["selector"]]
        several = one("Deployment", "kustomize/ha/deployment.yaml")["spec"]["template"]["spec"]
        spread = several["topologySpreadConstraints"]
        self.assertEqual([each["topologyKey"] for each in spread],
                         ["kubernetes.io/hostname", "topology.kubernetes.io/zone"])
        selectors += [each["labelSelector"]["matchLabels"] for each in spread]
        for selector in selectors:
            self.assertTrue(selector and selector.items() <= labels.items(), selector)

    def test_service_and_lease_are_those_that_it_is_told_of(self):
        service = one("Service")["metadata"]["name"]
        self.assertEqual(self.flags["--service"], f"$(POD_NAMESPACE)/{service}")
        variables = {each["name"]: each["valueFrom"]["fieldRef"]["fieldPath"]
                     for each in self.container["env"]}
        self.assertEqual(variables["POD_NAMESPACE"], "metadata.namespace")
        self.assertEqual(variables["POD_NAME"], "metadata.name")
        self.assertEqual(variables["POD_IP"], "status.podIP")
        named = {resource: rule["resourceNames"] for rule in one("Role")["rules"]
                 if "resourceNames" in rule for resource in rule["resources"]}
        self.assertEqual(named["services"], [service])
        self.assertEqual([f"$(POD_NAMESPACE)/{name}" for name in named["leases"]],
                         [self.flags["--lease"]])

    def test_versions_are_the_projects(self):
        version = re.search(r"project\(penstock VERSION (\S+)",
                            (ROOT / "CMakeLists.txt").read_text())[1]
        chart = objects("chart/penstock/Chart.yaml")[0]
        self.assertEqual((chart["version"], chart["appVersion"]), (version, version))
        self.assertTrue(self.container["image"].endswith(f":{version}"))


class RightsTest(unittest.TestCase):
    def test_every_kind_that_is_read_may_be_listed_and_watched_and_no_other(self):
        read = {(group, plural(group, kind)) for group, kind in kinds_read()}
        allowed = granted("ClusterRole")
        for verb in ("list", "watch"):
            self.assertEqual({each[:2] for each in allowed if each[2] == verb}, read, verb)

    def test_statuses_and_events_may_be_written_and_nothing_else(self):
        statuses = {(group, plural(group, kind) + "/status") for group, kind in kinds_with_status()}
        allowed = granted("ClusterRole")
        self.assertEqual({each[:2] for each in allowed if each[2] == "patch"}, statuses)
        others = {each for each in allowed if each[2] not in ("get", "list", "watch", "patch")}
        self.assertEqual(others, {("", "events", "create")})
        # An object is read again by itself when writing its status met a conflict.
        self.assertEqual({each[:2] for each in allowed if each[2] == "get"},
                         statuses | {(group, plural(group, kind))
                                     for group, kind in kinds_with_status()})

    def test_there_is_no_wildcard(self):
        for role in ("ClusterRole", "Role"):
            for each in granted(role):
                self.assertNotIn("*", "".join(each))

    def test_in_its_own_namespace_it_has_its_lease_and_its_service(self):
        self.assertEqual(granted("Role"), {("coordination.k8s.io", "leases", "create")})
        named = {resource: set(rule["verbs"]) for rule in one("Role")["rules"]
                 if "resourceNames" in rule for resource in rule["resources"]}
        self.assertEqual(named, {"leases": {"get", "update"}, "services": {"get", "patch"}})

    def test_roles_are_bound_to_the_account_that_the_pod_has(self):
        account = one("Deployment")["spec"]["template"]["spec"]["serviceAccountName"]
        self.assertEqual(one("ServiceAccount")["metadata"]["name"], account)
        for binding, role in (("ClusterRoleBinding", "ClusterRole"), ("RoleBinding", "Role")):
            self.assertEqual(one(binding)["subjects"], [
                {"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}])
            self.assertEqual(one(binding)["roleRef"]["name"], one(role)["metadata"]["name"])


class ManagedTest(unittest.TestCase):
    """install-managed.yaml: what differs from install.yaml, and nothing else does."""

    PATH = "install-managed.yaml"

    def test_its_deployment_serves_nothing_and_names_itself(self):
        deployment, shared = one("Deployment", self.PATH), one("Deployment")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        (other,) = shared["spec"]["template"]["spec"]["containers"]
        self.assertEqual([each for each in container["args"] if each not in other["args"]],
                         ["--infrastructure=managed",
                          f"--managed-from=$(POD_NAMESPACE)/{deployment['metadata']['name']}"])
        self.assertEqual([each for each in other["args"] if each not in container["args"]],
                         ["--infrastructure=shared",
                          "--service=$(POD_NAMESPACE)/inference-gateway"])
        container["args"] = other["args"]
        self.assertEqual(deployment, shared)
        known = set(re.findall(r"--[a-z][a-z-]*", penstock("serve", "--help").stdout))
        for flag in ("--managed-from", "--gateway", "--service", "--write-status"):
            self.assertIn(flag, known)

    def test_there_is_no_service_that_gateways_share(self):
        self.assertEqual({each["kind"] for each in objects("install.yaml")} - {"Service"},
                         {each["kind"] for each in objects(self.PATH)})

    def test_it_may_write_deployments_and_services_of_its_own_namespace_alone(self):
        verbs = {"get", "list", "watch", "create", "patch", "delete"}
        self.assertEqual(granted("Role", self.PATH), {
            ("coordination.k8s.io", "leases", "create"),
            *(("apps", "deployments", verb) for verb in verbs),
            *(("", "services", verb) for verb in verbs)})
        self.assertEqual(one("ClusterRole", self.PATH), one("ClusterRole"))

    def test_only_then_it_may(self):
        self.assertNotIn("deployments", {resource for _, resource, _ in granted("Role")})


class RenderedFilesTest(unittest.TestCase):
    def test_they_are_as_new_as_the_chart(self):
        done = subprocess.run(["/usr/bin/env", "python3", ROOT / "tools/render-chart", "--fresh"],
                              capture_output=True, text=True, timeout=60, check=False,
                              env={"PATH": os.environ["PATH"]})
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_the_kustomize_base_is_what_install_yaml_is(self):
        resources = objects("kustomize/base/kustomization.yaml")[0]["resources"]
        base = [each for name in resources for each in objects(f"kustomize/base/{name}")]
        self.assertEqual(base, objects("install.yaml"))

    def test_values_and_their_schema_have_the_same_names(self):
        def compare(values, schema, path):
            self.assertIs(schema["additionalProperties"], False, path)
            self.assertEqual(set(values), set(schema["properties"]) - {"global"}, path)
            for name, value in values.items():
                if "properties" in schema["properties"][name] and name != "resources":
                    compare(value, schema["properties"][name], f"{path}.{name}")
        schema = json.loads((DEPLOY / "chart/penstock/values.schema.json").read_text())
        compare(objects("chart/penstock/values.yaml")[0], schema, "values")


if __name__ == "__main__":
    unittest.main()
