// Regular expressions of RE2's syntax. Matching takes time linear in the text whatever the pattern,
// so neither who writes a route nor who sends a request can stall a worker with one.

#pragma once

#include <memory>
#include <string_view>

#include "base/status.h"

namespace gw {

// Immutable; any thread.
class Regex {
 public:
  // The error says what is wrong with the pattern.
  static absl::StatusOr<std::shared_ptr<const Regex>> Compile(std::string_view pattern);
  virtual ~Regex() = default;

  // True if the pattern fits the whole text, and not only a part of it.
  virtual bool Matches(std::string_view text) const = 0;
};

}  // namespace gw
