// Who may ask, as annotations under penstock.dev/ say it: API keys in Secrets, rates per owner.

#pragma once

#include <cstdint>
#include <optional>

#include "api/meta.h"

namespace gw::api {

// Of a Secret with keys, or of whoever names such Secrets: what an owner gets that has no more
// specific ones.
struct RateLimits {
  std::optional<int64_t> requests_per_minute;
  std::optional<int64_t> tokens_per_minute;

  bool any() const { return requests_per_minute || tokens_per_minute; }
  bool operator==(const RateLimits&) const = default;
};

// Of a Secret with keys: how its owners stand in the queues of pools.
struct QueueTerms {
  double weight = 1;
  std::optional<int64_t> requests_max;  // in flight, of each owner at each pool
  std::optional<int64_t> tokens_max;

  bool operator==(const QueueTerms&) const = default;
};

// Of a Gateway or an HTTPRoute, whose own goes before its Gateway's.
struct KeyAccess {
  bool open = false;     // "none": anybody may ask
  StringMap labels;      // of the Secrets in its namespace whose entries are keys, by their owners
  bool forward = false;  // the fields with keys go on to the endpoints
  RateLimits limits;

  bool operator==(const KeyAccess&) const = default;
};

}  // namespace gw::api
