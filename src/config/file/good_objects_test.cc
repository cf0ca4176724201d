// What objects mean: defaults, both versions of a kind, and fields that are valid but not honoured.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "config/file/test_objects.h"

namespace gw::config {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

// Each names its place too, which is left out here.
std::vector<std::string> PathsOf(const std::vector<api::Unsupported>& unsupported) {
  std::vector<std::string> out;
  for (const api::Unsupported& field : unsupported) {
    const size_t place = field.message.find(" (a.yaml:");
    EXPECT_NE(place, std::string::npos) << field.message;
    out.push_back(std::to_string(field.index) + " " + field.path + ": " +
                  field.message.substr(0, place));
  }
  return out;
}

constexpr char kRoute[] =
    "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r, namespace: "
    "web}\n";
constexpr char kGateway[] =
    "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g}\n";

TEST(GoodObjects, RouteDefaults) {
  const api::ResourceSet set =
      Good(std::string(kRoute) +
           "spec: {parentRefs: [{name: g}], rules: [{backendRefs: [{name: s, "
           "port: 80}]}, {matches: [{headers: [{name: X-A, value: b}]}]}]}");
  ASSERT_EQ(set.http_routes.size(), 1u);
  const api::HttpRoute& route = set.http_routes.begin()->second;
  ASSERT_EQ(route.rules.size(), 2u);
  ASSERT_EQ(route.rules[0].matches.size(), 1u);
  EXPECT_EQ(route.rules[0].matches[0].path_type, api::PathMatchType::kPathPrefix);
  EXPECT_EQ(route.rules[0].matches[0].path, "/");
  EXPECT_EQ(route.rules[0].matches[0].method, "");
  const api::BackendRef& ref = route.rules[0].backend_refs.at(0);
  EXPECT_EQ(ref.group, "");
  EXPECT_EQ(ref.kind, "Service");
  EXPECT_EQ(ref.ns, "web");
  EXPECT_EQ(ref.port, 80);
  EXPECT_EQ(ref.weight, 1);
  EXPECT_EQ(route.rules[1].matches[0].path, "/");
  ASSERT_EQ(route.rules[1].matches[0].headers.size(), 1u);
  EXPECT_EQ(route.rules[1].matches[0].headers[0].name, "x-a");
  EXPECT_EQ(route.rules[1].matches[0].headers[0].type, api::ValueMatchType::kExact);
  EXPECT_EQ(route.parent_refs.at(0).ns, "web");
}

TEST(GoodObjects, ARouteWithoutRulesTakesEverything) {
  const api::ResourceSet set = Good(std::string(kRoute) + "spec: {}");
  const api::HttpRoute& route = set.http_routes.at({"web", "r"});
  ASSERT_EQ(route.rules.size(), 1u);
  ASSERT_EQ(route.rules[0].matches.size(), 1u);
  EXPECT_EQ(route.rules[0].matches[0].path, "/");
  EXPECT_THAT(route.rules[0].backend_refs, IsEmpty());
}

TEST(GoodObjects, RouteInFull) {
  const api::ResourceSet set = Good(std::string(kRoute) + R"(
spec:
  parentRefs:
  - {group: gateway.networking.k8s.io, kind: Gateway, namespace: infra, name: g, sectionName: a,
     port: 80}
  - {group: gateway.networking.k8s.io, kind: Gateway, namespace: infra, name: g, sectionName: b}
  hostnames: ["*.example.com", api.example.com]
  rules:
  - name: chat
    matches:
    - path: {type: Exact, value: /v1/chat/completions}
      method: POST
      headers:
      - {name: X-Tier, value: gold}
      - {name: x-tier, value: silver}
      queryParams: [{name: Beta, value: "1"}]
    timeouts: {request: 1h30m, backendRequest: 0s}
    backendRefs:
    - {group: inference.networking.k8s.io, kind: InferencePool, namespace: ml, name: p, weight: 0}
)");
  const api::HttpRoute& route = set.http_routes.at({"web", "r"});
  EXPECT_THAT(route.hostnames, ElementsAre("*.example.com", "api.example.com"));
  ASSERT_EQ(route.parent_refs.size(), 2u);
  EXPECT_TRUE(route.parent_refs[0].group_given);
  EXPECT_TRUE(route.parent_refs[0].kind_given);
  EXPECT_TRUE(route.parent_refs[0].ns_given);
  EXPECT_EQ(route.parent_refs[0].ns, "infra");
  EXPECT_EQ(route.parent_refs[0].section_name, "a");
  EXPECT_EQ(route.parent_refs[0].port, 80);
  ASSERT_EQ(route.rules.size(), 1u);
  const api::RouteRule& rule = route.rules[0];
  EXPECT_EQ(rule.name, "chat");
  EXPECT_EQ(rule.request_timeout, Duration(std::chrono::minutes(90)));
  EXPECT_EQ(rule.try_timeout, Duration{});
  const api::RouteMatch& match = rule.matches.at(0);
  EXPECT_EQ(match.path_type, api::PathMatchType::kExact);
  EXPECT_EQ(match.method, "POST");
  ASSERT_EQ(match.headers.size(), 1u) << "the first of two spellings of a header counts";
  EXPECT_EQ(match.headers[0].value, "gold");
  ASSERT_EQ(match.query_params.size(), 1u);
  EXPECT_EQ(match.query_params[0].name, "Beta");
  EXPECT_EQ(rule.backend_refs.at(0).ns, "ml");
  EXPECT_EQ(rule.backend_refs.at(0).weight, 0);
  EXPECT_THAT(route.unsupported, IsEmpty());
}

TEST(GoodObjects, RouteFieldsThatAreNotHonouredAreNamedWithTheirRule) {
  const api::ResourceSet set = Good(std::string(kRoute) + R"(
spec:
  useDefaultGateways: All
  rules:
  - matches: [{path: {value: /a}}]
  - matches:
    - path: {type: RegularExpression, value: "/v[0-9]+/(a|b"}
      headers: [{name: a, type: RegularExpression, value: ".*"}]
      queryParams: [{name: a, type: RegularExpression, value: ".*"}]
  - filters:
    - {type: RequestHeaderModifier, requestHeaderModifier: {remove: [a, Host]}}
    - {type: ExternalAuth, externalAuth: {protocol: HTTP}}
    retry: {attempts: 101}
    sessionPersistence: {sessionName: "a b"}
    backendRefs:
    - name: s
      port: 80
      filters: [{type: ExtensionRef, extensionRef: {group: a, kind: b, name: c}}]
)");
  EXPECT_THAT(PathsOf(set.http_routes.at({"web", "r"}).unsupported),
              ElementsAre("-1 spec.useDefaultGateways: is not supported yet",
                          "2 spec.rules[2].filters[0].requestHeaderModifier.remove[1]: Host is "
                          "written by the gateway itself and cannot be modified, but by a "
                          "URLRewrite with a hostname",
                          "2 spec.rules[2].filters[1]: is not supported yet",
                          "2 spec.rules[2].backendRefs[0].filters[0]: is not supported yet",
                          "2 spec.rules[2].retry.attempts: more than 100 attempts are not "
                          "supported",
                          "2 spec.rules[2].sessionPersistence.sessionName: \"a b\" cannot be the "
                          "name of a cookie"));
}

TEST(GoodObjects, MirrorsOfARoute) {
  const api::ResourceSet set = Good(std::string(kRoute) + R"(
spec:
  rules:
  - filters:
    - {type: RequestMirror, requestMirror: {backendRef: {name: s, port: 80}}}
    - type: RequestMirror
      requestMirror:
        backendRef: {group: inference.networking.k8s.io, kind: InferencePool, name: p, namespace: x}
        percent: 42
    - {type: RequestMirror, requestMirror: {backendRef: {name: s, port: 81}, percent: 0}}
    backendRefs:
    - name: s
      port: 80
      filters:
      - type: RequestMirror
        requestMirror: {backendRef: {name: t, port: 82}, fraction: {numerator: 3, denominator: 7}}
      - type: RequestMirror
        requestMirror: {backendRef: {name: t, port: 82}, fraction: {numerator: 3}}
)");
  const api::HttpRoute& route = set.http_routes.at({"web", "r"});
  EXPECT_THAT(route.unsupported, IsEmpty());
  const auto& mirrors = route.rules.at(0).filters.mirrors;
  ASSERT_EQ(mirrors.size(), 3u);
  EXPECT_EQ(mirrors[0], (api::RequestMirror{"", "Service", "web", "s", 80, 1, 1}));
  EXPECT_EQ(mirrors[1], (api::RequestMirror{"inference.networking.k8s.io", "InferencePool", "x",
                                            "p", std::nullopt, 42, 100}));
  EXPECT_EQ(mirrors[2], (api::RequestMirror{"", "Service", "web", "s", 81, 0, 100}));
  const auto& of_backend = route.rules.at(0).backend_refs.at(0).filters.mirrors;
  ASSERT_EQ(of_backend.size(), 2u);
  EXPECT_EQ(of_backend[0], (api::RequestMirror{"", "Service", "web", "t", 82, 3, 7}));
  EXPECT_EQ(of_backend[1].denominator, 100u);
}

TEST(GoodObjects, RetriesAndSessionsOfRules) {
  const api::ResourceSet set = Good(std::string(kRoute) + R"(
spec:
  rules:
  - name: one
    retry: {codes: [503, 500], attempts: 0, backoff: 100ms}
    sessionPersistence:
      sessionName: s
      absoluteTimeout: 1h
      idleTimeout: 10m
      cookieConfig: {lifetimeType: Permanent}
  - name: two
    retry: {}
    sessionPersistence: {type: Header}
)");
  const api::HttpRoute& route = set.http_routes.at({"web", "r"});
  EXPECT_THAT(route.unsupported, IsEmpty());
  const api::RouteRule& one = route.rules.at(0);
  EXPECT_THAT(one.retry->codes, ElementsAre(500, 503));
  EXPECT_EQ(one.retry->attempts, 0);
  EXPECT_EQ(one.retry->backoff, Duration(std::chrono::milliseconds(100)));
  EXPECT_EQ(one.session->session_name, "s");
  EXPECT_EQ(one.session->absolute_timeout, Duration(std::chrono::hours(1)));
  EXPECT_EQ(one.session->idle_timeout, Duration(std::chrono::minutes(10)));
  EXPECT_TRUE(one.session->permanent);
  EXPECT_FALSE(one.session->by_header);
  const api::RouteRule& two = route.rules.at(1);
  EXPECT_EQ(two.retry, api::RouteRetry());
  EXPECT_TRUE(two.session->by_header);
  EXPECT_FALSE(two.session->permanent);
}

TEST(GoodObjects, FiltersOfARoute) {
  const api::ResourceSet set = Good(std::string(kRoute) + R"(
spec:
  rules:
  - matches: [{path: {value: /a}}]
    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier:
        set: [{name: A, value: "1"}, {name: a, value: ignored}]
        add: [{name: B, value: "2, 3"}]
        remove: [C]
    - type: URLRewrite
      urlRewrite: {hostname: llm.test, path: {type: ReplacePrefixMatch, replacePrefixMatch: ""}}
    - type: CORS
      cors:
        allowOrigins: ["https://*.test", "http://a:8080"]
        allowMethods: [GET]
        allowHeaders: ["*"]
        exposeHeaders: ["*", x]
        allowCredentials: true
    backendRefs:
    - name: s
      port: 80
      filters:
      - {type: ResponseHeaderModifier, responseHeaderModifier: {remove: [Server]}}
  - filters:
    - type: RequestRedirect
      requestRedirect: {scheme: https, port: 8443, statusCode: 308, hostname: b.test,
                        path: {type: ReplaceFullPath, replaceFullPath: /x}}
)");
  const api::HttpRoute& route = set.http_routes.at({"web", "r"});
  EXPECT_THAT(route.unsupported, IsEmpty());
  api::RouteFilters first;
  first.request_headers = {{{"A", "1"}}, {{"B", "2, 3"}}, {"C"}};
  first.rewrite = {"llm.test", {{api::PathModifier::Type::kPrefixMatch, ""}}};
  first.cors = {{"https://*.test", "http://a:8080"}, {"GET"}, {"*"}, {"*", "x"}, true, 5};
  EXPECT_EQ(route.rules[0].filters, first);
  api::RouteFilters of_backend;
  of_backend.response_headers = {{}, {}, {"Server"}};
  EXPECT_EQ(route.rules[0].backend_refs[0].filters, of_backend);
  api::RouteFilters second;
  second.redirect = {"https", "b.test", {{api::PathModifier::Type::kFullPath, "/x"}}, 8443, 308};
  EXPECT_EQ(route.rules[1].filters, second);
}

TEST(GoodObjects, GatewayInFull) {
  const api::ResourceSet set = Good(std::string(kGateway) + R"(
spec:
  gatewayClassName: penstock
  addresses:
  - {value: 10.0.0.1}
  - {value: "0:0:0:0:0:0:0:1"}
  - {}
  - {type: Hostname, value: a.example.com}
  infrastructure:
    labels: {a: b}
    annotations: {example.com/cost: "7"}
    parametersRef: {group: "", kind: ConfigMap, name: p}
  listeners:
  - name: web
    port: 80
    protocol: HTTP
    hostname: "*.example.com"
    allowedRoutes:
      kinds: [{kind: HTTPRoute}, {group: x.io, kind: Y}]
      namespaces:
        from: Selector
        selector:
          matchLabels: {team: ml}
          matchExpressions: [{key: env, operator: NotIn, values: [dev]}, {key: a, operator: Exists}]
  - name: secure
    port: 443
    protocol: HTTPS
    tls: {certificateRefs: [{name: cert}, {name: other, namespace: certs}]}
    allowedRoutes: {namespaces: {from: All}}
  - {name: odd, port: 9, protocol: example.com/quic}
status: {anything: goes}
)");
  const api::Gateway* gateway = set.FindGateway("default", "g");
  ASSERT_NE(gateway, nullptr);
  ASSERT_EQ(gateway->listeners.size(), 3u);
  const api::AllowedRoutes& web = gateway->listeners[0].allowed_routes;
  EXPECT_EQ(gateway->listeners[0].hostname, "*.example.com");
  EXPECT_EQ(web.from, api::AllowedRoutes::From::kSelector);
  EXPECT_TRUE(web.selector.Matches({{"team", "ml"}, {"a", ""}}));
  EXPECT_FALSE(web.selector.Matches({{"team", "ml"}, {"a", ""}, {"env", "dev"}}));
  EXPECT_FALSE(web.selector.Matches({{"team", "ml"}}));
  ASSERT_EQ(web.kinds.size(), 2u);
  EXPECT_EQ(web.kinds[0].group, "gateway.networking.k8s.io");
  EXPECT_EQ(web.kinds[1].group, "x.io");
  const api::Listener& secure = gateway->listeners[1];
  ASSERT_TRUE(secure.tls.has_value());
  EXPECT_EQ(secure.tls->mode, api::ListenerTls::Mode::kTerminate);
  ASSERT_EQ(secure.tls->certificate_refs.size(), 2u);
  EXPECT_EQ(secure.tls->certificate_refs[0].kind, "Secret");
  EXPECT_EQ(secure.tls->certificate_refs[0].ns, "default");
  EXPECT_EQ(secure.tls->certificate_refs[1].ns, "certs");
  EXPECT_EQ(gateway->listeners[2].protocol, "example.com/quic");
  ASSERT_EQ(gateway->addresses.size(), 4u);
  EXPECT_EQ(gateway->addresses[0].type, "IPAddress");
  EXPECT_EQ(gateway->addresses[1].value, "::1");
  EXPECT_EQ(gateway->addresses[2].value, "");
  ASSERT_TRUE(gateway->parameters_ref.has_value());
  EXPECT_EQ(gateway->parameters_ref->kind, "ConfigMap");
  EXPECT_EQ(gateway->infrastructure,
            (api::Infrastructure{.labels = {{"a", "b"}},
                                 .annotations = {{"example.com/cost", "7"}},
                                 .service_type = "LoadBalancer"}));
  EXPECT_THAT(PathsOf(gateway->unsupported),
              ElementsAre("-1 spec.addresses[3].type: Hostname is not supported, only IPAddress is",
                          "-1 spec.infrastructure.parametersRef: is not supported yet"));
}

TEST(GoodObjects, GatewayThatAsksClientsForCertificates) {
  const api::ResourceSet set = Good(R"(
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: g}
spec:
  gatewayClassName: c
  tls:
    backend: {clientCertificateRef: {name: own}}
    frontend:
      default:
        validation:
          caCertificateRefs:
          - {group: "", kind: ConfigMap, name: authorities}
          - {group: "", kind: ConfigMap, name: authorities, namespace: certs}
      perPort:
      - port: 8443
        tls:
          validation:
            mode: AllowInsecureFallback
            caCertificateRefs: [{group: x.io, kind: Other, name: n}]
      - {port: 9443, tls: {}}
  listeners: [{name: a, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}]
)");
  using Mode = api::FrontendValidation::Mode;
  const api::Gateway* gateway = set.FindGateway("default", "g");
  ASSERT_NE(gateway, nullptr);
  const api::FrontendTls& frontend = gateway->frontend;
  ASSERT_TRUE(frontend.validation.has_value());
  EXPECT_EQ(frontend.validation->mode, Mode::kAllowValidOnly);
  EXPECT_EQ(frontend.validation->path, "spec.tls.frontend.default.validation");
  EXPECT_THAT(frontend.validation->ca_refs,
              ElementsAre(api::CaRef{"", "ConfigMap", "default", "authorities"},
                          api::CaRef{"", "ConfigMap", "certs", "authorities"}));
  ASSERT_EQ(frontend.by_port.size(), 2u);
  EXPECT_EQ(frontend.by_port.at(8443)->mode, Mode::kAllowInsecureFallback);
  EXPECT_EQ(frontend.by_port.at(8443)->ca_refs[0].kind, "Other");
  EXPECT_FALSE(frontend.by_port.at(9443).has_value()) << "none are asked for there";
  EXPECT_THAT(gateway->unsupported, IsEmpty());
}

TEST(GoodObjects, InferencePoolV1) {
  const api::ResourceSet set = Good(R"(
apiVersion: inference.networking.k8s.io/v1
kind: InferencePool
metadata: {name: p}
spec:
  selector: {matchLabels: {app: vllm}}
  targetPorts: [{number: 8000}, {number: 8001}]
  appProtocol: kubernetes.io/h2c
  endpointPickerRef: {name: epp, port: {number: 9002}, failureMode: FailOpen}
)");
  const api::InferencePool* pool = set.FindPool(api::kInferenceGroup, "default", "p");
  ASSERT_NE(pool, nullptr);
  EXPECT_FALSE(pool->v1alpha2());
  EXPECT_THAT(pool->selector, ElementsAre(Pair("app", "vllm")));
  EXPECT_THAT(pool->target_ports, ElementsAre(8000, 8001));
  EXPECT_EQ(pool->app_protocol, api::InferencePool::AppProtocol::kH2c);
  ASSERT_TRUE(pool->extension_ref.has_value());
  EXPECT_EQ(pool->extension_ref->port, 9002);
  EXPECT_EQ(pool->extension_ref->failure_mode, api::ExtensionRef::FailureMode::kFailOpen);
  EXPECT_STREQ(pool->extension_field(), "spec.endpointPickerRef");
  EXPECT_THAT(PathsOf(pool->unsupported), ElementsAre("-1 spec.appProtocol: is not supported yet"));
}

TEST(GoodObjects, ObjectivesAndRewritesOfBothGroups) {
  for (const std::string group : {"inference.networking.x-k8s.io", "llm-d.ai"}) {
    const std::string head = "apiVersion: " + group + "/v1alpha2\n";
    std::string text = head;
    text +=
        "kind: InferenceObjective\nmetadata: {name: a}\n"
        "spec: {priority: -10, poolRef: {name: p}}\n---\n";
    text += head;
    text +=
        "kind: InferenceModelRewrite\nmetadata: {name: b}\n"
        "spec:\n  poolRef: {name: p}\n  rules:\n"
        "  - matches: [{model: {value: gpt-4}}]\n"
        "    targets: [{modelRewrite: qwen, weight: 9}, {modelRewrite: llama}]\n"
        "  - matches: [{model: {value: gpt-5}}, {}]\n"
        "    targets: [{modelRewrite: any}]\n";
    const api::ResourceSet set = Good(text);
    const auto& objective = set.inference_objectives.at({group, "default", "a"});
    EXPECT_EQ(objective.priority, -10);
    EXPECT_EQ(objective.pool_ref.group, "inference.networking.k8s.io");
    const auto& rewrite = set.inference_model_rewrites.at({group, "default", "b"});
    ASSERT_EQ(rewrite.rules.size(), 2u);
    EXPECT_THAT(rewrite.rules[0].models, ElementsAre("gpt-4"));
    ASSERT_EQ(rewrite.rules[0].targets.size(), 2u);
    EXPECT_EQ(rewrite.rules[0].targets[0].weight, 9);
    EXPECT_EQ(rewrite.rules[0].targets[1].name, "llama");
    EXPECT_TRUE(rewrite.rules[1].models.empty()) << "a match that asks for nothing fits all";
  }
}

TEST(GoodObjects, PolicyReferencesMayStandInEitherPlace) {
  const std::string head =
      "apiVersion: inferenceextension.alibabacloud.com/v1alpha1\nkind: InferenceTrafficPolicy\n"
      "metadata: {name: t}\nspec: {poolRef: {name: p}, profile: {pd: {pdRoleLabelName: r, ";
  const std::string inside =
      "trafficPolicy: {prefixCache: {}, prefillPolicyRef: prefixCache, decodePolicyRef: "
      "prefixCache}}}}";
  const std::string outside =
      "trafficPolicy: {prefixCache: {}}, prefillPolicyRef: prefixCache, decodePolicyRef: "
      "prefixCache}}}";
  for (const std::string& text : {head + inside, head + outside}) {
    const api::ResourceSet set = Good(text);
    const auto& policy = set.traffic_policies.at({"default", "t"});
    ASSERT_TRUE(policy.pd.has_value());
    EXPECT_EQ(policy.pd->prefix_cache_mode, "estimate");
    EXPECT_EQ(policy.pd->prefill_policy_ref, "prefixCache");
    EXPECT_EQ(policy.pd->decode_policy_ref, "prefixCache");
    EXPECT_FALSE(policy.pd->bootstrap_port.has_value());
  }
}

TEST(GoodObjects, ListsAreUnrolledAndOtherKindsSkipped) {
  const api::ResourceSet set = Good(R"(
apiVersion: v1
kind: List
metadata: {}
items:
- {apiVersion: v1, kind: Pod, metadata: {name: a}}
- {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}
- {apiVersion: apps/v1, kind: Deployment, metadata: {name: b}}
- apiVersion: v1
  kind: Pod
  metadata: {name: b}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: a}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: a}
---
# nothing
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: a}
)");
  EXPECT_EQ(set.pods.size(), 2u);
  EXPECT_EQ(set.pods.at({"default", "b"}).meta.source.line, 9);
  EXPECT_THAT(
      set.skipped,
      ElementsAre(Pair("apps/v1 Deployment", 2), Pair("gateway.networking.k8s.io/v1 GRPCRoute", 1),
                  Pair("networking.istio.io/v1 Gateway", 1), Pair("v1 PersistentVolume", 1)));
  EXPECT_EQ(set.skipped_count(), 5u);
  EXPECT_EQ(set.object_count(), 2u);
}

TEST(GoodObjects, V1Beta1IsServedWhereItExists) {
  const api::ResourceSet set = Good(
      "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\n"
      "metadata: {name: g, namespace: ml}\n"
      "spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: web}], to: "
      "[{group: "
      "inference.networking.k8s.io, kind: InferencePool, name: p}, {group: \"\", kind: Service}]}");
  const auto granted = [&](const char* from_ns, const char* group, const char* kind,
                           const char* name) {
    return set.Granted(api::kGatewayGroup, "HTTPRoute", from_ns, group, kind, "ml", name);
  };
  EXPECT_TRUE(granted("web", "inference.networking.k8s.io", "InferencePool", "p"));
  EXPECT_FALSE(granted("web", "inference.networking.k8s.io", "InferencePool", "q"));
  EXPECT_FALSE(granted("other", "inference.networking.k8s.io", "InferencePool", "p"));
  EXPECT_TRUE(granted("web", "", "Service", "any"));
  EXPECT_FALSE(set.Granted(api::kGatewayGroup, "HTTPRoute", "web", "", "Service", "ns", "any"));
}

}  // namespace
}  // namespace gw::config
