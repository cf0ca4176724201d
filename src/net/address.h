// An IPv4 or IPv6 address with a port.

#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace gw {

class SocketAddress {
 public:
  SocketAddress() = default;
  // "127.0.0.1:8080", "[::1]:8080". No names.
  static absl::StatusOr<SocketAddress> Parse(std::string_view text);
  // The same, or "localhost:8080": a name is looked up, which blocks; of its addresses the first
  // IPv4 one is taken, or else the first.
  static absl::StatusOr<SocketAddress> Resolve(const std::string& text);
  static absl::StatusOr<SocketAddress> FromIp(std::string_view ip, uint16_t port);
  // An IPv4 address that comes through a socket for both families (::ffff:192.0.2.1) is that.
  static SocketAddress FromSockaddr(const sockaddr* address, socklen_t length);

  std::string ToString() const;  // "127.0.0.1:8080"
  std::string ip() const;        // "127.0.0.1"
  uint16_t port() const;
  const sockaddr* sockaddr_ptr() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t length() const;
  int family() const { return storage_.sin6_family; }
  bool operator==(const SocketAddress& other) const;

 private:
  sockaddr_in6 storage_{};  // large enough for both families
};

}  // namespace gw
