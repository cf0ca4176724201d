// PeerOptions: which gateways this one shares with what it knows of endpoints, and how.

#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/clock.h"

namespace gw::peers {

struct PeerOptions {
  // "0.0.0.0:9910": where peers connect to; empty: this gateway has none.
  std::string listen;
  // "10.0.0.7:9910" or "gateways.example.com:9910": a name may stand for many of them. This gateway
  // may be among them.
  std::vector<std::string> peers;
  // What all of them know (tls/shared_identity.h).
  std::string secret;
  std::string name;  // of this one, for people
  Duration gather = std::chrono::milliseconds(5);
  // News of the index to one peer: limit peer_prefixes.
  size_t prefix_bytes_per_second_max = size_t{4} << 20;
  size_t peers_max = 64;      // limit peers
  size_t tenants_max = 1000;  // that are told of at once, of each topic: limit peer_tenants

  bool on() const { return !listen.empty(); }
};

}  // namespace gw::peers
