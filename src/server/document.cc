#include "server/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "api/written.h"
#include "base/check.h"
#include "base/log.h"

namespace gw {
namespace {

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  AppendJsonEscaped(&out, text);
  return out + '"';
}

}  // namespace

Document::Document(double value) : Document(Kind::kRaw) {
  if (!std::isfinite(value)) {
    text_ = "null";
    return;
  }
  text_ = fmt::format("{:.4f}", value);
  text_.erase(text_.find_last_not_of('0') + 1);
  if (text_.back() == '.') text_.pop_back();
}

Document Document::Of(const api::Node& node) {
  Document out;
  switch (node.kind) {
    case api::Node::Kind::kNull:
      break;
    case api::Node::Kind::kScalar:
      out = node.quoted ? Document(Kind::kText) : Document(Kind::kRaw);
      out.text_ = node.text;
      break;
    case api::Node::Kind::kList:
      out = List();
      for (const api::Node& item : node.items) out.Add(Of(item));
      break;
    case api::Node::Kind::kMap:
      out = Map();
      for (size_t i = 0; i < node.items.size(); ++i) out.Set(node.keys[i].name, Of(node.items[i]));
      break;
  }
  return out;
}

Document& Document::Set(std::string_view name, Document value) {
  CHECK(kind_ == Kind::kMap);
  names_.emplace_back(name);
  items_.push_back(std::move(value));
  return *this;
}

Document& Document::Merge(Document other) {
  for (size_t i = 0; i < other.items_.size(); ++i) {
    Set(other.names_[i], std::move(other.items_[i]));
  }
  return *this;
}

Document& Document::SetText(std::string_view name, std::string_view value) {
  return value.empty() ? *this : Set(name, value);
}

Document& Document::Add(Document value) {
  CHECK(kind_ == Kind::kList);
  items_.push_back(std::move(value));
  return *this;
}

std::string Document::ToJson() const {
  std::string out;
  AppendJson(&out, 0);
  return out + '\n';
}

std::string Document::ToCompactJson() const {
  std::string out;
  AppendJson(&out, -1);
  return out;
}

std::string Document::ToYaml() const {
  std::string out;
  AppendYaml(&out, 0, false);
  return out;
}

void Document::AppendJson(std::string* out, int indent) const {
  constexpr int kStep = 4;
  if (kind_ == Kind::kRaw) {
    *out += text_;
    return;
  }
  if (kind_ == Kind::kText) {
    *out += Quoted(text_);
    return;
  }
  const bool is_map = kind_ == Kind::kMap;
  *out += is_map ? '{' : '[';
  const int inner = indent < 0 ? indent : indent + kStep;
  const auto new_line = [&](int by) {
    if (indent >= 0) *out += '\n' + std::string(static_cast<size_t>(by), ' ');
  };
  for (size_t i = 0; i < items_.size(); ++i) {
    if (i > 0) *out += ',';
    new_line(inner);
    if (is_map) *out += Quoted(names_[i]) + (indent < 0 ? ":" : ": ");
    items_[i].AppendJson(out, inner);
  }
  if (!items_.empty()) new_line(indent);
  *out += is_map ? '}' : ']';
}

// Begins where the cursor stands and ends with a line feed. `in_list`: behind "- ", so that the
// first line needs no indentation.
void Document::AppendYaml(std::string* out, int indent, bool in_list) const {
  if (kind_ == Kind::kRaw || kind_ == Kind::kText) {
    *out += (kind_ == Kind::kRaw || api::IsPlainYaml(text_) ? text_ : Quoted(text_)) + '\n';
    return;
  }
  if (items_.empty()) {
    *out += kind_ == Kind::kMap ? "{}\n" : "[]\n";
    return;
  }
  const std::string margin(static_cast<size_t>(indent), ' ');
  for (size_t i = 0; i < items_.size(); ++i) {
    const Document& item = items_[i];
    if (i > 0 || !in_list) *out += margin;
    if (kind_ == Kind::kList) {
      *out += "- ";
      item.AppendYaml(out, indent + 2, true);
      continue;
    }
    *out += api::IsPlainYaml(names_[i]) ? names_[i] : Quoted(names_[i]);
    const bool nested = !item.items_.empty();
    *out += nested ? ":\n" : ": ";
    // As kubectl does, the items of a list stand below the name's first letter.
    item.AppendYaml(out, item.kind_ == Kind::kMap ? indent + 2 : indent, false);
  }
}

void Table::Add(std::vector<std::string> cells) {
  CHECK(cells.size() == columns_.size());
  for (std::string& cell : cells) {
    if (cell.empty()) cell = "<none>";
  }
  rows_.push_back(std::move(cells));
}

std::string Table::ToText() const {
  if (rows_.empty()) return "";
  std::vector<size_t> widths;
  for (const std::string& column : columns_) widths.push_back(column.size());
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  const auto line = [&](const std::vector<std::string>& cells) {
    for (size_t i = 0; i + 1 < cells.size(); ++i)
      out += fmt::format("{:<{}}   ", cells[i], widths[i]);
    out += cells.back() + '\n';
  };
  line(columns_);
  for (const auto& row : rows_) line(row);
  return out;
}

}  // namespace gw
