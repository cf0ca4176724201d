// Counted: where a request counts while it is here: in its route and in its pool, as one that is
// here and as one that waits, as far as these have breakers.

#pragma once

#include "flowcontrol/breaker.h"

namespace gw {

struct Counted {
  Breaker::Place in_route;
  Breaker::Place in_pool;
  Breaker::Place waits_in_route;
  Breaker::Place waits_in_pool;

  void StopWaiting() {
    waits_in_route.GiveBack();
    waits_in_pool.GiveBack();
  }
  void End() {
    StopWaiting();
    in_pool.GiveBack();
    in_route.GiveBack();
  }
};

}  // namespace gw
