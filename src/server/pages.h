// What the admin port shows: values in, text out.

#pragma once

#include <string>

#include "base/clock.h"
#include "snapshot/snapshot.h"

namespace gw {

// Live state of every endpoint of every pool, as JSON.
std::string EndpointsPage(const Snapshot& snapshot, TimePoint now);
// Listeners, routes and pools of the Snapshot that is served, as JSON.
std::string ConfigPage(const Snapshot& snapshot);

}  // namespace gw
