#include "kube/resource.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "kube/held_objects.h"

namespace gw::kube {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Outcome = HeldObjects::Outcome;

const Resource kPlain{.version = "v1", .plural = "pods", .kind = "Pod"};
const Resource kSelected{.group = "gateway.networking.k8s.io",
                         .version = "v1",
                         .plural = "gateways",
                         .kind = "Gateway",
                         .ns = "shop",
                         .field_selector = "metadata.name=a&b",
                         .label_selector = "app in (x,y)"};

TEST(Resource, IsAskedForByItsPath) {
  EXPECT_EQ(ListTarget(kPlain, 500, ""), "/api/v1/pods?limit=500");
  EXPECT_EQ(ListTarget(kPlain, 500, "a+/=&"), "/api/v1/pods?limit=500&continue=a%2B%2F%3D%26");
  EXPECT_EQ(ListTarget(kSelected, 1, ""),
            "/apis/gateway.networking.k8s.io/v1/namespaces/shop/gateways?limit=1"
            "&fieldSelector=metadata.name%3Da%26b&labelSelector=app%20in%20%28x%2Cy%29");
  EXPECT_EQ(WatchTarget(kPlain, "7/a", 300),
            "/api/v1/pods?watch=true&allowWatchBookmarks=true&resourceVersion=7%2Fa"
            "&timeoutSeconds=300");
  EXPECT_EQ(WatchTarget(kPlain, "", 600),
            "/api/v1/pods?watch=true&allowWatchBookmarks=true&sendInitialEvents=true"
            "&resourceVersionMatch=NotOlderThan&timeoutSeconds=600");
}

TEST(Resource, OneObjectHasAPathAndItsStatusOneBehindIt) {
  EXPECT_EQ(CollectionTarget(kSelected),
            "/apis/gateway.networking.k8s.io/v1/namespaces/shop/gateways");
  EXPECT_EQ(ObjectTarget(kPlain, {"n", "a"}), "/api/v1/namespaces/n/pods/a");
  EXPECT_EQ(StatusTarget(kPlain, {"", "a/b"}), "/api/v1/pods/a%2Fb/status");
}

TEST(Resource, AnAnswerThatIsNotTheObjectIsAnError) {
  const auto read = [](const std::string& json) { return ReadObject(json, kPlain); };
  const auto object =
      read(R"({"kind":"Pod","metadata":{"name":"a","namespace":"n","resourceVersion":"7"}})");
  ASSERT_TRUE(object.ok());
  EXPECT_EQ(object->key, (api::ObjectKey{"n", "a"}));
  EXPECT_EQ(object->resource_version, "7");
  EXPECT_EQ(read("<html>").ok(), false);
  EXPECT_THAT(read(R"({"kind":"Status","metadata":{}})").status().message(),
              HasSubstr("no Pod: its kind is \"Status\""));
  EXPECT_THAT(read(R"({"kind":"Pod","metadata":{"name":"a"}})").status().message(),
              HasSubstr("has no resourceVersion"));
}

TEST(Resource, HasANameForPeople) {
  EXPECT_EQ(kPlain.ToString(), "v1/pods");
  EXPECT_EQ(kSelected.ToString(),
            "gateway.networking.k8s.io/v1/gateways in shop (metadata.name=a&b) (app in (x,y))");
}

TEST(ReadListPage, FillsInWhatItemsOfBuiltInKindsLack) {
  const auto page = ReadListPage(
      R"({"kind":"PodList","metadata":{"resourceVersion":"9","continue":"c"},"items":[
          {"metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"3"}},
          {"kind":"Other","apiVersion":"v2","metadata":{"name":"b","resourceVersion":"4"}}]})",
      kPlain);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->resource_version, "9");
  EXPECT_EQ(page->next_token, "c");
  ASSERT_EQ(page->objects.size(), 2u);
  const ApiObject& first = page->objects[0];
  EXPECT_EQ(first.key, (api::ObjectKey{"n", "a"}));
  EXPECT_EQ(first.uid, "u");
  EXPECT_EQ(first.resource_version, "3");
  EXPECT_EQ(first.node.Find("apiVersion")->text, "v1");
  EXPECT_EQ(first.node.Find("kind")->text, "Pod");
  EXPECT_TRUE(first.node.Find("kind")->quoted);
  EXPECT_EQ(first.node.keys.size(), first.node.items.size());
  EXPECT_EQ(page->objects[1].node.Find("kind")->text, "Other");
  EXPECT_EQ(page->objects[1].node.Find("apiVersion")->text, "v2");
}

TEST(ReadListPage, AnEmptyListIsNullOrHasNothingInIt) {
  for (const char* items : {"null", "[]"}) {
    const auto page =
        ReadListPage(R"({"kind":"PodList","metadata":{"resourceVersion":"9"},"items":)" +
                         std::string(items) + "}",
                     kPlain);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_THAT(page->objects, IsEmpty());
    EXPECT_EQ(page->next_token, "");
  }
}

TEST(ReadListPage, RefusesWhatIsNoListOfObjects) {
  for (const auto& [json, why] : std::vector<std::pair<std::string, std::string>>{
           {"<html>", "not JSON"},
           {"[]", "its kind is \"\""},
           {"{}", "its kind is \"\""},
           {R"({"kind":"Status"})", "its kind is \"Status\""},
           {R"({"kind":"PodList","items":[]})", "no resourceVersion"},
           {R"({"kind":"PodList","metadata":{"resourceVersion":""},"items":[]})",
            "no resourceVersion"},
           {R"({"kind":"PodList","metadata":{"resourceVersion":"1"}})", "items are no list"},
           {R"({"kind":"PodList","metadata":{"resourceVersion":"1"},"items":{}})",
            "items are no list"},
           {R"({"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[
                {"metadata":{"name":"a","resourceVersion":"1"}},7]})",
            "items[1].metadata has no name"},
           {R"({"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[
                {"metadata":{"name":"a"}}]})",
            "items[0].metadata has no resourceVersion"}}) {
    EXPECT_THAT(ReadListPage(json, kPlain).status().message(), HasSubstr(why)) << json;
  }
}

TEST(ReadWatchEvent, TellsTheFiveTypes) {
  using Type = WatchEvent::Type;
  const std::string object =
      R"({"metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"3"}})";
  for (const auto& [name, type] : std::vector<std::pair<std::string, Type>>{
           {"ADDED", Type::kAdded}, {"MODIFIED", Type::kModified}, {"DELETED", Type::kDeleted}}) {
    const auto event =
        ReadWatchEvent(R"({"type":")" + name + R"(","object":)" + object + "}", kPlain);
    ASSERT_TRUE(event.ok()) << event.status();
    EXPECT_EQ(event->type, type);
    EXPECT_EQ(event->object.key, (api::ObjectKey{"n", "a"}));
    EXPECT_EQ(event->object.node.Find("kind")->text, "Pod");
  }
  const auto bookmark = ReadWatchEvent(
      R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"8"}}})", kPlain);
  ASSERT_TRUE(bookmark.ok()) << bookmark.status();
  EXPECT_EQ(bookmark->type, Type::kBookmark);
  EXPECT_EQ(bookmark->object.resource_version, "8");
  EXPECT_FALSE(bookmark->initial_events_end);
  const auto end = ReadWatchEvent(R"({"type":"BOOKMARK","object":{"metadata":{
      "resourceVersion":"8","annotations":{"k8s.io/initial-events-end":"true"}}}})",
                                  kPlain);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_TRUE(end->initial_events_end);
  const auto error = ReadWatchEvent(
      R"({"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old"}})", kPlain);
  ASSERT_TRUE(error.ok()) << error.status();
  EXPECT_EQ(error->type, Type::kError);
  EXPECT_EQ(error->code, 410);
  EXPECT_EQ(error->message, "too old");
}

TEST(ReadWatchEvent, RefusesWhatIsNoEvent) {
  for (const std::string line :
       {"{", "{}", "7", R"({"type":"ADDED"})", R"({"type":"added","object":{}})",
        R"({"type":"ADDED","object":{}})", R"({"type":"ADDED","object":[]})",
        R"({"type":"BOOKMARK","object":{}})", R"({"object":{"metadata":{"name":"a"}}})"}) {
    EXPECT_FALSE(ReadWatchEvent(line, kPlain).ok()) << line;
  }
}

ApiObject Named(std::string name, std::string version, std::string uid = "u") {
  return {.key = {"n", std::move(name)},
          .uid = std::move(uid),
          .resource_version = std::move(version),
          .node = {}};
}

TEST(HeldObjects, TellOnlyWhatIsNew) {
  HeldObjects held(10);
  EXPECT_EQ(held.Take(Named("a", "1")), Outcome::kNews);
  EXPECT_EQ(held.Take(Named("a", "1")), Outcome::kSame);
  EXPECT_EQ(held.Take(Named("a", "2")), Outcome::kNews);
  EXPECT_EQ(held.Take(Named("a", "2", "another")), Outcome::kNews);
  EXPECT_TRUE(held.Drop({"n", "a"}));
  EXPECT_FALSE(held.Drop({"n", "a"}));
  EXPECT_EQ(held.Take(Named("a", "2", "another")), Outcome::kNews);
}

TEST(HeldObjects, WhatAWholeListDidNotHoldIsGone) {
  HeldObjects held(10);
  for (const char* name : {"a", "b", "c"}) held.Take(Named(name, "1"));
  held.BeginList();
  held.Take(Named("a", "1"));
  held.BeginList();  // the first one had no end
  held.Take(Named("b", "1"));
  EXPECT_THAT(held.EndList(), ElementsAre(api::ObjectKey{"n", "a"}, api::ObjectKey{"n", "c"}));
  EXPECT_EQ(held.size(), 1u);
}

TEST(HeldObjects, HoldNoMoreThanTheirLimit) {
  HeldObjects held(1);
  EXPECT_EQ(held.Take(Named("a", "1")), Outcome::kNews);
  EXPECT_EQ(held.Take(Named("b", "1")), Outcome::kTooMany);
  EXPECT_EQ(held.Take(Named("a", "2")), Outcome::kNews);
}

}  // namespace
}  // namespace gw::kube
