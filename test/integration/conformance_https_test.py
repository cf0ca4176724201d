"""Tests of HTTPS listeners of the Gateway API's conformance suite, clients' certificates too."""

import unittest

from harness.conformance import (FALSE, TRUE, V1, V2, V3, WEB, gateway, listener, match, route,
                                 rule)
from harness.conformance_tls import (CLIENT_CA, HTTPS, PER_PORT_CA, TlsConformanceTest, https,
                                     validation)

FINE = {"ResolvedRefs": TRUE, "Accepted": TRUE, "Programmed": TRUE}
FIRST, SECOND = "example.org", "second-example.org"


def at_port(port, tls):
    return {"port": port, "tls": tls}


class HttpsTest(TlsConformanceTest):
    def test_HTTPRouteHTTPSListener(self):
        self.start(route("httproute-https-test", rule(V1), parents=[HTTPS], hostnames=[FIRST]),
                   route("httproute-https-test-no-hostname", rule(V2),
                         parents=[{"name": HTTPS, "sectionName": "https-with-hostname"}]))
        self.accepted(HTTPS, "httproute-https-test", "httproute-https-test-no-hostname")
        self.expect_tls(HTTPS, FIRST, "/", V1)
        self.expect_tls(HTTPS, "unknown-example.org", "/", status=404)
        self.expect_tls(HTTPS, SECOND, "/", V2)

    def test_HTTPRouteHTTPSListenerDetectMisdirectedRequests(self):
        """Over HTTP/1.1, while the suite's clients speak HTTP/2 alone."""
        path, name = "/detect-misdirected-requests", "https-listener-detect-misdirected-requests"
        to = lambda number, section, backend, *hosts: route(
            f"{name}-test-{number}", rule(backend, matches=[match(path)]),
            parents=[{"name": HTTPS, "sectionName": section}], hostnames=hosts)
        self.start(to(1, "https", V1, FIRST), to(2, "https-with-hostname", V2),
                   to(3, "https-with-wildcard-hostname", V3),
                   to(4, "https-with-hostname-matching-wildcard", V1))
        self.accepted(HTTPS, *(f"{name}-test-{i}" for i in range(1, 5)))
        unknown, wild = "unknown-example.org", "third-example.wildcard.org"
        fourth, fifth = "fourth-example.wildcard.org", "fith-example.wildcard.org"
        for server_name, host, outcome in (
                (FIRST, FIRST, V1), (FIRST, SECOND, 421), (FIRST, unknown, 404),
                (SECOND, SECOND, V2), (SECOND, FIRST, 421), (SECOND, unknown, 421),
                (wild, wild, V3), (wild, fifth, V3), (wild, fourth, 421), (wild, SECOND, 421),
                (wild, unknown, 421), (fourth, fourth, V1), (fourth, fifth, 421),
                (unknown, FIRST, V1), (unknown, unknown, 404)):
            with self.subTest(server_name=server_name, host=host):
                how = {"backend": outcome} if isinstance(outcome, str) else {"status": outcome}
                self.expect_tls(HTTPS, server_name, path, host=host, **how)


class ClientCertificateTest(TlsConformanceTest):
    def start_with(self, name, mode=None):
        """The first listener wants certificates of one authority, the second of another."""
        routes = [f"{name}-test", f"{name}-test-no-hostname"]
        self.start(
            gateway(name, https("https"), https("https-with-hostname", 8443, SECOND),
                    tls={"frontend": {"default": validation(CLIENT_CA, mode=mode), "perPort": [
                        at_port(8443, validation(PER_PORT_CA, mode=mode))]}}),
            route(routes[0], rule(V1), parents=[name], hostnames=[FIRST]),
            route(routes[1], rule(V2), parents=[{"name": name,
                                                 "sectionName": "https-with-hostname"}]))
        self.accepted(name, *routes)

    def test_GatewayFrontendClientCertificateValidation(self):
        name = "client-validation-default"
        self.start_with(name)
        self.expect_tls(name, FIRST, "/", V1, certificate=self.clients)
        self.expect_tls(name, SECOND, "/", V2, number=8443, certificate=self.per_port)
        for certificate in (self.per_port, None):
            self.refuse_tls(name, FIRST, certificate=certificate)
        for certificate in (self.clients, None):
            self.refuse_tls(name, SECOND, 8443, certificate)
        self.assertEqual([len(self.servers[b].requests) for b in (V1, V2)], [1, 1])

    def test_GatewayFrontendClientCertificateValidationInsecureFallback(self):
        name = "client-validation-insecure-fallback"
        self.start_with(name, "AllowInsecureFallback")
        self.gateway_conditions(
            name, InsecureFrontendValidationMode=("True", "ConfigurationChanged"))
        for certificate in (self.clients, self.per_port, None):
            with self.subTest(certificate=certificate):
                self.expect_tls(name, FIRST, "/", V1, certificate=certificate)
                self.expect_tls(name, SECOND, "/", V2, number=8443, certificate=certificate)

    def test_GatewayFrontendInvalidDefaultClientCertificateValidation(self):
        name = "invalid-default-client-validation-config"
        self.start(
            gateway(name, https("https"), listener("http"), tls={"frontend": {
                "default": validation("does-not-exist"),
                "perPort": [at_port(80, validation(PER_PORT_CA))]}}),
            route(name, rule(V1), parents=[name], hostnames=[FIRST]))
        self.listeners(name, http=(["HTTPRoute"], 1, FINE), https=(["HTTPRoute"], 1, {
            "ResolvedRefs": ("False", "InvalidCACertificateRef"),
            "Accepted": ("False", "NoValidCACertificate"), "Programmed": FALSE}))
        self.expect(name, "/", V1, host=FIRST)
        self.refuse_tls(name, FIRST)

    def test_GatewayInvalidFrontendClientCertificateValidation(self):
        name = "gateway-with-invalid-client-cert-validation"
        wrong = lambda reason: (["HTTPRoute"], 0, {
            "ResolvedRefs": ("False", reason), "Accepted": ("False", "NoValidCACertificate"),
            "Programmed": FALSE})
        self.start(
            gateway(name, https("https"), https("https-unresolved", 7443, "first-example.org"),
                    https("https-invalid-kind", 8443, SECOND),
                    https("https-grant-missing", 6443, "fourth-example.org"),
                    tls={"frontend": {"default": validation(CLIENT_CA), "perPort": [
                        at_port(7443, validation("non-exisitng-cm")),
                        at_port(8443, validation(V2, kind="Service")),
                        at_port(6443, validation("web-backend-cm", namespace=WEB))]}}),
            route("misconfigured-client-certificate-validation-https-test", rule(V1),
                  parents=["client-validation-invalid"], hostnames=[FIRST]))
        self.listeners(name, https=(["HTTPRoute"], 0, FINE),
                       https_unresolved=wrong("InvalidCACertificateRef"),
                       https_invalid_kind=wrong("InvalidCACertificateKind"),
                       https_grant_missing=wrong("RefNotPermitted"))


if __name__ == "__main__":
    unittest.main()
