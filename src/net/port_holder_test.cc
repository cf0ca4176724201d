#include "net/port_holder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "net/net_test_util.h"

namespace gw {
namespace {

class PortHolder : public LoopTest {};

TEST_F(PortHolder, NamesTheProcessThatListens) {
  const std::unique_ptr<Listener> listener = Listen([](std::unique_ptr<Stream>) {});
  EXPECT_EQ(WhoListens(listener->local().port()),
            "net_test (process " + std::to_string(getpid()) + ")");
}

TEST_F(PortHolder, NamesNobodyForAFreePort) {
  std::unique_ptr<Listener> listener = Listen([](std::unique_ptr<Stream>) {});
  const uint16_t port = listener->local().port();
  listener.reset();
  EXPECT_EQ(WhoListens(port), "");
}

TEST_F(PortHolder, OwnListenersAreNotOthers) {
  const std::unique_ptr<Listener> one = Listen([](std::unique_ptr<Stream>) {});
  const std::unique_ptr<Listener> two = Listen([](std::unique_ptr<Stream>) {});
  EXPECT_FALSE(OthersListen({one->local().port(), two->local().port()}));
  EXPECT_FALSE(OthersListen({}));
}

}  // namespace
}  // namespace gw
