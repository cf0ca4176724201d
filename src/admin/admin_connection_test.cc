// The timeouts of an admin connection, in virtual time.

#include "admin/admin_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "net/net_test_util.h"

namespace gw::internal {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class AdminConnectionTest : public testing::Test {
 protected:
  void SetUp() override {
    handlers_["/small"] = [](const AdminRequest&) { return AdminResponse{.body = "small"}; };
    handlers_["/large"] = [](const AdminRequest&) {
      return AdminResponse{.body = std::string(32 << 20, 'x')};
    };
    limits_.idle = seconds(60);
    limits_.write = seconds(30);
    listener_ = *Listener::New(
        *loop_, *SocketAddress::FromIp("127.0.0.1", 0), {}, [this](std::unique_ptr<Stream> stream) {
          AwkwardStream::MakePlain(*stream);  // these tests count rounds
          connection_ = std::make_unique<AdminConnection>(
              AdminConnection::Shared{*loop_, handlers_, limits_, guard_, feeds_},
              std::move(stream), [this](AdminConnection*) { ++closed_; });
        });
    connector_ = Connector::New(*loop_, listener_->local(), seconds(10),
                                [this](absl::StatusOr<std::unique_ptr<Stream>> stream) {
                                  ASSERT_TRUE(stream.ok()) << stream.status();
                                  client_ = *std::move(stream);
                                });
    RunLoopUntil(*loop_, [this] { return client_ != nullptr && connection_ != nullptr; });
  }

  void Advance(Duration by) {
    clock_.Advance(by);
    Settle();
  }

  // Lets everything happen that is under way.
  void Settle() {
    for (int i = 0; i < 20; ++i) loop_->RunOnce(Duration::zero());
  }

  ManualClock clock_;
  std::unique_ptr<EventLoop> loop_ = *EventLoop::New(clock_);
  AdminServer::Handlers handlers_;
  AdminServer::Limits limits_;
  const AdminGuard guard_;
  Feeds feeds_{*loop_};
  int closed_ = 0;
  Recorder events_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<AdminConnection> connection_;
  std::unique_ptr<Stream> client_;
};

TEST_F(AdminConnectionTest, SilentConnectionIsClosed) {
  Advance(seconds(59));
  EXPECT_EQ(closed_, 0);
  Advance(seconds(1));
  EXPECT_EQ(closed_, 1);
}

TEST_F(AdminConnectionTest, HeadThatDribblesInIsCutOff) {
  for (int i = 0; i < 5; ++i) {
    WriteText(*client_, "G");
    Advance(seconds(15));
  }
  EXPECT_EQ(closed_, 1);
}

TEST_F(AdminConnectionTest, IdleTimeBeginsAnewWithEachRequest) {
  events_.Attach(client_.get());
  for (size_t i = 1; i <= 3; ++i) {
    Advance(seconds(50));
    WriteText(*client_, "GET /small HTTP/1.1\r\nhost: a\r\n\r\n");
    const size_t bytes = events_.text.size();
    RunLoopUntil(*loop_, [&] { return events_.text.size() > bytes && connection_->idle(); });
  }
  EXPECT_EQ(closed_, 0);
  Advance(seconds(60));
  EXPECT_EQ(closed_, 1);
}

TEST_F(AdminConnectionTest, PeerThatDoesNotReadItsAnswerIsCutOff) {
  WriteText(*client_, "GET /large HTTP/1.1\r\nhost: a\r\n\r\n");
  Settle();
  Advance(seconds(29));
  EXPECT_EQ(closed_, 0);
  Advance(seconds(2));
  EXPECT_EQ(closed_, 1);
}

TEST_F(AdminConnectionTest, PeerThatReadsSlowlyIsServedForAsLongAsItTakes) {
  WriteText(*client_, "GET /large HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
  Settle();
  size_t received = 0;
  const TimePoint begin = clock_.Now();
  RunLoopUntil(*loop_, [&] {
    // A megabyte or what there is, then time passes. The kernel tells the writer of room in lumps
    // of a third of its buffer, so a single step must stay well below the limit.
    for (size_t part = 0; part < 1 << 20;) {
      const IoResult read = client_->Read(loop_->scratch());
      part += read.bytes;
      received += read.bytes;
      if (read.state == IoState::kEnd) return true;
      if (read.state != IoState::kOk) break;
    }
    Settle();
    Advance(seconds(3));
    return false;
  });
  EXPECT_GT(received, size_t{32 << 20});
  EXPECT_GT(clock_.Now() - begin, 2 * limits_.write);
}

TEST_F(AdminConnectionTest, PeerThatNeverClosesAfterTheLastAnswerIsCutOff) {
  events_.Attach(client_.get());
  WriteText(*client_, "nonsense\r\n\r\n");
  RunLoopUntil(*loop_, [&] { return events_.state == IoState::kEnd; });
  EXPECT_EQ(closed_, 0);
  Advance(seconds(2));
  EXPECT_EQ(closed_, 1);
}

TEST_F(AdminConnectionTest, PeerThatSendsOnAfterTheLastAnswerIsCutOffAndCounted) {
  // limits_ is what the connection looks at: it was made with a reference to it.
  limits_.linger_bytes = 200'000;
  int reached = 0;
  limits_.on_linger_bytes_reached = [&reached] { ++reached; };
  WriteText(*client_, "GET /small HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
  Settle();
  const std::string rest(100'000, 'x');
  WriteText(*client_, rest);
  Settle();
  EXPECT_EQ(closed_, 0);
  for (int i = 0; i < 4; ++i) {
    WriteText(*client_, rest);
    Settle();
  }
  EXPECT_EQ(closed_, 1);
  EXPECT_EQ(reached, 1);
}

TEST_F(AdminConnectionTest, PeerThatClosesEndsTheConnection) {
  client_.reset();
  RunLoopUntil(*loop_, [&] { return closed_ == 1; });
  Advance(seconds(1000));
  EXPECT_EQ(closed_, 1);
}

// What a feed says is what a test says.
class ScriptedFeed final : public AdminFeed {
 public:
  Duration period() const override { return milliseconds(500); }
  void Begin() override { ++begun; }
  FeedMessage Changes(size_t) override {
    ++asked;
    return std::exchange(next, nullptr);
  }
  FeedMessage Whole() override { return std::make_shared<const std::string>(whole); }
  void End() override { ++ended; }

  void Say(std::string text) { next = std::make_shared<const std::string>(std::move(text)); }

  std::string whole = "whole\n\n";
  FeedMessage next;
  int begun = 0;
  int asked = 0;
  int ended = 0;
};

class AdminFeedTest : public AdminConnectionTest {
 protected:
  void SetUp() override {
    handlers_["/feed"] = [this](const AdminRequest&) {
      return AdminResponse{.content_type = "text/event-stream", .feed = &feed_};
    };
    AdminConnectionTest::SetUp();
    events_.Attach(client_.get());
  }

  void Ask(std::string_view version = "1.1") {
    WriteText(*client_, "GET /feed HTTP/" + std::string(version) + "\r\nhost: a\r\n\r\n");
    Settle();
  }

  // What has come since the last call, without the head.
  std::string Came() {
    const size_t head = events_.text.find("\r\n\r\n");
    std::string text = events_.text.substr(std::max(seen_, head + 4));
    seen_ = events_.text.size();
    return text;
  }

  ScriptedFeed feed_;
  size_t seen_ = 0;
};

TEST_F(AdminFeedTest, SendsTheWholeAndThenWhatChanges) {
  Advance(seconds(5));
  EXPECT_EQ(feed_.begun + feed_.asked, 0) << "nobody reads";
  Ask();
  EXPECT_THAT(events_.text, testing::HasSubstr("transfer-encoding: chunked\r\n"));
  EXPECT_EQ(Came(), "7\r\nwhole\n\n\r\n");
  feed_.Say("first\n\n");
  Advance(milliseconds(499));
  EXPECT_EQ(Came(), "");
  Advance(milliseconds(1));
  EXPECT_EQ(Came(), "7\r\nfirst\n\n\r\n");
  Advance(milliseconds(500));
  EXPECT_EQ(Came(), "") << "nothing has changed";
  EXPECT_EQ(feed_.asked, 2);
  EXPECT_EQ(closed_, 0);
}

TEST_F(AdminFeedTest, OldClientsGetNoChunks) {
  Ask("1.0");
  EXPECT_EQ(Came(), "whole\n\n");
  EXPECT_THAT(events_.text, testing::HasSubstr("connection: close\r\n"));
}

TEST_F(AdminFeedTest, HeadEndsAtOnce) {
  WriteText(*client_, "HEAD /feed HTTP/1.1\r\nhost: a\r\n\r\n");
  Settle();
  EXPECT_THAT(events_.text, testing::HasSubstr("200"));
  EXPECT_EQ(feed_.begun, 0);
  EXPECT_TRUE(connection_->idle());
}

TEST_F(AdminFeedTest, SilenceIsBrokenByAComment) {
  Ask();
  Came();
  for (int i = 0; i < 19; ++i) Advance(milliseconds(500));
  EXPECT_EQ(Came(), "");
  Advance(milliseconds(500));
  EXPECT_EQ(Came(), "e\r\n: still here\n\n\r\n");
  for (int i = 0; i < 200; ++i) Advance(seconds(1));
  EXPECT_EQ(closed_, 0) << "it has taken all that it was sent";
}

TEST_F(AdminFeedTest, ReaderThatLeavesEndsIt) {
  Ask();
  WriteText(*client_, "what is this?");
  Settle();
  EXPECT_EQ(closed_, 0);
  client_->ShutdownWrite();
  Settle();
  EXPECT_EQ(closed_, 1);
  EXPECT_EQ(feed_.ended, 1);
  Advance(seconds(5));
  EXPECT_EQ(feed_.asked, 0);
}

TEST_F(AdminFeedTest, SlowReaderMissesChangesAndGetsTheWholeAgain) {
  client_->set_observer(nullptr);
  feed_.whole = std::string(32 << 20, 'x');
  Ask();
  feed_.whole = "newest\n\n";
  for (int i = 0; i < 10; ++i) {
    feed_.Say("missed\n\n");
    Advance(milliseconds(500));
  }
  events_.Attach(client_.get());
  RunLoopUntil(*loop_, [this] { return events_.text.size() > (32u << 20); });
  Settle();
  EXPECT_EQ(events_.text.find("missed"), std::string::npos);
  Advance(milliseconds(500));
  EXPECT_TRUE(events_.text.ends_with("8\r\nnewest\n\n\r\n"));
  feed_.Say("later\n\n");
  Advance(milliseconds(500));
  EXPECT_TRUE(events_.text.ends_with("7\r\nlater\n\n\r\n"));
}

TEST_F(AdminFeedTest, ReaderThatTakesNothingIsClosed) {
  client_->set_observer(nullptr);
  feed_.whole = std::string(32 << 20, 'x');
  Ask();
  Advance(seconds(29));
  EXPECT_EQ(closed_, 0);
  Advance(seconds(2));
  EXPECT_EQ(closed_, 1);
  EXPECT_EQ(feed_.ended, 1);
}

TEST_F(AdminFeedTest, OneReaderTooManyIsRefused) {
  int refused = 0;
  limits_.feed_readers = 0;
  limits_.on_feed_readers_reached = [&] { ++refused; };
  Ask();
  EXPECT_THAT(events_.text, testing::HasSubstr("503"));
  EXPECT_THAT(events_.text, testing::HasSubstr("admin_feed_readers"));
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(feed_.begun, 0);
  EXPECT_TRUE(connection_->idle()) << "it may ask for something else";
}

}  // namespace
}  // namespace gw::internal
