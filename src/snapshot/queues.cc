#include "snapshot/queues.h"

#include <algorithm>
#include <set>

#include "flowcontrol/admission.h"
#include "pool/health.h"
#include "scheduling/sample.h"

namespace gw {
namespace {

bool HasReady(const Pool& pool, TimePoint now) {
  return std::any_of(pool.endpoints.begin(), pool.endpoints.end(), [now](const Endpoint& endpoint) {
    return StandingOf(*endpoint.state, 0, now) != Standing::kRefusing;
  });
}

bool WaitsForReady(const PoolEntry& entry, TimePoint now) {
  return entry.queueing && entry.queueing->waits_without_endpoints && !HasReady(entry.pool, now);
}

}  // namespace

int64_t RoomOf(const PoolEntry& entry, TimePoint now,
               absl::FunctionRef<const Candidates&(const Pool&)> sample, int64_t kept_free) {
  const auto room_of = [&](const Pool& pool) {
    return RoomOf(sample(pool), entry.saturation, now, kept_free);
  };
  if (WaitsForReady(entry, now)) return 0;
  const Disaggregation* const split = entry.disaggregation.get();
  if (split == nullptr) return room_of(entry.pool);
  const int64_t decode = room_of(split->decode);
  int64_t prefill = 0;
  bool any_prefill = false;
  for (const auto& [runtime, pool] : split->prefill) {
    if (pool.endpoints.empty()) continue;
    any_prefill = true;
    prefill += room_of(pool);
  }
  return any_prefill ? std::min(decode, prefill) : decode;
}

void FollowQueues(const Snapshot& snapshot, const RequestQueues& queues) {
  std::set<const RequestQueue*> served;
  for (const auto& entry : snapshot.pools) {
    if (entry->queue == nullptr) continue;
    served.insert(entry->queue.get());
    // The queue is the entry's, so it must not keep that.
    const auto room = [pool = std::weak_ptr(entry), scratch = std::make_shared<Candidates>()](
                          TimePoint now, int64_t kept_free) -> int64_t {
      const std::shared_ptr<const PoolEntry> held = pool.lock();
      if (held == nullptr) return 0;
      if (WaitsForReady(*held, now)) return RequestQueue::kNobodyServes;
      const auto sample = [&](const Pool& part) -> const Candidates& {
        static const InferenceRequest kAny;
        SampleEndpoints(part, kAny, now, {}, scratch.get());
        return *scratch;
      };
      return RoomOf(*held, now, sample, kept_free);
    };
    entry->queue->SetPool(*entry->queueing, room);
  }
  for (const std::shared_ptr<RequestQueue>& queue : queues.All()) {
    if (!served.contains(queue.get())) queue->Close();
  }
}

void OnEndpointSeen(const Snapshot& snapshot, const EndpointState& state) {
  for (const auto& entry : snapshot.pools) {
    if (entry->queue == nullptr || entry->queue->waiting() == 0) continue;
    const auto states = entry->pool.endpoints.states();
    if (std::find(states.begin(), states.end(), &state) != states.end()) entry->queue->OnRoom();
  }
}

}  // namespace gw
