"""Boards and rules as files: what can be said without a Prometheus. test/boards asks a real one."""

import importlib.util
import pathlib
import re
import subprocess
import unittest

from tree import DEPLOY, ROOT, objects

QUERIES = importlib.util.spec_from_file_location("queries", ROOT / "test/boards/queries.py")
queries = importlib.util.module_from_spec(QUERIES)
QUERIES.loader.exec_module(queries)

METRIC = re.compile(r"\b((?:penstock|process)_\w+)(?:\{([^}]*)\})?")
LABEL = re.compile(r'(\w+) *(?:=~|!~|!=|=)')
GROUPED = re.compile(r"\b(?:by|on) *\(([^)]*)\)")
OF_TARGETS = {"instance", "job", "le"}
# As Grafana's units are called; of others nothing is shown but the number.
UNITS = {"Bps", "none", "short", "s", "bytes", "percentunit", "reqps", "ops", "bool_yes_no"}


def documented():
    """{metric: (type, labels)} of docs/metrics.md."""
    rows = re.findall(r"(?m)^\| `(\w+)` \| (\w+) \| ([\w, ]*)\| ",
                      (ROOT / "docs/metrics.md").read_text())
    return {name: (kind, {label.strip() for label in labels.split(",")} - {""})
            for name, kind, labels in rows}


def metrics_of(expression):
    """[(metric, labels that it is asked for)], without what recording rules have made."""
    return [(name, set(LABEL.findall(labels or "")))
            for name, labels in METRIC.findall(re.sub(r"\bpool:\w+", "", expression))]


def anchors(path):
    """Those of a file's headings, as its readers' programs make them."""
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")
            for heading in re.findall(r"(?m)^#+ (.*)$", path.read_text())}


class BoardTest(unittest.TestCase):
    def setUp(self):
        self.boards = queries.boards()

    def panels(self):
        for name, board in self.boards.items():
            for panel in board["panels"]:
                yield f"{name}: {panel['title']}", panel

    def test_they_are_what_the_generator_makes(self):
        done = subprocess.run([ROOT / "tools/make-boards", "--check"], capture_output=True,
                              text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_each_has_a_uid_by_which_others_link_to_it(self):
        self.assertEqual(sorted(board["uid"] for board in self.boards.values()),
                         [f"penstock-{name.removesuffix('.json')}" for name in self.boards])
        uids = {board["uid"] for board in self.boards.values()}
        linked = set(re.findall(r"/d/([\w-]+)", "".join(path.read_text() for path in
                                                        queries.BOARDS.glob("*.json"))))
        self.assertTrue(linked and linked <= uids, linked)
        for board in self.boards.values():
            self.assertLessEqual(len(board["uid"]), 40)
            self.assertEqual((board["schemaVersion"], board["tags"]), (39, ["penstock"]))
            self.assertNotIn("id", board)  # Grafana gives it

    def test_panels_have_places_of_their_own(self):
        for name, board in self.boards.items():
            taken = {}
            self.assertEqual([panel["id"] for panel in board["panels"]],
                             list(range(1, len(board["panels"]) + 1)), name)
            for panel in board["panels"]:
                place = panel["gridPos"]
                self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
                for cell in ((x, y) for x in range(place["x"], place["x"] + place["w"])
                             for y in range(place["y"], place["y"] + place["h"])):
                    self.assertNotIn(cell, taken, f"{name}: {panel['title']}")
                    taken[cell] = panel

    def test_every_panel_says_what_it_is_good_for_and_in_which_unit(self):
        for where, panel in self.panels():
            with self.subTest(where):
                if panel["type"] == "row":
                    continue
                self.assertGreater(len(panel["description"]), 10)
                self.assertIn(panel["fieldConfig"]["defaults"]["unit"], UNITS)
                self.assertTrue(panel["targets"])
                names = [target["refId"] for target in panel["targets"]]
                self.assertEqual(names, sorted(set(names)))

    def test_everything_asks_the_data_source_that_was_chosen(self):
        chosen = {"type": "prometheus", "uid": "${datasource}"}
        for where, panel in self.panels():
            for asks in [panel, *panel.get("targets", [])] if panel["type"] != "row" else []:
                self.assertEqual(asks["datasource"], chosen, where)
        for board in self.boards.values():
            for variable in board["templating"]["list"]:
                if variable["type"] == "query":
                    self.assertEqual(variable["datasource"], chosen)

    def test_variables_that_are_used_are_there(self):
        for name, board in self.boards.items():
            there = {variable["name"] for variable in board["templating"]["list"]}
            used = set(re.findall(r"\$(\w+)", " ".join(query for _, query in queries.asked(board))))
            self.assertEqual(used - {"__rate_interval"} - there, set(), name)

    def test_metrics_and_labels_are_those_of_the_documentation(self):
        everything = [(f"{name}: {where}", query) for name, board in self.boards.items()
                      for where, query in queries.asked(board)]
        everything += [(rule.get("alert") or rule["record"], rule["expr"])
                       for rule in queries.rules()]
        docs = documented()
        for where, query in everything:
            known = set(OF_TARGETS)
            for metric, labels in metrics_of(query):
                with self.subTest(where, metric=metric):
                    family = re.sub(r"_(bucket|sum|count)$", "", metric)
                    kind, has = docs[metric if metric in docs else family]
                    self.assertLessEqual(labels, has | OF_TARGETS)
                    # A rate of a gauge is a mistake that nobody sees.
                    rated = re.search(rf"\b(rate|increase)\({metric}\b", query) is not None
                    self.assertEqual(rated, kind in ("counter", "histogram")
                                     and f"sum({metric}" not in query)
                    known |= has
            if "pool:" in query:
                known.add("pool")
            for group in GROUPED.findall(query) if metrics_of(query) else []:
                self.assertLessEqual({label.strip() for label in group.split(",")}, known, where)

    def test_every_metric_is_on_some_board(self):
        shown = {re.sub(r"_(bucket|sum|count)$", "", metric) for board in self.boards.values()
                 for _, query in queries.asked(board) for metric, _ in metrics_of(query)}
        alerted = {metric for rule in queries.rules() for metric, _ in metrics_of(rule["expr"])}
        left_out = set(documented()) - shown - alerted
        # These are of one moment, for whoever looks for a fault, or told by what is shown. A new
        # metric goes on a board (tools/boards), into an alert, or onto this list.
        self.assertEqual(left_out, {
            "penstock_configuration_generation", "penstock_configuration_reloads_total",
            "penstock_gateways", "penstock_kube_infrastructure_writes_total",
            "penstock_kube_status_parts_left_out_total", "penstock_refused_heads_total",
            "process_start_time_seconds", "process_virtual_memory_bytes"} - alerted)

    def test_they_are_provisioned_from_where_they_lie(self):
        (source,) = objects("grafana/provisioning/datasources/prometheus.yaml")[0]["datasources"]
        self.assertEqual(source["type"], "prometheus")
        (provider,) = objects("grafana/provisioning/dashboards/penstock.yaml")[0]["providers"]
        self.assertEqual(provider["type"], "file")
        self.assertEqual(pathlib.PurePath(provider["options"]["path"]).name, "penstock")


class ChartTest(unittest.TestCase):
    def test_what_the_chart_hands_on_is_a_copy(self):
        files = DEPLOY / "chart/penstock/files"
        copies = {path.relative_to(files).as_posix(): path.read_text()
                  for path in files.rglob("*") if path.is_file()}
        wanted = {f"boards/{path.name}": path.read_text() for path in queries.BOARDS.glob("*.json")}
        wanted["penstock.rules.yaml"] = queries.RULES.read_text()
        differ = {name for name in copies | wanted if copies.get(name) != wanted.get(name)}
        self.assertEqual(differ, set(), "run `make render`")

    def test_nothing_of_it_is_there_unless_it_is_asked_for(self):
        metrics = objects("chart/penstock/values.yaml")[0]["metrics"]
        self.assertEqual({name: part["enabled"] for name, part in metrics.items()},
                         {"serviceMonitor": False, "prometheusRule": False, "dashboards": False})
        kinds = {each["kind"] for each in objects("install.yaml")}
        self.assertFalse(kinds & {"ServiceMonitor", "PrometheusRule", "ConfigMap"})


class RuleTest(unittest.TestCase):
    def test_each_alert_says_how_bad_it_is_and_what_to_do(self):
        for alert in queries.alerts():
            with self.subTest(alert["alert"]):
                self.assertIn(alert["labels"]["severity"], ("critical", "warning"))
                self.assertEqual(sorted(alert["annotations"]),
                                 ["description", "runbook_url", "summary"])
                self.assertLess(len(alert["annotations"]["summary"]), 160)
                path, _, anchor = alert["annotations"]["runbook_url"].partition("#")
                self.assertIn(anchor, anchors(ROOT / path))

    def test_each_alert_stands_in_the_runbooks(self):
        text = (ROOT / "docs/runbooks.md").read_text()
        for alert in queries.alerts():
            self.assertIn(f"`{alert['alert']}`", text)
        named = set(re.findall(r"`(Penstock\w+)`", text))
        self.assertEqual(named - {alert["alert"] for alert in queries.alerts()}, set())

    def test_names_are_given_once(self):
        names = [rule.get("alert") or rule["record"] for rule in queries.rules()]
        self.assertEqual(len(names), len(set(names)))

    def test_recorded_series_that_are_read_are_recorded(self):
        recorded = {rule["record"] for rule in queries.rules() if "record" in rule}
        read = {name for rule in queries.rules()
                for name in re.findall(r"\bpool:[\w:]+", rule["expr"])}
        for board in queries.boards().values():
            read |= {name for _, query in queries.asked(board)
                     for name in re.findall(r"\bpool:[\w:]+", query)}
        self.assertLessEqual(read, recorded)


if __name__ == "__main__":
    unittest.main()
