#include "peers/metrics.h"

namespace gw::peers {
namespace {

Gauge& Peers(MetricRegistry& registry, const char* state) {
  return registry.AddGauge("penstock_peers", "Other gateways, by whether they are heard.",
                           {{"state", state}});
}

Counter& Sent(MetricRegistry& registry, const char* what) {
  return registry.AddCounter("penstock_peer_sent_bytes_total",
                             "Bytes told to other gateways, by what they say.", {{"what", what}});
}

Counter& Dropped(MetricRegistry& registry, const char* what) {
  return registry.AddCounter("penstock_peer_dropped_total",
                             "What other gateways were not told for want of room, by what it says.",
                             {{"what", what}});
}

Counter& Refused(MetricRegistry& registry, const char* reason) {
  return registry.AddCounter("penstock_peer_refused_total",
                             "Connections of other gateways that were ended, by the reason.",
                             {{"reason", reason}});
}

Counter& Limit(MetricRegistry& registry, const char* limit) {
  return registry.AddCounter("penstock_limit_reached_total",
                             "How often a limit was reached, by its name.", {{"limit", limit}});
}

}  // namespace

PeerMetrics::PeerMetrics(MetricRegistry& registry)
    : linked(Peers(registry, "linked")),
      silent(Peers(registry, "silent")),
      sent_sums(Sent(registry, "sums")),
      sent_prefixes(Sent(registry, "prefixes")),
      sent_index(Sent(registry, "index")),
      sent_tenants(Sent(registry, "tenants")),
      sent_releases(Sent(registry, "releases")),
      received(registry.AddCounter("penstock_peer_received_bytes_total",
                                   "Bytes that other gateways have told.")),
      dropped_sums(Dropped(registry, "sums")),
      dropped_prefixes(Dropped(registry, "prefixes")),
      dropped_tenants(Dropped(registry, "tenants")),
      dropped_releases(Dropped(registry, "releases")),
      prefixes(registry.AddCounter("penstock_peer_prefixes_total",
                                   "Prompts put into the prefix index as other gateways told.")),
      expired(registry.AddCounter("penstock_peer_expired_total",
                                  "Times that the sums of a gateway were given up, as nothing was "
                                  "heard of it.")),
      refused_handshake(Refused(registry, "handshake")),
      refused_version(Refused(registry, "version")),
      refused_message(Refused(registry, "message")),
      peers_limit(Limit(registry, "peers")),
      prefixes_limit(Limit(registry, "peer_prefixes")),
      waiting_limit(Limit(registry, "peer_waiting_bytes")),
      tenants_limit(Limit(registry, "peer_tenants")) {}

}  // namespace gw::peers
