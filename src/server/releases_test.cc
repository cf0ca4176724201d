#include "server/releases.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/test_folder.h"
#include "kube/json_node.h"
#include "pool/health.h"

namespace gw {
namespace {

using release::Phase;

ServedRelease Served(const std::string& name = "default/r") {
  ServedRelease served;
  served.plan.name = name;
  served.plan.stable = "v1";
  served.plan.candidate = "v2";
  served.plan.steps = {{10, std::chrono::seconds(30), 0}, {50, std::chrono::seconds(30), 0}};
  served.stable_pool = "default/v1";
  served.candidate_pool = "default/v2";
  return served;
}

// Both pools have an endpoint that nothing is known against.
class ReleasesTest : public ::testing::Test {
 protected:
  ReleasesTest() {
    SetLogLevel(LogLevel::kError);
    Publish({"v1", "v2"});
  }
  ~ReleasesTest() override { SetLogLevel(LogLevel::kInfo); }

  void Publish(const std::vector<std::string>& ready) {
    auto snapshot = std::make_shared<Snapshot>();
    for (const std::string& name : ready) {
      auto entry = std::make_shared<PoolEntry>();
      entry->pool.id = "default/" + name;
      std::vector<Endpoint> endpoints(1);
      endpoints[0].name = name;
      endpoints[0].address = "10.0.0.1:" + std::to_string(snapshot->pools.size() + 1);
      endpoints[0].state = table_.Get(endpoints[0].address);
      entry->pool.endpoints = Endpoints(std::move(endpoints));
      snapshot->pools.push_back(std::move(entry));
    }
    snapshots_.Publish(std::move(snapshot));
  }

  std::unique_ptr<Releases> Make(const std::string& file = "state/r.json") {
    auto made =
        std::make_unique<Releases>(snapshots_, metrics_.emplace_back(), clock_, folder_ / file);
    made->Load();
    return made;
  }
  void TickFor(Releases& releases, int seconds, bool leads = true) {
    for (int i = 0; i < seconds; ++i) {
      clock_.Advance(std::chrono::seconds(1));
      releases.Tick(leads);
    }
  }
  static ReleaseView One(const Releases& releases) {
    std::vector<ReleaseView> views = releases.Look();
    EXPECT_EQ(views.size(), 1u);
    return views.empty() ? ReleaseView() : std::move(views[0]);
  }

  EndpointTable table_;
  SnapshotStore snapshots_;
  std::list<MetricRegistry> metrics_;
  ManualClock clock_;
  TestFolder folder_;
};

TEST_F(ReleasesTest, GoesStepByStepAndTellsItsWeights) {
  const auto releases = Make();
  releases->Set({Served()}, {"default/r"});
  EXPECT_EQ(releases->inputs()->at("default/r").weights.candidate_percent, 0);
  TickFor(*releases, 1);
  const auto first = releases->inputs();
  EXPECT_EQ(first->at("default/r").weights.candidate_percent, 10);
  TickFor(*releases, 10);
  EXPECT_EQ(releases->inputs(), first);  // the very same: nothing is to be translated
  TickFor(*releases, 25);
  EXPECT_EQ(releases->inputs()->at("default/r").weights.candidate_percent, 50);
  TickFor(*releases, 31);
  EXPECT_EQ(One(*releases).phase, Phase::kPromoted);
}

TEST_F(ReleasesTest, SamplesOfTheStepBeforeAreNotTaken) {
  const auto releases = Make();
  releases->Set({Served()}, {"default/r"});
  TickFor(*releases, 1);
  const ReleaseInput input = releases->inputs()->at("default/r");
  for (int i = 0; i < 5; ++i) input.sink->AddError(release::Version::kStable, input.weights.window);
  TickFor(*releases, 1);
  const auto samples = [&] {
    const api::Node status = One(*releases).status;
    return status.Find("stable")->Find("samples")->text;
  };
  EXPECT_EQ(samples(), "5");
  TickFor(*releases, 35);
  input.sink->AddError(release::Version::kStable, input.weights.window);
  TickFor(*releases, 1);
  EXPECT_EQ(samples(), "0");
}

TEST_F(ReleasesTest, WaitsForACandidateWithAnEndpoint) {
  Publish({"v1"});
  const auto releases = Make();
  releases->Set({Served()}, {"default/r"});
  TickFor(*releases, 3);
  EXPECT_EQ(One(*releases).phase, Phase::kWaiting);
  Publish({"v1", "v2"});
  TickFor(*releases, 1);
  EXPECT_EQ(One(*releases).phase, Phase::kProgressing);
}

TEST_F(ReleasesTest, OutlivesARestart) {
  auto releases = Make();
  releases->Set({Served()}, {"default/r"});
  TickFor(*releases, 40);
  EXPECT_EQ(One(*releases).step, 1u);
  releases->Save();
  releases = Make();
  releases->Set({Served()}, {"default/r"});
  // Before the first look.
  EXPECT_EQ(releases->inputs()->at("default/r").weights.candidate_percent, 50);
}

TEST_F(ReleasesTest, WhatIsNotAcceptedForAWhileIsKept) {
  const auto releases = Make();
  releases->Set({Served()}, {"default/r"});
  TickFor(*releases, 40);
  releases->Set({}, {"default/r"});
  EXPECT_TRUE(releases->Look().empty());
  TickFor(*releases, 1);
  releases->Set({Served()}, {"default/r"});
  EXPECT_EQ(One(*releases).step, 1u);
  // Deleted and made again it begins anew.
  releases->Set({}, {});
  releases->Set({Served()}, {"default/r"});
  EXPECT_EQ(One(*releases).phase, Phase::kWaiting);
  EXPECT_EQ(One(*releases).step, 0u);
}

TEST_F(ReleasesTest, AnotherPlanIsFollowed) {
  const auto releases = Make();
  ServedRelease served = Served();
  releases->Set({served}, {"default/r"});
  TickFor(*releases, 2);
  served.plan.paused = true;
  releases->Set({served}, {"default/r"});
  EXPECT_EQ(One(*releases).phase, Phase::kPaused);
}

TEST_F(ReleasesTest, WhoDoesNotLeadFollowsTheStatus) {
  const auto leader = Make();
  ServedRelease served = Served();
  leader->Set({served}, {"default/r"});
  TickFor(*leader, 40);
  const std::string status = kube::ToJson(leader->Statuses().at("default/r"));
  const auto follower = Make("other.json");
  follower->Set({served}, {"default/r"});
  TickFor(*follower, 100, false);
  EXPECT_EQ(follower->inputs()->at("default/r").weights.candidate_percent, 0);
  follower->SetStatus("default/r", status);
  TickFor(*follower, 1, false);
  EXPECT_EQ(follower->inputs()->at("default/r").weights.candidate_percent, 50);
  EXPECT_EQ(follower->inputs()->at("default/r").weights.window, 0u);  // it counts nothing
  // Then the other one is gone, and this one goes on.
  TickFor(*follower, 31);
  EXPECT_EQ(One(*follower).phase, Phase::kPromoted);
}

TEST_F(ReleasesTest, AStatusThatComesWithAnotherPlanIsFollowedToo) {
  const auto leader = Make();
  ServedRelease served = Served();
  leader->Set({served}, {"default/r"});
  TickFor(*leader, 2);
  const auto follower = Make("other.json");
  follower->Set({served}, {"default/r"});
  ASSERT_TRUE(leader->Command("default/r", ReleaseCommand::kAbort).ok());
  TickFor(*leader, 1);
  served.status = kube::ToJson(leader->Statuses().at("default/r"));
  served.plan.steps.push_back({80, std::chrono::seconds(30), 0});
  follower->Set({served}, {"default/r"});
  follower->SetStatus("default/r", served.status);
  EXPECT_EQ(One(*follower).phase, Phase::kAborted);
}

TEST_F(ReleasesTest, AStatusThatCannotBeReadChangesNothing) {
  const auto releases = Make();
  ServedRelease served = Served();
  served.status = R"({"phase":"Promoted","state":{"phase":3}})";
  releases->Set({served}, {"default/r"});
  EXPECT_EQ(One(*releases).phase, Phase::kWaiting);
  releases->SetStatus("default/r", R"({"state":{"phase":"Aborted"}})");
  EXPECT_EQ(One(*releases).phase, Phase::kWaiting);  // of another plan: it names no destinations
  releases->SetStatus("default/r", R"({"state":[]})");
  TickFor(*releases, 1);
  EXPECT_EQ(One(*releases).phase, Phase::kProgressing);
}

// Two processes on the same files: one that takes over, and one that drains.
TEST_F(ReleasesTest, WhoHasTheFilesLockDecides) {
  const auto old = Make();
  old->Set({Served()}, {"default/r"});
  TickFor(*old, 2);
  const auto next = Make();
  next->Set({Served()}, {"default/r"});
  TickFor(*next, 1);
  EXPECT_EQ(One(*next).phase, Phase::kProgressing);
  EXPECT_EQ(std::string(next->Command("default/r", ReleaseCommand::kPromote).message()),
            "another gateway decides on default/r as long as it serves the same files");
  EXPECT_TRUE(old->Command("default/r", ReleaseCommand::kAbort).ok());
  TickFor(*next, 1);
  EXPECT_EQ(One(*next).phase, Phase::kAborted);  // it follows
  old->Resign();
  TickFor(*next, 1);
  EXPECT_TRUE(next->Command("default/r", ReleaseCommand::kPromote).ok());
  TickFor(*old, 20);  // it drains, and says nothing any more
  old->Save();
  const auto third = Make();
  third->Set({Served()}, {"default/r"});
  EXPECT_EQ(One(*third).phase, Phase::kPromoted);
}

TEST_F(ReleasesTest, ACommandIsKeptWhenItIsAnswered) {
  const auto releases = Make();
  releases->Set({Served()}, {"default/r"});
  TickFor(*releases, 1);
  EXPECT_TRUE(releases->Command("default/r", ReleaseCommand::kAbort).ok());
  const auto next = Make();  // as after a crash
  next->Set({Served()}, {"default/r"});
  EXPECT_EQ(One(*next).phase, Phase::kAborted);
}

TEST_F(ReleasesTest, WhatIsDeletedWhileNobodyServesIsForgotten) {
  auto releases = Make();
  releases->Set({Served()}, {"default/r"});
  TickFor(*releases, 1);
  EXPECT_TRUE(releases->Command("default/r", ReleaseCommand::kPromote).ok());
  releases.reset();
  releases = Make();
  releases->Set({}, {}, /*complete=*/false);  // a file could not be read
  releases->Set({Served()}, {"default/r"});
  EXPECT_EQ(One(*releases).phase, Phase::kPromoted);
  releases.reset();
  releases = Make();
  releases->Set({}, {});
  releases->Set({Served()}, {"default/r"});
  EXPECT_EQ(One(*releases).phase, Phase::kWaiting);
}

TEST_F(ReleasesTest, NothingButARegularFileIsReplaced) {
  std::filesystem::create_directories(folder_ / "state/r.json");
  const auto releases = Make();
  releases->Set({Served()}, {"default/r"});
  TickFor(*releases, 2);
  EXPECT_TRUE(std::filesystem::is_directory(folder_ / "state/r.json"));
  EXPECT_EQ(One(*releases).phase, Phase::kProgressing);
  folder_.Write("kept/behind.json", "");
  std::filesystem::create_symlink(folder_ / "kept/behind.json", folder_ / "link.json");
  const auto linked = Make("link.json");
  linked->Set({Served()}, {"default/r"});
  TickFor(*linked, 2);
  EXPECT_TRUE(std::filesystem::is_symlink(folder_ / "link.json"));
  EXPECT_GT(std::filesystem::file_size(folder_ / "kept/behind.json"), 100u);
}

TEST_F(ReleasesTest, SaysWhatCannotBeDone) {
  const auto releases = Make();
  releases->Set({Served()}, {"default/r"});
  EXPECT_EQ(std::string(releases->Command("default/x", ReleaseCommand::kPause).message()),
            "there is no release default/x that is accepted: penstock get releases");
  EXPECT_EQ(std::string(releases->Command("default/r", ReleaseCommand::kResume).message()),
            "release default/r cannot be resumed: it is Waiting");
  EXPECT_TRUE(releases->Command("default/r", ReleaseCommand::kAbort).ok());
  EXPECT_EQ(One(*releases).phase, Phase::kAborted);
}

TEST_F(ReleasesTest, ShowsItsMetrics) {
  const auto releases = Make();
  releases->Set({Served()}, {"default/r"});
  TickFor(*releases, 1);
  const std::string page = metrics_.back().Render();
  const auto has = [&](const std::string& line) {
    EXPECT_NE(page.find(line + "\n"), std::string::npos) << line << "\n" << page;
  };
  has("penstock_release_weight_ratio{release=\"default/r\",version=\"candidate\"} 0.1");
  has("penstock_release_tpot_seconds{release=\"default/r\",version=\"stable\"} NaN");
  has("penstock_release_phase{phase=\"Progressing\",release=\"default/r\"} 1");
  has("penstock_release_phase{phase=\"Waiting\",release=\"default/r\"} 0");
  has("penstock_release_transitions_total{release=\"default/r\",to=\"Progressing\"} 1");
}

}  // namespace
}  // namespace gw
