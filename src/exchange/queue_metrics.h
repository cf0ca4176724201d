// Metrics of pools' queues, as exchanges count them.

#pragma once

#include <array>
#include <string>
#include <string_view>

#include "exchange/metrics.h"
#include "exchange/queued.h"
#include "exchange/series_holder.h"
#include "stats/metrics.h"

namespace gw {

// Of a pool's queue, one priority and tenant.
class QueueSeries : private SeriesHolder {
 public:
  QueueSeries(MetricRegistry& registry, std::string_view pool, int priority,
              std::string_view tenant);

  std::array<Counter*, kQueueResults> results;
  Histogram& wait;  // of the pool and priority
};

// Whether a tenant of that pool has series of its own; all others share those of "other".
std::string ScopeOfTenants(std::string_view pool);  // among the registry's open values
bool HasTenantSeries(const MetricRegistry& registry, std::string_view pool,
                     std::string_view tenant);

}  // namespace gw
