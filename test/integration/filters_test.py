"""Filters of HTTPRoutes over the wire. Tests named HTTPRoute... repeat the cases of those tests of
the Gateway API's conformance suite."""

import json
import unittest
import urllib.parse

from harness import (INFERENCE_GROUP, Gate, GatewayTest, answer, chat_answer, chat_body,
                     chat_events, eventually, http_route, inference_model, pool_of, stream_answer)

CHAT = "/v1/chat/completions"
MODELS = "/v1/models"
ORIGIN = "https://www.foo.com"


def headers_of(**lists):
    """The body of a header modifier: set and add are dictionaries, remove is a list."""
    pairs = lambda fields: [{"name": n, "value": v} for n, v in fields.items()]
    return {k: v if k == "remove" else pairs(v) for k, v in lists.items()}


def request_headers(**lists):
    return {"type": "RequestHeaderModifier", "requestHeaderModifier": headers_of(**lists)}


def response_headers(**lists):
    return {"type": "ResponseHeaderModifier", "responseHeaderModifier": headers_of(**lists)}


def redirect(**fields):
    return {"type": "RequestRedirect", "requestRedirect": fields}


def rewrite(**fields):
    return {"type": "URLRewrite", "urlRewrite": fields}


def cors(**fields):
    return {"type": "CORS", "cors": fields}


def full_path(path):
    return {"type": "ReplaceFullPath", "replaceFullPath": path}


def prefix_path(path):
    return {"type": "ReplacePrefixMatch", "replacePrefixMatch": path}


MULTIPLE = dict(set={"X-Header-Set-1": "header-set-1", "X-Header-Set-2": "header-set-2"},
                add={"X-Header-Add-1": "header-add-1", "X-Header-Add-2": "header-add-2",
                     "X-Header-Add-3": "header-add-3"},
                remove=["X-Header-Remove-1", "X-Header-Remove-2"])
# Name of the case, what is sent, what it becomes.
MODIFIED = [
    ("/set", {"Some-Other-Header": "val"},
     {"Some-Other-Header": "val", "X-Header-Set": "set-overwrites-values"}),
    ("/set", {"Some-Other-Header": "val", "X-Header-Set": "some-other-value"},
     {"Some-Other-Header": "val", "X-Header-Set": "set-overwrites-values"}),
    ("/add", {"Some-Other-Header": "val"},
     {"Some-Other-Header": "val", "X-Header-Add": "add-appends-values"}),
    ("/add", {"X-Header-Add": "some-other-value"},
     {"X-Header-Add": "some-other-value,add-appends-values"}),
    ("/remove", {"X-Header-Remove": "val"}, {"X-Header-Remove": None}),
    ("/multiple", {"X-Header-Set-2": "set-val-2", "X-Header-Add-2": "add-val-2",
                   "X-Header-Remove-2": "remove-val-2", "Another-Header": "another-header-val"},
     {"X-Header-Set-1": "header-set-1", "X-Header-Set-2": "header-set-2",
      "X-Header-Add-1": "header-add-1", "X-Header-Add-2": "add-val-2,header-add-2",
      "X-Header-Add-3": "header-add-3", "Another-Header": "another-header-val",
      "X-Header-Remove-1": None, "X-Header-Remove-2": None}),
    ("/case-insensitivity", {"x-header-set": "original-val-set", "x-header-add": "original-val-add",
                             "x-header-remove": "original-val-remove", "Another-Header": "kept"},
     {"X-Header-Set": "header-set", "X-Header-Add": "original-val-add,header-add",
      "x-header-remove": None, "Another-Header": "kept"})]
MODIFIERS = {
    "/set": dict(set={"X-Header-Set": "set-overwrites-values"}),
    "/add": dict(add={"X-Header-Add": "add-appends-values"}),
    "/remove": dict(remove=["X-Header-Remove"]),
    "/multiple": MULTIPLE,
    "/case-insensitivity": dict(set={"X-Header-Set": "header-set"},
                                add={"X-Header-Add": "header-add"}, remove=["X-Header-Remove"])}


class FilterTest(GatewayTest):
    """Rules by path to one pool, whose server tells what it got, or does what `script` says."""

    def start(self, rules, script=None, objects=(), **pool):
        """`rules` maps paths to lists of filters, or to a whole rule's fields."""
        self.server = self.model_server(script or answer(200, b"served"))
        self.server.own_paths.discard(MODELS)
        self.backend = {"name": "test-pool", "kind": "InferencePool", "group": INFERENCE_GROUP}
        route = http_route()
        route["spec"]["rules"] = [self.rule(path, fields) for path, fields in rules.items()]
        self.gate = self.gateway([route, *pool_of([self.server], **pool)[1:], *objects])
        return self.gate

    def rule(self, path, fields):
        fields = {"filters": fields} if isinstance(fields, list) else fields
        backends = {} if any(f["type"] == "RequestRedirect" for f in fields.get("filters", [])) \
            else {"backendRefs": [self.backend]}
        return {"matches": [{"path": {"type": "PathPrefix", "value": path}}], **backends, **fields}

    def backend_filters(self, *filters):
        return {"backendRefs": [{"name": "test-pool", "kind": "InferencePool",
                                 "group": INFERENCE_GROUP, "filters": list(filters)}]}

    def sent(self, path, headers=(), method="GET", host="test", body=None):
        """What the server got of that request."""
        response = self.gate.request(method, path, list(headers), body, host)
        self.assertEqual(response.status, 200, response)
        return self.server.requests[-1]

    def assert_fields(self, head, expected):
        for name, value in expected.items():
            got = head.all(name)
            self.assertEqual(",".join(got) if got else None, value, name)

    def locate(self, path, headers=(), host="example.test", status=302, method="GET"):
        response = self.gate.request(method, path, list(headers), host=host)
        self.assertEqual(response.status, status, response)
        self.assertEqual(response.body, b"")
        return response.get("location")

    def assert_not_reached(self):
        self.assertEqual(len(self.server.requests), 0)


class HeaderTest(FilterTest):
    def test_HTTPRouteRequestHeaderModifier(self):
        self.start({path: [request_headers(**lists)] for path, lists in MODIFIERS.items()})
        for path, headers, expected in MODIFIED:
            with self.subTest(path=path, headers=headers):
                self.assert_fields(self.sent(path, headers.items()).head, expected)

    def test_HTTPRouteBackendRequestHeaderModifier(self):
        self.start({path: self.backend_filters(request_headers(**lists))
                    for path, lists in MODIFIERS.items()})
        for path, headers, expected in MODIFIED:
            with self.subTest(path=path, headers=headers):
                self.assert_fields(self.sent(path, headers.items()).head, expected)

    def test_HTTPRouteBackendRequestHeaderModifierBackendWeights(self):
        servers = {name: self.model_server(answer(200, b"served")) for name in ("one", "two")}
        route = http_route(path="/", backendRefs=[
            {"name": name, "kind": "InferencePool", "group": INFERENCE_GROUP, "weight": 1,
             "filters": [request_headers(set={"X-Backend": name})]} for name in servers])
        gateway = self.gateway([route] + [o for name, server in servers.items()
                                          for o in pool_of([server], name=name)[1:]])
        for _ in range(60):
            self.assertEqual(gateway.get("/", [("x-backend", "client")]).status, 200)
        for name, server in servers.items():
            self.assertEqual({r.get("x-backend") for r in server.requests}, {name})

    def test_HTTPRouteResponseHeaderModifier(self):
        def script(request, connection):
            echoed = ("x-header", "some", "another")
            wanted = [(n, v) for n, v in request.head.headers if n.lower().startswith(echoed)]
            answer(200, b"served", wanted)(request, connection)
        rules = {path: [response_headers(**lists)] for path, lists in MODIFIERS.items()}
        rules |= {"/backend" + path: self.backend_filters(response_headers(**lists))
                  for path, lists in MODIFIERS.items()}
        self.start(rules, script)
        for path, headers, expected in MODIFIED:
            for place in ("", "/backend"):
                with self.subTest(path=place + path, headers=headers):
                    response = self.gate.get(place + path, list(headers.items()))
                    self.assertEqual((response.status, response.body), (200, b"served"))
                    self.assert_fields(response.head, expected)

    def test_the_rules_edits_come_before_those_of_its_backend(self):
        self.start({"/": {
            "filters": [request_headers(set={"a": "rule"}, add={"b": "rule"}, remove=["c"]),
                        response_headers(set={"a": "rule"}, add={"b": "rule"}, remove=["c"])],
            **self.backend_filters(
                request_headers(set={"a": "backend"}, add={"b": "backend", "c": "backend"}),
                response_headers(set={"a": "backend"}, add={"b": "backend", "c": "backend"}))}},
            answer(200, b"served", [("C", "server")]))
        expected = {"a": "backend", "b": "rule,backend", "c": "backend"}
        self.assert_fields(self.sent("/", [("C", "client")]).head, expected)
        self.assert_fields(self.gate.get("/").head, expected)

    def test_what_the_gateway_says_itself_may_be_edited(self):
        self.start({"/": [request_headers(
            set={"X-Forwarded-Proto": "https", "x-request-id": "mine"},
            remove=["x-forwarded-for", "Accept-Encoding"])]})
        got = self.sent("/", [("X-Request-Id", "theirs"), ("Accept-Encoding", "gzip")])
        self.assert_fields(got.head, {"x-forwarded-proto": "https", "x-request-id": "mine",
                                      "x-forwarded-for": None, "accept-encoding": None,
                                      "x-forwarded-host": "test", "host": "test"})
        self.assertEqual(self.gate.wait_handled(1)[0]["request_id"], "theirs")

    def test_what_frames_a_message_may_not_be_edited(self):
        rules = {}
        for name in ("Content-Length", "transfer-encoding", "Connection", "HOST", "Upgrade"):
            rules["/set/" + name] = [request_headers(set={name: "1"})]
            rules["/remove/" + name] = [response_headers(remove=[name])]
        rules["/backend"] = self.backend_filters(request_headers(add={"te": "trailers"}))
        self.start({**rules, "/plain": {}})
        for path in rules:
            response = self.gate.get(path)
            self.assertEqual(response.status, 500, path)
            self.assertIn("written by the gateway itself", response.json()["error"]["message"])
        self.assertEqual(self.gate.get("/plain").body, b"served")

    def test_a_name_with_two_actions_is_refused(self):
        self.start({"/two": [request_headers(set={"A": "1"}, remove=["a"])], "/one": {}})
        response = self.gate.get("/two")
        self.assertEqual(response.status, 500)
        self.assertIn("more than one action", response.json()["error"]["message"])
        self.assertEqual(self.gate.get("/one").body, b"served")

    def test_a_stream_is_edited_and_its_framing_stays(self):
        events = chat_events(["Hel", "lo"], "test-model")
        self.start({"/v1": [response_headers(set={"Cache-Control": "no-store"}, add={"x-a": "b"}),
                            request_headers(set={"Authorization": "Bearer key"})]},
                   stream_answer(events))
        response = self.gate.chat(stream=True)
        self.assertTrue(response.complete)
        self.assertEqual(response.events()[-1], "[DONE]")
        self.assert_fields(response.head, {"cache-control": "no-store", "x-a": "b",
                                           "transfer-encoding": "chunked", "content-length": None})
        self.assert_fields(self.server.requests[-1].head, {"authorization": "Bearer key"})

    def test_a_stream_that_the_gateway_begins_is_edited_too(self):
        gate = Gate("first event")
        events = chat_events(["Hi"], "test-model")
        self.start({"/v1": {"filters": [cors(allowOrigins=[ORIGIN]),
                                        response_headers(set={"Cache-Control": "no-store"})],
                            **self.backend_filters(response_headers(add={"x-a": "b"}))}},
                   stream_answer(events, {0: gate}, headers_at_once=False),
                   annotations={"penstock.dev/stream-keepalive": "100ms"})
        client = self.client(self.gate)
        client.request("POST", CHAT, [("Origin", ORIGIN)], chat_body(stream=True))
        head = client.read_final_head()
        self.assert_fields(head, {"cache-control": "no-store", "x-a": "b", "vary": "origin",
                                  "access-control-allow-origin": ORIGIN})
        gate.open()
        self.assertEqual(client.read_chunks().replace(b": keep-alive\n\n", b""), b"".join(events))

    def test_another_try_has_the_same_edits(self):
        broken = self.model_server(lambda request, connection: connection.close())
        servers = [broken, self.model_server(chat_answer())]
        route = http_route()
        route["spec"]["rules"][0].update(filters=[request_headers(set={"a": "rule"})])
        route["spec"]["rules"][0]["backendRefs"][0]["filters"] = [request_headers(set={"b": "ref"})]
        gateway = self.gateway([route, *pool_of(servers)[1:]])
        eventually(lambda: gateway.chat() and broken.requests and servers[1].requests,
                   "both are asked")
        for server in servers:
            for request in server.requests:
                self.assert_fields(request.head, {"a": "rule", "b": "ref"})

    def test_the_model_list_is_asked_for_with_the_edits(self):
        def script(request, connection):
            key = request.get("authorization")
            body = {"object": "list", "data": [{"id": key, "object": "model"}]}
            answer(200, json.dumps(body).encode())(request, connection)
        self.start({"/a": [request_headers(set={"Authorization": "Bearer a"}), rewrite(
                        hostname="llm.test", path=prefix_path("/")),
                        response_headers(set={"x-list": "a"})],
                    "/b": self.backend_filters(request_headers(set={"Authorization": "Bearer b"}))},
                   script)
        for name in "aabb":
            response = self.gate.get(f"/{name}/v1/models", [("Authorization", "Bearer client")])
            self.assertEqual([m["id"] for m in response.json()["data"]], ["Bearer " + name])
            self.assertEqual(response.get("x-list"), "a" if name == "a" else None)
        self.assertEqual({r.target for r in self.server.requests}, {MODELS})
        self.assertIn("llm.test", [r.get("host") for r in self.server.requests])


class RedirectTest(FilterTest):
    def test_HTTPRouteRedirectHostAndStatus(self):
        gateway = self.start({"/hostname-redirect": [redirect(hostname="example.org")],
                              "/status-code-301": [redirect(statusCode=301)],
                              "/host-and-status": [redirect(hostname="example.org",
                                                            statusCode=301)]})
        at = f":{gateway.port}"
        self.assertEqual(self.locate("/hostname-redirect"),
                         f"http://example.org{at}/hostname-redirect")
        self.assertEqual(self.locate("/status-code-301", status=301),
                         f"http://example.test{at}/status-code-301")
        self.assertEqual(self.locate("/host-and-status", status=301),
                         f"http://example.org{at}/host-and-status")
        self.assert_not_reached()
        lines = gateway.wait_handled(3)  # of two workers, in any order
        self.assertEqual(sorted(line["status"] for line in lines), [301, 301, 302])
        self.assertEqual({(line["outcome"], line["pod"]) for line in lines}, {("complete", "")})

    def test_HTTPRouteRedirectPath(self):
        self.start({"/original-prefix": [redirect(path=prefix_path("/replacement-prefix"))],
                    "/full": [redirect(path=full_path("/full-path-replacement"))],
                    "/path-and-host": [redirect(hostname="example.org",
                                                path=prefix_path("/replacement-prefix"))],
                    "/path-and-status": [redirect(path=prefix_path("/replacement-prefix"),
                                                  statusCode=301)],
                    "/full-path-and-host": [redirect(hostname="example.org",
                                                     path=full_path("/replacement-full"))]})
        for path, host, expected, status in (
                ("/original-prefix/lemon", "example.test", "/replacement-prefix/lemon", 302),
                ("/original-prefix/lemon?a=b&c", "example.test", "/replacement-prefix/lemon?a=b&c",
                 302),
                ("/full/path/original", "example.test", "/full-path-replacement", 302),
                ("/path-and-host", "example.org", "/replacement-prefix", 302),
                ("/path-and-status", "example.test", "/replacement-prefix", 301),
                ("/full-path-and-host", "example.org", "/replacement-full", 302)):
            url = urllib.parse.urlsplit(self.locate(path, status=status))
            self.assertEqual((url.scheme, url.hostname), ("http", host))
            self.assertEqual(url.path + ("?" + url.query if url.query else ""), expected)

    def test_HTTPRouteRedirectPort(self):
        self.start({"/port": [redirect(port=8083)],
                    "/port-and-host": [redirect(port=8083, hostname="example.org")],
                    "/port-and-status": [redirect(port=8083, statusCode=301)],
                    "/port-and-host-and-status": [redirect(port=8083, statusCode=302,
                                                           hostname="example.org")]})
        self.assertEqual(self.locate("/port"), "http://example.test:8083/port")
        self.assertEqual(self.locate("/port-and-host"), "http://example.org:8083/port-and-host")
        self.assertEqual(self.locate("/port-and-status", status=301),
                         "http://example.test:8083/port-and-status")
        self.assertEqual(self.locate("/port-and-host-and-status"),
                         "http://example.org:8083/port-and-host-and-status")

    def test_HTTPRouteRedirectScheme(self):
        self.start({"/scheme": [redirect(scheme="https")],
                    "/scheme-and-host": [redirect(scheme="https", hostname="example.org")],
                    "/scheme-and-status": [redirect(scheme="https", statusCode=301)],
                    "/scheme-and-host-and-status": [redirect(scheme="https", statusCode=302,
                                                             hostname="example.org")]})
        self.assertEqual(self.locate("/scheme", host="example.test:8080"),
                         "https://example.test/scheme")
        self.assertEqual(self.locate("/scheme-and-host"), "https://example.org/scheme-and-host")
        self.assertEqual(self.locate("/scheme-and-status", status=301),
                         "https://example.test/scheme-and-status")
        self.assertEqual(self.locate("/scheme-and-host-and-status"),
                         "https://example.org/scheme-and-host-and-status")

    def test_HTTPRouteRedirectPortAndScheme(self):
        """Of a listener on a port that is nobody's own; that on 80 is in the unit tests."""
        cases = {(None, None): f":PORT", (None, 80): "", (None, 8080): ":8080",
                 ("https", None): "s", ("https", 443): "s", ("https", 8443): "s:8443",
                 ("http", None): "", ("http", 80): "", ("http", 443): ":443"}
        rules = {}
        for scheme, port in cases:
            fields = {"hostname": "example.org", "scheme": scheme, "port": port}
            rules[f"/{scheme}-{port}"] = [redirect(**{k: v for k, v in fields.items() if v})]
        gateway = self.start(rules)
        for (scheme, port), expected in cases.items():
            path = f"/{scheme}-{port}"
            s, _, at = expected.replace("PORT", str(gateway.port)).partition(":")
            self.assertEqual(self.locate(path),
                             f"http{s}://example.org{':' + at if at else ''}{path}")

    def test_HTTPRoute303Redirect_307_308(self):
        self.start({f"/{code}": [redirect(statusCode=code)] for code in (303, 307, 308)})
        for code in (303, 307, 308):
            location = self.locate(f"/{code}", status=code, method="POST")
            self.assertEqual(urllib.parse.urlsplit(location).path, f"/{code}")

    def test_HTTPRouteBackendPathRedirect(self):
        self.start({"/": self.backend_filters(redirect(hostname="example.org", port=80,
                                                       path=prefix_path("/there")))})
        self.assertEqual(self.locate("/a"), "http://example.org/there/a")
        self.assert_not_reached()

    def test_a_redirect_comes_before_anything_that_reads_the_body(self):
        gateway = self.start({"/v1": [redirect(hostname="example.org", port=80, statusCode=308),
                                      response_headers(set={"x-a": "b"})]},
                             objects=[inference_model("declared")])
        response = gateway.post(CHAT, b"not json")
        self.assertEqual((response.status, response.get("location"), response.get("x-a")),
                         (308, "http://example.org" + CHAT, "b"))
        self.assertEqual(gateway.get(MODELS).status, 308)
        self.assertEqual(gateway.request("HEAD", MODELS).status, 308)

    def test_a_request_without_a_host_is_sent_to_a_path_of_ours(self):
        gateway = self.start({"/": [redirect(path=prefix_path("/"))]})
        with gateway.connect() as client:
            client.send(b"GET //evil.test/x HTTP/1.0\r\n\r\n")
            self.assertEqual(client.read_response().get("location"), "/evil.test/x")

    def test_what_the_gateway_api_refuses_is_refused(self):
        plain = {"path": {"value": "/x"}}
        prefix = redirect(path=prefix_path("/y"))
        bad = {
            "two": {"matches": [plain, plain], "filters": [prefix]},
            "exact": {"matches": [{"path": {"type": "Exact", "value": "/x"}}], "filters": [prefix]},
            "both": {"filters": [redirect(), rewrite(hostname="a.test")]},
            "twice": {"filters": [redirect(port=1), redirect(port=2)]},
            "backends": {"filters": [redirect()], "backendRefs": [{"name": "s", "port": 80}]},
            "code": {"filters": [redirect(statusCode=304)]},
            "wildcard": {"filters": [rewrite(hostname="*.test")]},
            "path": {"filters": [rewrite(path=full_path("a b"))]},
            "origins": {"filters": [cors(allowOrigins=["*", "https://a.test"])]},
            "value": {"filters": [request_headers(set={"a": "b\r\nc: d"})]}}
        routes = []
        for name, rule in bad.items():
            route = http_route(name=name)
            route["spec"]["rules"] = [rule]
            routes.append(route)
        gateway = self.gateway(routes)
        for name in bad:
            gateway.wait_line("Object refused", object=f"HTTPRoute default/{name}")


class RewriteTest(FilterTest):
    def test_HTTPRouteRewriteHost(self):
        edits = request_headers(set={"X-Header-Set": "set-overwrites-values"},
                                add={"X-Header-Add": "header-val-1",
                                     "X-Header-Add-Append": "header-val-2"},
                                remove=["X-Header-Remove"])
        self.start({"/one": [rewrite(hostname="one.example.org")],
                    "/": [rewrite(hostname="example.org")],
                    "/rewrite-host-and-modify-headers": [rewrite(hostname="test.example.org"),
                                                         edits]})
        for path, host in (("/one", "one.example.org"), ("/two", "example.org")):
            request = self.sent(path, host="rewrite.example")
            self.assertEqual((request.target, request.get("host")), (path, host))
            self.assertEqual(request.get("x-forwarded-host"), "rewrite.example")
        request = self.sent("/rewrite-host-and-modify-headers", [
            ("X-Header-Remove", "remove-val"), ("X-Header-Add-Append", "append-val-1")])
        self.assert_fields(request.head, {
            "host": "test.example.org", "X-Header-Add": "header-val-1", "X-Header-Remove": None,
            "X-Header-Add-Append": "append-val-1,header-val-2",
            "X-Header-Set": "set-overwrites-values"})

    def test_HTTPRouteRewritePath(self):
        edits = request_headers(set={"X-Header-Set": "set-overwrites-values"},
                                remove=["X-Header-Remove"])
        self.start({"/prefix/one": [rewrite(path=prefix_path("/one"))],
                    "/strip-prefix": [rewrite(path=prefix_path("/"))],
                    "/full/one": [rewrite(path=full_path("/one"))],
                    "/full/rewrite-path-and-modify-headers": [rewrite(path=full_path("/test")),
                                                              edits],
                    "/prefix/rewrite-path-and-modify-headers": [
                        rewrite(path=prefix_path("/prefix")), edits]})
        for path, expected in (
                ("/prefix/one/two", "/one/two"), ("/prefix/one", "/one"),
                ("/strip-prefix/three", "/three"), ("/strip-prefix", "/"), ("/strip-prefix/", "/"),
                ("/strip-prefix/a%2Fb?c=d", "/a%2Fb?c=d"), ("/%73trip-prefix/%7Ea", "/%7Ea"),
                ("http://test/strip-prefix/x?y", "/x?y"), ("/full/one/two?q", "/one?q"),
                ("/full/rewrite-path-and-modify-headers/test", "/test"),
                ("/prefix/rewrite-path-and-modify-headers/one", "/prefix/one")):
            request = self.sent(path, [("X-Header-Remove", "x"), ("X-Header-Set", "y")])
            self.assertEqual(request.target, expected, path)
            if "modify" in path:
                self.assert_fields(request.head, {"X-Header-Set": "set-overwrites-values",
                                                  "X-Header-Remove": None})

    def test_HTTPRouteBackendURLRewrite(self):
        self.start({"/full": self.backend_filters(rewrite(path=full_path("/rewritten-full"))),
                    "/prefix": {"filters": [rewrite(path=full_path("/rule"), hostname="rule.test")],
                                **self.backend_filters(
                                    rewrite(path=prefix_path("/rewritten-prefix")))}})
        self.assertEqual(self.sent("/full/original").target, "/rewritten-full")
        request = self.sent("/prefix/original")
        self.assertEqual((request.target, request.get("host")),
                         ("/rewritten-prefix/original", "rule.test"))

    def test_the_clients_path_says_which_api_it_is(self):
        """The model's name is mapped in what a team sends to a path of its own."""
        self.start({"/team": [rewrite(path=prefix_path("/"))]}, chat_answer(),
                   [inference_model("alias", targets={"real": 1})])
        body = chat_body(model="alias")
        request = self.sent("/team" + CHAT, method="POST", body=body)
        self.assertEqual((request.target, request.json()["model"]), (CHAT, "real"))


class CorsTest(FilterTest):
    RULES = {
        "/cors-1": [cors(allowOrigins=[ORIGIN, "https://*.bar.com"], allowMethods=["GET", "OPTIONS"],
                         allowHeaders=["x-header-1", "x-header-2"],
                         exposeHeaders=["x-header-3", "x-header-4"], allowCredentials=True,
                         maxAge=3600)],
        "/cors-2": [cors(allowOrigins=[ORIGIN], allowMethods=["*"])],
        "/cors-wildcard-origin": [cors(allowOrigins=["*"], allowMethods=["PUT"])],
        "/cors-wildcard-methods-headers": [cors(
            allowOrigins=["https://*.foo.com"], allowMethods=["*"], allowHeaders=["*"],
            exposeHeaders=["*"], allowCredentials=True)],
        "/cors-wildcard-methods-headers-unauth": [cors(
            allowOrigins=["https://*.foo.com"], allowMethods=["*"], allowHeaders=["*"],
            exposeHeaders=["*"])]}

    def preflight(self, path, origin, method="GET", *headers):
        fields = [("Origin", origin), ("access-control-request-method", method)]
        if headers:
            fields.append(("access-control-request-headers", ", ".join(headers)))
        response = self.gate.request("OPTIONS", path, fields)
        self.assertEqual((response.status, response.body), (200, b""))
        return {n.lower(): v for n, v in response.head.headers
                if n.lower().startswith("access-control-")}

    def simple(self, path, origin, method="GET"):
        response = self.gate.request(method, path, [("Origin", origin)])
        self.assertEqual((response.status, response.body), (200, b"served"))
        self.assertIn("origin", response.head.all("vary"))
        return {n.lower(): v for n, v in response.head.headers
                if n.lower().startswith("access-control-")}

    def test_HTTPRouteCORS(self):
        self.start(self.RULES)
        for origin in (ORIGIN, "https://www.bar.com", "https://xpto.www.bar.com",
                       "https://WWW.bar.com:443"):
            self.assertEqual(self.preflight("/cors-1", origin, "GET", "x-header-1", "x-header-2"), {
                "access-control-allow-origin": origin,
                "access-control-allow-methods": "GET, OPTIONS",
                "access-control-allow-headers": "x-header-1, x-header-2",
                "access-control-expose-headers": "x-header-3, x-header-4",
                "access-control-max-age": "3600", "access-control-allow-credentials": "true"})
            self.assertEqual(self.simple("/cors-1", origin), {
                "access-control-allow-origin": origin,
                "access-control-expose-headers": "x-header-3, x-header-4",
                "access-control-allow-credentials": "true"})
        for origin in ("https://foobar.com", "https://bar.com", "http://www.bar.com", "null",
                       "https://www.bar.com:8443", "https://www.bar.com.evil.test"):
            self.assertEqual(self.preflight("/cors-1", origin), {})
            self.assertEqual(self.simple("/cors-1", origin), {})
        self.assertEqual(self.preflight("/cors-2", ORIGIN, "POST"), {
            "access-control-allow-origin": ORIGIN, "access-control-allow-methods": "POST",
            "access-control-max-age": "5"})
        for origin in ("https://foobar.com", "https://foobar.com:12345", "null"):
            self.assertEqual(self.preflight("/cors-wildcard-origin", origin, "PUT"), {
                "access-control-allow-origin": "*", "access-control-allow-methods": "PUT",
                "access-control-max-age": "5"})
            self.assertEqual(self.simple("/cors-wildcard-origin", origin, "PUT"),
                             {"access-control-allow-origin": "*"})
        self.assertTrue(all(r.method != "OPTIONS" for r in self.server.requests))

    def test_HTTPRouteCORSAllowCredentialsBehavior(self):
        self.start(self.RULES)
        origin = "https://other.foo.com"
        allowed = {"access-control-allow-origin": origin, "access-control-allow-methods": "PUT",
                   "access-control-allow-headers": "x-header-1, x-header-2",
                   "access-control-max-age": "5"}
        self.assertEqual(self.preflight("/cors-wildcard-methods-headers", origin, "PUT",
                                        "x-header-1", "x-header-2"),
                         {**allowed, "access-control-allow-credentials": "true"})
        self.assertEqual(self.simple("/cors-wildcard-methods-headers", origin),
                         {"access-control-allow-origin": origin,
                          "access-control-allow-credentials": "true"})
        self.assertEqual(self.preflight("/cors-wildcard-methods-headers-unauth", origin, "PUT",
                                        "x-header-1", "x-header-2"),
                         {**allowed, "access-control-expose-headers": "*"})
        self.assertEqual(self.simple("/cors-wildcard-methods-headers-unauth", origin),
                         {"access-control-allow-origin": origin,
                          "access-control-expose-headers": "*"})

    def test_what_the_server_says_does_not_count(self):
        self.start(self.RULES, answer(200, b"served", [("Access-Control-Allow-Origin", "*"),
                                                       ("access-control-allow-credentials", "true"),
                                                       ("Vary", "Accept")]))
        self.assertEqual(self.simple("/cors-2", "https://evil.test"), {})
        self.assertEqual(self.simple("/cors-2", ORIGIN), {"access-control-allow-origin": ORIGIN})

    def test_a_page_may_read_errors_streams_and_the_model_list_too(self):
        events = chat_events(["Hi"], "base")

        def script(request, connection):
            if request.path == MODELS:
                answer(200, json.dumps({"object": "list", "data": [{"id": "base"}]}).encode(),
                       [("Access-Control-Allow-Origin", "http://elsewhere.test")])(
                    request, connection)
            else:
                stream_answer(events)(request, connection)
        gateway = self.start({"/v1": [cors(allowOrigins=["*"], allowHeaders=["*"]),
                                      response_headers(set={"x-a": "b"})]}, script)
        origin = ("Origin", "http://ui.example")
        stream = gateway.chat(headers=[origin], stream=True)
        refused = gateway.post(CHAT, b"{", [origin])
        models = gateway.get(MODELS, [origin])
        self.assertEqual([stream.status, refused.status, models.status], [200, 400, 200])
        for response in (stream, refused, models):
            self.assertEqual(response.get("access-control-allow-origin"), "*")
            self.assertEqual(response.get("x-a"), "b")
        # What a page asks before it may send its key.
        self.assertEqual(self.preflight(CHAT, "http://ui.example", "POST", "authorization"), {
            "access-control-allow-origin": "*", "access-control-allow-headers": "authorization",
            "access-control-max-age": "5"})

    def test_options_that_are_no_preflight_are_the_servers(self):
        self.start(self.RULES)
        self.assertEqual(self.sent("/cors-1", [("Origin", ORIGIN)], "OPTIONS").method, "OPTIONS")

    def test_the_cors_of_a_backend_ref(self):
        self.start({"/": {"filters": [cors(allowOrigins=["https://rule.test"])],
                          **self.backend_filters(cors(allowOrigins=["https://ref.test"]))}})
        self.assertEqual(self.simple("/", "https://ref.test"),
                         {"access-control-allow-origin": "https://ref.test"})
        self.assertEqual(self.simple("/", "https://rule.test"), {})


if __name__ == "__main__":
    unittest.main()
