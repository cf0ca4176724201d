"""HTTPRoute tests of the Gateway API's conformance suite: matches, hostnames, listeners."""

import unittest

from harness.conformance import (INFRA, TRUE, V1, V2, V3, ConformanceTest, gateway, listener, match,
                                 parent, port, route, rule)


class PathAndHeaderTest(ConformanceTest):
    def test_HTTPRouteExactPathMatching(self):
        self.start(route("exact-matching", rule(V1, matches=[match(exact="/one")]),
                         rule(V2, matches=[match(exact="/two")])))
        self.accepted("same-namespace", "exact-matching")
        self.expect_each("same-namespace", ("/one", V1), ("/two", V2), ("/", 404),
                         ("/one/example", 404), ("/two/", 404), ("/Two", 404))

    def test_HTTPRouteHeaderMatching(self):
        by = lambda **headers: match(headers=headers)
        self.start(route(
            "header-matching", rule(V1, matches=[by(version="one")]),
            rule(V2, matches=[by(version="two")]),
            rule(V1, matches=[by(version="two", color="orange")]),
            rule(V1, matches=[by(color="blue"), by(color="green")]),
            rule(V2, matches=[by(color="red"), by(color="yellow")])))
        self.accepted("same-namespace", "header-matching")
        self.expect_each("same-namespace", *(("/", outcome, {"headers": headers})
                                             for headers, outcome in (
            ({"Version": "one"}, V1), ({"Version": "two"}, V2),
            ({"Version": "two", "Color": "orange"}, V1), ({"Version": "two", "Color": "blue"}, V2),
            ({"Color": "orange"}, 404), ({"Some-Other-Header": "one"}, 404),
            ({"Color": "blue"}, V1), ({"Color": "green"}, V1), ({"Color": "red"}, V2),
            ({"Color": "yellow"}, V2), ({"Color": "purple"}, 404))))

    def test_HTTPRouteMatching(self):
        self.start(route(
            "matching", rule(V1, matches=[match("/"), match(headers={"version": "one"})]),
            rule(V2, matches=[match("/v2"), match(headers={"version": "two"})])))
        self.accepted("same-namespace", "matching")
        self.expect_each(
            "same-namespace", ("/", V1), ("/example", V1),
            ("/", V1, {"headers": {"Version": "one"}}), ("/v2", V2), ("/v2/example", V2),
            ("/", V2, {"headers": {"Version": "two"}}), ("/v2/", V2), ("/v2example", V1),
            ("/foo/v2/example", V1))

    def test_HTTPRouteMatchingAcrossRoutes(self):
        self.start(
            route("matching-part1",
                  rule(V1, matches=[match("/"), match(headers={"version": "one"})]),
                  hostnames=["example.com", "example.net"]),
            route("matching-part2",
                  rule(V2, matches=[match("/v2"), match(headers={"version": "two"})]),
                  hostnames=["example.com"]))
        self.accepted("same-namespace", "matching-part1", "matching-part2")
        com, net = {"host": "example.com"}, {"host": "example.net"}
        self.expect_each(
            "same-namespace", ("/", V1, com), ("/example", V1, com), ("/example", V1, net),
            ("/example", V1, {**com, "headers": {"Version": "one"}}), ("/v2", V2, com),
            ("/v2", V1, net), ("/v2/example", V2, com),
            ("/", V2, {**com, "headers": {"Version": "two"}}))

    def test_HTTPRoutePathMatchOrder(self):
        self.start(route("path-matching-order", *(
            rule(backend, matches=[match(**path)]) for path, backend in (
                ({"exact": "/match"}, V1), ({"exact": "/match/exact"}, V2),
                ({"exact": "/match/exact/one"}, V3), ({"path": "/match/"}, V3),
                ({"path": "/match/prefix/"}, V1), ({"path": "/match/prefix/one"}, V2)))))
        self.accepted("same-namespace", "path-matching-order")
        self.expect_each(
            "same-namespace", ("/match/exact/one", V3), ("/match/exact", V2), ("/match", V1),
            ("/match/prefix/one/any", V2), ("/match/prefix/any", V1), ("/match/any", V3))


class MethodAndQueryTest(ConformanceTest):
    def test_HTTPRouteMethodMatching(self):
        self.start(route("method-matching", *(
            rule(backend, matches=matches) for backend, *matches in (
                (V1, match(method="POST")), (V2, match(method="GET")),
                (V1, match("/path1", method="GET")),
                (V2, match(headers={"version": "one"}, method="PUT")),
                (V3, match("/path2", headers={"version": "two"}, method="POST")),
                (V1, match("/path3", method="PATCH"),
                 match("/path4", headers={"version": "three"}, method="DELETE")),
                (V1, match("/path5")), (V2, match(method="PATCH")),
                (V3, match(headers={"version": "four"}))))))
        self.accepted("same-namespace", "method-matching")
        of = lambda method, version=None: {
            "method": method, **({"headers": {"version": version}} if version else {})}
        self.expect_each(
            "same-namespace", ("/", V1, of("POST")), ("/", V2, of("GET")), ("/", 404, of("HEAD")),
            ("/path1", V1, of("GET")), ("/", V2, of("PUT", "one")),
            ("/path2", V3, of("POST", "two")), ("/path3", V1, of("PATCH")),
            ("/path4", V1, of("DELETE", "three")), ("/", 404, of("PUT")),
            ("/path4", 404, of("DELETE")), ("/path5", V1, of("PATCH")),
            ("/", V2, of("PATCH", "four")))

    def test_HTTPRouteQueryParamMatching(self):
        animal = lambda kind, path=None, **headers: match(path, query={"animal": kind},
                                                          headers=headers)
        self.start(route("query-param-matching", *(
            rule(backend, matches=matches) for backend, *matches in (
                (V1, animal("whale")), (V2, animal("dolphin")),
                (V3, match(query={"animal": "dolphin", "color": "blue"}),
                 match(query={"ANIMAL": "Whale"})),
                (V1, animal("whale", "/path1")), (V2, animal("whale", version="one")),
                (V3, animal("whale", "/path2", version="two")),
                (V1, animal("shark", "/path3"), animal("kraken", "/path4", version="three")),
                (V1, match("/path5")), (V2, animal("hydra")),
                (V3, match(headers={"version": "four"}))))))
        self.accepted("same-namespace", "query-param-matching")
        version = lambda value: {"headers": {"version": value}}
        self.expect_each(
            "same-namespace", ("/?animal=whale", V1), ("/?animal=dolphin", V2),
            ("/?animal=dolphin&color=blue", V3), ("/?ANIMAL=Whale", V3),
            ("/?animal=whale&otherparam=irrelevant", V1), ("/?animal=dolphin&color=yellow", V2),
            ("/?color=blue", 404), ("/?animal=dog", 404), ("/?animal=whaledolphin", 404),
            ("/", 404), ("/path1?animal=whale", V1), ("/?animal=whale", V2, version("one")),
            ("/path2?animal=whale", V3, version("two")), ("/path3?animal=shark", V1),
            ("/path4?animal=kraken", V1, version("three")), ("/?animal=shark", 404),
            ("/path4?animal=kraken", 404), ("/path5?animal=hydra", V1),
            ("/?animal=hydra", V3, version("four")))


class NamedRuleTest(ConformanceTest):
    def test_HTTPRouteNamedRule(self):
        self.start(route("http-named-rules", rule(V1, matches=[match("/named")], name="named-rule"),
                         rule(V2, matches=[match("/unnamed")])))
        self.accepted("same-namespace", "http-named-rules")
        self.expect_each("same-namespace", ("/named", V1), ("/unnamed", V2))


class HostnameTest(ConformanceTest):
    def test_HTTPRouteListenerHostnameMatching(self):
        name = "httproute-listener-hostname-matching"
        at = lambda section: parent(name, sectionName=section)
        self.start(
            gateway(name, listener("listener-1", hostname="bar.com"),
                    listener("listener-2", hostname="foo.bar.com"),
                    listener("listener-3", hostname="*.bar.com"),
                    listener("listener-4", hostname="*.foo.com")),
            route("backend-v1", rule(V1), parents=[at("listener-1")]),
            route("backend-v2", rule(V2), parents=[at("listener-2")]),
            route("backend-v3", rule(V3), parents=[at("listener-3"), at("listener-4")]))
        self.accepted(name, "backend-v1", "backend-v2", "backend-v3")
        self.assertEqual([p.get("sectionName") for p, _ in self.parents_of("backend-v3")],
                         ["listener-3", "listener-4"])
        self.expect_each(name, *(("/", outcome, {"host": host}) for host, outcome in (
            ("bar.com", V1), ("foo.bar.com", V2), ("baz.bar.com", V3), ("boo.bar.com", V3),
            ("multiple.prefixes.bar.com", V3), ("multiple.prefixes.foo.com", V3), ("foo.com", 404),
            ("no.matching.host", 404))))

    def test_HTTPRouteListenerPortMatching(self):
        name = "httproute-listener-port-matching"
        self.start(
            gateway(name, listener("listener-1", 80, hostname="foo.com"),
                    listener("listener-2", 8080, hostname="foo.com"),
                    listener("listener-3", 8080, hostname="bar.com"),
                    listener("listener-4", 8090, hostname="foo.com"),
                    listener("listener-5", 8090, hostname="bar.com")),
            route("backend-v1", rule(V1), parents=[parent(name, port=80)]),
            route("backend-v2", rule(V2), parents=[parent(name, port=8080)]),
            route("backend-v3", rule(V3), parents=[
                parent(name, port=8090, sectionName="listener-4")]))
        self.accepted(name, "backend-v1", "backend-v2", "backend-v3")
        self.assertEqual([p["port"] for p, _ in self.parents_of("backend-v1")], [port(80)])
        self.expect_each(name, *(("/", outcome, {"host": host, "number": number})
                                 for host, number, outcome in (
            ("foo.com", 80, V1), ("foo.com:8080", 8080, V2), ("bar.com:8080", 8080, V2),
            ("foo.com:8090", 8090, V3), ("bar.com:8090", 8090, 404))))

    def test_HTTPRouteHostnameIntersection(self):
        name, every = "httproute-hostname-intersection", "httproute-hostname-intersection-all"
        to = lambda label, path, backend, *hosts: route(
            label, rule(backend, matches=[match(path)]), parents=[parent(name)], hostnames=hosts)
        self.start(
            gateway(name, listener("listener-1", hostname="very.specific.com"),
                    listener("listener-2", hostname="*.wildcard.io"),
                    listener("listener-3", hostname="*.anotherwildcard.io")),
            gateway(every, listener("listener-1")),
            to("specific-host-matches-listener-specific-host", "/s1", V1, "non.matching.com",
               "*.nonmatchingwildcard.io", "very.specific.com"),
            to("specific-host-matches-listener-wildcard-host", "/s2", V2, "non.matching.com",
               "wildcard.io", "foo.wildcard.io", "bar.wildcard.io", "foo.bar.wildcard.io"),
            to("wildcard-host-matches-listener-specific-host", "/s3", V3, "non.matching.com",
               "*.specific.com"),
            to("wildcard-host-matches-listener-wildcard-host", "/s4", V1, "*.anotherwildcard.io"),
            to("no-intersecting-hosts", "/s5", V2, "specific.but.wrong.com", "wildcard.io"),
            route(every, rule(V2), parents=[parent(every)],
                  hostnames=["first.com", "sub.first.com", "second.com", "sub.second.com"]))
        self.accepted(name, *(f"{kind}-host-matches-listener-{of}-host"
                              for kind in ("specific", "wildcard")
                              for of in ("specific", "wildcard")))
        self.expect_each(name, *((path, outcome, {"host": host}) for host, path, outcome in (
            ("very.specific.com", "/s1", V1), ("very.specific.com:1234", "/s1", V1),
            ("non.matching.com", "/s1", 404), ("foo.nonmatchingwildcard.io", "/s1", 404),
            ("foo.wildcard.io", "/s1", 404), ("very.specific.com", "/non-matching-prefix", 404),
            ("foo.wildcard.io", "/s2", V2), ("bar.wildcard.io", "/s2", V2),
            ("foo.bar.wildcard.io", "/s2", V2), ("non.matching.com", "/s2", 404),
            ("wildcard.io", "/s2", 404), ("very.specific.com", "/s2", 404),
            ("foo.wildcard.io", "/non-matching-prefix", 404),
            ("very.specific.com", "/s3", V3), ("non.matching.com", "/s3", 404),
            ("foo.specific.com", "/s3", 404), ("foo.wildcard.io", "/s3", 404),
            ("foo.anotherwildcard.io", "/s4", V1), ("bar.anotherwildcard.io", "/s4", V1),
            ("foo.bar.anotherwildcard.io", "/s4", V1), ("anotherwildcard.io", "/s4", 404),
            ("foo.wildcard.io", "/s4", 404), ("very.specific.com", "/s4", 404),
            ("foo.anotherwildcard.io", "/non-matching-prefix", 404),
            ("specific.but.wrong.com", "/s5", 404), ("wildcard.io", "/s5", 404))))
        self.route_conditions("no-intersecting-hosts", name,
                              Accepted=("False", "NoMatchingListenerHostname"))
        (parent_ref, _), = self.parents_of("no-intersecting-hosts")
        self.assertEqual(parent_ref["namespace"], INFRA)
        fine = {"Accepted": TRUE, "ResolvedRefs": TRUE}
        self.listeners(name, listener_1=(["HTTPRoute"], 2, fine),
                       listener_2=(["HTTPRoute"], 1, fine), listener_3=(["HTTPRoute"], 1, fine))
        self.accepted(every, every)
        self.expect_each(every, *(("/", outcome, {"host": host}) for host, outcome in (
            ("first.com", V2), ("sub.first.com", V2), ("second.com", V2), ("sub.second.com", V2),
            ("third.com", 404), ("sub.third.com", 404))))


class IsolationTest(ConformanceTest):
    LISTENERS = {"empty-hostname": None, "wildcard-example-com": "*.example.com",
                 "wildcard-foo-example-com": "*.foo.example.com",
                 "abc-foo-example-com": "abc.foo.example.com"}
    HOSTS = {"bar.com": "empty-hostname", "bar.example.com": "wildcard-example-com",
             "bar.foo.example.com": "wildcard-foo-example-com",
             "abc.foo.example.com": "abc-foo-example-com"}

    def test_GatewayHTTPListenerIsolation(self):
        plain, intersecting = ("http-listener-isolation",
                               "http-listener-isolation-with-hostname-intersection")
        hostnames = ["bar.com", "*.example.com", "*.foo.example.com", "abc.foo.example.com"]
        routes = {plain: [], intersecting: []}
        for name, hosts, suffix in ((plain, [], ""),
                                    (intersecting, hostnames, "-with-hostname-intersection")):
            routes[name] = [
                route(f"attaches-to-{section}{suffix}", rule(V1, matches=[match("/" + section)]),
                      parents=[parent(name, sectionName=section)], hostnames=hosts)
                for section in self.LISTENERS]
        self.start(*(gateway(name, *(listener(section, hostname=host, origin="All")
                                     for section, host in self.LISTENERS.items()))
                     for name in routes), *routes[plain], *routes[intersecting])
        for name, attached in routes.items():
            self.accepted(name, *(each["metadata"]["name"] for each in attached))
            self.expect_each(name, *(
                ("/" + section, V1 if section == own else 404, {"host": host})
                for host, own in self.HOSTS.items() for section in self.LISTENERS))


if __name__ == "__main__":
    unittest.main()
