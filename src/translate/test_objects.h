// Objects for tests of Translate, made in a few words.

#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "translate/translate.h"

namespace gw {

// A GatewayClass "class" and the objects a test adds. References to them stay valid.
struct Scenario {
  api::ResourceSet resources;
  std::unique_ptr<TicketKeys> tickets = TicketKeys::New(RealClock());
  TranslateOptions options;
  EndpointTable endpoints;

  Scenario() {
    options.tickets = tickets.get();
    api::GatewayClass& added = resources.gateway_classes["class"];
    added.meta.ns.clear();
    added.meta.name = "class";
    added.controller_name = "penstock.dev/gateway-controller";
  }

  // With one HTTP listener "http" on port 80.
  api::Gateway& AddGateway(const std::string& name = "gateway") {
    api::Gateway& added = resources.gateways[{"default", name}];
    added.meta.name = name;
    added.gateway_class_name = "class";
    AddListener(added, "http", 80);
    return added;
  }
  static api::Listener& AddListener(api::Gateway& gateway, const std::string& name, int port,
                                    const std::string& hostname = "",
                                    const std::string& protocol = "HTTP") {
    api::Listener& added = gateway.listeners.emplace_back();
    added.name = name;
    added.port = port;
    added.hostname = hostname;
    added.protocol = protocol;
    return added;
  }

  // With parent default/gateway and one rule for every path, without backendRefs.
  api::HttpRoute& AddRoute(const std::string& name = "route", const std::string& ns = "default") {
    api::HttpRoute& added = resources.http_routes[{ns, name}];
    added.meta.name = name;
    added.meta.ns = ns;
    AddParent(added, "gateway");
    AddRule(added, "/");
    return added;
  }
  static api::ParentRef& AddParent(api::HttpRoute& route, const std::string& name,
                                   const std::string& section = "") {
    api::ParentRef& added = route.parent_refs.emplace_back();
    added.ns = "default";
    added.name = name;
    added.section_name = section;
    return added;
  }
  static api::RouteRule& AddRule(api::HttpRoute& route, const std::string& path) {
    api::RouteRule& added = route.rules.emplace_back();
    added.matches.emplace_back().path = path;
    return added;
  }
  static api::BackendRef& AddPoolRef(api::RouteRule& rule, const std::string& name,
                                     const std::string& ns = "default") {
    api::BackendRef& added = rule.backend_refs.emplace_back();
    added.group = api::kInferenceGroup;
    added.kind = "InferencePool";
    added.ns = ns;
    added.name = name;
    return added;
  }
  static api::BackendRef& AddServiceRef(api::RouteRule& rule, const std::string& name, int port,
                                        const std::string& ns = "default") {
    api::BackendRef& added = rule.backend_refs.emplace_back();
    added.ns = ns;
    added.name = name;
    added.port = port;
    return added;
  }

  // Of Pods labelled app=<name>, port 8000.
  api::InferencePool& AddPool(const std::string& name = "pool", const std::string& ns = "default",
                              const std::string& group = api::kInferenceGroup) {
    api::InferencePool& added = resources.inference_pools[{group, ns, name}];
    added.group = group;
    added.version = group == api::kInferenceGroup ? "v1" : "v1alpha2";
    added.meta.name = name;
    added.meta.ns = ns;
    added.selector = {{"app", name}};
    added.target_ports = {8000};
    return added;
  }
  api::Pod& AddPod(const std::string& name, const std::string& ip, const std::string& app = "pool",
                   const std::string& ns = "default") {
    api::Pod& added = resources.pods[{ns, name}];
    added.meta.name = name;
    added.meta.ns = ns;
    added.meta.labels = {{"app", app}};
    added.ip = ip;
    return added;
  }
  // With one port 80, targetPort 8000.
  api::Service& AddService(const std::string& name, const std::string& ns = "default") {
    api::Service& added = resources.services[{ns, name}];
    added.meta.name = name;
    added.meta.ns = ns;
    added.selector = {{"app", name}};
    api::ServicePort& port = added.ports.emplace_back();
    port.port = 80;
    port.target_port = 8000;
    return added;
  }
  api::InferenceModel& AddModel(const std::string& name, const std::string& model_name,
                                const std::string& pool = "pool") {
    api::InferenceModel& added = resources.inference_models[{"default", name}];
    added.meta.name = name;
    added.model_name = model_name;
    added.pool_ref.group = api::kInferenceGroup;
    added.pool_ref.name = pool;
    return added;
  }
  api::Secret& AddSecret(const std::string& name, const std::string& chain_pem,
                         const std::string& key_pem, const std::string& ns = "default") {
    api::Secret& added = resources.secrets[{ns, name}];
    added.meta.name = name;
    added.meta.ns = ns;
    added.type = api::kTlsSecretType;
    added.data = {{api::kTlsCertificateKey, chain_pem}, {api::kTlsPrivateKeyKey, key_pem}};
    return added;
  }
  api::ConfigMap& AddAuthorities(const std::string& name, const std::string& pem,
                                 const std::string& ns = "default") {
    api::ConfigMap& added = resources.config_maps[{ns, name}];
    added.meta.name = name;
    added.meta.ns = ns;
    added.data = {{api::kCaCertificateKey, pem}};
    return added;
  }
  // Lets Gateways of namespace `from` refer to the kind in namespace `to`; "": to all of them.
  void AddGrant(const std::string& from, const std::string& to, const std::string& kind,
                const std::string& name = "") {
    api::ReferenceGrant& added = resources.reference_grants[{to, "grant"}];
    added.meta.name = "grant";
    added.meta.ns = to;
    added.from = {{api::kGatewayGroup, "Gateway", from}};
    added.to = {{"", kind, name}};
  }
  // On port 443; with a reference to the Secret of the Gateway's namespace unless that is empty.
  static api::Listener& AddHttps(api::Gateway& gateway, const std::string& name,
                                 const std::string& secret, const std::string& hostname = "",
                                 int port = 443) {
    api::Listener& added = AddListener(gateway, name, port, hostname, "HTTPS");
    added.tls.emplace();
    if (!secret.empty()) {
      added.tls->certificate_refs.push_back({"", "Secret", gateway.meta.ns, secret});
    }
    return added;
  }
  void AddInvalid(const std::string& group, const std::string& kind, const std::string& name,
                  const std::string& error) {
    api::InvalidObject& added = resources.invalid.emplace_back();
    added.ref = {group, "v1", kind, kind == "GatewayClass" ? "" : "default", name};
    added.errors = {error};
  }

  Translation Run() { return Translate(resources, options, endpoints, 1); }
};

}  // namespace gw
