#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>
#include <utility>
#include <vector>

#include "base/random.h"
#include "net/net_test_util.h"
#include "net/tcp_stream.h"

namespace gw {
namespace {

class StreamCrowd : public LoopTest {};

// Streams whose handlers do what others' handlers do: read a little, ask to be called again, write
// to each other, and destroy each other and themselves, at once, from a task and from a timer.
class Crowd {
 public:
  Crowd(EventLoop& loop, uint64_t seed) : loop_(loop), random_(seed) {
    for (size_t i = 0; i < kMembers; ++i) members_.push_back(std::make_unique<Member>(*this));
    for (size_t i = 0; i < kMembers; i += 2) Pair(i);
  }

  void Round() {
    members_[random_.Below(kMembers)]->Write();
    loop_.RunOnce(Duration::zero());
    if (random_.Below(4) == 0) {
      const size_t i = random_.Below(kMembers) / 2 * 2;
      if (!members_[i]->stream && !members_[i + 1]->stream) Pair(i);
    }
  }
  // Nobody is called from here on, so that no more tasks are posted.
  void Close() {
    for (const auto& member : members_) member->stream.reset();
  }
  uint64_t calls() const { return calls_; }

 private:
  struct Member final : StreamObserver {
    explicit Member(Crowd& c) : crowd(c), timer(c.loop_, [this] { stream.reset(); }) {}
    void OnReadable() override {
      Called();
      char bytes[3];
      const IoResult read = stream->Read(bytes);
      if (read.state == IoState::kOk) stream->ReadAgainLater();
      if (read.state == IoState::kEnd || read.state == IoState::kError) stream.reset();
      Disturb();
    }
    void OnWritable() override {
      Called();
      Disturb();
    }
    void Called() {
      ++crowd.calls_;
      ASSERT_NE(stream, nullptr) << "a stream that was destroyed is called";
    }
    void Write() {
      if (stream) WriteText(*stream, "0123456789");
    }
    void Disturb() {
      Member& other = *crowd.members_[crowd.random_.Below(kMembers)];
      switch (crowd.random_.Below(9)) {
        case 0:
          other.stream.reset();
          return;
        case 1:
          if (other.stream) other.stream->ReadAgainLater();
          return;
        case 2:
          crowd.loop_.Post([&other] { other.stream.reset(); });
          return;
        case 3:
          other.timer.Start(Duration::zero());
          return;
        case 4:
          if (!other.stream) return;
          other.stream->set_observer(nullptr);
          crowd.loop_.FreeLater(std::move(other.stream));
          return;
        default:
          other.Write();
      }
    }
    Crowd& crowd;
    std::unique_ptr<Stream> stream;
    Timer timer;
  };

  void Pair(size_t i) {
    int fds[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    for (size_t side : {0, 1}) {
      members_[i + side]->stream = internal::TcpStream::New(
          internal::ImplOf(loop_), fds[side], internal::TcpStream::State::kConnected, {});
      members_[i + side]->stream->set_observer(members_[i + side].get());
    }
  }

  static constexpr size_t kMembers = 40;
  EventLoop& loop_;
  Random random_;
  uint64_t calls_ = 0;
  std::vector<std::unique_ptr<Member>> members_;
};

TEST_F(StreamCrowd, WhatWasDestroyedIsNotCalled) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Crowd crowd(*loop_, seed);
    for (int round = 0; round < 2000; ++round) crowd.Round();
    EXPECT_GT(crowd.calls(), 2000u) << "seed " << seed;
    // Tasks that are still posted name members of this crowd.
    crowd.Close();
    loop_->RunOnce(Duration::zero());
  }
}

}  // namespace
}  // namespace gw
