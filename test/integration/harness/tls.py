"""What tests of HTTPS listeners share."""

import socket
import ssl
import subprocess
import tempfile

from harness.address import free_port
from harness.authority import Authority
from harness.client import Client
from harness.fake_server import answer
from harness.gateway import GatewayTest
from harness.objects import gateway_objects, pool_of
from harness.wait import eventually


def tls_secret(name, certificate, key):
    return {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {"name": name}, "stringData": {"tls.crt": certificate, "tls.key": key}}


class TlsTest(GatewayTest):
    """A gateway with a port of HTTPS beside its plain one, and an authority for certificates."""

    def setUp(self):
        super().setUp()
        self.authority = Authority(self.scratch())

    def scratch(self):
        """A folder that goes with the test."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return folder.name

    def issued(self, label, names="", name=None, **options):
        """A Secret with a new certificate, which has its label as subject."""
        return tls_secret(name or label, *self.authority.issue(label, names, **options))

    def listener(self, name, hostname, *secrets):
        listener = {"name": name, "protocol": "HTTPS",
                    "tls": {"certificateRefs": [{"name": s} for s in secrets]}}
        if hostname:
            listener["hostname"] = hostname
        return listener

    def objects(self, listeners, secrets, plain_port, frontend=None, annotations=None):
        objects = gateway_objects(plain_port)
        objects[1]["metadata"]["annotations"] = annotations or {}
        objects[1]["spec"]["listeners"] += [
            {**listener, "port": self.tls_port} for listener in listeners]
        if frontend is not None:
            objects[1]["spec"]["tls"] = {"frontend": frontend}
        return objects + secrets

    def serve(self, listeners, secrets, script=answer(200, b"hello"), frontend=None,
              annotations=None, **options):
        self.server = self.model_server(script)
        gateway = self.gateway(pool_of([self.server]), **options)
        self.plain_port = gateway.port
        self.tls_port = free_port(gateway.address)
        gateway.write("gateway.yaml", self.objects(
            listeners, secrets, gateway.port, frontend, annotations))
        eventually(lambda: self.is_open(gateway), "the HTTPS port is open")
        return gateway

    def rewrite(self, gateway, listeners, secrets, frontend=None):
        """Replaces what serve() was given and waits until that is in force."""
        generation = lambda: gateway.metrics().sum("penstock_configuration_generation")
        before = generation()
        gateway.write("gateway.yaml", self.objects(listeners, secrets, gateway.port, frontend))
        eventually(lambda: generation() > before, "the configuration is served")

    def is_open(self, gateway):
        try:
            socket.create_connection((gateway.address, self.tls_port)).close()
        except ConnectionRefusedError:
            return False
        return True

    def context(self, protocols=("http/1.1",), version=None, certificate=None, ciphers=None):
        """For clients that believe the authority; `certificate`: the label of theirs."""
        context = ssl.create_default_context(cafile=self.authority.path)
        if protocols:
            context.set_alpn_protocols(protocols)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        if certificate is not None:
            context.load_cert_chain(self.authority.file(f"{certificate}.crt"),
                                    self.authority.file(f"{certificate}.key"))
        if ciphers is not None:
            context.set_ciphers(ciphers)
        return context

    def connect(self, gateway, name, session=None, context=None, **options):
        client = Client(gateway.address, self.tls_port)
        self.addCleanup(client.close)
        context = context or self.context(**options)
        client._socket = context.wrap_socket(client._socket, server_hostname=name, session=session)
        return client

    def subject(self, client):
        return client._socket.getpeercert()["subject"][0][0][1]

    def s_client(self, gateway, *arguments):
        """What openssl's client tells of a connection with these arguments."""
        done = subprocess.run(
            [*self.s_client_command(gateway), "-ign_eof", *arguments],
            input=b"GET /v1/t HTTP/1.1\r\nHost: a.example.com\r\nConnection: close\r\n\r\n",
            capture_output=True, timeout=60)
        return done.stdout.decode() + done.stderr.decode()

    def s_client_command(self, gateway):
        return ["openssl", "s_client", "-connect", f"{gateway.address}:{self.tls_port}",
                "-CAfile", self.authority.path]
