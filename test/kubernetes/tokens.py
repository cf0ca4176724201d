"""Tokens of a service account that live for seconds; the API gives none below ten minutes."""

import base64
import json
import os
import subprocess
import threading
import time

LEEWAY_S = 60  # an API server takes a token so much longer than it says


class ShortTokens:
    """A kubeconfig whose token file is written anew, long before each token runs out, until the
    `with` ends."""

    def __init__(self, cluster, namespace, account, folder, life_s):
        self.kubeconfig = os.path.join(folder, "kubeconfig")
        self.first = ""
        self._uid = cluster.get("serviceaccount", account, "-n", namespace)["metadata"]["uid"]
        self._key = cluster.certificates / "service-account.key"
        self._namespace, self._account, self._life_s = namespace, account, life_s
        self._file = os.path.join(folder, "token")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._write_kubeconfig(cluster)

    def __enter__(self):
        self.first = self._sign()
        self._replace(self.first)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _renew(self):
        while not self._stop.wait(self._life_s / 3):
            self._replace(self._sign())

    def _replace(self, token):
        """At once, as the kubelet does it."""
        with open(self._file + ".new", "w", encoding="utf-8") as file:
            file.write(token)
        os.replace(file.name, self._file)

    def _sign(self):
        """A token as the API server makes it, but for its life."""
        issuer = "https://kubernetes.default.svc.cluster.local"
        begins = int(time.time()) - LEEWAY_S
        account = {"name": self._account, "uid": self._uid}
        claims = {"iss": issuer, "aud": [issuer], "iat": begins, "nbf": begins,
                  "exp": begins + self._life_s,
                  "sub": f"system:serviceaccount:{self._namespace}:{self._account}",
                  "kubernetes.io": {"namespace": self._namespace, "serviceaccount": account}}
        signed = b".".join(_base64(json.dumps(each).encode())
                           for each in ({"alg": "RS256", "typ": "JWT"}, claims))
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self._key],
                                   input=signed, capture_output=True, check=True).stdout
        return (signed + b"." + _base64(signature)).decode()

    def _write_kubeconfig(self, cluster):
        server = {"server": "https://127.0.0.1:6443",
                  "certificate-authority": str(cluster.certificates / "ca.crt")}
        with open(self.kubeconfig, "w", encoding="utf-8") as file:
            json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "rig",
                       "contexts": [{"name": "rig", "context": {"cluster": "rig", "user": "user"}}],
                       "clusters": [{"name": "rig", "cluster": server}],
                       "users": [{"name": "user", "user": {"tokenFile": self._file}}]}, file)


def _base64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")
