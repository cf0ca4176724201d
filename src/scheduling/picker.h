// A Picker chooses one candidate by its total score.

#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/random.h"

namespace gw {

class Picker {
 public:
  virtual ~Picker() = default;
  virtual std::string_view name() const = 0;
  // REQUIRES: !scores.empty()
  virtual size_t Pick(std::span<const float> scores, Random& random) const = 0;
};

}  // namespace gw
