#include "bench/virtual/peers.h"

#include <utility>

#include "base/check.h"

namespace gw::bench {
namespace {

constexpr Duration kWhole = std::chrono::seconds(1);  // as `peers` has it
constexpr size_t kPrefixBytesMax = size_t{1} << 20;

}  // namespace

VirtualPeers::VirtualPeers(Timeline& timeline, Random& random, const PeerOptions& options,
                           std::span<const std::unique_ptr<VirtualGateway>> gateways)
    : timeline_(timeline), random_(random), options_(options) {
  for (const auto& gateway : gateways) {
    Node& node = nodes_.emplace_back();
    node.gateway = gateway.get();
    for (const auto& other : gateways) {
      node.views.push_back(
          other == gateway ? nullptr
                           : std::make_unique<peers::PeerView>(gateway->table(), gateway->index()));
    }
  }
  Tick();
}

void VirtualPeers::OnLoad() {
  for (Node& node : nodes_) {
    std::vector<peers::Outbox::Shared> endpoints;
    for (const auto& entry : node.gateway->snapshot()->pools) {
      for (const Endpoint& each : entry->pool.endpoints) {
        endpoints.push_back({each.address, each.state});
      }
    }
    node.outbox.SetEndpoints(std::move(endpoints));
  }
  whole_at_ = timeline_.now();
}

void VirtualPeers::Tick() {
  timeline_.After(options_.gather, [this] { Tick(); });
  const TimePoint now = timeline_.now();
  const bool whole = now >= whole_at_;
  if (whole) whole_at_ = now + kWhole;
  for (size_t from = 0; from < nodes_.size(); ++from) {
    std::string bytes;
    if (whole) nodes_[from].outbox.Whole(&bytes);
    nodes_[from].outbox.TakeSums(now, &bytes);
    peers::Outbox::TakePrefixes(nodes_[from].gateway->news(), kPrefixBytesMax, &bytes);
    if (bytes.empty()) peers::MessageWriter(&bytes).Alive();
    for (size_t to = 0; to < nodes_.size(); ++to) {
      if (to == from || random_.Unit() < options_.lost) continue;
      timeline_.After(options_.delay, [this, from, to, bytes] { Hear(from, to, bytes); });
    }
  }
  for (Node& node : nodes_) {
    for (const auto& view : node.views) {
      if (view != nullptr) view->Expire(now);
    }
  }
}

void VirtualPeers::Hear(size_t from, size_t to, const std::string& bytes) {
  std::string_view left = bytes;
  while (!left.empty()) {
    peers::Message message;
    bool whole = false;
    CHECK(peers::TakeMessage(&left, &message, &whole).ok() && whole);
    CHECK(nodes_[to].views[from]->Take(message, timeline_.now()).ok());
  }
}

}  // namespace gw::bench
