// What the tests of the Reflector share: one reflector, and a receiver that writes down what it is
// told.

#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kube/reflector.h"
#include "kube/test_api_fixture.h"

namespace gw::kube {

struct TestSink final : ReflectorSink {
  void OnChanged(ApiObject object) override {
    const api::Node* spec = object.node.Find("spec");
    const std::string value = spec == nullptr ? "" : spec->Find("value")->text;
    told.push_back("+" + object.key.name + "=" + value);
    values[object.key.name] = value;
    last = std::move(object);
  }
  void OnDeleted(const api::ObjectKey& key) override {
    told.push_back("-" + key.name);
    EXPECT_EQ(values.erase(key.name), 1u) << key.name;
  }
  void OnStatus(const ReflectorStatus& status) override {
    states.emplace_back(NameOf(status.state));
  }

  std::vector<std::string> told;
  std::vector<std::string> states;
  std::map<std::string, std::string> values;
  ApiObject last;
};

// The parameter: by WatchList, or by LIST and WATCH.
class ReflectorTest : public ApiServerTest, public testing::WithParamInterface<bool> {
 protected:
  ReflectorTest() {
    options_.watch_list = GetParam();
    Connect();
  }
  ~ReflectorTest() override { reflector_.reset(); }

  void Start(uint64_t seed = 1) {
    reflector_.emplace(*client_, Resource{.version = "v1", .plural = "pods", .kind = "Pod"}, sink_,
                       Random(seed), options_);
  }
  // Everything there is was told, and the server has a watch.
  void Sync() {
    if (!reflector_) Start();
    AdvanceUntil([&] { return IsIn(ReflectorState::kSynced) && server_.watches() == 1; });
  }
  bool IsIn(ReflectorState state) const { return reflector_->status().state == state; }
  // As a watch that has done its service for a while: its end is no failure.
  void BecomeSteady() { Advance(std::chrono::seconds(10)); }
  std::vector<std::string> Told() { return std::exchange(sink_.told, {}); }
  void UntilTold(size_t count) {
    AdvanceUntil([&] { return sink_.told.size() >= count; });
  }

  ReflectorOptions options_;
  TestSink sink_;
  std::optional<Reflector> reflector_;
};

}  // namespace gw::kube
