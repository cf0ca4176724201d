// FeedState: what a gateway's feed has told so far (dashboard/README.md), for whoever shows it.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace gw {

// Null, a number, a truth value (1 or 0) or text; lists and maps are null here.
class FeedCell {
 public:
  FeedCell() = default;
  explicit FeedCell(double number) : number_(number) {}
  explicit FeedCell(std::string text) : text_(std::move(text)) {}

  std::optional<double> number() const { return number_; }
  const std::string& text() const { return text_; }  // "" if it is none
  bool is_null() const { return !number_ && text_.empty(); }

 private:
  std::optional<double> number_;
  std::string text_;
};

class FeedRow {
 public:
  FeedRow() = default;
  FeedRow(const std::vector<std::string>* columns, std::vector<FeedCell> cells)
      : columns_(columns), cells_(std::move(cells)) {}

  // A null cell if there is no such column: a gateway of another version may have others.
  const FeedCell& operator[](std::string_view column) const;
  std::optional<double> number(std::string_view column) const { return (*this)[column].number(); }
  const std::string& text(std::string_view column) const { return (*this)[column].text(); }

 private:
  const std::vector<std::string>* columns_ = nullptr;
  std::vector<FeedCell> cells_;
};

// One thread.
class FeedState {
 public:
  FeedState();
  ~FeedState();

  // The next bytes of the stream, cut anywhere. An error: it is no feed. `*events` grows by what
  // has come.
  absl::Status Read(std::string_view bytes, int* events);

  int64_t at_unix_ms() const { return at_unix_ms_; }
  // "phase" -> "serving"
  const std::map<std::string, FeedCell, std::less<>>& gateway() const { return gateway_; }
  // Empty if there is no such table.
  std::vector<const FeedRow*> Rows(std::string_view table) const;
  // The row of a table that has one; one of nulls if it has none.
  const FeedRow& Row(std::string_view table) const;

  // Of a stream that has no event within so much.
  static constexpr size_t kEventBytesMax = 256 << 20;

 private:
  struct Table {
    std::vector<std::string> columns;
    std::map<std::string, FeedRow, std::less<>> rows;
  };
  struct Parser;

  absl::Status ReadEvent(std::string_view event);

  std::string text_;  // of events that are not whole yet
  std::unique_ptr<Parser> parser_;
  int64_t at_unix_ms_ = 0;
  std::map<std::string, FeedCell, std::less<>> gateway_;
  std::map<std::string, std::unique_ptr<Table>, std::less<>> tables_;
};

}  // namespace gw
