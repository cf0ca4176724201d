#include "inference/json_bytes.h"

#include <charconv>

namespace gw::internal {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsOfScalar(char c) { return IsDigit(c) || IsLetter(c) || c == '-' || c == '+' || c == '.'; }

const char* SkipDigits(const char* p, const char* end) {
  while (p < end && IsDigit(*p)) ++p;
  return p;
}

constexpr size_t kHugeNumberChars = 19;

bool MayBeHuge(std::string_view number) {
  return number.size() >= kHugeNumberChars || number.find_first_of("eE") != std::string_view::npos;
}

// The end of the JSON number that starts at `p`, or `p` if none does.
const char* NumberEnd(const char* p, const char* end) {
  const char* start = p;
  if (p < end && *p == '-') ++p;
  const char* digits = p;
  p = SkipDigits(p, end);
  if (p == digits || (*digits == '0' && p - digits > 1)) return start;
  if (p < end && *p == '.') {
    const char* fraction = ++p;
    p = SkipDigits(p, end);
    if (p == fraction) return start;
  }
  if (p < end && (*p == 'e' || *p == 'E')) {
    ++p;
    if (p < end && (*p == '+' || *p == '-')) ++p;
    const char* exponent = p;
    p = SkipDigits(p, end);
    if (p == exponent) return start;
  }
  return p;
}

// The length of what Python's json writes and reads for a number that is none; 0 for anything else.
size_t SpecialNumber(std::string_view text) {
  for (std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
    if (text.starts_with(word)) return word.size();
  }
  return 0;
}

// Puts a 0 in the place of `length` bytes and returns their end; if there are none, the next byte.
char* Blank(char* p, size_t length) {
  if (length == 0) return p + 1;
  std::memset(p, ' ', length);
  *p = '0';
  return p + length;
}

// Takes one character of a string's inside; -1 for what is no ASCII character.
int TakeChar(std::string_view* text) {
  if (text->empty()) return -1;
  const char first = text->front();
  text->remove_prefix(1);
  if (first != '\\') return first;
  if (text->empty()) return -1;
  const char escape = text->front();
  text->remove_prefix(1);
  constexpr std::string_view kEscapes = "\"\\/bfnrt";
  constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
  if (escape != 'u') {
    const size_t at = kEscapes.find(escape);
    return at == std::string_view::npos ? -1 : kMeant[at];
  }
  unsigned code = 0;
  if (text->size() < 4) return -1;
  const auto [end, error] = std::from_chars(text->data(), text->data() + 4, code, 16);
  if (error != std::errc() || end != text->data() + 4 || code > 0x7f) return -1;
  text->remove_prefix(4);
  return static_cast<int>(code);
}

}  // namespace

bool IsJsonNumber(std::string_view text) {
  const char* end = text.data() + text.size();
  return !text.empty() && NumberEnd(text.data(), end) == end;
}

JsonItems::JsonItems(std::string_view container)
    : p_(WithoutByteOrderMark(container).data()), end_(container.data() + container.size()) {
  SkipSpace();
  if (p_ < end_) object_ = *p_++ == '{';
}

bool JsonItems::Next(std::string_view* value) {
  SkipSpace();
  if (!first_ && p_ < end_ && *p_ == ',') {
    ++p_;
    SkipSpace();
  }
  first_ = false;
  if (p_ >= end_ || *p_ == '}' || *p_ == ']') return false;
  if (object_) {
    const char* key = p_;
    p_ = SkipString(p_, end_);
    raw_key_ = std::string_view(key, static_cast<size_t>(p_ - key));
    SkipSpace();
    if (p_ < end_) ++p_;  // the colon
    SkipSpace();
  }
  const char* start = p_;
  SkipValue();
  *value = std::string_view(start, static_cast<size_t>(p_ - start));
  return true;
}

void JsonItems::SkipSpace() {
  while (p_ < end_ && IsSpace(*p_)) ++p_;
}

void JsonItems::SkipValue() {
  size_t depth = 0;
  while (p_ < end_) {
    switch (*p_) {
      case '"':
        p_ = SkipString(p_, end_);
        if (depth == 0) return;
        break;
      case '{':
      case '[':
        ++depth;
        ++p_;
        break;
      case '}':
      case ']':
        if (depth == 0) return;  // ends the container around a scalar
        ++p_;
        if (--depth == 0) return;
        break;
      case ',':
      case ' ':
      case '\n':
      case '\t':
      case '\r':
        if (depth == 0) return;  // ends a scalar
        ++p_;
        break;
      default:
        ++p_;
    }
  }
}

bool SameString(std::string_view token, std::string_view name) {
  if (token.size() < 2) return false;
  token = token.substr(1, token.size() - 2);
  if (token.find('\\') == std::string_view::npos) return token == name;
  for (const char wanted : name) {
    if (TakeChar(&token) != wanted) return false;
  }
  return token.empty();
}

std::string Simplified(std::string_view text, size_t padding) {
  std::string copy;
  copy.reserve(text.size() + padding);
  copy.assign(text);
  char* p = copy.data();
  const char* end = p + copy.size();
  while (p < end) {
    const std::string_view rest(p, static_cast<size_t>(end - p));
    if (*p == '"') {
      p += SkipString(p, end) - p;
    } else if (const size_t length = SpecialNumber(rest); length > 0) {
      p = Blank(p, length);
    } else if (*p == '-' || IsDigit(*p)) {
      const size_t length = static_cast<size_t>(NumberEnd(p, end) - p);
      p = MayBeHuge(rest.substr(0, length)) ? Blank(p, length) : p + length;
      // What is no number, or follows one directly, stays and makes the parser refuse the text. It
      // is passed over whole, so that no run of digits is read twice.
      while (p < end && IsOfScalar(*p)) ++p;
    } else {
      ++p;
    }
  }
  return copy;
}

}  // namespace gw::internal
