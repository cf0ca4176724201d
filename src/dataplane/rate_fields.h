// RateFields: what is left of the limits of an API key's owner, as the OpenAI clients read it
// (x-ratelimit-limit-requests, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, ...).

#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "flowcontrol/rate_limit.h"
#include "http/head.h"

namespace gw {

class RateFields {
 public:
  // `meter` may be null: there is nothing to tell.
  RateFields(const RateMeter* meter, TimePoint now) {
    if (meter == nullptr) return;
    Add({"x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
         "x-ratelimit-reset-requests"},
        meter->requests(now));
    Add({"x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"},
        meter->tokens(now));
  }

  bool empty() const { return count_ == 0; }
  // The values are views of this object.
  template <typename Sink>
  void ForEach(Sink&& sink) const {
    for (size_t i = 0; i < count_; ++i) sink(names_[i], std::string_view(values_[i]));
  }

 private:
  static constexpr size_t kMost = 6;

  void Add(const std::array<std::string_view, 3>& names,
           const std::optional<RateStanding>& standing) {
    if (!standing) return;
    const std::array<std::string, 3> values = {std::to_string(standing->limit),
                                               std::to_string(standing->remaining),
                                               RateResetText(standing->reset)};
    for (size_t i = 0; i < names.size(); ++i) {
      names_[count_] = names[i];
      values_[count_++] = values[i];
    }
  }

  std::array<std::string_view, kMost> names_;
  std::array<std::string, kMost> values_;
  size_t count_ = 0;
};

}  // namespace gw
