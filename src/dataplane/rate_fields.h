// RateFields: what is left of the limits of an API key's owner, as the OpenAI clients read it
// (x-ratelimit-limit-requests, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, ...).

#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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

  // In place of what an endpoint says by these names. The values are views of this object.
  void SetIn(std::vector<http::HeaderField>* fields) const {
    for (const auto& [name, value] : told_) {
      std::erase_if(*fields, [name = name](const http::HeaderField& field) {
        return http::EqualsIgnoreCase(field.name, name);
      });
      fields->push_back({name, value});
    }
  }

 private:
  void Add(const std::array<std::string_view, 3>& names,
           const std::optional<RateStanding>& standing) {
    if (!standing) return;
    told_.emplace_back(names[0], std::to_string(standing->limit));
    told_.emplace_back(names[1], std::to_string(standing->remaining));
    told_.emplace_back(names[2], RateResetText(standing->reset));
  }

  std::vector<std::pair<std::string_view, std::string>> told_;
};

}  // namespace gw
