#include "kube/json_node.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <optional>
#include <string>
#include <utility>

namespace gw::kube {
namespace {

namespace dom = simdjson::dom;
namespace ondemand = simdjson::ondemand;
using api::Node;

constexpr size_t kShownBytes = 24;  // of the text behind a fault

Node Scalar(std::string text, bool quoted) {
  Node node;
  node.kind = Node::Kind::kScalar;
  node.quoted = quoted;
  node.text = std::move(text);
  return node;
}

// What was parsed is well-formed, and not deeper than it may be: nothing here fails.
Node NodeOf(const dom::element& element) {
  switch (element.type()) {
    case dom::element_type::ARRAY: {
      Node node;
      node.kind = Node::Kind::kList;
      const dom::array array = element.get_array().value_unsafe();
      node.items.reserve(array.size());
      for (const dom::element item : array) node.items.push_back(NodeOf(item));
      return node;
    }
    case dom::element_type::OBJECT: {
      Node node;
      node.kind = Node::Kind::kMap;
      const dom::object object = element.get_object().value_unsafe();
      node.keys.reserve(object.size());
      node.items.reserve(object.size());
      for (const dom::key_value_pair& field : object) {
        node.keys.push_back({.name = std::string(field.key)});
        node.items.push_back(NodeOf(field.value));
      }
      return node;
    }
    case dom::element_type::STRING:
      return Scalar(std::string(element.get_string().value_unsafe()), true);
    case dom::element_type::INT64:
      return Scalar(fmt::format("{}", element.get_int64().value_unsafe()), false);
    case dom::element_type::UINT64:
      return Scalar(fmt::format("{}", element.get_uint64().value_unsafe()), false);
    case dom::element_type::DOUBLE:
      return Scalar(fmt::format("{}", element.get_double().value_unsafe()), false);
    case dom::element_type::BOOL:
      return Scalar(element.get_bool().value_unsafe() ? "true" : "false", false);
    case dom::element_type::NULL_VALUE:
      break;
  }
  return {};
}

// Reads everything, so that the lazy front end stops at the first fault.
simdjson::error_code Walk(ondemand::value value) {
  ondemand::json_type type{};
  if (const auto error = value.type().get(type)) return error;
  switch (type) {
    case ondemand::json_type::array: {
      ondemand::array array;
      if (const auto error = value.get_array().get(array)) return error;
      for (auto next : array) {
        ondemand::value item;
        if (const auto error = std::move(next).get(item)) return error;
        if (const auto error = Walk(item)) return error;
      }
      return simdjson::SUCCESS;
    }
    case ondemand::json_type::object: {
      ondemand::object object;
      if (const auto error = value.get_object().get(object)) return error;
      for (auto next : object) {
        ondemand::field field;
        if (const auto error = std::move(next).get(field)) return error;
        if (const auto error = Walk(field.value())) return error;
      }
      return simdjson::SUCCESS;
    }
    case ondemand::json_type::string:
      return value.get_string().error();
    case ondemand::json_type::number:
      return value.get_double().error();
    case ondemand::json_type::boolean:
      return value.get_bool().error();
    case ondemand::json_type::null:
      break;
  }
  return simdjson::SUCCESS;
}

// Where the first fault is; nullopt if that is not to be known: bytes that are not UTF-8, a string
// without end, a text that is one scalar. The document parser, whose word it is that there is one,
// does not tell.
std::optional<size_t> FindFault(const simdjson::padded_string& text) {
  ondemand::parser parser;
  ondemand::document document;
  if (parser.iterate(text).get(document) != simdjson::SUCCESS) return std::nullopt;
  ondemand::value top;
  if (document.get_value().get(top) != simdjson::SUCCESS) return std::nullopt;
  const bool whole = Walk(top) == simdjson::SUCCESS;
  const char* at = nullptr;
  if (document.current_location().get(at) != simdjson::SUCCESS) {
    return whole ? std::nullopt : std::optional(text.size());
  }
  return at < text.data() ? 0 : static_cast<size_t>(at - text.data());
}

absl::Status Fault(const simdjson::padded_string& text, simdjson::error_code error) {
  std::string where = fmt::format("in {} bytes", text.size());
  // A text that is too deep for one parser is so for the other.
  const std::optional<size_t> at = error == simdjson::DEPTH_ERROR ? std::nullopt : FindFault(text);
  if (at && *at < text.size()) {
    const std::string_view rest(text.data() + *at, text.size() - *at);
    where = fmt::format("at byte {} of {}, before {}", *at, text.size(),
                        api::Quoted(rest.substr(0, kShownBytes)));
  } else if (at) {
    where = fmt::format("at its end, after {} bytes", text.size());
  }
  return absl::InvalidArgumentError(
      fmt::format("not JSON {}: {}", where, simdjson::error_message(error)));
}

}  // namespace

absl::StatusOr<Node> ParseJson(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return absl::ResourceExhaustedError(
        fmt::format("JSON of {} bytes, at most {} are read", text.size(), limits.bytes_max));
  }
  if (text.empty()) return absl::InvalidArgumentError("not JSON: the text is empty");
  const simdjson::padded_string padded(text);
  dom::parser parser;
  dom::element top;
  auto error = parser.allocate(text.size(), limits.depth_max);
  if (error == simdjson::SUCCESS) error = parser.parse(padded).get(top);
  if (error == simdjson::DEPTH_ERROR) {
    return absl::ResourceExhaustedError(
        fmt::format("JSON of {} bytes goes deeper than {} lists and maps inside each other",
                    text.size(), limits.depth_max));
  }
  if (error != simdjson::SUCCESS) return Fault(padded, error);
  return NodeOf(top);
}

}  // namespace gw::kube
