#include <gtest/gtest.h>

#include <string>

#include "translate/test_answers.h"
#include "translate/test_objects.h"

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
  EXPECT_EQ(GatewaySaid(translation, "Programmed"), "False/AddressNotUsable");
  EXPECT_EQ(ListenerSaid(translation, "http", "Programmed"), "False/Invalid");
  EXPECT_EQ(AddressesSaid(translation, "gateway"), "");
}

}  // namespace
}  // namespace gw
