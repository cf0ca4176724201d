#include "base/utf8.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace gw {
namespace {

// The obvious way back: every code point written as the RFC's table says.
std::string Encode(uint32_t c) {
  const auto tail = [c](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xc0 | c >> 6), tail(0)};
  if (c < 0x10000) return {static_cast<char>(0xe0 | c >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | c >> 18), tail(12), tail(6), tail(0)};
}

TEST(Utf8, KnowsEveryCodePointAndNoSurrogate) {
  for (uint32_t c = 0; c <= 0x1fffff; ++c) {
    const std::string text = Encode(c);
    const bool character = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
    ASSERT_EQ(Utf8CharacterBytes(text), character ? text.size() : 0) << c;
  }
}

TEST(Utf8, LooksAtTheFirstCharacterOnly) {
  EXPECT_EQ(Utf8CharacterBytes("a\xff"), 1u);
  EXPECT_EQ(Utf8CharacterBytes("\xc3\xa4\xff"), 2u);
}

TEST(Utf8, WhatIsCutOverlongOrBeginsInTheMiddleIsNone) {
  for (const char* text : {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3",
                           "\xc3"
                           "a",
                           "\xe0\x80\x80", "\xe0\x9f\xbf", "\xe2\x82",
                           "\xe2\x82"
                           "a",
                           "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf0\x9f\x98",
                           "\xf0\x9f\x98"
                           "a",
                           "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff"}) {
    EXPECT_EQ(Utf8CharacterBytes(text), 0u) << text;
  }
}

}  // namespace
}  // namespace gw
