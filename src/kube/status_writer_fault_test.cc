// What a StatusWriter does when the server has something against it, or the watch is behind.

#include "kube/test_status_writer.h"

namespace gw::kube {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

TEST_F(StatusWriterTest, AfterAConflictTheNewerVersionThatTheWatchTellsIsWritten) {
  Put("a", "");
  Tell("a");
  const std::string others = ParentThere("o", ThereTrue("Accepted"), "example.com/other");
  Put("a", others);
  WishAccepted("a");
  RunUntil([&] { return writer_->counts().conflicts == 1; });
  EXPECT_EQ(Requests("PATCH"), 1u);
  Tell("a");
  Settle();
  EXPECT_THAT(Parents("a"), HasSubstr(others));
  EXPECT_THAT(Parents("a"), HasSubstr(kOurName));
  EXPECT_EQ(Requests("PATCH"), 2u);
  EXPECT_EQ(Requests("GET"), 0u);
}

TEST_F(StatusWriterTest, AfterAConflictThatTheWatchIsSilentAboutTheObjectIsAskedFor) {
  Put("a", "");
  Tell("a");
  Put("a", "", 2);
  WishAccepted("a", 2);
  AdvanceUntil([&] { return writer_->idle(); });
  EXPECT_EQ(Requests("GET"), 1u);
  EXPECT_EQ(writer_->counts().writes, 1u);
  Tell("a");
  Settle();
  EXPECT_EQ(server_.requests.size(), 3u);
}

TEST_F(StatusWriterTest, AWatchThatIsBehindOurOwnWritesCausesNone) {
  Put("a", "");
  const ApiObject first = Object("a");
  Tell("a");
  WishAccepted("a", 1);
  Settle();
  const ApiObject second = Object("a");
  WishAccepted("a", 2);
  Settle();
  EXPECT_EQ(server_.requests.size(), 2u);
  writer_->Seen(routes_, first);
  Settle();
  writer_->Seen(routes_, second);
  Settle();
  Tell("a");
  Settle();
  EXPECT_EQ(server_.requests.size(), 2u);
  EXPECT_EQ(writer_->counts().conflicts, 0u);
}

TEST_F(StatusWriterTest, AnObjectThatChangesAllTheTimeIsTriedAFewTimesAndThenSeldom) {
  Put("a", "");
  Tell("a");
  for (int i = 0; i < 6; ++i) server_.Script("/status", TestApiServer::Status(409));
  WishAccepted("a");
  AdvanceUntil([&] { return writer_->counts().conflicts == 6; });
  EXPECT_EQ(Requests("PATCH"), 6u);
  Advance(seconds(23));
  EXPECT_EQ(Requests("PATCH"), 6u);
  AdvanceUntil([&] { return writer_->idle(); });
  EXPECT_EQ(writer_->counts().writes, 1u);
}

TEST_F(StatusWriterTest, AnObjectThatIsGoneIsForgotten) {
  Put("a", "");
  Tell("a");
  objects_.Delete(PathOf("a"));
  WishAccepted("a");
  RunUntil([&] { return writer_->counts().absent == 1; });
  EXPECT_EQ(writer_->objects(), 0u);
  Put("a", "");
  Tell("a");
  Settle();
  EXPECT_EQ(writer_->counts().writes, 1u);
  writer_->Gone(routes_, {"default", "a"});
  EXPECT_EQ(writer_->objects(), 0u);
  WishAccepted("a", 2);
  Settle();
  EXPECT_EQ(Requests("PATCH"), 2u);
}

TEST_F(StatusWriterTest, MayBeToldThatAnObjectIsGoneWhileItIsWritten) {
  Put("a", "");
  Tell("a");
  server_.hang = true;
  WishAccepted("a");
  RunUntil([&] { return server_.requests.size() == 1; });
  writer_->Gone(routes_, {"default", "a"});
  EXPECT_EQ(writer_->calls(), 0u);
  Advance(seconds(60));
  EXPECT_EQ(server_.requests.size(), 1u);
}

TEST_F(StatusWriterTest, WhatIsRefusedIsNotSentAgainUntilSomethingIsNew) {
  Put("a", "");
  Tell("a");
  server_.Script("/status", TestApiServer::Status(422));
  WishAccepted("a");
  Settle();
  Advance(seconds(600));
  WishAccepted("a");
  Tell("a");
  Settle();
  EXPECT_EQ(Requests("PATCH"), 1u);
  EXPECT_EQ(writer_->counts().refusals, 1u);
  server_.Script("/status", TestApiServer::Status(422));
  WishAccepted("a", 2);
  Settle();
  EXPECT_EQ(Requests("PATCH"), 2u);
  Put("a", "", 2);
  Tell("a");
  Settle();
  EXPECT_EQ(Requests("PATCH"), 3u);
  EXPECT_EQ(writer_->counts().writes, 1u);
}

TEST_F(StatusWriterTest, WhatTheServerDoesNotKeepIsNotSentOverAndOver) {
  objects_.admit = [](api::Node* object) {
    api::Node status = MapNode();
    SetMember(object, "status", std::move(status));
  };
  Put("a", "");
  Tell("a");
  WishAccepted("a");
  Settle();
  Tell("a");
  Advance(seconds(600));
  EXPECT_EQ(Requests("PATCH"), 1u);
  EXPECT_EQ(writer_->counts().not_kept, 1u);
}

TEST_F(StatusWriterTest, WhatIsForbiddenIsTriedSeldom) {
  Put("a", "");
  Tell("a");
  server_.Script("/status", TestApiServer::Status(403));
  WishAccepted("a");
  RunUntil([&] { return writer_->counts().forbidden == 1; });
  Put("a", "");
  Tell("a");
  Advance(seconds(23));
  EXPECT_EQ(Requests("PATCH"), 1u);
  AdvanceUntil([&] { return writer_->idle(); });
  EXPECT_EQ(writer_->counts().writes, 1u);
  EXPECT_EQ(writer_->counts().conflicts, 0u);
}

TEST_F(StatusWriterTest, OtherFailuresAreTriedAgainFurtherAndFurtherApart) {
  Put("a", "");
  Tell("a");
  for (int i = 0; i < 4; ++i) server_.Script("/status", TestApiServer::Status(500));
  WishAccepted("a");
  AdvanceUntil([&] { return writer_->idle(); });
  EXPECT_EQ(writer_->counts().failures, 4u);
  const int least_s[] = {1, 2, 4, 8};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_GE(server_.requests[i + 1].at - server_.requests[i].at, seconds(least_s[i]));
  }
  server_.Script("/status", TestApiServer::Answer(200, "<html>"));
  WishAccepted("a", 2);
  AdvanceUntil([&] { return writer_->idle(); });
  EXPECT_THAT(Parents("a"), HasSubstr(R"("observedGeneration":2)"));
}

TEST_F(StatusWriterTest, AnAnswerThatIsLostIsNoSecondWrite) {
  Put("a", "");
  Tell("a");
  bool lose = true;
  server_.handler = [&](const TestApiRequest& request) {
    auto bytes = objects_.Serve(request);
    return std::exchange(lose, false) ? std::optional<std::string>("") : bytes;
  };
  WishAccepted("a");
  AdvanceUntil([&] { return writer_->idle(); }, seconds(1));
  EXPECT_EQ(writer_->counts().failures, 1u);
  EXPECT_EQ(writer_->counts().conflicts, 1u);
  EXPECT_EQ(writer_->counts().writes, 0u);
  EXPECT_THAT(Parents("a"), HasSubstr(kOurName));
}

}  // namespace
}  // namespace gw::kube
