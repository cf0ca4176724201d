// What the lists of models are remembered by.

#include "exchange/model_list.h"

#include <gtest/gtest.h>

#include <memory>

#include "exchange/test_snapshot.h"

namespace gw {
namespace {

class KeyOfModelList : public testing::Test {
 protected:
  static ModelBinding Named(std::string name, std::vector<TargetModel> targets = {}) {
    return {.requested_model = std::move(name), .targets = std::move(targets)};
  }
  // Of a list of one pool, in a Snapshot of its own.
  std::string Key(const std::vector<std::string>& addresses, std::vector<ModelBinding> models = {},
                  const OwnedFields& fields = {}, std::string id = "default/qwen") {
    auto entry = std::make_shared<PoolEntry>();
    entry->pool.id = std::move(id);
    for (const std::string& address : addresses) {
      Endpoint endpoint;
      endpoint.name = endpoint.address = address;
      endpoint.state = table_.Get(address);
      entry->pool.endpoints.push_back(endpoint);
    }
    entry->models = ModelTable(std::move(models));
    auto snapshot = std::make_shared<Snapshot>(*SnapshotOf(entry, {8080}));
    snapshot->generation = ++generation_;
    const RouteRule rule = *RuleToThePool();
    return KeyOf(*snapshot, {&rule}, fields);
  }

  EndpointTable table_;
  uint64_t generation_ = 0;
};

TEST_F(KeyOfModelList, IsTheSameWhileEndpointsComeAndGo) {
  const std::string key = Key({"10.0.0.1:8000"});
  EXPECT_EQ(Key({"10.0.0.1:8000", "10.0.0.2:8000"}), key);
  EXPECT_EQ(Key({"10.0.0.2:8000"}), key);
  EXPECT_NE(Key({}), key) << "what nobody told is not what the first one tells";
}

TEST_F(KeyOfModelList, IsAnotherWhereOtherModelsAreDeclared) {
  const std::vector<std::string> at = {"10.0.0.1:8000"};
  const std::string key = Key(at, {Named("a"), Named("b", {{"x", 1}, {"y", 1}})});
  EXPECT_EQ(Key(at, {Named("a"), Named("b", {{"x", 1}, {"y", 1}})}), key);
  EXPECT_EQ(Key(at, {Named("a"), Named("b", {{"x", 9}, {"y", 1}})}), key) << "as it is chosen";
  EXPECT_NE(Key(at, {Named("b", {{"x", 1}, {"y", 1}}), Named("a")}), key) << "as it is ordered";
  EXPECT_NE(Key(at, {Named("a"), Named("b", {{"x", 1}})}), key);
  EXPECT_NE(Key(at, {Named("a"), Named("b", {{"x", 1}, {"z", 1}})}), key);
  EXPECT_NE(Key(at, {Named("a", {{"x", 1}, {"y", 1}}), Named("b")}), key);
  EXPECT_NE(Key(at, {Named("a")}), key);
  EXPECT_NE(Key(at), key);
}

TEST_F(KeyOfModelList, IsAnotherForAnotherPoolAndForWhoeverElseAsks) {
  const std::vector<std::string> at = {"10.0.0.1:8000"};
  const std::string key = Key(at, {}, {{"authorization", "1"}});
  EXPECT_EQ(Key(at, {}, {{"authorization", "1"}}), key);
  EXPECT_NE(Key(at, {}, {{"authorization", "2"}}), key);
  EXPECT_NE(Key(at, {}, {{"cookie", "1"}}), key);
  EXPECT_NE(Key(at), key);
  EXPECT_NE(Key(at, {}, {{"authorization", "1"}}, "default/llama"), key);
}

}  // namespace
}  // namespace gw
