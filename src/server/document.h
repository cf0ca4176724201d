// Document: what a page tells programs: a tree that is written as JSON or YAML. Table: the same for
// people, in kubectl's form.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/node.h"

namespace gw {

class Document {
 public:
  static Document Map() { return Document(Kind::kMap); }
  static Document List() { return Document(Kind::kList); }
  // REQUIRES: unquoted scalars are numbers, true or false
  static Document Of(const api::Node& node);
  Document() : Document(Kind::kRaw) { text_ = "null"; }
  // NOLINTBEGIN(google-explicit-constructor): members are given as the values they are.
  Document(std::string_view text) : Document(Kind::kText) { text_ = text; }
  Document(const char* text) : Document(std::string_view(text)) {}
  Document(const std::string& text) : Document(std::string_view(text)) {}
  Document(bool value) : Document(Kind::kRaw) { text_ = value ? "true" : "false"; }
  Document(int64_t value) : Document(Kind::kRaw) { text_ = std::to_string(value); }
  Document(uint64_t value) : Document(Kind::kRaw) { text_ = std::to_string(value); }
  Document(int value) : Document(static_cast<int64_t>(value)) {}
  Document(uint32_t value) : Document(static_cast<uint64_t>(value)) {}
  // Four digits behind the point at most; null if it is not finite, for which JSON has no word.
  Document(double value);
  // NOLINTEND(google-explicit-constructor)

  // Of a map, in the order of the calls.
  Document& Set(std::string_view name, Document value);
  // The same, unless `value` is the empty text.
  Document& SetText(std::string_view name, std::string_view value);
  // What the other map has, behind what is there. REQUIRES: both are maps, without a common name
  Document& Merge(Document other);
  // Of a list.
  Document& Add(Document value);
  bool empty() const { return items_.empty(); }

  // Both end with a line feed. JSON is indented by four, as kubectl prints it.
  std::string ToJson() const;
  std::string ToYaml() const;
  // On one line, without its end.
  std::string ToCompactJson() const;

 private:
  enum class Kind : uint8_t { kRaw, kText, kMap, kList };
  explicit Document(Kind kind) : kind_(kind) {}
  // `indent` < 0: on one line.
  void AppendJson(std::string* out, int indent) const;
  void AppendYaml(std::string* out, int indent, bool in_list) const;

  Kind kind_;
  std::string text_;
  std::vector<std::string> names_;  // of a map: names_[i] belongs to items_[i]
  std::vector<Document> items_;
};

class Table {
 public:
  explicit Table(std::vector<std::string> columns) : columns_(std::move(columns)) {}

  // An empty cell is shown as "<none>", as kubectl does.
  // REQUIRES: as many cells as columns
  void Add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  // Columns as wide as their longest cell; "" without rows.
  std::string ToText() const;

 private:
  std::vector<std::string> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace gw
