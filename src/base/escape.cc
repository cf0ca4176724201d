#include "base/escape.h"

#include <cstdint>
#include <cstring>

#include "base/utf8.h"

namespace gw {
namespace {

void AppendEscape(std::string* out, uint32_t c) {
  switch (c) {
    case '"':
      out->append("\\\"");
      return;
    case '\\':
      out->append("\\\\");
      return;
    case '\n':
      out->append("\\n");
      return;
    case '\r':
      out->append("\\r");
      return;
    case '\t':
      out->append("\\t");
      return;
    default:
      constexpr char kHex[] = "0123456789abcdef";
      out->append("\\u");
      for (int shift = 12; shift >= 0; shift -= 4) out->push_back(kHex[(c >> shift) & 15]);
  }
}

// Of the sequences of two and three bytes those that must not be shown as they are; else 0.
uint32_t HiddenCharacter(std::string_view sequence) {
  const auto at = [sequence](size_t i) { return static_cast<unsigned char>(sequence[i]); };
  uint32_t c = 0;
  if (sequence.size() == 2) c = (at(0) & 0x1fu) << 6 | (at(1) & 0x3fu);
  if (sequence.size() == 3) c = (at(0) & 0x0fu) << 12 | (at(1) & 0x3fu) << 6 | (at(2) & 0x3fu);
  const bool c1 = c >= 0x80 && c <= 0x9f;
  const bool separator = c == 0x2028 || c == 0x2029;
  const bool direction = c == 0x061c || c == 0x200e || c == 0x200f ||
                         (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
  return c1 || separator || direction ? c : 0;
}

enum class Form : uint8_t { kJson, kLine, kLines };

bool IsPlain(char c, Form form) {
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x20 && byte < 0x7f) return form != Form::kJson || (c != '"' && c != '\\');
  return form == Form::kLines && (c == '\n' || c == '\t');
}

// Bytes at the front, whole words of eight, that JSON takes as they are.
size_t PlainWords(std::string_view text) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHighs = 0x8080808080808080;
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    // Each sets the high bit of the first byte it is about, and of none below that: the test is
    // whether there is one.
    const uint64_t control = word - kOnes * 0x20;
    const uint64_t quote = (word ^ kOnes * '"') - kOnes;
    const uint64_t backslash = (word ^ kOnes * '\\') - kOnes;
    const uint64_t del = (word ^ kOnes * 0x7f) - kOnes;
    if (((control | quote | backslash | del | word) & kHighs) != 0) break;
  }
  return at;
}

void AppendEscaped(std::string* out, std::string_view text, Form form) {
  while (!text.empty()) {
    size_t plain = form == Form::kJson ? PlainWords(text) : 0;
    while (plain < text.size() && IsPlain(text[plain], form)) ++plain;
    out->append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) return;
    size_t taken = 1;
    if (static_cast<unsigned char>(text[0]) < 0x80) {
      AppendEscape(out, static_cast<unsigned char>(text[0]));
    } else if (const size_t bytes = Utf8CharacterBytes(text); bytes != 0) {
      taken = bytes;
      const uint32_t hidden = HiddenCharacter(text.substr(0, bytes));
      if (hidden != 0) {
        AppendEscape(out, hidden);
      } else {
        out->append(text.substr(0, bytes));
      }
    } else {
      out->append("\xEF\xBF\xBD");  // U+FFFD in place of each byte that is not UTF-8
    }
    text.remove_prefix(taken);
  }
}

}  // namespace

void AppendJsonEscaped(std::string* out, std::string_view text) {
  AppendEscaped(out, text, Form::kJson);
}

void AppendPrintable(std::string* out, std::string_view text) {
  AppendEscaped(out, text, Form::kLine);
}

std::string Printable(std::string_view text) {
  std::string out;
  AppendPrintable(&out, text);
  return out;
}

std::string PrintableLines(std::string_view text) {
  std::string out;
  AppendEscaped(&out, text, Form::kLines);
  return out;
}

}  // namespace gw
