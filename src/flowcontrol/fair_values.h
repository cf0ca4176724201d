// What FairQueue takes and gives (fair_queue.h), as values: requests and their tenants' terms, what
// is seen of them, and what the queues of one pool at several gateways tell each other of tenants.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace gw::fair {

using Id = uint64_t;

struct Limits {
  size_t requests_max = 1000;         // that wait, of each priority
  size_t bytes_max = 256u << 20;      // of them
  size_t tenants_max = 1000;          // that are told apart; the others are one
  std::map<int, double> shares = {};  // smallest shares of priorities, together below 1
};

// Of a tenant, as its newest request says it.
struct Terms {
  double weight = 1;                                   // above 0
  std::optional<int64_t> requests_max = std::nullopt;  // in flight
  std::optional<int64_t> tokens_max = std::nullopt;

  bool operator==(const Terms&) const = default;
};

struct Request {
  Id id = 0;
  int priority = 0;
  std::string_view tenant = {};
  Terms terms = {};
  int64_t tokens = 0;    // of its prompt, about
  size_t bytes = 0;      // that it holds
  TimePoint since = {};  // when it came, for who of several gateways has waited longest
};

// Those of that priority and higher ones that wait for nothing but room.
struct Ready {
  size_t count = 0;  // at most so many as asked for
  int highest = 0;   // of their priorities
};

// Who would be served before one that comes now, as far as priorities say it, and those of its
// own priority.
struct Ahead {
  size_t higher = 0;  // of higher priorities
  size_t others = 0;  // of its own, of other tenants: their share of them
  size_t own = 0;     // of its own and its tenant
};

// A tenant in one priority.
struct TenantView {
  int priority;
  std::string_view tenant;
  size_t waiting;
  size_t waiting_bytes;
  std::optional<Id> oldest;  // of those that wait
  int64_t in_flight_requests;
  int64_t in_flight_tokens;  // as they were charged
  bool is_at_ceiling;        // by what it has in flight in all priorities, at all gateways
  double counter;  // tokens that it was served over its weight, on top of where it came in
};

// What a tenant was served in one priority, as it was charged; below 0: as it was given back.
struct Served {
  int priority = 0;
  std::string tenant = {};
  int64_t tokens = 0;
};

// What other gateways have of a tenant.
struct Elsewhere {
  int64_t requests = 0;  // in flight
  int64_t tokens = 0;
  // Of each gateway with one that waits for nothing but the ceiling: when its oldest came.
  std::vector<TimePoint> claims = {};

  bool any() const { return requests != 0 || tokens != 0 || !claims.empty(); }
};

// A tenant with a ceiling, in all priorities.
struct Held {
  std::string tenant = {};
  int64_t requests = 0;  // in flight here
  int64_t tokens = 0;
  // Its oldest one that waits, if its ceiling keeps it from going, and when that came.
  std::optional<Id> oldest = std::nullopt;
  int priority = 0;  // of that
  TimePoint since = {};
};

}  // namespace gw::fair
