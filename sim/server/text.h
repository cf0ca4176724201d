// Building text: Debian's absl::StrCat does not take std::string_view.

#pragma once

#include <charconv>
#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

namespace gw::sim {

inline void Append(std::string* out, std::initializer_list<std::string_view> parts) {
  for (const std::string_view part : parts) out->append(part);
}

inline std::string Concat(std::initializer_list<std::string_view> parts) {
  std::string text;
  Append(&text, parts);
  return text;
}

// An integer as text, for use within one expression.
class Digits {
 public:
  explicit Digits(std::integral auto value)
      : size_(static_cast<size_t>(std::to_chars(text_, text_ + sizeof(text_), value).ptr - text_)) {
  }
  operator std::string_view() const { return {text_, size_}; }  // NOLINT: meant to be implicit

 private:
  char text_[24];
  size_t size_;
};

}  // namespace gw::sim
