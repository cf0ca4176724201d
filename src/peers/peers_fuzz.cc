// Any bytes as what a peer sends: they are refused, or read and applied, and taken back whole.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "peers/greeting.h"
#include "peers/peer_view.h"

namespace gw::peers {
namespace {

constexpr int kEndpoints = 3;

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
      if (!view.Take(message, now).ok()) break;
      view.Expire(now);
      for (const auto& state : states) CHECK(state->in_flight_requests.load() >= 0);
    }
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
