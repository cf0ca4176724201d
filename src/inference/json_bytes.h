// Walks along the raw bytes of JSON text that a full parser has already found valid, to learn where
// a value stands: the parser's document has the values but not their places. Nothing is decoded
// here.

#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace gw::internal {

// The first quote or backslash in [p, end), or end. JSON strings are short (keys, words) or very
// long (prompts, images): eight bytes at a time serve the former, memchr's vectors would serve only
// the latter, and escapes are frequent in code.
inline const char* FindQuoteOrBackslash(const char* p, const char* end) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHighs = 0x8080808080808080;
  while (end - p >= 8) {
    uint64_t word;
    std::memcpy(&word, p, sizeof(word));
    const uint64_t quote = word ^ (kOnes * '"');
    const uint64_t backslash = word ^ (kOnes * '\\');
    // Bytes that became zero are marked by their high bit. A borrow may mark one above a true one
    // too, never one below it (Warren, Hacker's Delight, 6-1), so the lowest mark is true.
    const uint64_t found =
        (((quote - kOnes) & ~quote) | ((backslash - kOnes) & ~backslash)) & kHighs;
    if (found != 0) {
      if constexpr (std::endian::native == std::endian::little) {
        return p + std::countr_zero(found) / 8;
      }
      break;
    }
    p += 8;
  }
  while (p < end && *p != '"' && *p != '\\') ++p;
  return p;
}

// `p` stands at an opening quote; returns the byte after the closing one.
// REQUIRES: the string is complete
inline const char* SkipString(const char* p, const char* end) {
  ++p;
  while (true) {
    p = FindQuoteOrBackslash(p, end);
    if (p >= end) return end;
    if (*p == '"') return p + 1;
    p += 2;
  }
}

// The values of the members of an object, or the elements of an array, as views of the text:
//
//   JsonItems items(R"({"a": 1, "b": [2, 3]})");
//   items.Next(&value)  ->  "1", then "[2, 3]", then false
//
// REQUIRES: `container` is valid JSON text of one object or array, white space around it and a byte
// order mark allowed
class JsonItems {
 public:
  explicit JsonItems(std::string_view container);
  bool Next(std::string_view* value);
  // The key of the member that Next gave, as it stands in the text, quotes included.
  std::string_view raw_key() const { return raw_key_; }

 private:
  void SkipSpace();
  void SkipValue();

  const char* p_;
  const char* end_;
  std::string_view raw_key_;
  bool object_ = false;
  bool first_ = true;
};

// True if all of the text is one number in JSON's form, of any length.
bool IsJsonNumber(std::string_view text);

// True if the string token (quotes included) says `name`, with or without escapes.
// REQUIRES: `name` is ASCII
bool SameString(std::string_view token, std::string_view name);

// Some clients begin a text with U+FEFF, which Python's json passes over.
inline std::string_view WithoutByteOrderMark(std::string_view text) {
  return text.starts_with("\xEF\xBB\xBF") ? text.substr(3) : text;
}

// Copies `text` with what model servers read and simdjson does not replaced by 0 and spaces, so
// that offsets stay: numbers that may not fit 64 bits (19 characters or more, or an exponent), NaN
// and the infinities. Strings are left alone. `text` need not be valid. The copy has `padding`
// bytes of capacity past its end.
std::string Simplified(std::string_view text, size_t padding);

}  // namespace gw::internal
