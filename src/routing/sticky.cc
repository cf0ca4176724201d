#include "routing/sticky.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cmath>

#include "routing/cookie.h"

namespace gw {
namespace {

uint64_t Hash(std::string_view text, uint64_t seed) {
  return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}

// The last step of splitmix64 (Steele, Lea and Flood, 2014): every bit depends on every other.
uint64_t Mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

std::optional<uint64_t> ValueOfField(const http::RequestHead& head, std::string_view name) {
  for (const http::HeaderField& field : head.headers) {
    if (field.value.empty() || field.name.size() != name.size()) continue;
    if (http::EqualsIgnoreCase(field.name, name)) return StickyHash(field.value);
  }
  return std::nullopt;
}

}  // namespace

uint64_t StickyHash(std::string_view value) { return Hash(value, 0); }

uint64_t StickyKey(StickyOf of, std::string_view of_name, std::string_view version) {
  return Hash(version, Hash(of_name, static_cast<uint64_t>(of)));
}

bool StickyChoice::Leads(uint64_t key, uint32_t weight) {
  if (weight == 0) return false;
  // The middle of one of 2^53 equal parts: neither 0 nor 1.
  const double u = (static_cast<double>(Mix(value_ ^ key) >> 11) + 0.5) * 0x1.0p-53;
  const double quotient = -std::log(u) / weight;
  if (quotient >= least_) return false;
  least_ = quotient;
  return true;
}

std::optional<uint64_t> StickyPolicy::Find(const http::RequestHead& head,
                                           std::string_view owner) const {
  std::optional<uint64_t> value;
  switch (by) {
    case By::kHeader:
      return ValueOfField(head, name);
    case By::kCookie:
      ForEachCookie(head.headers, name, [&](std::string_view text) {
        if (!text.empty()) value = StickyHash(text);
        return value.has_value();
      });
      return value;
    case By::kSession:
      for (const std::string_view field : kConversationFields) {
        value = ValueOfField(head, field);
        if (value) return value;
      }
      if (!owner.empty()) value = StickyHash(owner);
  }
  return value;
}

http::HeaderField StickyPolicy::CookieOf(std::string_view value, bool secure,
                                         std::string* storage) const {
  *storage = name + "=";
  *storage += value;
  *storage += "; Path=/; HttpOnly; SameSite=Lax";
  if (secure) *storage += "; Secure";
  return {"set-cookie", *storage};
}

}  // namespace gw
