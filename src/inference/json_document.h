// JsonDocument: a JSON text whose strings stay where they are until somebody wants them.
//
// Of a request's body routing wants a few short strings and, if at all, the prompt for hashing. A
// parser that decodes all strings spends four fifths of its time on the escapes of prompts (128 KB
// of text with one in 25 characters: 31 of 39 us), so this one checks them and leaves them. The
// first pass, which finds strings, brackets and bad UTF-8, is simdjson's; its own lazy front end
// checks only what is asked for, and a body is refused for any fault in it.
//
// Text is given in one of two forms. Decoded is what the string means. Canonical is the same but
// for the characters that JSON has a short escape for (\n, \", \\ and five more), which stay
// escaped: equal texts have equal canonical forms however they were written, and nearly always it
// is the very bytes of the body.
//
// Includes simdjson's heavy header; only parser.cc, render.cc and message_writer.cc
// include this one.

#pragma once

#include <simdjson.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"

namespace gw::internal {

enum class JsonType : uint8_t { kNull, kFalse, kTrue, kNumber, kString, kArray, kObject };

class JsonDocument;

// Valid until its document reads another text.
class JsonValue {
 public:
  JsonType type() const { return node().type; }
  bool is_null() const { return type() == JsonType::kNull; }
  bool is_string() const { return type() == JsonType::kString; }
  bool is_number() const { return type() == JsonType::kNumber; }
  bool is_array() const { return type() == JsonType::kArray; }
  bool is_object() const { return type() == JsonType::kObject; }

  // As it stands in the text; quotes and brackets included.
  std::string_view raw() const;

  // Of strings. Both views stay valid as long as the document.
  std::string_view Decoded() const;
  std::string_view Canonical() const;
  size_t chars() const;  // bytes of the decoded form

  // Of numbers; nullopt for anything else. Integers that do not fit 64 bits are 0, as are NaN and
  // the infinities, which Python reads.
  std::optional<int64_t> AsInt64() const;
  std::optional<uint64_t> AsUint64() const;
  std::optional<double> AsDouble() const;

  // Of objects: key, value, key, value; of arrays: the items. Empty for anything else.
  class Iterator;
  Iterator begin() const;
  Iterator end() const;
  bool empty() const;
  // The first member of that name, if it is not null. `name` needs no escape.
  std::optional<JsonValue> Member(std::string_view name) const;

 private:
  friend class JsonDocument;
  enum class Form : uint8_t { kPlain, kShortEscapes, kCodedEscapes, kShortInteger };
  struct Node {
    uint32_t begin;  // in the text
    uint32_t end;
    // Containers: the node behind them. Strings: bytes that decoding saves. Short integers: the
    // number.
    uint32_t extra;
    JsonType type;
    Form form;
  };

  JsonValue(JsonDocument* document, uint32_t node) : document_(document), node_(node) {}
  const Node& node() const;
  bool holds_values() const { return is_array() || is_object(); }
  std::string_view Rewritten() const;

  JsonDocument* document_;
  uint32_t node_;
};

class JsonValue::Iterator {
 public:
  explicit Iterator(JsonValue value) : value_(value) {}
  JsonValue operator*() const { return value_; }
  Iterator& operator++() {
    value_.node_ = value_.holds_values() ? value_.node().extra : value_.node_ + 1;
    return *this;
  }
  bool operator==(const Iterator& other) const { return value_.node_ == other.value_.node_; }

 private:
  JsonValue value_;
};

// Not thread-safe; reuses its memory.
class JsonDocument {
 public:
  // False if `text` is not JSON as Python reads it (NaN and numbers of any size included), not
  // UTF-8, has half a surrogate pair, or has more than `depth_max` containers that hold anything
  // inside each other. `text` outlives the document's values.
  // REQUIRES: 64 readable bytes after text.end()
  bool Read(std::string_view text, size_t depth_max);
  JsonValue root() { return {this, 0}; }

  // Decoded() and Canonical() need not be valid any more.
  void DropStrings() { strings_.clear(); }
  // Gives back what a text above that size took; strings stay.
  void Shrink(size_t text_bytes_max);

 private:
  friend class JsonValue;
  using Node = JsonValue::Node;

  bool FindStructure(size_t depth_max);
  bool AddString(size_t structural);
  bool AddScalar(size_t structural);
  bool Open(size_t structural, size_t depth_max);
  bool Close(size_t structural);
  size_t TokenEnd(size_t structural) const;
  char At(size_t structural) const;
  // The quotes.
  std::string_view Inside(const Node& node) const {
    return {text_.data() + node.begin + 1, size_t{node.end} - node.begin - 2};
  }

  std::unique_ptr<simdjson::internal::dom_parser_implementation> first_pass_;
  std::string_view text_;
  std::vector<Node> nodes_;
  std::vector<uint32_t> open_;       // containers around the place that is being read
  std::deque<std::string> strings_;  // those that could not stay where they are
};

inline const JsonValue::Node& JsonValue::node() const { return document_->nodes_[node_]; }

inline std::string_view JsonValue::raw() const {
  return {document_->text_.data() + node().begin, size_t{node().end} - node().begin};
}

inline std::string_view JsonValue::Canonical() const {
  DCHECK(is_string());
  return node().form == Form::kCodedEscapes ? Rewritten() : document_->Inside(node());
}

inline size_t JsonValue::chars() const {
  DCHECK(is_string());
  return size_t{node().end} - node().begin - 2 - node().extra;
}

inline JsonValue::Iterator JsonValue::begin() const {
  return Iterator(holds_values() ? JsonValue(document_, node_ + 1) : *this);
}

inline JsonValue::Iterator JsonValue::end() const {
  return Iterator(holds_values() ? JsonValue(document_, node().extra) : *this);
}

inline bool JsonValue::empty() const { return begin() == end(); }

}  // namespace gw::internal
