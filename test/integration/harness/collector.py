"""A collector of traces over OTLP/HTTP that is strict about what it takes.

It answers 200 unless a test queues other answers, and keeps the spans of what it has answered so.
"""

import json
import re

from harness.fake_server import FakeModelServer, answer
from harness.wait import DEADLINE_S, Watched

HEX = re.compile(r"[0-9a-f]+\Z")
UINT64 = re.compile(r"[0-9]+\Z")
SPAN_KEYS = {"traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano",
             "endTimeUnixNano", "attributes", "events", "status"}
VALUE_TYPES = {"stringValue": str, "intValue": str, "doubleValue": (int, float),
               "boolValue": bool}


def _check(condition, what):
    if not condition:
        raise AssertionError(f"not OTLP: {what}")


def _attributes(items):
    """{key: value}, each of one of OTLP's types."""
    found = {}
    for item in items:
        _check(set(item) == {"key", "value"} and item["key"], item)
        _check(item["key"] not in found, f"{item['key']} is there twice")
        (kind, value), = item["value"].items()
        _check(isinstance(value, VALUE_TYPES[kind]), item)
        found[item["key"]] = int(value) if kind == "intValue" else value
    return found


class Span:
    """One span, its fields checked."""

    def __init__(self, fields, resource):
        _check(set(fields) <= SPAN_KEYS, f"unknown fields of {fields}")
        self.trace = self._hex(fields["traceId"], 32)
        self.id = self._hex(fields["spanId"], 16)
        self.parent = self._hex(fields["parentSpanId"], 16) if "parentSpanId" in fields else None
        self.name = fields["name"]
        _check(isinstance(self.name, str) and self.name, fields)
        self.kind = fields["kind"]
        _check(self.kind in (1, 2, 3), fields)
        self.begin = self._time(fields["startTimeUnixNano"])
        self.end = self._time(fields["endTimeUnixNano"])
        _check(self.begin <= self.end, f"it ends before it begins: {fields}")
        self.attributes = _attributes(fields["attributes"])
        self.events = [(event["name"], self._time(event["timeUnixNano"]))
                       for event in fields.get("events", [])]
        for _, time in self.events:
            _check(self.begin <= time <= self.end, f"an event outside of {fields}")
        _check(set(fields["status"]) <= {"code", "message"}, fields)
        self.error = fields["status"].get("code") == 2
        _check(fields["status"].get("code") in (None, 2), fields)
        _check(self.error == ("error.type" in self.attributes), f"error.type of {fields}")
        self.resource = resource

    @staticmethod
    def _hex(text, digits):
        _check(HEX.match(text) and len(text) == digits and set(text) != {"0"}, repr(text))
        return text

    @staticmethod
    def _time(text):
        _check(isinstance(text, str) and UINT64.match(text), repr(text))
        return int(text)

    def __getitem__(self, key):
        return self.attributes[key]

    def get(self, key):
        return self.attributes.get(key)

    def __repr__(self):
        return f"{self.name}({self.id} of {self.parent} {self.attributes})"


def read_spans(body):
    """The spans of one ExportTraceServiceRequest."""
    request = json.loads(body)
    _check(set(request) == {"resourceSpans"}, request.keys())
    spans = []
    for of_resource in request["resourceSpans"]:
        resource = _attributes(of_resource["resource"]["attributes"])
        _check("service.name" in resource, resource)
        for of_scope in of_resource["scopeSpans"]:
            _check(of_scope["scope"]["name"] == "penstock", of_scope["scope"])
            spans += [Span(fields, resource) for fields in of_scope["spans"]]
    _check(spans, "an empty request")
    return spans


class Collector(FakeModelServer):
    """Listens at address:port. `answers`: scripts for the POSTs to come, before 200."""

    def __init__(self, address, port, tls=None):
        self.spans = Watched()
        self.answers = []
        super().__init__(address, port, self._take, name="collector", tls=tls)

    @property
    def url(self):
        return f"http{'s' if self.tls else ''}://{self.endpoint}"

    def _take(self, request, connection):
        _check(request.method == "POST" and request.path == "/v1/traces", request)
        _check(request.get("content-type") == "application/json", request)
        spans = read_spans(request.body)
        if self.answers:
            return self.answers.pop(0)(request, connection)
        answer(200, b"{}", [("Content-Type", "application/json")])(request, connection)
        for span in sorted(spans, key=lambda span: span.kind == 2):
            self.spans.append(span)  # a root last: whoever sees it sees its children

    def wait_trace(self, trace=None, deadline_s=DEADLINE_S):
        """The spans of that trace, or of the only one, its tree checked: root first."""
        def whole(spans):
            found = [s for s in spans if trace in (None, s.trace)]
            return found if any(s.kind == 2 for s in found) else None
        spans = self.spans.wait(whole, f"trace {trace}", deadline_s)
        _check(len({s.trace for s in spans}) == 1, f"several traces: {spans}")
        _check(len({s.id for s in spans}) == len(spans), f"an id twice: {spans}")
        root, = (s for s in spans if s.kind == 2)
        for span in spans:
            if span is root:
                continue
            _check(span.parent == root.id, f"{span} has another parent than {root}")
            _check(root.begin <= span.begin and span.end <= root.end,
                   f"{span} is not within {root}")
        return [root] + sorted((s for s in spans if s is not root), key=lambda s: s.begin)
