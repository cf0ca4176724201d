"""Tests of Gateways and their listeners of the Gateway API's conformance suite: conditions."""

import unittest

from harness.conformance import (FALSE, INFRA, TRUE, V1, WEB, changed, gateway, grant, listener,
                                 made, match, parent, route, rule)
from harness.conformance_tls import TlsConformanceTest, https
from harness.objects import GATEWAY_CLASS

ROUTES = ["HTTPRoute"]
FINE = {"Accepted": TRUE, "ResolvedRefs": TRUE}


class ListenerTest(TlsConformanceTest):
    def test_GatewayListenerUnsupportedProtocol(self):
        only, some = ("gateway-only-unsupported-protocols",
                      "gateway-supported-and-unsupported-protocols")
        invalid = {"name": "invalid", "port": 1111, "protocol": "INVALID"}
        self.start(gateway(only, invalid), gateway(some, listener("http"), invalid))
        refused = ([], 0, {"Accepted": ("False", "UnsupportedProtocol")})
        self.gateway_conditions(only, Accepted=("False", "ListenersNotValid"))
        self.listeners(only, invalid=refused)
        self.gateway_conditions(some, Accepted=("True", "ListenersNotValid"))
        self.listeners(some, invalid=refused,
                       http=(ROUTES, 0, {"Accepted": ("True", "Accepted")}))

    def test_GatewayInvalidRouteKind(self):
        only, some = "gateway-only-invalid-route-kind", "gateway-supported-and-invalid-route-kind"
        self.start(gateway(only, listener("http", origin="All", kinds=["InvalidRoute"])),
                   gateway(some, listener("http", origin="All",
                                          kinds=["InvalidRoute", "HTTPRoute"])))
        invalid = {"ResolvedRefs": ("False", "InvalidRouteKinds")}
        self.listeners(only, http=([], 0, invalid))
        self.listeners(some, http=(ROUTES, 0, invalid))

    def test_GatewayInvalidParametersRef(self):
        name = "gateway-invalid-parameters-ref"
        self.start(gateway(name, listener("http"), infrastructure={"parametersRef": {
            "group": "invalid.io", "kind": "InvalidParameters", "name": "invalid"}}))
        self.gateway_conditions(name, Accepted=("False", "InvalidParameters"))

    def test_GatewayWithAttachedRoutes(self):
        one, two, broken = ("gateway-with-one-attached-route", "gateway-with-two-attached-routes",
                            "unresolved-gateway-with-one-attached-unresolved-route")
        here = {"kubernetes.io/metadata.name": INFRA}
        to = lambda name, of, *hosts, backend=V1, **fields: route(
            name, rule(backend), parents=[parent(of, kind="Gateway", **fields)], hostnames=hosts)
        self.start(
            gateway(one, listener("http", origin=here, kinds=ROUTES)), to("http-route-1", one),
            gateway(two, listener("http", hostname="foo.example.com", origin=here, kinds=ROUTES)),
            to("http-route-2", two), to("http-route-3", two),
            to("http-route-not-accepted", two, "not-accepted.test.com"),
            gateway(broken, https("tls", origin=here, certificate="does-not-exist", ns=None,
                                  kinds=ROUTES)),
            to("http-route-4", broken, backend="does-not-exist", sectionName="tls"))
        self.listeners(one, http=(ROUTES, 1, FINE))
        self.listeners(two, http=(ROUTES, 2, FINE))
        self.route_conditions("http-route-not-accepted", two,
                              Accepted=("False", "NoMatchingListenerHostname"))
        self.listeners(broken, tls=(ROUTES, 1, {"Programmed": FALSE, "ResolvedRefs": FALSE}))
        self.route_conditions("http-route-4", broken, ResolvedRefs=FALSE)

    def test_GatewayWithAttachedRoutesWithPort8080(self):
        name = "gateway-with-two-listeners-and-one-attached-route"
        self.start(gateway(name, listener("http-unattached", 8080, origin="All", kinds=ROUTES),
                           listener("http", origin="All", kinds=ROUTES)),
                   route("http-route-4-port-8080", rule(V1),
                         parents=[parent(name, kind="Gateway", sectionName="http")]))
        self.listeners(name, http_unattached=(ROUTES, 0, FINE), http=(ROUTES, 1, FINE))

    def test_GatewayModifyListeners(self):
        add, remove = "gateway-add-listener", "gateway-remove-listener"
        secure = https("https", hostname="secure.test.com", origin="All")
        growing = gateway(add, secure)
        shrinking = gateway(remove, secure, listener("http", origin="All"))
        routes = [route(name, rule(V1), parents=[parent(of, kind="Gateway")])
                  for name, of in (("http-route-1", add), ("http-route-2", remove))]
        self.start(growing, shrinking, *routes)
        attached = (ROUTES, 1, FINE)
        self.listeners(add, https=attached)
        self.listeners(remove, https=attached, http=attached)
        self.expect_tls(remove, "secure.test.com", "/", V1)
        data = listener("http", hostname="data.test.com", origin="All")
        self.apply(changed(growing, lambda spec: spec["listeners"].append(data)),
                   changed(shrinking, lambda spec: spec["listeners"].pop(0)), *routes)
        self.listeners(add, https=attached, http=attached)
        self.listeners(remove, http=attached)
        # What became of the traffic, too.
        self.expect(add, "/", V1, host="data.test.com")
        self.expect_tls(add, "secure.test.com", "/", V1)
        self.expect(remove, "/", V1)
        self.refuse_tls(remove, "secure.test.com")

    def test_GatewayObservedGenerationBump(self):
        name = "gateway-observed-generation-bump"
        first = gateway(name, listener("http", hostname="bar.com", origin="All"))
        self.start(first)
        self.listeners(name, http=(ROUTES, 0, FINE))
        other = listener("alternate", hostname="foo.com", origin="All")
        self.apply(changed(first, lambda spec: spec["listeners"].append(other)))
        self.assertEqual(self.object_of("Gateway", name, INFRA)["metadata"]["generation"], 2)
        self.listeners(name, http=(ROUTES, 0, FINE), alternate=(ROUTES, 0, FINE))

    def test_GatewayClassObservedGenerationBump(self):
        name = "gatewayclass-observed-generation-bump"
        first = made("GatewayClass", name, {"spec": {
            "controllerName": GATEWAY_CLASS["spec"]["controllerName"], "description": "old"}}, None)
        self.start(first)
        for each in (first, changed(first, lambda spec: spec.update(description="new"))):
            if each is not first:
                self.apply(each)
            status = self.shown("gatewayclasses", name, None)["status"]
            self.assert_conditions(self.latest(status["conditions"], each),
                                   {"Accepted": ("True", "Accepted")}, name)


class AddressTest(TlsConformanceTest):
    def test_GatewayOptionalAddressValue(self):
        name = "gateway-without-address-value"
        self.start(gateway(name, listener("http", 8080), addresses=[{"type": "IPAddress"}]))
        status = self.gateway_conditions(name, Accepted=TRUE)
        self.assertEqual([(a["type"], a["value"]) for a in status["addresses"]],
                         [("IPAddress", self.running.address)])

    def test_GatewayStaticAddresses(self):
        name, usable = "gateway-static-addresses", self.addresses.take()
        at = lambda value: {"type": "IPAddress", "value": value}
        # 192.0.2.0/24 is for documentation: no machine has an address of it.
        first = gateway(name, listener("http", 8080), addresses=[
            {"type": "test/fake-invalid-type", "value": "fake address teehee!"}, at("192.0.2.1"),
            at(usable)])
        self.start(first)
        self.gateway_conditions(name, Accepted=("False", "UnsupportedAddress"))
        second = changed(first, lambda spec: spec["addresses"].pop(0))
        self.apply(second, ready=False)  # said as soon as listening has failed
        self.gateway_conditions(name, Accepted=("True", "Accepted"),
                                Programmed=("False", "AddressNotUsable"))
        self.apply(changed(second, lambda spec: spec["addresses"].pop(0)))
        status = self.gateway_conditions(name, Accepted=("True", "Accepted"),
                                         Programmed=("True", "Programmed"))
        self.listeners(name, http=(ROUTES, 0, FINE))
        self.assertEqual(status["addresses"], [at(usable)])


class CertificateTest(TlsConformanceTest):
    INVALID = {"ResolvedRefs": ("False", "InvalidCertificateRef")}
    NOT_PERMITTED = {"ResolvedRefs": ("False", "RefNotPermitted")}
    PERMITTED = {"Programmed": ("True", "Programmed"), "ResolvedRefs": TRUE}

    def test_GatewayInvalidTLSConfiguration(self):
        cases = {"nonexistent-secret": {"certificate": "nonexistent-certificate"},
                 "unsupported-group": {"ref": {"group": "wrong.group.company.io"}},
                 "unsupported-kind": {"ref": {"kind": "WrongKind"}},
                 "malformed-secret": {"certificate": "malformed-certificate"}}
        hello = "SGVsbG8gd29ybGQK"  # base64 of what is no PEM
        malformed = made("Secret", "malformed-certificate", {
            "type": "kubernetes.io/tls", "data": {"tls.crt": hello, "tls.key": hello}}, INFRA, "v1")
        self.start(malformed, *(
            gateway(f"gateway-certificate-{case}", https("https", origin="All", ns=None, **fields))
            for case, fields in cases.items()))
        for case in cases:
            with self.subTest(case):
                self.listeners(f"gateway-certificate-{case}", https=(ROUTES, 0, self.INVALID))

    def secret_of_web(self, name, expected, *grants):
        """A Gateway of that name refers to the Secret of another namespace."""
        self.start(gateway(name, https("https", origin="All", certificate="certificate", ns=WEB)),
                   route("served", rule(V1, matches=[match("/")])), *grants)
        self.listeners(name, https=(ROUTES, 0, expected))

    def test_GatewaySecretMissingReferenceGrant(self):
        name = "gateway-secret-missing-reference-grant"
        self.secret_of_web(name, self.NOT_PERMITTED)
        self.refuse_tls(name, "example.org")

    def test_GatewaySecretInvalidReferenceGrant(self):
        ok = {"ns": WEB, "kind": "Gateway", "origin": INFRA, "to": "Secret",
              "to_name": "certificate"}
        other = "not-the-certificate-youre-looking-for"
        wrong = {"wrong-namespace": {"ns": "gateway-conformance-app-backend"},
                 "wrong-from-group": {"group": "not-the-group-youre-looking-for"},
                 "wrong-from-kind": {"kind": "HTTPRoute"},
                 "wrong-from-namespace": {"origin": "not-the-namespace-youre-looking-for"},
                 "wrong-to-group": {"to_group": "not-the-group-youre-looking-for",
                                    "to_name": other},
                 "wrong-to-kind": {"to": "Service"}, "wrong-to-name": {"to_name": other}}
        self.secret_of_web("gateway-secret-invalid-reference-grant", self.NOT_PERMITTED, *(
            grant(f"reference-grant-{what}", **{**ok, **fields}) for what, fields in wrong.items()))

    def test_GatewaySecretReferenceGrantAllInNamespace(self):
        self.secret_of_web("gateway-secret-reference-grant-all-in-namespace", self.PERMITTED, grant(
            "reference-grant-all-in-namespace", WEB, "Gateway", INFRA, "Secret"))

    def test_GatewaySecretReferenceGrantSpecific(self):
        name = "gateway-secret-reference-grant-specific"
        self.secret_of_web(name, self.PERMITTED, grant(
            "reference-grant-specific", WEB, "Gateway", INFRA, "Secret", to_name="certificate"))
        self.expect_tls(name, "example.org", "/", status=404)  # no route, but a handshake


if __name__ == "__main__":
    unittest.main()
