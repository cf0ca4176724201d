"""HTTPRoute tests of the Gateway API's conformance suite: redirects."""

import unittest
import urllib.parse

from harness.conformance import gateway, listener, match, port, route, rule
from harness.conformance_tls import HTTPS, TlsConformanceTest

SAME = "same-namespace"
HTTP_8080 = "same-namespace-with-http-listener-on-8080"
WELL_KNOWN = {"http": 80, "https": 443}


def redirect(path, prefix=None, full=None, **fields):
    """A rule that redirects what begins with `path`."""
    if prefix:
        fields["path"] = {"type": "ReplacePrefixMatch", "replacePrefixMatch": prefix}
    if full:
        fields["path"] = {"type": "ReplaceFullPath", "replaceFullPath": full}
    return rule(matches=[match(path)],
                filters=[{"type": "RequestRedirect", "requestRedirect": fields}])


class RedirectTest(TlsConformanceTest):
    def redirected(self, asked, status=302, gateway_name=SAME, client=None, **expected):
        """The Location's scheme, host, port and path are those of the request but for what is
        expected; a port that the scheme implies is not written."""
        host = self.gateways[gateway_name]
        response = self.ask(gateway_name, asked, client=client)
        self.assertEqual(response.status, status, (asked, response))
        got = urllib.parse.urlsplit(response.get("location"))
        scheme = expected.get("scheme", "http")
        number = expected.get("number", port(WELL_KNOWN["http"]))
        self.assertEqual(
            (got.scheme, got.hostname, got.port, got.path),
            (scheme, expected.get("host", host), None if number == WELL_KNOWN[scheme] else number,
             expected.get("path", asked)), response.get("location"))

    def start_with(self, name, *rules):
        self.start(route(name, *rules))
        self.accepted(SAME, name)

    def test_HTTPRouteRedirectHostAndStatus(self):
        self.start_with("redirect-host-and-status",
                        redirect("/hostname-redirect", hostname="example.org"),
                        redirect("/host-and-status", hostname="example.org", statusCode=301))
        self.redirected("/hostname-redirect", host="example.org")
        self.redirected("/host-and-status", 301, host="example.org")

    def test_HTTPRouteRedirectPath(self):
        new, full = "/replacement-prefix", "/replacement-full"
        self.start_with(
            "redirect-path", redirect("/original-prefix", prefix=new),
            redirect("/full", full="/full-path-replacement"),
            redirect("/path-and-host", prefix=new, hostname="example.org"),
            redirect("/path-and-status", prefix=new, statusCode=301),
            redirect("/full-path-and-host", full=full, hostname="example.org"),
            redirect("/full-path-and-status", full=full, statusCode=301))
        self.redirected("/original-prefix/lemon", path=new + "/lemon")
        self.redirected("/full/path/original", path="/full-path-replacement")
        self.redirected("/path-and-host", host="example.org", path=new)
        self.redirected("/path-and-status", 301, path=new)
        self.redirected("/full-path-and-host", host="example.org", path=full)
        self.redirected("/full-path-and-status", 301, path=full)

    def test_HTTPRouteRedirectPort(self):
        self.start_with(
            "redirect-port", redirect("/port", port=8083),
            redirect("/port-and-host", port=8083, hostname="example.org"),
            redirect("/port-and-status", port=8083, statusCode=301),
            redirect("/port-and-host-and-status", port=8083, hostname="example.org",
                     statusCode=302))
        self.redirected("/port", number=8083)
        self.redirected("/port-and-host", host="example.org", number=8083)
        self.redirected("/port-and-status", 301, number=8083)
        self.redirected("/port-and-host-and-status", host="example.org", number=8083)

    def test_HTTPRouteRedirectScheme(self):
        self.start_with(
            "redirect-scheme", redirect("/scheme", scheme="https"),
            redirect("/scheme-and-host", scheme="https", hostname="example.org"),
            redirect("/scheme-and-status", scheme="https", statusCode=301),
            redirect("/scheme-and-host-and-status", scheme="https", hostname="example.org",
                     statusCode=302))
        secure = {"scheme": "https", "number": 443}
        self.redirected("/scheme", **secure)
        self.redirected("/scheme-and-host", host="example.org", **secure)
        self.redirected("/scheme-and-status", 301, **secure)
        self.redirected("/scheme-and-host-and-status", host="example.org", **secure)

    def test_HTTPRoute303Redirect(self):
        self.start_with("303-redirect", redirect("/see-other", statusCode=303))
        self.redirected("/see-other", 303)

    def test_HTTPRoute307Redirect(self):
        self.start_with("307-redirect", redirect("/temporary", statusCode=307))
        self.redirected("/temporary", 307)

    def test_HTTPRoute308Redirect(self):
        self.start_with("308-redirect", redirect("/permanent", statusCode=308))
        self.redirected("/permanent", 308)

    def test_HTTPRouteRedirectPortAndScheme(self):
        # Scheme and port of the filter, and of the Location, by listener; None: not given.
        own = {number: port(number) for number in (80, 443)}
        cases = {
            SAME: [(None, None, "http", own[80]), (None, 80, "http", 80),
                   (None, 8080, "http", 8080), ("https", None, "https", 443),
                   ("https", 443, "https", 443), ("https", 8443, "https", 8443)],
            HTTP_8080: [(None, None, "http", 8080), (None, 80, "http", 80),
                        ("https", None, "https", 443)],
            HTTPS: [(None, None, "https", own[443]), (None, 443, "https", 443),
                    (None, 8443, "https", 8443), ("http", None, "http", 80),
                    ("http", 80, "http", 80), ("http", 8080, "http", 8080)]}
        path = lambda scheme, number: f"/scheme-{scheme or 'nil'}-and-port-{number or 'nil'}"
        given = lambda scheme, number: {**({"scheme": scheme} if scheme else {}),
                                        **({"port": number} if number else {})}
        self.start(gateway(HTTP_8080, listener("http", 8080)), *(
            route(f"to-{name}", *(redirect(path(*wanted), hostname="example.org", **given(*wanted))
                                  for *wanted, _, _ in each), parents=[name])
            for name, each in cases.items()))
        for name, each in cases.items():
            self.accepted(name, f"to-{name}")
            for *wanted, scheme, number in each:
                with self.subTest(gateway=name, wanted=wanted):
                    client = self.connect_tls(name, "example.org") if name == HTTPS else \
                        self.connect(name, 8080 if name == HTTP_8080 else 80)
                    self.redirected(path(*wanted), gateway_name=name, client=client,
                                    host="example.org", scheme=scheme, number=number)


if __name__ == "__main__":
    unittest.main()
