#include "config/kubernetes/node_json.h"

#include "base/escape.h"
#include "base/text.h"

namespace gw::config {
namespace {

size_t Digits(std::string_view text, size_t from) {
  size_t at = from;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
  return at - from;
}

// RFC 8259 section 6. YAML knows more: hexadecimal, infinity, digits with "_" between them.
bool IsJsonNumber(std::string_view text) {
  size_t at = text.starts_with('-') ? 1 : 0;
  const size_t whole = Digits(text, at);
  if (whole == 0 || (whole > 1 && text[at] == '0')) return false;
  at += whole;
  if (at < text.size() && text[at] == '.') {
    const size_t fraction = Digits(text, ++at);
    if (fraction == 0) return false;
    at += fraction;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const size_t exponent = Digits(text, at);
    if (exponent == 0) return false;
    at += exponent;
  }
  return at == text.size();
}

void AppendText(std::string* out, std::string_view text) {
  *out += '"';
  AppendJsonEscaped(out, text);
  *out += '"';
}

absl::Status AppendScalar(std::string* out, const api::Node& node) {
  switch (api::TypeOf(node)) {
    case api::ScalarType::kText:
      AppendText(out, node.text);
      return absl::OkStatus();
    case api::ScalarType::kBool: {
      const std::string text = ToLower(node.text);
      *out += text == "true" || text == "yes" || text == "on" ? "true" : "false";
      return absl::OkStatus();
    }
    case api::ScalarType::kInteger:
    case api::ScalarType::kFloat:
      break;
  }
  if (!IsJsonNumber(node.text)) {
    return absl::InvalidArgumentError("line " + std::to_string(node.line) +
                                      ": must be a number that JSON has, or text in quotes");
  }
  *out += node.text;
  return absl::OkStatus();
}

absl::Status Append(std::string* out, const api::Node& node) {
  if (node.kind == api::Node::Kind::kNull) {
    *out += "null";
    return absl::OkStatus();
  }
  if (node.kind == api::Node::Kind::kScalar) return AppendScalar(out, node);
  *out += node.is_map() ? '{' : '[';
  for (size_t i = 0; i < node.items.size(); ++i) {
    if (i > 0) *out += ',';
    if (node.is_map()) {
      AppendText(out, node.keys[i].name);
      *out += ':';
    }
    RETURN_IF_ERROR(Append(out, node.items[i]));
  }
  *out += node.is_map() ? '}' : ']';
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> NodeToJson(const api::Node& node) {
  std::string out;
  RETURN_IF_ERROR(Append(&out, node));
  return out;
}

}  // namespace gw::config
