#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "translate/test_answers.h"
#include "translate/test_objects.h"
#include "translate/translator.h"

namespace gw {
namespace {

std::string AddressesSaid(const Translation& translation, const std::string& gateway) {
  std::string out;
  for (const auto& address : StatusOf(translation, "Gateway", gateway).addresses) {
    out += (out.empty() ? "" : " ") + address.value;
  }
  return out;
}
std::string ListenersOf(const Translation& translation) {
  std::string out;
  for (const ListenerEntry& entry : translation.snapshot->listeners) {
    out += (out.empty() ? "" : "; ") + entry.key.ToString();
    for (const std::string& name : entry.names) out += " " + name;
  }
  return out;
}

std::string GatewaySaid(const Translation& translation, const std::string& type) {
  return Said(StatusOf(translation, "Gateway", "gateway").conditions, type);
}
std::string ListenerSaid(const Translation& translation, const std::string& listener,
                         const std::string& type) {
  return Said(ListenerOf(translation, listener).conditions, type);
}

TEST(Gateway, ListensAtTheAddressesItNames) {
  Scenario scenario;
  scenario.AddGateway("any");
  scenario.AddGateway("own").addresses = {
      {"IPAddress", "127.0.0.6"}, {"IPAddress", "::1"}, {"IPAddress", "::1"}};
  for (const char* name : {"any", "own"}) {
    scenario.AddPool(name);
    api::HttpRoute& route = scenario.AddRoute(name);
    route.parent_refs[0].name = name;
    Scenario::AddPoolRef(route.rules[0], name);
  }
  const Translation translation = scenario.Run();
  EXPECT_EQ(ListenersOf(translation),
            "0.0.0.0:80 default/any/http; 127.0.0.6:80 default/own/http; "
            "[::1]:80 default/own/http");
  EXPECT_EQ(AddressesSaid(translation, "any"), "") << "all of the machine's: nobody knows them";
  EXPECT_EQ(AddressesSaid(translation, "own"), "127.0.0.6 ::1");
  for (const ListenerEntry& entry : translation.snapshot->listeners) {
    ASSERT_EQ(entry.routes->entries().size(), 1u);
    EXPECT_EQ(entry.routes->entries()[0].route,
              entry.key.ip == "0.0.0.0" ? "default/any" : "default/own");
  }
}

TEST(Gateway, OfAnAddressWithoutAValueListensWhereTheOthersDo) {
  Scenario scenario;
  scenario.options.bind_ip = "127.0.0.9";
  scenario.AddGateway().addresses = {{"IPAddress", ""}, {"IPAddress", "127.0.0.9"}};
  const Translation translation = scenario.Run();
  EXPECT_EQ(ListenersOf(translation), "127.0.0.9:80 default/gateway/http");
  EXPECT_EQ(AddressesSaid(translation, "gateway"), "127.0.0.9");
}

TEST(Gateway, WhoseAddressAnotherHasIsServedAtItsOthers) {
  Scenario scenario;
  scenario.AddGateway("a").addresses = {{"IPAddress", "127.0.0.5"}};
  scenario.AddGateway("b").addresses = {{"IPAddress", "127.0.0.5"}, {"IPAddress", "127.0.0.6"}};
  const Translation translation = scenario.Run();
  EXPECT_EQ(ListenersOf(translation), "127.0.0.5:80 default/a/http; 127.0.0.6:80 default/b/http");
  EXPECT_EQ(AddressesSaid(translation, "b"), "127.0.0.6");
  const auto conditions = ListenerOf(translation, "http", "b").conditions;
  EXPECT_EQ(Said(conditions, "Programmed"), "True/Programmed");
  EXPECT_EQ(MessageOf(conditions, "Conflicted"),
            "port 80 of address 127.0.0.5 with hostname \"\" is listener default/a/http's, whose "
            "name sorts first");
}

TEST(Gateway, WhoseAddressCannotBeUsedSaysSoAndServesItsOthers) {
  Scenario scenario;
  scenario.AddGateway().addresses = {{"IPAddress", "192.0.2.1"}, {"IPAddress", "127.0.0.6"}};
  scenario.AddGateway("other").addresses = {{"IPAddress", "127.0.0.7"}};
  Translation translation = scenario.Run();
  const api::StatusSet open = translation.status;
  const ListenErrors errors = {{{80, "192.0.2.1"}, {"192.0.2.1: not of this machine", true}}};
  translation.status = WithListenErrors(open, *translation.snapshot, errors);
  EXPECT_EQ(GatewaySaid(translation, "Accepted"), "True/Accepted");
  EXPECT_EQ(GatewaySaid(translation, "Programmed"), "False/AddressNotUsable");
  EXPECT_EQ(MessageOf(StatusOf(translation, "Gateway", "gateway").conditions, "Programmed"),
            "192.0.2.1: not of this machine");
  EXPECT_EQ(MessageOf(ListenerOf(translation, "http").conditions, "Programmed"),
            "port 80, but not everywhere: 192.0.2.1: not of this machine");
  EXPECT_EQ(AddressesSaid(translation, "gateway"), "127.0.0.6");
  EXPECT_EQ(Said(StatusOf(translation, "Gateway", "other").conditions, "Programmed"),
            "True/Programmed");
  // None of its addresses.
  ListenErrors all = errors;
  all[{80, "127.0.0.6"}] = {"127.0.0.6: gone", true};
  translation.status = WithListenErrors(open, *translation.snapshot, all);
  EXPECT_EQ(GatewaySaid(translation, "Accepted"), "True/Accepted");
  EXPECT_EQ(GatewaySaid(translation, "Programmed"), "False/AddressNotUsable");
  EXPECT_EQ(ListenerSaid(translation, "http", "Programmed"), "False/Pending");
  EXPECT_EQ(AddressesSaid(translation, "gateway"), "");
}

std::string ProgrammedMessage(const Translation& translation, const std::string& gateway) {
  return MessageOf(StatusOf(translation, "Gateway", gateway).conditions, "Programmed");
}
std::string GatewaySaid(const Translation& translation, const std::string& gateway,
                        const std::string& type) {
  return Said(StatusOf(translation, "Gateway", gateway).conditions, type);
}

// Gateways are given addresses; what each translation holds the next one knows.
struct PoolScenario : Scenario {
  Holders held;

  explicit PoolScenario(const std::string& network) {
    options.address_pool = *AddressPool::Parse({network});
  }
  api::Gateway& AddGateway(const std::string& name, int64_t created = 0) {
    api::Gateway& added = Scenario::AddGateway(name);
    added.meta.creation_unix_s = created;
    return added;
  }
  void Remove(const std::string& name) { resources.gateways.erase({"default", name}); }
  Translation Run() {
    Translation translation = Translate(resources, options, endpoints, 1, held);
    held = translation.holders;
    return translation;
  }
  // "a 10.0.0.1, b -"
  std::string Told() {
    const Translation translation = Run();
    std::string out;
    for (const auto& [key, gateway] : resources.gateways) {
      const std::string told = AddressesSaid(translation, key.name);
      out += (out.empty() ? "" : ", ") + key.name + " " + (told.empty() ? "-" : told);
    }
    return out;
  }
};

TEST(AddressesOfAPool, EachGatewayThatNamesNoneHasOneOfItsOwn) {
  PoolScenario scenario("10.0.0.0/29");
  scenario.AddGateway("a");
  Scenario::AddListener(scenario.AddGateway("b"), "other", 8080);
  const Translation translation = scenario.Run();
  EXPECT_EQ(ListenersOf(translation),
            "10.0.0.1:80 default/a/http; 10.0.0.2:80 default/b/http; "
            "10.0.0.2:8080 default/b/other");
  const api::ObjectStatus status = StatusOf(translation, "Gateway", "a");
  ASSERT_EQ(status.addresses.size(), 1u);
  EXPECT_EQ(status.addresses[0].type, "IPAddress");
  EXPECT_EQ(status.addresses[0].value, "10.0.0.1");
  EXPECT_EQ(GatewaySaid(translation, "b", "Programmed"), "True/Programmed");
  EXPECT_EQ(Said(ListenerOf(translation, "http", "b").conditions, "Conflicted"),
            "False/NoConflicts");
}

TEST(AddressesOfAPool, AreKeptWhoeverComesAndFreedByWhoGoes) {
  PoolScenario scenario("10.0.0.0/29");
  scenario.AddGateway("m", 20);
  EXPECT_EQ(scenario.Told(), "m 10.0.0.1");
  scenario.AddGateway("z", 10);
  scenario.AddGateway("a", 30);
  EXPECT_EQ(scenario.Told(), "a 10.0.0.3, m 10.0.0.1, z 10.0.0.2");
  scenario.Remove("z");
  EXPECT_EQ(scenario.Told(), "a 10.0.0.3, m 10.0.0.1");
  scenario.AddGateway("b", 40);
  EXPECT_EQ(scenario.Told(), "a 10.0.0.3, b 10.0.0.2, m 10.0.0.1");
}

TEST(AddressesOfAPool, AreKeptOverARestart) {
  PoolScenario scenario("10.0.0.0/29");
  scenario.AddGateway("a", 10);
  scenario.AddGateway("b", 20).told.ips = {"192.0.2.1", "10.0.0.1"};
  scenario.AddGateway("c", 30).told.ips = {"10.0.0.5"};
  // What no pool gives is not kept: a network's address, a broadcast's, another's.
  scenario.AddGateway("d", 40).told.ips = {"10.0.0.0", "10.0.0.7", "10.0.0.8", "10.0.0.1"};
  EXPECT_EQ(scenario.Told(), "a 10.0.0.2, b 10.0.0.1, c 10.0.0.5, d 10.0.0.3");
  // What it is told later, and by whom, moves nobody.
  scenario.resources.gateways[{"default", "a"}].told.ips = {"10.0.0.6"};
  scenario.resources.gateways[{"default", "b"}].told.ips.clear();
  EXPECT_EQ(scenario.Told(), "a 10.0.0.2, b 10.0.0.1, c 10.0.0.5, d 10.0.0.3");
}

TEST(AddressesOfAPool, OfTwoGatewaysThatWereToldTheSameTheOlderHasIt) {
  PoolScenario scenario("10.0.0.0/29");
  scenario.AddGateway("a", 20).told.ips = {"10.0.0.4"};
  scenario.AddGateway("b", 10).told.ips = {"10.0.0.4"};
  EXPECT_EQ(scenario.Told(), "a 10.0.0.1, b 10.0.0.4");
}

TEST(AddressesOfAPool, ThatAreNamedAreNotGiven) {
  PoolScenario scenario("10.0.0.0/29");
  scenario.AddGateway("a", 10);
  scenario.AddGateway("b", 20).addresses = {{"IPAddress", "10.0.0.1"}};
  // Those that name the same one meet there.
  api::Gateway& same = scenario.AddGateway("c", 30);
  same.addresses = {{"IPAddress", "10.0.0.1"}};
  same.listeners[0].hostname = "c.example.com";
  const Translation translation = scenario.Run();
  EXPECT_EQ(ListenersOf(translation),
            "10.0.0.1:80 default/b/http default/c/http; 10.0.0.2:80 default/a/http");
  EXPECT_EQ(GatewaySaid(translation, "c", "Programmed"), "True/Programmed");
}

TEST(AddressesOfAPool, AGatewayThatNamesOneThatAnotherWasGivenWaitsForIt) {
  PoolScenario scenario("10.0.0.0/29");
  scenario.AddGateway("a", 20);
  scenario.Run();
  scenario.AddGateway("b", 10).addresses = {{"IPAddress", "10.0.0.1"}};
  scenario.AddGateway("c", 10).addresses = {{"IPAddress", "10.0.0.1"}, {"IPAddress", "10.0.0.9"}};
  Translation translation = scenario.Run();
  EXPECT_EQ(ListenersOf(translation), "10.0.0.1:80 default/a/http; 10.0.0.9:80 default/c/http");
  EXPECT_EQ(GatewaySaid(translation, "b", "Accepted"), "True/Accepted");
  EXPECT_EQ(GatewaySaid(translation, "b", "Programmed"), "False/AddressNotUsable");
  EXPECT_EQ(ProgrammedMessage(translation, "b"),
            "10.0.0.1 was given to Gateway default/a before (--address-pool)");
  EXPECT_EQ(Said(ListenerOf(translation, "http", "b").conditions, "Programmed"), "False/Pending");
  EXPECT_EQ(AddressesSaid(translation, "b"), "");
  EXPECT_EQ(GatewaySaid(translation, "c", "Programmed"), "False/AddressNotUsable");
  EXPECT_EQ(AddressesSaid(translation, "c"), "10.0.0.9") << "the other one is outside of the pool";
  EXPECT_EQ(Said(ListenerOf(translation, "http", "c").conditions, "Programmed"), "True/Programmed");
  // What the machine does not have is told beside it.
  translation.status = WithListenErrors(translation.status, *translation.snapshot,
                                        {{{80, "10.0.0.9"}, {"10.0.0.9: not here", true}}});
  EXPECT_EQ(ProgrammedMessage(translation, "c"),
            "10.0.0.9: not here; 10.0.0.1 was given to Gateway default/a before (--address-pool)");
  scenario.Remove("a");
  EXPECT_EQ(scenario.Told(), "b 10.0.0.1, c 10.0.0.9");
  scenario.Remove("b");
  EXPECT_EQ(scenario.Told(), "c 10.0.0.1 10.0.0.9");
}

TEST(AddressesOfAPool, UsedUpAreToldWithTheFlagAndTheirNumber) {
  PoolScenario scenario("10.0.0.0/30");
  for (const char* name : {"a", "b", "c"}) scenario.AddGateway(name);
  scenario.AddRoute().parent_refs[0].name = "c";
  const Translation translation = scenario.Run();
  EXPECT_EQ(ListenersOf(translation), "10.0.0.1:80 default/a/http; 10.0.0.2:80 default/b/http");
  EXPECT_EQ(GatewaySaid(translation, "c", "Accepted"), "True/Accepted");
  EXPECT_EQ(GatewaySaid(translation, "c", "Programmed"), "False/AddressNotAssigned");
  EXPECT_EQ(ProgrammedMessage(translation, "c"),
            "--address-pool 10.0.0.0/30: none of its 2 addresses is left");
  const auto conditions = ListenerOf(translation, "http", "c").conditions;
  EXPECT_EQ(Said(conditions, "Programmed"), "False/Pending");
  EXPECT_EQ(Said(conditions, "Accepted"), "True/Accepted");
  EXPECT_EQ(AddressesSaid(translation, "c"), "");
  EXPECT_EQ(Said(ParentConditions(translation, "HTTPRoute", "route"), "Accepted"), "True/Accepted");
  scenario.Remove("a");
  EXPECT_EQ(scenario.Told(), "b 10.0.0.2, c 10.0.0.1");
}

TEST(AddressesOfAPool, AnAddressWithoutAValueIsOneOfThem) {
  PoolScenario scenario("10.0.0.0/29");
  scenario.AddGateway("a").addresses = {
      {"IPAddress", "10.0.0.1"}, {"IPAddress", ""}, {"IPAddress", ""}, {"IPAddress", "192.0.2.1"}};
  EXPECT_EQ(scenario.Told(), "a 10.0.0.1 10.0.0.2 192.0.2.1");
  // As its status tells them all after a restart, whichever of them was given.
  scenario.held.clear();
  scenario.resources.gateways.begin()->second.told.ips = {"10.0.0.1", "10.0.0.3"};
  EXPECT_EQ(scenario.Told(), "a 10.0.0.1 10.0.0.3 192.0.2.1");
}

TEST(AddressesOfAPool, AreNotForGatewaysThatAreNotServed) {
  PoolScenario scenario("10.0.0.0/29");
  scenario.options.only_controller = false;
  scenario.AddGateway("a").gateway_class_name = "other";
  scenario.AddGateway("b").unsupported = {{"spec.x", -1, "is not supported yet"}};
  scenario.AddGateway("c");
  EXPECT_EQ(scenario.Told(), "a -, b -, c 10.0.0.1");
  // A class that is made anew costs nobody the address that clients know.
  const api::GatewayClass gateway_class = scenario.resources.gateway_classes.at("class");
  scenario.resources.gateway_classes.clear();
  EXPECT_EQ(scenario.Told(), "a -, b -, c -");
  scenario.resources.gateway_classes["class"] = gateway_class;
  scenario.resources.gateways[{"default", "b"}].unsupported.clear();
  EXPECT_EQ(scenario.Told(), "a -, b 10.0.0.2, c 10.0.0.1");
}

TEST(AddressesOfAPool, NoTwoGatewaysShareOneAndNoneMovesWhateverComesAndGoes) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    PoolScenario scenario("10.0.0.0/29");  // of 6
    std::map<std::string, std::string> before;
    for (int64_t step = 1; step <= 100; ++step) {
      const std::string name(1, static_cast<char>('a' + random.Below(9)));
      if (scenario.resources.gateways.contains({"default", name})) {
        scenario.Remove(name);
      } else {
        scenario.AddGateway(name, step);
      }
      if (random.Below(5) == 0) {  // a restart
        scenario.held.clear();
        for (auto& [key, gateway] : scenario.resources.gateways) {
          const std::string& told = before[key.name];
          gateway.told.ips.assign(told.empty() ? 0 : 1, told);
        }
      }
      const Translation translation = scenario.Run();
      std::map<std::string, std::string> now;
      std::set<std::string> given;
      for (const auto& [key, gateway] : scenario.resources.gateways) {
        const std::string ip = AddressesSaid(translation, key.name);
        if (ip.empty()) continue;
        ASSERT_TRUE(given.insert(ip).second) << ip;
        ASSERT_TRUE(before[key.name].empty() || before[key.name] == ip) << key.name;
        now[key.name] = ip;
      }
      ASSERT_EQ(given.size(), std::min<size_t>(6, scenario.resources.gateways.size()));
      ASSERT_EQ(translation.snapshot->FindListener({80, "0.0.0.0"}), nullptr);
      before = now;
    }
  }
}

// Gateways share an address, and a Service stands in front of it.
struct ServiceScenario : Scenario {
  ServiceScenario() { options.shared_service = api::ObjectKey{"system", "front"}; }
  api::Service& AddFront(const std::string& type) {
    api::Service& front = AddService("front", "system");
    front.type = type;
    return front;
  }
};

TEST(AddressesOfAService, ThatALoadBalancerHasAreToldByAllGatewaysThatNameNone) {
  ServiceScenario scenario;
  api::Service& front = scenario.AddFront("LoadBalancer");
  front.cluster_ips = {"10.96.0.7"};
  front.external_ips = {"192.0.2.77"};
  front.load_balancer = {{"192.0.2.5", ""}, {"", "lb.example.com"}};
  scenario.AddGateway("a");
  scenario.AddGateway("b").listeners[0].port = 81;
  scenario.AddGateway("own").addresses = {{"IPAddress", "127.0.0.6"}};
  scenario.AddGateway("any").addresses = {{"IPAddress", ""}};
  scenario.resources.gateways[{"default", "any"}].listeners[0].port = 82;
  const Translation translation = scenario.Run();
  EXPECT_EQ(ListenersOf(translation),
            "0.0.0.0:80 default/a/http; 127.0.0.6:80 default/own/http; "
            "0.0.0.0:81 default/b/http; 0.0.0.0:82 default/any/http");
  for (const char* name : {"a", "b", "any"}) {
    EXPECT_EQ(AddressesSaid(translation, name), "192.0.2.5 lb.example.com") << name;
    EXPECT_EQ(GatewaySaid(translation, name, "Programmed"), "True/Programmed");
  }
  EXPECT_EQ(AddressesSaid(translation, "own"), "127.0.0.6");
  const api::ObjectStatus status = StatusOf(translation, "Gateway", "a");
  EXPECT_EQ(status.addresses[0].type, "IPAddress");
  EXPECT_EQ(status.addresses[1].type, "Hostname");
}

TEST(AddressesOfAService, WithoutALoadBalancerAreItsExternalOnesAndThenItsOwn) {
  ServiceScenario scenario;
  scenario.options.bind_ip = "127.0.0.9";
  scenario.AddGateway();
  api::Service& front = scenario.AddFront("NodePort");
  front.cluster_ip = "10.96.0.7";
  EXPECT_EQ(AddressesSaid(scenario.Run(), "gateway"), "10.96.0.7") << "and not where it listens";
  front.cluster_ips = {"10.96.0.7", "fd00::7"};
  front.external_ips = {"192.0.2.1"};
  EXPECT_EQ(AddressesSaid(scenario.Run(), "gateway"), "192.0.2.1 10.96.0.7 fd00::7");
}

TEST(AddressesOfAService, ThatThereAreNoneOfIsToldWhileRequestsAreServed) {
  const struct {
    void (*change)(ServiceScenario&);
    const char* message;
  } kCases[] = {
      {[](ServiceScenario&) {}, "Service system/front does not exist (--service)"},
      {[](ServiceScenario& s) { s.AddFront("LoadBalancer").cluster_ips = {"10.96.0.7"}; },
       "Service system/front of type LoadBalancer has no address yet (--service)"},
      {[](ServiceScenario& s) { s.AddFront("ClusterIP").cluster_ip = "None"; },
       "Service system/front of type ClusterIP has no address (--service)"},
      {[](ServiceScenario& s) { s.AddService("front").cluster_ip = "10.96.0.7"; },
       "Service system/front does not exist (--service)"},
      {[](ServiceScenario& s) {
         s.AddInvalid("", "Service", "front", "spec: is required");
         s.resources.invalid.back().ref.ns = "system";
       },
       "Service system/front is invalid (--service)"},
  };
  for (const auto& c : kCases) {
    ServiceScenario scenario;
    scenario.AddGateway();
    scenario.AddGateway("own").addresses = {{"IPAddress", "127.0.0.6"}};
    c.change(scenario);
    const Translation translation = scenario.Run();
    EXPECT_EQ(ListenersOf(translation),
              "0.0.0.0:80 default/gateway/http; 127.0.0.6:80 default/own/http");
    EXPECT_EQ(GatewaySaid(translation, "Accepted"), "True/Accepted");
    EXPECT_EQ(GatewaySaid(translation, "Programmed"), "False/AddressNotAssigned");
    EXPECT_EQ(ProgrammedMessage(translation, "gateway"), c.message);
    EXPECT_EQ(ListenerSaid(translation, "http", "Programmed"), "True/Programmed");
    EXPECT_EQ(GatewaySaid(translation, "own", "Programmed"), "True/Programmed");
  }
}

TEST(AddressesOfAService, AreToldAsLongAsAListenerBehindItIsOpen) {
  ServiceScenario scenario;
  scenario.AddFront("ClusterIP").cluster_ip = "10.96.0.7";
  Scenario::AddListener(scenario.AddGateway(), "other", 81);
  scenario.resources.gateways.begin()->second.addresses = {{"IPAddress", ""},
                                                           {"IPAddress", "127.0.0.6"}};
  Translation translation = scenario.Run();
  const api::StatusSet open = translation.status;
  const auto told = [&](const ListenErrors& errors) {
    translation.status = WithListenErrors(open, *translation.snapshot, errors);
    return AddressesSaid(translation, "gateway");
  };
  EXPECT_EQ(told({}), "10.96.0.7 127.0.0.6");
  EXPECT_EQ(told({{{80, "0.0.0.0"}, {"taken"}}}), "10.96.0.7 127.0.0.6");
  EXPECT_EQ(told({{{80, "0.0.0.0"}, {"taken"}}, {{81, "0.0.0.0"}, {"taken"}}}), "127.0.0.6");
  EXPECT_EQ(told({{{80, "127.0.0.6"}, {"none", true}}, {{81, "127.0.0.6"}, {"none", true}}}),
            "10.96.0.7");
  EXPECT_EQ(GatewaySaid(translation, "Programmed"), "False/AddressNotUsable");
}

TEST(AddressesOfAService, ThatAreMissingAreStillMissingWhenAPortIsTaken) {
  ServiceScenario scenario;
  Scenario::AddListener(scenario.AddGateway(), "other", 81);
  Translation translation = scenario.Run();
  translation.status =
      WithListenErrors(translation.status, *translation.snapshot, {{{80, "0.0.0.0"}, {"taken"}}});
  EXPECT_EQ(GatewaySaid(translation, "Accepted"), "True/ListenersNotValid");
  EXPECT_EQ(GatewaySaid(translation, "Programmed"), "False/AddressNotAssigned");
}

TEST(AddressesOfAService, AreFollowed) {
  ServiceScenario scenario;
  scenario.AddGateway();
  Translator translator(scenario.options, scenario.endpoints);
  Translation translation;
  translation.status = translator.TranslateAll(scenario.resources, 1).status;
  EXPECT_EQ(GatewaySaid(translation, "Programmed"), "False/AddressNotAssigned");
  uint64_t generation = 1;
  std::shared_ptr<const api::Object> now;
  const auto follow = [&](const std::string& ip) {
    scenario.AddFront("LoadBalancer").load_balancer = {{ip, ""}};
    auto next = std::make_shared<api::Object>(scenario.resources.services.begin()->second);
    const std::vector<api::ObjectChange> changes = {{now, next}};
    now = next;
    translation.status = translator.Follow(scenario.resources, changes, ++generation).status;
    return AddressesSaid(translation, "gateway");
  };
  EXPECT_EQ(follow("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(GatewaySaid(translation, "Programmed"), "True/Programmed");
  EXPECT_EQ(follow("192.0.2.2"), "192.0.2.2");
}

}  // namespace
}  // namespace gw
