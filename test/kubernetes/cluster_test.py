"""What is installed, by a real API server: CRDs, install.yaml, rights.

KUBECTL=COMMAND (kubectl) reaches a cluster that nobody else uses; all of it is left installed.
"""

import os
import pathlib
import shlex
import subprocess
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBECTL = shlex.split(os.environ.get("KUBECTL", "kubectl"))
NAMESPACE = "envoy-gateway-system"
NAME = "inference-gateway-ext-proc"
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:{NAME}"


def kubectl(*arguments, **options):
    return subprocess.run([*KUBECTL, *arguments], capture_output=True, text=True, timeout=120,
                          check=False, **options)


def must(*arguments, **options):
    done = kubectl(*arguments, **options)
    assert done.returncode == 0, f"kubectl {' '.join(map(str, arguments))}: {done.stderr}"
    return done


def setUpModule():
    must("apply", "--server-side", "--force-conflicts", "-k", DEPLOY / "crds")
    must("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
    must("apply", "--server-side", "--force-conflicts", "-f", DEPLOY / "install.yaml")


def create(*objects):
    """As `kubectl create` would, but that nothing stays."""
    text = "---\n".join(map(yaml.safe_dump, objects))
    return kubectl("create", "--dry-run=server", "-f", "-", input=text)


def backend(**spec):
    return {"apiVersion": "penstock.dev/v1alpha1", "kind": "Backend", "metadata": {"name": "b"},
            "spec": {"host": "api.example.com", **spec}}


def policy(**pd):
    return {"apiVersion": "inferenceextension.alibabacloud.com/v1alpha1",
            "kind": "InferenceTrafficPolicy", "metadata": {"name": "p"},
            "spec": {"poolRef": {"name": "pool"},
                     "profile": {"pd": {"pdRoleLabelName": "example.com/role", **pd}}}}


def release(**spec):
    return {"apiVersion": "penstock.dev/v1alpha1", "kind": "ModelRelease",
            "metadata": {"name": "r"},
            "spec": {"route": {"name": "chat"}, "stable": {"name": "a"}, "candidate": {"name": "b"},
                     "steps": [{"weight": 2.5, "samplesMin": 9}], **spec}}


class CrdTest(unittest.TestCase):
    def test_each_folder_can_be_applied_by_itself(self):
        for folder in ("gateway-api", "inference", "penstock"):
            must("apply", "--server-side", "--force-conflicts", "-f", DEPLOY / "crds" / folder)

    def test_objects_of_the_examples_are_taken(self):
        refused = []
        for path in sorted((ROOT / "examples").glob("*/*.yaml")):
            # Their GatewayClass is the one that is installed: it may be there.
            said = kubectl("apply", "--server-side", "--force-conflicts", "--dry-run=server",
                           "-f", path)
            if said.returncode != 0:
                refused += [f"{path}: {line}" for line in said.stderr.splitlines()
                            # Replicas of files are Pods without containers.
                            if "Pod" not in line]
        self.assertEqual(refused, [])

    def test_what_a_schema_can_refuse_is_refused(self):
        self.assertEqual(create(backend(), policy(), release()).returncode, 0)
        for wrong, said in (
                (backend(host="Upper.example.com"), "spec.host"),
                (backend(port=0), "spec.port"),
                (backend(pathPrefix="/v1/"), "spec.pathPrefix"),
                (backend(unheardOf=1), "unheardOf"),
                (backend(credentials={"secretRef": {"name": "s"}, "header": "Host"}),
                 "must not be a field that the gateway itself writes"),
                (backend(tls={"insecureSkipVerify": True, "caCertificateRefs": [{"name": "c"}]}),
                 "insecureSkipVerify must not be true"),
                (backend(models=[{"name": "a", "target": "b"}, {"name": "a", "target": "c"}]),
                 "Duplicate value"),
                (policy(prefillPolicyRef="prefixCache"), "which trafficPolicy does not have"),
                (policy(trafficPolicy={"prefixCache": {}, "decodePolicyRef": "prefixCache"},
                        decodePolicyRef="prefixCache"), "not in both"),
                (policy(kvTransfer={"bootstrapPort": 70000}), "bootstrapPort"),
                (release(model={"name": "m"}), "exactly one of route and model"),
                (release(route=None), "exactly one of route and model"),
                (release(route=None, model={"name": "m"}, stable={"name": "a", "kind": "Backend"}),
                 "no kind and no group beside model"),
                (release(candidate={"name": "a"}), "another destination"),
                (release(steps=[]), "spec.steps"),
                (release(steps=[{"weight": 0, "pause": "1m"}]), "spec.steps[0].weight"),
                (release(steps=[{"weight": 5, "pause": "soon"}]), "spec.steps[0].pause"),
                (release(steps=[{"weight": 5}]), "over at once"),
                (release(criteria={"errorRate": 1}), "spec.criteria.errorRate"),
                (release(falseAlarmRate=0), "spec.falseAlarmRate"),
                (release(request="Pause"), "spec.request")):
            answer = create(wrong)
            self.assertNotEqual(answer.returncode, 0, wrong)
            self.assertIn(said, answer.stderr)

    def test_hosts_of_every_form_are_taken(self):
        for host in ("localhost", "api.example.com", "192.0.2.1", "2001:db8::1", "::1"):
            self.assertEqual(create(backend(host=host)).returncode, 0, host)

    def test_a_condition_can_be_written_into_each_status_of_ours(self):
        condition = {"type": "Accepted", "status": "True", "reason": "Accepted", "message": "",
                     "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}
        patch = yaml.safe_dump({"status": {"conditions": [condition]}})
        for made in (backend(), policy(), release()):
            self.addCleanup(kubectl, "delete", made["kind"], made["metadata"]["name"])
            must("apply", "-f", "-", input=yaml.safe_dump(made))
            said = must("patch", made["kind"], made["metadata"]["name"], "--subresource=status",
                        "--type=merge", "-p", patch, f"--as={ACCOUNT}")
            self.assertIn("patched", said.stdout)
            row = must("get", made["kind"], made["metadata"]["name"]).stdout
            self.assertRegex(row, r"True\s")

    def test_of_a_release_all_is_kept_that_is_said_of_it(self):
        self.addCleanup(kubectl, "delete", "modelrelease", "r")
        must("apply", "-f", "-", input=yaml.safe_dump(release()))
        status = {"phase": "Progressing", "step": 2, "weight": 2.5, "state": {"any": [1, None]}}
        must("patch", "modelrelease", "r", "--subresource=status", "--type=merge", "-p",
             yaml.safe_dump({"status": status}), f"--as={ACCOUNT}")
        kept = yaml.safe_load(must("get", "modelrelease", "r", "-o", "yaml").stdout)["status"]
        self.assertEqual(kept, status)
        self.assertRegex(must("get", "modelrelease", "r").stdout, r"Progressing\s+2\s+2\.5\s")


class InstallTest(unittest.TestCase):
    def test_it_keeps_to_the_strictest_standard_for_pods(self):
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {
            "name": "strict", "labels": {"pod-security.kubernetes.io/warn": "restricted"}}}
        self.addCleanup(kubectl, "delete", "namespace", "strict", "--wait=false")
        must("apply", "-f", "-", input=yaml.safe_dump(namespace))
        with open(DEPLOY / "kustomize/ha/deployment.yaml", encoding="utf-8") as file:
            deployment = yaml.safe_load(file)
        deployment["metadata"]["namespace"] = "strict"
        self.assertEqual(create(deployment).stderr, "")

    def test_the_overlay_has_three_replicas_and_a_budget(self):
        made = {each["kind"]: each for each in yaml.safe_load_all(
            must("kustomize", DEPLOY / "kustomize/ha").stdout)}
        with open(DEPLOY / "kustomize/ha/deployment.yaml", encoding="utf-8") as file:
            self.assertEqual(made["Deployment"], yaml.safe_load(file))
        self.assertIn("PodDisruptionBudget", made)
        must("apply", "--dry-run=server", "-f", "-", input=yaml.safe_dump_all(made.values()))

    def test_installing_again_changes_nothing(self):
        said = kubectl("diff", "--server-side", "--force-conflicts", "-f", DEPLOY / "install.yaml")
        self.assertEqual((said.returncode, said.stdout), (0, ""))


class RightsTest(unittest.TestCase):
    def may(self, *arguments):
        return kubectl("auth", "can-i", *arguments, f"--as={ACCOUNT}", "-q").returncode == 0

    def test_what_it_needs_is_allowed(self):
        for question in (("list", "secrets", "-A"), ("watch", "pods", "-A"),
                         ("watch", "endpointslices.discovery.k8s.io", "-A"),
                         ("get", "httproutes.gateway.networking.k8s.io", "-n", "default"),
                         ("patch", "gatewayclasses.gateway.networking.k8s.io/x",
                          "--subresource=status"),
                         ("patch", "gateways.gateway.networking.k8s.io", "-n", "default",
                          "--subresource=status"),
                         ("patch", "inferencepools.inference.networking.x-k8s.io", "-n", "default",
                          "--subresource=status"),
                         ("create", "leases.coordination.k8s.io", "-n", NAMESPACE),
                         ("update", f"leases.coordination.k8s.io/{NAME}", "-n", NAMESPACE),
                         ("patch", "services/inference-gateway", "-n", NAMESPACE)):
            self.assertTrue(self.may(*question), question)

    def test_what_it_does_not_need_is_not(self):
        for question in (("*", "*"), ("get", "secrets", "-n", NAMESPACE),
                         ("create", "secrets", "-n", NAMESPACE),
                         ("delete", "pods", "-n", "default"),
                         ("create", "pods", "-n", NAMESPACE), ("list", "nodes"),
                         ("create", "pods", "--subresource=exec", "-n", NAMESPACE),
                         ("patch", "httproutes.gateway.networking.k8s.io", "-n", "default"),
                         ("update", "inferencepools.inference.networking.k8s.io", "-n", "default"),
                         ("patch", "services", "-n", NAMESPACE),
                         ("patch", "services/inference-gateway", "-n", "default"),
                         ("delete", "services/inference-gateway", "-n", NAMESPACE),
                         ("update", "leases.coordination.k8s.io/other", "-n", NAMESPACE),
                         ("create", "leases.coordination.k8s.io", "-n", "kube-system"),
                         ("create", "clusterrolebindings.rbac.authorization.k8s.io"),
                         ("impersonate", "users")):
            self.assertFalse(self.may(*question), question)


if __name__ == "__main__":
    unittest.main()
