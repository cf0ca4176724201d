#include "inference/json_escapes.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace gw::internal {
namespace {

constexpr size_t kStep = 64;
constexpr std::string_view kShort = "\"\\bfnrt";
constexpr std::string_view kShortMeant = "\"\\\b\f\n\r\t";

// By the character behind the backslash.
enum class Escape : uint8_t { kNone, kShort, kSlash, kCoded };
constexpr std::array<Escape, 256> kEscapes = [] {
  std::array<Escape, 256> escapes{};
  for (const char c : kShort) escapes[static_cast<unsigned char>(c)] = Escape::kShort;
  escapes['/'] = Escape::kSlash;
  escapes['u'] = Escape::kCoded;
  return escapes;
}();

constexpr std::array<int8_t, 256> kHexDigits = [] {
  std::array<int8_t, 256> digits{};
  digits.fill(-1);
  for (int i = 0; i < 10; ++i) digits['0' + i] = static_cast<int8_t>(i);
  for (int i = 0; i < 6; ++i) {
    digits['a' + i] = static_cast<int8_t>(10 + i);
    digits['A' + i] = static_cast<int8_t>(10 + i);
  }
  return digits;
}();

// Bit i: p[i] is a backslash.
#if defined(__SSE2__)
uint64_t BackslashesOf16(const char* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const int mask = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
  return static_cast<uint32_t>(mask);
}
#else
uint64_t BackslashesOf16(const char* p) {
  uint64_t found = 0;
  for (size_t i = 0; i < 16; ++i) found |= uint64_t{p[i] == '\\' ? 1u : 0u} << i;
  return found;
}
#endif

uint64_t BackslashesOf64(const char* p) {
  return BackslashesOf16(p) | BackslashesOf16(p + 16) << 16 | BackslashesOf16(p + 32) << 32 |
         BackslashesOf16(p + 48) << 48;
}

// Of backslashes those that begin an escape: the first, third, ... of neighbours. As simdjson does
// it: subtracting carries through each row of them, from its beginning at an even or an odd place.
uint64_t EscapesAmong(uint64_t backslashes) {
  constexpr uint64_t kOdd = 0xAAAAAAAAAAAAAAAA;
  return ((((backslashes << 1) | kOdd) - backslashes) ^ kOdd) & backslashes;
}

// How many they are if each is one character behind the backslash, other than '/', as in most
// texts; otherwise 0.
uint32_t CountShort(const char* p, uint64_t escapes) {
  uint32_t count = 0;
  uint32_t other = 0;
  for (; escapes != 0; escapes &= escapes - 1) {
    const auto c = static_cast<unsigned char>(p[std::countr_zero(escapes) + 1]);
    other |= static_cast<uint32_t>(kEscapes[c]) ^ static_cast<uint32_t>(Escape::kShort);
    ++count;
  }
  return other == 0 ? count : 0;
}

// The four digits at `p`, or -1. Nothing past a quote is looked at: it is no digit.
int32_t CodeUnit(const char* p) {
  int32_t unit = 0;
  for (int i = 0; i < 4; ++i) {
    const int8_t digit = kHexDigits[static_cast<unsigned char>(p[i])];
    if (digit < 0) return -1;
    unit = unit << 4 | digit;
  }
  return unit;
}

bool IsHighHalf(int32_t unit) { return unit >= 0xd800 && unit <= 0xdbff; }
bool IsLowHalf(int32_t unit) { return unit >= 0xdc00 && unit <= 0xdfff; }

struct Coded {
  uint32_t code = 0;
  size_t length = 0;  // of the escape; 0: it is wrong
};

// `p` stands at the backslash of "\u".
Coded ReadCoded(const char* p) {
  const int32_t unit = CodeUnit(p + 2);
  if (unit < 0 || IsLowHalf(unit)) return {};
  if (!IsHighHalf(unit)) return {static_cast<uint32_t>(unit), 6};
  if (p[6] != '\\' || p[7] != 'u') return {};
  const int32_t low = CodeUnit(p + 8);
  if (low < 0 || !IsLowHalf(low)) return {};
  return {
      0x10000 + (static_cast<uint32_t>(unit - 0xd800) << 10) + static_cast<uint32_t>(low - 0xdc00),
      12};
}

size_t Utf8Bytes(uint32_t code) {
  if (code < 0x80) return 1;
  if (code < 0x800) return 2;
  return code < 0x10000 ? 3 : 4;
}

void AppendUtf8(uint32_t code, std::string* out) {
  const auto add = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code < 0x80) return add(code);
  if (code < 0x800) {
    add(0xc0 | code >> 6);
  } else if (code < 0x10000) {
    add(0xe0 | code >> 12);
    add(0x80 | (code >> 6 & 0x3f));
  } else {
    add(0xf0 | code >> 18);
    add(0x80 | (code >> 12 & 0x3f));
    add(0x80 | (code >> 6 & 0x3f));
  }
  add(0x80 | (code & 0x3f));
}

void AppendCanonical(uint32_t code, std::string* out) {
  const size_t at = code < 0x80 ? kShortMeant.find(static_cast<char>(code)) : kShort.npos;
  if (at != kShort.npos) {
    out->push_back('\\');
    out->push_back(kShort[at]);
  } else if (code < 0x20) {
    constexpr char kDigits[] = "0123456789abcdef";
    out->append("\\u00");
    out->push_back(kDigits[code >> 4]);
    out->push_back(kDigits[code & 15]);
  } else {
    AppendUtf8(code, out);
  }
}

// Hands each escape to `escape(p)`, which returns its length, and copies what stands between.
template <typename EscapeAt>
std::string Rewrite(std::string_view inside, EscapeAt&& escape) {
  std::string out;
  out.reserve(inside.size());
  const char* p = inside.data();
  const char* const end = p + inside.size();
  while (true) {
    const void* found = std::memchr(p, '\\', static_cast<size_t>(end - p));
    const char* at = found == nullptr ? end : static_cast<const char*>(found);
    out.append(p, static_cast<size_t>(at - p));
    if (at == end) return out;
    p = at + escape(at, &out);
  }
}

}  // namespace

std::optional<JsonEscapes> CheckEscapes(std::string_view inside) {
  JsonEscapes escapes;
  const char* const begin = inside.data();
  // Keys and words, which have none.
  if (inside.size() <= 16 && (BackslashesOf16(begin) & ((uint64_t{1} << inside.size()) - 1)) == 0) {
    return escapes;
  }
  size_t taken = 0;  // what stands before belongs to an escape that was read
  for (size_t at = 0; at < inside.size(); at += kStep) {
    uint64_t found = BackslashesOf64(begin + at);
    if (inside.size() - at < kStep) found &= (uint64_t{1} << (inside.size() - at)) - 1;
    // A backslash that ended what began in the bytes before.
    if (taken > at) found &= ~((uint64_t{1} << (taken - at)) - 1);
    if (found == 0) continue;
    escapes.any = true;
    const uint64_t starts = EscapesAmong(found);
    if (const uint32_t count = CountShort(begin + at, starts)) {
      escapes.saved_bytes += count;
      taken = at + static_cast<size_t>(std::bit_width(starts)) + 1;
      continue;
    }
    while (found != 0) {
      const auto bit = static_cast<size_t>(std::countr_zero(found));
      const char* p = begin + at + bit;
      const Escape escape = kEscapes[static_cast<unsigned char>(p[1])];
      size_t length = 2;
      size_t meant = 1;
      if (escape != Escape::kShort) {
        escapes.any_coded = true;
        if (escape == Escape::kNone) return std::nullopt;
        if (escape == Escape::kCoded) {
          const Coded coded = ReadCoded(p);
          if (coded.length == 0) return std::nullopt;
          length = coded.length;
          meant = Utf8Bytes(coded.code);
        }
      }
      escapes.saved_bytes += static_cast<uint32_t>(length - meant);
      taken = at + bit + length;
      found &= ~(((uint64_t{1} << length) - 1) << bit);
    }
  }
  return escapes;
}

std::string DecodeEscapes(std::string_view inside) {
  return Rewrite(inside, [](const char* p, std::string* out) -> size_t {
    if (p[1] == 'u') {
      const Coded coded = ReadCoded(p);
      AppendUtf8(coded.code, out);
      return coded.length;
    }
    const size_t at = kShort.find(p[1]);
    out->push_back(at == kShort.npos ? p[1] : kShortMeant[at]);
    return 2;
  });
}

std::string CanonicalEscapes(std::string_view inside) {
  return Rewrite(inside, [](const char* p, std::string* out) -> size_t {
    if (p[1] == 'u') {
      const Coded coded = ReadCoded(p);
      AppendCanonical(coded.code, out);
      return coded.length;
    }
    out->append(p[1] == '/' ? "/" : std::string_view(p, 2));
    return 2;
  });
}

}  // namespace gw::internal
