// BackendTLSPolicies and what comes of them, for tests of Translate.

#pragma once

#include <string>

#include "translate/test_tls.h"

namespace gw {

// A Gateway, a route to a pool and one to each of the two ports of a Service.
struct PolicyScenario : Scenario {
  api::Service* service;

  PolicyScenario() {
    options.now_unix_s = kNow;
    options.read_system_trust = [] { return Trust::Parse(TestAuthority().pem); };
    AddGateway();
    api::HttpRoute& route = AddRoute();
    AddPoolRef(route.rules[0], "pool");
    AddServiceRef(AddRule(route, "/web"), "web", 443);
    AddServiceRef(AddRule(route, "/other"), "web", 8443);
    AddPool();
    AddPod("pod", "127.0.0.1");
    service = &AddService("web");
    service->ports[0].name = "https-1";
    service->ports[0].port = 443;
    service->ports.push_back(service->ports[0]);
    service->ports[1].name = "https-2";
    service->ports[1].port = 8443;
    AddPod("web", "127.0.0.2", "web");
    AddAuthorities("ca", TestAuthority().pem);
  }
  // Of Service web, or of its port if there is one.
  api::BackendTlsPolicy& AddPolicy(const std::string& name, const std::string& hostname,
                                   const std::string& port = "") {
    api::BackendTlsPolicy& added = resources.backend_tls_policies[{"default", name}];
    added.meta.name = name;
    added.meta.source = {"policy.yaml", 1};
    added.targets = {{"", "Service", "web", port}};
    added.ca_refs = {{"", "ConfigMap", "default", "ca"}};
    added.hostname = hostname;
    return added;
  }
  api::BackendTlsPolicy& AddPoolPolicy(const std::string& name = "tls") {
    api::BackendTlsPolicy& added = AddPolicy(name, "models.internal");
    added.targets = {{api::kInferenceGroup, "InferencePool", "pool", ""}};
    return added;
  }
};

inline const PoolEntry& EntryFor(const Translation& translation, const std::string& path,
                                 uint16_t port = 80) {
  const RouteRule* rule = RuleFor(translation, port, "h", path);
  CHECK(rule != nullptr && !rule->destinations.empty());
  const Destination& destination = rule->destinations[0];
  CHECK(destination.kind == Destination::Kind::kPool);
  return *translation.snapshot->pools[destination.pool];
}

// Whose name is asked for; "plain"; or what keeps requests from being sent.
inline std::string Spoken(const PoolEntry& entry) {
  if (!entry.unservable.empty()) return entry.unservable;
  if (entry.pool.access == nullptr) return "plain";
  return entry.pool.access->tls->options().server_name;
}
inline std::string Spoken(const Translation& translation, const std::string& path,
                          uint16_t port = 80) {
  return Spoken(EntryFor(translation, path, port));
}

}  // namespace gw
