// Mesh: this gateway among its peers: connections to all of them, what it tells them, and what they
// have told.
//
// Any two gateways have one connection in the end: each dials the addresses that it is given, and
// of two connections the one stays that the gateway with the smaller id has dialled. Who it is at
// an address is known only by its greeting; an address that leads to oneself is not dialled again.
//
// One loop's thread.

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "net/address.h"
#include "net/event_loop.h"
#include "peers/metrics.h"
#include "peers/options.h"
#include "peers/outbox.h"
#include "peers/topic.h"
#include "pool/heard_gateways.h"
#include "prefix/index.h"

namespace gw::peers {

// What is known of one other gateway, or of an address where one may be.
struct PeerRow {
  std::string name;     // "" until it has greeted
  std::string address;  // that is dialled; where it alone dials us, of its connection
  std::string state;    // "linked", "silent", "unreachable"
  std::string error;    // why the last connection ended, or was not made
  Duration heard_ago{};
  GatewaySums sums;
  size_t endpoints = 0;
  uint64_t prefixes = 0;  // that it has told
  uint64_t sent_bytes = 0;
  uint64_t received_bytes = 0;
};

class Mesh {
 public:
  // A word at least so often, and all sums so often.
  static constexpr Duration kAliveInterval = std::chrono::milliseconds(50);
  static constexpr Duration kWholeInterval = std::chrono::seconds(1);

  struct Sources {
    EndpointTable& table;
    PrefixIndex& index;
    std::span<const std::unique_ptr<PrefixNews>> news;  // of each worker
    std::vector<CountedTopic> topics = {};
    HeardGateways* heard = nullptr;  // where to say who is; nullptr: nowhere
  };

  // Listens. What it refers to outlives it. `seed`: of its id.
  static absl::StatusOr<std::unique_ptr<Mesh>> New(EventLoop& loop, const Sources& sources,
                                                   PeerMetrics& metrics, const PeerOptions& options,
                                                   uint64_t seed);
  virtual ~Mesh() = default;

  // Those that are dialled, and no others.
  virtual void SetAddresses(const std::vector<SocketAddress>& addresses) = 0;
  virtual void SetEndpoints(std::vector<Outbox::Shared> endpoints) = 0;
  virtual std::vector<PeerRow> Rows() const = 0;
  virtual const SocketAddress& local() const = 0;
};

}  // namespace gw::peers
