#include "server/feed/feed_table.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <utility>

#include "base/escape.h"

namespace gw {
namespace {

void AppendName(std::string* out, std::string_view name) {
  if (!out->ends_with('{')) out->push_back(',');
  out->append("\"").append(name).append("\":");
}

}  // namespace

void Cells::Next() {
  if (text_.size() > 1) text_.push_back(',');
}

Cells& Cells::Text(std::string_view text) {
  Next();
  text_.push_back('"');
  AppendJsonEscaped(&text_, text);
  text_.push_back('"');
  return *this;
}

// What moves behind the fourth digit is no news to anybody who looks at it.
Cells& Cells::Number(double value) {
  if (!std::isfinite(value)) return Null();
  Next();
  if (std::abs(value) >= 1000) {
    fmt::format_to(std::back_inserter(text_), "{:.0f}", value);
  } else {
    fmt::format_to(std::back_inserter(text_), "{:.4g}", value);
  }
  return *this;
}

Cells& Cells::Number(int64_t value) {
  Next();
  fmt::format_to(std::back_inserter(text_), "{}", value);
  return *this;
}

Cells& Cells::Raw(std::string_view json) {
  Next();
  text_.append(json);
  return *this;
}

void AppendColumns(std::string* out, std::span<const std::string_view> columns) {
  out->push_back('[');
  for (size_t i = 0; i < columns.size(); ++i) {
    fmt::format_to(std::back_inserter(*out), "{}\"{}\"", i == 0 ? "" : ",", columns[i]);
  }
  out->push_back(']');
}

void FeedTable::Begin() {
  ++round_;
  put_ = 0;
  set_.clear();
}

void FeedTable::Put(std::string_view key, std::string cells) {
  auto it = rows_.find(absl::string_view(key.data(), key.size()));
  if (it == rows_.end())
    it = rows_.emplace(std::string(key), Row{.name = ++last_name_, .round = 0, .cells = {}}).first;
  Row& row = it->second;
  put_ += row.round != round_;
  row.round = round_;
  if (row.cells == cells) return;
  row.cells = std::move(cells);
  fmt::format_to(std::back_inserter(set_), "{}\"{}\":{}", set_.empty() ? "" : ",", row.name,
                 row.cells);
}

bool FeedTable::End(std::string* out) {
  std::string gone;
  if (put_ < rows_.size()) {
    for (auto it = rows_.begin(); it != rows_.end();) {
      const auto next = std::next(it);
      if (it->second.round != round_) {
        fmt::format_to(std::back_inserter(gone), "{}\"{}\"", gone.empty() ? "" : ",",
                       it->second.name);
        rows_.erase(it);
      }
      it = next;
    }
  }
  if (set_.empty() && gone.empty()) return false;
  AppendName(out, name_);
  out->append("{\"set\":{").append(set_).append("},\"gone\":[").append(gone).append("]}");
  return true;
}

void FeedTable::AppendWhole(std::string* out) const {
  AppendName(out, name_);
  out->append("{\"columns\":");
  AppendColumns(out, columns_);
  out->append(",\"rows\":{");
  bool first = true;
  for (const auto& [key, row] : rows_) {
    fmt::format_to(std::back_inserter(*out), "{}\"{}\":{}", first ? "" : ",", row.name, row.cells);
    first = false;
  }
  out->append("}}");
}

void FeedTable::Clear() {
  rows_.clear();
  set_.clear();
}

}  // namespace gw
