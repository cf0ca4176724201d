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
#include "server/release_topic.h"

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

// A leader and two that follow its status, which tell each other by topics.
class ReleasesOfManyTest : public ReleasesTest {
 protected:
  static constexpr char kName[] = "default/r";

  ReleasesOfManyTest() {
    ServedRelease served = Served();
    served.plan.steps = {{20, std::chrono::seconds(300), 0}, {50, std::chrono::seconds(300), 0}};
    served.plan.criteria.error_rate = 0.05;
    for (const char* file : {"a.json", "b.json", "c.json"}) {
      all_.push_back(Make(file));
      all_.back()->CountForLeader();
      all_.back()->Set({served}, {kName});
      topics_.push_back(std::make_unique<ReleaseTopic>(*all_.back()));
    }
    TickAll();
    TickAll();
  }
  // What each has told is told to all others; the followers see what the leader has written.
  void TickAll() {
    clock_.Advance(std::chrono::seconds(1));
    Exchange();
    for (size_t i = 0; i < all_.size(); ++i) all_[i]->Tick(i == leader_);
    all_[leader_]->Save();
    const auto statuses = all_[leader_]->Statuses();
    if (!statuses.contains(kName)) return;
    const std::string status = kube::ToJson(statuses.at(kName));
    for (size_t i = 0; i < all_.size(); ++i) {
      if (i != leader_) all_[i]->SetStatus(kName, status);
      if (i != leader_) all_[i]->Tick(false);
    }
  }
  void Exchange() {
    for (size_t from = 0; from < all_.size(); ++from) {
      std::string bytes;
      peers::MessageWriter writer(&bytes);
      topics_[from]->Tell(clock_.Now(), false, &writer);
      writer.End();
      for (size_t to = 0; to < all_.size(); ++to) {
        if (to != from) Hear(to, bytes);
      }
    }
  }
  void Hear(size_t gateway, std::string_view bytes) {
    for (peers::Message message; !bytes.empty();) {
      bool whole = false;
      ASSERT_TRUE(peers::TakeMessage(&bytes, &message, &whole).ok() && whole);
      ASSERT_TRUE(topics_[gateway]->Take(1, message.payload, clock_.Now()).ok());
    }
  }
  // So many requests end at that gateway, a share of the candidate's with errors.
  void Serve(size_t gateway, int each, int candidate_errors) {
    const ReleaseInput input = all_[gateway]->inputs()->at(kName);
    ASSERT_NE(input.weights.window, 0u) << gateway;
    for (int i = 0; i < each; ++i) {
      input.sink->AddAnswer(release::Version::kStable, input.weights.window, 0.1, 0.01,
                            release::Finish::kStop);
      if (i < candidate_errors) {
        input.sink->AddError(release::Version::kCandidate, input.weights.window);
      } else {
        input.sink->AddAnswer(release::Version::kCandidate, input.weights.window, 0.1, 0.01,
                              release::Finish::kStop);
      }
    }
  }
  std::string StableSamples() {
    return One(*all_[leader_]).status.Find("stable")->Find("samples")->text;
  }

  size_t leader_ = 0;
  std::vector<std::unique_ptr<Releases>> all_;
  std::vector<std::unique_ptr<ReleaseTopic>> topics_;
};

TEST_F(ReleasesOfManyTest, TheOneThatLeadsJudgesByTheRequestsOfAll) {
  for (size_t i = 0; i < all_.size(); ++i) Serve(i, 10, 0);
  TickAll();
  EXPECT_EQ(StableSamples(), "30");
  TickAll();
  EXPECT_EQ(StableSamples(), "30") << "once each";
}

TEST_F(ReleasesOfManyTest, WhatOnlyAFollowerSeesRollsBack) {
  for (int second = 0; second < 30 && One(*all_[0]).phase == Phase::kProgressing; ++second) {
    Serve(2, 20, 10);
    TickAll();
  }
  for (const auto& each : all_) EXPECT_EQ(One(*each).phase, Phase::kRolledBack);
}

TEST_F(ReleasesOfManyTest, WhoBeginsToLeadHasItsOwnRequestsOnce) {
  for (size_t i = 0; i < all_.size(); ++i) Serve(i, 10, 0);
  TickAll();
  Serve(1, 5, 0);
  leader_ = 1;
  for (size_t i = 0; i < all_.size(); ++i) all_[i]->Tick(i == leader_);
  TickAll();
  EXPECT_EQ(StableSamples(), "35") << "what the status had, and its own";
  Serve(0, 7, 0);
  TickAll();
  EXPECT_EQ(StableSamples(), "42") << "of the one that led";
}

TEST_F(ReleasesOfManyTest, WhatOneHasHeardThatLeadsNoLongerIsForgotten) {
  const uint64_t window = all_[0]->inputs()->at(kName).weights.window;
  release::VersionSamples one;
  one.AddAnswer(0.1, 0.01, release::Finish::kStop);
  all_[0]->AddSamples({kName, 0, {window, one, one}});
  leader_ = 1;
  for (size_t i = 0; i < all_.size(); ++i) all_[i]->Tick(i == leader_);
  TickAll();
  leader_ = 0;
  for (size_t i = 0; i < all_.size(); ++i) all_[i]->Tick(i == leader_);
  TickAll();
  EXPECT_EQ(StableSamples(), "0");
}

TEST_F(ReleasesOfManyTest, OtherWindowsAndOtherPlansAreLeftOut) {
  const uint64_t window = all_[0]->inputs()->at(kName).weights.window;
  release::VersionSamples one;
  one.AddAnswer(0.1, 0.01, release::Finish::kStop);
  all_[0]->AddSamples({kName, 0, {window + 1, one, one}});
  all_[0]->AddSamples({kName, 7, {window, one, one}});
  all_[0]->AddSamples({"default/other", 0, {window, one, one}});
  all_[1]->AddSamples({kName, 0, {window, one, one}});
  TickAll();
  EXPECT_EQ(StableSamples(), "0");
  all_[0]->AddSamples({kName, 0, {window, one, one}});
  TickAll();
  EXPECT_EQ(StableSamples(), "1");
}

TEST_F(ReleasesOfManyTest, WhatIsMalformedIsRefusedWithAReason) {
  Serve(1, 3, 1);
  clock_.Advance(std::chrono::seconds(1));
  std::string bytes;
  peers::MessageWriter writer(&bytes);
  topics_[1]->Tell(clock_.Now(), false, &writer);
  writer.End();
  const std::string payload = bytes.substr(peers::kHeadBytes);
  ASSERT_TRUE(topics_[0]->Take(1, payload, clock_.Now()).ok());
  for (size_t length = 1; length < payload.size(); ++length) {
    EXPECT_TRUE(
        absl::IsInvalidArgument(topics_[0]->Take(1, payload.substr(0, length), clock_.Now())))
        << length;
  }
  // More errors than requests.
  std::string wrong = payload;
  const size_t counts = 1 + std::string(kName).size() + 2;
  wrong[counts] = 0;
  wrong[counts + 1] = 5;
  EXPECT_EQ(topics_[0]->Take(1, wrong, clock_.Now()).message(), "malformed samples: sums");
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
