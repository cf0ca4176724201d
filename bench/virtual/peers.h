// Gateways in virtual time that tell each other what they have at the endpoints and put into their
// indexes: the production messages (src/peers), over a network with a delay that loses some.

#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "bench/virtual/gateway.h"
#include "bench/virtual/timeline.h"
#include "peers/outbox.h"
#include "peers/peer_view.h"

namespace gw::bench {

struct PeerOptions {
  Duration gather = std::chrono::milliseconds(5);  // from one message to the next
  Duration delay = std::chrono::microseconds(200);
  double lost = 0;  // share of what one tells another in one go
};

class VirtualPeers {
 public:
  // All outlive this. REQUIRES: the gateways' options say that they share
  VirtualPeers(Timeline& timeline, Random& random, const PeerOptions& options,
               std::span<const std::unique_ptr<VirtualGateway>> gateways);

  // A gateway has other endpoints.
  void OnLoad();

 private:
  struct Node {
    VirtualGateway* gateway = nullptr;
    peers::Outbox outbox;
    std::vector<std::unique_ptr<peers::PeerView>> views;  // by gateway; of itself: null
  };

  void Tick();
  void Hear(size_t from, size_t to, const std::string& bytes);

  Timeline& timeline_;
  Random& random_;
  const PeerOptions options_;
  std::vector<Node> nodes_;
  TimePoint whole_at_{};
};

}  // namespace gw::bench
