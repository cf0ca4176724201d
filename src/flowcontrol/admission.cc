#include "flowcontrol/admission.h"

namespace gw {

Criticality CriticalityOf(int priority) {
  return priority < 0 ? Criticality::kSheddable : Criticality::kCritical;
}

bool IsSaturated(const Candidates& candidates, const SaturationLimits& limits) {
  bool any_fresh = false;
  bool any_scraped = false;
  bool any_unused = false;
  for (size_t i = 0; i < candidates.size(); ++i) {
    any_scraped |= candidates.metrics_ages()[i] != Duration::max();
    any_unused |= candidates.in_flight_requests()[i] <= 0;
    if (candidates.metrics_fresh()[i] == 0) continue;
    any_fresh = true;
    if (candidates.waiting_requests()[i] <= limits.waiting_requests_max &&
        candidates.kv_cache_utilization_ratios()[i] <= limits.kv_cache_utilization_ratio_max) {
      return false;
    }
  }
  // Endpoints that never showed metrics say nothing about their load; to refuse for their silence
  // would refuse everything in front of a model server that has no metrics.
  return any_fresh || (any_scraped && !any_unused);
}

Admission Admit(Criticality criticality, const Candidates& candidates,
                const SaturationLimits& limits) {
  if (criticality == Criticality::kCritical) return Admission::kAdmitted;
  return IsSaturated(candidates, limits) ? Admission::kRejectedSaturated : Admission::kAdmitted;
}

}  // namespace gw
