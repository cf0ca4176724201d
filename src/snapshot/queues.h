// What a Snapshot has to do with the queues of its pools: it tells them how much room there is.

#pragma once

#include <cstdint>
#include <memory>

#include "absl/functional/function_ref.h"
#include "base/clock.h"
#include "flowcontrol/request_queues.h"
#include "pool/candidates.h"
#include "pool/endpoint.h"
#include "snapshot/snapshot.h"

namespace gw {

// How many more requests the pool takes (flowcontrol/admission.h). One with roles takes what the
// one that is short of them takes: the room of idle decode endpoints helps nobody whose prompt
// waits for prefill. 0 where no endpoint is ready and requests are to wait for one. `sample` gives
// one of a pool, which is valid until the next call.
int64_t RoomOf(const PoolEntry& entry, TimePoint now,
               absl::FunctionRef<const Candidates&(const Pool&)> sample, int64_t kept_free = 0);

// After `snapshot` was published: its pools' queues go by it from now on, and those that it does
// not have let go of who waits. One thread at a time.
void FollowQueues(const Snapshot& snapshot, const RequestQueues& queues);

// Something about the endpoint is known anew: the queues of the pools that have it look whether
// there is room. Any thread. Cheap while nobody waits.
void OnEndpointSeen(const Snapshot& snapshot, const EndpointState& state);

}  // namespace gw
