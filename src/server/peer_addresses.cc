#include "server/peer_addresses.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "absl/strings/numbers.h"
#include "base/text.h"

namespace gw {
namespace {

struct HostPort {
  std::string host;
  uint16_t port = 0;
};

std::optional<HostPort> Split(const std::string& text) {
  const size_t colon = text.rfind(':');
  uint32_t port = 0;
  if (colon == text.npos || colon == 0 || !absl::SimpleAtoi(text.substr(colon + 1), &port) ||
      port == 0 || port > 65535) {
    return std::nullopt;
  }
  std::string host = ToLower(text.substr(0, colon));
  if (host.size() > 1 && host.ends_with('.')) host.pop_back();
  return HostPort{std::move(host), static_cast<uint16_t>(port)};
}

}  // namespace

absl::Status CheckPeers(const peers::PeerOptions& options) {
  for (const std::string& peer : options.peers) {
    if (SocketAddress::Parse(peer).ok() || Split(peer)) continue;
    return absl::InvalidArgumentError(
        fmt::format("--peers: must be HOST:PORT,..., got \"{}\"", peer));
  }
  return absl::OkStatus();
}

std::set<std::string> PeerNames(const peers::PeerOptions& options) {
  std::set<std::string> names;
  for (const std::string& peer : options.peers) {
    if (SocketAddress::Parse(peer).ok()) continue;
    if (const auto split = Split(peer)) names.insert(split->host);
  }
  return names;
}

std::vector<SocketAddress> PeerAddresses(const peers::PeerOptions& options, const NameTable& names,
                                         const std::vector<std::string>& beside) {
  std::vector<SocketAddress> all;
  const auto add = [&all](const absl::StatusOr<SocketAddress>& address) {
    if (address.ok() && std::find(all.begin(), all.end(), *address) == all.end()) {
      all.push_back(*address);
    }
  };
  for (const std::string& peer : options.peers) {
    if (const auto address = SocketAddress::Parse(peer); address.ok()) {
      add(address);
      continue;
    }
    const auto split = Split(peer);
    const auto known = names.find(split->host);
    if (known == names.end()) continue;
    for (const std::string& ip : known->second.ips) add(SocketAddress::FromIp(ip, split->port));
  }
  const auto own = SocketAddress::Resolve(options.listen);
  if (!own.ok()) return all;
  for (const std::string& ip : beside) add(SocketAddress::FromIp(ip, own->port()));
  return all;
}

}  // namespace gw
