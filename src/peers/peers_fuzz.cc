// Any bytes as what a peer sends: they are refused, or read and applied, and taken back whole.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "peers/greeting.h"
#include "peers/peer_view.h"
#include "peers/tenant_topics.h"

namespace gw::peers {
namespace {

constexpr int kEndpoints = 3;

// A tenant with limits, something in flight and something that waits.
struct Tenants {
  MetricRegistry registry;
  PeerMetrics metrics{registry};
  ManualClock clock;
  RateMeters meters;
  RequestQueues queues{clock};
  const std::shared_ptr<RateMeter> meter =
      meters.Get("a", {.requests_per_minute = 1, .tokens_per_minute = 1});
  const std::shared_ptr<RequestQueue> queue = queues.Get("p");
  TenantTopics topics{meters, queues, metrics, {}};
  Grant running;

  Tenants() {
    queue->SetPool({}, [](TimePoint, int64_t) { return int64_t{1}; });
    for (FairQueue::Id id : {1, 2, 3}) {
      queue->Wait({.id = id, .tenant = id < 3 ? "a" : "b", .terms = {1, 2, 100}, .tokens = 9},
                  [&](Grant grant) { running = std::move(grant); });
    }
  }
  ~Tenants() {
    queue->Close();
    running.End(7);
    CHECK(queue->waiting() == 0);
  }
  // False: it is refused.
  bool Take(const Message& message) {
    clock.Advance(std::chrono::milliseconds(5));
    for (const CountedTopic& each : topics.all()) {
      if (each.topic.kind() != message.kind) continue;
      if (!each.topic.Take(1, message.payload, clock.Now()).ok()) return false;
    }
    std::string told;
    MessageWriter writer(&told);
    for (const CountedTopic& each : topics.all()) {
      each.topic.Tell(clock.Now(), message.payload.size() % 2 == 0, &writer);
    }
    CHECK(meter->Reserve(0, clock.Now()).retry_after >= Duration(0));
    CHECK(meter->tokens(clock.Now())->remaining >= 0);
    return true;
  }
  // Nothing of what was in flight elsewhere is left.
  void Forget() {
    for (const CountedTopic& each : topics.all()) each.topic.Forget(1, clock.Now());
  }
};

void Hear(std::string_view bytes) {
  EndpointTable table;
  PrefixIndex index({.bytes_max = 1u << 20,
                     .names_bytes_max = 1u << 16,
                     .shards = 2,
                     .endpoints_max = 16,
                     .marks = true});
  std::shared_ptr<EndpointState> states[kEndpoints];
  for (int i = 0; i < kEndpoints; ++i) states[i] = table.Get("10.0.0." + std::to_string(i) + ":80");
  {
    PeerView view(table, index);
    Tenants tenants;
    TimePoint now(std::chrono::seconds(1));
    while (!bytes.empty()) {
      Message message;
      bool whole = false;
      const size_t before = bytes.size();
      if (!TakeMessage(&bytes, &message, &whole).ok() || !whole) break;
      CHECK(bytes.size() < before);
      now += std::chrono::milliseconds(static_cast<int64_t>(message.payload.size() % 700));
      Greeting greeting;
      if (message.kind == Kind::kHello && ReadGreeting(message.payload, &greeting).ok()) continue;
      if (static_cast<uint8_t>(message.kind) >= kOptionalKinds) {
        if (!tenants.Take(message)) break;
        continue;
      }
      if (!view.Take(message, now).ok()) break;
      view.Expire(now);
      for (const auto& state : states) CHECK(state->in_flight_requests.load() >= 0);
    }
    tenants.Forget();
  }
  for (const auto& state : states) {
    CHECK(state->others.Load() == GatewaySums{});
    CHECK(state->in_flight_requests.load() == 0 && state->busy.pending() == 0);
  }
}

}  // namespace
}  // namespace gw::peers

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  gw::peers::Hear({reinterpret_cast<const char*>(data), size});
  return 0;
}
