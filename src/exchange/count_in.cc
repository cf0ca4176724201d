// How many requests may be here at once, of a route and of a pool (flowcontrol/breaker.h).

#include "exchange/exchange.h"

namespace gw {

bool Exchange::CountInRoute() {
  const RouteRule* const rule = routed_.rule();
  if (rule == nullptr || counted_.in_route.Take(rule->breaker, &Breaker::requests)) return true;
  released_.Excuse();
  return false;
}

// In this pool, and no more in another one.
bool Exchange::CountInPool() {
  return counted_.in_pool.Take(routed_.pool()->breaker, &Breaker::requests);
}

// Empty: it counts as one that waits. Else why it must not.
std::string_view Exchange::CountAsWaiting() {
  const RouteRule* const rule = routed_.rule();
  if (rule != nullptr && !counted_.waits_in_route.Take(rule->breaker, &Breaker::waiting)) {
    released_.Excuse();
    return "as many requests of the route wait as may (limit max_waiting)";
  }
  if (!counted_.waits_in_pool.Take(routed_.pool()->breaker, &Breaker::waiting)) {
    return "as many requests of the pool wait as may (limit max_waiting)";
  }
  return {};
}

// Its places are others' before its client has heard of it.
Step Exchange::RejectAsTooMany(Rejection rejection, std::string_view why) {
  counted_.End();
  CountLimit(InfoOf(rejection).code);
  detail_ = why;
  return Reject(rejection);
}

}  // namespace gw
