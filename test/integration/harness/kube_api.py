"""A small Kubernetes API server over plain HTTP: discovery, LIST and WATCH (no WatchList), GET of
one object, merge patches of its spec and of its status, and Leases.

It holds objects as a real one does: with resourceVersions, uids, generations and managedFields, and
items of built-in kinds without their kind.
"""

import copy
import http.server
import json
import pathlib
import socket
import threading
import urllib.parse

from harness.address import free_port

_GATEWAY = "gateway.networking.k8s.io/v1"
_X_INFERENCE = "inference.networking.x-k8s.io/v1alpha2"
_BUILT_IN = {"v1": ("Pod", "Service", "Secret", "ConfigMap", "Namespace", "Event"),
             "discovery.k8s.io/v1": ("EndpointSlice",)}
_CRDS = {_GATEWAY: ("GatewayClass", "Gateway", "HTTPRoute", "ReferenceGrant"),
         _X_INFERENCE: ("InferencePool", "InferenceModel"),
         "penstock.dev/v1alpha1": ("Backend", "ModelRelease"),
         "coordination.k8s.io/v1": ("Lease",)}
_CLUSTER_SCOPED = ("GatewayClass", "Namespace")


def _plural(kind):
    kind = kind.lower()
    return kind + "es" if kind.endswith("s") else kind + "s"


class _Resource:
    """Objects of one kind, and what became of them since the last compaction."""

    def __init__(self, api_version, kind):
        self.api_version = api_version
        self.kind = kind
        self.objects = {}
        self.events = []  # (version, type, object)
        self.compacted = 0


class KubeApi:
    """Any thread may call. stop() breaks all connections, and what it holds stays."""

    def __init__(self, address):
        self.address = address
        self.port = free_port(address)
        self._resources = {}
        for versions in (_BUILT_IN, _CRDS):
            for api_version, kinds in versions.items():
                root = "/api/" if api_version == "v1" else "/apis/"
                for kind in kinds:
                    path = f"{root}{api_version}/{_plural(kind)}"
                    self._resources[path] = _Resource(api_version, kind)
        self._changed = threading.Condition()
        self._version = 1000
        self.writes = []  # (method, path) of those that were done
        self._server = None
        self._sockets = set()
        self.start()

    # Running

    def start(self):
        api = self

        class Handler(_Handler):
            kube = api

        self._server = http.server.ThreadingHTTPServer((self.address, self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self):
        """As a restart does, it forgets what changed before: whoever comes back reads all anew."""
        if self._server is None:
            return
        self._server.shutdown()
        self._server.server_close()
        with self._changed:
            self._server = None
            for sock in self._sockets:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # the other end was faster
            self._version += 1
            for resource in self._resources.values():
                resource.events.clear()
                resource.compacted = self._version
            self._changed.notify_all()

    def kubeconfig(self, folder):
        """Writes one for this server, without a user; its path."""
        path = pathlib.Path(folder) / "kubeconfig"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test"}}],
            "clusters": [{"name": "test",
                          "cluster": {"server": f"http://{self.address}:{self.port}"}}]}))
        return str(path)

    # Objects

    def apply(self, *objects):
        """Makes them, or what there is of their names into them."""
        with self._changed:
            for given in objects:
                self._put(copy.deepcopy(given))
            self._changed.notify_all()

    def patch_spec(self, kind, name, ns="default", **fields):
        """`kubectl patch --type merge` of the spec of one that is there."""
        with self._changed:
            made = self.get(kind, name, ns)
            made["spec"] = _merged(made["spec"], fields)
            self._put(made)
            self._changed.notify_all()

    def all(self, kind):
        """Copies of all objects of that kind."""
        with self._changed:
            return [copy.deepcopy(each) for resource in self._resources.values()
                    if resource.kind == kind for each in resource.objects.values()]

    def delete(self, given):
        with self._changed:
            resource = self._resource_of(given)
            gone = resource.objects.pop(self._key(given))
            self._tell(resource, "DELETED", gone)
            self._changed.notify_all()

    def get(self, kind, name, ns="default"):
        """A copy of what is there; None if there is nothing."""
        with self._changed:
            for resource in self._resources.values():
                if resource.kind == kind and (found := resource.objects.get((ns, name))):
                    return copy.deepcopy(found)
        return None

    def _resource_of(self, given):
        root = "/api/" if given["apiVersion"] == "v1" else "/apis/"
        return self._resources[f"{root}{given['apiVersion']}/{_plural(given['kind'])}"]

    @staticmethod
    def _key(given):
        scoped = given["kind"] in _CLUSTER_SCOPED
        ns = "" if scoped else given["metadata"].get("namespace", "default")
        return ns, given["metadata"]["name"]

    def _put(self, made):
        resource = self._resource_of(made)
        key = self._key(made)
        before = resource.objects.get(key)
        metadata = made["metadata"]
        if key[0]:
            metadata["namespace"] = key[0]
        kept = before["metadata"] if before else {}
        metadata["uid"] = kept.get("uid", f"uid-{self._version}")
        metadata["creationTimestamp"] = "2026-01-02T03:04:05Z"
        metadata["generation"] = kept.get("generation", 0) + 1
        if before and "status" in before and made["apiVersion"] not in _BUILT_IN:
            made["status"] = before["status"]  # a subresource, which has writers of its own
        metadata["managedFields"] = [{"manager": "test", "operation": "Update",
                                      "fieldsV1": {"f:spec": {".": {}}}}]
        resource.objects[key] = made
        self._tell(resource, "MODIFIED" if before else "ADDED", made)

    def _tell(self, resource, what, changed):
        self._version += 1
        changed["metadata"]["resourceVersion"] = str(self._version)
        resource.events.append((self._version, what, copy.deepcopy(changed)))

    # What handlers ask for

    def find(self, path):
        return self._resources.get(path)

    def plurals_of(self, api_version):
        return [_plural(r.kind) for r in self._resources.values() if r.api_version == api_version]

    def list_of(self, resource):
        with self._changed:
            items = copy.deepcopy(list(resource.objects.values()))
            if resource.api_version in _BUILT_IN:
                for item in items:
                    del item["kind"], item["apiVersion"]
            return {"apiVersion": resource.api_version, "kind": f"{resource.kind}List",
                    "metadata": {"resourceVersion": str(self._version)}, "items": items}

    def object_at(self, path):
        """(resource, key) of a path to one object; None if it is none."""
        parts = path.strip("/").split("/")
        ns = ""
        if "namespaces" in parts[:-2]:
            at = parts.index("namespaces")
            ns = parts[at + 1]
            del parts[at:at + 2]
        resource = self._resources.get("/" + "/".join(parts[:-1]))
        return resource and (resource, (ns, parts[-1]))

    def write(self, method, path, body):
        """(status, answer) to a request that makes, replaces or patches an object."""
        with self._changed:
            if method == "POST":
                body["metadata"].setdefault("namespace", path.split("/")[-2])
                resource, key = self._resource_of(body), self._key(body)
            else:
                resource, key = self.object_at(path.removesuffix("/status"))
            there = resource.objects.get(key)
            if method == "POST" and there:
                return 409, _status(409, "already exists")
            if method != "POST" and not there:
                return 404, _status(404, "not found")
            made_of = body["metadata"].get("resourceVersion")
            if there and made_of != there["metadata"]["resourceVersion"]:
                return 409, _status(409, "the object has been modified")
            if method == "PATCH":
                part = "status" if path.endswith("/status") else "spec"
                body = {**there, "metadata": {**there["metadata"]},
                        part: _merged(there.get(part, {}), body[part])}
                resource.objects[key] = body
                self._tell(resource, "MODIFIED", body)
            else:
                self._put(body)
            self._changed.notify_all()
            self.writes.append((method, path))
            return 201 if method == "POST" else 200, copy.deepcopy(resource.objects[key])

    def events_after(self, resource, version):
        """Those that are there once there are any; None when the server stops."""
        with self._changed:
            running = self._server
            while self._server is running and running is not None:
                if version < resource.compacted:
                    return [(version, "ERROR", _status(410, "too old resource version"))]
                if later := [e for e in resource.events if e[0] > version]:
                    return later
                self._changed.wait(1)
            return None

    def note(self, sock, is_open):
        with self._changed:
            (self._sockets.add if is_open else self._sockets.discard)(sock)
            if is_open and self._server is None:
                sock.shutdown(socket.SHUT_RDWR)


def _status(code, message):
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
            "message": message}


def _merged(there, patch):
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(there) if isinstance(there, dict) else {}
    for name, value in patch.items():
        merged[name] = _merged(merged.get(name), value)
        if value is None:
            del merged[name]
    return merged


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    kube = None

    def log_message(self, *_):
        pass

    def setup(self):
        super().setup()
        self.kube.note(self.connection, True)

    def finish(self):
        self.kube.note(self.connection, False)
        try:
            super().finish()
        except OSError:
            pass  # the gateway is gone

    def handle(self):
        try:
            super().handle()
        except OSError:
            pass  # the gateway is gone, or stop() was called

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        resource = self.kube.find(url.path)
        if resource is None:
            if found := self.kube.object_at(url.path):
                there = self.kube.get(found[0].kind, found[1][1], found[1][0])
                if there is None:
                    return self._answer(404, _status(404, "not found"))
                return self._answer(200, there)
            plurals = self.kube.plurals_of(url.path.removeprefix("/apis/"))
            if not plurals:
                return self._answer(404, _status(404, "the server could not find it"))
            return self._answer(200, {"kind": "APIResourceList",
                                      "resources": [{"name": name} for name in plurals]})
        if query.get("watch") != "true":
            return self._answer(200, self.kube.list_of(resource))
        if "sendInitialEvents" in query:
            return self._answer(400, _status(400, "sendInitialEvents is forbidden for watch"))
        return self._watch(resource, int(query["resourceVersion"]))

    def do_POST(self):
        self._write()

    def do_PUT(self):
        self._write()

    def do_PATCH(self):
        self._write()

    def _write(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(*self.kube.write(self.command, self.path, body))

    def _answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _watch(self, resource, version):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.close_connection = True
        while events := self.kube.events_after(resource, version):
            for version, what, changed in events:
                line = json.dumps({"type": what, "object": changed}).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            if what == "ERROR":
                break
        self.wfile.write(b"0\r\n\r\n")
