#include "config/kubernetes/node_json.h"

#include "base/text.h"
#include "kube/json_node.h"

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

// What YAML takes for something becomes what JSON has for it.
absl::Status MakeScalarJson(api::Node* node) {
  switch (api::TypeOf(*node)) {
    case api::ScalarType::kText:
      node->quoted = true;
      return absl::OkStatus();
    case api::ScalarType::kBool: {
      const std::string text = ToLower(node->text);
      node->text = text == "true" || text == "yes" || text == "on" ? "true" : "false";
      return absl::OkStatus();
    }
    case api::ScalarType::kInteger:
    case api::ScalarType::kFloat:
      break;
  }
  if (IsJsonNumber(node->text)) return absl::OkStatus();
  return absl::InvalidArgumentError("line " + std::to_string(node->line) +
                                    ": must be a number that JSON has, or text in quotes");
}

absl::Status MakeJson(api::Node* node) {
  if (node->kind == api::Node::Kind::kScalar) return MakeScalarJson(node);
  for (api::Node& item : node->items) RETURN_IF_ERROR(MakeJson(&item));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> NodeToJson(api::Node node) {
  RETURN_IF_ERROR(MakeJson(&node));
  return kube::ToJson(node);
}

}  // namespace gw::config
