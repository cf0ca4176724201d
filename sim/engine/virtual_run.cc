#include "sim/engine/virtual_run.h"

#include <algorithm>

namespace gw::sim {

std::vector<RequestTimes> RunInVirtualTime(Engine& engine, std::span<const TimedRequest> requests) {
  std::vector<RequestTimes> times(requests.size());
  std::vector<EngineEvent> events;
  Duration now{};
  size_t next = 0;
  while (next < requests.size() || engine.busy()) {
    if (!engine.busy()) now = std::max(now, requests[next].arrival);
    for (; next < requests.size() && requests[next].arrival <= now; ++next) {
      engine.Submit(requests[next].request);
    }
    if (!engine.busy()) continue;
    const Duration began = now;
    now += engine.BeginStep();
    events.clear();
    engine.EndStep(&events);
    for (const EngineEvent& event : events) {
      RequestTimes& t = times[event.id];
      switch (event.kind) {
        case EngineEvent::Kind::kScheduled:
          if (t.output_tokens == 0) t.scheduled = began;
          break;
        case EngineEvent::Kind::kToken:
          if (event.tokens == 1) t.first_token = now;
          t.last_token = now;
          t.output_tokens = event.tokens;
          break;
        case EngineEvent::Kind::kPreempted:
        case EngineEvent::Kind::kFinished:
        case EngineEvent::Kind::kReceiving:
          break;
      }
    }
  }
  return times;
}

}  // namespace gw::sim
