// The end of a server: no new requests, and those in flight finish.

#pragma once

#include <cstdint>
#include <set>

#include "admin/admin_server.h"
#include "base/clock.h"
#include "server/front_end.h"
#include "server/signals.h"

namespace gw {

enum class DrainEnd : uint8_t {
  kDrained,
  kTimeout,       // `timeout` was over
  kSecondSignal,  // somebody would not wait
};

// Drains all of them and returns when nothing is in flight any more, or why not. `ports`: those of
// the server, the admin port too. Where another process has taken them over, it shall have the next
// connection, and the next probe.
DrainEnd DrainAll(const FrontEnds& front_ends, AdminServer& admin, const std::set<uint16_t>& ports,
                  SignalReader& signals, Duration timeout);

// SIGUSR1.
void ReopenLog();

}  // namespace gw
