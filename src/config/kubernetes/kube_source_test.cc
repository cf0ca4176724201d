#include "config/kubernetes/kube_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <future>
#include <thread>

#include "base/mutex.h"
#include "config/kubernetes/test_cluster.h"

namespace gw::config {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// A cluster on a thread of its own, and a source of it.
class KubeSourceTest : public testing::Test {
 protected:
  KubeSourceTest() : thread_([this] { loop_->Run(); }) {
    options_.access.server = cluster_.url();
    options_.access_name = "a test";
  }
  ~KubeSourceTest() override {
    source_.reset();
    loop_->Stop();
    thread_.join();
  }

  // Runs it where the cluster is, and waits for the end of it.
  void There(const std::function<void()>& task) {
    std::promise<void> done;
    loop_->Post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }
  void Make() { source_ = *NewKubeSource(options_, nullptr); }
  void StartTelling() {
    source_->Start([this](const Change& change) {
      const MutexLock lock(mutex_);
      changes_.push_back(change);
      changed_.notify_all();
    });
  }
  // The first `count` changes, once there are as many. The deadline only keeps a broken test from
  // hanging.
  std::vector<Change> UntilTold(size_t count) {
    const MutexLock lock(mutex_);
    const TimePoint deadline = RealClock().Now() + std::chrono::seconds(20);
    while (changes_.size() < count) {
      if (!mutex_.WaitUntil(changed_, deadline)) {
        ADD_FAILURE() << "only " << changes_.size() << " changes were told in time";
        break;
      }
    }
    return changes_;
  }
  bool LookNow() {
    std::promise<bool> changed;
    source_->LookNow([&](bool any) { changed.set_value(any); });
    return changed.get_future().get();
  }

  const std::unique_ptr<EventLoop> loop_ = *EventLoop::New();
  TestCluster cluster_{*loop_};
  std::thread thread_;
  KubeSourceOptions options_;
  std::unique_ptr<ConfigSource> source_;
  Mutex mutex_;
  std::condition_variable changed_;
  std::vector<Change> changes_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(KubeSourceTest, LoadsAllThereIsAndThenTellsWhatChanges) {
  There([&] { cluster_.PutPod("a", "10.0.0.1"); });
  Make();
  const absl::StatusOr<FirstLoad> loaded = source_->Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_THAT(loaded->change.objects, SizeIs(1));
  EXPECT_EQ(loaded->objects, 1u);
  EXPECT_THAT(loaded->places, AllOf(HasSubstr("http://127.0.0.1:"), HasSubstr("a test")));
  // Also what changes before anybody listens.
  There([&] { cluster_.PutPod("b", "10.0.0.2"); });
  StartTelling();
  EXPECT_THAT(UntilTold(1)[0].objects, SizeIs(1));
  There([&] { cluster_.Delete("pods", "a"); });
  const std::vector<Change> changes = UntilTold(2);
  ASSERT_THAT(changes, SizeIs(2));
  EXPECT_EQ(changes[1].objects[0].after, nullptr);
  source_->Stop();
}

TEST_F(KubeSourceTest, ALookDeliversWhatIsPendingAndFindsNothingElse) {
  Make();
  ASSERT_TRUE(source_->Load().ok());
  StartTelling();
  EXPECT_FALSE(LookNow());
  There([&] { cluster_.PutPod("a", "10.0.0.1"); });
  UntilTold(1);
  EXPECT_FALSE(LookNow());
}

TEST_F(KubeSourceTest, WhatRbacLacksIsWhyLoadFails) {
  There([&] { cluster_.Of("secrets").forbidden = true; });
  options_.load_timeout = std::chrono::seconds(2);
  Make();
  const absl::Status status = source_->Load().status();
  EXPECT_THAT(status.message(),
              AllOf(HasSubstr("the cluster at http://127.0.0.1:"),
                    HasSubstr("a test was not read within 2 s: secrets cannot be read: status 403"),
                    HasSubstr("RBAC must allow list and watch of secrets")));
}

TEST_F(KubeSourceTest, AServerThatIsNotThereIsWhyLoadFails) {
  options_.access.server.port = 1;
  options_.load_timeout = std::chrono::seconds(1);
  Make();
  EXPECT_THAT(source_->Load().status().message(), HasSubstr("and 18 more cannot be read: connec"));
}

TEST_F(KubeSourceTest, NothingIsToldAfterStop) {
  Make();
  ASSERT_TRUE(source_->Load().ok());
  StartTelling();
  source_->Stop();
  There([&] { cluster_.PutPod("a", "10.0.0.1"); });
  source_->Stop();
  source_.reset();
  const MutexLock lock(mutex_);
  EXPECT_THAT(changes_, SizeIs(0));
}

TEST_F(KubeSourceTest, ItsLimitsHaveNames) {
  Make();
  EXPECT_THAT(source_->limits(),
              testing::ElementsAre("kube_objects", "kube_answer_bytes", "kube_line_bytes"));
}

}  // namespace
}  // namespace gw::config
