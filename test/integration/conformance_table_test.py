"""The table of docs/gateway-api.md says of the conformance suite's tests what is true here."""

import pathlib
import re
import unittest

from harness.conformance import ConformanceTest
from harness.objects import GATEWAY_CLASS

HERE = pathlib.Path(__file__).resolve().parent
DOCUMENT = HERE.parents[1] / "docs" / "gateway-api.md"
NOT_SERVED = "-"


def rows():
    """[(test, {features}, scenario)] of the table; the first has no remark behind it any more."""
    lines = DOCUMENT.read_text().splitlines()
    first = lines.index("| test | features | scenario |") + 2
    cells = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        test, features, scenario = (cell.strip() for cell in line.strip("|").split("|"))
        cells.append((test.split(" ")[0], set(re.findall(r"\w+", features)) - {"core"}, scenario))
    return cells


class TableTest(ConformanceTest):
    def test_every_scenario_is_in_the_table_and_every_row_has_its_scenario(self):
        written = {}
        for file in HERE.glob("*_test.py"):
            for name in re.findall(r"def test_([A-Z]\w+)", file.read_text()):
                written.setdefault(name, set()).add(file.stem.removesuffix("_test"))
        table = {test: scenario.split(" ")[0] for test, _, scenario in rows()}
        for test, scenario in table.items():
            if scenario != NOT_SERVED:
                self.assertIn(scenario, written.get(test, set()), test)
        scenarios = {name for name, files in written.items()
                     if any(file.startswith("conformance_") for file in files)}
        self.assertEqual(scenarios - set(table), set())

    def test_the_class_names_the_features_whose_tests_all_have_a_scenario(self):
        """One that has a remark behind it repeats its test in part only."""
        self.start()
        name = GATEWAY_CLASS["metadata"]["name"]
        status = self.shown("gatewayclasses", name, None)["status"]
        claimed = {feature["name"] for feature in status["supportedFeatures"]}
        whole = {"Gateway", "HTTPRoute"}.union(*(features for _, features, _ in rows()))
        for _, features, scenario in rows():
            if " " in scenario or scenario == NOT_SERVED:
                # Of a test that wants several features any may be what is missing.
                whole -= features
        self.assertEqual(claimed, whole)


if __name__ == "__main__":
    unittest.main()
