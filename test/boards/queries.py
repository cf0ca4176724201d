"""What boards and rules ask, as Prometheus is to be asked it."""

import json
import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOARDS = ROOT / "deploy/grafana/boards"
RULES = ROOT / "deploy/prometheus/penstock.rules.yaml"
RATE_INTERVAL = "30s"
LABEL_VALUES = re.compile(r"label_values\((.*), (\w+)\)")
STRING = r'"(?:[^"\\]|\\.)*"'
# A name with, or without, what its labels are to be; not one behind `by (`, `on (` and their like.
SELECTOR = re.compile(r"\b((?:penstock_|process_|pool:)[\w:]*|up\b)(\{[^}]*\})?")


def boards():
    """{name of the file: board}"""
    return {path.name: json.loads(path.read_text()) for path in sorted(BOARDS.glob("*.json"))}


def rules():
    """All rules, in the order of the file."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"]
            for rule in group["rules"]]


def alerts():
    return [rule for rule in rules() if "alert" in rule]


def asked(board):
    """(where, query) of everything that a board asks, but for its variables."""
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield f"{panel['title']} {target['refId']}", target["expr"]
    for annotation in board["annotations"]["list"]:
        yield f"annotation {annotation['name']}", annotation["expr"]


def variables(board):
    """[(name, metric with labels, label)] of those that ask for values."""
    found = []
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = LABEL_VALUES.fullmatch(variable["query"]["query"]).groups()
            found.append((variable["name"], metric, label))
    return found


def substituted(text, values):
    """As Grafana fills variables in, with these values of each, or none: all there may be."""
    for name, these in values.items():
        either = "|".join(re.sub(r"([\\^$*+?.()|{}\[\]])", r"\\\\\1", value) for value in these)
        text = text.replace(f"${name}", f"({either})" if these else ".*")
    return text.replace("$__rate_interval", RATE_INTERVAL)


def selectors(expression):
    """Each metric that an expression reads, with the labels that it wants."""
    return sorted({name + (labels or "") for name, labels in SELECTOR.findall(
        re.sub(r"\b(by|on|ignoring|without|group_left|group_right) *\([^)]*\)", "", expression))})
