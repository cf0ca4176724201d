// Numbers as messages between gateways have them: unsigned varints (LEB128), and fixed ones,
// little-endian.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gw::peers {

template <class T>
void PutFixed(T value, std::string* out) {
  for (size_t i = 0; i < sizeof(T); ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

// REQUIRES: bytes.size() >= sizeof(T)
template <class T>
T FixedAt(std::string_view bytes) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value |= static_cast<T>(static_cast<uint8_t>(bytes[i])) << (8 * i);
  }
  return value;
}

inline void PutVarint(uint64_t value, std::string* out) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
}

// Takes one off the front. False: there is none, or it is more than `max`.
inline bool TakeVarint(std::string_view* bytes, uint64_t max, uint64_t* value) {
  constexpr size_t kBytesMax = 10;
  *value = 0;
  for (size_t i = 0; i < bytes->size() && i < kBytesMax; ++i) {
    const auto byte = static_cast<uint8_t>((*bytes)[i]);
    if (i == kBytesMax - 1 && byte > 1) return false;
    *value |= uint64_t{byte & 0x7Fu} << (7 * i);
    if (byte >= 0x80) continue;
    bytes->remove_prefix(i + 1);
    return *value <= max;
  }
  return false;
}

}  // namespace gw::peers
