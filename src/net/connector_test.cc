#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/net_test_util.h"
#include "net/stream.h"

namespace gw {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Connectors : public testing::Test {
 protected:
  static SocketAddress Loopback() { return *SocketAddress::FromIp("127.0.0.1", 0); }

  std::unique_ptr<Connector> Connect(const SocketAddress& address, Duration timeout = seconds(5)) {
    return Connector::New(*loop_, address, timeout,
                          [this](absl::StatusOr<std::unique_ptr<Stream>> result) {
                            ++done_calls_;
                            status_ = result.status();
                            if (result.ok()) streams_.push_back(*std::move(result));
                          });
  }

  void RunUntilDone() {
    RunLoopUntil(*loop_, [this] { return done_calls_ > 0; });
    loop_->RunOnce(Duration::zero());
    EXPECT_EQ(done_calls_, 1);
  }

  ManualClock clock_;
  std::unique_ptr<EventLoop> loop_ = *EventLoop::New(clock_);
  int done_calls_ = 0;
  absl::Status status_;
  std::vector<std::unique_ptr<Stream>> streams_;
};

// An address whose backlog is full: the kernel ignores further attempts to connect.
class FullListener {
 public:
  FullListener(EventLoop& loop, const SocketAddress& address) {
    Listener::Options options;
    options.backlog = 0;
    listener_ = *Listener::New(loop, address, options, [](std::unique_ptr<Stream>) {});
    listener_->Pause();
    // The backlog holds one connection more than was asked for; the rest never complete.
    for (int i = 0; i < 4; ++i) {
      fillers_.push_back(Connector::New(loop, listener_->local(), std::chrono::hours(1),
                                        [this](absl::StatusOr<std::unique_ptr<Stream>> result) {
                                          ASSERT_TRUE(result.ok()) << result.status();
                                          streams_.push_back(*std::move(result));
                                        }));
    }
    RunLoopUntil(loop, [this] { return !streams_.empty(); });
  }

  const SocketAddress& local() const { return listener_->local(); }

 private:
  std::unique_ptr<Listener> listener_;
  std::vector<std::unique_ptr<Connector>> fillers_;
  std::vector<std::unique_ptr<Stream>> streams_;
};

TEST_F(Connectors, StreamIsHandedOverOnce) {
  auto listener = *Listener::New(*loop_, Loopback(), {}, [](std::unique_ptr<Stream>) {});
  const std::unique_ptr<Connector> connector = Connect(listener->local());
  EXPECT_EQ(done_calls_, 0);
  RunUntilDone();
  ASSERT_EQ(streams_.size(), 1u);
  EXPECT_EQ(streams_[0]->peer(), listener->local());
  clock_.Advance(seconds(10));
  loop_->RunOnce(Duration::zero());
  EXPECT_EQ(done_calls_, 1) << "the timeout must not fire after success";
}

TEST_F(Connectors, DataThatArrivesWithTheConnectionIsToldToTheObserver) {
  std::vector<std::unique_ptr<Stream>> accepted;
  auto listener = *Listener::New(*loop_, Loopback(), {}, [&](std::unique_ptr<Stream> stream) {
    WriteText(*stream, "greeting");
    accepted.push_back(std::move(stream));
  });
  const std::unique_ptr<Connector> connector = Connect(listener->local());
  RunUntilDone();
  Recorder recorder;
  // The greeting comes before anybody looks.
  RunLoopUntil(*loop_, [&] { return !accepted.empty(); });
  for (int i = 0; i < 5; ++i) loop_->RunOnce(Duration::zero());
  recorder.Attach(streams_[0].get());
  RunLoopUntil(*loop_, [&] { return recorder.text == "greeting"; });
}

TEST_F(Connectors, RefusalNamesTheAddressAndTheReason) {
  auto listener = *Listener::New(*loop_, Loopback(), {}, [](std::unique_ptr<Stream>) {});
  const SocketAddress address = listener->local();
  listener.reset();
  const std::unique_ptr<Connector> connector = Connect(address);
  EXPECT_EQ(done_calls_, 0);
  RunUntilDone();
  EXPECT_TRUE(absl::IsUnavailable(status_));
  EXPECT_EQ(status_.message(), "connect to " + address.ToString() + ": Connection refused");
  EXPECT_EQ(ErrnoOf(status_), ECONNREFUSED);
  EXPECT_EQ(ErrnoOf(absl::UnavailableError("of something else")), 0);
}

TEST_F(Connectors, AddressThatCannotBeTriedFailsLaterNotInNew) {
  // No address at all, and one that the kernel refuses at once.
  for (const SocketAddress& address :
       {SocketAddress(), *SocketAddress::FromIp("255.255.255.255", 80)}) {
    done_calls_ = 0;
    const std::unique_ptr<Connector> connector = Connect(address);
    EXPECT_EQ(done_calls_, 0);
    RunUntilDone();
    EXPECT_TRUE(absl::IsUnavailable(status_)) << status_;
    EXPECT_NE(ErrnoOf(status_), 0);
    EXPECT_NE(ErrnoOf(status_), ECONNREFUSED);
  }
}

TEST_F(Connectors, SilenceEndsWithTheTimeout) {
  const FullListener full(*loop_, Loopback());
  const std::unique_ptr<Connector> connector = Connect(full.local(), milliseconds(250));
  loop_->RunOnce(Duration::zero());
  clock_.Advance(milliseconds(249));
  loop_->RunOnce(Duration::zero());
  EXPECT_EQ(done_calls_, 0);
  clock_.Advance(milliseconds(1));
  loop_->RunOnce(Duration::zero());
  EXPECT_EQ(done_calls_, 1);
  EXPECT_TRUE(absl::IsDeadlineExceeded(status_)) << status_;
  EXPECT_EQ(status_.message(), "connect to " + full.local().ToString() + ": no answer in time");
}

TEST_F(Connectors, DestroyedConnectorNeverCalls) {
  const FullListener full(*loop_, Loopback());
  std::unique_ptr<Connector> connector = Connect(full.local(), milliseconds(250));
  loop_->RunOnce(Duration::zero());
  connector.reset();
  connector = Connect(SocketAddress());  // a call is already under way
  connector.reset();
  clock_.Advance(seconds(1));
  loop_->RunOnce(Duration::zero());
  EXPECT_EQ(done_calls_, 0);
}

TEST_F(Connectors, DoneMayDestroyTheConnector) {
  auto listener = *Listener::New(*loop_, Loopback(), {}, [](std::unique_ptr<Stream>) {});
  const FullListener full(*loop_, Loopback());
  for (const SocketAddress& address : {listener->local(), SocketAddress(), full.local()}) {
    std::unique_ptr<Connector> connector;
    bool called = false;
    connector = Connector::New(*loop_, address, milliseconds(100),
                               [&](absl::StatusOr<std::unique_ptr<Stream>> result) {
                                 called = true;
                                 connector.reset();
                               });
    RunLoopUntil(*loop_, [&] {
      clock_.Advance(milliseconds(50));
      return called;
    });
    EXPECT_EQ(connector, nullptr);
  }
}

}  // namespace
}  // namespace gw
