#include "api/node.h"

#include <array>

#include "base/escape.h"

namespace gw::api {
namespace {

constexpr size_t kQuotedBytesMax = 96;

constexpr std::array<std::string_view, 18> kBooleans = {
    "true", "True", "TRUE", "false", "False", "FALSE", "yes", "Yes", "YES",
    "no",   "No",   "NO",   "on",    "On",    "ON",    "off", "Off", "OFF"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes digits (and `_`, which YAML 1.1 lets stand between them) off the front.
size_t TakeDigits(std::string_view* text) {
  size_t digits = 0;
  while (!text->empty() && (IsDigit(text->front()) || (digits > 0 && text->front() == '_'))) {
    ++digits;
    text->remove_prefix(1);
  }
  return digits;
}

bool IsRadixInteger(std::string_view text) {
  if (text.size() < 3 || text[0] != '0') return false;
  const std::string_view digits = text[1] == 'x'   ? "0123456789abcdefABCDEF_"
                                  : text[1] == 'o' ? "01234567_"
                                  : text[1] == 'b' ? "01_"
                                                   : "";
  return !digits.empty() && text.find_first_not_of(digits, 2) == std::string_view::npos;
}

ScalarType NumberType(std::string_view text) {
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  if (text == ".inf" || text == ".Inf" || text == ".INF" || text == ".nan" || text == ".NaN" ||
      text == ".NAN") {
    return ScalarType::kFloat;
  }
  if (IsRadixInteger(text)) return ScalarType::kInteger;
  size_t digits = TakeDigits(&text);
  if (text.empty()) return digits > 0 ? ScalarType::kInteger : ScalarType::kText;
  if (text.front() == '.') {
    text.remove_prefix(1);
    digits += TakeDigits(&text);
  }
  if (digits == 0) return ScalarType::kText;
  if (!text.empty() && (text.front() == 'e' || text.front() == 'E')) {
    text.remove_prefix(1);
    if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
    if (TakeDigits(&text) == 0) return ScalarType::kText;
  }
  return text.empty() ? ScalarType::kFloat : ScalarType::kText;
}

void AppendText(std::string* out, std::string_view text) {
  *out += '"';
  AppendJsonEscaped(out, text);
  *out += '"';
}

void AppendNode(std::string* out, const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull:
      *out += "null";
      return;
    case Node::Kind::kScalar:
      if (!node.quoted) {
        *out += node.text;
        return;
      }
      return AppendText(out, node.text);
    case Node::Kind::kList:
    case Node::Kind::kMap:
      break;
  }
  *out += node.is_map() ? '{' : '[';
  for (size_t i = 0; i < node.items.size(); ++i) {
    if (i > 0) *out += ',';
    if (node.is_map()) {
      AppendText(out, node.keys[i].name);
      *out += ':';
    }
    AppendNode(out, node.items[i]);
  }
  *out += node.is_map() ? '}' : ']';
}

}  // namespace

const Node* Node::Find(std::string_view key) const {
  if (kind != Kind::kMap) return nullptr;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].name == key) return &items[i];
  }
  return nullptr;
}

ScalarType TypeOf(const Node& scalar) {
  if (scalar.quoted) return ScalarType::kText;
  for (std::string_view boolean : kBooleans) {
    if (scalar.text == boolean) return ScalarType::kBool;
  }
  return NumberType(scalar.text);
}

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  if (text.size() <= kQuotedBytesMax) {
    AppendJsonEscaped(&out, text);
    return out + "\"";
  }
  // Cut before a character, not within one.
  size_t end = kQuotedBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  AppendJsonEscaped(&out, text.substr(0, end));
  return out + "...\"";
}

std::string Describe(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return "null";
    case Node::Kind::kList:
      return "a list";
    case Node::Kind::kMap:
      return "a map";
    case Node::Kind::kScalar:
      break;
  }
  switch (TypeOf(node)) {
    case ScalarType::kBool:
      return "the boolean " + node.text;
    case ScalarType::kInteger:
    case ScalarType::kFloat:
      return "the number " + node.text.substr(0, kQuotedBytesMax);
    case ScalarType::kText:
      break;
  }
  return Quoted(node.text);
}

std::string ToJson(const Node& node) {
  std::string out;
  AppendNode(&out, node);
  return out;
}

}  // namespace gw::api
