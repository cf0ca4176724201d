#include "cli/top/feed_state.h"

#include <simdjson.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace gw {
namespace {

namespace dom = simdjson::dom;

const FeedCell& NullCell() {
  static const auto* const cell = new FeedCell();
  return *cell;
}

FeedCell CellOf(dom::element value) {
  switch (value.type()) {
    case dom::element_type::INT64:
    case dom::element_type::UINT64:
    case dom::element_type::DOUBLE:
      return FeedCell(double(value.get_double().value_unsafe()));
    case dom::element_type::BOOL:
      return FeedCell(value.get_bool().value_unsafe() ? 1.0 : 0.0);
    case dom::element_type::STRING:
      return FeedCell(std::string(value.get_string().value_unsafe()));
    default:
      return FeedCell();
  }
}

std::vector<FeedCell> CellsOf(dom::element row) {
  std::vector<FeedCell> cells;
  dom::array items;
  if (row.get(items) != simdjson::SUCCESS) return cells;
  for (const dom::element item : items) cells.push_back(CellOf(item));
  return cells;
}

}  // namespace

struct FeedState::Parser {
  dom::parser parser;
};

const FeedCell& FeedRow::operator[](std::string_view column) const {
  if (columns_ == nullptr) return NullCell();
  for (size_t i = 0; i < columns_->size() && i < cells_.size(); ++i) {
    if ((*columns_)[i] == column) return cells_[i];
  }
  return NullCell();
}

FeedState::FeedState() : parser_(std::make_unique<Parser>()) {}
FeedState::~FeedState() = default;

absl::Status FeedState::Read(std::string_view bytes, int* events) {
  const size_t looked_at = text_.empty() ? 0 : text_.size() - 1;
  text_.append(bytes);
  size_t begin = 0;
  for (size_t end = text_.find("\n\n", looked_at); end != std::string::npos;
       end = text_.find("\n\n", begin)) {
    const std::string_view event = std::string_view(text_).substr(begin, end - begin);
    if (!event.starts_with(':')) {
      RETURN_IF_ERROR(ReadEvent(event));
      ++*events;
    }
    begin = end + 2;
  }
  text_.erase(0, begin);
  if (text_.size() > kEventBytesMax) return absl::InternalError("the feed sends no whole event");
  return absl::OkStatus();
}

absl::Status FeedState::ReadEvent(std::string_view event) {
  constexpr std::string_view kState = "event: state\ndata: ";
  constexpr std::string_view kChange = "event: change\ndata: ";
  const bool is_state = event.starts_with(kState);
  if (!is_state && !event.starts_with(kChange)) {
    return absl::InternalError("what answers is no feed of a gateway");
  }
  event.remove_prefix(is_state ? kState.size() : kChange.size());
  dom::element root;
  if (parser_->parser.parse(event.data(), event.size(), true).get(root) != simdjson::SUCCESS) {
    return absl::InternalError("the feed sends what is not JSON");
  }
  if (int64_t at = 0; root["at"].get(at) == simdjson::SUCCESS) at_unix_ms_ = at;
  dom::object object;
  if (root["gateway"].get(object) == simdjson::SUCCESS) {
    gateway_.clear();
    for (const auto [name, value] : object) gateway_[std::string(name)] = CellOf(value);
  }
  if (is_state) tables_.clear();
  if (root["tables"].get(object) != simdjson::SUCCESS) return absl::OkStatus();
  for (const auto [name, told] : object) {
    auto& table = tables_[std::string(name)];
    if (table == nullptr) table = std::make_unique<Table>();
    dom::array list;
    if (told["columns"].get(list) == simdjson::SUCCESS) {
      for (const dom::element column : list) {
        table->columns.emplace_back(column.get_string().value_unsafe());
      }
    }
    dom::object rows;
    if (told[is_state ? "rows" : "set"].get(rows) == simdjson::SUCCESS) {
      for (const auto [row, cells] : rows) {
        table->rows[std::string(row)] = FeedRow(&table->columns, CellsOf(cells));
      }
    }
    if (told["gone"].get(list) == simdjson::SUCCESS) {
      for (const dom::element row : list) {
        table->rows.erase(std::string(row.get_string().value_unsafe()));
      }
    }
  }
  return absl::OkStatus();
}

std::vector<const FeedRow*> FeedState::Rows(std::string_view table) const {
  std::vector<const FeedRow*> rows;
  const auto it = tables_.find(table);
  if (it == tables_.end()) return rows;
  for (const auto& [name, row] : it->second->rows) rows.push_back(&row);
  return rows;
}

const FeedRow& FeedState::Row(std::string_view table) const {
  static const auto* const none = new FeedRow();
  const auto it = tables_.find(table);
  return it == tables_.end() || it->second->rows.empty() ? *none : it->second->rows.begin()->second;
}

}  // namespace gw
