#include "translate/translator.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "base/random.h"
#include "translate/test_answers.h"
#include "translate/test_objects.h"

namespace gw {
namespace {

std::string Text(const Pool& pool) {
  std::string out;
  for (const Endpoint& e : pool.endpoints) {
    out += fmt::format(" {}/{}={} {} {} slot {};", e.ns, e.name, e.address, NameOf(e.runtime),
                       NameOf(e.role), e.state->slot);
  }
  return out + "\n";
}

std::string Text(const PoolEntry& entry) {
  std::string out =
      fmt::format("{} {} {} \"{}\" models {}:", entry.pool.id, NameOf(entry.pool.runtime),
                  entry.uses_prefix, entry.unservable, entry.models.names().size());
  out += Text(entry.pool);
  if (const Disaggregation* split = entry.disaggregation.get()) {
    out += "  decode" + Text(split->decode) + "  whole" + Text(split->whole);
    for (const auto& [runtime, pool] : split->prefill) {
      out += fmt::format("  prefill {}{}", NameOf(runtime), Text(pool));
    }
    out += fmt::format("  from {} tokens\n", split->uncached_tokens_min);
  }
  return out;
}

std::string Text(const Snapshot& snapshot) {
  std::string out = fmt::format("generation {}\n", snapshot.generation);
  for (const auto& entry : snapshot.pools) out += Text(*entry);
  for (const ListenerEntry& listener : snapshot.listeners) {
    out += fmt::format("{} {}\n", listener.key.ToString(), fmt::join(listener.names, ","));
    for (const RouteTable::Entry& entry : listener.routes->entries()) {
      out += fmt::format("  {} {} {} \"{}\"", entry.hostname, entry.match.path, entry.rule->name,
                         entry.rule->unsupported);
      for (const Destination& to : entry.rule->destinations) {
        const bool is_pool = to.kind == Destination::Kind::kPool;
        out += fmt::format(" {}*{}", is_pool ? std::to_string(to.pool) : "500", to.weight);
      }
      out += "\n";
    }
  }
  return out;
}

// What whoever follows the Translator has.
struct Followed {
  std::shared_ptr<const Snapshot> snapshot;
  api::StatusSet status;
  std::vector<std::string> warnings;

  void Take(Translator::Update update) {
    snapshot = std::move(update.snapshot);
    warnings = std::move(update.warnings);
    if (update.whole) status = std::move(update.status);
    for (auto& [ref, parents] : update.parents) {
      status.find(ref)->second.parents = std::move(parents);
    }
  }
  std::string Text() const {
    return gw::Text(*snapshot) + api::FormatStatus(status) +
           fmt::format("warnings:\n{}\n", fmt::join(warnings, "\n"));
  }
};

// Objects that come, go and change at random. Few names and addresses, so that they meet.
class World {
 public:
  explicit World(uint64_t seed) : random_(seed) {
    for (const char* ns : {"default", "other"}) {
      for (int i = 0; i < 4; ++i) Set(SomePool(ns, i));
      for (int i = 0; i < 3; ++i) Set(SomeService(ns, i));
      for (int i = 0; i < 4; ++i) Set(SomeRoute(ns, i));
      for (int i = 0; i < 12; ++i) Set(SomePod(ns, i));
    }
    Scenario scenario;
    Set(scenario.resources.gateway_classes.at("class"));
    Set(scenario.AddGateway());
  }

  // A few changes of different objects.
  std::vector<api::ObjectChange> Change() {
    changes_.clear();
    const uint64_t count = 1 + random_.Below(3);
    while (changes_.size() < count) ChangeOne();
    std::vector<api::ObjectChange> changes;
    for (auto& [name, change] : changes_) changes.push_back(std::move(change));
    return changes;
  }

  const api::ResourceSet& resources() const { return resources_; }

  static bool IsOfRoute(const api::ObjectChange& change) {
    return change.after != nullptr && std::holds_alternative<api::HttpRoute>(*change.after);
  }

 private:
  bool Chance(int percent) { return random_.Below(100) < static_cast<uint64_t>(percent); }
  std::string Some(std::vector<const char*> values) { return values[random_.Below(values.size())]; }
  std::string App() { return "app" + std::to_string(random_.Below(4)); }

  void ChangeOne() {
    const std::string ns = Some({"default", "default", "other"});
    const int percent = static_cast<int>(random_.Below(100));
    const bool gone = Chance(20);
    if (percent < 15) {
      EditRoute(ns);
    } else if (percent < 55) {
      Set(SomePod(ns, static_cast<int>(random_.Below(12))), gone);
    } else if (percent < 88) {
      Set(SomeSlice(ns, static_cast<int>(random_.Below(4))), gone);
    } else if (percent < 91) {
      Set(SomePool(ns, static_cast<int>(random_.Below(4))), gone);
    } else if (percent < 94) {
      Set(SomeService(ns, static_cast<int>(random_.Below(3))), gone);
    } else if (percent < 97) {
      Set(SomePolicy(ns, static_cast<int>(random_.Below(4))), gone);
    } else {
      Set(SomeRoute(ns, static_cast<int>(random_.Below(4))), gone);
    }
  }

  template <typename Kind>
  void Set(const Kind& object, bool gone = false) {
    const std::string name =
        fmt::format("{} {}/{}", typeid(Kind).name(), object.meta.ns, object.meta.name);
    std::shared_ptr<const api::Object>& now = objects_[name];
    if (changes_.contains(name) || (gone && now == nullptr)) return;
    api::ObjectChange& change = changes_[name];
    change.before = now;
    if (!gone) change.after = std::make_shared<api::Object>(object);
    now = change.after;
    if (gone) {
      api::Erase(*change.before, &resources_);
    } else {
      api::Insert(*change.after, &resources_);
    }
  }

  // Something of its rules, or of what it is attached to.
  void EditRoute(const std::string& ns) {
    const auto found = resources_.http_routes.find({ns, fmt::format("route{}", random_.Below(4))});
    if (found == resources_.http_routes.end()) return;
    api::HttpRoute route = found->second;
    ++route.meta.generation;
    api::RouteRule& rule = route.rules[0];
    switch (random_.Below(8)) {
      case 0:
      case 1:
      case 2:
        rule.backend_refs[0].weight = static_cast<int>(random_.Below(4));
        rule.backend_refs[1].weight = static_cast<int>(random_.Below(4));
        break;
      case 3:
        rule.matches[0].path = Some({"/a", "/b", "/c"});
        rule.name = Some({"", "chat"});
        break;
      case 4:
        rule.matches[0].path_type = Some({"", "x"}).empty()
                                        ? api::PathMatchType::kPathPrefix
                                        : api::PathMatchType::kRegularExpression;
        rule.matches[0].path = Some({"/a.*", "/(b"});  // the second is none
        break;
      case 5:
        std::swap(rule.backend_refs[0], rule.backend_refs[1]);
        break;
      case 6:
        route.hostnames = {Some({"a.example.com", "*.example.com", "b.example.org"})};
        break;
      default:
        if (Chance(30)) route.meta.annotations["penstock.dev/nothing"] = "x";
        if (Chance(30)) route.parent_refs[0].section_name = Some({"", "http", "none"});
        if (Chance(30)) route.rules.push_back(rule);
    }
    Set(route);
  }

  api::Pod SomePod(const std::string& ns, int i) {
    Scenario scenario;
    const std::string ip = fmt::format("127.0.0.{}", 1 + random_.Below(20));
    api::Pod pod = scenario.AddPod(fmt::format("pod{:02}", i), Chance(8) ? "" : ip, App(), ns);
    pod.meta.labels["tier"] = Some({"a", "b"});
    pod.meta.labels["role"] = Some({"prefill", "decode", "both", "??"});
    if (Chance(20)) pod.meta.labels["llm-d.ai/engine-type"] = Some({"vllm", "sglang", "none"});
    pod.ready = Chance(70);
    pod.meta.terminating = Chance(10);
    if (Chance(20)) pod.target_port = 9000;
    return pod;
  }
  api::EndpointSlice SomeSlice(const std::string& ns, int i) {
    api::EndpointSlice slice;
    slice.meta.ns = ns;
    slice.meta.name = fmt::format("slice{}", i);
    slice.service_name = fmt::format("service{}", random_.Below(3));
    slice.address_type = "IPv4";
    slice.ports.push_back({.port = 8000 + static_cast<int>(random_.Below(2))});
    if (Chance(5)) slice.meta.annotations["penstock.dev/nothing"] = "x";
    for (uint64_t j = random_.Below(4); j > 0; --j) {
      api::SliceEndpoint& endpoint = slice.endpoints.emplace_back();
      endpoint.addresses = {fmt::format("127.0.0.{}", 1 + random_.Below(20))};
      endpoint.ready = Chance(80);
      if (Chance(80)) endpoint.pod_name = fmt::format("pod{:02}", random_.Below(14));
    }
    return slice;
  }
  api::InferencePool SomePool(const std::string& ns, int i) {
    Scenario scenario;
    api::InferencePool pool = scenario.AddPool(fmt::format("pool{}", i), ns);
    pool.selector = {{"app", App()}};
    if (Chance(40)) pool.selector["tier"] = Some({"a", "b"});
    if (Chance(20)) pool.target_ports = {8000, 8001};
    return pool;
  }
  api::Service SomeService(const std::string& ns, int i) {
    Scenario scenario;
    api::Service service = scenario.AddService(fmt::format("service{}", i), ns);
    service.selector = {{"app", App()}};
    if (Chance(15)) service.selector.clear();
    if (Chance(50)) service.ports[0].target_port = 0;  // named: the Pods or slices must tell
    return service;
  }
  api::InferenceTrafficPolicy SomePolicy(const std::string& ns, int i) {
    api::InferenceTrafficPolicy policy;
    policy.meta.ns = ns;
    policy.meta.name = fmt::format("policy{}", i);
    policy.pool_name = fmt::format("pool{}", i);
    policy.runtime = "vllm";
    policy.pd.emplace().role_label = "role";
    return policy;
  }
  api::HttpRoute SomeRoute(const std::string& ns, int i) {
    Scenario scenario;
    api::HttpRoute route = scenario.AddRoute(fmt::format("route{}", i), ns);
    route.rules[0].matches[0].path = fmt::format("/{}", i);
    Scenario::AddPoolRef(route.rules[0], fmt::format("pool{}", random_.Below(5)), ns);
    Scenario::AddServiceRef(route.rules[0], fmt::format("service{}", random_.Below(4)), 80, ns);
    return route;
  }

  Random random_;
  api::ResourceSet resources_;
  std::map<std::string, std::shared_ptr<const api::Object>> objects_;
  std::map<std::string, api::ObjectChange> changes_;
};

TEST(Translator, MakesOfChangesWhatTranslateMakesOfAll) {
  int followed = 0;
  int followed_routes = 0;
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    World world(seed);
    const TranslateOptions options{.only_controller = seed % 3 != 0};
    EndpointTable table;
    Translator translator(options, table);
    Followed ours;
    Holders held;
    for (uint64_t generation = 1; generation <= 150; ++generation) {
      std::vector<api::ObjectChange> changes = world.Change();
      const std::shared_ptr<const Snapshot> before = ours.snapshot;
      Translator::Update update = translator.Follow(world.resources(), changes, generation);
      followed += !update.whole;
      if (!update.whole) {
        const bool of_route = std::ranges::any_of(changes, &World::IsOfRoute);
        if (!of_route) {
          ASSERT_EQ(update.snapshot->listeners[0].routes, before->listeners[0].routes);
        }
        followed_routes += of_route;
      }
      ours.Take(std::move(update));
      Translation all = Translate(world.resources(), options, table, generation, held);
      held = all.holders;
      ASSERT_EQ(ours.Text(), (Followed{all.snapshot, all.status, all.warnings}.Text()))
          << "seed " << seed << " generation " << generation;
    }
  }
  EXPECT_GT(followed, 12 * 150 / 2);
  EXPECT_GT(followed_routes, 100);
}

api::ObjectChange Changed(const api::Pod& before, const api::Pod& after) {
  return {std::make_shared<api::Object>(before), std::make_shared<api::Object>(after)};
}

TEST(Translator, OnePodMakesAnewThePoolsThatSelectItAndNoOthers) {
  Scenario scenario;
  scenario.AddGateway();
  for (const char* name : {"a", "b", "c"}) {
    scenario.AddPool(name);
    scenario.AddPod(std::string("pod-") + name, "127.0.0.1", name);
    Scenario::AddPoolRef(scenario.AddRoute(name).rules[0], name);
  }
  Translator translator(scenario.options, scenario.endpoints);
  const auto first = translator.TranslateAll(scenario.resources, 1).snapshot;
  api::Pod& pod = scenario.resources.pods[{"default", "pod-b"}];
  const api::Pod before = pod;
  pod.ready = false;
  const std::vector<api::ObjectChange> changes = {Changed(before, pod)};
  const auto update = translator.Follow(scenario.resources, changes, 2);
  EXPECT_FALSE(update.whole);
  EXPECT_EQ(update.snapshot->pools[0], first->pools[0]);
  EXPECT_TRUE(update.snapshot->pools[1]->pool.endpoints.empty());
  EXPECT_EQ(update.snapshot->pools[2], first->pools[2]);
  EXPECT_EQ(update.snapshot->listeners[0].routes, first->listeners[0].routes);
  EXPECT_EQ(update.warnings.size(), 1u);
  // The Snapshot before it is as it was.
  EXPECT_EQ(first->pools[1]->pool.endpoints.size(), 1u);
}

TEST(Translator, APickersServiceThatComesAndGoesIsJudgedForThePoolsThatNameIt) {
  Scenario scenario;
  scenario.options.only_controller = false;
  scenario.options.missing_picker = MissingPicker::kBuiltInOfOldGroup;
  scenario.AddGateway();
  scenario.AddPool().extension_ref.emplace().name = "picker";
  Scenario::AddPoolRef(scenario.AddRoute().rules[0], "pool");
  Translator translator(scenario.options, scenario.endpoints);
  uint64_t generation = 1;
  Followed ours;
  ours.Take(translator.TranslateAll(scenario.resources, generation));
  const auto unservable = [&] { return !ours.snapshot->pools[0]->unservable.empty(); };
  EXPECT_TRUE(unservable());
  std::shared_ptr<const api::Object> now;
  const auto set = [&](const char* label) {
    std::shared_ptr<const api::Object> next;
    if (label != nullptr) {
      api::Service& service = scenario.AddService("picker");
      service.meta.labels["penstock.dev/picker"] = label;
      next = std::make_shared<api::Object>(service);
    } else {
      scenario.resources.services.clear();
    }
    const std::vector<api::ObjectChange> changes = {{now, next}};
    now = next;
    ours.Take(translator.Follow(scenario.resources, changes, ++generation));
  };
  set("built-in");
  EXPECT_FALSE(unservable());
  set("external");
  EXPECT_TRUE(unservable());
  set("built-in");
  EXPECT_FALSE(unservable());
  set(nullptr);
  EXPECT_TRUE(unservable());
}

TEST(Translator, APodThatChangesItsLabelsLeavesOnePoolForAnother) {
  Scenario scenario;
  scenario.AddPool("a");
  scenario.AddPool("b");
  api::Pod& pod = scenario.AddPod("pod", "127.0.0.1", "a");
  Translator translator(scenario.options, scenario.endpoints);
  translator.TranslateAll(scenario.resources, 1);
  const api::Pod before = pod;
  pod.meta.labels["app"] = "b";
  const std::vector<api::ObjectChange> changes = {Changed(before, pod)};
  const auto snapshot = translator.Follow(scenario.resources, changes, 2).snapshot;
  EXPECT_TRUE(snapshot->pools[0]->pool.endpoints.empty());
  EXPECT_EQ(snapshot->pools[1]->pool.endpoints.size(), 1u);
}

// What became of the requests that are under way must not be forgotten by whoever edits an object.
TEST(Translator, KeepsWhoIsCountedOverReloads) {
  Scenario scenario;
  scenario.AddGateway();
  api::InferencePool& pool = scenario.AddPool();
  api::HttpRoute& route = scenario.AddRoute();
  Scenario::AddPoolRef(route.rules[0], "pool");
  pool.meta.annotations["penstock.dev/max-requests"] = "5";
  route.max_requests = 7;
  Translator translator(scenario.options, scenario.endpoints);
  const auto breakers_of = [](const Snapshot& snapshot) {
    return std::pair(snapshot.pools[0]->breaker,
                     snapshot.listeners[0].routes->entries()[0].rule->breaker);
  };
  const auto before = breakers_of(*translator.TranslateAll(scenario.resources, 1).snapshot);
  ASSERT_NE(before.first, before.second);
  pool.meta.annotations["penstock.dev/max-requests"] = "6";
  EXPECT_EQ(breakers_of(*translator.TranslateAll(scenario.resources, 2).snapshot), before);
  EXPECT_EQ(before.first->requests.max(), 6);

  // A change that is followed.
  const auto was = std::make_shared<const api::Object>(route);
  route.max_requests = 8;
  ++route.meta.generation;
  const api::ObjectChange change{was, std::make_shared<const api::Object>(route)};
  const auto update = translator.Follow(scenario.resources, std::span(&change, 1), 3);
  EXPECT_FALSE(update.whole);
  EXPECT_EQ(breakers_of(*update.snapshot), before);
  EXPECT_EQ(before.second->requests.max(), 8);
}

}  // namespace
}  // namespace gw
