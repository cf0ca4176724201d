// What Translate makes of all objects, with what of it is kept to follow changes.

#pragma once

#include <cstdint>

#include "translate/context.h"
#include "translate/pools.h"
#include "translate/releases.h"
#include "translate/route_set.h"
#include "translate/translate.h"

namespace gw::internal {

struct Whole {
  Translation translation;  // without the pools' warnings, which go before the others
  PoolSet pools;
  RouteSet routes;
  ReleaseSet releases;
};

Whole TranslateWhole(Context& context, uint64_t generation);

}  // namespace gw::internal
