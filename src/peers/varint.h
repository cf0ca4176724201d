// Numbers as messages between gateways have them: unsigned varints (LEB128), signed ones as those
// (0, -1, 1, -2, ...), and fixed ones, little-endian; texts with their length before them.

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

inline void PutSigned(int64_t value, std::string* out) {
  PutVarint((static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63), out);
}

// False: there is none, or it is further from 0 than `max`, which is below 2^62.
inline bool TakeSigned(std::string_view* bytes, int64_t max, int64_t* value) {
  uint64_t folded = 0;
  if (!TakeVarint(bytes, 2 * static_cast<uint64_t>(max), &folded)) return false;
  *value = static_cast<int64_t>(folded >> 1) ^ -static_cast<int64_t>(folded & 1);
  return true;
}

inline void PutText(std::string_view text, std::string* out) {
  PutVarint(text.size(), out);
  *out += text;
}

// False: there is none, or it has more bytes than `max`.
inline bool TakeText(std::string_view* bytes, size_t max, std::string_view* text) {
  uint64_t length = 0;
  if (!TakeVarint(bytes, max, &length) || length > bytes->size()) return false;
  *text = bytes->substr(0, length);
  bytes->remove_prefix(length);
  return true;
}

}  // namespace gw::peers
