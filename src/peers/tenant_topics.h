// TenantTopics: what gateways tell each other of tenants, so that limits, shares and ceilings hold
// over all of them.

#pragma once

#include <vector>

#include "peers/held_topic.h"
#include "peers/metrics.h"
#include "peers/options.h"
#include "peers/topic.h"
#include "peers/turns_topic.h"
#include "peers/use_topic.h"

namespace gw::peers {

class TenantTopics {
 public:
  // All of these outlive it, and it the mesh.
  TenantTopics(const RateMeters& meters, const RequestQueues& queues, PeerMetrics& metrics,
               const PeerOptions& options)
      : metrics_(metrics),
        use_(meters, options.tenants_max, metrics.tenants_limit),
        turns_(queues, options.tenants_max, metrics.tenants_limit),
        held_(queues, options.tenants_max, metrics.tenants_limit) {}

  std::vector<CountedTopic> all() {
    Counter& sent = metrics_.sent_tenants;
    Counter& dropped = metrics_.dropped_tenants;
    return {{use_, sent, dropped}, {turns_, sent, dropped}, {held_, sent, dropped}};
  }

 private:
  PeerMetrics& metrics_;
  UseTopic use_;
  TurnsTopic turns_;
  HeldTopic held_;
};

}  // namespace gw::peers
