#include "flowcontrol/admission.h"

#include <algorithm>

namespace gw {

bool IsSaturated(std::span<const EndpointView> candidates, const SaturationLimits& limits) {
  const auto has_room = [&](const EndpointView& view) {
    return view.metrics_fresh && view.waiting_requests <= limits.waiting_requests_max &&
           view.kv_cache_utilization_ratio <= limits.kv_cache_utilization_ratio_max;
  };
  const auto was_scraped = [](const EndpointView& view) {
    return view.metrics_age != Duration::max();
  };
  // Endpoints that never showed metrics say nothing about their load; to refuse for their silence
  // would refuse everything in front of a model server that has no metrics.
  return std::any_of(candidates.begin(), candidates.end(), was_scraped) &&
         std::none_of(candidates.begin(), candidates.end(), has_room);
}

Admission Admit(Criticality criticality, std::span<const EndpointView> candidates,
                const SaturationLimits& limits) {
  if (criticality == Criticality::kCritical) return Admission::kAdmitted;
  return IsSaturated(candidates, limits) ? Admission::kRejectedSaturated : Admission::kAdmitted;
}

}  // namespace gw
