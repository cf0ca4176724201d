#include "inference/json_document.h"

#include <algorithm>
#include <bit>
#include <charconv>

#include "base/check.h"
#include "inference/json_bytes.h"
#include "inference/json_escapes.h"

namespace gw::internal {
namespace {

constexpr size_t kCapacityBytesMin = 64 << 10;

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// What Python's json writes and reads for a number that is none.
bool IsSpecialNumber(std::string_view token) {
  return token == "NaN" || token == "Infinity" || token == "-Infinity";
}

// Token ids are short, and there may be a million of them.
std::optional<uint32_t> ShortInteger(std::string_view token) {
  if (token.size() > 9) return std::nullopt;
  uint32_t number = 0;
  for (const char c : token) {
    const auto digit = static_cast<uint32_t>(c - '0');
    if (digit > 9) return std::nullopt;
    number = number * 10 + digit;
  }
  return number;
}

// nullopt: not a whole number, or not one of that type but of the other.
template <typename Integer>
std::optional<Integer> IntegerOf(std::string_view token) {
  Integer number = 0;
  const char* begin = token.data();
  const char* end = begin + token.size();
  const auto [stop, error] = std::from_chars(begin, end, number);
  if (error == std::errc() && stop == end) return number;
  if (IsSpecialNumber(token)) return 0;
  if (token.find_first_of(".eE") != std::string_view::npos) return std::nullopt;
  // One that 64 bits can hold, but not of this sign, is not what was asked for.
  uint64_t positive = 0;
  int64_t negative = 0;
  const bool fits = std::from_chars(begin, end, positive).ec == std::errc() ||
                    std::from_chars(begin, end, negative).ec == std::errc();
  return fits ? std::nullopt : std::optional<Integer>(0);
}

}  // namespace

std::string_view JsonValue::Decoded() const {
  DCHECK(is_string());
  const std::string_view inside = document_->Inside(node());
  if (node().form == Form::kPlain) return inside;
  return document_->strings_.emplace_back(DecodeEscapes(inside));
}

std::string_view JsonValue::Rewritten() const {
  return document_->strings_.emplace_back(CanonicalEscapes(document_->Inside(node())));
}

std::optional<int64_t> JsonValue::AsInt64() const {
  if (node().form == Form::kShortInteger) return node().extra;
  return is_number() ? IntegerOf<int64_t>(raw()) : std::nullopt;
}

std::optional<uint64_t> JsonValue::AsUint64() const {
  if (node().form == Form::kShortInteger) return node().extra;
  return is_number() ? IntegerOf<uint64_t>(raw()) : std::nullopt;
}

std::optional<double> JsonValue::AsDouble() const {
  if (!is_number()) return std::nullopt;
  const std::string_view token = raw();
  if (IsSpecialNumber(token)) return 0;
  double number = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), number);
  return error == std::errc() ? number : 0;
}

std::optional<JsonValue> JsonValue::Member(std::string_view name) const {
  if (!is_object()) return std::nullopt;
  for (Iterator member = begin(); member != end(); ++member) {
    const JsonValue key = *member;
    const JsonValue value = *++member;
    if (key.Canonical() != name) continue;
    return value.is_null() ? std::nullopt : std::optional(value);
  }
  return std::nullopt;
}

bool JsonDocument::Read(std::string_view text, size_t depth_max) {
  text_ = text;
  nodes_.clear();
  open_.clear();
  strings_.clear();
  if (text.empty() || text.size() > UINT32_MAX) return false;
  if (first_pass_ == nullptr || first_pass_->capacity() < text.size()) {
    // Powers of two, so that growing bodies do not mean an allocation each.
    const size_t capacity = std::max(std::bit_ceil(text.size()), kCapacityBytesMin);
    if (simdjson::get_active_implementation()->create_dom_parser_implementation(
            std::min<size_t>(capacity, UINT32_MAX), 1, first_pass_) != simdjson::SUCCESS) {
      return false;
    }
  }
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  if (first_pass_->stage1(bytes, text.size(), simdjson::stage1_mode::regular) !=
      simdjson::SUCCESS) {
    return false;
  }
  return FindStructure(depth_max);
}

void JsonDocument::Shrink(size_t text_bytes_max) {
  if (first_pass_ != nullptr && first_pass_->capacity() > text_bytes_max) first_pass_.reset();
  if (nodes_.capacity() * sizeof(Node) > text_bytes_max) std::vector<Node>().swap(nodes_);
}

char JsonDocument::At(size_t structural) const {
  return structural < first_pass_->n_structural_indexes
             ? text_[first_pass_->structural_indexes[structural]]
             : '\0';
}

// Between what begins here and the next thing is white space only.
size_t JsonDocument::TokenEnd(size_t structural) const {
  const bool is_last = structural + 1 >= first_pass_->n_structural_indexes;
  size_t end = is_last ? text_.size() : first_pass_->structural_indexes[structural + 1];
  while (IsSpace(text_[end - 1])) --end;
  return end;
}

bool JsonDocument::AddString(size_t structural) {
  const uint32_t begin = first_pass_->structural_indexes[structural];
  const size_t end = TokenEnd(structural);
  if (text_[begin] != '"' || end < begin + 2u || text_[end - 1] != '"') return false;
  const auto escapes = CheckEscapes(text_.substr(begin + 1, end - begin - 2));
  if (!escapes) return false;
  auto form = JsonValue::Form::kPlain;
  if (escapes->any)
    form = escapes->any_coded ? JsonValue::Form::kCodedEscapes : JsonValue::Form::kShortEscapes;
  nodes_.push_back(
      {begin, static_cast<uint32_t>(end), escapes->saved_bytes, JsonType::kString, form});
  return true;
}

bool JsonDocument::AddScalar(size_t structural) {
  const uint32_t begin = first_pass_->structural_indexes[structural];
  const auto end = static_cast<uint32_t>(TokenEnd(structural));
  const std::string_view token = text_.substr(begin, end - begin);
  if (token[0] != '0' || token.size() == 1) {
    if (const std::optional<uint32_t> number = ShortInteger(token)) {
      nodes_.push_back({begin, end, *number, JsonType::kNumber, JsonValue::Form::kShortInteger});
      return true;
    }
  }
  JsonType type = JsonType::kNumber;
  if (token == "null") {
    type = JsonType::kNull;
  } else if (token == "true") {
    type = JsonType::kTrue;
  } else if (token == "false") {
    type = JsonType::kFalse;
  } else if (!IsJsonNumber(token) && !IsSpecialNumber(token)) {
    return false;
  }
  nodes_.push_back({begin, end, 0, type, JsonValue::Form::kPlain});
  return true;
}

bool JsonDocument::Open(size_t structural, size_t depth_max) {
  const bool object = At(structural) == '{';
  const bool is_empty = At(structural + 1) == (object ? '}' : ']');
  const uint32_t begin = first_pass_->structural_indexes[structural];
  open_.push_back(static_cast<uint32_t>(nodes_.size()));
  nodes_.push_back(
      {begin, 0, 0, object ? JsonType::kObject : JsonType::kArray, JsonValue::Form::kPlain});
  return is_empty || open_.size() <= depth_max;
}

bool JsonDocument::Close(size_t structural) {
  if (open_.empty()) return false;
  Node& node = nodes_[open_.back()];
  if (At(structural) != (node.type == JsonType::kObject ? '}' : ']')) return false;
  node.end = first_pass_->structural_indexes[structural] + 1;
  node.extra = static_cast<uint32_t>(nodes_.size());
  open_.pop_back();
  return true;
}

bool JsonDocument::FindStructure(size_t depth_max) {
  enum class Wanted { kValue, kItemOrEnd, kKey, kKeyOrEnd, kCommaOrEnd };
  const size_t count = first_pass_->n_structural_indexes;
  const uint32_t* const structurals = first_pass_->structural_indexes.get();
  nodes_.reserve(count);
  Wanted wanted = Wanted::kValue;
  for (size_t i = 0; i < count; ++i) {
    const char c = text_[structurals[i]];
    const bool ends = c == '}' || c == ']';
    if (ends && (wanted == Wanted::kItemOrEnd || wanted == Wanted::kKeyOrEnd ||
                 wanted == Wanted::kCommaOrEnd)) {
      if (!Close(i)) return false;
      wanted = Wanted::kCommaOrEnd;
      continue;
    }
    switch (wanted) {
      case Wanted::kCommaOrEnd:
        if (c != ',' || open_.empty()) return false;
        wanted = nodes_[open_.back()].type == JsonType::kObject ? Wanted::kKey : Wanted::kValue;
        break;
      case Wanted::kKey:
      case Wanted::kKeyOrEnd:
        if (!AddString(i) || At(++i) != ':') return false;
        wanted = Wanted::kValue;
        break;
      case Wanted::kValue:
      case Wanted::kItemOrEnd:
        if (c == '{' || c == '[') {
          if (!Open(i, depth_max)) return false;
          wanted = c == '{' ? Wanted::kKeyOrEnd : Wanted::kItemOrEnd;
          break;
        }
        if (c == '"' ? !AddString(i) : !AddScalar(i)) return false;
        wanted = Wanted::kCommaOrEnd;
        break;
    }
  }
  return wanted == Wanted::kCommaOrEnd && open_.empty();
}

}  // namespace gw::internal
