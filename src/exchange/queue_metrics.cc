#include "exchange/queue_metrics.h"

namespace gw {

std::string ScopeOfTenants(std::string_view pool) { return "tenants of " + std::string(pool); }

std::string_view TenantLabel(MetricRegistry& registry, std::string_view pool,
                             std::string_view tenant) {
  const bool told = tenant.empty() || registry.AdmitsOpenValue(ScopeOfTenants(pool), tenant);
  return told ? tenant : "other";
}

QueueSeries::QueueSeries(MetricRegistry& registry, std::string_view pool, int priority,
                         std::string_view tenant)
    : wait(Hold(registry.ShareHistogram(
          "penstock_queue_wait_seconds",
          "How long requests waited in their pool's queue, those too that need not or in vain.",
          LatencyBuckets(),
          {{"pool", std::string(pool)}, {"priority", std::to_string(priority)}}))) {
  for (size_t i = 0; i < kQueueResults; ++i) {
    const auto result = static_cast<QueueResult>(i);
    if (result == QueueResult::kNone) continue;
    results[i] = &Hold(registry.ShareCounter(
        "penstock_queue_requests_total",
        "Requests that came to their pool's queue, by what became of them there.",
        {{"pool", std::string(pool)},
         {"priority", std::to_string(priority)},
         {"tenant", std::string(tenant)},
         {"result", std::string(NameOf(result))}}));
  }
}

void ExchangeMetrics::CountQueued(std::string_view pool, int priority, std::string_view tenant,
                                  QueueResult result, Duration waited) {
  ForgetRemoved();
  key_.assign(pool);
  key_ += '\0';
  const std::string_view label = TenantLabel(registry_, pool, tenant);
  key_ += std::to_string(priority);
  key_ += '\0';
  key_ += label;
  std::shared_ptr<QueueSeries>& series = queued_[key_];
  if (series == nullptr) {
    series = std::make_shared<QueueSeries>(registry_, pool, priority, label);
  }
  series->results[static_cast<size_t>(result)]->Add();
  series->wait.Observe(ToSeconds(waited));
}

}  // namespace gw
