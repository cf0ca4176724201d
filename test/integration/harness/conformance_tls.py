"""What the conformance suite's tests of HTTPS listeners have beside the base objects."""

import ssl
import subprocess
import tempfile

from harness.authority import Authority
from harness.client import Client, Ended
from harness.conformance import (BASE_GATEWAYS, INFRA, WEB, ConformanceTest, gateway, listener,
                                 made, port)

CERTIFICATE = "tls-validity-checks-certificate"
CLIENT_CA = "tls-validity-checks-ca-certificate"
PER_PORT_CA = "tls-validity-checks-per-port-ca-certificate"
HTTPS = "same-namespace-with-https-listener"


def https(name, number=443, hostname=None, origin="Same", certificate=CERTIFICATE, ns=INFRA,
          **fields):
    """An HTTPS listener with a certificate; None as its namespace: not said."""
    reference = {"group": "", "kind": "Secret", "name": certificate, **fields.pop("ref", {})}
    if ns:
        reference["namespace"] = ns
    return listener(name, number, "HTTPS", hostname, origin,
                    tls={"certificateRefs": [reference]}, **fields)


HTTPS_GATEWAY = gateway(HTTPS, https("https"),
                        https("https-with-hostname", hostname="second-example.org"),
                        https("https-with-wildcard-hostname", hostname="*.wildcard.org"),
                        https("https-with-hostname-matching-wildcard",
                              hostname="fourth-example.wildcard.org"))


def secret(name, pair, ns=INFRA):
    return made("Secret", name, {"type": "kubernetes.io/tls", "stringData": {
        "tls.crt": pair[0], "tls.key": pair[1]}}, ns, "v1")


def authority_map(name, text, ns=INFRA):
    return made("ConfigMap", name, {"data": {"ca.crt": text}}, ns, "v1")


def validation(*names, mode=None, **fields):
    """spec.tls.frontend's `validation` by ConfigMaps of these names."""
    refs = [{"group": "", "kind": "ConfigMap", "name": name, **fields} for name in names]
    return {"validation": {"caCertificateRefs": refs, **({"mode": mode} if mode else {})}}


class TlsConformanceTest(ConformanceTest):
    BASE = [*BASE_GATEWAYS, HTTPS_GATEWAY]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folders = [tempfile.TemporaryDirectory() for _ in range(3)]
        for folder in cls.folders:
            cls.addClassCleanup(folder.cleanup)
        clients, per_port = (Authority(f.name) for f in cls.folders[:2])
        cls.clients, cls.per_port = (clients, "client"), (per_port, "client")
        clients.issue("client")
        per_port.issue("client")
        cls.server_path = f"{cls.folders[2].name}/server.crt"
        key_path = f"{cls.folders[2].name}/server.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key_path,
             "-out", cls.server_path, "-days", "30", "-subj", "/O=Acme Co", "-addext",
             "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth",
             "-addext", "subjectAltName=DNS:*,DNS:*.org,DNS:*.wildcard.org"],
            check=True, capture_output=True, timeout=60)
        with open(cls.server_path, encoding="ascii") as c, open(key_path, encoding="ascii") as k:
            pair = c.read(), k.read()
        cls.certificates = [
            secret(CERTIFICATE, pair), secret("certificate", pair, WEB),
            authority_map(CLIENT_CA, clients.read("ca.pem")),
            authority_map(PER_PORT_CA, per_port.read("ca.pem")),
            authority_map("web-backend-cm", clients.read("ca.pem"), WEB)]

    def base(self):
        return [*super().base(), *self.certificates]

    def connect_tls(self, gateway_name, name, number=443, certificate=None):
        """A connection whose handshake has ended; `certificate` is (Authority, label)."""
        context = ssl.create_default_context(cafile=self.server_path)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # trust the certificate itself
        context.check_hostname = False  # no name of it has two labels before a wildcard
        context.set_alpn_protocols(["http/1.1"])
        if certificate:
            authority, label = certificate
            context.load_cert_chain(authority.file(f"{label}.crt"), authority.file(f"{label}.key"))
        client = Client(self.gateways[gateway_name], port(number))
        self.addCleanup(client.close)
        client._socket = context.wrap_socket(client._socket, server_hostname=name)
        return client

    def expect_tls(self, gateway_name, name, path, backend=None, status=200, host=None, number=443,
                   certificate=None):
        """As expect(), with a handshake for that server name, which is the host too by default."""
        client = self.connect_tls(gateway_name, name, number, certificate)
        return self.expect(gateway_name, path, backend, status, host=host or name, client=client)

    def refuse_tls(self, gateway_name, name, number=443, certificate=None):
        """Such a connection brings no answer, if it comes to be at all."""
        with self.assertRaises((ssl.SSLError, ConnectionError, Ended)):
            client = self.connect_tls(gateway_name, name, number, certificate)
            client.request("GET", "/", host=name)
            client.read_head()
