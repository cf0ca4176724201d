"""What the tests of deploy/ read: the tree, and what the gateway says of itself."""

import functools
import json
import os
import pathlib
import re
import subprocess

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def objects(path):
    """The objects of a file of YAML below deploy/."""
    with open(DEPLOY / path, encoding="utf-8") as file:
        return [document for document in yaml.safe_load_all(file) if document]


def penstock(*arguments, **options):
    return subprocess.run([os.environ["PENSTOCK"], *arguments], capture_output=True, text=True,
                          timeout=60, check=False, **options)


@functools.cache
def kinds_read():
    """(group, kind) -> versions, by the schema for editors, which a unit test keeps true."""
    schema = json.loads((ROOT / "docs/schema/penstock.schema.json").read_text())
    kinds = {}
    for rule in schema["allOf"]:
        for api_version in rule["then"]["properties"].get("apiVersion", {}).get("enum", []):
            group, _, version = api_version.rpartition("/")
            kind = rule["if"]["properties"]["kind"]["const"]
            kinds.setdefault((group, kind), set()).add(version)
    return kinds


@functools.cache
def kinds_with_status():
    """(group, kind) of those whose status is written: the table in src/kube/status_kinds.cc."""
    groups = dict(re.findall(r'constexpr char (k\w+Group)\[\] = "([^"]+)"',
                             (ROOT / "src/api/meta.h").read_text()))
    table = re.findall(r'\{api::(k\w+Group),\s*"(\w+)",',
                       (ROOT / "src/kube/status_kinds.cc").read_text())
    return {(groups[group], kind) for group, kind in table}


@functools.cache
def crds():
    """(group, kind) -> CRD, of all in deploy/crds."""
    found = {}
    for path in sorted((DEPLOY / "crds").glob("*/*.yaml")):
        for crd in objects(path):
            found[crd["spec"]["group"], crd["spec"]["names"]["kind"]] = crd
    return found


def plural(group, kind):
    if (group, kind) in crds():
        return crds()[group, kind]["spec"]["names"]["plural"]
    return kind.lower() + "s"  # Kubernetes' own that are read: Pod, Secret, ...


def leaves(schema, path=""):
    """Paths of the fields of an OpenAPI schema that hold no others: ".models[].name"."""
    if "items" in schema:
        return leaves(schema["items"], path + "[]")
    if not schema.get("properties"):
        return {path: schema}
    found = {}
    for name, field in schema["properties"].items():
        found.update(leaves(field, f"{path}.{name}"))
    return found
