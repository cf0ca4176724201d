#include "config/kubernetes/managed_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "config/kubernetes/managed_objects.h"
#include "config/kubernetes/test_managed.h"
#include "kube/json_node.h"
#include "kube/node_edit.h"
#include "kube/test_api_fixture.h"

namespace gw::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr char kDeployments[] = "/apis/apps/v1/namespaces/gateways/deployments";
constexpr char kServices[] = "/api/v1/namespaces/gateways/services";
constexpr char kApply[] = "?fieldManager=penstock&force=true";
const std::string kWeb = api::ManagedName({"shop", "web"});

// Deployments, which are watched, and Services, of which the writer is told; both are applied and
// deleted as an API server does.
class ManagedWriterTest : public kube::ApiServerTest {
 protected:
  ManagedWriterTest() {
    Connect();
    server_.path = kDeployments;
    server_.store.api_version = "apps/v1";
    server_.store.kind = "Deployment";
    server_.handler = [this](const kube::TestApiRequest& request) { return Serve(request); };
  }
  ~ManagedWriterTest() override { writer_.reset(); }

  void Make() {
    writer_.emplace(*client_, api::ObjectKey{"gateways", "own"}, Random(1), [this] { ++told_; });
  }
  // One that has the lease and knows all, and is told of Gateway "web".
  void Start() {
    PutOwn(OwnDeployment());
    Make();
    writer_->SetActive(true);
    Want({ManagedWeb({80})});
    AdvanceUntil([&] { return Has(kDeployments) && Has(kServices); });
    Pass(std::chrono::seconds(60));
    server_.requests.clear();
  }
  void PutOwn(const std::string& json) { Put(kDeployments, "own", kube::JsonOf(json)); }
  void Want(std::vector<api::ManagedGateway> made, std::set<std::string> kept = {}) {
    writer_->Want({std::move(made), std::move(kept)});
  }
  void Pass(Duration time) {
    const TimePoint end = clock_.Now() + time;
    while (clock_.Now() < end) Advance(std::chrono::milliseconds(500));
  }
  bool Has(const std::string& folder, const std::string& name = kWeb) const {
    return objects_.contains(folder + ("/" + name));
  }
  const api::Node& At(const std::string& folder, const std::string& name = kWeb) const {
    return objects_.at(folder + ("/" + name));
  }
  // "PATCH path" of all that was sent but for the watch's.
  std::vector<std::string> Sent() const {
    std::vector<std::string> sent;
    for (const auto& request : server_.requests) {
      if (request.method == "GET") continue;
      sent.push_back(absl::StrCat(request.method, " ", request.target));
    }
    return sent;
  }
  // Whoever it is writes it, and those that watch are told.
  void Put(const std::string& folder, const std::string& name, api::Node object) {
    api::Node metadata = *kube::MapAt(&object, "metadata");
    kube::SetMember(&metadata, "resourceVersion", kube::TextNode(absl::StrCat(++version_)));
    if (kube::TextAt(&metadata, "uid").empty()) {
      kube::SetMember(&metadata, "uid", kube::TextNode(absl::StrCat("u", version_)));
    }
    kube::SetMember(&object, "metadata", metadata);
    objects_[folder + "/" + name] = object;
    if (folder == kServices) {
      if (writer_) writer_->Seen(services_, *kube::ReadObject(kube::ToJson(object), services_));
      return;
    }
    std::string meta;
    for (const char* part : {"labels", "annotations", "deletionTimestamp"}) {
      const api::Node* value = metadata.Find(part);
      if (value == nullptr) continue;
      absl::StrAppend(&meta, meta.empty() ? "" : ",", "\"", part, "\":", kube::ToJson(*value));
    }
    server_.Tell(server_.store
                     .PutMembers(name, "gateways",
                                 "\"spec\":" + kube::ToJson(*kube::MapAt(&object, "spec")), meta)
                     .line);
  }
  void Delete(const std::string& folder, const std::string& name = kWeb) {
    objects_.erase(folder + "/" + name);
    if (folder == kServices) return writer_->Gone(services_, {"gateways", name});
    server_.Tell(server_.store.Delete(name, "gateways").line);
  }
  void Edit(const std::string& folder, const std::string& patch) {
    api::Node object = At(folder);
    kube::MergePatch(kube::JsonOf(patch), &object);
    Put(folder, kWeb, std::move(object));
  }
  static std::string NameOf(const std::string& gateway) {
    return api::ManagedName({"shop", gateway});
  }
  // Left behind of a Gateway; `by`, `name`: as somebody else has made of it.
  void PutLeft(const std::string& folder, const std::string& gateway,
               const std::string& by = "penstock", std::string name = "") {
    if (name.empty()) name = NameOf(gateway);
    Put(folder, name,
        kube::JsonOf(absl::StrCat(
            R"({"apiVersion":")", folder == kServices ? "v1" : "apps/v1", R"(","kind":")",
            folder == kServices ? "Service" : "Deployment", R"(","metadata":{"name":")", name,
            R"(","namespace":"gateways","labels":{"app.kubernetes.io/managed-by":")", by,
            R"(","gateway.networking.k8s.io/gateway-name":")", gateway,
            R"(","penstock.dev/gateway-namespace":"shop"}},"spec":{}})")));
  }
  std::string ExplainedWeb() const {
    api::StatusSet statuses;
    api::ObjectStatus status;
    status.conditions = {{"Programmed", api::ConditionStatus::kFalse, "NoResources", "no Pod", 1}};
    statuses.emplace(api::ObjectRef{api::kGatewayGroup, "v1", "Gateway", "shop", "web"}, status);
    writer_->Explain(&statuses);
    return api::FindCondition(statuses.begin()->second.conditions, "Programmed")->message;
  }

  std::optional<std::string> Serve(const kube::TestApiRequest& request) {
    if (request.method == "GET") return std::nullopt;
    if (refusal_ != 0) return kube::TestApiServer::Status(refusal_);
    const std::string path = request.target.substr(0, request.target.find('?'));
    const std::string folder = path.substr(0, path.rfind('/'));
    const std::string name = path.substr(path.rfind('/') + 1);
    if (request.method == "DELETE") {
      if (!Has(folder, name)) return kube::TestApiServer::Status(404);
      const api::Node options = kube::JsonOf(request.body);
      const std::string uid = kube::TextAt(kube::MapAt(&options, "preconditions"), "uid");
      const bool same = folder == kDeployments ||
                        uid == kube::TextAt(kube::MapAt(&At(folder, name), "metadata"), "uid");
      if (!same) return kube::TestApiServer::Status(409);
      Delete(folder, name);
      return kube::TestApiServer::Answer(200, R"({"kind":"Status","status":"Success"})");
    }
    EXPECT_EQ(request.method, "PATCH");
    EXPECT_THAT(request.target, HasSubstr(kApply));
    EXPECT_EQ(request.fields.at("content-type"), "application/apply-patch+yaml");
    api::Node object = Has(folder, name) ? At(folder, name) : kube::MapNode();
    const std::string before = kube::ToJson(object);
    kube::MergePatch(kube::JsonOf(request.body), &object);
    if (admit_) admit_(&object);
    if (kube::ToJson(object) != before) Put(folder, name, std::move(object));
    return kube::TestApiServer::Answer(200, kube::ToJson(At(folder, name)));
  }

  const kube::Resource services_{.version = "v1", .plural = "services", .kind = "Service"};
  std::map<std::string, api::Node> objects_;
  std::function<void(api::Node*)> admit_;
  int version_ = 0;
  int refusal_ = 0;
  int told_ = 0;
  std::optional<ManagedWriter> writer_;
};

TEST_F(ManagedWriterTest, SendsNothingBeforeItKnowsAllAndIsTheOne) {
  PutOwn(OwnDeployment());
  PutLeft(kDeployments, "old");
  Make();
  PutLeft(kServices, "old");
  writer_->SetActive(true);
  Pass(std::chrono::seconds(60));
  EXPECT_THAT(Sent(), IsEmpty()) << "nobody has said what there is to be";
  writer_->SetActive(false);
  Want({ManagedWeb({80})});
  Pass(std::chrono::seconds(60));
  EXPECT_THAT(Sent(), IsEmpty()) << "another writes";
  writer_->SetActive(true);
  AdvanceUntil([&] { return Sent().size() == 4; });
  EXPECT_THAT(Sent(),
              UnorderedElementsAre(absl::StrCat("PATCH ", kDeployments, "/", kWeb, kApply),
                                   absl::StrCat("PATCH ", kServices, "/", kWeb, kApply),
                                   absl::StrCat("DELETE ", kDeployments, "/", NameOf("old")),
                                   absl::StrCat("DELETE ", kServices, "/", NameOf("old"))));
}

TEST_F(ManagedWriterTest, WhereDeploymentsCannotBeReadItDeletesNothingAndSaysWhy) {
  server_.forbidden = true;
  Make();
  PutLeft(kServices, "old");
  writer_->SetActive(true);
  Want({ManagedWeb({80})});
  Pass(std::chrono::seconds(120));
  EXPECT_THAT(Sent(), IsEmpty());
  EXPECT_THAT(ExplainedWeb(),
              HasSubstr("no Pod; Deployments of namespace gateways cannot be read: status 403"));
  EXPECT_EQ(told_, 1);
}

TEST_F(ManagedWriterTest, WritesWhatIsWantedOnceAndThenRests) {
  Start();
  EXPECT_EQ(
      ViewOf(At(kDeployments),
             *MakeDeployment(kube::JsonOf(OwnDeployment()), ManagedWeb({80}), "gateways")),
      kube::ToJson(*MakeDeployment(kube::JsonOf(OwnDeployment()), ManagedWeb({80}), "gateways")));
  Want({ManagedWeb({80})});
  Pass(std::chrono::minutes(10));
  EXPECT_THAT(Sent(), IsEmpty());
  EXPECT_EQ(writer_->counts().applied, 2u);
}

TEST_F(ManagedWriterTest, WhatSomebodyDeletesComesBackWithinSeconds) {
  Start();
  for (const char* folder : {kDeployments, kServices}) {
    Delete(folder);
    const TimePoint before = clock_.Now();
    AdvanceUntil([&] { return Has(folder); });
    EXPECT_LE(clock_.Now() - before, std::chrono::seconds(3)) << folder;
  }
}

TEST_F(ManagedWriterTest, WhatSomebodyChangesIsPutRightAndWhatIsTheirsStays) {
  Start();
  Edit(kDeployments, R"({"spec":{"replicas":5}})");
  Edit(kServices, R"({"spec":{"clusterIP":"10.0.0.1","externalTrafficPolicy":"Local"}})");
  Pass(std::chrono::seconds(60));
  EXPECT_THAT(Sent(), IsEmpty()) << "nobody here has said anything of these";
  Edit(kServices, R"({"spec":{"type":"ClusterIP"}})");
  AdvanceUntil([&] { return Sent().size() == 1; });
  Pass(std::chrono::seconds(10));
  EXPECT_EQ(kube::TextAt(kube::MapAt(&At(kServices), "spec"), "type"), "LoadBalancer");
  EXPECT_EQ(kube::TextAt(kube::MapAt(&At(kServices), "spec"), "clusterIP"), "10.0.0.1");
  Edit(kDeployments, R"({"metadata":{"labels":null}})");
  Pass(std::chrono::seconds(10));
  EXPECT_THAT(kube::ToJson(*kube::MapAt(&At(kDeployments), "metadata")), HasSubstr("penstock"));
  EXPECT_THAT(Sent(), testing::SizeIs(2));
}

TEST_F(ManagedWriterTest, WhatAnotherChangesAllTheTimeIsNotFoughtOver) {
  Start();
  int edits = 0;
  const TimePoint end = clock_.Now() + std::chrono::minutes(10);
  while (clock_.Now() < end) {
    if (kube::TextAt(kube::MapAt(&At(kServices), "spec"), "type") != "NodePort") {
      ++edits;
      Edit(kServices, R"({"spec":{"type":"NodePort"}})");
    }
    Advance(std::chrono::milliseconds(500));
  }
  EXPECT_GE(Sent().size(), 10u);
  EXPECT_LE(Sent().size(), 600u / 10) << "after " << edits << " edits";
}

TEST_F(ManagedWriterTest, WhatTheServerMakesOfItIsLeftAsItIs) {
  admit_ = [](api::Node* object) {
    kube::MergePatch(kube::JsonOf(R"({"spec":{"sealed":true,"type":"ClusterIP"}})"), object);
  };
  Start();
  Pass(std::chrono::minutes(10));
  EXPECT_THAT(Sent(), IsEmpty());
  Edit(kServices, R"({"spec":{"selector":{"penstock.dev/gateway-namespace":"other"}}})");
  AdvanceUntil([&] { return Sent().size() == 1; });
  Pass(std::chrono::minutes(10));
  EXPECT_THAT(Sent(), testing::SizeIs(1));
}

TEST_F(ManagedWriterTest, FollowsTheControllersDeploymentAndTheGateway) {
  Start();
  PutOwn(OwnDeployment(kOwnArguments, "penstock:2"));
  AdvanceUntil([&] { return Sent().size() == 1; });
  EXPECT_THAT(server_.requests.back().body, HasSubstr("penstock:2"));
  Want({ManagedWeb({80, 443})});
  AdvanceUntil([&] { return Sent().size() == 2; });
  EXPECT_THAT(server_.requests.back().body, HasSubstr("port-443"));
  Pass(std::chrono::minutes(10));
  EXPECT_THAT(Sent(), testing::SizeIs(2));
}

TEST_F(ManagedWriterTest, DeletesWhatIsNobodysAnyMoreAndNothingElse) {
  PutLeft(kDeployments, "old");
  PutLeft(kDeployments, "helms", "Helm");
  PutLeft(kDeployments, "old", "penstock", "a-copy");
  Start();
  EXPECT_FALSE(Has(kDeployments, NameOf("old"))) << "left while nobody was there";
  PutLeft(kServices, "helms", "Helm");
  PutLeft(kServices, "web", "penstock", "internal");
  PutLeft(kDeployments, "waits");
  Want({}, {NameOf("waits")});
  AdvanceUntil([&] { return !Has(kDeployments) && !Has(kServices); });
  Pass(std::chrono::minutes(10));
  EXPECT_TRUE(Has(kDeployments, NameOf("waits")));
  Want({}, {kWeb});
  Pass(std::chrono::seconds(10));
  EXPECT_FALSE(Has(kDeployments, NameOf("waits"))) << "what was kept is nobody's by now";
  EXPECT_TRUE(Has(kDeployments, "own"));
  EXPECT_TRUE(Has(kDeployments, NameOf("helms")));
  EXPECT_TRUE(Has(kDeployments, "a-copy")) << "of the labels, by somebody, under another name";
  EXPECT_TRUE(Has(kServices, NameOf("helms")));
  EXPECT_TRUE(Has(kServices, "internal"));
}

TEST_F(ManagedWriterTest, OfAGatewayThatNothingCanBeMadeForAtTheMomentAllStays) {
  Start();
  Want({}, {kWeb});
  Pass(std::chrono::minutes(10));
  EXPECT_THAT(Sent(), IsEmpty());
  EXPECT_TRUE(Has(kDeployments));
  EXPECT_TRUE(Has(kServices));
}

TEST_F(ManagedWriterTest, WithoutTheDeploymentThatItIsMadeOfAllStaysAndTheGatewayIsToldWhy) {
  Start();
  const int told = told_;
  Delete(kDeployments, "own");
  Pass(std::chrono::seconds(60));
  EXPECT_THAT(Sent(), IsEmpty());
  EXPECT_GT(told_, told);
  EXPECT_EQ(ExplainedWeb(), "no Pod; Deployment gateways/own does not exist (--managed-from)");
  PutOwn(OwnDeployment());
  AdvanceUntil([&] { return ExplainedWeb() == "no Pod"; });
}

TEST_F(ManagedWriterTest, WhatIsBeingDeletedIsAwaitedAndMadeAnew) {
  Start();
  Edit(kDeployments, R"({"metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z"}})");
  Edit(kDeployments, R"({"spec":{"strategy":{"type":"Recreate"}}})");
  Pass(std::chrono::seconds(60));
  EXPECT_THAT(Sent(), IsEmpty());
  Delete(kDeployments);
  AdvanceUntil([&] { return Has(kDeployments); });
}

TEST_F(ManagedWriterTest, WhatIsForbiddenIsToldAndTriedAgainSlowly) {
  refusal_ = 403;
  PutOwn(OwnDeployment());
  Make();
  writer_->SetActive(true);
  Want({ManagedWeb({80})});
  AdvanceUntil([&] { return Sent().size() == 2; });
  Pass(std::chrono::seconds(20));
  EXPECT_THAT(Sent(), testing::SizeIs(2));
  EXPECT_EQ(told_, 2);
  EXPECT_EQ(ExplainedWeb(),
            absl::StrCat("no Pod; Deployment gateways/", kWeb,
                         " could not be written: status 403: says 403; Service gateways/", kWeb,
                         " could not be written: status 403: says 403"));
  AdvanceUntil([&] { return Sent().size() >= 4; });
  EXPECT_EQ(told_, 2) << "nothing new";
  refusal_ = 0;
  AdvanceUntil([&] { return ExplainedWeb() == "no Pod"; });
  EXPECT_TRUE(Has(kDeployments) && Has(kServices));
  EXPECT_EQ(writer_->counts().refused, 4u);
}

TEST_F(ManagedWriterTest, AConflictIsNobodysFaultAndTriedAgain) {
  refusal_ = 409;
  PutOwn(OwnDeployment());
  Make();
  writer_->SetActive(true);
  Want({ManagedWeb({80})});
  AdvanceUntil([&] { return Sent().size() >= 4; });
  EXPECT_EQ(ExplainedWeb(), "no Pod");
  refusal_ = 0;
  AdvanceUntil([&] { return Has(kDeployments) && Has(kServices); });
}

TEST_F(ManagedWriterTest, AnotherWishDoesNotWaitForTheNextTry) {
  Start();
  refusal_ = 422;
  Want({ManagedWeb({81})});
  AdvanceUntil([&] { return Sent().size() == 1; });
  refusal_ = 0;
  Want({ManagedWeb({82})});
  const TimePoint before = clock_.Now();
  AdvanceUntil([&] { return Sent().size() == 2; });
  EXPECT_LE(clock_.Now() - before, std::chrono::seconds(1));
  EXPECT_THAT(kube::ToJson(At(kServices)), HasSubstr("port-82"));
}

TEST_F(ManagedWriterTest, WhoHasLostTheLeaseWritesNoMore) {
  Start();
  writer_->SetActive(false);
  Delete(kDeployments);
  Want({ManagedWeb({443})});
  Pass(std::chrono::minutes(10));
  EXPECT_THAT(Sent(), IsEmpty());
  writer_->SetActive(true);
  AdvanceUntil([&] { return Has(kDeployments) && Sent().size() == 2; });
}

TEST_F(ManagedWriterTest, MakesThousandsFewAtATime) {
  PutOwn(OwnDeployment());
  Make();
  std::vector<api::ManagedGateway> gateways;
  for (int i = 0; i < 300; ++i) {
    gateways.push_back({{"shop", absl::StrCat("g", i)}, {80}, {}});
  }
  writer_->SetActive(true);
  Want(gateways);
  AdvanceUntil([&] { return objects_.size() == 601; });
  EXPECT_EQ(writer_->counts().failed, 0u);
  EXPECT_EQ(writer_->counts().applied, 600u);
}

}  // namespace
}  // namespace gw::config
