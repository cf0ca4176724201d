"""Scenarios of the Gateway API's conformance suite, in files.

    class MatchingTest(ConformanceTest):
        def test_HTTPRouteSimpleSameNamespace(self):
            self.start(route("simple", rule("infra-backend-v1")))
            self.accepted("same-namespace", "simple")
            self.expect("same-namespace", "/", "infra-backend-v1")

The suite's base objects are there: three namespaces, their Services with echo servers behind them,
the Gateways same-namespace, all-namespaces and backend-namespaces. Each Gateway has an address of
its own, so that all of them listen on the suite's ports.
"""

import copy
import functools
import json
import socket

from harness.client import Client
from harness.gateway import GatewayTest
from harness.objects import GATEWAY_CLASS
from harness.wait import Gate, eventually

GROUP = "gateway.networking.k8s.io"
INFRA = "gateway-conformance-infra"
APP = "gateway-conformance-app-backend"
WEB = "gateway-conformance-web-backend"
V1, V2, V3 = "infra-backend-v1", "infra-backend-v2", "infra-backend-v3"
BACKENDS = [(INFRA, V1), (INFRA, V2), (INFRA, V3), (APP, "app-backend-v1"), (APP, "app-backend-v2"),
            (WEB, "web-backend")]
ANY = None  # any reason
TRUE, FALSE = ("True", ANY), ("False", ANY)
UNPRIVILEGED_SHIFT = 10000  # of ports below 1024, where this process may not listen on them


# Objects

def made(kind, name, spec, ns=INFRA, version=f"{GROUP}/v1", **metadata):
    """An object with a generation, as one that an API server keeps."""
    meta = {"name": name, "generation": 1, **({"namespace": ns} if ns else {}), **metadata}
    return {"apiVersion": version, "kind": kind, "metadata": meta, **spec}


def changed(thing, edit):
    """A copy that edit(its spec) was done to, of the next generation."""
    thing = copy.deepcopy(thing)
    edit(thing["spec"])
    thing["metadata"]["generation"] += 1
    return thing


def listener(name, port=80, protocol="HTTP", hostname=None, origin="Same", kinds=(), **fields):
    """`origin`: from which namespaces routes may come, or the labels that those must have."""
    namespaces = {"from": origin} if isinstance(origin, str) else \
        {"from": "Selector", "selector": {"matchLabels": origin}}
    allowed = {"namespaces": namespaces}
    if kinds:
        allowed["kinds"] = [{"kind": k} for k in kinds]
    return {"name": name, "port": port, "protocol": protocol, "allowedRoutes": allowed,
            **({"hostname": hostname} if hostname else {}), **fields}


def gateway(name, *listeners, ns=INFRA, **fields):
    return made("Gateway", name, {"spec": {"gatewayClassName": GATEWAY_CLASS["metadata"]["name"],
                                           "listeners": list(listeners), **fields}}, ns)


def route(name, *rules, parents=("same-namespace",), hostnames=(), ns=INFRA):
    """An HTTPRoute; `parents` are names of Gateways or whole parentRefs."""
    refs = [{"name": p} if isinstance(p, str) else p for p in parents]
    return made("HTTPRoute", name, {"spec": {
        "parentRefs": refs, "rules": list(rules),
        **({"hostnames": list(hostnames)} if hostnames else {})}}, ns)


def parent(name, ns=INFRA, **fields):
    return {"name": name, "namespace": ns, **fields}


def ref(name, **fields):
    """A backendRef to a Service."""
    return {"name": name, "port": 8080, **fields}


def rule(*backends, matches=(), **fields):
    """A rule; backends are names of Services or whole backendRefs."""
    refs = [ref(b) if isinstance(b, str) else b for b in backends]
    return {**({"matches": list(matches)} if matches else {}),
            **({"backendRefs": refs} if refs else {}), **fields}


def match(path=None, exact=None, headers=None, query=None, method=None):
    """A match: of a path's prefix or of the exact path, of headers and query parameters by name."""
    named = lambda pairs: [{"name": n, "value": v} for n, v in pairs.items()]
    found = {}
    if path or exact:
        found["path"] = {"type": "Exact" if exact else "PathPrefix", "value": exact or path}
    if headers:
        found["headers"] = named(headers)
    if query:
        found["queryParams"] = named(query)
    if method:
        found["method"] = method
    return found


def grant(name, ns, kind, origin, to, group=GROUP, to_group="", to_name=None):
    """A ReferenceGrant in `ns`: `kind` of the namespace `origin` may refer to kind `to`."""
    return made("ReferenceGrant", name, {"spec": {
        "from": [{"group": group, "kind": kind, "namespace": origin}],
        "to": [{"group": to_group, "kind": to, **({"name": to_name} if to_name else {})}]}}, ns,
        f"{GROUP}/v1beta1")


def service(name, ns, ports=(("first-port", 8080),), **spec):
    return made("Service", name, {"spec": {"ports": [
        {"name": n, "port": p, "protocol": "TCP", "targetPort": 3000} for n, p in ports],
        **spec}}, ns, "v1")


def endpoint_slice(name, of, ns, port, addresses, family="IPv4"):
    return made("EndpointSlice", name, {
        "addressType": family, "ports": [{"name": "first-port", "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [a], "conditions": {"ready": True}} for a in addresses]},
        ns, "discovery.k8s.io/v1", labels={"kubernetes.io/service-name": of})


BASE_GATEWAYS = [
    gateway("same-namespace", listener("http")),
    gateway("all-namespaces", listener("http", origin="All")),
    gateway("backend-namespaces", listener("http", origin={"gateway-conformance": "backend"}))]


def namespaces():
    return [made("Namespace", name, {}, None, "v1",
                 labels={"gateway-conformance": label, "kubernetes.io/metadata.name": name})
            for name, label in ((INFRA, "infra"), (APP, "backend"), (WEB, "backend"))]


# Echo servers

def echo(ns, name, delays=None):
    """A script that tells what it got, with the response header fields that the request asks for.

    A request with ?delay= is answered when the gate `delays` opens, if ever.
    """
    def script(request, connection):
        if delays is not None and "delay=" in request.target:
            connection.wait_until(delays.is_open)
        headers = {}
        for n, v in request.head.headers:
            headers.setdefault(n.lower(), []).append(v)
        body = json.dumps({"namespace": ns, "pod": f"{name}-0", "method": request.method,
                           "path": request.target, "host": request.get("host"),
                           "headers": headers}).encode()
        fields = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        for asked in request.head.all("x-echo-set-header"):
            for field in asked.split(","):
                n, _, v = field.partition(":")
                fields.append((n.strip(), v.strip()))
        connection.send_head(200, fields)
        if request.method != "HEAD":
            connection.send(body)
    return script


@functools.cache
def low_ports_allowed():
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", 81))
        except PermissionError:
            return False
        except OSError:
            pass
    return True


def port(number):
    """The port that stands for one of the suite's: itself where this process may listen there."""
    return number if number >= 1024 or low_ports_allowed() else number + UNPRIVILEGED_SHIFT


class ConformanceTest(GatewayTest):
    BASE = BASE_GATEWAYS

    # Starting

    def start(self, *objects, arguments=()):
        """Runs the gateway with the base objects and these."""
        self.delays = Gate()
        self.servers = {name: self.model_server(echo(ns, name, self.delays), name=name)
                        for ns, name in BACKENDS}
        self.gateways = {}
        self.objects = list(objects)
        placed = [self.place(o) for o in (*self.base(), *objects)]
        self.running = self.gateway(placed, arguments=arguments)

    def base(self):
        base = namespaces()
        for ns, name in BACKENDS:
            server = self.servers[name]
            server.own_paths = set()
            base += [service(name, ns, selector={"app": name}),
                     endpoint_slice(f"{name}-1", name, ns, server.port, [server.address])]
        return base + list(self.BASE)

    def apply(self, *objects, ready=True):
        """Replaces the test's own objects by these, and waits until they are in force."""
        base = [o for o in self.loaded() if not any(same(o, own) for own in self.objects)]
        self.objects = list(objects)
        before = self.generation()
        self.running.write("objects.yaml", base + [self.place(o) for o in objects])
        eventually(lambda: self.generation() > before, "the objects are in force")
        eventually(lambda: self.running.is_ready() == ready, "/readyz 200" if ready else "503")

    def loaded(self):
        text = (self.running.folder / "objects.yaml").read_text()
        return [json.loads(part) for part in text.split("\n---\n")]

    def generation(self):
        return self.running.metrics().sum("penstock_configuration_generation")

    def place(self, thing):
        """The object with its own address if it is a Gateway, and with ports that are free."""
        thing = copy.deepcopy(thing)
        spec = thing.get("spec", {})
        if thing["kind"] == "Gateway":
            at = thing["metadata"]["name"]
            if at not in self.gateways:
                self.gateways[at] = self.addresses.take()
            spec.setdefault("addresses", [{"type": "IPAddress", "value": self.gateways[at]}])
            per_port = spec.get("tls", {}).get("frontend", {}).get("perPort", [])
            for each in [*spec["listeners"], *per_port]:
                each["port"] = port(each["port"])
        for each in spec.get("parentRefs", []):
            if "port" in each:
                each["port"] = port(each["port"])
        return thing

    # Conditions

    def shown(self, kind, name, ns=INFRA):
        """The object as the gateway tells it, its status included."""
        place = f"&namespace={ns}" if ns else ""
        response = self.running.admin(f"/get?kind={kind}&name={name}{place}&output=json")
        self.assertEqual(response.status, 200, response)
        return response.json()

    def latest(self, conditions, thing):
        """{type: (status, reason)}; all of them must be of the object's generation."""
        written = {(c["type"], c.get("observedGeneration")) for c in conditions}
        generation = thing["metadata"]["generation"]
        self.assertEqual({g for _, g in written}, {generation}, written)
        return {c["type"]: (c["status"], c["reason"]) for c in conditions}

    def assert_conditions(self, got, expected, where):
        for kind, (status, reason) in expected.items():
            self.assertIn(kind, got, (where, got))
            self.assertEqual(got[kind][0], status, (where, kind, got))
            if reason is not ANY:
                self.assertEqual(got[kind][1], reason, (where, kind, got))

    def object_of(self, kind, name, ns):
        wanted = made(kind, name, {}, ns)
        return next(o for o in self.loaded() if same(o, wanted))

    def gateway_conditions(self, name, ns=INFRA, **expected):
        status = self.shown("gateways", name, ns)["status"]
        thing = self.object_of("Gateway", name, ns)
        self.assert_conditions(self.latest(status["conditions"], thing), expected, name)
        return status

    def parents_of(self, name, ns=INFRA):
        """[(parentRef, {condition type: (status, reason)})] of a route that has parents."""
        thing = self.object_of("HTTPRoute", name, ns)
        parents = self.shown("httproutes", name, ns)["status"]["parents"]
        for each in parents:
            self.assertEqual(each["controllerName"], GATEWAY_CLASS["spec"]["controllerName"])
        return [(p["parentRef"], self.latest(p["conditions"], thing)) for p in parents]

    def route_conditions(self, name, gateway_name="same-namespace", ns=INFRA, **expected):
        """Of every parent entry of that Gateway; Accepted=TRUE, ResolvedRefs=("False", "X")."""
        entries = [c for p, c in self.parents_of(name, ns) if p["name"] == gateway_name]
        self.assertTrue(entries, f"{name} has no parent {gateway_name}")
        for conditions in entries:
            self.assert_conditions(conditions, expected, name)

    def accepted(self, gateway_name, *routes, ns=INFRA, resolved=True):
        """Gateway, its listeners and the routes are accepted, as most tests want it first."""
        status = self.shown("gateways", gateway_name)["status"]
        typed = [a["value"] for a in status["addresses"] if a.get("type")]
        self.assertEqual(typed[:1], [self.gateways[gateway_name]])
        for each in status["listeners"]:
            self.assert_conditions(
                self.latest(each["conditions"], self.object_of("Gateway", gateway_name, INFRA)),
                {"ResolvedRefs": TRUE, "Accepted": TRUE, "Programmed": TRUE}, each["name"])
        for name in routes:
            self.route_conditions(name, gateway_name, ns, Accepted=("True", "Accepted"))
            for parent_ref, _ in self.parents_of(name, ns):
                self.assertEqual((parent_ref["group"], parent_ref["kind"]), (GROUP, "Gateway"))
                self.assertIn(parent_ref.get("namespace", ns), (INFRA, ns))
            if resolved:
                self.route_conditions(name, gateway_name, ns, ResolvedRefs=("True", "ResolvedRefs"))

    def not_attached(self, name, reason, gateway_name="same-namespace", ns=INFRA):
        """Not accepted by its only parent, which has no routes."""
        self.route_conditions(name, gateway_name, ns, Accepted=("False", reason))
        self.assertEqual(len(self.parents_of(name, ns)), 1)
        listeners = self.shown("gateways", gateway_name)["status"].get("listeners", [])
        self.assertIn([each["attachedRoutes"] for each in listeners], ([], [0]))

    def listeners(self, gateway_name, **expected):
        """Exactly these listeners, "-" in their names written "_": (kinds, routes, conditions)."""
        status = self.gateway_conditions(gateway_name)
        got = {each["name"]: each for each in status["listeners"]}
        wanted = {name.replace("_", "-"): value for name, value in expected.items()}
        self.assertEqual(set(got), set(wanted))
        thing = self.object_of("Gateway", gateway_name, INFRA)
        for name, (kinds, routes, conditions) in wanted.items():
            where = (gateway_name, name, got[name])
            supported = {k["kind"] for k in got[name].get("supportedKinds", [])
                         if k.get("group", GROUP) == GROUP}
            self.assertEqual(supported, set(kinds), where)
            self.assertEqual(got[name]["attachedRoutes"], routes, where)
            self.assert_conditions(self.latest(got[name]["conditions"], thing), conditions, where)

    # Traffic

    def connect(self, gateway_name, number=80):
        """A connection to the Gateway's port that stands for the suite's one of this number."""
        client = Client(self.gateways[gateway_name], port(number))
        self.addCleanup(client.close)
        return client

    def ask(self, gateway_name, path, method="GET", headers=None, host=None, number=80,
            client=None):
        client = client or self.connect(gateway_name, number)
        client.request(method, path, list((headers or {}).items()),
                       host=host or self.gateways[gateway_name])
        return client.read_response(method)

    def expect(self, gateway_name, path, backend=None, status=200, ns=INFRA, sent=None, **request):
        """Sends a request. `backend` must get it as it was sent, but for what `sent` says: path,
        host, method and headers (None: not there). Without one, the status is all."""
        response = self.ask(gateway_name, path, **request)
        where = (path, request, response)
        self.assertEqual(response.status, status, where)
        if backend is None:
            return response
        got = response.json()
        self.assertEqual((got["namespace"], got["pod"]), (ns, f"{backend}-0"), where)
        method = request.get("method", "GET")
        wanted = {"path": path, "method": method, "headers": request.get("headers") or {},
                  "host": request.get("host") or self.gateways[gateway_name], **(sent or {})}
        for field in ("path", "method", "host"):
            self.assertEqual(got[field], wanted[field], where)
        for name, value in wanted["headers"].items():
            values = got["headers"].get(name.lower())
            self.assertEqual(",".join(values) if values else None, value, (name, where))
        return response

    def expect_each(self, gateway_name, *cases):
        """Each case is (path, backend or status, fields of the request)."""
        for path, outcome, *fields in cases:
            with self.subTest(path=path, fields=fields):
                how = {"backend": outcome} if isinstance(outcome, str) else {"status": outcome}
                self.expect(gateway_name, path, **how, **(fields[0] if fields else {}))


def same(one, other):
    key = lambda o: (o["kind"], o["metadata"]["name"], o["metadata"].get("namespace"))
    return key(one) == key(other)
