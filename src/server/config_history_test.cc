#include "server/config_history.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace gw {
namespace {

std::shared_ptr<const api::Object> Class(std::string name, std::string text) {
  api::GatewayClass object;
  object.meta.name = std::move(name);
  object.meta.ns = "";
  object.meta.written.yaml = std::make_shared<const std::string>(std::move(text));
  return std::make_shared<const api::Object>(std::move(object));
}

template <typename Kind>
std::shared_ptr<const api::Object> Other(std::string name) {
  Kind object;
  object.meta.name = std::move(name);
  return std::make_shared<const api::Object>(std::move(object));
}

TEST(ConfigHistory, RemembersWhatWasChanged) {
  ConfigHistory history;
  config::Change change;
  change.objects = {{Class("a", "old\n"), Class("a", "new\n")},
                    {nullptr, Class("b", "b\n")},
                    {Class("c", "c\n"), nullptr},
                    {nullptr, Other<api::Secret>("s")},
                    {nullptr, Other<api::Pod>("p")}};
  history.Add(7, 1000, change);
  const auto entries = history.Look();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].generation, 7u);
  EXPECT_EQ(entries[0].changed_at_unix_ms, 1000);
  EXPECT_EQ(entries[0].added, 2u);
  EXPECT_EQ(entries[0].changed, 1u);
  EXPECT_EQ(entries[0].removed, 1u);
  EXPECT_EQ(entries[0].first, "GatewayClass a");
  const auto found = history.Find(7);
  ASSERT_TRUE(found.has_value());
  ASSERT_EQ(found->objects.size(), 4u);
  EXPECT_EQ(*found->objects[0].before, "old\n");
  EXPECT_EQ(*found->objects[0].after, "new\n");
  EXPECT_EQ(found->objects[1].before, nullptr);
  EXPECT_EQ(found->objects[2].after, nullptr);
  EXPECT_EQ(found->objects[3].name, "Secret default/s");
  EXPECT_FALSE(found->objects[3].shown);
  EXPECT_FALSE(history.Find(8).has_value());
}

TEST(ConfigHistory, PodsThatComeAndGoAreNoChange) {
  ConfigHistory history;
  config::Change change;
  change.objects = {{nullptr, Other<api::Pod>("p")}, {nullptr, Other<api::EndpointSlice>("e")}};
  history.Add(1, 0, change);
  history.Add(2, 0, {});
  EXPECT_TRUE(history.Look().empty());
  EXPECT_EQ(history.version(), 0u);
}

TEST(ConfigHistory, IsBounded) {
  ConfigHistory history;
  config::Change change;
  for (size_t i = 0; i < ConfigHistory::kObjectsMax + 5; ++i) {
    change.objects.push_back({nullptr, Class("c" + std::to_string(i), "x\n")});
  }
  for (uint64_t generation = 1; generation <= ConfigHistory::kEntriesMax + 3; ++generation) {
    history.Add(generation, 0, change);
  }
  const auto entries = history.Look();
  ASSERT_EQ(entries.size(), ConfigHistory::kEntriesMax);
  EXPECT_EQ(entries.front().generation, 4u);
  EXPECT_EQ(entries.front().added, ConfigHistory::kObjectsMax + 5);
  EXPECT_EQ(history.Find(4)->objects.size(), ConfigHistory::kObjectsMax);
}

}  // namespace
}  // namespace gw
