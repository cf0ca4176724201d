#include "net/handed_sockets.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "net/net_test_util.h"
#include "net/stream.h"

namespace gw {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A descriptor as a service manager hands it over: it blocks, and other programs inherit it.
int BoundSocket(const char* ip, int type = SOCK_STREAM, bool listens = true) {
  const SocketAddress address = *SocketAddress::FromIp(ip, 0);
  const int fd = socket(address.family(), type, 0);
  EXPECT_EQ(bind(fd, address.sockaddr_ptr(), address.length()), 0);
  EXPECT_TRUE(!listens || listen(fd, 16) == 0);
  return fd;
}

uint16_t PortOf(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof(storage);
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  EXPECT_EQ(getsockname(fd, address, &length), 0);
  return SocketAddress::FromSockaddr(address, length).port();
}

SocketAddress At(const char* ip, int fd) { return *SocketAddress::FromIp(ip, PortOf(fd)); }

TEST(HandedSockets, AreFoundByAddressAndPort) {
  const int fd = BoundSocket("127.0.0.1");
  const HandedSockets handed(fd, 1, "http");
  EXPECT_EQ(handed.Find(At("127.0.0.1", fd)), fd);
  EXPECT_EQ(handed.Find(At("0.0.0.0", fd)), -1);
  EXPECT_EQ(handed.Find(At("127.0.0.2", fd)), -1);
  EXPECT_EQ(handed.Find(*SocketAddress::FromIp("127.0.0.1", 1)), -1);
}

TEST(HandedSockets, OneForBothFamiliesServesAllAddresses) {
  const int both = BoundSocket("::");
  const HandedSockets handed(both, 1, "");
  EXPECT_EQ(handed.Find(At("::", both)), both);
  EXPECT_EQ(handed.Find(At("0.0.0.0", both)), both);
}

TEST(HandedSockets, DoNotBlockAndAreNotInherited) {
  const int fd = BoundSocket("127.0.0.1");
  const HandedSockets handed(fd, 1, "http");
  EXPECT_TRUE(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  EXPECT_TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

TEST(HandedSockets, WhatCannotAcceptIsNamedAndNotFound) {
  const int datagrams = BoundSocket("127.0.0.1", SOCK_DGRAM, /*listens=*/false);
  const HandedSockets handed(datagrams, 1, "metrics\x1b[2J");
  EXPECT_EQ(handed.Find(At("127.0.0.1", datagrams)), -1);
  EXPECT_THAT(handed.Names(), ElementsAre("metrics\\u001b[2J (not a listening TCP socket)"));
}

TEST(HandedSockets, ThoseThatNobodyUsesAreNamed) {
  const int fd = BoundSocket("127.0.0.1");
  const HandedSockets handed(fd, 1, "");
  const std::string address = At("127.0.0.1", fd).ToString();
  EXPECT_THAT(handed.Names(), ElementsAre(absl::StrCat("descriptor ", fd, " (", address, ")")));
  EXPECT_THAT(handed.Names({fd}), IsEmpty());
}

class ListenersOfHandedSockets : public LoopTest {
 protected:
  ListenersOfHandedSockets() : fd_(BoundSocket("127.0.0.1")), handed_(fd_, 1, "http") {}

  std::unique_ptr<Listener> ListenOnHanded() {
    Listener::Options options;
    options.handed = fd_;
    auto listener = Listener::New(
        *loop_, address_, options,
        [this](std::unique_ptr<Stream> stream) { accepted_.push_back(std::move(stream)); });
    EXPECT_TRUE(listener.ok()) << listener.status();
    return *std::move(listener);
  }

  void Connect() {
    connectors_.push_back(Connector::New(*loop_, address_, std::chrono::seconds(10),
                                         [this](absl::StatusOr<std::unique_ptr<Stream>> result) {
                                           ASSERT_TRUE(result.ok()) << result.status();
                                           clients_.push_back(*std::move(result));
                                         }));
    const size_t wanted = connectors_.size();
    RunUntil([&] { return clients_.size() == wanted; });
  }

  const int fd_;
  const HandedSockets handed_;
  const SocketAddress address_ = At("127.0.0.1", fd_);
  std::vector<std::unique_ptr<Connector>> connectors_;
  std::vector<std::unique_ptr<Stream>> clients_;
  std::vector<std::unique_ptr<Stream>> accepted_;
};

TEST_F(ListenersOfHandedSockets, WhoComesBetweenTwoListenersWaits) {
  auto first = ListenOnHanded();
  EXPECT_EQ(first->local(), address_);
  Connect();
  RunUntil([&] { return accepted_.size() == 1; });
  first->AcceptLast();
  first = nullptr;
  Connect();  // the listener that is gone must not be told
  loop_->RunOnce(Duration(0));
  EXPECT_EQ(accepted_.size(), 1u);
  const auto second = ListenOnHanded();
  RunUntil([&] { return accepted_.size() == 2; });
}

TEST_F(ListenersOfHandedSockets, WhoHasComeBeforeTheEndIsAccepted) {
  const auto listener = ListenOnHanded();
  listener->Pause();
  Connect();
  EXPECT_EQ(accepted_.size(), 0u);
  listener->AcceptLast();
  EXPECT_EQ(accepted_.size(), 1u);
}

TEST_F(ListenersOfHandedSockets, EachConnectionGoesToOneOfThem) {
  const auto first = ListenOnHanded();
  const auto second = ListenOnHanded();
  for (size_t i = 1; i <= 8; ++i) {
    Connect();
    RunUntil([&] { return accepted_.size() == i; });
  }
  loop_->RunOnce(Duration(0));
  EXPECT_EQ(accepted_.size(), 8u);
}

TEST_F(ListenersOfHandedSockets, PauseAndGoOn) {
  const auto paused = ListenOnHanded();
  paused->Pause();
  paused->Pause();
  Connect();
  loop_->RunOnce(Duration(0));
  EXPECT_EQ(accepted_.size(), 0u);
  paused->Resume();
  RunUntil([&] { return accepted_.size() == 1; });
}

}  // namespace
}  // namespace gw
