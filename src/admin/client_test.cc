#include "admin/client.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "net/event_loop.h"
#include "net/net_test_util.h"
#include "net/stream.h"

namespace gw {
namespace {

// Sends `answer` to whoever sends a request, and closes if told to. Runs on a thread of its own.
class FixedServer {
 public:
  FixedServer(std::string answer, bool close) : answer_(std::move(answer)), close_(close) {
    listener_ = *Listener::New(*loop_, *SocketAddress::FromIp("127.0.0.1", 0), {},
                               [this](std::unique_ptr<Stream> stream) {
                                 stream_ = std::move(stream);
                                 events_.Attach(stream_.get());
                                 events_.then = [this] { OnRequest(); };
                               });
    thread_ = std::thread([this] { loop_->Run(); });
  }

  ~FixedServer() {
    loop_->Stop();
    thread_.join();
  }

  const SocketAddress& local() const { return listener_->local(); }

 private:
  void OnRequest() {
    if (!events_.text.ends_with("\r\n\r\n")) return;
    EXPECT_EQ(events_.text, "GET /x?y=1 HTTP/1.1\r\nhost: " + local().ToString() +
                                "\r\nconnection: close\r\n\r\n");
    events_.text.clear();
    WriteText(*stream_, answer_);
    if (close_) stream_.reset();
  }

  const std::string answer_;
  const bool close_;
  Recorder events_;
  const std::unique_ptr<EventLoop> loop_ = *EventLoop::New();
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Stream> stream_;
  std::thread thread_;
};

TEST(AdminGet, EveryFramingIsRead) {
  const struct {
    std::string answer;
    bool close;
    std::string body;
  } kCases[] = {
      {"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", false, "hello"},
      {"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false, ""},
      {"HTTP/1.1 204 No Content\r\n\r\n", false, ""},
      {"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
       false, "hello"},
      {"HTTP/1.1 200 OK\r\n\r\nuntil the end", true, "until the end"},
      {"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", true, "hello"},
  };
  for (const auto& [text, close, body] : kCases) {
    FixedServer server(text, close);
    const absl::StatusOr<AdminAnswer> answer = AdminGet(server.local(), "/x?y=1");
    ASSERT_TRUE(answer.ok()) << answer.status() << " for " << text;
    EXPECT_EQ(answer->body, body);
  }
}

TEST(AdminGet, StatusAndTypeAreHandedOver) {
  FixedServer server(
      "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
      false);
  const absl::StatusOr<AdminAnswer> answer = AdminGet(server.local(), "/x?y=1");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 404);
  EXPECT_EQ(answer->content_type, "application/json");
}

TEST(AdminGet, CutAnswerIsAnError) {
  for (const char* text : {"", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel",
                           "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n"}) {
    FixedServer server(text, true);
    const absl::StatusOr<AdminAnswer> answer = AdminGet(server.local(), "/x?y=1");
    ASSERT_FALSE(answer.ok()) << text;
    EXPECT_TRUE(absl::IsUnavailable(answer.status())) << answer.status();
    EXPECT_EQ(answer.status().message(), "get from " + server.local().ToString() +
                                             ": the connection ended before the answer did");
  }
}

TEST(AdminGet, AnswerThatIsNotHttpIsAnError) {
  FixedServer server("SSH-2.0-OpenSSH_9.2\r\n", false);
  const absl::StatusOr<AdminAnswer> answer = AdminGet(server.local(), "/x?y=1");
  ASSERT_FALSE(answer.ok());
  EXPECT_TRUE(absl::IsInternal(answer.status())) << answer.status();
}

TEST(AdminGet, SilenceEndsWithTheTimeout) {
  FixedServer server("", false);
  const absl::StatusOr<AdminAnswer> answer =
      AdminGet(server.local(), "/x?y=1", std::chrono::milliseconds(20));
  ASSERT_FALSE(answer.ok());
  EXPECT_TRUE(absl::IsDeadlineExceeded(answer.status())) << answer.status();
}

TEST(AdminGet, RefusalNamesTheAddress) {
  SocketAddress address;
  {
    FixedServer server("", false);
    address = server.local();
  }
  const absl::StatusOr<AdminAnswer> answer = AdminGet(address, "/");
  ASSERT_FALSE(answer.ok());
  EXPECT_TRUE(absl::IsUnavailable(answer.status()));
  EXPECT_EQ(answer.status().message(), "connect to " + address.ToString() + ": Connection refused");
}

TEST(AdminGet, TargetThatWouldBreakTheRequestIsRefused) {
  for (const char* target : {"", "x", "/a b", "/a\r\nx: y", "/\xC3\xBC", "/a\x7f"}) {
    const absl::StatusOr<AdminAnswer> answer =
        AdminGet(*SocketAddress::FromIp("127.0.0.1", 1), target);
    ASSERT_FALSE(answer.ok());
    EXPECT_TRUE(absl::IsInvalidArgument(answer.status())) << answer.status();
  }
}

}  // namespace
}  // namespace gw
