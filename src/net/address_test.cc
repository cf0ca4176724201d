#include "net/address.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

TEST(SocketAddress, TextOfBothFamiliesRoundTrips) {
  for (const char* text : {"127.0.0.1:8080", "0.0.0.0:0", "10.1.2.3:65535", "[::1]:80",
                           "[2001:db8::2]:443", "[::ffff:10.0.0.1]:1"}) {
    const absl::StatusOr<SocketAddress> address = SocketAddress::Parse(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->ToString(), text);
  }
}

TEST(SocketAddress, PartsAreReadBack) {
  const SocketAddress v4 = *SocketAddress::FromIp("127.0.0.11", 8000);
  EXPECT_EQ(v4.ip(), "127.0.0.11");
  EXPECT_EQ(v4.port(), 8000);
  EXPECT_EQ(v4.family(), AF_INET);
  const SocketAddress v6 = *SocketAddress::FromIp("fe80::1", 9);
  EXPECT_EQ(v6.ip(), "fe80::1");
  EXPECT_EQ(v6.port(), 9);
  EXPECT_EQ(v6.family(), AF_INET6);
}

TEST(SocketAddress, BadTextIsRefusedWithWhatWasWanted) {
  for (const char* text :
       {"", ":", "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:65536", "127.0.0.1:-1",
        "127.0.0.1:+1", "127.0.0.1: 80", "127.0.0.1:80x", "localhost:80", "::1:80",
        "[127.0.0.1]:80", "[::1]80", "[::1:80", "127.0.0.256:80", "1.2.3:80", "[::1]:80:90",
        "[1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1111]:1"}) {
    const absl::StatusOr<SocketAddress> address = SocketAddress::Parse(text);
    ASSERT_FALSE(address.ok()) << text;
    EXPECT_EQ(address.status().message(),
              std::string("address \"") + text + "\": must be IPV4:PORT or [IPV6]:PORT");
  }
  EXPECT_FALSE(SocketAddress::FromIp("host", 1).ok());
  EXPECT_FALSE(SocketAddress::FromIp(std::string_view("127.0.0.1\0x", 11), 1).ok());
}

TEST(SocketAddress, SockaddrRoundTrips) {
  for (const char* text : {"127.0.0.1:8080", "[2001:db8::2]:443"}) {
    const SocketAddress address = *SocketAddress::Parse(text);
    EXPECT_EQ(SocketAddress::FromSockaddr(address.sockaddr_ptr(), address.length()), address);
  }
  const SocketAddress address = *SocketAddress::Parse("127.0.0.1:8080");
  EXPECT_EQ(SocketAddress::FromSockaddr(address.sockaddr_ptr(), 4), SocketAddress());
}

TEST(SocketAddress, EqualityLooksAtFamilyAddressAndPort) {
  const SocketAddress a = *SocketAddress::Parse("127.0.0.1:80");
  EXPECT_TRUE(a == *SocketAddress::Parse("127.0.0.1:80"));
  EXPECT_FALSE(a == *SocketAddress::Parse("127.0.0.1:81"));
  EXPECT_FALSE(a == *SocketAddress::Parse("127.0.0.2:80"));
  EXPECT_FALSE(a == *SocketAddress::Parse("[::1]:80"));
}

TEST(SocketAddress, ResolvesNames) {
  EXPECT_EQ(SocketAddress::Resolve("127.0.0.1:80")->ToString(), "127.0.0.1:80");
  EXPECT_EQ(SocketAddress::Resolve("[::1]:80")->ToString(), "[::1]:80");
  EXPECT_EQ(SocketAddress::Resolve("localhost:9909")->port(), 9909);
  for (const char* text :
       {"localhost", "localhost:", "localhost:99999", "localhost:x", ":80", ""}) {
    EXPECT_FALSE(SocketAddress::Resolve(text).ok()) << text;
  }
}

}  // namespace
}  // namespace gw
