#include "translate/shared_service.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "translate/test_objects.h"

namespace gw {
namespace {

TEST(SharedPorts, AreThoseThatAreOpenAtTheAddressOfAll) {
  Scenario scenario;
  api::Gateway& a = scenario.AddGateway("a");
  Scenario::AddListener(a, "high", 8080, "a.example.com");
  Scenario::AddListener(a, "taken", 81);
  Scenario::AddListener(scenario.AddGateway("b"), "high", 8080, "b.example.com");
  scenario.AddGateway("own").addresses = {{"IPAddress", "127.0.0.6"}};
  scenario.resources.gateways[{"default", "own"}].listeners[0].port = 9090;
  const Translation translation = scenario.Run();
  EXPECT_EQ(SharedPorts(*translation.snapshot, "0.0.0.0", {{{81, "0.0.0.0"}, {"taken"}}}),
            (std::vector<uint16_t>{80, 8080}));
  EXPECT_TRUE(SharedPorts(*translation.snapshot, "127.0.0.1", {}).empty());
}

TEST(GatewaysBehind, AreTheReadyPodsThatTheServiceSelects) {
  Scenario scenario;
  api::ResourceSet& resources = scenario.resources;
  const api::ObjectKey service{"gateways", "front"};
  EXPECT_EQ(GatewaysBehind(resources, service), 0) << "there is none";
  const auto add_pod = [&](const std::string& ns, const std::string& name) -> api::Pod& {
    api::Pod& pod = resources.pods[{ns, name}];
    pod.meta.ns = ns;
    pod.meta.name = name;
    pod.meta.labels = {{"app", "penstock"}, {"release", name}};
    pod.ip = "10.0.0.1";
    return pod;
  };
  for (const char* name : {"a", "b"}) add_pod("gateways", name);
  add_pod("gateways", "not-ready").ready = false;
  add_pod("gateways", "ends").meta.terminating = true;
  add_pod("gateways", "without-address").ip.clear();
  add_pod("gateways", "another").meta.labels["app"] = "model-server";
  for (const char* ns : {"gateway", "gateways-of-others"}) add_pod(ns, "elsewhere");
  api::Service& front = resources.services[service];
  EXPECT_EQ(GatewaysBehind(resources, service), 0) << "a Service without selector selects nobody";
  front.selector = {{"app", "penstock"}};
  EXPECT_EQ(GatewaysBehind(resources, service), 2);
  front.selector["release"] = "b";
  EXPECT_EQ(GatewaysBehind(resources, service), 1);
}

}  // namespace
}  // namespace gw
