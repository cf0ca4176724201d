// QueueOptions: what a pool says of its queue (docs/queueing.md).

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

#include "base/clock.h"

namespace gw {

struct QueueOptions {
  size_t requests_max = 1000;     // that wait, of each priority
  size_t bytes_max = 256u << 20;  // of their bodies
  Duration timeout = std::chrono::seconds(60);
  // Whether requests wait, too, while no endpoint is ready: for those that are scaled up from zero.
  bool waits_without_endpoints = false;
  std::map<int, double> shares = {};  // smallest shares of priorities, together below 1
  // Places of each endpoint that only requests of that priority and higher ones get.
  std::map<int, int64_t> reserved = {};
  // Requests of lower priorities may be ended in flight for those of this one and higher ones;
  // nullopt: none is.
  std::optional<int> evict_below = std::nullopt;

  // Those that one of that priority does not get.
  int64_t KeptFreeOf(int priority) const {
    int64_t sum = 0;
    for (auto at = reserved.upper_bound(priority); at != reserved.end(); ++at) sum += at->second;
    return sum;
  }

  bool operator==(const QueueOptions&) const = default;
};

}  // namespace gw
