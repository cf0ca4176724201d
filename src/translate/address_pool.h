// AddressPool: the addresses that Gateways are given which name none (--address-pool): of one
// network or several, IPv4 or IPv6. Which of them are in use it does not know. A value.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace gw {

class AddressPool {
 public:
  AddressPool() = default;  // has none
  // Of networks such as "10.246.0.0/16" and "fd00::/64", which share no address.
  static absl::StatusOr<AddressPool> Parse(const std::vector<std::string>& networks);

  // Of how many addresses; of more than 2^64 - 1 as if there were as many.
  uint64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // The addresses in the order of the networks, each from its lowest. As api::CanonicalIp writes
  // them. REQUIRES: index < size()
  std::string At(uint64_t index) const;
  bool Holds(const std::string& ip) const;
  std::string ToString() const;  // as it is given: "10.246.0.0/16,fd00::/64"

 private:
  // Numbers are those of addresses, the high and the low half.
  struct Network {
    std::string text;
    bool v4 = false;
    int bits = 0;  // that tell its addresses apart
    uint64_t high = 0;
    uint64_t low = 0;
    // The first and the last address name the network and all of it (IPv4), the first one its
    // routers (IPv6): none of them is a machine's. Networks of one or two addresses have no such.
    uint64_t skipped = 0;  // at its begin
    uint64_t size = 0;     // without those
  };

  static absl::StatusOr<Network> ParseNetwork(const std::string& text);
  static bool Overlap(const Network& a, const Network& b);

  std::vector<Network> networks_;
  uint64_t size_ = 0;
};

}  // namespace gw
