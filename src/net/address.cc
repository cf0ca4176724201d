#include "net/address.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace gw {
namespace {

sockaddr_in AsIpv4(const sockaddr_in6& storage) {
  sockaddr_in address;
  std::memcpy(&address, &storage, sizeof(address));
  return address;
}

absl::Status BadAddress(std::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat("address \"",
                                                 absl::string_view(text.data(), text.size()),
                                                 "\": must be IPV4:PORT or [IPV6]:PORT"));
}

}  // namespace

absl::StatusOr<SocketAddress> SocketAddress::Parse(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return BadAddress(text);
  std::string_view ip = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  uint16_t port = 0;
  const char* const end = port_text.data() + port_text.size();
  const auto [rest, error] = std::from_chars(port_text.data(), end, port);
  if (error != std::errc() || rest != end) return BadAddress(text);
  const bool bracketed = ip.size() >= 2 && ip.front() == '[' && ip.back() == ']';
  if (bracketed) ip = ip.substr(1, ip.size() - 2);
  // "::1:80" would be an IPv6 address without a port.
  if (bracketed != (ip.find(':') != std::string_view::npos)) return BadAddress(text);
  absl::StatusOr<SocketAddress> address = FromIp(ip, port);
  return address.ok() ? address : BadAddress(text);
}

absl::StatusOr<SocketAddress> SocketAddress::Resolve(const std::string& text) {
  absl::StatusOr<SocketAddress> parsed = Parse(text);
  const size_t colon = text.rfind(':');
  if (parsed.ok() || colon == std::string::npos || colon == 0) return parsed;
  const std::string name = text.substr(0, colon);
  // The port is judged by itself, or a mistake in it would be taken for one in the name.
  const absl::StatusOr<SocketAddress> port = Parse("0.0.0.0:" + text.substr(colon + 1));
  if (!port.ok() || name.find_first_of(":[]") != std::string::npos) return parsed;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(name.c_str(), nullptr, &hints, &found);
  if (error != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the name \"", name, "\" cannot be resolved: ", gai_strerror(error)));
  }
  SocketAddress address;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    if (address.family() != AF_UNSPEC && each->ai_family != AF_INET) continue;
    if (address.family() == AF_INET) break;
    address = FromSockaddr(each->ai_addr, each->ai_addrlen);
  }
  freeaddrinfo(found);
  if (address.family() == AF_UNSPEC) return parsed;
  return FromIp(address.ip(), port->port());
}

absl::StatusOr<SocketAddress> SocketAddress::FromIp(std::string_view ip, uint16_t port) {
  SocketAddress result;
  char text[INET6_ADDRSTRLEN] = {};
  if (ip.size() < sizeof(text) && ip.find('\0') == std::string_view::npos) {
    std::copy(ip.begin(), ip.end(), text);
    sockaddr_in ipv4{};
    if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1) {
      ipv4.sin_family = AF_INET;
      ipv4.sin_port = htons(port);
      std::memcpy(&result.storage_, &ipv4, sizeof(ipv4));
      return result;
    }
    if (inet_pton(AF_INET6, text, &result.storage_.sin6_addr) == 1) {
      result.storage_.sin6_family = AF_INET6;
      result.storage_.sin6_port = htons(port);
      return result;
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("\"", absl::string_view(ip.data(), ip.size()),
                                                 "\": must be an IPv4 or IPv6 address"));
}

SocketAddress SocketAddress::FromSockaddr(const sockaddr* address, socklen_t length) {
  SocketAddress result;
  sa_family_t family = AF_UNSPEC;
  if (length < sizeof(family)) return result;
  std::memcpy(&family, address, sizeof(family));
  const size_t wanted = family == AF_INET    ? sizeof(sockaddr_in)
                        : family == AF_INET6 ? sizeof(sockaddr_in6)
                                             : 0;
  if (wanted == 0 || length < wanted) return result;
  std::memcpy(&result.storage_, address, wanted);
  const in6_addr& ipv6 = result.storage_.sin6_addr;
  if (family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&ipv6)) return result;
  sockaddr_in ipv4{};
  ipv4.sin_family = AF_INET;
  ipv4.sin_port = result.storage_.sin6_port;
  std::memcpy(&ipv4.sin_addr, &ipv6.s6_addr[12], sizeof(ipv4.sin_addr));
  result.storage_ = {};
  std::memcpy(&result.storage_, &ipv4, sizeof(ipv4));
  return result;
}

std::string SocketAddress::ip() const {
  char text[INET6_ADDRSTRLEN] = {};
  if (family() == AF_INET) {
    const sockaddr_in ipv4 = AsIpv4(storage_);
    inet_ntop(AF_INET, &ipv4.sin_addr, text, sizeof(text));
  } else if (family() == AF_INET6) {
    inet_ntop(AF_INET6, &storage_.sin6_addr, text, sizeof(text));
  }
  return text;
}

std::string SocketAddress::ToString() const {
  if (family() == AF_INET6) return absl::StrCat("[", ip(), "]:", port());
  return absl::StrCat(ip(), ":", port());
}

uint16_t SocketAddress::port() const {
  // The port lies at the same place for both families.
  return ntohs(storage_.sin6_port);
}

socklen_t SocketAddress::length() const {
  return family() == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
}

bool SocketAddress::operator==(const SocketAddress& other) const {
  if (family() != other.family() || port() != other.port()) return false;
  if (family() == AF_INET) {
    return AsIpv4(storage_).sin_addr.s_addr == AsIpv4(other.storage_).sin_addr.s_addr;
  }
  return std::memcmp(&storage_.sin6_addr, &other.storage_.sin6_addr, sizeof(in6_addr)) == 0 &&
         storage_.sin6_scope_id == other.storage_.sin6_scope_id;
}

}  // namespace gw
