"""HTTPRoute tests of the Gateway API's conformance suite: parents, backends, grants, weights."""

import unittest

from harness.conformance import (APP, INFRA, TRUE, V1, V2, V3, WEB, ConformanceTest, changed,
                                 endpoint_slice, gateway, grant, listener, match, parent, ref,
                                 route, rule, service)

SAME = "same-namespace"
WEB_REF = ref("web-backend", namespace=WEB)


class ParentTest(ConformanceTest):
    def test_HTTPRouteSimpleSameNamespace(self):
        self.start(route("gateway-conformance-infra-test", rule(V1)))
        self.accepted(SAME, "gateway-conformance-infra-test")
        self.expect(SAME, "/", V1)

    def test_HTTPRouteCrossNamespace(self):
        self.start(route("cross-namespace", rule("web-backend"),
                         parents=[parent("backend-namespaces")], ns=WEB))
        self.accepted("backend-namespaces", "cross-namespace", ns=WEB)
        self.expect("backend-namespaces", "/", "web-backend", ns=WEB)

    def test_HTTPRouteMultipleGateways(self):
        self.start(
            route("multiple-gateways-shared-route", rule(V1, matches=[match("/shared")]),
                  parents=[SAME, "all-namespaces"]),
            route("same-namespace-dedicated-route", rule(V2, matches=[match("/")])),
            route("all-namespaces-dedicated-route", rule(V3, matches=[match("/")]),
                  parents=["all-namespaces"]))
        for name, backend in ((SAME, V2), ("all-namespaces", V3)):
            self.accepted(name, "multiple-gateways-shared-route", f"{name}-dedicated-route")
            self.expect_each(name, ("/shared", V1), ("/", backend))

    def test_HTTPRouteInvalidCrossNamespaceParentRef(self):
        name = "invalid-cross-namespace-parent-ref"
        self.start(route(name, rule("web-backend"), parents=[parent(SAME)], ns=WEB))
        self.route_conditions(name, ns=WEB, ResolvedRefs=("True", "ResolvedRefs"))
        self.not_attached(name, "NotAllowedByListeners", ns=WEB)

    def test_HTTPRouteInvalidParentRefNotMatchingListenerPort(self):
        name = "httproute-listener-not-matching-route-port"
        self.start(route(name, rule(ref(V1, kind="Service")), parents=[parent(SAME, port=81)]))
        self.route_conditions(name, ResolvedRefs=("True", "ResolvedRefs"))
        self.not_attached(name, "NoMatchingParent")

    def test_HTTPRouteInvalidParentRefNotMatchingSectionName(self):
        name = "httproute-listener-not-matching-section-name"
        self.start(route(name, rule(ref(V1, kind="Service")),
                         parents=[parent(SAME, port=80, sectionName="http1")]))
        self.not_attached(name, "NoMatchingParent")

    def test_HTTPRouteInvalidParentRefSectionNameNotMatchingPort(self):
        name = "gateway-with-one-not-matching-port-and-section-name-route"
        self.start(gateway(name, listener("http", origin="All", kinds=["HTTPRoute"])),
                   route("httproute-listener-section-name-not-matching-port",
                         rule(ref(V1, kind="Service")),
                         parents=[parent(name, port=81, sectionName="http")]))
        self.not_attached("httproute-listener-section-name-not-matching-port", "NoMatchingParent",
                          name)

    def test_HTTPRouteDisallowedKind(self):
        self.start(gateway("tlsroutes-only", listener("tls", 443, "TLS", kinds=["TLSRoute"],
                                                      tls={"mode": "Passthrough"})),
                   route("disallowed-kind", rule(V1), parents=[parent("tlsroutes-only")]))
        self.route_conditions("disallowed-kind", "tlsroutes-only",
                              ResolvedRefs=("True", "ResolvedRefs"))
        self.not_attached("disallowed-kind", "NotAllowedByListeners", "tlsroutes-only")

    def test_HTTPRouteObservedGenerationBump(self):
        name = "observed-generation-bump"
        first = route(name, rule(V1))
        self.start(first)
        self.route_conditions(name, Accepted=TRUE)
        self.expect(SAME, "/", V1)
        self.apply(changed(first, lambda spec: spec["rules"][0]["backendRefs"][0].update(name=V2)))
        self.assertEqual(self.object_of("HTTPRoute", name, INFRA)["metadata"]["generation"], 2)
        self.route_conditions(name, Accepted=TRUE, ResolvedRefs=("True", "ResolvedRefs"))
        self.expect(SAME, "/", V2)


class BackendTest(ConformanceTest):
    def unresolved(self, reason, path="/"):
        """The test's route is accepted, its backend is not resolved and answered 500."""
        name = next(o["metadata"]["name"] for o in self.objects if o["kind"] == "HTTPRoute")
        self.accepted(SAME, name, resolved=False)
        self.route_conditions(name, ResolvedRefs=("False", reason))
        self.expect(SAME, path, status=500)

    def test_HTTPRouteInvalidBackendRefUnknownKind(self):
        self.start(route("invalid-backend-ref-unknown-kind", rule(
            ref(V1, group="unknownkind.example.com", kind="NonExistent"))))
        self.unresolved("InvalidKind", "/v2")

    def test_HTTPRouteInvalidNonExistentBackendRef(self):
        self.start(route("invalid-nonexistent-backend-ref",
                         rule(ref("nonexistent", namespace=INFRA))))
        self.unresolved("BackendNotFound")

    def test_HTTPRouteInvalidCrossNamespaceBackendRef(self):
        self.start(route("invalid-cross-namespace-backend-ref", rule(WEB_REF)))
        self.unresolved("RefNotPermitted")
        self.assertEqual(len(self.servers["web-backend"].requests), 0)

    def test_HTTPRouteInvalidReferenceGrant(self):
        ok = {"ns": WEB, "kind": "HTTPRoute", "origin": INFRA, "to": "Service",
              "to_name": "web-backend"}
        wrong = {"wrong-namespace": {"ns": INFRA},
                 "wrong-from-group": {"group": "not-the-group-youre-looking-for"},
                 "wrong-from-kind": {"kind": "Gateway"},
                 "wrong-from-namespace": {"origin": "not-the-namespace-youre-looking-for"},
                 "wrong-to-group": {"to_group": "not-the-group-youre-looking-for"},
                 "wrong-to-kind": {"to": "Secret"},
                 "wrong-to-name": {"to_name": "not-the-service-youre-looking-for"}}
        self.start(*(grant(f"reference-grant-{what}", **{**ok, **fields})
                     for what, fields in wrong.items()), route("reference-grant", rule(WEB_REF)))
        self.unresolved("RefNotPermitted")
        self.assertEqual(len(self.servers["web-backend"].requests), 0)

    def test_HTTPRouteReferenceGrant(self):
        allowed = grant("reference-grant", WEB, "HTTPRoute", INFRA, "Service",
                        to_name="web-backend")
        to_web = route("reference-grant", rule(WEB_REF))
        self.start(allowed, to_web)
        self.accepted(SAME, "reference-grant")
        self.expect(SAME, "/", "web-backend", ns=WEB)
        self.apply(to_web)
        self.unresolved("RefNotPermitted")

    def test_HTTPRoutePartiallyInvalidViaInvalidReferenceGrant(self):
        self.start(grant("invalid-reference-grant", APP, "HTTPRoute", INFRA, "Service",
                         to_name="app-backend-v1"),
                   route("invalid-reference-grant",
                         rule(ref("app-backend-v2", namespace=APP), matches=[match("/v2")]),
                         rule(ref("app-backend-v1", namespace=APP))))
        self.unresolved("RefNotPermitted", "/v2")
        self.expect(SAME, "/", "app-backend-v1", ns=APP)

    def test_HTTPRouteNoBackendRefs(self):
        self.start(route("omitted-backendrefs", rule(matches=[match(exact="/omitted-no-forward")]),
                         rule(matches=[match(exact="/empty-no-forward")], backendRefs=[]),
                         rule(V1, matches=[match("/")])))
        self.accepted(SAME, "omitted-backendrefs")
        self.expect_each(SAME, ("/forward", V1), ("/omitted-no-forward", 500),
                         ("/empty-no-forward", 500))

    def test_HTTPRouteServiceTypes(self):
        manual = ("manual-endpointslices", "headless-manual-endpointslices")
        types = {"manual-endpointslices": {}, "headless": {
            "clusterIP": "None", "selector": {"app": V1}},
            "headless-manual-endpointslices": {"clusterIP": "None"}}
        objects = [service(name, INFRA, **spec) for name, spec in types.items()]
        to_types = route("service-types", *(rule(name, matches=[match(exact="/" + name)])
                                            for name in types))
        self.start(*objects, to_types)
        # Without endpoints there is nobody to answer, which is no fault of the route.
        self.accepted(SAME, "service-types")
        self.expect_each(SAME, *(("/" + name, 503) for name in types))
        server = self.servers[V1]
        # The one of `headless` is what a cluster makes of its selector.
        slices = [endpoint_slice(f"{name}-ip4", name, INFRA, server.port, [server.address])
                  for name in (*manual, "headless")]
        slices += [endpoint_slice(f"{name}-ip6", name, INFRA, server.port, [], "IPv6")
                   for name in manual]
        self.apply(*objects, to_types, *slices)
        self.accepted(SAME, "service-types")
        self.expect_each(SAME, *(("/" + name, V1) for name in types))

    def test_HTTPRouteWeight(self):
        self.start(route("weighted-backends", rule(ref(V1, weight=70), ref(V2, weight=30),
                                                   ref(V3, weight=0))), arguments=("--seed", "1"))
        self.accepted(SAME, "weighted-backends")
        client = self.connect(SAME)
        for _ in range(500):
            self.assertEqual(self.ask(SAME, "/", client=client).status, 200)
        share = {name: len(self.servers[name].requests) / 500 for name in (V1, V2, V3)}
        self.assertEqual(share[V3], 0)
        # As much as the suite allows it to be off.
        self.assertAlmostEqual(share[V1], 0.7, delta=0.05)
        self.assertAlmostEqual(share[V2], 0.3, delta=0.05)


if __name__ == "__main__":
    unittest.main()
