// What goes between gateways, as metrics. There at 0 from the beginning, also without peers.

#pragma once

#include "stats/metrics.h"

namespace gw::peers {

struct PeerMetrics {
  explicit PeerMetrics(MetricRegistry& registry);

  Gauge& linked;       // peers
  Gauge& silent;       // of them, whose sums have expired
  Counter& sent_sums;  // bytes
  Counter& sent_prefixes;
  Counter& sent_index;  // to those that are new
  Counter& sent_tenants;
  Counter& sent_releases;
  Counter& received;
  Counter& dropped_sums;      // messages that a peer did not take
  Counter& dropped_prefixes;  // insertions, or messages of them
  Counter& dropped_tenants;   // messages of them
  Counter& dropped_releases;
  Counter& prefixes;           // insertions that peers have told
  Counter& expired;            // times that a peer fell silent
  Counter& refused_handshake;  // who does not know the secret, or speaks something else
  Counter& refused_version;
  Counter& refused_message;  // links that ended with a message that made no sense
  Counter& peers_limit;
  Counter& prefixes_limit;
  Counter& waiting_limit;
  Counter& tenants_limit;
};

}  // namespace gw::peers
