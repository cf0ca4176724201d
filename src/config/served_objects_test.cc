// What is served when objects are told of one by one.

#include "config/served_objects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "base/random.h"

namespace gw::config {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

api::ParsedObject Pod(const std::string& name, const std::string& ip) {
  api::Pod pod;
  pod.meta.name = name;
  pod.ip = ip;
  api::ParsedObject parsed;
  parsed.ref = {.kind = "Pod", .ns = "default", .name = name};
  parsed.object = std::make_shared<const api::Object>(std::move(pod));
  return parsed;
}

api::ObjectId Id(const std::string& name) { return Pod(name, "").id(); }

// Against addresses that end in ".0".
std::string NoNetworks(const api::Object& object) {
  return std::get<api::Pod>(object).ip.ends_with(".0") ? "it is a network" : "";
}

TEST(ServedObjects, WhatIsAsItWasIsNoChange) {
  ServedObjects served;
  served.Take(Pod("a", "1.1.1.1"), 1);
  EXPECT_THAT(served.TakeChange().objects, SizeIs(1));
  served.Take(Pod("a", "1.1.1.1"), 2);
  EXPECT_THAT(served.TakeChange().objects, IsEmpty());
  served.Take(Pod("a", "2.2.2.2"), 3);
  const Change change = served.TakeChange();
  ASSERT_THAT(change.objects, SizeIs(1));
  EXPECT_EQ(std::get<api::Pod>(*change.objects[0].before).ip, "1.1.1.1");
  EXPECT_EQ(std::get<api::Pod>(*change.objects[0].after).ip, "2.2.2.2");
}

TEST(ServedObjects, ABrokenVersionLeavesTheOneBeforeUntilItIsRightOrDeleted) {
  ServedObjects served;
  served.Take(Pod("a", "1.1.1.1"), 1);
  served.TakeChange();
  served.Keep(Id("a"), "no address", false, 5);
  Change change = served.TakeChange();
  EXPECT_THAT(change.objects, IsEmpty());
  EXPECT_THAT(change.news, SizeIs(1));
  served.Keep(Id("a"), "no address", false, 6);
  EXPECT_THAT(served.TakeChange().news, IsEmpty()) << "told once";
  served.Keep(Id("a"), "a bad name", false, 7);
  EXPECT_THAT(served.TakeChange().news, SizeIs(1)) << "for another reason";
  ASSERT_THAT(served.Stale(), SizeIs(1));
  EXPECT_EQ(served.Stale()[0].since_unix_s, 5);
  served.Take(Pod("a", "1.1.1.1"), 8);
  change = served.TakeChange();
  EXPECT_THAT(change.objects, IsEmpty());
  EXPECT_THAT(change.recovered, SizeIs(1));
  EXPECT_THAT(served.Stale(), IsEmpty());
  served.Keep(Id("a"), "no address", false, 9);
  served.TakeChange();
  served.Remove(Id("a"));
  change = served.TakeChange();
  ASSERT_THAT(change.objects, SizeIs(1));
  EXPECT_EQ(change.objects[0].after, nullptr);
  EXPECT_THAT(served.Stale(), IsEmpty());
  EXPECT_EQ(served.Find(Id("a")), nullptr);
}

TEST(ServedObjects, WhatTheJudgeIsAgainstIsServedOnlyIfNothingGoodWas) {
  ServedObjects served(NoNetworks);
  served.Take(Pod("new", "1.1.1.0"), 1);
  served.Take(Pod("old", "1.1.1.1"), 1);
  ASSERT_NE(served.Find(Id("new")), nullptr);
  EXPECT_FALSE(served.Find(Id("new"))->good);
  served.TakeChange();
  served.Take(Pod("new", "2.2.2.0"), 2);
  served.Take(Pod("old", "2.2.2.0"), 2);
  const Change change = served.TakeChange();
  ASSERT_THAT(change.objects, SizeIs(1));
  EXPECT_EQ(std::get<api::Pod>(*change.objects[0].after).meta.name, "new");
  ASSERT_THAT(served.Stale(), SizeIs(1));
  EXPECT_EQ(served.Stale()[0].why, "it is a network");
}

// The changes, applied one after the other, are what is served; and what is served is what the last
// version that was good, or the first one at all, says.
TEST(ServedObjects, ChangesAmountToWhatIsServed) {
  ServedObjects served(NoNetworks);
  api::ResourceSet set;
  std::map<std::string, std::string> wanted;
  Random random(7);
  for (int step = 0; step < 3000; ++step) {
    const std::string name(1, static_cast<char>('a' + random.Below(6)));
    const std::string ip = "10.0.0." + std::to_string(random.Below(3));
    const bool good = !ip.ends_with(".0");
    const auto was = wanted.find(name);
    switch (random.Below(4)) {
      case 0:
        served.Remove(Id(name));
        wanted.erase(name);
        break;
      case 1:
        if (was != wanted.end()) served.Keep(Id(name), "broken", random.Below(2) == 0, step);
        break;
      default:
        served.Take(Pod(name, ip), step);
        if (good || was == wanted.end() || was->second.ends_with(".0")) wanted[name] = ip;
    }
    Apply(served.TakeChange(), &set);
    std::map<std::string, std::string> now;
    for (const auto& [key, pod] : set.pods) now[key.name] = pod.ip;
    ASSERT_EQ(now, wanted) << "step " << step;
    size_t stale = 0;
    for (const auto& [id, object] : served.objects()) stale += object.stale.has_value();
    ASSERT_EQ(served.Stale().size(), stale) << "step " << step;
  }
}

}  // namespace
}  // namespace gw::config
