// What the metrics page says of the gateway as a whole, computed when the page is asked for; and
// which series it has at all.

#pragma once

#include <cstddef>
#include <cstdint>

#include "base/mutex.h"
#include "dataplane/held_bytes.h"
#include "prefix/index.h"
#include "snapshot/snapshot.h"
#include "stats/metrics.h"

namespace gw {

// Endpoints with series of their own. Of further ones only their pools' series tell, and
// penstock_endpoint_series_left_out.
inline constexpr size_t kEndpointSeriesMax = 2000;

// The others outlive the registry's last Render.
void RegisterGatewayMetrics(MetricRegistry& metrics, const SnapshotStore& snapshots,
                            const PrefixIndex& index, const HeldBytes& held);

// Which pools have series: those of the newest Snapshot, from its first moment, at 0. Any thread.
class PoolSeries {
 public:
  PoolSeries(MetricRegistry& metrics, const SnapshotStore& snapshots)
      : metrics_(metrics), snapshots_(snapshots) {}

  // After a Snapshot is published, and before every page: requests that began under an earlier
  // Snapshot may have made series of pools that are gone.
  void Reconcile();

 private:
  MetricRegistry& metrics_;
  const SnapshotStore& snapshots_;
  // Or an earlier Snapshot's list could remove what a newer one has shown.
  Mutex mutex_;
  uint64_t shown_generation_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace gw
