// What is refused of GatewayClass, Gateway, HTTPRoute and ReferenceGrant, and what is said about
// it.

#include <gtest/gtest.h>

#include <string>

#include "config/file/test_objects.h"

namespace gw::config {
namespace {

TEST(BadObjects, GatewayClassAndReferenceGrant) {
  ExpectErrors(
      {
          {"kind: GatewayClass\nspec: {}",
           "GatewayClass g: spec.controllerName: is required (a.yaml:4)"},
          {"kind: GatewayClass\nspec: {controllerName: penstock}",
           "GatewayClass g: spec.controllerName: must be a domain and a path such as "
           "\"penstock.dev/gateway-controller\", got \"penstock\" (a.yaml:4)"},
          {"kind: GatewayClass\nspec: {controllerName: a/b, parametersRef: {group: \"\", kind: C}}",
           "GatewayClass g: spec.parametersRef.name: is required (a.yaml:4)"},
          {"kind: ReferenceGrant\nspec: {from: [], to: [{group: \"\", kind: Secret}]}",
           "ReferenceGrant default/g: spec.from: must have 1..16 entries, got 0 (a.yaml:4)"},
          {"kind: ReferenceGrant\nspec: {from: [{group: x.y, kind: Z}], to: [{kind: Secret}]}",
           "ReferenceGrant default/g: spec.from[0].namespace: is required (a.yaml:4)"},
          {"kind: ReferenceGrant\nspec: {from: [{group: x.y, kind: Z, namespace: n}], to: [{kind: "
           "\"9\"}]}",
           "ReferenceGrant default/g: spec.to[0].kind: must be a kind, got \"9\" (a.yaml:4)"},
      },
      "apiVersion: gateway.networking.k8s.io/v1\nmetadata: {name: g}\n");
}

TEST(BadObjects, GatewayThatAsksClientsForCertificates) {
  const std::string g =
      "spec:\n  gatewayClassName: c\n  listeners: [{name: a, port: 80, protocol: HTTP}]\n  tls: ";
  ExpectErrors(
      {
          {g + "{frontend: {perPort: []}}",
           "Gateway default/g: spec.tls.frontend.default: is required (a.yaml:7)"},
          {g + "{frontend: {default: {validation: {caCertificateRefs: []}}}}",
           "Gateway default/g: spec.tls.frontend.default.validation.caCertificateRefs: must have "
           "1..8 entries, got 0 (a.yaml:7)"},
          {g + "{frontend: {default: {}, perPort: [{port: 1, tls: {}}, {port: 1, tls: {}}]}}",
           "Gateway default/g: spec.tls.frontend.perPort[1]: port 1 is given twice (a.yaml:7)"},
      },
      "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g}\n");
}

TEST(BadObjects, Gateway) {
  const std::string l = "spec:\n  gatewayClassName: c\n  listeners:\n  - ";
  ExpectErrors(
      {
          {"spec: {listeners: [{name: a, port: 80, protocol: HTTP}]}",
           "Gateway default/g: spec.gatewayClassName: is required (a.yaml:4)"},
          {"spec: {gatewayClassName: c}",
           "Gateway default/g: spec.listeners: is required (a.yaml:4)"},
          {"spec: {gatewayClassName: c, listeners: []}",
           "Gateway default/g: spec.listeners: must have 1..64 entries, got 0 (a.yaml:4)"},
          {l + "{port: 80, protocol: HTTP}",
           "Gateway default/g: spec.listeners[0].name: is required (a.yaml:7)"},
          {l + "{name: a, port: 80}",
           "Gateway default/g: spec.listeners[0].protocol: is required (a.yaml:7)"},
          {l + "{name: a, port: 65536, protocol: HTTP}",
           "Gateway default/g: spec.listeners[0].port: must be 1..65535, got 65536 (a.yaml:7)"},
          {l + "{name: a, port: 80, protocol: HTTP}\n  - {name: a, port: 81, protocol: HTTP}",
           "Gateway default/g: spec.listeners[1]: name \"a\" is given to two listeners (a.yaml:8)"},
          {l + "{name: a, port: 80, protocol: HTTP, hostname: 10.0.0.1}",
           "Gateway default/g: spec.listeners[0].hostname: must be a host name in lower case, or "
           "one with "
           "\"*.\" before it, got \"10.0.0.1\" (a.yaml:7)"},
          {l + "{name: a, port: 80, protocol: HTTP, hostname: \"a.*.com\"}",
           "Gateway default/g: spec.listeners[0].hostname: must be a host name in lower case, or "
           "one with "
           "\"*.\" before it, got \"a.*.com\" (a.yaml:7)"},
          {l + "{name: a, port: 80, protocol: HTTP, tls: {certificateRefs: [{name: x}]}}",
           "Gateway default/g: spec.listeners[0].tls: must not be given for protocol HTTP "
           "(a.yaml:7)"},
          {l + "{name: a, port: 443, protocol: HTTPS, tls: {}}",
           "Gateway default/g: spec.listeners[0].tls.certificateRefs: is required when mode is "
           "Terminate "
           "(a.yaml:7)"},
          {l + "{name: a, port: 443, protocol: HTTPS, tls: {mode: Passthrough}}",
           "Gateway default/g: spec.listeners[0].tls: mode must be Terminate for protocol HTTPS "
           "(a.yaml:7)"},
          {l + "{name: a, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Any}}}",
           "Gateway default/g: spec.listeners[0].allowedRoutes.namespaces.from: must be one of "
           "Same, All, "
           "Selector, None, got \"Any\" (a.yaml:7)"},
          {l + "{name: a, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector}}}",
           "Gateway default/g: spec.listeners[0].allowedRoutes.namespaces.selector: is required "
           "when from "
           "is Selector (a.yaml:7)"},
          {l + "{name: a, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, "
               "selector: {matchExpressions: [{key: a, operator: In}]}}}}",
           "Gateway default/g: "
           "spec.listeners[0].allowedRoutes.namespaces.selector.matchExpressions[0].values: must "
           "not be "
           "empty for operator In or NotIn (a.yaml:7)"},
          {l + "{name: a, port: 80, protocol: HTTP, allowedRoutes: {kinds: [{group: \"\"}]}}",
           "Gateway default/g: spec.listeners[0].allowedRoutes.kinds[0].kind: is required "
           "(a.yaml:7)"},
          {"spec: {gatewayClassName: c, listeners: [{name: a, port: 80, protocol: HTTP}], "
           "addresses: "
           "[{type: IPAddress, value: nine}]}",
           "Gateway default/g: spec.addresses[0].value: must be an IP address, got \"nine\" "
           "(a.yaml:4)"},
      },
      "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g}\n");
}

TEST(BadObjects, HttpRouteParentsAndPaths) {
  const std::string m = "spec: {rules: [{matches: [{path: ";
  ExpectErrors(
      {
          {"spec: {parentRefs: [{kind: Gateway}]}",
           "HTTPRoute default/r: spec.parentRefs[0].name: is required (a.yaml:4)"},
          {"spec: {parentRefs: [{name: g}, {name: g}]}",
           "HTTPRoute default/r: spec.parentRefs[1]: names the same parent as another entry "
           "(a.yaml:4)"},
          {"spec: {parentRefs: [{name: g}, {name: g, sectionName: a}]}",
           "HTTPRoute default/r: spec.parentRefs[1]: names the same parent as another entry: both "
           "must "
           "have a sectionName or a port (a.yaml:4)"},
          {"spec: {hostnames: [\"LLM.example.com\"]}",
           "HTTPRoute default/r: spec.hostnames[0]: must be a host name in lower case, or one with "
           "\"*.\" "
           "before it, got \"LLM.example.com\" (a.yaml:4)"},
          {"spec: {hostnames: llm.example.com}",
           "HTTPRoute default/r: spec.hostnames: must be a list, got \"llm.example.com\" "
           "(a.yaml:4)"},
          {"spec: {rules: []}",
           "HTTPRoute default/r: spec.rules: must have 1..16 entries, got 0 (a.yaml:4)"},
          {m + "{value: v1}}]}]}",
           "HTTPRoute default/r: spec.rules[0].matches[0].path.value: must begin with \"/\", got "
           "\"v1\" "
           "(a.yaml:4)"},
          {m + "{value: /a//b}}]}]}",
           "HTTPRoute default/r: spec.rules[0].matches[0].path.value: must not contain \"//\", "
           "\"/./\", "
           "\"/../\", \"%2f\" or \"#\", got \"/a//b\" (a.yaml:4)"},
          {m + "{type: Exact, value: /a/..}}]}]}",
           "HTTPRoute default/r: spec.rules[0].matches[0].path.value: must not end in \"/.\" or "
           "\"/..\", "
           "got \"/a/..\" (a.yaml:4)"},
          {m + "{value: \"/a b\"}}]}]}",
           "HTTPRoute default/r: spec.rules[0].matches[0].path.value: has a character that a path "
           "cannot "
           "have, got \"/a b\" (a.yaml:4)"},
          {m + "{value: /a%2}}]}]}",
           "HTTPRoute default/r: spec.rules[0].matches[0].path.value: has a \"%\" without two "
           "hexadecimal "
           "digits, got \"/a%2\" (a.yaml:4)"},
          {m + "{type: Prefix, value: /a}}]}]}",
           "HTTPRoute default/r: spec.rules[0].matches[0].path.type: must be one of Exact, "
           "PathPrefix, "
           "RegularExpression, got \"Prefix\" (a.yaml:4)"},
      },
      "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\n");
}

// They are told what is wrong with it.
TEST(BadObjects, ABrokenHttpRouteKeepsItsParents) {
  const api::ResourceSet set = ObjectsOf(
      "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"
      "metadata: {name: r, namespace: n}\n"
      "spec: {parentRefs: [{name: g, sectionName: http}, {name: h, namespace: m}], rules: 3}\n");
  ASSERT_EQ(set.invalid.size(), 1u);
  const api::ForeignObject::Target first{api::kGatewayGroup, "Gateway", "n", "g", "http", {}};
  const api::ForeignObject::Target second{api::kGatewayGroup, "Gateway", "m", "h", "", {}};
  EXPECT_EQ(set.invalid[0].targets, (std::vector<api::ForeignObject::Target>{first, second}));
}

TEST(BadObjects, MirrorsOfRoutes) {
  const std::string m = "spec: {rules: [{filters: [{type: RequestMirror, requestMirror: {";
  const std::string s = m + "backendRef: {name: s, port: 80}, ";
  const std::string at = "HTTPRoute default/r: spec.rules[0].filters[0].requestMirror.";
  ExpectErrors(
      {
          {m + "}}]}]}", at + "backendRef: is required (a.yaml:4)"},
          {m + "backendRef: {name: s}}}]}]}",
           at + "backendRef.port: is required for a Service (a.yaml:4)"},
          {s + "percent: 101}}]}]}", at + "percent: must be 0..100, got 101 (a.yaml:4)"},
          {s + "percent: 1, fraction: {numerator: 1}}}]}]}",
           at + "fraction: excludes percent: only one of them may be given (a.yaml:4)"},
          {s + "fraction: {numerator: 2, denominator: 1}}}]}]}",
           at + "fraction.numerator: must not be more than the denominator, 1 (a.yaml:4)"},
          {s + "fraction: {denominator: 0, numerator: 0}}}]}]}",
           at + "fraction.denominator: must be 1..2147483647, got 0 (a.yaml:4)"},
      },
      "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\n");
}

TEST(BadObjects, HttpRouteRules) {
  const std::string b = "spec: {rules: [{backendRefs: [";
  ExpectErrors(
      {
          {"spec: {rules: [{matches: [{method: get}]}]}",
           "HTTPRoute default/r: spec.rules[0].matches[0].method: must be one of GET, HEAD, POST, "
           "PUT, "
           "DELETE, CONNECT, OPTIONS, TRACE, PATCH, got \"get\", did you mean \"GET\"? (a.yaml:4)"},
          {"spec: {rules: [{matches: [{headers: [{name: \"a b\", value: c}]}]}]}",
           "HTTPRoute default/r: spec.rules[0].matches[0].headers[0].name: must be the name of a "
           "header, "
           "got \"a b\" (a.yaml:4)"},
          {"spec: {rules: [{matches: [{headers: [{name: a, value: c}, {name: a, value: d}]}]}]}",
           "HTTPRoute default/r: spec.rules[0].matches[0].headers[1].name: is given twice "
           "(a.yaml:4)"},
          {"spec: {rules: [{matches: [{queryParams: [{name: a}]}]}]}",
           "HTTPRoute default/r: spec.rules[0].matches[0].queryParams[0].value: is required "
           "(a.yaml:4)"},
          {"spec: {rules: [{name: a}, {name: a}]}",
           "HTTPRoute default/r: spec.rules[1].name: is the name of another rule, too: got \"a\" "
           "(a.yaml:4)"},
          {"spec: {rules: [{retry: {codes: [399]}}]}",
           "HTTPRoute default/r: spec.rules[0].retry.codes[0]: must be 400..599, got 399 "
           "(a.yaml:4)"},
          {"spec: {rules: [{retry: {codes: [500, 500]}}]}",
           "HTTPRoute default/r: spec.rules[0].retry.codes[1]: is given twice (a.yaml:4)"},
          {"spec: {rules: [{retry: {attempts: -1}}]}",
           "HTTPRoute default/r: spec.rules[0].retry.attempts: must be 0..2147483647, got -1 "
           "(a.yaml:4)"},
          {"spec: {rules: [{sessionPersistence: {cookieConfig: {lifetimeType: Permanent}}}]}",
           "HTTPRoute default/r: spec.rules[0].sessionPersistence.absoluteTimeout: is required "
           "where cookieConfig.lifetimeType is Permanent (a.yaml:4)"},
          {"spec: {rules: [{sessionPersistence: {type: Header, cookieConfig: {}}}]}",
           "HTTPRoute default/r: spec.rules[0].sessionPersistence.cookieConfig: can only be given "
           "with type Cookie (a.yaml:4)"},
          {b + "{name: s}]}]}",
           "HTTPRoute default/r: spec.rules[0].backendRefs[0].port: is required for a Service "
           "(a.yaml:4)"},
          {b + "{name: s, port: 80, weight: -1}]}]}",
           "HTTPRoute default/r: spec.rules[0].backendRefs[0].weight: must be 0..1000000, got -1 "
           "(a.yaml:4)"},
          {b + "{name: s, prot: 80, port: 80}]}]}",
           "HTTPRoute default/r: spec.rules[0].backendRefs[0].prot: unknown field, did you mean "
           "\"port\"? (a.yaml:4)"},
          {"spec: {rules: [{timeouts: {request: 10}}]}",
           "HTTPRoute default/r: spec.rules[0].timeouts.request: must be text, got the number 10: "
           "put it "
           "in quotes (a.yaml:4)"},
          {"spec: {rules: [{timeouts: {request: 1.5s}}]}",
           "HTTPRoute default/r: spec.rules[0].timeouts.request: must be a duration such as "
           "\"10s\", "
           "\"1h30m\" or \"500ms\", got \"1.5s\" (a.yaml:4)"},
          {"spec: {rules: [{timeouts: {request: 1s, backendRequest: 2s}}]}",
           "HTTPRoute default/r: spec.rules[0].timeouts.backendRequest: must not be longer than "
           "timeouts.request (a.yaml:4)"},
          {"spec: {rules: [{filters: [{type: URLRewrite}]}]}",
           "HTTPRoute default/r: spec.rules[0].filters[0].urlRewrite: is required for this type of "
           "filter "
           "(a.yaml:4)"},
          {"spec: {rules: [{filters: [{type: Lua}]}]}",
           "HTTPRoute default/r: spec.rules[0].filters[0].type: must be one of "
           "RequestHeaderModifier, ResponseHeaderModifier, RequestRedirect, URLRewrite, CORS, "
           "RequestMirror, ExtensionRef, ExternalAuth, got \"Lua\" (a.yaml:4)"},
          {"spec: {rules: [{path: /v1}]}",
           "HTTPRoute default/r: spec.rules[0].path: unknown field (a.yaml:4)"},
      },
      "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\n");
}

TEST(BadObjects, FiltersOfARoute) {
  const std::string at = "HTTPRoute default/r: spec.rules[0].filters";
  const std::string rewrite = "spec: {rules: [{filters: [{type: URLRewrite, urlRewrite: ";
  const std::string redirect =
      "spec: {rules: [{filters: [{type: RequestRedirect, requestRedirect: ";
  const std::string cors = "spec: {rules: [{filters: [{type: CORS, cors: ";
  const std::string edit =
      "spec: {rules: [{filters: [{type: RequestHeaderModifier, requestHeaderModifier: ";
  ExpectErrors(
      {
          {rewrite + "{hostname: \"*.a\"}}]}]}",
           at + "[0].urlRewrite.hostname: must be one host, not a wildcard (a.yaml:4)"},
          {rewrite + "{path: {type: ReplaceFullPath}}}]}]}",
           at + "[0].urlRewrite.path.replaceFullPath: is required for this type of path "
                "(a.yaml:4)"},
          {rewrite + "{path: {type: ReplaceFullPath, replaceFullPath: a}}}]}]}",
           at + "[0].urlRewrite.path.replaceFullPath: must begin with \"/\", got \"a\" "
                "(a.yaml:4)"},
          {rewrite + "{path: {type: ReplacePrefixMatch, replacePrefixMatch: /a}}}], "
                     "matches: [{path: {value: /a}}, {path: {value: /b}}]}]}",
           at + "[0].urlRewrite.path: a prefix is replaced only in a rule of one match, of type "
                "PathPrefix (a.yaml:4)"},
          {rewrite + "{}}, {type: RequestRedirect, requestRedirect: {}}]}]}",
           at + ": RequestRedirect and URLRewrite exclude each other (a.yaml:4)"},
          {redirect + "{}}, {type: RequestRedirect, requestRedirect: {}}]}]}",
           at + "[1].type: there may be one filter of this type (a.yaml:4)"},
          {redirect + "{}}], backendRefs: [{name: s, port: 80}]}]}",
           at + ": a rule that redirects must have no backendRefs (a.yaml:4)"},
          {redirect + "{statusCode: 304}}]}]}",
           at + "[0].requestRedirect.statusCode: must be one of 301, 302, 303, 307, 308, got 304 "
                "(a.yaml:4)"},
          {redirect + "{scheme: gopher}}]}]}",
           at +
               "[0].requestRedirect.scheme: must be one of http, https, got \"gopher\" (a.yaml:4)"},
          {cors + "{allowOrigins: [\"*\", \"https://a\"]}}]}]}",
           at + "[0].cors.allowOrigins: \"*\" must stand alone (a.yaml:4)"},
          {cors + "{allowOrigins: [\"https://a/b\"]}}]}]}",
           at + "[0].cors.allowOrigins[0]: must be \"*\" or an origin such as "
                "https://*.example.com:8443, got \"https://a/b\" (a.yaml:4)"},
          {cors + "{allowMethods: [GET, GET]}}]}]}",
           at + "[0].cors.allowMethods[1]: is given twice (a.yaml:4)"},
          {cors + "{maxAge: 0}}]}]}", at + "[0].cors.maxAge: must be 1..2147483647, got 0 "
                                           "(a.yaml:4)"},
          {edit + "{set: [{name: a, value: b}, {name: a, value: c}]}}]}]}",
           at + "[0].requestHeaderModifier.set[1].name: is given twice (a.yaml:4)"},
          {edit + "{add: [{name: a, value: \"b\\r\\nc: d\"}]}}]}]}",
           at + "[0].requestHeaderModifier.add[0].value: must be the value of a header: no control "
                "characters, no space around it (a.yaml:4)"},
      },
      "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\n");
}

TEST(BadObjects, GatewayServiceType) {
  ExpectErrors(
      {
          {"metadata: {name: g, annotations: {penstock.dev/service-type: ExternalName}}\n"
           "spec: {gatewayClassName: c, listeners: [{name: l, port: 80, protocol: HTTP}]}",
           "Gateway default/g: metadata.annotations[\"penstock.dev/service-type\"]: must be "
           "LoadBalancer, NodePort or ClusterIP, got \"ExternalName\" (a.yaml:3)"},
      },
      "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n");
}

TEST(BadObjects, HttpRouteAnnotations) {
  const std::string sticky =
      "HTTPRoute default/r: metadata.annotations[\"penstock.dev/sticky\"]: must be ";
  ExpectErrors(
      {
          {"metadata: {name: r, annotations: {penstock.dev/stream-keepalive: 15x}}\nspec: {}",
           "HTTPRoute default/r: metadata.annotations[\"penstock.dev/stream-keepalive\"]: "
           "must be a duration of 100ms to 1h, such as 15s, got \"15x\" (a.yaml:3)"},
          {"metadata: {name: r, annotations: {penstock.dev/api-keys-forward: 'true'}}\nspec: {}",
           "HTTPRoute default/r: metadata.annotations[\"penstock.dev/api-keys-forward\"]: "
           "is of use beside penstock.dev/api-keys only, got \"true\" (a.yaml:3)"},
          {"metadata: {name: r, annotations: {penstock.dev/tokens-per-minute: '9'}}\nspec: {}",
           "HTTPRoute default/r: metadata.annotations[\"penstock.dev/tokens-per-minute\"]: "
           "is of use beside penstock.dev/api-keys only, got \"9\" (a.yaml:3)"},
          {"metadata: {name: r, annotations: {penstock.dev/api-keys: 'a=b,a=c'}}\nspec: {}",
           "HTTPRoute default/r: metadata.annotations[\"penstock.dev/api-keys\"]: must be labels "
           "of Secrets, such as \"app=api-keys\" or \"app=api-keys,tier=gold\", or \"none\", got "
           "\"a=b,a=c\" (a.yaml:3)"},
          {"metadata: {name: r, annotations: {penstock.dev/max-requests: '0'}}\nspec: {}",
           "HTTPRoute default/r: metadata.annotations[\"penstock.dev/max-requests\"]: must be "
           "1..1000000000, got \"0\" (a.yaml:3)"},
          {"metadata: {name: r, annotations: {penstock.dev/max-waiting: few}}\nspec: {}",
           "HTTPRoute default/r: metadata.annotations[\"penstock.dev/max-waiting\"]: must be "
           "0..1000000000, got \"few\" (a.yaml:3)"},
          {"metadata: {name: r, annotations: {penstock.dev/log-requests: '0'}}\nspec: {}",
           "HTTPRoute default/r: metadata.annotations[\"penstock.dev/log-requests\"]: must be "
           "\"all\", \"none\", \"errors\" or a ratio above 0 and up to 1, such as \"0.01\", got "
           "\"0\" (a.yaml:3)"},
          {"metadata: {name: r, annotations: {penstock.dev/log-level: loud}}\nspec: {}",
           "HTTPRoute default/r: metadata.annotations[\"penstock.dev/log-level\"]: must be "
           "\"debug\", \"info\", \"warning\" or \"error\", got \"loud\" (a.yaml:3)"},
          {"metadata: {name: r, annotations: {penstock.dev/sticky: by-user}}\nspec: {}",
           sticky + "\"header:NAME\", \"cookie:NAME\" or \"session\", got \"by-user\" (a.yaml:3)"},
          {"metadata: {name: r, annotations: {penstock.dev/sticky: 'header:te'}}\nspec: {}",
           sticky +
               "\"header:NAME\", \"cookie:NAME\" or \"session\", got \"header:te\" (a.yaml:3)"},
          {"metadata: {name: r, annotations: {penstock.dev/sticky: 'cookie:s'}}\n"
           "spec: {rules: [{}, {sessionPersistence: {sessionName: s}}]}",
           sticky + "another cookie than that of spec.rules[1].sessionPersistence, got "
                    "\"cookie:s\" (a.yaml:3)"},
          {"metadata: {name: r, annotations: {penstock.dev/sticky: 'header:x-s'}}\n"
           "spec: {rules: [{sessionPersistence: {type: Header, sessionName: X-S}}]}",
           sticky + "another header than that of spec.rules[0].sessionPersistence, got "
                    "\"header:x-s\" (a.yaml:3)"},
      },
      "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n");
}

}  // namespace
}  // namespace gw::config
