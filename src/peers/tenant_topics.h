// TenantTopics: what gateways tell each other of tenants, so that limits, shares and ceilings hold
// over all of them.

#pragma once

#include <vector>

#include "peers/metrics.h"
#include "peers/options.h"
#include "peers/topic.h"
#include "peers/use_topic.h"

namespace gw::peers {

class TenantTopics {
 public:
  // All of these outlive it, and it the mesh.
  TenantTopics(const RateMeters& meters, PeerMetrics& metrics, const PeerOptions& options)
      : metrics_(metrics), use_(meters, options.tenants_max, metrics.tenants_limit) {}

  std::vector<CountedTopic> all() {
    return {{use_, metrics_.sent_tenants, metrics_.dropped_tenants}};
  }

 private:
  PeerMetrics& metrics_;
  UseTopic use_;
};

}  // namespace gw::peers
