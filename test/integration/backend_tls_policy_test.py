"""BackendTLSPolicy and spec.tls.backend, against model servers behind TLS.

Tests whose names begin with one of the Gateway API's conformance tests repeat what that one does.
"""

import json
import ssl
import tempfile
import unittest

from harness import (Authority, GatewayTest, chat_answer, eventually, gateway_objects, pool_of)

NAME = "abc.example.com"


def config_map(pem, name="ca"):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
            "data": {"ca.crt": pem}}


def policy(hostname=NAME, name="tls", **validation):
    """A policy of the harness' pool."""
    refs = [{"group": "", "kind": "ConfigMap", "name": "ca"}]
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "BackendTLSPolicy",
            "metadata": {"name": name},
            "spec": {"targetRefs": [{"group": "inference.networking.x-k8s.io",
                                     "kind": "InferencePool", "name": "test-pool"}],
                     "validation": {"hostname": hostname, "caCertificateRefs": refs,
                                    **validation}}}


class BackendTlsPolicyTest(GatewayTest):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.authority = Authority(folder.name)

    def tls_server(self, names=NAME, wants_certificate=False):
        server = self.model_server(chat_answer())
        server.tls = self.authority.server_context(server.name, names)
        self.asked_for = []
        server.tls.sni_callback = lambda _, name, __: self.asked_for.append(name)
        if wants_certificate:
            server.tls.verify_mode = ssl.CERT_REQUIRED
            server.tls.load_verify_locations(self.authority.path)
        return server

    def serve(self, server, *extra):
        return self.gateway([*pool_of([server]), config_map(self.authority.read("ca.pem")), *extra])

    def test_BackendTLSPolicy(self):
        server = self.tls_server()
        gateway = self.serve(server, policy())
        self.assertEqual(gateway.chat().status, 200)
        self.assertIn(NAME, self.asked_for)
        gateway.wait_scraped()
        row = gateway.admin("/get?kind=btlspolicy").body.decode().splitlines()[1].split()
        self.assertEqual(row[:3], ["default", "tls", "True"])
        shown = gateway.admin("/get?kind=btlspolicy&output=json").body.decode()
        self.assertIn("ancestorRef", shown)

    def test_BackendTLSPolicy_a_wrong_name_fails(self):
        server = self.tls_server()
        gateway = self.serve(server, policy("other.example.com"))
        response = gateway.chat()
        self.assertEqual(response.status, 502)
        self.assertEqual(response.json()["error"]["code"], "upstream_tls_failed")
        self.assertEqual(list(server.requests), [])

    def test_BackendTLSPolicySANValidation(self):
        uri = "spiffe://abc.example.com/test-identity"
        server = self.tls_server(f"{NAME} URI:{uri}")
        gateway = self.serve(server)
        for names, status in [
                ([{"type": "Hostname", "hostname": NAME}], 200),
                ([{"type": "Hostname", "hostname": "def.example.com"}], 502),
                ([{"type": "URI", "uri": uri}], 200),
                ([{"type": "URI", "uri": "spiffe://def.example.com/test-identity"}], 502),
                ([{"type": "URI", "uri": "spiffe://def.example.com/test-identity"},
                  {"type": "Hostname", "hostname": NAME}], 200)]:
            gateway.write("policy.yaml", [policy("asked.example.com", subjectAltNames=names)])
            eventually(lambda: gateway.chat().status == status, f"{status} for {names}")
        self.assertIn("asked.example.com", self.asked_for)

    def test_what_cannot_be_honoured_is_never_plain(self):
        server = self.model_server(chat_answer())  # which would take plain text
        gateway = self.serve(server)
        self.assertEqual(gateway.chat().status, 200)
        absent = [{"group": "", "kind": "ConfigMap", "name": "absent"}]
        secret = [{"group": "", "kind": "Secret", "name": "ca"}]
        old = policy()
        old["apiVersion"] = "gateway.networking.k8s.io/v1alpha2"
        for index, (bad, why) in enumerate([
                (policy(caCertificateRefs=absent), "ConfigMap default/absent does not exist"),
                (policy(caCertificateRefs=secret), "must be a ConfigMap, got Secret"),
                (policy("*.example.com"), "spec.validation.hostname: must be a host name"),
                (old, "must be gateway.networking.k8s.io/v1 or v1alpha3")]):
            bad["metadata"]["name"] = f"bad-{index}"
            sent = len(server.requests)
            gateway.write("policy.yaml", [bad])
            eventually(lambda: gateway.chat().status == 500, why)
            sent = len(server.requests)
            response = gateway.chat()
            self.assertEqual(response.status, 500)
            self.assertIn(f"BackendTLSPolicy default/bad-{index}", json.dumps(response.json()))
            self.assertEqual(len(server.requests), sent)
            refused = f"BackendTLSPolicy default/bad-{index}"
            line = gateway.wait_line("Object refused", object=refused)
            self.assertIn(why, line["error"])
            gateway.remove("policy.yaml")
            eventually(lambda: gateway.chat().status == 200, "without a policy all is plain")

    def test_GatewayBackendClientCertificate(self):
        server = self.tls_server(wants_certificate=True)
        gateway = self.serve(server, policy())
        self.assertEqual(gateway.chat().status, 502, "the server wants to know who asks")
        chain, key = self.authority.issue("gateway")
        objects = gateway_objects(gateway.port)
        objects[1]["spec"]["tls"] = {"backend": {"clientCertificateRef": {"name": "identity"}}}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "identity"},
                  "type": "kubernetes.io/tls", "stringData": {"tls.crt": chain, "tls.key": key}}
        gateway.write("gateway.yaml", [*objects, secret])
        eventually(lambda: gateway.chat().status == 200, "the Gateway's certificate is shown")
        gateway.wait_scraped()


if __name__ == "__main__":
    unittest.main()
