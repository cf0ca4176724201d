"""The CRDs are those of the kinds that are read; of our own kinds they say what is taken."""

import re
import unittest

import yaml

from tree import DEPLOY, ROOT, crds, kinds_read, kinds_with_status, leaves, objects, penstock

BUILT_IN_GROUPS = ("", "discovery.k8s.io")
BACKEND = ("penstock.dev", "Backend")
RELEASE = ("penstock.dev", "ModelRelease")
POLICY = ("inferenceextension.alibabacloud.com", "InferenceTrafficPolicy")

# Objects with every field that their CRD has.
FULL = {
    BACKEND: """
apiVersion: penstock.dev/v1alpha1
kind: Backend
metadata: {name: full}
spec:
  host: api.example.com
  port: 8443
  hostname: other.example.com
  pathPrefix: /v1beta/openai
  tls:
    hostname: tls.example.com
    caCertificateRefs: [{group: "", kind: ConfigMap, name: authorities}]
    insecureSkipVerify: false
  credentials: {secretRef: {name: key}, key: api-key, header: x-api-key, prefix: "Key "}
  models: [{name: "*", target: small}]
""",
    POLICY: """
apiVersion: inferenceextension.alibabacloud.com/v1alpha1
kind: InferenceTrafficPolicy
metadata: {name: full}
spec:
  poolRef: {name: pool}
  modelServerRuntime: sglang
  profile:
    pd:
      trafficPolicy:
        prefixCache: {mode: estimate}
        prefillPolicyRef: prefixCache
      decodePolicyRef: prefixCache
      pdRoleLabelName: example.com/role
      kvTransfer: {bootstrapPort: 34000}
""",
    RELEASE: """
apiVersion: penstock.dev/v1alpha1
kind: ModelRelease
metadata: {name: full}
spec:
  route: {name: chat, rule: v1}
  stable: {name: qwen-v1, kind: InferencePool, group: inference.networking.k8s.io}
  candidate: {name: elsewhere, kind: Backend, group: penstock.dev}
  steps: [{weight: 5, pause: 10m, samplesMin: 200}]
  criteria: {errorRate: 0.01, ttft: 1.2, tpot: 1.2, finishReasons: 0.02}
  falseAlarmRate: 0.01
  onBreach: RollBack
  paused: false
  request: None
""",
}
# Each may stand in one place or in the other.
IN_ANOTHER_PLACE = {".profile.pd.prefillPolicyRef", ".profile.pd.trafficPolicy.decodePolicyRef",
                    ".model.name"}


def spec_of(crd):
    version = crd["spec"]["versions"][0]
    return version["schema"]["openAPIV3Schema"]["properties"]["spec"]


def filled(value, path=""):
    """Paths of an object's values, as leaves() has those of a schema."""
    if isinstance(value, dict):
        return {found for name, field in value.items() for found in filled(field, f"{path}.{name}")}
    if isinstance(value, list):
        return {found for item in value for found in filled(item, path + "[]")}
    return {path}


def refusal(spec, kind):
    """What `penstock check` says of the object itself, and not of what it refers to."""
    text = yaml.safe_dump({**yaml.safe_load(FULL[kind]), "spec": spec})
    said = penstock("check", "-", input=text)
    return re.findall(r"spec\.\S+: (?:must|is |unknown)[^\n]*|unknown field[^\n]*",
                      said.stdout + said.stderr)


def with_value(spec, path, value):
    """A copy of `spec` in which the leaf at `path` is `value`."""
    head, _, rest = path[1:].partition(".")
    name = head.removesuffix("[]")
    inner = value if not rest else with_value(
        (spec[name][0] if head.endswith("[]") else spec[name]), "." + rest, value)
    return {**spec, name: [inner] if head.endswith("[]") else inner}


class CrdTest(unittest.TestCase):
    def test_every_kind_that_is_read_has_its_crd(self):
        own = {key: versions for key, versions in kinds_read().items()
               if key[0] not in BUILT_IN_GROUPS}
        self.assertEqual(set(own), set(crds()))
        for key, versions in own.items():
            served = {version["name"] for version in crds()[key]["spec"]["versions"]
                      if version["served"]}
            self.assertTrue(served and served <= versions, key)

    def test_a_status_that_is_written_is_a_subresource(self):
        for key in kinds_with_status():
            for version in crds()[key]["spec"]["versions"]:
                self.assertIn("status", version.get("subresources", {}), key)

    def test_the_kustomization_lists_them_all(self):
        listed = set(objects("crds/kustomization.yaml")[0]["resources"])
        there = {str(path.relative_to(DEPLOY / "crds")) for path in (DEPLOY / "crds").glob("*/*")}
        self.assertEqual(listed, there)

    def test_a_pool_of_v1alpha2_may_lack_an_extension(self):
        pool = crds()["inference.networking.x-k8s.io", "InferencePool"]
        self.assertEqual(set(spec_of(pool)["required"]), {"selector", "targetPortNumber"})


class OwnKindsTest(unittest.TestCase):
    def test_the_gateway_knows_every_field_of_them(self):
        for kind, text in FULL.items():
            spec = yaml.safe_load(text)["spec"]
            fields = set(leaves(spec_of(crds()[kind]))) - IN_ANOTHER_PLACE
            self.assertEqual(filled(spec), fields, kind)
            self.assertEqual(refusal(spec, kind), [], kind)
            self.assertTrue(refusal({**spec, "unheardOf": 1}, kind), kind)

    def test_they_have_every_field_that_the_gateway_reads(self):
        for kind, source, function in ((BACKEND, "read_backend.cc", ""),
                                       (RELEASE, "read_release.cc", ""),
                                       (POLICY, "read_inference.cc", "ReadInferenceTrafficPolicy")):
            text = (ROOT / "src/api" / source).read_text()
            text = text[text.index(function + "("):] if function else text
            read = set(re.findall(r'\b(?:Get|Require)\("(\w+)"\)', text))
            names = {part.removesuffix("[]") for path in leaves(spec_of(crds()[kind]))
                     for part in path.split(".")}
            self.assertLessEqual(read - {"spec", "status"}, names, kind)

    def test_values_that_they_allow_are_taken_and_others_refused(self):
        for kind, text in FULL.items():
            spec = yaml.safe_load(text)["spec"]
            for path, field in leaves(spec_of(crds()[kind])).items():
                if path in IN_ANOTHER_PLACE:
                    continue
                taken = list(field.get("enum", []))
                refused = ["no such value"] if taken else []
                for bound, exclusive, beyond in (("minimum", "exclusiveMinimum", -1),
                                                 ("maximum", "exclusiveMaximum", 1)):
                    if bound in field:
                        (refused if field.get(exclusive) else taken).append(field[bound])
                        refused.append(field[bound] + beyond)
                if field.get("minLength"):
                    refused.append("")
                for value in taken:
                    self.assertEqual(refusal(with_value(spec, path, value), kind), [],
                                     f"{path} = {value}")
                for value in refused:
                    self.assertTrue(refusal(with_value(spec, path, value), kind),
                                    f"{path} = {value}")


if __name__ == "__main__":
    unittest.main()
