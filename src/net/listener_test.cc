#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/net_test_util.h"
#include "net/stream.h"

namespace gw {
namespace {

class Listeners : public LoopTest {
 protected:
  // Opens a connection to `address` and keeps it.
  void Connect(const SocketAddress& address) {
    connectors_.push_back(Connector::New(*loop_, address, std::chrono::seconds(10),
                                         [this](absl::StatusOr<std::unique_ptr<Stream>> result) {
                                           ASSERT_TRUE(result.ok()) << result.status();
                                           clients_.push_back(*std::move(result));
                                         }));
  }

  std::vector<std::unique_ptr<Connector>> connectors_;
  std::vector<std::unique_ptr<Stream>> clients_;
  std::vector<std::unique_ptr<Stream>> accepted_;
};

TEST_F(Listeners, PortZeroBecomesARealPort) {
  const std::unique_ptr<Listener> listener = Listen([](std::unique_ptr<Stream>) {});
  EXPECT_NE(listener->local().port(), 0);
  EXPECT_EQ(listener->local().ip(), "127.0.0.1");
}

TEST_F(Listeners, BusyAddressIsNamedInTheError) {
  const std::unique_ptr<Listener> listener = Listen([](std::unique_ptr<Stream>) {});
  const auto second = Listener::New(*loop_, listener->local(), {}, [](std::unique_ptr<Stream>) {});
  ASSERT_FALSE(second.ok());
  EXPECT_TRUE(absl::IsAlreadyExists(second.status()));
  EXPECT_EQ(second.status().message(),
            "listen on " + listener->local().ToString() + ": Address already in use");
}

TEST_F(Listeners, OnlyAddressesOfThisMachineAreLocal) {
  for (const char* ip : {"127.0.0.1", "127.200.1.2", "0.0.0.0"}) {
    EXPECT_TRUE(CheckLocalAddress(*SocketAddress::FromIp(ip, 80)).ok()) << ip;
  }
  // 192.0.2.0/24 is for documentation (RFC 5737), so nobody has it.
  EXPECT_EQ(CheckLocalAddress(*SocketAddress::FromIp("192.0.2.1", 80)).message(),
            "192.0.2.1: Cannot assign requested address");
}

TEST_F(Listeners, AddressIsFreeAgainAtOnce) {
  std::unique_ptr<Listener> listener =
      Listen([&](std::unique_ptr<Stream> stream) { accepted_.push_back(std::move(stream)); });
  const SocketAddress address = listener->local();
  Connect(address);
  RunUntil([&] { return accepted_.size() == 1 && clients_.size() == 1; });
  // The server closes first, so that its side lingers in TIME_WAIT.
  accepted_.clear();
  listener.reset();
  EXPECT_TRUE(Listener::New(*loop_, address, {}, [](std::unique_ptr<Stream>) {}).ok());
}

TEST_F(Listeners, PausedListenerLeavesConnectionsInTheBacklog) {
  std::unique_ptr<Listener> listener;
  listener = Listen([&](std::unique_ptr<Stream> stream) {
    accepted_.push_back(std::move(stream));
    if (accepted_.size() == 2) listener->Pause();
  });
  for (int i = 0; i < 5; ++i) Connect(listener->local());
  RunUntil([&] { return clients_.size() == 5 && accepted_.size() >= 2; });
  for (int i = 0; i < 5; ++i) loop_->RunOnce(Duration::zero());
  EXPECT_EQ(accepted_.size(), 2u);
  listener->Resume();
  RunUntil([&] { return accepted_.size() == 5; });
}

TEST_F(Listeners, TheLastAcceptTakesWhoeverIsConnected) {
  std::unique_ptr<Listener> listener =
      Listen([&](std::unique_ptr<Stream> stream) { accepted_.push_back(std::move(stream)); });
  listener->Pause();
  for (int i = 0; i < 100; ++i) Connect(listener->local());
  RunUntil([&] { return clients_.size() == 100; });
  EXPECT_TRUE(accepted_.empty());
  listener->AcceptLast();
  EXPECT_EQ(accepted_.size(), 100u);
  listener.reset();
  WriteText(*accepted_[99], "served");
  Recorder recorder;
  recorder.Attach(clients_[99].get());
  RunUntil([&] { return recorder.text == "served"; });
}

TEST_F(Listeners, HandlerMayDestroyTheListener) {
  std::unique_ptr<Listener> listener;
  listener = Listen([&](std::unique_ptr<Stream> stream) {
    accepted_.push_back(std::move(stream));
    listener.reset();
  });
  Connect(listener->local());
  RunUntil([&] { return accepted_.size() == 1; });
  EXPECT_EQ(listener, nullptr);
}

TEST_F(Listeners, LoopsThatShareAnAddressShareItsConnections) {
  constexpr size_t kConnections = 200;
  Listener::Options options;
  options.reuse_port = true;
  std::unique_ptr<EventLoop> other_loop = *EventLoop::New();
  std::vector<std::unique_ptr<Stream>> other_accepted;
  const std::unique_ptr<Listener> first = *Listener::New(
      *loop_, Loopback(), options,
      [&](std::unique_ptr<Stream> stream) { accepted_.push_back(std::move(stream)); });
  const std::unique_ptr<Listener> second = *Listener::New(
      *other_loop, first->local(), options,
      [&](std::unique_ptr<Stream> stream) { other_accepted.push_back(std::move(stream)); });
  for (size_t i = 0; i < kConnections; ++i) Connect(first->local());
  RunUntil([&] {
    other_loop->RunOnce(Duration::zero());
    return accepted_.size() + other_accepted.size() == kConnections;
  });
  // The kernel spreads by hash: that either gets none of 200 has a chance of 2^-199.
  EXPECT_GT(accepted_.size(), 0u);
  EXPECT_GT(other_accepted.size(), 0u);
}

// Leaves the process room for `spare` more file descriptors.
class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t spare) {
    getrlimit(RLIMIT_NOFILE, &before_);
    const int next = dup(STDERR_FILENO);  // the lowest number that is free
    close(next);
    rlimit few = before_;
    few.rlim_cur = static_cast<rlim_t>(next) + spare;
    setrlimit(RLIMIT_NOFILE, &few);
  }
  ~FewDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_;
};

TEST(ListenerLimits, OutOfDescriptorsRestsCountsLogsOnceAndRecovers) {
  ManualClock clock;
  const std::unique_ptr<EventLoop> loop = *EventLoop::New(clock);
  std::vector<std::unique_ptr<Stream>> accepted;
  std::vector<std::unique_ptr<Stream>> clients;
  std::vector<std::unique_ptr<Connector>> connectors;
  const std::unique_ptr<Listener> listener = *Listener::New(
      *loop, *SocketAddress::FromIp("127.0.0.1", 0), {},
      [&](std::unique_ptr<Stream> stream) { accepted.push_back(std::move(stream)); });
  listener->Pause();
  for (int i = 0; i < 3; ++i) {
    connectors.push_back(Connector::New(*loop, listener->local(), std::chrono::hours(1),
                                        [&](absl::StatusOr<std::unique_ptr<Stream>> result) {
                                          ASSERT_TRUE(result.ok()) << result.status();
                                          clients.push_back(*std::move(result));
                                        }));
  }
  RunLoopUntil(*loop, [&] { return clients.size() == 3; });
  testing::internal::CaptureStderr();
  {
    const FewDescriptors few(1);
    listener->Resume();
    RunLoopUntil(*loop, [&] { return listener->accept_failures() == 1; });
    EXPECT_EQ(accepted.size(), 1u);
    // It rests although the listening socket stays readable.
    for (int i = 0; i < 10; ++i) loop->RunOnce(Duration::zero());
    EXPECT_EQ(listener->accept_failures(), 1u);
    for (uint64_t failures = 2; failures <= 4; ++failures) {
      clock.Advance(std::chrono::milliseconds(100));
      RunLoopUntil(*loop, [&] { return listener->accept_failures() == failures; });
    }
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, testing::HasSubstr("\"error\":\"Too many open files\",\"failures\":1}"));
  EXPECT_EQ(log.find('\n'), log.size() - 1) << "one line in ten seconds, not: " << log;
  clock.Advance(std::chrono::milliseconds(100));
  RunLoopUntil(*loop, [&] { return accepted.size() == 3; });
}

}  // namespace
}  // namespace gw
