"""The chart by Helm itself: needs Go, or HELM=PROGRAM."""

import json
import os
import pathlib
import shlex
import subprocess
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/chart/penstock"
HELM = shlex.split(os.environ.get("HELM", "go run helm.sh/helm/v3/cmd/helm@v3.22.0"))


def helm(*arguments):
    return subprocess.run([*HELM, *arguments], capture_output=True, text=True, timeout=900,
                          check=False)


def template(**values):
    settings = [argument for name, value in values.items()
                for argument in ("--set-json", f"{name.replace('__', '.')}={json.dumps(value)}")]
    return helm("template", "penstock", CHART, "--namespace", "gateways", "--kube-version",
                "1.27.0", *settings)


class ChartTest(unittest.TestCase):
    def test_helm_finds_no_fault(self):
        for values in ("values.yaml", "values-ha.yaml"):
            said = helm("lint", "--strict", "--kube-version", "1.27.0", "--values", CHART / values,
                        CHART)
            self.assertEqual(said.returncode, 0, said.stdout + said.stderr)

    def test_what_is_committed_is_what_the_chart_says(self):
        said = subprocess.run([ROOT / "tools/render-chart", "--check"], capture_output=True,
                              text=True, timeout=900, check=False)
        self.assertEqual((said.returncode, said.stderr), (0, ""))

    def test_values_of_every_kind_take_effect(self):
        made = template(
            name="gw", image={"repository": "r.example.com/p", "digest": "sha256:" + "0" * 64},
            imagePullSecrets=[{"name": "pull"}], workers=0, extraArgs=["--no-request-log"],
            admin={"port": 9000, "tokenSecret": "admin"}, pickerNames=["a", "b/c"],
            gatewayClasses=[], shutdownDelaySeconds=10, drainSeconds=20, podLabels={"a": "b"},
            podAnnotations={"c": "d"}, nodeSelector={"e": "f"}, priorityClassName="high",
            tolerations=[{"key": "t", "operator": "Exists"}], podDisruptionBudget={"enabled": True},
            affinity={"nodeAffinity": {}},
            service={"name": "lb", "type": "NodePort", "ports": [8443], "annotations": {"g": "h"}})
        self.assertEqual(made.returncode, 0, made.stderr)
        for wanted in ("image: r.example.com/p@sha256:000", "- name: pull", "--workers=0",
                       '- "--no-request-log"', "containerPort: 9000", "secretName: admin",
                       "--admin-token-file=/etc/penstock/admin/token", "--picker-names=a,b/c",
                       "terminationGracePeriodSeconds: 60", "a: b", "c: d", "e: f",
                       "priorityClassName: high", "operator: Exists", "kind: PodDisruptionBudget",
                       "name: gw.gateways", "namespace: gateways", "nodeAffinity: {}",
                       "type: NodePort", "port: 8443", "g: h", "--service=$(POD_NAMESPACE)/lb",
                       "resourceNames: [lb]", "resourceNames: [gw]"):
            self.assertIn(wanted, made.stdout)
        self.assertNotIn("kind: GatewayClass", made.stdout)

    def test_each_gateway_may_have_infrastructure_of_its_own(self):
        made = template(infrastructure="managed", name="gw")
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertIn("--infrastructure=managed", made.stdout)
        self.assertIn("--managed-from=$(POD_NAMESPACE)/gw", made.stdout)
        self.assertIn("resources: [deployments]", made.stdout)
        self.assertNotIn("--service=", made.stdout)
        self.assertNotIn("kind: Service\n", made.stdout)

    def test_boards_alerts_and_scraping_are_there_when_they_are_asked_for(self):
        off = template(name="gw")
        for kind in ("ServiceMonitor", "PrometheusRule", "ConfigMap"):
            self.assertNotIn(f"kind: {kind}", off.stdout)
        made = template(name="gw", metrics={
            "serviceMonitor": {"enabled": True, "interval": "7s", "labels": {"release": "prom"}},
            "prometheusRule": {"enabled": True, "labels": {"role": "alerts"},
                               "runbookUrlPrefix": "https://example.com/penstock/"},
            "dashboards": {"enabled": True, "annotations": {"grafana_folder": "LLM"}}})
        self.assertEqual(made.returncode, 0, made.stderr)
        objects = {}
        for each in yaml.safe_load_all(made.stdout):
            objects.setdefault(each["kind"], {})[each["metadata"]["name"]] = each
        self.assertEqual(objects["Service"]["gw-metrics"]["spec"]["clusterIP"], "None")
        monitor = objects["ServiceMonitor"]["gw"]
        self.assertEqual(monitor["metadata"]["labels"]["release"], "prom")
        selected = monitor["spec"]["selector"]["matchLabels"]
        services = [name for name, each in objects["Service"].items()
                    if selected.items() <= each["metadata"]["labels"].items()]
        self.assertEqual(services, ["gw-metrics"])
        (endpoint,) = monitor["spec"]["endpoints"]
        self.assertEqual((endpoint["port"], endpoint["interval"], endpoint["honorLabels"]),
                         ("admin", "7s", True))
        rules = yaml.safe_load((ROOT / "deploy/prometheus/penstock.rules.yaml").read_text())
        text = json.dumps(rules).replace("docs/runbooks.md#",
                                         "https://example.com/penstock/docs/runbooks.md#")
        self.assertEqual(objects["PrometheusRule"]["gw"]["spec"], json.loads(text))
        boards = {}
        for each in objects["ConfigMap"].values():
            self.assertEqual(each["metadata"]["labels"]["grafana_dashboard"], "1")
            self.assertEqual(each["metadata"]["annotations"], {"grafana_folder": "LLM"})
            boards.update(each["data"])
        self.assertEqual(boards, {f"penstock-{path.name}": path.read_text() for path in
                                  (ROOT / "deploy/grafana/boards").glob("*.json")})

    def test_gateways_of_their_own_are_scraped_as_well(self):
        made = template(name="gw", infrastructure="managed",
                        metrics={"serviceMonitor": {"enabled": True}})
        selectors = [each["spec"]["selector"] for each in yaml.safe_load_all(made.stdout)
                     if each["kind"] == "Service"]
        self.assertEqual(selectors, [
            {"app.kubernetes.io/name": "gw", "app.kubernetes.io/instance": "penstock"},
            {"app.kubernetes.io/managed-by": "penstock"}])

    def test_a_wrong_value_is_refused_by_its_name(self):
        for values in ({"picker__enabled": True}, {"replicas": 0}, {"replica": 3}, {"name": "A_b"},
                       {"service__type": "ExternalName"}, {"service__ports": []},
                       {"service__ports": [70000]}, {"image__digest": "latest"},
                       {"logLevel": "verbose"}, {"drainSeconds": -1}, {"infrastructure": "own"},
                       {"gatewayClasses": [{"name": "x", "controllerName": "example.com/other"}]},
                       {"topologySpreadConstraints": [{"topologyKey": "zone"}]},
                       {"metrics__dashboards": {"enabled": True, "label": {}}},
                       {"metrics__serviceMonitor": {"enabled": True, "interval": "often"}},
                       {"resources__limit": {"memory": "1Gi"}}, {"extraArgs": "--workers=1"}):
            said = template(**values)
            self.assertNotEqual(said.returncode, 0, values)
            self.assertIn(next(iter(values)).split("__")[0], said.stderr, values)


if __name__ == "__main__":
    unittest.main()
