"""Tests of BackendTLSPolicy and of a Gateway's own certificate of the conformance suite."""

import ssl
import tempfile
import unittest

from harness.authority import Authority
from harness.conformance import (INFRA, changed, echo, endpoint_slice, gateway, listener, made,
                                 match, parent, ref, route, rule, service)
from harness.conformance_tls import HTTPS, TlsConformanceTest, authority_map, secret

SAME = "same-namespace"
ABC, OTHER, DEF = "abc.example.com", "other.example.com", "def.example.com"
CA, CLIENT = "tls-checks-ca-certificate", "tls-checks-client-certificate"
ACCEPTED = {"Accepted": ("True", "Accepted")}
VALID = {**ACCEPTED, "ResolvedRefs": ("True", "ResolvedRefs")}


def policy(name, target, hostname=ABC, section=None, authority=CA, names=(), **reference):
    """A policy for a Service, or for one port of it."""
    validation = {"hostname": hostname, "caCertificateRefs": [
        {"group": "", "kind": "ConfigMap", "name": authority, **reference}]}
    if names:
        validation["subjectAltNames"] = list(names)
    target_ref = {"group": "", "kind": "Service", "name": target,
                  **({"sectionName": section} if section else {})}
    return made("BackendTLSPolicy", name, {"spec": {"targetRefs": [target_ref],
                                                    "validation": validation}})


class BackendTlsTest(TlsConformanceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.authority = Authority(folder.name)
        cls.authority.issue("server", f"{ABC} URI:spiffe://{ABC}/test-identity {OTHER}")
        cls.client_pair = cls.authority.issue("gateway")
        cls.certificates = [*cls.certificates, secret(CLIENT, cls.client_pair),
                            authority_map(CA, cls.authority.read("ca.pem")),
                            # An authority that has signed nothing of this.
                            authority_map("mismatch-ca-certificate",
                                          cls.clients[0].read("ca.pem"))]

    def tls_backend(self, asks_for_certificate=False):
        """A server behind TLS that tells the server name it was asked by."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority.file("server.crt"),
                                self.authority.file("server.key"))
        context.sni_callback = lambda sock, name, _: setattr(sock, "asked_name", name)
        if asks_for_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.authority.path)
        self.backend = self.model_server(echo(INFRA, "tls-backend"), name="tls-backend",
                                         tls=context)
        self.backend.own_paths = set()

    def services(self, ports_of):
        """Services {name: ((port's name, number, appProtocol), ...)}, all of the one server."""
        slices = [endpoint_slice(f"{name}-1", name, INFRA, self.backend.port,
                                 [self.backend.address], names=[p[0] for p in ports])
                  for name, ports in ports_of.items()]
        return [service(name, INFRA, ports, selector={"app": "tls-backend"})
                for name, ports in ports_of.items()] + slices

    def policy_conditions(self, name, gateway_name=SAME, **expected):
        thing = self.object_of("BackendTLSPolicy", name, INFRA)
        status = self.shown("backendtlspolicies", name)["status"]
        entries = [a for a in status["ancestors"] if a["ancestorRef"]["name"] == gateway_name]
        self.assertEqual(len(entries), 1, status)
        for each in status["ancestors"]:
            self.latest(each["conditions"], thing)
        self.assert_conditions(self.latest(entries[0]["conditions"], thing), expected, name)

    def expect_sni(self, path, name, gateway_name=SAME, **request):
        response = self.expect(gateway_name, path, "tls-backend", host=ABC, **request)
        self.assertEqual(response.json()["sni"], name)
        return response.json()

    def fails(self, path, *statuses):
        self.assertIn(self.ask(SAME, path, host=ABC).status, statuses or range(500, 600))

    def to_services(self, name, paths, hostnames=(ABC,)):
        """A route of exact paths {path: (Service, port)}."""
        return route(name, *(rule(ref(of, port=number, kind="Service", group=""),
                                  matches=[match(exact=path)])
                             for path, (of, number) in paths.items()),
                     parents=[parent(SAME)], hostnames=hostnames)


class PolicyTest(BackendTlsTest):
    PORTS = (("btls", 443),)
    SAID = (("btls", 443, "HTTPS"),)  # with an appProtocol

    def test_BackendTLSPolicy(self):
        self.tls_backend()
        kinds = {"": self.PORTS, "-host-mismatch": self.SAID, "-cert-mismatch": self.SAID}
        services = self.services({f"backendtlspolicy{k}-test": p for k, p in kinds.items()})
        of = lambda name, kind, *args, **fields: policy(
            name, f"backendtlspolicy{kind}-test", *args, section="btls", **fields)
        policies = [of("normative-test", ""), of("host-mismatch", "-host-mismatch",
                                                 "mismatch.example.com"),
                    of("cert-mismatch", "-cert-mismatch", authority="mismatch-ca-certificate")]
        self.start(*services, *policies, self.to_services("backendtlspolicy", {
            f"/backendtlspolicy{k}": (f"backendtlspolicy{k}-test", 443) for k in kinds}),
            route("backendtlspolicy-reencrypt", rule(
                ref("backendtlspolicy-test", port=443), matches=[match(exact="/backendtlspolicy")]),
                parents=[parent(HTTPS)], hostnames=["https-listener.org"]))
        self.accepted(SAME, "backendtlspolicy")
        for each in policies:
            self.policy_conditions(each["metadata"]["name"], **VALID)
        self.expect_sni("/backendtlspolicy", ABC)
        for kind in ("host", "cert"):
            self.fails(f"/backendtlspolicy-{kind}-mismatch")
        self.accepted(HTTPS, "backendtlspolicy-reencrypt")
        self.policy_conditions("normative-test", HTTPS, **VALID)
        response = self.expect_tls(HTTPS, "https-listener.org", "/backendtlspolicy", "tls-backend")
        self.assertEqual(response.json()["sni"], ABC)

    def test_authorities_come_and_go_in_BackendTLSPolicy(self):
        """The last part of that test: the ConfigMap of a policy is changed."""
        self.tls_backend()
        invalid = {"Accepted": ("False", "NoValidCACertificate"),
                   "ResolvedRefs": ("False", "InvalidCACertificateRef")}
        name, own = "backendtlspolicy-reconcile-test", "tls-checks-ca-certificate-reconcile-test"
        first = policy("reconcile-test", name, section="btls")
        others = [*self.services({name: self.PORTS}),
                  self.to_services("backendtlspolicy", {f"/{name}": (name, 443)})]
        self.start(*others, first)
        self.policy_conditions("reconcile-test", **VALID)
        second = changed(first, lambda spec: spec["validation"]["caCertificateRefs"][0].update(
            name=own))
        pem = self.authority.read("ca.pem")
        for texts, expected in (([], invalid), ([pem], VALID), ([""], invalid), ([pem], VALID)):
            self.apply(*others, second, *(authority_map(own, text) for text in texts))
            self.policy_conditions("reconcile-test", **expected)
            if expected is VALID:
                self.expect_sni(f"/{name}", ABC)

    def test_BackendTLSPolicySANValidation(self):
        self.tls_backend()
        dns = lambda name: {"type": "Hostname", "hostname": name}
        uri = lambda name: {"type": "URI", "uri": f"spiffe://{name}/test-identity"}
        cases = {"san-dns": ([dns(ABC)], True),
                 "san-dns-mismatch": ([dns("dce.example.com")], False),
                 "san-uri": ([uri(ABC)], True), "san-uri-mismatch": ([uri(DEF)], False),
                 "multiple-sans": ([uri(ABC), dns(ABC)], True),
                 "multiple-mismatch-sans": ([uri(DEF), dns(DEF)], False)}
        self.start(
            *self.services({f"backendtlspolicy-{case}-test": self.PORTS if case == "san-dns" else
                            self.SAID for case in cases}),
            *(policy(case, f"backendtlspolicy-{case}-test", section="btls", names=names)
              for case, (names, _) in cases.items()),
            self.to_services("backendtlspolicy-san-test", {
                f"/backendtlspolicy-{case}": (f"backendtlspolicy-{case}-test", 443)
                for case in cases}))
        self.accepted(SAME, "backendtlspolicy-san-test")
        for case, (_, served) in cases.items():
            with self.subTest(case):
                self.policy_conditions(case, **ACCEPTED)
                if served:
                    self.expect_sni(f"/backendtlspolicy-{case}", ABC)
                else:
                    self.fails(f"/backendtlspolicy-{case}")

    def test_BackendTLSPolicyConflictResolution(self):
        self.tls_backend()
        prefix, conflicted = "backendtlspolicy-", {"Accepted": ("False", "Conflicted")}
        one, with_name, both = (f"{prefix}conflicted-without-section-name-test",
                                f"{prefix}conflicted-with-section-name-test",
                                f"{prefix}not-conflicted-test")
        two = (("https-1", 443), ("https-2", 8443))
        self.start(
            *self.services({one: (("https", 443),), with_name: two, both: two}),
            policy("conflicted-without-section-name-1", one, OTHER),
            policy("conflicted-without-section-name-2", one, ABC),
            policy("conflicted-with-section-name-1", with_name, OTHER, "https-1"),
            policy("conflicted-with-section-name-2", with_name, ABC, "https-1"),
            policy("not-conflicted-with-section-name", both, OTHER, "https-1"),
            policy("not-conflicted-without-section-name", both, ABC),
            self.to_services("backendtlspolicy-conflict-resolution", {
                f"/{prefix}conflicted-without-section-name": (one, 443),
                f"/{prefix}conflicted-with-section-name": (with_name, 443),
                f"/{prefix}not-conflicted-with-section-name": (both, 443),
                f"/{prefix}not-conflicted-without-section-name": (both, 8443)}))
        self.accepted(SAME, "backendtlspolicy-conflict-resolution")
        for kind, name, expected, sni in (
                ("conflicted-without-section-name", "-1", ACCEPTED, OTHER),
                ("conflicted-without-section-name", "-2", conflicted, None),
                ("conflicted-with-section-name", "-1", ACCEPTED, OTHER),
                ("conflicted-with-section-name", "-2", conflicted, None),
                ("not-conflicted-with-section-name", "", ACCEPTED, OTHER),
                ("not-conflicted-without-section-name", "", ACCEPTED, ABC)):
            with self.subTest(kind + name):
                self.policy_conditions(kind + name, **expected)
                if sni:
                    self.expect_sni(f"/{prefix}{kind}", sni)

    def refused(self, cases, why):
        """Policies {name: what is said of their authority} are not accepted, requests fail."""
        self.tls_backend()
        target = lambda case: f"backendtlspolicy-{case}-test"
        self.start(
            *self.services({target(case): (("https", 443, "HTTPS"),) for case in cases}),
            made("ConfigMap", "malformed-ca-certificate", {"data": {}}, INFRA, "v1"),
            *(policy(case, target(case), **fields) for case, fields in cases.items()),
            self.to_services("refused", {f"/backendtlspolicy-{case}": (target(case), 443)
                                         for case in cases}))
        self.accepted(SAME, "refused", resolved=False)
        for case in cases:
            with self.subTest(case):
                self.policy_conditions(case, Accepted=("False", "NoValidCACertificate"),
                                       ResolvedRefs=("False", why))
                self.fails(f"/backendtlspolicy-{case}", 500, 502, 503)
        self.assertEqual(len(self.backend.requests), 0)

    def test_BackendTLSPolicyInvalidCACertificateRef(self):
        self.refused({f"{what}-ca-certificate-ref": {"authority": f"{what}-ca-certificate"}
                      for what in ("nonexistent", "malformed")}, "InvalidCACertificateRef")

    def test_BackendTLSPolicyInvalidKind(self):
        self.refused({"invalid-kind": {"authority": "invalid-kind", "group": "invalid.io",
                                       "kind": "InvalidKind"}}, "InvalidKind")

    def test_BackendTLSPolicyObservedGenerationBump(self):
        self.tls_backend()
        name = "observed-generation-bump"
        others = [*self.services({f"{name}-test": (("https", 443),)}),
                  route("backendtlspolicy-observed-generation-bump",
                        rule(ref(f"{name}-test", port=443)))]
        first = policy(name, f"{name}-test", section="https")
        self.start(*others, first)
        self.policy_conditions(name, **ACCEPTED)
        self.apply(*others, changed(first, lambda spec: spec["validation"].update(
            hostname="foo.example.com")))
        self.policy_conditions(name, **ACCEPTED)


class ClientCertificateTest(BackendTlsTest):
    def test_GatewayTLSBackendClientCertificate(self):
        self.tls_backend(asks_for_certificate=True)
        name = "gateway-tls-backend-client-certificate"
        of = "tls-backend-with-client-cert-validation"
        self.start(
            *self.services({of: (("https", 443),)}), policy(f"{name}-test", of),
            gateway(name, listener("http"), tls={"backend": {"clientCertificateRef": {
                "group": "", "kind": "Secret", "name": CLIENT}}}),
            route(name, rule(ref(of, port=443), matches=[match(exact="/")]),
                  parents=[parent(name)], hostnames=[ABC]))
        self.accepted(name, name)
        self.policy_conditions(f"{name}-test", name, **ACCEPTED)
        self.gateway_conditions(name, ResolvedRefs=("True", "ResolvedRefs"))
        got = self.expect_sni("/", ABC, name)
        self.assertEqual(got["peer"].split(), self.client_pair[0].split())

    def test_GatewayInvalidTLSBackendConfiguration(self):
        certificate = {"group": "", "kind": "Secret", "name": "tls-validity-checks-certificate"}
        cases = {"nonexistent-secret": {"name": "nonexistent-certificate"},
                 "unsupported-group": {"group": "wrong.group.company.io"},
                 "unsupported-kind": {"kind": "WrongKind"},
                 "malformed-secret": {"name": "malformed-client-certificate"},
                 "missing-reference-grant": {"name": "certificate",
                                             "namespace": "gateway-conformance-web-backend"}}
        self.start(
            made("Secret", "malformed-client-certificate", {"type": "Opaque", "data": {}}, INFRA,
                 "v1"),
            *(gateway(f"gateway-client-certificate-{case}", listener("http"), tls={
                "backend": {"clientCertificateRef": {**certificate, **fields}}})
              for case, fields in cases.items()))
        for case in cases:
            with self.subTest(case):
                reason = "RefNotPermitted" if case == "missing-reference-grant" else \
                    "InvalidClientCertificateRef"
                self.gateway_conditions(f"gateway-client-certificate-{case}",
                                        ResolvedRefs=("False", reason),
                                        Accepted=("True", "Accepted"))


if __name__ == "__main__":
    unittest.main()
