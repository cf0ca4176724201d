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

// The scope of the tenants of a pool among the registry's open values.
std::string ScopeOfTenants(std::string_view pool);
// What a tenant's series of that pool are labelled with: its name if it is one of the first
// (MetricRegistry::AdmitsOpenValue) or empty, else "other".
std::string_view TenantLabel(MetricRegistry& registry, std::string_view pool,
                             std::string_view tenant);

}  // namespace gw
