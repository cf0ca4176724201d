#include "api/reader.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "api/names.h"
#include "base/suggest.h"
#include "base/text.h"

namespace gw::api {
namespace {

constexpr size_t kAnnotationsMax = 4096;
constexpr size_t kDataEntriesMax = 4096;
constexpr size_t kPathBytesMax = 512;

// A key as a step of a path: names that hold dots or odd characters stand in brackets.
std::string Step(std::string_view path, std::string_view key) {
  const bool plain =
      !key.empty() && key.size() <= 63 && std::all_of(key.begin(), key.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '_' || c == '-';
      });
  std::string out(path.substr(0, kPathBytesMax));
  if (!plain) return out + "[" + Quoted(key) + "]";
  if (!out.empty()) out += '.';
  out += key;
  return out;
}

}  // namespace

void Problems::Add(std::string_view path, std::string_view message, int line) {
  if (errors_.size() == kErrorsMax) {
    ++more_;
    return;
  }
  std::string error(path);
  if (!error.empty()) error += ": ";
  error += message;
  const std::string where = SourceRef{file_, line}.ToString();
  if (!where.empty()) error += " (" + where + ")";
  errors_.push_back(std::move(error));
}

void Problems::AddUnknownField(std::string path, const std::string& guess, int line) {
  if (!gathers_unknown_fields_) return Add(path, "unknown field" + guess, line);
  if (unknown_fields_.size() < kErrorsMax) unknown_fields_.push_back(std::move(path));
}

std::vector<std::string> Problems::Take() {
  if (more_ > 0) errors_.push_back("and " + std::to_string(more_) + " more errors");
  more_ = 0;
  return std::move(errors_);
}

void Value::WrongType(std::string_view wanted) const {
  std::string message = "must be ";
  message.append(wanted).append(", got ").append(Describe(*node_));
  Error(message);
}

bool Value::IsText() const {
  return node_ != nullptr && node_->kind == Node::Kind::kScalar &&
         TypeOf(*node_) == ScalarType::kText;
}

bool Value::NeedText() const {
  if (node_ == nullptr) return false;
  if (IsText()) return true;
  if (node_->kind == Node::Kind::kScalar) {
    Error("must be text, got " + Describe(*node_) + ": put it in quotes");
  } else {
    WrongType("text");
  }
  return false;
}

std::string Value::Text(size_t min, size_t max) const {
  if (!NeedText()) return "";
  const std::string& text = node_->text;
  if (text.size() < min && text.empty()) {
    Error("must not be empty");
    return "";
  }
  if (text.size() < min || text.size() > max) {
    Error("must have " + std::to_string(min) + ".." + std::to_string(max) + " characters, got " +
          std::to_string(text.size()));
    return "";
  }
  return text;
}

std::string Value::TextLike(bool (*valid)(std::string_view), std::string_view wanted) const {
  if (!NeedText()) return "";
  if (valid(node_->text)) return node_->text;
  WrongType(wanted);
  return "";
}

std::string Value::DnsLabel() const {
  return TextLike(IsDnsLabel, "a DNS label (lower case letters, digits and '-', at most 63)");
}

std::string Value::DnsSubdomain() const {
  return TextLike(IsDnsSubdomain,
                  "a DNS name (lower case letters, digits, '-' and '.', at most 253)");
}

std::string Value::Group() const { return TextLike(IsGroup, "an API group"); }

std::string Value::Kind() const { return TextLike(IsKind, "a kind"); }

std::string Value::Hostname() const {
  return ToLower(TextLike(IsHostname, "a host name in lower case, or one with \"*.\" before it"));
}

size_t Value::OneOf(std::initializer_list<std::string_view> names, size_t fallback) const {
  if (!NeedText()) return fallback;
  std::string wanted = "one of ";
  size_t index = 0;
  for (std::string_view name : names) {
    if (node_->text == name) return index;
    if (index++ > 0) wanted += ", ";
    wanted += name;
  }
  Error("must be " + wanted + ", got " + Describe(*node_) +
        DidYouMean(node_->text, {names.begin(), names.size()}));
  return fallback;
}

std::optional<int64_t> Value::Integer(int64_t min, int64_t max) const {
  if (node_ == nullptr) return std::nullopt;
  if (node_->kind != Node::Kind::kScalar || TypeOf(*node_) != ScalarType::kInteger) {
    WrongType("an integer");
    return std::nullopt;
  }
  std::string_view text = node_->text;
  if (text.front() == '+') text.remove_prefix(1);
  // A leading zero means octal to some readers of YAML and nothing to others.
  const std::string_view digits = text.front() == '-' ? text.substr(1) : text;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || (digits.size() > 1 && digits.front() == '0')) {
    WrongType("a decimal integer");
    return std::nullopt;
  }
  if (error != std::errc() || value < min || value > max) {
    std::string message = "must be ";
    if (max != std::numeric_limits<int64_t>::max()) {
      message += std::to_string(min) + ".." + std::to_string(max);
    } else {
      message += "at least " + std::to_string(min);
    }
    Error(message + ", got " + std::string(text.substr(0, 32)));
    return std::nullopt;
  }
  return value;
}

std::optional<double> Value::Number() const {
  if (node_ == nullptr) return std::nullopt;
  const ScalarType type = node_->kind == Node::Kind::kScalar ? TypeOf(*node_) : ScalarType::kText;
  if (type != ScalarType::kInteger && type != ScalarType::kFloat) {
    WrongType("a number");
    return std::nullopt;
  }
  std::string_view text = node_->text;
  if (text.front() == '+') text.remove_prefix(1);
  // As for integers: what is octal to some is refused.
  const std::string_view digits = text.front() == '-' ? text.substr(1) : text;
  const bool octal = digits.size() > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9';
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || error != std::errc() || octal) {
    WrongType("a decimal number");
    return std::nullopt;
  }
  return value;
}

std::string Value::Json() const { return node_ == nullptr ? "" : ToJson(*node_); }

std::optional<int> Value::Port() const {
  const std::optional<int64_t> port = Integer(1, 65535);
  if (!port) return std::nullopt;
  return static_cast<int>(*port);
}

std::optional<bool> Value::Bool() const {
  if (node_ == nullptr) return std::nullopt;
  if (node_->kind != Node::Kind::kScalar || TypeOf(*node_) != ScalarType::kBool) {
    WrongType("true or false");
    return std::nullopt;
  }
  const std::string text = ToLower(node_->text);
  return text == "true" || text == "yes" || text == "on";
}

std::optional<Duration> Value::DurationText() const {
  if (!NeedText()) return std::nullopt;
  const std::optional<Duration> duration = ParseDuration(node_->text);
  if (!duration) WrongType("a duration such as \"10s\", \"1h30m\" or \"500ms\"");
  return duration;
}

StringMap Value::Labels() const { return Pairs(true); }

StringMap Value::Strings() const { return Pairs(false); }

StringMap Value::Pairs(bool labels) const {
  StringMap out;
  if (node_ == nullptr) return out;
  if (!node_->is_map()) {
    WrongType("a map");
    return out;
  }
  if (node_->items.size() > kAnnotationsMax) {
    Error("must have at most " + std::to_string(kAnnotationsMax) + " entries, got " +
          std::to_string(node_->items.size()));
    return out;
  }
  for (size_t i = 0; i < node_->items.size(); ++i) {
    const Node::Key& key = node_->keys[i];
    const Node& item = node_->items[i];
    const Value value(item.kind == Node::Kind::kNull ? nullptr : &item, Step(path_, key.name),
                      key.line, problems_);
    if (!IsLabelKey(key.name)) {
      value.Error(labels ? "is not a valid label key" : "is not a valid annotation key");
    } else if (!value.present()) {
      // kubectl sends an empty value as null, and the API server stores it as empty text.
      out[key.name] = "";
    } else if (!out.emplace(key.name, labels
                                          ? value.TextLike(IsLabelValue,
                                                           "a label value (letters, digits, '-', "
                                                           "'_' and '.', at most 63)")
                                          : value.Text(0, 1u << 18))
                    .second) {
      value.Error("is given twice");
    }
  }
  return out;
}

StringMap Value::HiddenTexts() const {
  StringMap out;
  if (node_ == nullptr) return out;
  if (!node_->is_map()) {
    Error("must be a map");
    return out;
  }
  if (node_->items.size() > kDataEntriesMax) {
    Error("must have at most " + std::to_string(kDataEntriesMax) + " entries, got " +
          std::to_string(node_->items.size()));
    return out;
  }
  for (size_t i = 0; i < node_->items.size(); ++i) {
    const Node::Key& key = node_->keys[i];
    const Node& item = node_->items[i];
    if (!IsDataKey(key.name)) {
      // It may be what should have stood behind a key.
      problems_->Add(path_, "entry " + std::to_string(i + 1) + " has a key that is none", key.line);
      continue;
    }
    const Value value(&item, Step(path_, key.name), key.line, problems_);
    const bool null = item.kind == Node::Kind::kNull;  // the API server stores empty text
    if (!null && (item.kind != Node::Kind::kScalar || TypeOf(item) != ScalarType::kText)) {
      value.Error("must be text: put it in quotes");
    } else if (!out.emplace(key.name, null ? "" : item.text).second) {
      value.Error("is given twice");
    }
  }
  return out;
}

std::vector<Value> Value::List(size_t min, size_t max) const {
  std::vector<Value> out;
  if (node_ == nullptr) return out;
  if (!node_->is_list()) {
    WrongType("a list");
    return out;
  }
  if (node_->items.size() < min || node_->items.size() > max) {
    Error("must have " + std::to_string(min) + ".." + std::to_string(max) + " entries, got " +
          std::to_string(node_->items.size()));
    if (node_->items.size() > max) return out;
  }
  for (size_t i = 0; i < node_->items.size(); ++i) {
    const Node& item = node_->items[i];
    Value value(&item, path_ + "[" + std::to_string(i) + "]", item.line, problems_);
    if (item.kind == Node::Kind::kNull) {
      value.Error("must not be null");
    } else {
      out.push_back(std::move(value));
    }
  }
  return out;
}

Value Value::At(std::string_view key) const {
  const Node* found = node_ == nullptr ? nullptr : node_->Find(key);
  return Value(found, Step(path_, key), found == nullptr ? line_ : found->line, problems_);
}

MapReader Value::Map() const {
  if (node_ != nullptr && !node_->is_map()) {
    WrongType("a map");
    return MapReader(nullptr, path_, line_, problems_);
  }
  return MapReader(node_, path_, line_, problems_);
}

void Value::OnlyFields(std::initializer_list<std::string_view> names) const {
  MapReader reader = Map();
  reader.Ignore(names);
}

MapReader::MapReader(const Node* node, std::string path, int line, Problems* problems)
    : node_(node), path_(std::move(path)), line_(line), problems_(problems) {}

void MapReader::Finish() {
  if (node_ == nullptr) return;
  ReportRepeated();
  ReportUnknown();
  node_ = nullptr;
}

std::string MapReader::PathOf(std::string_view name) const { return Step(path_, name); }

Value MapReader::Get(std::string_view name) {
  known_.push_back(name);
  if (node_ == nullptr) return Value(nullptr, Step(path_, name), line_, problems_);
  for (size_t i = 0; i < node_->keys.size(); ++i) {
    if (node_->keys[i].name != name) continue;
    const Node& item = node_->items[i];
    return Value(item.kind == Node::Kind::kNull ? nullptr : &item, Step(path_, name),
                 node_->keys[i].line, problems_);
  }
  return Value(nullptr, Step(path_, name), line_, problems_);
}

Value MapReader::Require(std::string_view name) {
  Value value = Get(name);
  if (!value.present() && node_ != nullptr) value.Error("is required");
  return value;
}

void MapReader::Ignore(std::initializer_list<std::string_view> names) {
  known_.insert(known_.end(), names.begin(), names.end());
}

void MapReader::IgnoreAll(std::span<const std::string_view> names) {
  known_.insert(known_.end(), names.begin(), names.end());
}

void MapReader::ReportRepeated() const {
  std::vector<const Node::Key*> sorted;
  sorted.reserve(node_->keys.size());
  for (const Node::Key& key : node_->keys) sorted.push_back(&key);
  std::sort(sorted.begin(), sorted.end(), [](const Node::Key* a, const Node::Key* b) {
    const int order = a->name.compare(b->name);
    return order != 0 ? order < 0 : a < b;
  });
  for (size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i]->name != sorted[i - 1]->name) continue;
    std::string message = "is given twice";
    if (sorted[i - 1]->line != sorted[i]->line)
      message += ", first in line " + std::to_string(sorted[i - 1]->line);
    problems_->Add(PathOf(sorted[i]->name), message, sorted[i]->line);
  }
}

void MapReader::ReportUnknown() const {
  for (const Node::Key& key : node_->keys) {
    if (std::find(known_.begin(), known_.end(), key.name) != known_.end()) continue;
    problems_->AddUnknownField(PathOf(key.name), DidYouMean(key.name, known_), key.line);
  }
}

}  // namespace gw::api
