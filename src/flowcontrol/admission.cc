#include "flowcontrol/admission.h"

namespace gw {

Criticality CriticalityOf(int priority) {
  return priority < 0 ? Criticality::kSheddable : Criticality::kCritical;
}

bool IsSaturated(std::span<const EndpointView> candidates, const SaturationLimits& limits) {
  bool any_fresh = false;
  bool any_scraped = false;
  bool any_unused = false;
  for (const EndpointView& view : candidates) {
    any_scraped |= view.metrics_age != Duration::max();
    any_unused |= view.in_flight_requests <= 0;
    if (!view.metrics_fresh) continue;
    any_fresh = true;
    if (view.waiting_requests <= limits.waiting_requests_max &&
        view.kv_cache_utilization_ratio <= limits.kv_cache_utilization_ratio_max) {
      return false;
    }
  }
  // Endpoints that never showed metrics say nothing about their load; to refuse for their silence
  // would refuse everything in front of a model server that has no metrics.
  return any_fresh || (any_scraped && !any_unused);
}

Admission Admit(Criticality criticality, std::span<const EndpointView> candidates,
                const SaturationLimits& limits) {
  if (criticality == Criticality::kCritical) return Admission::kAdmitted;
  return IsSaturated(candidates, limits) ? Admission::kRejectedSaturated : Admission::kAdmitted;
}

}  // namespace gw
