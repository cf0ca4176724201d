#include "net/orderly_close.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "net/net_test_util.h"

namespace gw {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

// A server's side that closes in order, and its client.
class OrderlyCloses : public LoopTest {
 protected:
  void SetUp() override {
    listener_ = Listen([this](std::unique_ptr<Stream> stream) { server_ = std::move(stream); });
    connector_ = Connector::New(*loop_, listener_->local(), hours(1),
                                [this](auto stream) { client_ = *std::move(stream); });
    RunUntil([this] { return client_ != nullptr && server_ != nullptr; });
    client_events_.Attach(client_.get());
  }

  void Close(Duration time_max, size_t bytes_max) {
    closing_.emplace(*loop_, std::move(server_), OrderlyClose::Limits{time_max, bytes_max},
                     [this](OrderlyClose::End end) {
                       end_ = end;
                       closing_.reset();
                     });
    EXPECT_FALSE(end_.has_value());
  }

  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<Stream> server_;
  std::unique_ptr<Stream> client_;
  Recorder client_events_;
  std::optional<OrderlyClose> closing_;
  std::optional<OrderlyClose::End> end_;
};

TEST_F(OrderlyCloses, WhatWasWrittenArrivesThoughThePeerStillSends) {
  WriteText(*client_, std::string(100'000, 'x'));
  WriteText(*server_, "the answer");
  Close(hours(1), 1 << 20);
  RunUntil([&] { return client_events_.state == IoState::kEnd; });
  EXPECT_EQ(client_events_.text, "the answer");
  EXPECT_FALSE(end_.has_value());
  WriteText(*client_, "still sending");
  client_->ShutdownWrite();
  RunUntil([&] { return end_.has_value(); });
  EXPECT_EQ(*end_, OrderlyClose::End::kPeer);
}

TEST_F(OrderlyCloses, PeerThatSendsWithoutEndIsCutAtTheLimit) {
  Close(hours(1), 100'000);
  const std::string much(10'000, 'x');
  RunUntil([&] {
    WriteText(*client_, much);
    return end_.has_value();
  });
  EXPECT_EQ(*end_, OrderlyClose::End::kBytes);
}

TEST_F(OrderlyCloses, AsManyBytesAsAllowedAreTaken) {
  WriteText(*client_, std::string(1000, 'x'));
  client_->ShutdownWrite();
  Close(hours(1), 1000);
  RunUntil([&] { return end_.has_value(); });
  EXPECT_EQ(*end_, OrderlyClose::End::kPeer);
}

TEST_F(OrderlyCloses, PeerThatNeverEndsIsCutInTime) {
  Close(milliseconds(1), 1 << 20);
  RunUntil([&] { return end_.has_value(); });
  EXPECT_EQ(*end_, OrderlyClose::End::kTime);
  RunUntil([&] { return client_events_.state == IoState::kEnd; });
}

TEST_F(OrderlyCloses, ConnectionThatIsDeadAlreadyEndsAtOnce) {
  client_->ResetOnClose();
  client_.reset();
  Close(hours(1), 1 << 20);
  RunUntil([&] { return end_.has_value(); });
  EXPECT_EQ(*end_, OrderlyClose::End::kPeer);
}

// As TLS may: the end of our side is sent when there is room for it.
TEST_F(OrderlyCloses, EndOfOurSideThatHasToWaitIsSentLater) {
  server_ = std::make_unique<AwkwardStream>(*loop_, 1, std::move(server_));
  Close(hours(1), 1 << 20);
  RunUntil([&] { return client_events_.state == IoState::kEnd; });
  client_->ShutdownWrite();
  RunUntil([&] { return end_.has_value(); });
  EXPECT_EQ(*end_, OrderlyClose::End::kPeer);
}

}  // namespace
}  // namespace gw
