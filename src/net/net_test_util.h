// What the tests of net share: a loop that is run until a condition holds, and a recording
// observer.

#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "net/awkward_stream.h"
#include "net/event_loop.h"
#include "net/stream.h"

namespace gw {

// Runs the loop until `condition` holds. The deadline only keeps a broken test from hanging.
inline void RunLoopUntil(EventLoop& loop, const std::function<bool()>& condition) {
  const TimePoint deadline = RealClock().Now() + std::chrono::seconds(20);
  while (!condition()) {
    ASSERT_LT(RealClock().Now(), deadline) << "the condition was not met in time";
    loop.RunOnce(std::chrono::milliseconds(20));
  }
}

inline IoState WriteText(Stream& stream, std::string_view text) {
  AwkwardStream::MakePlain(stream);
  const iovec part{const_cast<char*>(text.data()), text.size()};
  return stream.Write({&part, 1}).state;
}

// Reads all there is and remembers it.
class Recorder final : public StreamObserver {
 public:
  explicit Recorder(size_t read_bytes = 4096) : buffer_(read_bytes, '\0') {}

  void Attach(Stream* stream) {
    AwkwardStream::MakePlain(*stream);
    stream_ = stream;
    stream->set_observer(this);
  }

  void OnReadable() override {
    ++readable_calls;
    for (;;) {
      const IoResult result = stream_->Read({buffer_.data(), buffer_.size()});
      text.append(buffer_.data(), result.bytes);
      if (result.state == IoState::kOk) continue;
      state = result.state;
      error_number = result.error_number;
      break;
    }
    if (then) then();  // may destroy the stream
  }

  void OnWritable() override {
    ++writable_calls;
    if (on_writable) on_writable();
  }

  std::string text;
  IoState state = IoState::kOk;  // of the last read
  int error_number = 0;
  int readable_calls = 0;
  int writable_calls = 0;
  std::function<void()> then;
  std::function<void()> on_writable;

 private:
  std::string buffer_;
  Stream* stream_ = nullptr;
};

class LoopTest : public testing::Test {
 protected:
  static SocketAddress Loopback(uint16_t port = 0) {
    return *SocketAddress::FromIp("127.0.0.1", port);
  }

  void RunUntil(const std::function<bool()>& condition) { RunLoopUntil(*loop_, condition); }

  std::unique_ptr<Listener> Listen(Listener::OnAccept on_accept) {
    auto listener = Listener::New(*loop_, Loopback(), {}, std::move(on_accept));
    EXPECT_TRUE(listener.ok()) << listener.status();
    return *std::move(listener);
  }

  std::unique_ptr<EventLoop> loop_ = *EventLoop::New();
};

// Connects over loopback, both ends on the loop.
class ConnectedTest : public LoopTest {
 protected:
  struct Ends {
    std::unique_ptr<Stream> client, server;
  };

  ConnectedTest() {
    listener_ = Listen([this](std::unique_ptr<Stream> s) { accepted_.push_back(std::move(s)); });
  }

  Ends Connect() {
    Ends ends;
    const auto connector = Connector::New(*loop_, listener_->local(), std::chrono::seconds(5),
                                          [&](absl::StatusOr<std::unique_ptr<Stream>> result) {
                                            ASSERT_TRUE(result.ok()) << result.status();
                                            ends.client = *std::move(result);
                                          });
    RunUntil([&] { return ends.client != nullptr && !accepted_.empty(); });
    ends.server = std::move(accepted_.front());
    accepted_.pop_front();
    return ends;
  }

  std::unique_ptr<Listener> listener_;
  std::deque<std::unique_ptr<Stream>> accepted_;
};

}  // namespace gw
