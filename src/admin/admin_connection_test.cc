// The timeouts of an admin connection, in virtual time.

#include "admin/admin_connection.h"

#include <gtest/gtest.h>

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
          connection_ =
              std::make_unique<AdminConnection>(*loop_, std::move(stream), handlers_, limits_,
                                                guard_, [this](AdminConnection*) { ++closed_; });
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

}  // namespace
}  // namespace gw::internal
