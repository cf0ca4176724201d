// What serves a request in the place of its pool when that cannot: the pool's fallback.

#include <algorithm>

#include "exchange/exchange.h"
#include "flowcontrol/admission.h"

namespace gw {

std::string_view NameOf(FallbackReason reason) {
  switch (reason) {
    case FallbackReason::kNoEndpoint:
      return "no_endpoint";
    case FallbackReason::kSaturated:
      return "saturated";
    case FallbackReason::kTriesFailed:
      return "tries_failed";
    case FallbackReason::kMaxRequests:
      return "max_requests";
  }
  return "";
}

// Before the first try. Ejected endpoints are asked where nothing else is left, but here something
// is; they come back when their probes are answered.
std::optional<FallbackReason> Exchange::WhyToFallBack(TimePoint now) {
  // What an endpoint has made nobody else has.
  if (!MayFallBack()) return std::nullopt;
  const PoolEntry& entry = *routed_.pool();
  if (entry.disaggregation == nullptr) {
    TakeSample(entry.pool, now);
    const size_t rows = env_.candidates.endpoints().size();
    bool any = false;
    for (size_t row = 0; row < rows && !any; ++row) any = IsInUse(row, now, Standing::kPaused);
    if (!any) return FallbackReason::kNoEndpoint;
  }
  // Whatever the request's criticality is: it is served either way.
  if (IsShort(now)) return FallbackReason::kSaturated;
  return std::nullopt;
}

// REQUIRES: routed_.Fallback() != nullptr, nothing is held
Step Exchange::FallBack(FallbackReason reason, TimePoint now) {
  const PoolEntry* const from = routed_.pool();
  env_.metrics.CountFallback(from->pool.id, reason);
  tried_->fell_back_from = from;
  tried_->fallback_reason = reason;
  SetStage(Victims::Stage::kFixed);
  routed_.TakeFallback();
  if (!CountInPool()) {
    return RejectAsTooMany(
        Rejection::kMaxRequests,
        "as many requests of the pool's fallback are here as may be at once (limit max_requests)");
  }
  rejection_ = Rejection::kNone;
  detail_.clear();
  tried_->pair.Reset();
  tried_->order.clear();
  tried_->count_before_fallback = tried_->count;
  tried_->failed = {};
  observed_->Drop();
  observed_->series = nullptr;
  // The body is what this pool makes of it.
  parsed_.model = nullptr;
  parsed_.usage_ask.reset();
  parsed_.request.prefix_blocks.clear();
  parsed_.MapModel(*routed_.pool(), sticky_.value, env_.random);
  parsed_.Splice(&tried_->body);
  return ScheduleTry(now);
}

}  // namespace gw
