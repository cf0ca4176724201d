#include "translate/annotation_values.h"

#include <fmt/format.h>

#include <charconv>

namespace gw::internal {

std::string ReadBool(const std::string& value, bool* target) {
  *target = value == "true";
  if (value == "true" || value == "false") return "";
  return fmt::format("must be \"true\" or \"false\", got \"{}\"", value);
}

std::string ReadNumber(const std::string& value, size_t min, size_t max, size_t* target) {
  size_t number = 0;
  const char* end = value.data() + value.size();
  const auto [stopped, error] = std::from_chars(value.data(), end, number);
  if (error != std::errc() || stopped != end || number < min || number > max) {
    return fmt::format("must be {}..{}, got \"{}\"", min, max, value);
  }
  *target = number;
  return "";
}

}  // namespace gw::internal
