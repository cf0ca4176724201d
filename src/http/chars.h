// The character classes of HTTP (RFC 9110 section 5.6.2, RFC 9112), and small readers of field
// values.

#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace gw::http {

inline constexpr uint8_t kTokenChar = 1;  // of methods and field names
inline constexpr uint8_t kHostChar = 2;   // of names and IPv4 addresses in Host
inline constexpr uint8_t kHexChar = 4;
inline constexpr uint8_t kDigitChar = 8;
inline constexpr uint8_t kUnderscoreChar = 16;

namespace internal {
constexpr std::array<uint8_t, 256> MakeCharClasses() {
  std::array<uint8_t, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[c] = kTokenChar | kHostChar | kHexChar | kDigitChar;
  for (int c = 'a'; c <= 'z'; ++c) {
    const uint8_t hex = c <= 'f' ? kHexChar : 0;
    table[c] = kTokenChar | kHostChar | hex;
    table[c - 'a' + 'A'] = table[c];
  }
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<uint8_t>(c)] |= kTokenChar;
  for (char c : std::string_view("-._")) table[static_cast<uint8_t>(c)] |= kHostChar;
  table['_'] |= kUnderscoreChar;
  return table;
}
inline constexpr std::array<uint8_t, 256> kCharClasses = MakeCharClasses();
}  // namespace internal

inline bool Is(uint8_t char_class, char c) {
  return (internal::kCharClasses[static_cast<uint8_t>(c)] & char_class) != 0;
}

inline bool AllAre(uint8_t char_class, std::string_view text) {
  for (char c : text) {
    if (!Is(char_class, c)) return false;
  }
  return true;
}

// The classes that all characters of `text` are in (`all`), and those that any is in (`any`).
struct CharClasses {
  uint8_t all = 0xff;
  uint8_t any = 0;
};
inline CharClasses ClassesOf(std::string_view text) {
  CharClasses classes;
  for (char c : text) {
    const uint8_t of_c = internal::kCharClasses[static_cast<uint8_t>(c)];
    classes.all &= of_c;
    classes.any |= of_c;
  }
  return classes;
}

// The value of a hexadecimal digit, or -1.
inline int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// True if a byte below 0x20 other than HTAB, or DEL, is in `text`.
inline bool HasControl(std::string_view text) {
  constexpr uint64_t kOnes = 0x0101010101010101u;
  constexpr uint64_t kHighs = 0x8080808080808080u;
  const char* p = text.data();
  const char* const end = p + text.size();
  // Eight bytes at a time: the high bit of a byte is set in `suspect` if it is below 0x20 or is
  // 0x7f; HTAB is let through by looking again, byte by byte, which is rare.
  for (; end - p >= 8; p += 8) {
    uint64_t word;
    std::memcpy(&word, p, 8);
    const uint64_t below = (word - kOnes * 0x20) & ~word & kHighs;
    const uint64_t x = word ^ (kOnes * 0x7f);
    const uint64_t del = (x - kOnes) & ~x & kHighs;
    if ((below | del) == 0) continue;
    for (int i = 0; i < 8; ++i) {
      const auto c = static_cast<uint8_t>(p[i]);
      if ((c < 0x20 && c != '\t') || c == 0x7f) return true;
    }
  }
  for (; p != end; ++p) {
    const auto c = static_cast<uint8_t>(*p);
    if ((c < 0x20 && c != '\t') || c == 0x7f) return true;
  }
  return false;
}

inline std::string_view TrimSpace(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Takes the first element off a comma-separated list; elements may be empty.
inline std::string_view NextListElement(std::string_view* list) {
  const size_t comma = list->find(',');
  const std::string_view element = TrimSpace(list->substr(0, comma));
  list->remove_prefix(comma == std::string_view::npos ? list->size() : comma + 1);
  return element;
}

}  // namespace gw::http
