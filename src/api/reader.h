// Reads one object out of a Node, strictly, and gathers everything that is wrong with it: each
// error names the field by its path, says what was wanted and what came, and where.
//
//   MapReader spec = top.Require("spec").Map();
//   gateway.gateway_class_name = spec.Require("gatewayClassName").Text(1, 253);
//   for (const Value& item : spec.Require("listeners").List(1, 64)) ...
//
// A field that is absent or null reads as its default without an error. A MapReader that goes out
// of scope reports the fields nobody asked for, so a misspelt field never passes.

#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/meta.h"
#include "api/node.h"
#include "base/clock.h"

namespace gw::api {

// The errors of one object, beyond kErrorsMax only counted; and lines of its fields. Unknown fields
// are errors, or gathered by themselves if that is asked for.
class Problems {
 public:
  static constexpr size_t kErrorsMax = 64;

  explicit Problems(std::string file, bool gathers_unknown_fields = false)
      : file_(std::move(file)), gathers_unknown_fields_(gathers_unknown_fields) {}

  void Add(std::string_view path, std::string_view message, int line);
  // `guess` completes the error.
  void AddUnknownField(std::string path, const std::string& guess, int line);
  bool empty() const { return errors_.empty(); }
  const std::string& file() const { return file_; }
  std::vector<std::string> Take();
  // The paths of those that were gathered, the first kErrorsMax.
  std::vector<std::string> TakeUnknownFields() { return std::move(unknown_fields_); }
  // Where fields stand that others will judge (ObjectMeta::lines).
  void Keep(std::string path, int line) { lines_[std::move(path)] = line; }
  std::map<std::string, int, std::less<>> TakeLines() { return std::move(lines_); }

 private:
  std::string file_;
  bool gathers_unknown_fields_;
  std::vector<std::string> errors_;
  std::vector<std::string> unknown_fields_;
  size_t more_ = 0;
  std::map<std::string, int, std::less<>> lines_;
};

class MapReader;

// One field's value, present or not, and its path. Cheap to copy; lives no longer than its Node.
class Value {
 public:
  Value(const Node* node, std::string path, int line, Problems* problems)
      : node_(node), path_(std::move(path)), line_(line), problems_(problems) {}

  bool present() const { return node_ != nullptr; }
  // Whether text was written; Text() makes anything else an error.
  bool IsText() const;
  const std::string& path() const { return path_; }
  std::string where() const { return SourceRef{problems_->file(), line_}.ToString(); }
  void Error(std::string_view message) const { problems_->Add(path_, message, line_); }
  // Keeps the line for those who judge the field later, under its path or another name.
  void Keep() const { Keep(path_); }
  void Keep(std::string path) const { problems_->Keep(std::move(path), line_); }

  // Text of `min` to `max` characters. "" after an error.
  std::string Text(size_t min, size_t max) const;
  // Text that `valid` accepts; `wanted` completes "must be ...".
  std::string TextLike(bool (*valid)(std::string_view), std::string_view wanted) const;
  // Shorthands of it.
  std::string DnsLabel() const;
  std::string DnsSubdomain() const;
  std::string Group() const;
  std::string Kind() const;
  std::string Hostname() const;  // in lower case
  // One of `names`; the index, or `fallback` if absent or wrong.
  size_t OneOf(std::initializer_list<std::string_view> names, size_t fallback) const;
  std::optional<int64_t> Integer(int64_t min, int64_t max) const;
  std::optional<double> Number() const;  // whole or not; finite
  std::optional<int> Port() const;
  std::optional<bool> Bool() const;
  std::optional<Duration> DurationText() const;
  StringMap Labels() const;   // keys and values checked as labels
  StringMap Strings() const;  // annotations: keys checked, values any text
  // The data of a Secret or ConfigMap: any text under the keys that those have. No error shows what
  // is in it, only how long it is.
  StringMap HiddenTexts() const;
  std::vector<Value> List(size_t min, size_t max) const;
  // An entry of a map, to report an error of it; none of the map's fields is judged.
  Value At(std::string_view key) const;
  // As JSON text, whatever it is; "" if absent. REQUIRES: it was read as JSON
  std::string Json() const;
  // Fields of a map; of nothing after an error. Reports unknown fields when it goes out of scope.
  MapReader Map() const;
  // Map() for a value of which only the names of its fields are checked.
  void OnlyFields(std::initializer_list<std::string_view> names) const;

 private:
  friend class MapReader;
  bool NeedText() const;  // with an error if it is present and no text
  void WrongType(std::string_view wanted) const;
  StringMap Pairs(bool labels) const;

  const Node* node_;
  std::string path_;
  int line_;
  Problems* problems_;
};

class MapReader {
 public:
  MapReader(const Node* node, std::string path, int line, Problems* problems);
  ~MapReader() { Finish(); }
  MapReader(const MapReader&) = delete;
  MapReader& operator=(const MapReader&) = delete;

  // `name` must outlive the reader: a literal.
  Value Get(std::string_view name);
  Value Require(std::string_view name);
  // For what is looked at by others or not at all.
  void Ignore(std::initializer_list<std::string_view> names);
  void IgnoreAll(std::span<const std::string_view> names);

  const std::string& path() const { return path_; }
  std::string PathOf(std::string_view name) const;
  // Reports fields that nobody asked for; afterwards the reader is empty. Of use where the errors
  // must be complete before the reader goes out of scope.
  void Finish();
  // An error of the map as a whole; of one that is not there, or is none, something is said
  // already.
  void Error(std::string_view message) const {
    if (node_ != nullptr) problems_->Add(path_, message, line_);
  }

 private:
  void ReportRepeated() const;
  void ReportUnknown() const;

  const Node* node_;  // null: nothing to read
  std::string path_;
  int line_;
  Problems* problems_;
  std::vector<std::string_view> known_;
};

}  // namespace gw::api
