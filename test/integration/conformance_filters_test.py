"""HTTPRoute tests of the Gateway API's conformance suite: filters and timeouts."""

import unittest

from harness.conformance import V1, V2, ConformanceTest, match, ref, route, rule

SAME = "same-namespace"
CORS_FIELDS = "access-control-"


def edits(**lists):
    """The body of a header modifier; "_" in a name stands for "-"."""
    pairs = lambda fields: [{"name": n, "value": v} for n, v in fields.items()]
    return {k: v if k == "remove" else pairs(v) for k, v in lists.items()}


def request_edits(**lists):
    return {"type": "RequestHeaderModifier", "requestHeaderModifier": edits(**lists)}


def response_edits(**lists):
    return {"type": "ResponseHeaderModifier", "responseHeaderModifier": edits(**lists)}


def rewrite(prefix=None, full=None, **fields):
    if prefix:
        fields["path"] = {"type": "ReplacePrefixMatch", "replacePrefixMatch": prefix}
    if full:
        fields["path"] = {"type": "ReplaceFullPath", "replaceFullPath": full}
    return {"type": "URLRewrite", "urlRewrite": fields}


def cors(*origins, **fields):
    return {"type": "CORS", "cors": {"allowOrigins": list(origins), **fields}}


def by_path(path, *filters, backend=V1):
    return rule(backend, matches=[match(path)], filters=list(filters))


EDITS = {
    "/set": {"set": {"X-Header-Set": "set-overwrites-values"}},
    "/add": {"add": {"X-Header-Add": "add-appends-values"}},
    "/remove": {"remove": ["X-Header-Remove"]},
    "/multiple": {
        "set": {"X-Header-Set-1": "header-set-1", "X-Header-Set-2": "header-set-2"},
        "add": {"X-Header-Add-1": "header-add-1", "X-Header-Add-2": "header-add-2",
                "X-Header-Add-3": "header-add-3"},
        "remove": ["X-Header-Remove-1", "X-Header-Remove-2"]},
    "/case-insensitivity": {"set": {"X-Header-Set": "header-set"},
                            "add": {"X-Header-Add": "header-add"}, "remove": ["X-Header-Remove"]}}
# Of either direction: the path, the fields that come, what becomes of them (None: not there).
EDITED = [
    ("/set", {"Some-Other-Header": "val"},
     {"Some-Other-Header": "val", "X-Header-Set": "set-overwrites-values"}),
    ("/set", {"Some-Other-Header": "val", "X-Header-Set": "some-other-value"},
     {"Some-Other-Header": "val", "X-Header-Set": "set-overwrites-values"}),
    ("/add", {"Some-Other-Header": "val"},
     {"Some-Other-Header": "val", "X-Header-Add": "add-appends-values"}),
    ("/add", {"Some-Other-Header": "val", "X-Header-Add": "some-other-value"},
     {"Some-Other-Header": "val", "X-Header-Add": "some-other-value,add-appends-values"}),
    ("/remove", {"X-Header-Remove": "val"}, {"X-Header-Remove": None}),
    ("/multiple", {"X-Header-Set-2": "set-val-2", "X-Header-Add-2": "add-val-2",
                   "X-Header-Remove-1": "val", "X-Header-Remove-2": "remove-val-2",
                   "Another-Header": "another-header-val"},
     {"X-Header-Set-1": "header-set-1", "X-Header-Set-2": "header-set-2",
      "X-Header-Add-1": "header-add-1", "X-Header-Add-2": "add-val-2,header-add-2",
      "X-Header-Add-3": "header-add-3", "Another-Header": "another-header-val",
      "X-Header-Remove-1": None, "X-Header-Remove-2": None}),
    ("/case-insensitivity",
     {"x-header-set": "original-val-set", "x-header-add": "original-val-add",
      "x-header-remove": "original-val-remove", "Another-Header": "another-header-val"},
     {"X-Header-Set": "header-set", "X-Header-Add": "original-val-add,header-add",
      "Another-Header": "another-header-val", "X-Header-Remove": None})]
# What the tests of rewrites and of responses do to requests besides.
MIXED = {"set": {"X-Header-Set": "set-overwrites-values"},
         "add": {"X-Header-Add": "header-val-1", "X-Header-Add-Append": "header-val-2"},
         "remove": ["X-Header-Remove"]}
MIXED_SENT = {"X-Header-Remove": "remove-val", "X-Header-Add-Append": "append-val-1"}
MIXED_GOT = {"X-Header-Add": "header-val-1", "X-Header-Set": "set-overwrites-values",
             "X-Header-Add-Append": "append-val-1,header-val-2", "X-Header-Remove": None}


def said_by_server(fields):
    """The request header that has the echo server say these."""
    return {"X-Echo-Set-Header": ", ".join(f"{n}:{v}" for n, v in fields.items())}


class HeaderTest(ConformanceTest):
    def assert_requests_edited(self):
        for path, fields, expected in EDITED:
            with self.subTest(path=path, fields=fields):
                self.expect(SAME, path, V1, headers=fields, sent={"headers": expected})

    def test_HTTPRouteRequestHeaderModifier(self):
        self.start(route("request-header-modifier", *(
            by_path(path, request_edits(**lists)) for path, lists in EDITS.items())))
        self.accepted(SAME, "request-header-modifier")
        self.assert_requests_edited()

    def test_HTTPRouteBackendRequestHeaderModifier(self):
        self.start(route("request-header-modifier", *(
            rule(ref(V1, filters=[request_edits(**lists)]), matches=[match(path)])
            for path, lists in EDITS.items())))
        self.accepted(SAME, "request-header-modifier")
        self.assert_requests_edited()

    def test_HTTPRouteRequestHeaderModifierBackendWeights(self):
        self.start(route("request-header-modifier-backend-weights", rule(*(
            ref(name, weight=10, filters=[request_edits(set={"Backend": name})])
            for name in (V1, V2)))), arguments=("--seed", "1"))
        self.accepted(SAME, "request-header-modifier-backend-weights")
        client = self.connect(SAME)
        for _ in range(100):
            got = self.ask(SAME, "/", client=client).json()
            self.assertEqual([f"{name}-0" for name in got["headers"]["backend"]], [got["pod"]])
        self.assertTrue(self.servers[V1].requests and self.servers[V2].requests)

    def assert_answer(self, path, said, expected, **request):
        headers = {**request.pop("headers", {}), **said_by_server(said)}
        response = self.expect(SAME, path, V1, headers=headers, **request)
        for name, value in expected.items():
            got = response.head.all(name)
            self.assertEqual(",".join(got) if got else None, value, (name, path, said))

    def test_HTTPRouteResponseHeaderModifier(self):
        more = {"x-lowercase-add": "lowercase-add", "x-Mixedcase-ADD-1": "mixedcase-add-1",
                "X-mixeDcase-add-2": "mixedcase-add-2", "X-UPPERCASE-ADD": "uppercase-add"}
        lists = {**EDITS, "/case-insensitivity": {
            **EDITS["/case-insensitivity"], "add": {"X-Header-Add": "header-add", **more}}}
        both = {**EDITS["/multiple"], "add": {"X-Header-Add-1": "header-add-1",
                                              "X-Header-Add-2": "header-add-2"}}
        both_ways = "/response-and-request-header-modifiers"
        self.start(route("response-header-modifier", *(
            by_path(path, response_edits(**each)) for path, each in lists.items()),
            by_path(both_ways, response_edits(**both), request_edits(**MIXED))))
        self.accepted(SAME, "response-header-modifier")
        for path, said, expected in EDITED:
            with self.subTest(path=path, said=said):
                if path == "/case-insensitivity":
                    expected = {**expected, **more}
                self.assert_answer(path, said, expected)
        (_, said, expected), = [each for each in EDITED if each[0] == "/multiple"]
        expected = {**expected, "X-Header-Add-3": None, "X-Header-Echo": "echo"}
        echo = {"X-Header-Echo": "echo"}
        self.assert_answer(both_ways, {**said, **echo}, expected, headers={**MIXED_SENT, **echo},
                           sent={"headers": {**MIXED_GOT, **echo}})


class RewriteTest(ConformanceTest):
    def test_HTTPRouteRewriteHost(self):
        self.start(route("rewrite-host", by_path("/one", rewrite(hostname="one.example.org")),
                         rule(V2, filters=[rewrite(hostname="example.org")]),
                         by_path("/rewrite-host-and-modify-headers",
                                 rewrite(hostname="test.example.org"), request_edits(**MIXED),
                                 backend=V2), hostnames=["rewrite.example"]))
        self.accepted(SAME, "rewrite-host")
        self.expect_each(
            SAME, ("/one", V1, {"host": "rewrite.example", "sent": {"host": "one.example.org"}}),
            ("/two", V2, {"host": "rewrite.example", "sent": {"host": "example.org"}}),
            ("/rewrite-host-and-modify-headers", V2, {
                "host": "rewrite.example", "headers": MIXED_SENT,
                "sent": {"host": "test.example.org", "headers": MIXED_GOT}}))

    def test_HTTPRouteRewritePath(self):
        self.start(route(
            "rewrite-path", by_path("/prefix/one", rewrite(prefix="/one")),
            by_path("/strip-prefix", rewrite(prefix="/")),
            by_path("/full/one", rewrite(full="/one")),
            by_path("/full/rewrite-path-and-modify-headers", rewrite(full="/test"),
                    request_edits(**MIXED)),
            by_path("/prefix/rewrite-path-and-modify-headers", rewrite(prefix="/prefix"),
                    request_edits(**MIXED))))
        self.accepted(SAME, "rewrite-path")
        edited = {**MIXED_SENT, "X-Header-Set": "set-val"}
        self.expect_each(
            SAME, *((path, V1, {"sent": {"path": sent}}) for path, sent in (
                ("/prefix/one/two", "/one/two"), ("/strip-prefix/three", "/three"),
                ("/strip-prefix", "/"), ("/full/one/two", "/one"))),
            *((path, V1, {"headers": edited, "sent": {"path": sent, "headers": MIXED_GOT}})
              for path, sent in (
                  ("/full/rewrite-path-and-modify-headers/test", "/test"),
                  ("/prefix/rewrite-path-and-modify-headers/one", "/prefix/one"))))


class CorsTest(ConformanceTest):
    FOO, BAR, OTHER = "https://www.foo.com", "https://www.bar.com", "https://other.foo.com"
    ANYONE = "https://foobar.com"

    def setUp(self):
        super().setUp()
        every = {"allowMethods": ["*"], "allowHeaders": ["*"]}
        self.start(
            route("cors-multiple-origins-methods-headers", by_path("/cors-1", cors(
                self.FOO, "https://*.bar.com", allowMethods=["GET", "OPTIONS"],
                allowHeaders=["x-header-1", "x-header-2"], maxAge=3600, allowCredentials=True,
                exposeHeaders=["x-header-3", "x-header-4"]))),
            route("cors-wildcard-methods",
                  by_path("/cors-2", cors(self.FOO, allowMethods=["*"]))),
            route("cors-wildcard-origin", by_path("/cors-wildcard-origin", cors(
                "*", allowMethods=["PUT"], allowCredentials=False))),
            route("cors-wildcard-methods-headers",
                  by_path("/cors-wildcard-methods-headers",
                          cors("*", **every, allowCredentials=True)),
                  by_path("/cors-wildcard-methods-headers-unauth",
                          cors("*", **every, allowCredentials=False))))
        self.accepted(SAME, "cors-multiple-origins-methods-headers", "cors-wildcard-methods",
                      "cors-wildcard-origin", "cors-wildcard-methods-headers")

    def fields_of(self, response):
        """The Access-Control-* fields without that prefix, lists sorted."""
        as_set = lambda value: ", ".join(sorted(value.replace(" ", "").split(",")))
        return {n.lower().removeprefix(CORS_FIELDS): as_set(v) for n, v in response.head.headers
                if n.lower().startswith(CORS_FIELDS)}

    def preflight(self, path, origin, method, *headers):
        asked = {"access-control-request-headers": ", ".join(headers)} if headers else {}
        response = self.ask(SAME, path, "OPTIONS", {
            "Origin": origin, "access-control-request-method": method, **asked})
        self.assertIn(response.status, (200, 204))
        return self.fields_of(response)

    def simple(self, path, origin, method="GET", **headers):
        return self.fields_of(self.expect(SAME, path, V1, method=method,
                                          headers={"Origin": origin, **headers}))

    def assert_has(self, got, absent=(), **expected):
        for name, values in expected.items():
            values = (values,) if isinstance(values, str) else values
            self.assertIn(got.get(name.replace("_", "-")), values, got)
        for name in absent:
            self.assertNotIn(name, got)

    def test_HTTPRouteCORS(self):
        two = ("x-header-1", "x-header-2")
        for origin in (self.FOO, self.BAR, "https://xpto.www.bar.com"):
            self.assert_has(self.preflight("/cors-1", origin, "GET", *two), allow_origin=origin,
                            allow_methods="GET, OPTIONS", allow_headers="x-header-1, x-header-2",
                            expose_headers="x-header-3, x-header-4", max_age="3600",
                            allow_credentials="true")
        self.assert_has(self.preflight("/cors-1", self.ANYONE, "GET"), absent=["allow-origin"])
        asking = {"access-control-request-method": "GET",
                  "access-control-request-headers": "x-header-1, x-header-2"}
        for origin in (self.FOO, self.BAR):
            self.assert_has(self.simple("/cors-1", origin, **asking), allow_origin=origin)
        self.assert_has(self.simple("/cors-1", self.ANYONE), absent=["allow-origin"])
        self.assert_has(self.preflight("/cors-2", self.FOO, "POST"), allow_origin=self.FOO,
                        allow_methods=("POST", "*"), absent=["allow-credentials"])

    def test_HTTPRouteCORS_wildcards(self):
        no_credentials = ["allow-credentials"]
        for origin in (self.ANYONE, self.ANYONE + ":12345"):
            either = (origin, "*")
            self.assert_has(self.preflight("/cors-wildcard-origin", origin, "PUT"),
                            allow_origin=either, allow_methods="PUT", absent=no_credentials)
            self.assert_has(self.simple("/cors-wildcard-origin", origin, "PUT"),
                            allow_origin=either, absent=no_credentials)
        path, two = "/cors-wildcard-methods-headers", ("x-header-1", "x-header-2")
        self.assert_has(self.preflight(path, self.OTHER, "PUT", *two), allow_origin=self.OTHER,
                        allow_methods="PUT", allow_headers="x-header-1, x-header-2",
                        allow_credentials="true")
        self.assert_has(self.simple(path, self.OTHER), allow_origin=self.OTHER,
                        allow_credentials="true")
        either = (self.OTHER, "*")
        self.assert_has(self.preflight(path + "-unauth", self.OTHER, "PUT", *two),
                        allow_origin=either, allow_methods=("PUT", "*"),
                        allow_headers=("x-header-1, x-header-2", "*"), absent=no_credentials)
        self.assert_has(self.simple(path + "-unauth", self.OTHER), allow_origin=either,
                        absent=no_credentials)


class TimeoutTest(ConformanceTest):
    def check(self, name, kind, path):
        """The request without a time-out is sent first: it has waited for longer when the other
        is given up, and is answered then."""
        limited, free = f"/{path}", f"/disable-{path}"
        self.start(route(name, rule(V1, matches=[match(limited)], timeouts={kind: "500ms"}),
                         rule(V1, matches=[match(free)], timeouts={kind: "0s"})))
        self.accepted(SAME, name)
        self.expect(SAME, limited, V1)
        patient = self.connect(SAME)
        patient.request("GET", f"{free}?delay=1s", host=self.gateways[SAME])
        self.servers[V1].wait_request(lambda r: r.path == free, "the request without a time-out")
        self.expect(SAME, f"{limited}?delay=1s", status=504)
        self.delays.open()
        response = patient.read_response()
        self.assertEqual((response.status, response.json()["pod"]), (200, f"{V1}-0"))

    def test_HTTPRouteTimeoutRequest(self):
        self.check("request-timeout", "request", "request-timeout")

    def test_HTTPRouteTimeoutBackendRequest(self):
        self.check("backend-request-timeout", "backendRequest", "backend-timeout")


if __name__ == "__main__":
    unittest.main()
