// What the tests of the ClusterReader share: a cluster and a reader of it on one loop in virtual
// time, and the changes that it has told.

#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "config/kubernetes/cluster_reader.h"
#include "config/kubernetes/test_cluster.h"
#include "kube/test_api_fixture.h"

namespace gw::config {

inline constexpr char kGateway[] =
    R"("spec":{"gatewayClassName":"c","listeners":[{"name":"l","port":80,"protocol":"HTTP"}]})";
// An HTTPRoute of that path.
inline std::string RouteTo(const std::string& path) {
  return absl::StrCat(
      R"("spec":{"parentRefs":[{"name":"g"}],"rules":[{"matches":[{"path":{"value":")", path,
      R"("}}],"backendRefs":[{"name":"s","port":80}]}]})");
}

class ClusterReaderTest : public kube::ApiServerTest {
 protected:
  ~ClusterReaderTest() override { reader_.reset(); }

  void Start() {
    reader_ = std::make_unique<ClusterReader>(
        *loop_, cluster_.url(), credentials_, nullptr,
        [this] {
          if (std::optional<Change> change = reader_->TakeChange()) {
            Apply(*change, &served_);
            if (change->remarks != nullptr) remarks_ = *change->remarks;
            changes_.push_back(*std::move(change));
          }
        },
        options_);
  }
  // Everything there is was told, and is forgotten here.
  void Sync() {
    Start();
    AdvanceUntil([&] { return reader_->has_synced(); }, kStep);
    changes_.clear();
  }
  // The next change, alone.
  Change Next() {
    AdvanceUntil([&] { return !changes_.empty(); }, kStep);
    if (changes_.empty()) return {};
    Change change = std::move(changes_.front());
    changes_.erase(changes_.begin());
    return change;
  }
  // A change that comes behind all that is under way for that kind of objects: what was told before
  // it.
  std::vector<Change> UntilTold(const std::string& pod) {
    cluster_.PutPod(pod, "10.9.9.9");
    AdvanceUntil([&] { return served_.pods.contains({"default", pod}); }, kStep);
    std::vector<Change> before = std::exchange(changes_, {});
    if (!before.empty()) before.pop_back();
    return before;
  }
  void UntilWatched(const std::string& plural) {
    AdvanceUntil([&] { return cluster_.watches(plural) == 1; }, kStep);
  }

  static constexpr Duration kStep = std::chrono::milliseconds(10);

  ClusterReaderOptions options_;
  TestCluster cluster_{*loop_};
  std::unique_ptr<ClusterReader> reader_;
  std::vector<Change> changes_;
  api::ResourceSet served_;
  Remarks remarks_;
};

}  // namespace gw::config
