// Topic: something beside endpoints that gateways tell each other of, such as what tenants have
// used. It has a kind of messages of its own, which a gateway that does not know it leaves out.
//
// All of it is called on the mesh's thread.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "base/clock.h"
#include "peers/message.h"
#include "stats/metrics.h"

namespace gw::peers {

class Topic {
 public:
  virtual ~Topic() = default;

  // At least kOptionalKinds, and no other topic's.
  virtual Kind kind() const = 0;
  // Writes entries of what is new since the last call, for all peers: every few milliseconds, and
  // only while there is a peer. `whole`: and what one must know who has just come or has missed
  // something; once a second, and for each that comes. A peer that does not take what it is told
  // misses it.
  virtual void Tell(TimePoint now, bool whole, MessageWriter* out) = 0;
  // What a peer's Tell has written, as a whole or in part. An error is the peer's fault, and ends
  // the connection.
  virtual absl::Status Take(uint64_t peer, std::string_view payload, TimePoint now) = 0;
  // Nothing was heard of it for a while, or the connection has ended: what counts only for as long
  // as a peer speaks is taken back. It may come again, with a whole.
  virtual void Forget(uint64_t peer, TimePoint now) = 0;
};

// Names of tenants and pools in topics: those of API keys' owners are made of names of Kubernetes.
inline constexpr size_t kNameMax = 1024;

// With what counts its bytes, and messages that a peer did not take.
struct CountedTopic {
  Topic& topic;
  Counter& sent;
  Counter& dropped;
};

}  // namespace gw::peers
