#include "translate/address_pool.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/check.h"

namespace gw {
namespace {

constexpr int kHalfBits = 64;
constexpr uint64_t kSizeMax = UINT64_MAX;

struct Number {
  bool v4 = false;
  uint64_t high = 0;
  uint64_t low = 0;
};

std::optional<Number> NumberOf(const std::string& ip) {
  unsigned char bytes[16];
  Number number;
  number.v4 = inet_pton(AF_INET, ip.c_str(), bytes) == 1;
  if (!number.v4 && inet_pton(AF_INET6, ip.c_str(), bytes) != 1) return std::nullopt;
  const size_t count = number.v4 ? 4 : 16;
  for (size_t i = 0; i < count; ++i) {
    uint64_t& half = count - i > sizeof(uint64_t) ? number.high : number.low;
    half = half << 8 | bytes[i];
  }
  return number;
}

std::string TextOf(const Number& number) {
  unsigned char bytes[16];
  const size_t count = number.v4 ? 4 : 16;
  for (size_t i = 0; i < count; ++i) {
    const size_t after = count - 1 - i;
    const uint64_t half = after >= sizeof(uint64_t) ? number.high : number.low;
    bytes[i] = static_cast<unsigned char>(half >> (after % sizeof(uint64_t) * 8));
  }
  char text[INET6_ADDRSTRLEN] = {};
  return inet_ntop(number.v4 ? AF_INET : AF_INET6, bytes, text, sizeof(text));
}

// The bits of a half that stay the same in a network of which `bits` of that half differ.
uint64_t Mask(int bits) {
  if (bits <= 0) return ~uint64_t{0};
  return bits >= kHalfBits ? 0 : ~uint64_t{0} << bits;
}

Number NetworkOf(const Number& number, int bits) {
  return {number.v4, number.high & Mask(bits - kHalfBits), number.low & Mask(bits)};
}

bool Same(const Number& a, const Number& b) {
  return a.v4 == b.v4 && a.high == b.high && a.low == b.low;
}

std::optional<int> Prefix(std::string_view text, int max) {
  int prefix = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), prefix);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  if (!is_number || prefix < 0 || prefix > max) return std::nullopt;
  return prefix;
}

}  // namespace

absl::StatusOr<AddressPool::Network> AddressPool::ParseNetwork(const std::string& text) {
  const size_t slash = text.find('/');
  const std::optional<Number> number = NumberOf(text.substr(0, slash));
  std::optional<int> prefix;
  if (number && slash != std::string::npos) {
    prefix = Prefix(std::string_view(text).substr(slash + 1), number->v4 ? 32 : 128);
  }
  if (!prefix) {
    return absl::InvalidArgumentError(
        fmt::format("must be a network such as 10.246.0.0/16 or fd00::/64, got \"{}\"", text));
  }
  Network network{.text = text, .v4 = number->v4};
  network.bits = (number->v4 ? 32 : 128) - *prefix;
  const Number base = NetworkOf(*number, network.bits);
  if (!Same(base, *number)) {
    return absl::InvalidArgumentError(
        fmt::format("must be a network, {} is an address in {}/{}", text, TextOf(base), *prefix));
  }
  network.high = base.high;
  network.low = base.low;
  network.skipped = network.bits > 1 ? 1 : 0;
  const uint64_t all = network.bits >= kHalfBits ? kSizeMax : uint64_t{1} << network.bits;
  network.size = all - network.skipped * (network.v4 ? 2 : 1);
  return network;
}

bool AddressPool::Overlap(const Network& a, const Network& b) {
  const int bits = std::max(a.bits, b.bits);
  return Same(NetworkOf({a.v4, a.high, a.low}, bits), NetworkOf({b.v4, b.high, b.low}, bits));
}

absl::StatusOr<AddressPool> AddressPool::Parse(const std::vector<std::string>& networks) {
  AddressPool pool;
  for (const std::string& text : networks) {
    ASSIGN_OR_RETURN(Network network, ParseNetwork(text));
    for (const Network& other : pool.networks_) {
      if (!Overlap(network, other)) continue;
      return absl::InvalidArgumentError(
          fmt::format("{} and {} have addresses in common", other.text, network.text));
    }
    pool.size_ = network.size > kSizeMax - pool.size_ ? kSizeMax : pool.size_ + network.size;
    pool.networks_.push_back(std::move(network));
  }
  return pool;
}

std::string AddressPool::At(uint64_t index) const {
  for (const Network& network : networks_) {
    if (index < network.size) {
      // The bits that tell addresses apart are 0 in `low`: nothing is carried.
      return TextOf({network.v4, network.high, network.low + network.skipped + index});
    }
    index -= network.size;
  }
  CHECK(false);
}

bool AddressPool::Holds(const std::string& ip) const {
  const std::optional<Number> number = NumberOf(ip);
  if (!number) return false;
  return std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
    const Number base{network.v4, network.high, network.low};
    if (!Same(NetworkOf(*number, network.bits), base)) return false;
    if (number->high != base.high) return true;  // beyond those that are ever given
    const uint64_t offset = number->low - base.low;
    return offset >= network.skipped &&
           (network.bits >= kHalfBits || offset - network.skipped < network.size);
  });
}

std::string AddressPool::ToString() const {
  std::string text;
  for (const Network& network : networks_) text += (text.empty() ? "" : ",") + network.text;
  return text;
}

}  // namespace gw
