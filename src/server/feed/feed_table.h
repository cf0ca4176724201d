// FeedTable: one table of the feed (dashboard/README.md): rows of cells, of which only those are
// told that are another than before. Rows are found by a key and told under a short name, which
// they keep as long as they are there.
//
//   table.Begin();
//   table.Put("default/qwen", Cells().Text("default/qwen").Number(3).Take());
//   table.End(&change);  // "pools":{"set":{"1":["default/qwen",3]},"gone":[]}

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"

namespace gw {

// A row's cells as JSON, in the order of the table's columns.
class Cells {
 public:
  Cells& Text(std::string_view text);
  Cells& TextOrNull(std::string_view text) { return text.empty() ? Null() : Text(text); }
  // Four digits at least; null if it is not finite.
  Cells& Number(double value);
  Cells& Number(int64_t value);
  Cells& Bool(bool value) { return Raw(value ? "true" : "false"); }
  Cells& Null() { return Raw("null"); }
  Cells& Raw(std::string_view json);
  std::string Take() { return std::move(text_.append("]")); }

 private:
  void Next();

  std::string text_ = "[";
};

// `["pool","kind"]`
void AppendColumns(std::string* out, std::span<const std::string_view> columns);

class FeedTable {
 public:
  // Views live as long as the table.
  FeedTable(std::string_view name, std::span<const std::string_view> columns)
      : name_(name), columns_(columns) {}

  // All rows again: those that are not Put until End are gone.
  void Begin();
  void Put(std::string_view key, std::string cells);
  // Appends what is another, with a comma before it if `*out` does not end with '{'. False: nothing
  // is.
  bool End(std::string* out);
  // Appends all of it, as the last End left it; comma as above.
  void AppendWhole(std::string* out) const;
  // As if it had never had a row.
  void Clear();

  size_t size() const { return rows_.size(); }

 private:
  struct Row {
    uint64_t name = 0;
    uint64_t round = 0;  // that has Put it last
    std::string cells;
  };

  const std::string_view name_;
  const std::span<const std::string_view> columns_;
  absl::flat_hash_map<std::string, Row> rows_;
  uint64_t last_name_ = 0;
  uint64_t round_ = 0;
  size_t put_ = 0;   // in this round
  std::string set_;  // of this round
};

}  // namespace gw
